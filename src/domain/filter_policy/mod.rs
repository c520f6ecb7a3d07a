//! Subscription filter policies: which policies may be set, and which messages pass them.
//!
//! A policy is compiled once ([`FilterPolicy::parse`]) into a tree of conditions by path. A message ([`Candidate`]) is
//! parsed once, however many policies it is compared with. Evaluating a policy walks both trees together, and compares each
//! value of the message with the conditions on its path.
//!
//! AWS pages: "Amazon SNS subscription filter policies" and the pages below it. Where the pages leave room, a policy means
//! what it means to the engine that SNS shares with EventBridge.

// Rule (Publish, PublishBatch): in the scope MessageBody dots and nesting of names are the same.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-filter-body-dotted-key
// Rule (Publish, PublishBatch): a message without any attribute, or without any property in its body, passes no filter
//   policy.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
// Test: tests/scenarios/filters.txt#A change holds for the next message

mod compile;
mod conditions;
mod message;
mod numeric;
mod parse;
mod pattern;
mod refusal;
#[cfg(test)]
mod tests;

use super::json_text;
use super::limits::FILTER_POLICY_BYTES;
pub use message::Candidate;
use pattern::Pattern;
use serde_json::Value;

/// FilterPolicyScope: what of a message a policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Scope {
    #[default]
    MessageAttributes,
    MessageBody,
}

/// Comparisons with a value that take about as long as finding it among equalities.
const COMPARISONS_PER_COST: usize = 16;

/// A compiled filter policy.
#[derive(Debug, Clone)]
pub struct FilterPolicy {
    scope: Scope,
    pattern: Pattern,
}

impl FilterPolicy {
    /// Compiles a policy. Returns none for the empty object, which removes the policy. The error is what AWS puts after
    /// "Invalid parameter: ".
    ///
    /// Refused are at least: a text that is not a JSON object of conditions, more than 5 keys, a complexity above 150,
    /// more than 256 KB, and nesting in the scope MessageAttributes.
    pub fn parse(text: &str, scope: Scope) -> Result<Option<Self>, String> {
        if text.len() > FILTER_POLICY_BYTES {
            return Err("FilterPolicy: Filter policy is too large".to_owned());
        }
        let policy = json_text::parse(text).map_err(|fault| format!("FilterPolicy: {fault}"))?;
        if matches!(&policy, Value::Object(members) if members.is_empty()) {
            return Ok(None);
        }
        match parse::rule(&policy, scope).and_then(compile::pattern) {
            Ok(pattern) => Ok(Some(Self { scope, pattern })),
            Err(fault) => Err(fault.sentence(&policy)),
        }
    }

    /// Returns whether the message may be delivered, by the policy's own scope.
    // A message without any property is not, not even by `{"exists": false}` (page "Key matching").
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let message = match self.scope {
            Scope::MessageAttributes => Some(candidate.attributes()),
            Scope::MessageBody => candidate.body(),
        };
        message.is_some_and(|it| !it.properties.is_empty() && self.pattern.matches(it))
    }

    /// Returns what an evaluation costs for each value of a long message, where 1 is a policy of equalities.
    pub fn cost(&self) -> usize {
        1 + self.pattern.comparisons() / COMPARISONS_PER_COST
    }

    /// Returns what of a message the policy is compared with.
    pub fn scope(&self) -> Scope {
        self.scope
    }
}
