//! A message as policies see it.
//!
//! In the scope MessageBody dots and nesting are the same thing, so names are split at their dots
//! and `{"a.b": 1}` becomes the tree of `{"a": {"b": 1}}`. Names of message attributes stay whole.

use std::cell::OnceCell;
use std::mem;

use serde_json::{Map, Value};

use super::conditions::{Leaf, Number};
use super::values::Values;
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
        let properties: Map<String, Value> = serde_json::from_str(body).ok()?;
        let mut node = Self::default();
        node.add_properties(properties, 0);
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

    fn add_attribute(&mut self, attribute: &MessageAttribute, text: &str) {
        let (base, suffix) =
            attribute.data_type.split_once('.').unwrap_or((&attribute.data_type, ""));
        if suffix == "Array" {
            match serde_json::from_str(text) {
                Ok(Value::Array(elements)) => self.add(Value::Array(elements), 1),
                _ => self.leaves.push(Leaf::Unreadable),
            }
        } else if base == "Number" {
            self.leaves.push(Number::read(text).map_or(Leaf::Unreadable, Leaf::Number));
        } else {
            self.leaves.push(Leaf::Text(text.to_owned()));
        }
    }

    fn add(&mut self, value: Value, depth: usize) {
        match value {
            Value::Null => self.leaves.push(Leaf::Null),
            Value::Bool(value) => self.leaves.push(Leaf::Boolean(value)),
            Value::Number(number) => self.leaves.push(Leaf::Number(number.into())),
            Value::String(text) => self.leaves.push(Leaf::Text(text)),
            Value::Array(elements) => {
                for element in elements {
                    match element {
                        Value::Object(properties) => {
                            let mut node = Self::default();
                            node.add_properties(properties, depth);
                            self.elements.push(node);
                        }
                        other => self.add(other, depth),
                    }
                }
            }
            Value::Object(properties) => self.add_properties(properties, depth),
        }
    }

    fn add_properties(&mut self, properties: Map<String, Value>, depth: usize) {
        self.children.reserve_exact(properties.len());
        for (name, value) in properties {
            let depth = depth + name.split('.').count();
            if depth > DEEPEST {
                continue;
            }
            let mut node = Self::default();
            node.add(value, depth);
            self.children.push(match name.split_once('.') {
                None => (name, node),
                Some((first, rest)) => {
                    let below = rest.rsplit('.').fold(node, |node, part| Self {
                        children: vec![(part.to_owned(), node)],
                        ..Self::default()
                    });
                    (first.to_owned(), below)
                }
            });
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
