//! Whether a message meets a policy: in one walk over what the policy names, in which every place
//! of the message says at once which of the ways to meet the policy it would go with.

use std::sync::Arc;

use super::candidate::Node;
use super::conditions::Condition;
use super::index::Index;
use super::values::Values;
use super::ways::Ways;

/// What the ways to meet a policy ask of a value, and of what is below it. In an array of objects
/// one of them must be all that a way asks for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Ways that ask for something here or below.
    required: Ways,
    /// Ways for which no value may be here, in whichever object of whichever array.
    absent: Ways,
    /// Whether there are such ways here or below.
    asks_for_absence: bool,
    /// Conditions on the value. A way may ask for several lists of them, each in another of these;
    /// one element of an array must meet them all.
    lists: Vec<Lists>,
    /// By name, in byte order.
    below: Vec<(Arc<str>, Asked)>,
}

/// Up to so many conditions are looked at one after the other: an index would take longer.
const FEW_CONDITIONS: usize = 4;

/// Lists of conditions, at most one for each way.
#[derive(Debug, Clone, Default)]
struct Lists {
    asking: Ways,
    each: Vec<(Arc<[Condition]>, Ways)>,
    conditions: usize,
    index: Index,
}

impl Asked {
    /// Has a way ask for one of these conditions to hold under this path.
    pub fn require(&mut self, way: Ways, path: &[Arc<str>], conditions: &Arc<[Condition]>) {
        self.required |= way;
        if let Some((name, rest)) = path.split_first() {
            return self.at(name).require(way, rest, conditions);
        }
        let free = self.lists.iter().position(|lists| (lists.asking & way).is_empty());
        let free = free.unwrap_or_else(|| {
            self.lists.push(Lists::default());
            self.lists.len() - 1
        });
        self.lists[free].add(way, conditions);
    }

    /// Has a way ask for no value to be under this path.
    pub fn require_absence(&mut self, way: Ways, path: &[Arc<str>]) {
        self.asks_for_absence = true;
        match path.split_first() {
            Some((name, rest)) => self.at(name).require_absence(way, rest),
            None => self.absent |= way,
        }
    }

    fn at(&mut self, name: &Arc<str>) -> &mut Self {
        let at = self.below.binary_search_by(|(known, _)| known.cmp(name)).unwrap_or_else(|at| {
            self.below.insert(at, (Arc::clone(name), Self::default()));
            at
        });
        &mut self.below[at].1
    }

    /// Gets ready to look at messages, once everything has been asked for.
    pub fn settle(&mut self) {
        for lists in &mut self.lists {
            lists.index = Index::new(&lists.each);
        }
        self.below.iter_mut().for_each(|(_, below)| below.settle());
    }

    /// Whether this way or another one goes with the message.
    pub fn allows(&self, all: Ways, message: &Node) -> bool {
        let going = all & self.going_with(message);
        !going.is_empty() && !(going - self.hurt_by(message)).is_empty()
    }

    /// Ways that find what they ask for in this part of a message: in itself, or in one object of
    /// its array.
    fn going_with(&self, node: &Node) -> Ways {
        if self.required.is_empty() {
            return Ways::ALL;
        }
        let mut going = self.going_with_itself(node);
        for element in &node.elements {
            if (self.required - going).is_empty() {
                break;
            }
            going |= self.going_with(element);
        }
        going
    }

    fn going_with_itself(&self, node: &Node) -> Ways {
        let going = match &self.lists[..] {
            [] => Ways::ALL,
            [lists] => lists.going_with(&node.leaves),
            several => going_with_each(several, &node.leaves),
        };
        if (going & self.required).is_empty() { going } else { going & self.going_with_below(node) }
    }

    /// Whichever names are fewer are looked for among the others.
    fn going_with_below(&self, node: &Node) -> Ways {
        let mut going = Ways::ALL;
        let mut rest = &self.below[..];
        if node.children().len() < rest.len() {
            for (name, child) in node.children() {
                let at = rest.binary_search_by(|(known, _)| (**known).cmp(name));
                let (missing, found) = rest.split_at(at.unwrap_or_else(|at| at));
                going -= required_of(missing);
                rest = found;
                if let (Ok(_), Some(((_, asked), after))) = (at, found.split_first()) {
                    going &= asked.going_with(child);
                    rest = after;
                }
            }
            going -= required_of(rest);
        } else {
            for (name, asked) in rest {
                match node.child(name) {
                    Some(child) => going &= asked.going_with(child),
                    None => going -= asked.required,
                }
            }
        }
        going
    }

    /// Ways that ask for no value where this part of a message has one.
    fn hurt_by(&self, node: &Node) -> Ways {
        let mut hurt = if node.leaves.is_empty() { Ways::NONE } else { self.absent };
        if !self.asks_for_absence {
            return hurt;
        }
        if node.children().len() < self.below.len() {
            for (name, child) in node.children() {
                let at = self.below.binary_search_by(|(known, _)| (**known).cmp(name));
                if let Some((_, asked)) = at.ok().and_then(|at| self.below.get(at)) {
                    hurt |= asked.hurt_by(child);
                }
            }
        } else {
            for (name, asked) in self.below.iter().filter(|(_, asked)| asked.asks_for_absence) {
                hurt |= node.child(name).map_or(Ways::NONE, |child| asked.hurt_by(child));
            }
        }
        node.elements.iter().fold(hurt, |hurt, element| hurt | self.hurt_by(element))
    }
}

/// Ways that ask for something at one of these.
fn required_of(asked: &[(Arc<str>, Asked)]) -> Ways {
    asked.iter().fold(Ways::NONE, |required, (_, asked)| required | asked.required)
}

impl Lists {
    fn add(&mut self, way: Ways, conditions: &Arc<[Condition]>) {
        self.asking |= way;
        if let Some((_, ways)) =
            self.each.iter_mut().find(|(known, _)| Arc::ptr_eq(known, conditions))
        {
            *ways |= way;
        } else {
            self.conditions += conditions.len();
            self.each.push((Arc::clone(conditions), way));
        }
    }

    /// Ways that ask for nothing here, or for what one of the values is. Where there are few
    /// conditions or many values, each condition takes a search among the values; elsewhere each
    /// value takes some searches among the conditions.
    fn going_with(&self, leaves: &Values) -> Ways {
        let mut met = Ways::NONE;
        let many = leaves.len() / (leaves.len() + 1).ilog2().max(1) as usize;
        if self.conditions <= FEW_CONDITIONS.max(many) {
            for (list, ways) in &self.each {
                if list.iter().any(|condition| leaves.any_meets(condition)) {
                    met |= *ways;
                }
            }
        } else {
            for leaf in leaves.iter() {
                met |= self.index.met_by(leaf);
            }
        }
        met | (Ways::ALL - self.asking)
    }
}

/// Ways that ask for nothing here, or for what one of the values is, by all of their lists.
fn going_with_each(several: &[Lists], leaves: &Values) -> Ways {
    let asking = several.iter().fold(Ways::NONE, |asking, lists| asking | lists.asking);
    leaves.iter().fold(Ways::ALL - asking, |going, leaf| {
        let by_all = several.iter().fold(Ways::ALL, |all, lists| {
            all & (lists.index.met_by(leaf) | (Ways::ALL - lists.asking))
        });
        going | by_all
    })
}
