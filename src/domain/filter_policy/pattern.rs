//! A compiled policy, and how a message is compared with it.
//!
//! `$or`, and `{"exists": false}` beside other conditions, give a policy alternatives, one of which must hold as a whole.
//! The tree says of every condition which alternatives it belongs to. So one walk over the message finds the alternatives
//! that hold, however many there are.

use foldhash::HashMap;

use super::conditions::{Condition, Leaf};
use super::message::Node;
use crate::domain::limits::FILTER_POLICY_COMPLEXITY;

/// What the alternatives of a policy require of a value, and of the properties below it.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    /// Alternatives with a condition on this value or below it.
    required: Alternatives,
    /// Alternatives that allow no value here, in any object of an array.
    absent: Alternatives,
    /// Alternatives that allow no value here or somewhere below.
    absent_within: Alternatives,
    /// Conditions on the value. An alternative with several lists of conditions has one in each of these, and one element of
    /// an array must meet them all.
    conditions: Vec<Conditions>,
    properties: Vec<(String, Pattern)>,
}

/// Lists of conditions, at most one for each alternative, which must meet one of its list.
#[derive(Debug, Clone, Default)]
struct Conditions {
    /// Alternatives that have a list.
    required: Alternatives,
    equal: HashMap<Leaf, Alternatives>,
    others: Vec<(Condition, Alternatives)>,
}

impl Pattern {
    /// Requires one of these conditions of the value.
    pub fn require(&mut self, alternatives: Alternatives, list: &[Condition]) {
        let is_free = |it: &Conditions| it.required.and(alternatives).is_empty();
        let free = self.conditions.iter().position(is_free);
        let free = free.unwrap_or_else(|| {
            self.conditions.push(Conditions::default());
            self.conditions.len() - 1
        });
        let conditions = &mut self.conditions[free];
        conditions.required = conditions.required.or(alternatives);
        for condition in list {
            if let Condition::Equals(leaf) = condition {
                let known = conditions.equal.entry(leaf.clone()).or_default();
                *known = known.or(alternatives);
            } else {
                conditions.others.push((condition.clone(), alternatives));
            }
        }
    }

    /// Requires that there is no value.
    pub fn require_absence(&mut self, alternatives: Alternatives) {
        self.absent = self.absent.or(alternatives);
    }

    /// Returns the pattern of a property.
    pub fn property(&mut self, name: String) -> &mut Self {
        let known = self.properties.iter().position(|(known, _)| *known == name);
        let at = known.unwrap_or_else(|| {
            self.properties.push((name, Self::default()));
            self.properties.len() - 1
        });
        &mut self.properties[at].1
    }

    /// Prepares for messages, once everything has been added.
    pub fn complete(&mut self) {
        self.absent_within = self.absent;
        for conditions in &self.conditions {
            self.required = self.required.or(conditions.required);
        }
        for (_, below) in &mut self.properties {
            below.complete();
            self.required = self.required.or(below.required);
            self.absent_within = self.absent_within.or(below.absent_within);
        }
    }

    /// Returns the number of comparisons that a value may need.
    pub fn comparisons(&self) -> usize {
        let here = 1 + self.conditions.iter().map(|it| it.others.len()).sum::<usize>();
        let below = self.properties.iter().map(|(_, below)| below.comparisons());
        below.fold(here.max(self.properties.len()), usize::max)
    }

    /// Returns whether an alternative holds for the message.
    pub fn matches(&self, message: &Node) -> bool {
        let holding = self.holding(message).and(self.required.or(self.absent_within));
        !holding.is_empty() && !holding.without(self.violated(message)).is_empty()
    }

    /// Returns the alternatives whose conditions here and below are met by the value, or by one object of its array.
    fn holding(&self, node: &Node) -> Alternatives {
        let mut holding = self.holding_without_elements(node);
        for element in &node.elements {
            if self.required.without(holding).is_empty() {
                break;
            }
            holding = holding.or(self.holding(element));
        }
        holding
    }

    fn holding_without_elements(&self, node: &Node) -> Alternatives {
        let mut holding = self.met_by_one_of(&node.leaves);
        for (name, below) in &self.properties {
            if self.required.and(holding).is_empty() {
                break;
            }
            holding = match node.property(name) {
                Some(value) => holding.and(below.holding(value)),
                None => holding.without(below.required),
            };
        }
        holding
    }

    /// Returns the alternatives all of whose lists are met by one of the values, and those without any.
    fn met_by_one_of(&self, leaves: &[Leaf]) -> Alternatives {
        let required =
            self.conditions.iter().fold(Alternatives::NONE, |all, it| all.or(it.required));
        let mut met = Alternatives::ALL.without(required);
        for leaf in leaves {
            if met == Alternatives::ALL {
                break;
            }
            let by_leaf = |met: Alternatives, it: &Conditions| {
                met.and(it.met_by(leaf).or(Alternatives::ALL.without(it.required)))
            };
            met = met.or(self.conditions.iter().fold(Alternatives::ALL, by_leaf));
        }
        met
    }

    /// Returns the alternatives that allow no value where the message has one.
    fn violated(&self, node: &Node) -> Alternatives {
        if self.absent_within.is_empty() {
            return Alternatives::NONE;
        }
        let mut violated = if node.leaves.is_empty() { Alternatives::NONE } else { self.absent };
        for (name, below) in &self.properties {
            if let Some(value) = node.property(name) {
                violated = violated.or(below.violated(value));
            }
        }
        node.elements.iter().fold(violated, |violated, it| violated.or(self.violated(it)))
    }
}

impl Conditions {
    /// Returns the alternatives of whose list the value meets a condition.
    fn met_by(&self, leaf: &Leaf) -> Alternatives {
        let equal = self.equal.get(leaf).copied().unwrap_or_default();
        let others = self.others.iter().filter(|(condition, _)| condition.is_met_by(leaf));
        others.fold(equal, |met, (_, alternatives)| met.or(*alternatives))
    }
}

/// A set of alternatives. A policy has at most as many as it may be complex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alternatives([u64; WORDS]);

const WORDS: usize = FILTER_POLICY_COMPLEXITY.div_ceil(64);

impl Alternatives {
    pub const NONE: Self = Self([0; WORDS]);
    const ALL: Self = Self([u64::MAX; WORDS]);

    /// Returns the set of the alternative with this number.
    pub fn only(number: usize) -> Self {
        let mut set = Self::NONE;
        if let Some(word) = set.0.get_mut(number / 64) {
            *word = 1 << (number % 64);
        }
        set
    }

    fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub fn or(self, other: Self) -> Self {
        self.combined(other, |one, other| one | other)
    }

    fn and(self, other: Self) -> Self {
        self.combined(other, |one, other| one & other)
    }

    fn without(self, other: Self) -> Self {
        self.combined(other, |one, other| one & !other)
    }

    fn combined(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|word| combine(self.0[word], other.0[word])))
    }
}
