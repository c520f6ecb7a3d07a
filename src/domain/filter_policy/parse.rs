//! Reads the JSON of a policy as rules.
//!
//! `wildcard`, and `anything-but` with anything nested in it but a prefix, are refused, because the documentation of SNS
//! does not have them, and a subscription must not let through what AWS would hold back.

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

use super::Scope;
use super::conditions::{Condition, Leaf, Number, lower_case, read_network};
use super::numeric;
use super::refusal::Fault;
use crate::domain::limits::FILTER_POLICY_COMPLEXITY;
use serde_json::Value;

/// What a policy says.
#[derive(Debug)]
pub enum Rule {
    /// One of the conditions on a value must hold.
    Value(Conditions),
    /// What is said about a property. In the scope MessageBody its name is split at the dots.
    Property(Vec<String>, Box<Rule>),
    /// All must hold.
    All(Vec<Rule>),
    /// One must hold: `$or`.
    Any(Vec<Rule>),
}

/// An array of conditions.
#[derive(Debug)]
pub struct Conditions {
    /// Conditions on a value that is there.
    pub present: Vec<Condition>,
    /// Whether `{"exists": false}` is among them.
    pub or_absent: bool,
    /// The length of the array.
    pub count: usize,
}

/// Reads a policy.
pub fn rule(policy: &Value, scope: Scope) -> Result<Rule, Fault<'_>> {
    object(policy, scope, 0)
}

/// Returns the rules of an object that this many names lead to.
fn object(json: &Value, scope: Scope, depth: usize) -> Result<Rule, Fault<'_>> {
    let Value::Object(members) = json else {
        return Err(Fault::at("Filter is not an object", json));
    };
    if members.is_empty() {
        return Err(Fault::behind("Empty objects are not allowed", json));
    }
    let rules = members.iter().map(|(name, value)| member(name, value, scope, depth));
    Ok(Rule::All(rules.collect::<Result<_, _>>()?))
}

// Rule (Subscribe, SetSubscriptionAttributes): a nested filter policy in the scope MessageAttributes is refused, without
//   the words "FilterPolicy: " that other refusals have.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-nested-in-attribute-scope, tests/scenarios/filters.txt#A nested policy needs the scope MessageBody
const NESTED: &str = "Filter policy scope MessageAttributes does not support nested filter policy";

fn member<'p>(name: &str, value: &'p Value, scope: Scope, depth: usize) -> Result<Rule, Fault<'p>> {
    if let Some(branches) = branches(name, value) {
        let branches = branches.iter().map(|branch| object(branch, scope, depth));
        return Ok(Rule::Any(branches.collect::<Result<_, _>>()?));
    }
    let path: Vec<String> = match scope {
        Scope::MessageAttributes => vec![name.to_owned()],
        Scope::MessageBody => name.split('.').map(str::to_owned).collect(),
    };
    let depth = depth + path.len();
    if depth > FILTER_POLICY_COMPLEXITY {
        return Err(Fault::too_complex());
    }
    let rule = match value {
        Value::Object(_) => object(value, scope, depth)?,
        Value::Array(given) => Rule::Value(conditions(value, given)?),
        _ => {
            return Err(Fault::at(format!("\"{name}\" must be an object or an array"), value));
        }
    };
    if scope == Scope::MessageAttributes && matches!(rule, Rule::All(_)) {
        return Err(Fault::Scope(NESTED));
    }
    Ok(Rule::Property(path, Box::new(rule)))
}

/// Returns the branches of an `$or`. As the page "AND/OR logic" has it, the name means that only with an array of at least
/// two objects, none of which has a key that is a match type.
fn branches<'p>(name: &str, value: &'p Value) -> Option<&'p [Value]> {
    let Value::Array(branches) = value else { return None };
    let is_branch = |branch: &Value| match branch {
        Value::Object(members) => members.keys().all(|key| !MATCH_TYPES.contains(&key.as_str())),
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

fn conditions<'p>(array: &'p Value, given: &'p [Value]) -> Result<Conditions, Fault<'p>> {
    if given.is_empty() {
        return Err(Fault::behind("Empty arrays are not allowed", array));
    }
    let mut conditions = Conditions { present: Vec::new(), or_absent: false, count: given.len() };
    for json in given {
        match condition(json)? {
            Some(condition) => conditions.present.push(condition),
            None => conditions.or_absent = true,
        }
    }
    Ok(conditions)
}

/// Returns a condition on a value, or none for `{"exists": false}`.
fn condition(json: &Value) -> Result<Option<Condition>, Fault<'_>> {
    match json {
        Value::Object(_) => expression(json),
        Value::Array(_) => {
            Err(Fault::at("Match value must be String, number, true, false, or null", json))
        }
        Value::Bool(value) => Ok(Some(Condition::Equals(Leaf::Boolean(*value)))),
        scalar => Ok(Some(Condition::Equals(text_or_number(scalar).unwrap_or(Leaf::Null)))),
    }
}

fn text_or_number(json: &Value) -> Option<Leaf> {
    match json {
        Value::String(text) => Some(Leaf::Text(text.clone())),
        Value::Number(number) => Some(Leaf::Number(number.clone().into())),
        _ => None,
    }
}

fn expression(json: &Value) -> Result<Option<Condition>, Fault<'_>> {
    let Some((name, value)) = first_member(json) else {
        return Err(Fault::behind("Match expression name not found", json));
    };
    let condition = match name {
        "prefix" => Condition::Prefix(string(name, value)?.to_owned()),
        "suffix" => Condition::Suffix(string(name, value)?.to_owned()),
        "equals-ignore-case" => {
            Condition::EqualsIgnoreCase(lower_case(string(name, value)?).collect())
        }
        "anything-but" => anything_but(value)?,
        "numeric" => numeric::range(value)?,
        // The engine says "prefix" in this sentence.
        "cidr" => Condition::Cidr(read_network(string("prefix", value)?).map_err(Fault::Whole)?),
        "exists" if matches!(value, Value::Bool(_)) => Condition::Exists,
        "exists" => {
            return Err(Fault::at("exists match pattern must be either true or false.", value));
        }
        other => return Err(Fault::at(format!("Unrecognized match type {other}"), value)),
    };
    // Behind these the engine expects the end of what it calls a numeric expression.
    let ends_as_numeric =
        name == "numeric" || name == "anything-but" && !matches!(value, Value::Object(_));
    only_member(json, if ends_as_numeric { numeric::TOO_MANY_ELEMENTS } else { ONLY_KEY })?;
    let is_absence = name == "exists" && *value == Value::Bool(false);
    Ok((!is_absence).then_some(condition))
}

const ONLY_KEY: &str = "Only one key allowed in match expression";

fn first_member(json: &Value) -> Option<(&str, &Value)> {
    let Value::Object(members) = json else { return None };
    members.iter().next().map(|(name, value)| (name.as_str(), value))
}

/// Refuses the second member of an object.
fn only_member<'p>(json: &'p Value, complaint: &str) -> Result<(), Fault<'p>> {
    let Value::Object(members) = json else { return Ok(()) };
    members.iter().nth(1).map_or(Ok(()), |(_, second)| Err(Fault::at(complaint, second)))
}

fn string<'p>(name: &str, value: &'p Value) -> Result<&'p str, Fault<'p>> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Fault::at(format!("{name} match pattern must be a string"), value)),
    }
}

fn anything_but(value: &Value) -> Result<Condition, Fault<'_>> {
    match value {
        Value::Array(values) => anything_but_these(value, values),
        Value::Object(_) => anything_but_prefix(value),
        scalar => match text_or_number(scalar) {
            Some(Leaf::Number(Number::Far(_))) => Err(Fault::Whole(numeric::TOO_FAR.to_owned())),
            Some(leaf) => Ok(Condition::AnythingBut(vec![leaf])),
            None => Err(Fault::at(
                "Value of anything-but must be an array or single string/number value.",
                value,
            )),
        },
    }
}

fn anything_but_prefix(json: &Value) -> Result<Condition, Fault<'_>> {
    let Some((name, value)) = first_member(json) else {
        return Err(Fault::behind("Anything-But expression name not found", json));
    };
    if name != "prefix" {
        return Err(Fault::at(format!("Unsupported anything-but pattern: {name}"), value));
    }
    let prefix = string(name, value)?.to_owned();
    if prefix.is_empty() {
        return Err(Fault::behind("Null prefix not allowed", value));
    }
    only_member(json, ONLY_KEY)?;
    Ok(Condition::AnythingButPrefix(prefix))
}

fn anything_but_these<'p>(array: &'p Value, values: &'p [Value]) -> Result<Condition, Fault<'p>> {
    let mut excluded = Vec::with_capacity(values.len());
    for value in values {
        match text_or_number(value) {
            Some(Leaf::Number(Number::Far(_))) => return Err(Fault::at(numeric::TOO_FAR, value)),
            Some(leaf) => excluded.push(leaf),
            None => {
                let sentence = "Inside anything but list, start|null|boolean is not supported.";
                return Err(Fault::Twice(sentence, value));
            }
        }
    }
    let texts = excluded.iter().filter(|leaf| matches!(leaf, Leaf::Text(_))).count();
    // An empty list is refused in the same words.
    if excluded.is_empty() || (texts != 0 && texts != excluded.len()) {
        return Err(Fault::behind(
            "Inside anything but list, either all values are number or string, mixed type is not \
             supported",
            array,
        ));
    }
    excluded.sort_unstable();
    Ok(Condition::AnythingBut(excluded))
}
