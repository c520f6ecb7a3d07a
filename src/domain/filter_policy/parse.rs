//! Reads a policy as rules, and refuses what it cannot mean in the words of the engine that SNS uses
//! (github.com/aws/event-ruler).
//!
//! `wildcard`, and `anything-but` with anything nested in it but a prefix, are not served, because the documentation of
//! SNS does not have them. They are refused, so that no subscription lets through what AWS would hold back.

// Rule (Subscribe, SetSubscriptionAttributes): wildcard is refused, "Unrecognized match type wildcard", and so is
//   anything-but with suffix or wildcard, "Unsupported anything-but pattern: suffix".
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/string-value-matching.html has neither
// Test: tests/scenarios/filters.txt#Operators that the documentation of SNS does not have
// Rule (Subscribe, SetSubscriptionAttributes): a condition without a meaning is refused in the words of the matching
//   engine, with the place where its parser stands.
// Source: inferred, the engine is public and the recorded answers agree with it
// Test: src/domain/filter_policy/tests.rs::refusals_say_what_is_wrong_and_where
// Rule (Subscribe, SetSubscriptionAttributes): the refusal of null, true, false or a container in an anything-but list
//   gives its place twice.
// Source: inferred, the public engine catches its own refusal there and adds the place again
// Test: src/domain/filter_policy/tests.rs::refusals_say_what_is_wrong_and_where

use std::collections::HashSet;
use std::sync::Arc;

use super::Scope;
use super::conditions::{Condition, Exception, Leaf, Number, fold, read_network};
use super::document::{Fault, Json, Kind};
use super::numeric;
use crate::domain::limits::FILTER_POLICY_COMPLEXITY;

/// What a policy says, in the shape in which it says it.
#[derive(Debug)]
pub enum Rule {
    /// The conditions on a value, of which one must hold.
    Value(Conditions),
    /// What is said about a property. In the scope MessageBody its name is split at the dots.
    Property(Vec<Arc<str>>, Box<Rule>),
    /// All must hold.
    All(Vec<Rule>),
    /// One must hold: `$or`.
    Any(Vec<Rule>),
}

/// An array of conditions.
#[derive(Debug)]
pub struct Conditions {
    /// Conditions on a value that is there.
    pub present: Arc<[Condition]>,
    /// Whether `{"exists": false}` is among them.
    pub or_absent: bool,
    /// How many they are.
    pub count: usize,
}

/// How deeply a policy within its limits can be nested: a level of `$or` is an object in an array, and conditions are
/// two levels of their own.
pub const DEEPEST: usize = 2 * FILTER_POLICY_COMPLEXITY + 3;

/// Reads a policy, given as the text that AWS quotes and the values in it.
pub fn rule(text: &str, policy: &Json, scope: Scope) -> Result<Rule, Fault> {
    Parser { text, scope }.object(policy, 0)
}

// Rule (Subscribe, SetSubscriptionAttributes): a nested filter policy in the scope MessageAttributes is refused, without
//   the words "FilterPolicy: " that other refusals have.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-nested-in-attribute-scope, tests/scenarios/filters.txt#A nested policy needs the scope MessageBody
const NESTED: &str = "Filter policy scope MessageAttributes does not support nested filter policy";

struct Parser<'a> {
    text: &'a str,
    scope: Scope,
}

impl Parser<'_> {
    /// The rules of an object that this many names lead to.
    fn object(&self, json: &Json, depth: usize) -> Result<Rule, Fault> {
        let Kind::Object(members) = &json.kind else {
            return Err(Fault::at("Filter is not an object", json.met()));
        };
        if members.is_empty() {
            return Err(Fault::at("Empty objects are not allowed", json.end));
        }
        let rules = members.iter().map(|(name, value)| self.member(name, value, depth));
        Ok(Rule::All(rules.collect::<Result<_, _>>()?))
    }

    fn member(&self, name: &str, value: &Json, depth: usize) -> Result<Rule, Fault> {
        if let Some(branches) = alternatives(name, value) {
            let branches = branches.iter().map(|branch| self.object(branch, depth));
            return Ok(Rule::Any(branches.collect::<Result<_, _>>()?));
        }
        let path: Vec<Arc<str>> = match self.scope {
            Scope::MessageAttributes => vec![name.into()],
            Scope::MessageBody => name.split('.').map(Arc::from).collect(),
        };
        let depth = depth + path.len();
        if depth > FILTER_POLICY_COMPLEXITY {
            return Err(Fault::too_complex());
        }
        let rule = match &value.kind {
            Kind::Object(_) => self.object(value, depth)?,
            Kind::Array(conditions) => Rule::Value(self.conditions(value, conditions)?),
            _ => {
                let sentence = format!("\"{name}\" must be an object or an array");
                return Err(Fault::at(sentence, value.met()));
            }
        };
        if self.scope == Scope::MessageAttributes && matches!(rule, Rule::All(_)) {
            return Err(Fault::Scope(NESTED.to_owned()));
        }
        Ok(Rule::Property(path, Box::new(rule)))
    }

    fn conditions(&self, array: &Json, given: &[Json]) -> Result<Conditions, Fault> {
        if given.is_empty() {
            return Err(Fault::at("Empty arrays are not allowed", array.end));
        }
        let mut present = Vec::with_capacity(given.len());
        let mut or_absent = false;
        for json in given {
            match self.condition(json)? {
                Some(condition) => present.push(condition),
                None => or_absent = true,
            }
        }
        Ok(Conditions { present: present.into(), or_absent, count: given.len() })
    }

    /// A condition on a value, or none for `{"exists": false}`.
    fn condition(&self, json: &Json) -> Result<Option<Condition>, Fault> {
        let leaf = match &json.kind {
            Kind::String(text) => Leaf::Text(text.clone()),
            Kind::Number(number) => Leaf::Number(number.clone()),
            Kind::Boolean(value) => Leaf::Boolean(*value),
            Kind::Null => Leaf::Null,
            Kind::Object(_) => return self.expression(json),
            Kind::Array(_) => {
                return Err(Fault::at(
                    "Match value must be String, number, true, false, or null",
                    json.met(),
                ));
            }
        };
        Ok(Some(Condition::Equals(leaf)))
    }

    fn expression(&self, json: &Json) -> Result<Option<Condition>, Fault> {
        let (name, value, second) = members(json);
        let (Some(name), Some(value)) = (name, value) else {
            return Err(Fault::at("Match expression name not found", json.end));
        };
        let condition = match name {
            "prefix" => Some(Condition::Prefix(string(name, value)?.to_owned())),
            "suffix" => Some(Condition::Suffix(string(name, value)?.to_owned())),
            "equals-ignore-case" => {
                Some(Condition::EqualsIgnoreCase(fold(string(name, value)?).collect()))
            }
            "anything-but" => Some(Condition::AnythingBut(exception(value)?)),
            "numeric" => Some(numeric::range(value, self.text)?),
            // The name in this sentence is what the engine says.
            "cidr" => {
                let network = read_network(string("prefix", value)?).map_err(Fault::Whole)?;
                Some(Condition::Cidr(network))
            }
            "exists" => {
                let Kind::Boolean(exists) = value.kind else {
                    let sentence = "exists match pattern must be either true or false.";
                    return Err(Fault::at(sentence, value.met()));
                };
                exists.then_some(Condition::Exists)
            }
            other => {
                return Err(Fault::at(format!("Unrecognized match type {other}"), value.met()));
            }
        };
        // Behind these the engine expects the end of what it calls a numeric expression.
        let complaint = match name {
            "numeric" => numeric::TOO_MANY_ELEMENTS,
            "anything-but" if !matches!(value.kind, Kind::Object(_)) => numeric::TOO_MANY_ELEMENTS,
            _ => ONLY_KEY,
        };
        end_behind(second, complaint)?;
        Ok(condition)
    }
}

const ONLY_KEY: &str = "Only one key allowed in match expression";

/// The branches of an `$or`. As the page "AND/OR logic" has it, the name means that only with an
/// array of at least two objects, none of which has a key that is a match type.
fn alternatives<'a>(name: &str, value: &'a Json) -> Option<&'a [Json]> {
    let Kind::Array(branches) = &value.kind else { return None };
    let is_branch = |branch: &Json| match &branch.kind {
        Kind::Object(members) => members.keys().all(|key| !MATCH_TYPES.contains(&key.as_str())),
        _ => false,
    };
    (name == "$or" && branches.len() >= 2 && branches.iter().all(is_branch)).then_some(branches)
}

const MATCH_TYPES: [&str; 8] = [
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
];

/// The first member of an object, and the value of the second.
fn members(json: &Json) -> (Option<&str>, Option<&Json>, Option<&Json>) {
    let Kind::Object(members) = &json.kind else { return (None, None, None) };
    let first = members.get_index(0);
    let second = members.get_index(1).map(|(_, value)| value);
    (first.map(|(name, _)| name.as_str()), first.map(|(_, value)| value), second)
}

fn end_behind(second: Option<&Json>, complaint: &str) -> Result<(), Fault> {
    match second {
        Some(value) => Err(Fault::at(complaint, value.met())),
        None => Ok(()),
    }
}

fn string<'a>(name: &str, value: &'a Json) -> Result<&'a str, Fault> {
    match &value.kind {
        Kind::String(text) => Ok(text),
        _ => Err(Fault::at(format!("{name} match pattern must be a string"), value.met())),
    }
}

fn exception(value: &Json) -> Result<Exception, Fault> {
    match &value.kind {
        Kind::String(text) => Ok(Exception::Texts(HashSet::from([text.clone()]))),
        Kind::Number(number) if number.near().is_none() => Err(Fault::whole(numeric::TOO_FAR)),
        Kind::Number(number) => Ok(Exception::Numbers(HashSet::from([number.clone()]))),
        Kind::Array(values) => exceptions(value, values),
        Kind::Object(_) => nested_exception(value),
        Kind::Boolean(_) | Kind::Null => Err(Fault::at(
            "Value of anything-but must be an array or single string/number value.",
            value.met(),
        )),
    }
}

fn nested_exception(json: &Json) -> Result<Exception, Fault> {
    let (Some(name), Some(value), second) = members(json) else {
        return Err(Fault::at("Anything-But expression name not found", json.end));
    };
    if name != "prefix" {
        return Err(Fault::at(format!("Unsupported anything-but pattern: {name}"), value.met()));
    }
    let prefix = string(name, value)?.to_owned();
    if prefix.is_empty() {
        return Err(Fault::at("Null prefix not allowed", value.end));
    }
    end_behind(second, ONLY_KEY)?;
    Ok(Exception::Prefix(prefix))
}

fn exceptions(array: &Json, values: &[Json]) -> Result<Exception, Fault> {
    let mut texts = HashSet::new();
    let mut numbers: HashSet<Number> = HashSet::new();
    for value in values {
        match &value.kind {
            Kind::String(text) => drop(texts.insert(text.clone())),
            Kind::Number(number) => {
                numeric::near(number, value.met())?;
                numbers.insert(number.clone());
            }
            _ => {
                let sentence = "Inside anything but list, start|null|boolean is not supported.";
                return Err(Fault::Twice(sentence.to_owned(), value.met()));
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, true) => Ok(Exception::Texts(texts)),
        (true, false) => Ok(Exception::Numbers(numbers)),
        // An empty list is refused in the same words.
        _ => Err(Fault::at(
            "Inside anything but list, either all values are number or string, mixed type is not \
             supported",
            array.end,
        )),
    }
}
