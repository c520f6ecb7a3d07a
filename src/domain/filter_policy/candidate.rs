//! A message as policies see it.
//!
//! In the scope MessageBody dots and nesting are the same thing, so names are split at their dots
//! and `{"a.b": 1}` becomes the tree of `{"a": {"b": 1}}`. Names of message attributes stay whole.

use std::cell::OnceCell;
use std::{fmt, mem};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::conditions::{Leaf, Number};
use super::values::Values;
use crate::domain::json_text::escaped;
use crate::domain::limits::FILTER_POLICY_COMPLEXITY;
use crate::domain::message_attributes::{AttributeValue, MessageAttribute, MessageAttributes};

/// A message that is to be delivered where filter policies let it. It is taken apart when the
/// first policy of a scope asks, and never twice.
#[derive(Debug)]
pub struct Candidate<'a> {
    body: &'a str,
    attributes: &'a MessageAttributes,
    body_tree: OnceCell<Option<Node>>,
    attributes_tree: OnceCell<Node>,
}

impl<'a> Candidate<'a> {
    /// The message with this body and these attributes.
    pub fn new(body: &'a str, attributes: &'a MessageAttributes) -> Self {
        Self { body, attributes, body_tree: OnceCell::new(), attributes_tree: OnceCell::new() }
    }

    pub(super) fn body(&self) -> Option<&Node> {
        self.body_tree.get_or_init(|| Node::of_body(self.body)).as_ref()
    }

    pub(super) fn attributes(&self) -> &Node {
        self.attributes_tree.get_or_init(|| Node::of_attributes(self.attributes))
    }
}

/// What a message has under a name: values, properties, or both where a body spells the name in
/// both ways.
#[derive(Debug, Default)]
pub struct Node {
    /// The value; the values, if it is an array.
    pub leaves: Values,
    /// Properties of an object, each name once, in byte order.
    children: Vec<(String, Node)>,
    /// Objects in an array. They stay apart, because conditions on several of their properties
    /// ask for one object that meets them all.
    pub elements: Vec<Node>,
}

/// No policy reaches below this many names, so nothing is kept there.
const DEEPEST: usize = FILTER_POLICY_COMPLEXITY;

impl Node {
    /// The tree of a body, if that is a JSON object.
    pub fn of_body(body: &str) -> Option<Self> {
        let mut node = Self::default();
        let reading = Reading { node: &mut node, depth: 0, expected: Expected::Object };
        reading.read(body)?;
        node.settle();
        Some(node)
    }

    /// The tree of attributes. Those of type Binary are not seen.
    pub fn of_attributes(attributes: &MessageAttributes) -> Self {
        let mut node = Self::default();
        for (name, attribute) in attributes {
            if let AttributeValue::Text(text) = &attribute.value {
                let mut value = Self::default();
                value.add_attribute(attribute, text);
                node.children.push((name.clone(), value));
            }
        }
        node.settle();
        node
    }

    /// What the message has below this name, in the byte order of names.
    pub fn children(&self) -> &[(String, Self)] {
        &self.children
    }

    /// What the message has under a name below this one.
    pub fn child(&self, name: &str) -> Option<&Self> {
        let found = self.children.binary_search_by(|(known, _)| known.as_str().cmp(name));
        found.ok().and_then(|index| self.children.get(index)).map(|(_, child)| child)
    }

    /// Whether there is nothing that a policy could name.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    // Rule (Publish, PublishBatch): a String or String.Array attribute is compared as JSON writes it, so that a filter
    //   policy matches a quote, a backslash or a control character only where it escapes it twice. Bodies are not concerned.
    // Source: documented, https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
    // Test: tests/scenarios/filters.txt#Quotes and backslashes of attributes are escaped twice
    fn add_attribute(&mut self, attribute: &MessageAttribute, text: &str) {
        let (base, suffix) =
            attribute.data_type.split_once('.').unwrap_or((&attribute.data_type, ""));
        if suffix == "Array" {
            let reading = Reading { node: &mut *self, depth: 1, expected: Expected::Array };
            if reading.read(text).is_none() {
                *self = Self::default();
                self.leaves.push(Leaf::Unreadable);
            }
            self.leaves.escape_texts();
        } else if base == "Number" {
            self.leaves.push(Number::read(text).map_or(Leaf::Unreadable, Leaf::Number));
        } else {
            self.leaves.push(Leaf::Text(escaped(text).into_owned()));
        }
    }

    /// Adds a property of an object as it is written, dots included.
    fn add_property(&mut self, name: String, value: Self) {
        // Objects of one property are what there can be most of.
        if self.children.is_empty() {
            self.children.reserve_exact(1);
        }
        self.children.push((name, value));
    }

    /// Takes names apart, when all properties of an object are there. Of repeated names the last one
    /// counts.
    fn split_names(&mut self) {
        if self.children.len() > 1 {
            self.children.sort_by(|(one, _), (other, _)| one.cmp(other));
            self.children.dedup_by(|later, kept| {
                let is_repeated = later.0 == kept.0;
                if is_repeated {
                    mem::swap(later, kept);
                }
                is_repeated
            });
        }
        for (name, node) in &mut self.children {
            if let Some((first, rest)) = name.split_once('.') {
                *node = rest.rsplit('.').fold(mem::take(node), |node, part| Self {
                    children: vec![(part.to_owned(), node)],
                    ..Self::default()
                });
                *name = first.to_owned();
            }
        }
    }

    /// Puts values and properties in order and joins those of one name.
    fn settle(&mut self) {
        self.leaves.settle();
        self.children.sort_by(|(one, _), (other, _)| one.cmp(other));
        if self.children.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            let mut joined: Vec<(String, Self)> = Vec::new();
            for (name, mut node) in mem::take(&mut self.children) {
                match joined.last_mut().filter(|(last, _)| *last == name) {
                    None => joined.push((name, node)),
                    Some((_, known)) => {
                        known.leaves.append(&mut node.leaves);
                        known.children.append(&mut node.children);
                        known.elements.append(&mut node.elements);
                    }
                }
            }
            self.children = joined;
        }
        self.children.iter_mut().for_each(|(_, child)| child.settle());
        self.elements.iter_mut().for_each(Self::settle);
    }
}

/// JSON that is read into a node, without a tree of its own in between: that would take longer than
/// all else.
struct Reading<'n> {
    node: &'n mut Node,
    /// Names above.
    depth: usize,
    expected: Expected,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Object,
    Array,
    Value,
    /// An element of an array: if it is an object it stays apart.
    Element,
}

impl Reading<'_> {
    /// Reads a whole text, if it is what is expected.
    fn read(self, text: &str) -> Option<()> {
        let mut reader = serde_json::Deserializer::from_str(text);
        self.deserialize(&mut reader).ok()?;
        reader.end().ok()
    }

    fn push<E: Error>(self, leaf: Leaf) -> Result<(), E> {
        match self.expected {
            Expected::Value | Expected::Element => {
                self.node.leaves.push(leaf);
                Ok(())
            }
            Expected::Object | Expected::Array => Err(E::custom("a single value")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.push(Leaf::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.push(Leaf::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.push(Leaf::Number(serde_json::Number::from(value).into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.push(Leaf::Number(serde_json::Number::from(value).into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let number = serde_json::Number::from_f64(value);
        self.push(number.map_or(Leaf::Null, |number| Leaf::Number(number.into())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.push(Leaf::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { node, depth, expected } = self;
        if expected == Expected::Object {
            return Err(A::Error::custom("an array"));
        }
        while elements
            .next_element_seed(Reading { node: &mut *node, depth, expected: Expected::Element })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<(), A::Error> {
        let mut apart = Node::default();
        let node = match self.expected {
            Expected::Array => return Err(A::Error::custom("an object")),
            Expected::Element => &mut apart,
            Expected::Object | Expected::Value => &mut *self.node,
        };
        while let Some(name) = properties.next_key::<String>()? {
            let depth = self.depth + 1 + name.matches('.').count();
            let mut value = Node::default();
            let below = Reading { node: &mut value, depth, expected: Expected::Value };
            properties.next_value_seed(below)?;
            if depth <= DEEPEST {
                node.add_property(name, value);
            }
        }
        node.split_names();
        if self.expected == Expected::Element {
            self.node.elements.push(apart);
        }
        Ok(())
    }
}
