//! The access policy of a topic as a document: the one that every topic begins with, what may be
//! set, AddPermission, RemovePermission. What a policy means for a request: see
//! [`decide`](super::decide).

use super::document::Document;
use super::one_or_many;
use crate::domain::Refusal;
use crate::domain::address::is_account;
use crate::domain::topic_address::TopicAddress;
use serde_json::{Value, json};

/// The actions that everybody of the account may take on a topic for which no policy was set.
const ACTIONS: [&str; 8] = [
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
];

/// The other actions that a policy may name. Page "Amazon SNS API permissions: Actions and resources
/// reference"; `Receive` is of an older one.
const MORE_ACTIONS: [&str; 6] = [
    "GetDataProtectionPolicy",
    "ListTagsForResource",
    "PutDataProtectionPolicy",
    "Receive",
    "TagResource",
    "UntagResource",
];

/// Returns whether a topic's policy can allow this action to other accounts.
pub fn is_shareable(action: &str) -> bool {
    ACTIONS.contains(&action) || MORE_ACTIONS.contains(&action)
}

/// The policy of a topic for which none was set, in AWS's own order of members. Its condition opens it to
/// the owner alone, who needs no statement.
pub fn default_text(address: &TopicAddress) -> String {
    let actions = ACTIONS.map(|action| format!("SNS:{action}"));
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions,
            "Resource": address.arn(),
            "Condition": { "StringEquals": { "AWS:SourceOwner": address.account } },
        }],
    })
    .to_string()
}

/// Checks a Policy that is to be set; the empty text brings the default one back.
///
/// Refused with InvalidParameter.
// Rule (CreateTopic, SetTopicAttributes): a policy that cannot be read is "Policy Error: null".
// Source: reported, aws/serverless-application-model#1591
// Test: src/domain/policy/topic.rs::what_is_no_policy_is_refused
// Rule (CreateTopic, SetTopicAttributes): a policy with an action that is none of a topic's is refused.
// Source: reported, hashicorp/terraform#12740
// Test: tests/scenarios/topics.txt#Permissions become statements of the policy
pub fn check(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Ok(());
    }
    let statements = read(text)?.statements;
    if statements.is_empty() || !statements.iter().all(is_statement) {
        return Err(unreadable());
    }
    let actions = statements.iter().flat_map(|statement| {
        ["Action", "NotAction"].into_iter().flat_map(|name| one_or_many(&statement[name]))
    });
    let in_scope = |action: &Value| action.as_str().is_some_and(is_in_scope);
    if actions.into_iter().all(in_scope) { Ok(()) } else { Err(out_of_scope()) }
}

fn read(text: &str) -> Result<Document, Refusal> {
    Document::read(text).ok_or_else(unreadable)
}

fn unreadable() -> Refusal {
    Refusal::invalid_parameter("Policy Error: null")
}

fn is_statement(value: &Value) -> bool {
    let has = |name: &str, opposite: &str| !value[name].is_null() || !value[opposite].is_null();
    matches!(value["Effect"].as_str(), Some("Allow" | "Deny"))
        && has("Principal", "NotPrincipal")
        && has("Action", "NotAction")
}

/// Returns whether a policy of a topic may name this action, in upper or lower case. An action with a wildcard is
/// accepted whatever it stands for.
fn is_in_scope(action: &str) -> bool {
    let name = match action.split_once(':') {
        Some((service, name)) if service.eq_ignore_ascii_case("sns") => name,
        _ => return action == "*",
    };
    let mut actions = ACTIONS.iter().chain(&MORE_ACTIONS);
    name.contains(['*', '?']) || actions.any(|action| action.eq_ignore_ascii_case(name))
}

fn out_of_scope() -> Refusal {
    Refusal::invalid_parameter("Policy statement action out of service scope!")
}

/// The policy with one more statement, which allows these accounts these actions on the topic.
///
/// Refused with InvalidParameter. AWS page: API_AddPermission.
// Rule (sns.AddPermission): a label that the policy has, and an action that is none of a topic's, are refused.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-add-permission-duplicate-label, tests/recorded/sns.jsonl#sns-add-permission-unknown-action
pub fn add_permission(
    policy: &str,
    topic_arn: &str,
    label: &str,
    account_ids: &[String],
    actions: &[String],
) -> Result<String, Refusal> {
    let mut document = read(policy)?;
    if document.has_label(label) {
        return Err(Refusal::invalid_parameter("Statement already exists"));
    }
    let is_known = |action: &str| action == "*" || is_shareable(action);
    if !actions.iter().all(|action| is_known(action)) {
        return Err(out_of_scope());
    }
    if account_ids.iter().any(|account| !is_account(account)) {
        return Err(Refusal::invalid_parameter("AWSAccountId"));
    }
    document.allow(label, account_ids, "SNS", actions, topic_arn);
    Ok(document.text())
}

/// Returns the policy without the statement of this label. A label that it does not have changes nothing.
pub fn remove_permission(policy: &str, label: &str) -> Result<String, Refusal> {
    let mut document = read(policy)?;
    document.remove(label);
    Ok(document.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_actions_of_topics_only() {
        let policy = |action: Value| {
            let statement =
                json!({ "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*" });
            check(&json!({ "Statement": [statement] }).to_string())
        };
        for action in [
            json!("sns:Publish"),
            json!("SNS:publish"),
            json!(["sns:Subscribe", "SNS:Receive"]),
            json!("sns:*"),
            json!("SNS:Get*"),
            json!("*"),
        ] {
            assert_eq!(policy(action.clone()), Ok(()), "{action}");
        }
        for action in [
            json!("sns:CreateTopic"),
            json!("sqs:SendMessage"),
            json!("Publish"),
            json!(["sns:Publish", "sns:SetSubscriptionAttributes"]),
            json!({ "sns": "Publish" }),
        ] {
            assert_eq!(policy(action.clone()), Err(out_of_scope()), "{action}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in [
            "None",
            "[]",
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Statement":[{"Effect":"Allow","Principal":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"sns:Publish"}]}"#,
            r#"{"Statement":{"Effect":"allow","Principal":"*","Action":"sns:Publish"}}"#,
        ] {
            let refusal = check(text).unwrap_err();
            assert_eq!(refusal.message, "Invalid parameter: Policy Error: null", "{text}");
        }
        assert_eq!(check(""), Ok(()));
        let one =
            r#"{"Statement":{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"SNS:Publish"}}"#;
        assert_eq!(check(one), Ok(()));
    }
}
