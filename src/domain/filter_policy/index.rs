//! Conditions in an order in which a value finds those that it meets.
//!
//! A body may hold a hundred thousand objects, and a policy 150 conditions on a value in each of
//! them. So the conditions are sorted when the policy is compiled, and a value takes some searches,
//! however many conditions there are.

use std::net::IpAddr;
use std::ops::{Bound, Range};
use std::sync::Arc;

use super::conditions::{Condition, Exception, Leaf, fold};
use super::ways::Ways;

/// Lists of conditions, each with the ways that ask for one of it. No way asks for two lists.
#[derive(Debug, Clone, Default)]
pub struct Index {
    equal: Table<Leaf>,
    folded: Table<String>,
    prefixes: Affixes,
    /// Backwards.
    suffixes: Affixes,
    numbers: Ranges<i64>,
    addresses: Ranges<IpAddr>,
    exists: Ways,
    /// Those that take anything but what is below.
    but: Ways,
    but_equal: Table<Leaf>,
    but_prefixes: Affixes,
}

impl Index {
    pub fn new(lists: &[(Arc<[Condition]>, Ways)]) -> Self {
        let mut index = Self::default();
        let (mut numbers, mut addresses) = (Vec::new(), Vec::new());
        for (list, ways) in lists {
            for condition in list.iter() {
                match condition {
                    Condition::Equals(leaf) => index.equal.add(leaf.clone(), *ways),
                    Condition::Prefix(text) => index.prefixes.add(text.bytes(), *ways),
                    Condition::Suffix(text) => index.suffixes.add(text.bytes().rev(), *ways),
                    Condition::EqualsIgnoreCase(text) => index.folded.add(text.clone(), *ways),
                    Condition::Numeric(from, to) => numbers.push((range(*from, *to), *ways)),
                    Condition::Cidr(network) => {
                        let (from, to) = (network.network(), network.broadcast());
                        addresses.push((Edge::at(from)..Edge::after(to), *ways));
                    }
                    Condition::Exists => index.exists |= *ways,
                    Condition::AnythingBut(_) => index.but |= *ways,
                }
            }
            match common_exception(list) {
                Some(Exception::Texts(texts)) => {
                    for text in texts {
                        index.but_equal.add(Leaf::Text(text), *ways);
                    }
                }
                Some(Exception::Numbers(numbers)) => {
                    for number in numbers {
                        index.but_equal.add(Leaf::Number(number), *ways);
                    }
                }
                Some(Exception::Prefix(text)) => index.but_prefixes.add(text.bytes(), *ways),
                None => {}
            }
        }
        index.equal.settle();
        index.folded.settle();
        index.prefixes.settle();
        index.suffixes.settle();
        index.numbers = Ranges::new(&numbers);
        index.addresses = Ranges::new(&addresses);
        index.but_equal.settle();
        index.but_prefixes.settle();
        index
    }

    /// The ways of whose list the value meets a condition.
    pub fn met_by(&self, leaf: &Leaf) -> Ways {
        if *leaf == Leaf::Unreadable {
            return Ways::NONE;
        }
        let mut met = self.equal.find(|known| known.cmp(leaf));
        if !self.but.is_empty() {
            met |= self.but - self.excluded(leaf);
        }
        if leaf.exists() {
            met |= self.exists;
        }
        match leaf {
            Leaf::Text(text) => met | self.met_by_text(text),
            Leaf::Number(number) => {
                met | number.near().map_or(Ways::NONE, |near| self.numbers.around(near))
            }
            Leaf::Boolean(_) | Leaf::Null | Leaf::Unreadable => met,
        }
    }

    /// The ways that take anything but this value, or values like it.
    fn excluded(&self, leaf: &Leaf) -> Ways {
        let excluded = self.but_equal.find(|known| known.cmp(leaf));
        match leaf {
            Leaf::Text(text) => excluded | self.but_prefixes.beginning(text.bytes()),
            _ => excluded,
        }
    }

    fn met_by_text(&self, text: &str) -> Ways {
        let mut met = self.prefixes.beginning(text.bytes());
        met |= self.suffixes.beginning(text.bytes().rev());
        met |= self.folded.find(|known| known.chars().cmp(fold(text)));
        if !self.addresses.is_empty()
            && let Ok(address) = text.parse()
        {
            met |= self.addresses.around(address);
        }
        met
    }
}

/// What all `anything-but` of a list exclude: whatever one of them takes, the list takes.
fn common_exception(list: &[Condition]) -> Option<Exception> {
    let mut exceptions = list.iter().filter_map(|condition| match condition {
        Condition::AnythingBut(exception) => Some(exception),
        _ => None,
    });
    let first = exceptions.next()?.clone();
    exceptions.try_fold(first, Exception::and)
}

/// Keys, each with its ways.
#[derive(Debug, Clone)]
struct Table<K>(Vec<(K, Ways)>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord> Table<K> {
    fn add(&mut self, key: K, ways: Ways) {
        self.0.push((key, ways));
    }

    /// Puts the keys in order, each once.
    fn settle(&mut self) {
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.0.dedup_by(|(later, more), (key, ways)| {
            let is_same = later == key;
            if is_same {
                *ways |= *more;
            }
            is_same
        });
    }

    fn find(&self, compare: impl Fn(&K) -> std::cmp::Ordering) -> Ways {
        let found = self.0.binary_search_by(|(key, _)| compare(key)).ok();
        found.and_then(|at| self.0.get(at)).map_or(Ways::NONE, |(_, ways)| *ways)
    }
}

/// Beginnings of texts, in their order.
#[derive(Debug, Clone, Default)]
struct Affixes {
    known: Table<Vec<u8>>,
    /// Of each: the longest other one that it begins with.
    within: Vec<Option<usize>>,
}

impl Affixes {
    fn add(&mut self, bytes: impl Iterator<Item = u8>, ways: Ways) {
        self.known.add(bytes.collect(), ways);
    }

    /// Puts them in order, and gives each the ways of those that it begins with.
    fn settle(&mut self) {
        self.known.settle();
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.known.0.len() {
            let (before, rest) = self.known.0.split_at_mut(at);
            let (bytes, ways) = &mut rest[0];
            while open.last().is_some_and(|last| !bytes.starts_with(&before[*last].0)) {
                open.pop();
            }
            let within = open.last().copied();
            if let Some(within) = within {
                *ways |= before[within].1;
            }
            self.within.push(within);
            open.push(at);
        }
    }

    /// The ways of all with which the text begins. The last one that is not behind the text begins
    /// with every such one.
    fn beginning(&self, text: impl Iterator<Item = u8> + Clone) -> Ways {
        let known = &self.known.0;
        let after = known.partition_point(|(bytes, _)| bytes.iter().copied().le(text.clone()));
        let mut at = after.checked_sub(1);
        let shared = at.map_or(0, |at| {
            known[at].0.iter().copied().zip(text).take_while(|(one, other)| one == other).count()
        });
        while let Some((bytes, ways)) = at.and_then(|at| known.get(at)) {
            if bytes.len() <= shared {
                return *ways;
            }
            at = at.and_then(|at| self.within[at]);
        }
        Ways::NONE
    }
}

/// A place between values, or at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge<K> {
    value: K,
    is_after: bool,
}

impl<K> Edge<K> {
    fn at(value: K) -> Self {
        Self { value, is_after: false }
    }

    fn after(value: K) -> Self {
        Self { value, is_after: true }
    }
}

fn range(from: Bound<i64>, to: Bound<i64>) -> Range<Edge<i64>> {
    let from = match from {
        Bound::Unbounded => Edge::at(i64::MIN),
        Bound::Included(least) => Edge::at(least),
        Bound::Excluded(below) => Edge::after(below),
    };
    let to = match to {
        Bound::Unbounded => Edge::after(i64::MAX),
        Bound::Included(greatest) => Edge::after(greatest),
        Bound::Excluded(above) => Edge::at(above),
    };
    from..to
}

/// Ranges, cut where one of them begins or ends: from each edge on the ways are the same, up to the
/// next.
#[derive(Debug, Clone)]
struct Ranges<K>(Vec<(Edge<K>, Ways)>);

impl<K> Default for Ranges<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy> Ranges<K> {
    fn new(ranges: &[(Range<Edge<K>>, Ways)]) -> Self {
        let mut edges: Vec<_> =
            ranges.iter().flat_map(|(range, _)| [range.start, range.end]).collect();
        edges.sort_unstable();
        edges.dedup();
        let around = |edge: Edge<K>| {
            let these = ranges.iter().filter(|(range, _)| range.contains(&edge));
            these.fold(Ways::NONE, |all, (_, ways)| all | *ways)
        };
        Self(edges.into_iter().map(|edge| (edge, around(edge))).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ways of all ranges in which the value is.
    fn around(&self, value: K) -> Ways {
        let after = self.0.partition_point(|(edge, _)| *edge <= Edge::at(value));
        after.checked_sub(1).and_then(|at| self.0.get(at)).map_or(Ways::NONE, |(_, ways)| *ways)
    }
}
