//! A message as filter policies see it.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::conditions::{Leaf, Number};
use crate::domain::json_text::escaped;
use crate::domain::limits::FILTER_POLICY_COMPLEXITY;
use crate::domain::message_attributes::{AttributeValue, MessageAttribute, MessageAttributes};

/// A message that filter policies are evaluated against. Its body and its attributes are each parsed once, when the first
/// policy of that scope is evaluated.
#[derive(Debug)]
pub struct Candidate<'a> {
    body: &'a str,
    attributes: &'a MessageAttributes,
    parsed_body: OnceCell<Option<Node>>,
    parsed_attributes: OnceCell<Node>,
}

impl<'a> Candidate<'a> {
    /// Returns the message with this body and these attributes.
    pub fn new(body: &'a str, attributes: &'a MessageAttributes) -> Self {
        Self { body, attributes, parsed_body: OnceCell::new(), parsed_attributes: OnceCell::new() }
    }

    pub(super) fn body(&self) -> Option<&Node> {
        self.parsed_body.get_or_init(|| Node::of_body(self.body)).as_ref()
    }

    pub(super) fn attributes(&self) -> &Node {
        self.parsed_attributes.get_or_init(|| Node::of_attributes(self.attributes))
    }
}

/// The value of a property.
#[derive(Debug, Default)]
pub struct Node {
    /// The value, or the values of an array.
    pub leaves: Vec<Leaf>,
    /// The properties of an object, in the order of their names. Names are split at their dots, so `{"a.b": 1}` becomes the
    /// tree of `{"a": {"b": 1}}`. Names of message attributes are not split.
    pub properties: Vec<(String, Node)>,
    /// The objects of an array. Conditions on several of their properties must be met by one of them.
    pub elements: Vec<Node>,
}

/// No policy reaches below this many names, so nothing is kept there. Names of dots could nest without limit.
const MAX_DEPTH: usize = FILTER_POLICY_COMPLEXITY;

impl Node {
    /// Returns the tree of a body, if that is a JSON object.
    fn of_body(body: &str) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_str(body) else { return None };
        let mut node = Self::default();
        node.add_members(members, 0);
        node.join_properties();
        Some(node)
    }

    /// Returns the value of a property.
    pub fn property(&self, name: &str) -> Option<&Self> {
        let at = self.properties.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        self.properties.get(at).map(|(_, value)| value)
    }

    /// Puts properties in order and joins those that a body spells in several ways, with and without dots.
    fn join_properties(&mut self) {
        self.properties.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.properties.dedup_by(|(later, value), (name, joined)| {
            let is_same = later == name;
            if is_same {
                joined.leaves.append(&mut value.leaves);
                joined.properties.append(&mut value.properties);
                joined.elements.append(&mut value.elements);
            }
            is_same
        });
        for (_, value) in &mut self.properties {
            value.join_properties();
        }
        self.elements.iter_mut().for_each(Self::join_properties);
    }

    /// Returns the tree of attributes, without those of type Binary.
    fn of_attributes(attributes: &MessageAttributes) -> Self {
        // Attributes are in the order of their names.
        let texts = attributes.iter().filter_map(|(name, attribute)| match &attribute.value {
            AttributeValue::Text(text) => Some((name.clone(), Self::of_attribute(attribute, text))),
            AttributeValue::Binary(_) => None,
        });
        Self { properties: texts.collect(), ..Self::default() }
    }

    // Rule (Publish, PublishBatch): a String or String.Array attribute is compared as JSON writes it, so that a filter
    //   policy matches a quote, a backslash or a control character only where it escapes it twice. Bodies are not concerned.
    // Source: documented, https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
    // Test: tests/scenarios/filters.txt#Quotes and backslashes of attributes are escaped twice
    fn of_attribute(attribute: &MessageAttribute, text: &str) -> Self {
        let (base, suffix) =
            attribute.data_type.split_once('.').unwrap_or((&attribute.data_type, ""));
        let mut node = Self::default();
        match (base, suffix) {
            (_, "Array") => match serde_json::from_str(text) {
                Ok(array @ Value::Array(_)) => node.add(array, 1),
                _ => node.leaves.push(Leaf::Unreadable),
            },
            ("Number", _) => {
                node.leaves.push(Number::read(text).map_or(Leaf::Unreadable, Leaf::Number));
            }
            _ => node.leaves.push(Leaf::Text(text.to_owned())),
        }
        for leaf in &mut node.leaves {
            if let Leaf::Text(text) = leaf {
                *text = escaped(text).into_owned();
            }
        }
        node
    }

    /// Adds the members of an object that this many names lead to.
    fn add_members(&mut self, members: Map<String, Value>, depth: usize) {
        for (name, value) in members {
            let depth = depth + 1 + name.matches('.').count();
            if depth > MAX_DEPTH {
                continue;
            }
            let mut node = Self::default();
            node.add(value, depth);
            let (first, rest) = name.split_once('.').map_or((&*name, None), |(a, b)| (a, Some(b)));
            for part in rest.into_iter().flat_map(|rest| rest.rsplit('.')) {
                node = Self { properties: vec![(part.to_owned(), node)], ..Self::default() };
            }
            self.properties.push((first.to_owned(), node));
        }
    }

    fn add(&mut self, value: Value, depth: usize) {
        let leaf = match value {
            Value::Object(members) => return self.add_members(members, depth),
            Value::Array(elements) => {
                for element in elements {
                    if let Value::Object(members) = element {
                        let mut node = Self::default();
                        node.add_members(members, depth);
                        self.elements.push(node);
                    } else {
                        self.add(element, depth);
                    }
                }
                return;
            }
            Value::Null => Leaf::Null,
            Value::Bool(value) => Leaf::Boolean(value),
            Value::Number(number) => Leaf::Number(number.into()),
            Value::String(text) => Leaf::Text(text),
        };
        self.leaves.push(leaf);
    }
}
