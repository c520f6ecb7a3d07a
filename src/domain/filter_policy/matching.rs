//! Whether a message meets an alternative of a policy.

use std::sync::Arc;

use super::candidate::Node;
use super::conditions::Condition;

/// One way to meet a policy: everything in it must hold.
#[derive(Debug, Clone, Default)]
pub struct Alternative {
    /// Paths under which the message must have no value at all.
    pub absent: Vec<Vec<Arc<str>>>,
    /// What the message must have.
    pub required: Requirements,
}

/// What is asked of a value and of what is below it.
#[derive(Debug, Clone, Default)]
pub struct Requirements {
    /// Of each list, one condition must hold; of an array, one element must meet all lists.
    lists: Vec<Arc<[Condition]>>,
    below: Vec<(Arc<str>, Requirements)>,
}

impl Alternative {
    /// Whether the message is as asked.
    pub fn holds(&self, message: &Node) -> bool {
        self.required.hold(message) && !self.absent.iter().any(|path| has_value(message, path))
    }
}

impl Requirements {
    /// Asks for one of these conditions to hold under this path.
    pub fn add(&mut self, path: &[Arc<str>], conditions: Arc<[Condition]>) {
        let Some((name, rest)) = path.split_first() else { return self.lists.push(conditions) };
        let known = self.below.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.below.push((Arc::clone(name), Self::default()));
            self.below.len() - 1
        });
        self.below[index].1.add(rest, conditions);
    }

    /// Whether this part of a message is as asked: by itself, or by one object of its array.
    fn hold(&self, node: &Node) -> bool {
        self.hold_here(node) || node.elements.iter().any(|element| self.hold(element))
    }

    fn hold_here(&self, node: &Node) -> bool {
        let is_met = match &self.lists[..] {
            [] => true,
            [list] => list.iter().any(|condition| node.leaves.any_meets(condition)),
            lists => node.leaves.iter().any(|leaf| {
                lists.iter().all(|list| list.iter().any(|condition| condition.is_met_by(leaf)))
            }),
        };
        let below = |(name, requirements): &(Arc<str>, Self)| {
            node.child(name).is_some_and(|child| requirements.hold(child))
        };
        is_met && self.below.iter().all(below)
    }
}

/// Whether there is a value under the path, in whichever object of whichever array.
fn has_value(node: &Node, path: &[Arc<str>]) -> bool {
    let here = match path.split_first() {
        None => !node.leaves.is_empty(),
        Some((name, rest)) => node.child(name).is_some_and(|child| has_value(child, rest)),
    };
    here || node.elements.iter().any(|element| has_value(element, path))
}
