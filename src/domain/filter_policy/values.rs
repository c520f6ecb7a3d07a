//! The values that a message gives under one name, in an order in which conditions find what they
//! look for.
//!
//! A body may hold a hundred thousand values under a name, and a policy 150 conditions on them.
//! Looking at each value for each condition would take half a second, so the
//! values are sorted once, and a condition takes a search.

use super::conditions::{Condition, Exception, Leaf, fold};
use crate::domain::json_text::escaped;
use ipnet::IpNet;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;
use std::ops::Bound;

/// Values under one name.
#[derive(Debug, Default)]
pub struct Values {
    /// Once they are settled, in their order, each once.
    leaves: Vec<Leaf>,
    orders: OnceCell<Box<Orders>>,
}

/// Texts in other orders than their own. Each is made when the first condition asks for it.
#[derive(Debug, Default)]
struct Orders {
    backwards: OnceCell<Vec<Vec<u8>>>,
    folded: OnceCell<Vec<String>>,
    addresses: OnceCell<Vec<IpAddr>>,
}

impl Values {
    pub fn push(&mut self, leaf: Leaf) {
        // Most names have one value.
        if self.leaves.is_empty() {
            self.leaves.reserve_exact(1);
        }
        self.leaves.push(leaf);
    }

    pub fn append(&mut self, other: &mut Self) {
        self.leaves.append(&mut other.leaves);
    }

    /// Replaces texts by what JSON writes for them.
    pub fn escape_texts(&mut self) {
        for leaf in &mut self.leaves {
            if let Leaf::Text(text) = leaf
                && let Cow::Owned(escaped) = escaped(text)
            {
                *text = escaped;
            }
        }
    }

    /// Puts them in order; without that nothing is found.
    pub fn settle(&mut self) {
        self.leaves.sort_unstable();
        self.leaves.dedup();
    }

    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Leaf> {
        self.leaves.iter()
    }

    /// Whether one of the values meets the condition.
    pub fn any_meets(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Equals(leaf) => self.leaves.binary_search(leaf).is_ok(),
            Condition::Prefix(prefix) => {
                let texts = self.texts();
                let from = texts.partition_point(|leaf| text(leaf) < prefix.as_str());
                texts.get(from).is_some_and(|leaf| text(leaf).starts_with(prefix.as_str()))
            }
            Condition::Suffix(suffix) => {
                let wanted: Vec<u8> = suffix.bytes().rev().collect();
                let backwards = self.backwards();
                let from = backwards.partition_point(|text| *text < wanted);
                backwards.get(from).is_some_and(|text| text.starts_with(&wanted))
            }
            Condition::EqualsIgnoreCase(folded) => self.folded().binary_search(folded).is_ok(),
            Condition::AnythingBut(exception) => self.any_is_not(exception),
            Condition::Numeric(from, to) => self.any_is_between(*from, *to),
            Condition::Cidr(network) => self.any_is_in(*network),
            // Nearly all are present, so the first ones tell.
            Condition::Exists => self.leaves.iter().any(Leaf::exists),
        }
    }

    fn any_is_not(&self, exception: &Exception) -> bool {
        let all_readable = &self.leaves[..self.end_of(&Leaf::Unreadable)];
        let (covered, excluded) = match exception {
            Exception::Texts(texts) => (self.texts(), texts.len()),
            Exception::Numbers(numbers) => (self.numbers(), numbers.len()),
            // Those with a prefix stand together.
            Exception::Prefix(_) => {
                let texts = self.texts();
                let is_other =
                    |leaf: Option<&Leaf>| leaf.is_some_and(|leaf| !exception.covers(leaf));
                return all_readable.len() > texts.len()
                    || is_other(texts.first())
                    || is_other(texts.last());
            }
        };
        all_readable.len() > covered.len()
            || covered.len() > excluded
            || covered.iter().any(|leaf| !exception.covers(leaf))
    }

    fn any_is_between(&self, from: Bound<i64>, to: Bound<i64>) -> bool {
        let least = match from {
            Bound::Unbounded => Some(i64::MIN),
            Bound::Included(least) => Some(least),
            Bound::Excluded(below) => below.checked_add(1),
        };
        let Some(least) = least else { return false };
        let numbers = self.numbers();
        let near = |leaf: &Leaf| match leaf {
            Leaf::Number(number) => number.near(),
            _ => None,
        };
        let from = numbers.partition_point(|leaf| near(leaf).is_some_and(|near| near < least));
        numbers.get(from).and_then(near).is_some_and(|near| match to {
            Bound::Unbounded => true,
            Bound::Included(greatest) => near <= greatest,
            Bound::Excluded(above) => near < above,
        })
    }

    fn any_is_in(&self, network: IpNet) -> bool {
        let addresses = self.addresses();
        let lowest = network.network();
        let from = addresses.partition_point(|address| *address < lowest);
        addresses.get(from).is_some_and(|address| network.contains(address))
    }

    /// The texts, which come first.
    fn texts(&self) -> &[Leaf] {
        &self.leaves[..self.leaves.partition_point(|leaf| matches!(leaf, Leaf::Text(_)))]
    }

    /// The numbers, which come next.
    fn numbers(&self) -> &[Leaf] {
        let rest = &self.leaves[self.texts().len()..];
        &rest[..rest.partition_point(|leaf| matches!(leaf, Leaf::Number(_)))]
    }

    /// How many come before this one.
    fn end_of(&self, leaf: &Leaf) -> usize {
        self.leaves.partition_point(|known| known < leaf)
    }

    fn orders(&self) -> &Orders {
        self.orders.get_or_init(Box::default)
    }

    fn backwards(&self) -> &[Vec<u8>] {
        self.orders().backwards.get_or_init(|| {
            sorted(self.texts().iter().map(|leaf| text(leaf).bytes().rev().collect()))
        })
    }

    fn folded(&self) -> &[String] {
        let texts = || self.texts().iter();
        self.orders().folded.get_or_init(|| sorted(texts().map(|leaf| fold(text(leaf)).collect())))
    }

    fn addresses(&self) -> &[IpAddr] {
        let texts = || self.texts().iter();
        self.orders()
            .addresses
            .get_or_init(|| sorted(texts().filter_map(|leaf| text(leaf).parse().ok())))
    }
}

fn text(leaf: &Leaf) -> &str {
    match leaf {
        Leaf::Text(text) => text,
        _ => "",
    }
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values
}
