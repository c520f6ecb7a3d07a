//! Subscription filter policies: which policies may be set, and which messages pass them.
//!
//! A policy is compiled once ([`FilterPolicy::parse`]) and then only evaluated. A [`Candidate`] is a message that is about
//! to be delivered; it is taken apart at most once in each scope, however many policies look at it, and an evaluation
//! allocates nothing.
//!
//! An evaluation is one walk over the part of the message that the policy names, in which a value costs some searches
//! among the conditions on it, or a condition some searches among the values. Neither a policy nor a message is nested so
//! deeply that it could exhaust the stack.
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

mod candidate;
mod compile;
mod conditions;
mod document;
mod index;
mod matching;
#[cfg(test)]
mod naive;
mod numeric;
mod parse;
#[cfg(test)]
mod tests;
mod values;
mod ways;

use super::json_text;
use super::limits::FILTER_POLICY_BYTES;
use super::message_attributes::MessageAttributes;
pub use candidate::Candidate;
use candidate::Node;
use document::Fault;
use matching::Asked;
use ways::Ways;

/// FilterPolicyScope: what of a message a policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Scope {
    #[default]
    MessageAttributes,
    MessageBody,
}

/// A compiled filter policy.
#[derive(Debug, Clone)]
pub struct FilterPolicy {
    scope: Scope,
    ways: Ways,
    asked: Asked,
}

impl FilterPolicy {
    /// Compiles a policy that is to be set; none for the empty object, which asks for nothing and removes the policy.
    /// The error is what AWS puts after "Invalid parameter: ".
    ///
    /// Refused are at least: a text that is not a JSON object of conditions, more than 5 keys, a complexity above 150,
    /// more than 256 KB, and nesting in the scope MessageAttributes.
    pub fn parse(text: &str, scope: Scope) -> Result<Option<Self>, String> {
        let refuse = |reason: String| format!("FilterPolicy: {reason}");
        if text.len() > FILTER_POLICY_BYTES {
            return Err(refuse("Filter policy is too large".to_owned()));
        }
        let policy = json_text::parse(text).map_err(|malformed| refuse(malformed.to_string()))?;
        if matches!(&policy, json_text::Json::Object(members) if members.is_empty()) {
            return Ok(None);
        }
        let compiled =
            document::written(&policy, parse::DEEPEST).map_err(|fault| (fault, String::new()));
        let compiled = compiled.and_then(|(text, document)| {
            let rule = parse::rule(&text, &document, scope);
            rule.and_then(|rule| compile::ways(&rule)).map_err(|fault| (fault, text))
        });
        match compiled {
            Ok((ways, asked)) => Ok(Some(Self { scope, ways, asked })),
            Err((Fault::Scope(sentence), _)) => Err(sentence),
            Err((fault, text)) => Err(refuse(fault.sentence(&text))),
        }
    }

    /// Whether the message may be delivered, by the policy's own scope.
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        match self.scope {
            Scope::MessageAttributes => self.allows(candidate.attributes()),
            Scope::MessageBody => candidate.body().is_some_and(|body| self.allows(body)),
        }
    }

    /// Whether a message with these attributes may be delivered.
    pub fn matches_attributes(&self, attributes: &MessageAttributes) -> bool {
        self.allows(&Node::of_attributes(attributes))
    }

    /// Whether a message with this body may be delivered. One that is no JSON object may not.
    pub fn matches_body(&self, body: &str) -> bool {
        Node::of_body(body).is_some_and(|body| self.allows(&body))
    }

    /// Without any property nothing matches, `{"exists": false}` included (page "Key matching").
    fn allows(&self, message: &Node) -> bool {
        !message.is_empty() && self.asked.allows(self.ways, message)
    }
}
