//! A policy as a document. Statements that Squab did not write are kept as they are and in their order.

use crate::domain::json_text;
use serde_json::{Map, Value, json};

/// The members that a policy may have.
const MEMBERS: [&str; 3] = ["Version", "Id", "Statement"];

/// A policy, with its statements as a list.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// All members. `Statement` keeps its place among them, without a value.
    members: Map<String, Value>,
    pub statements: Vec<Value>,
}

impl Document {
    // Rule (CreateQueue, SetQueueAttributes, CreateTopic, SetTopicAttributes): a policy that names a member twice, at
    //   any depth, or has a member that policies do not have, is refused as one that is not JSON.
    // Source: inferred, IAM refuses such documents, and otherwise a part of the policy would be ignored in silence
    // Test: tests/isolation.rs::a_policy_that_names_a_member_twice_is_refused
    //
    /// Reads a policy. Returns `None` if it is not a JSON object, names a member twice, or has an unknown one.
    pub fn read(text: &str) -> Option<Self> {
        let mut members: Map<String, Value> = serde_json::from_str(text).ok()?;
        let is_known = |name: &String| MEMBERS.contains(&name.as_str());
        if !members.keys().all(is_known) || json_text::repeats_a_name(text) {
            return None;
        }
        let statements = match members.get_mut("Statement").map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(statements)) => statements,
            Some(one) => vec![one],
        };
        Some(Self { members, statements })
    }

    /// Returns the policy that the first permission of a queue makes.
    pub fn of_queue(arn: &str) -> Self {
        let members = Map::from_iter([
            ("Version".to_owned(), json!("2008-10-17")),
            ("Id".to_owned(), json!(format!("{arn}/SQSDefaultPolicy"))),
        ]);
        Self { members, statements: Vec::new() }
    }

    pub fn has_statements(&self) -> bool {
        self.members.contains_key("Statement")
    }

    pub fn version(&self) -> Option<&str> {
        self.members.get("Version")?.as_str()
    }

    pub fn has_label(&self, label: &str) -> bool {
        self.statements.iter().any(|statement| statement["Sid"] == label)
    }

    /// Removes the statements of a label. Returns whether there were any.
    pub fn remove(&mut self, label: &str) -> bool {
        let before = self.statements.len();
        self.statements.retain(|statement| statement["Sid"] != label);
        self.statements.len() < before
    }

    /// Adds a statement that allows these accounts these actions of a service.
    pub fn allow(
        &mut self,
        label: &str,
        accounts: &[String],
        service: &str,
        actions: &[String],
        arn: &str,
    ) {
        let accounts = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root"));
        let actions = actions.iter().map(|action| format!("{service}:{action}"));
        self.statements.push(json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_array(accounts) },
            "Action": one_or_array(actions),
            "Resource": arn,
        }));
    }

    /// Returns the policy as text, with the statements where they were, or at the end.
    pub fn text(mut self) -> String {
        self.members.insert("Statement".to_owned(), self.statements.into());
        Value::Object(self.members).to_string()
    }
}

fn one_or_array(texts: impl Iterator<Item = String>) -> Value {
    let mut texts: Vec<_> = texts.collect();
    if texts.len() == 1 { texts.swap_remove(0).into() } else { texts.into() }
}
