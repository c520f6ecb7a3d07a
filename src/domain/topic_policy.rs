//! The access policy of a topic as a document: the one that every topic begins with, what may be
//! set, AddPermission, RemovePermission. What a policy means for a request is not decided here.

use super::Refusal;
use super::address::is_account;
use super::policy::{has_label, one_or_array, take_statements, with_statements};
use super::topic_address::TopicAddress;
use serde_json::{Map, Value, json};

/// The actions that a permission may name, besides `*`.
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

/// The policy of a topic for which none was set, in AWS's own order of members.
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
pub fn check(text: &str) -> Result<(), Refusal> {
    let is_policy = text.is_empty()
        || serde_json::from_str(text).is_ok_and(|document: Map<String, Value>| {
            let statements = match document.get("Statement") {
                Some(Value::Array(statements)) => statements.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => &[],
            };
            let is_statement = |one: &Value| {
                one.is_object() && matches!(one["Effect"].as_str(), Some("Allow" | "Deny"))
            };
            !statements.is_empty() && statements.iter().all(is_statement)
        });
    if is_policy { Ok(()) } else { Err(Refusal::invalid_parameter("Policy Error: null")) }
}

/// The policy with one more statement, which allows these accounts these actions on the topic.
///
/// Refused with InvalidParameter. AWS page: API_AddPermission.
pub fn add_permission(
    policy: &str,
    topic_arn: &str,
    label: &str,
    account_ids: &[String],
    actions: &[String],
) -> Result<String, Refusal> {
    let mut document = read(policy)?;
    let mut statements = take_statements(&mut document);
    if statements.iter().any(|statement| has_label(statement, label)) {
        return Err(Refusal::invalid_parameter("Statement already exists"));
    }
    if actions.iter().any(|action| action != "*" && !ACTIONS.contains(&action.as_str())) {
        return Err(Refusal::invalid_parameter("Policy statement action out of service scope!"));
    }
    if account_ids.iter().any(|account| !is_account(account)) {
        return Err(Refusal::invalid_parameter("AWSAccountId"));
    }
    let accounts = account_ids.iter().map(|account| json!(format!("arn:aws:iam::{account}:root")));
    let actions = actions.iter().map(|action| json!(format!("SNS:{action}")));
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_array(accounts) },
        "Action": one_or_array(actions),
        "Resource": topic_arn,
    }));
    Ok(with_statements(document, statements))
}

/// The policy without the statement of this label; a label that is not there changes nothing.
pub fn remove_permission(policy: &str, label: &str) -> Result<String, Refusal> {
    let mut document = read(policy)?;
    let mut statements = take_statements(&mut document);
    statements.retain(|statement| !has_label(statement, label));
    Ok(with_statements(document, statements))
}

/// Reads a policy that was checked before it was stored.
fn read(policy: &str) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_str(policy)
        .map_err(|cause| Refusal::internal(format!("stored policy is not JSON: {cause}")))
}
