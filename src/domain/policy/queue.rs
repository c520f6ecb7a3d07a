//! The access policy of a queue as a document: what may be set, AddPermission, RemovePermission.

use super::document::Document;
use super::one_or_many;
use crate::domain::address::{is_account, is_name_byte};
use crate::domain::limits::{
    PERMISSION_ACTIONS, PERMISSION_LABEL_LENGTH, POLICY_BYTES, POLICY_CONDITIONS,
    POLICY_PRINCIPALS, POLICY_STATEMENTS,
};
use crate::domain::{Kind, Refusal};
use serde_json::{Map, Value};

// Rule (CreateQueue, SetQueueAttributes): a Policy is a JSON document of 8,192 bytes with 20
//   statements, 50 principals and 10 conditions at most; anything else is InvalidAttributeValue.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
// Test: src/domain/policy/queue.rs::a_policy_must_be_a_document_within_limits
//
/// Checks a Policy that is to be set: a JSON document with statements that allow or deny, within
/// the limits of a policy. Refused with InvalidAttributeValue; with OverLimit or
/// InvalidParameterValue for the actions of a statement.
pub fn check(text: &str) -> Result<(), Refusal> {
    let document = read(text)?;
    if text.len() > POLICY_BYTES
        || !document.has_statements()
        || !are_statements(&document.statements)
    {
        return Err(invalid());
    }
    document.statements.iter().try_for_each(check_actions)
}

fn read(text: &str) -> Result<Document, Refusal> {
    Document::read(text).ok_or_else(invalid)
}

fn invalid() -> Refusal {
    Refusal::new(Kind::InvalidAttributeValue, "Invalid value for the parameter Policy.")
}

/// Checks that a statement has few actions, and none for a batch, which the single form stands for.
fn check_actions(statement: &Value) -> Result<(), Refusal> {
    let actions = one_or_many(&statement["Action"]);
    if actions.len() > PERMISSION_ACTIONS {
        return Err(over_limit(format!(
            "{} actions were found in a statement from the submitted policy, max allowed is \
             {PERMISSION_ACTIONS}",
            actions.len()
        )));
    }
    let is_of_batch = |action: &&str| {
        let (service, name) = action.split_once(':').unwrap_or_default();
        service.eq_ignore_ascii_case("sqs")
            && BATCHES.iter().any(|batch| batch.eq_ignore_ascii_case(name))
    };
    match actions.iter().filter_map(Value::as_str).find(is_of_batch) {
        None => Ok(()),
        Some(action) => Err(unknown_action(action)),
    }
}

/// The actions that a queue's policy can allow to other accounts; all others are the owner's.
const SHAREABLE: [&str; 8] = [
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// Returns whether a queue's policy can allow this action to other accounts.
pub fn is_shareable(action: &str) -> bool {
    SHAREABLE.contains(&action)
}

/// The operations that have no permission of their own, but that of their single form.
const BATCHES: [&str; 3] =
    ["ChangeMessageVisibilityBatch", "DeleteMessageBatch", "SendMessageBatch"];

fn unknown_action(action: &str) -> Refusal {
    let reason = "Please refer to the appropriate WSDL for a list of valid actions.";
    Refusal::invalid_value(action, "ActionName", reason)
}

fn are_statements(statements: &[Value]) -> bool {
    let has_effect =
        |one: &Value| matches!(one["Effect"].as_str(), Some("Allow" | "Deny")) && one.is_object();
    statements.len() <= POLICY_STATEMENTS
        && statements.iter().all(has_effect)
        && principals_of(statements) <= POLICY_PRINCIPALS
        && conditions_of(statements) <= POLICY_CONDITIONS
}

/// Counts the principals of all statements: `"*"`, or one or many of each kind.
fn principals_of(statements: &[Value]) -> usize {
    let principals = statements.iter().map(|statement| match &statement["Principal"] {
        Value::Object(kinds) => kinds.values().map(|of_kind| one_or_many(of_kind).len()).sum(),
        other => one_or_many(other).len(),
    });
    principals.sum()
}

/// Counts the conditions of all statements: the keys of their operators.
fn conditions_of(statements: &[Value]) -> usize {
    let conditions = statements.iter().filter_map(|statement| statement["Condition"].as_object());
    let operators = conditions.flat_map(Map::values).filter_map(Value::as_object);
    operators.map(Map::len).sum()
}

// Rule (sqs.AddPermission): the first permission makes a policy of Version 2008-10-17 with the Id
//   QUEUE-ARN/SQSDefaultPolicy; several accounts or actions become arrays.
// Source: recorded, for the Version; the rest is inferred
// Test: tests/scenarios/permissions.txt#Permissions are statements, src/domain/policy/queue.rs::the_first_permission_makes_the_default_policy
//
// Rule (sqs.AddPermission): a label that a statement has already is InvalidParameterValue, "Value l for
//   parameter Label is invalid. Reason: Already exists."
// Source: inferred
// Test: tests/scenarios/permissions.txt#Permissions are statements
//
/// The policy with one more statement, which allows these accounts these actions on the queue.
///
/// Actions are the names of operations or `*`. Refused with InvalidParameterValue,
/// MissingParameter, or OverLimit. AWS page: API_AddPermission.
pub fn add_permission(
    policy: Option<&str>,
    queue_arn: &str,
    label: &str,
    account_ids: &[String],
    actions: &[String],
) -> Result<String, Refusal> {
    check_permission(label, account_ids, actions)?;
    let mut document = policy.map_or_else(|| Ok(Document::of_queue(queue_arn)), read)?;
    if document.has_label(label) {
        return Err(Refusal::invalid_value(label, "Label", "Already exists."));
    }
    document.allow(label, account_ids, "SQS", actions, queue_arn);
    check_count("Statements", document.statements.len(), POLICY_STATEMENTS)?;
    check_count("Principals", principals_of(&document.statements), POLICY_PRINCIPALS)?;
    let text = document.text();
    if text.len() > POLICY_BYTES {
        return Err(over_limit(format!("A policy cannot be longer than {POLICY_BYTES} bytes.")));
    }
    Ok(text)
}

// Rule (sqs.RemovePermission): an unknown label is InvalidParameterValue; with its last statement the
//   policy goes.
// Source: inferred
// Test: tests/scenarios/permissions.txt#Permissions are statements
//
/// The policy without the statement of this label; none when no statement is left.
///
/// Refused with InvalidParameterValue when there is no such statement. AWS page:
/// API_RemovePermission.
pub fn remove_permission(policy: Option<&str>, label: &str) -> Result<Option<String>, Refusal> {
    let mut document = policy.map(read).transpose()?.unwrap_or_default();
    if !document.remove(label) {
        return Err(Refusal::invalid_value(label, "Label", "can't find label."));
    }
    Ok((!document.statements.is_empty()).then(|| document.text()))
}

// Rule (sqs.AddPermission): a permission names at most seven actions; more are OverLimit.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
// Test: src/domain/policy/queue.rs::refusals_of_permissions
//
// Rule (sqs.AddPermission): an empty label is MissingParameter, "The request must contain the parameter Label."
// Source: reported, cloud-custodian/cloud-custodian#10098
// Test: src/domain/policy/queue.rs::refusals_of_permissions
//
// Rule (sqs.AddPermission): an account that does not exist is InvalidParameterValue, "Value [x] for parameter
//   PrincipalId is invalid. Reason: Unable to verify principal."
// Source: reported, aws/aws-sdk#414
// Test: src/domain/policy/queue.rs::refusals_of_permissions
//
// Rule (sqs.AddPermission): an unknown action and the batch form of an action, for which the single form stands, are
//   InvalidParameterValue, "Value SQS:x for parameter ActionName is invalid. Reason: Please refer to the appropriate
//   WSDL for a list of valid actions."
// Source: reported, cloudtools/awacs#34
// Test: src/domain/policy/queue.rs::refusals_of_permissions
//
// Rule (sqs.AddPermission): actions that only the owner of a queue can call are refused.
// Source: inferred, AWS documents that no permission of another account has an effect on them
// Test: tests/scenarios/permissions.txt#Permissions are statements, src/domain/policy/queue.rs::refusals_of_permissions
//
fn check_permission(
    label: &str,
    account_ids: &[String],
    actions: &[String],
) -> Result<(), Refusal> {
    if label.is_empty() {
        return Err(Refusal::missing("Label"));
    }
    if !PERMISSION_LABEL_LENGTH.contains(&label.len()) || !label.bytes().all(is_name_byte) {
        return Err(Refusal::invalid_value(
            label,
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    if account_ids.is_empty() {
        return Err(Refusal::missing("AWSAccountIds"));
    }
    if actions.is_empty() {
        return Err(Refusal::missing("Actions"));
    }
    check_count("Actions", actions.len(), PERMISSION_ACTIONS)?;
    for action in actions {
        let reason = match action.as_str() {
            "*" => continue,
            shareable if is_shareable(shareable) => continue,
            "AddPermission"
            | "CancelMessageMoveTask"
            | "CreateQueue"
            | "DeleteQueue"
            | "ListMessageMoveTasks"
            | "ListQueues"
            | "ListQueueTags"
            | "RemovePermission"
            | "SetQueueAttributes"
            | "StartMessageMoveTask"
            | "TagQueue"
            | "UntagQueue" => "Only the queue owner is allowed to invoke this action.",
            _ => return Err(unknown_action(&format!("SQS:{action}"))),
        };
        return Err(Refusal::invalid_value(format!("SQS:{action}"), "ActionName", reason));
    }
    match account_ids.iter().find(|account| !is_account(account)) {
        None => Ok(()),
        Some(account) => {
            let account = format!("[{account}]");
            Err(Refusal::invalid_value(account, "PrincipalId", "Unable to verify principal."))
        }
    }
}

fn check_count(what: &str, count: usize, most: usize) -> Result<(), Refusal> {
    if count <= most {
        return Ok(());
    }
    Err(over_limit(format!("{count} {what} were found, maximum allowed is {most}.")))
}

fn over_limit(message: String) -> Refusal {
    Refusal::new(Kind::OverLimit, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:sqs:eu-west-1:000000000000:q";

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn add(
        policy: Option<&str>,
        label: &str,
        accounts: &[&str],
        actions: &[&str],
    ) -> Result<String, Refusal> {
        add_permission(policy, ARN, label, &texts(accounts), &texts(actions))
    }

    fn reason(refused: Result<String, Refusal>) -> String {
        refused.unwrap_err().message.into_owned()
    }

    #[test]
    fn the_first_permission_makes_the_default_policy() {
        let policy = add(None, "one", &["111111111111"], &["SendMessage"]).unwrap();
        assert_eq!(
            policy,
            concat!(
                r#"{"Version":"2008-10-17","#,
                r#""Id":"arn:aws:sqs:eu-west-1:000000000000:q/SQSDefaultPolicy","#,
                r#""Statement":[{"Sid":"one","Effect":"Allow","#,
                r#""Principal":{"AWS":"arn:aws:iam::111111111111:root"},"#,
                r#""Action":"SQS:SendMessage","#,
                r#""Resource":"arn:aws:sqs:eu-west-1:000000000000:q"}]}"#
            )
        );
        assert_eq!(check(&policy), Ok(()));
        assert_eq!(remove_permission(Some(&policy), "one"), Ok(None));
    }

    #[test]
    fn several_accounts_and_actions_become_arrays() {
        let accounts = ["111111111111", "222222222222"];
        let policy = add(None, "two", &accounts, &["*", "SendMessage"]).unwrap();
        let policy: Value = serde_json::from_str(&policy).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!(statement["Action"], json!(["SQS:*", "SQS:SendMessage"]));
        assert_eq!(
            statement["Principal"]["AWS"],
            json!(["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"])
        );
    }

    #[test]
    fn foreign_statements_stay_as_they_are() {
        let foreign = r#"{"Statement":{"z":1,"Effect":"Deny","a":[{}]},"Version":"2008-10-17"}"#;
        let both = add(Some(foreign), "l", &["111111111111"], &["*"]).unwrap();
        let start = r#"{"Statement":[{"z":1,"Effect":"Deny","a":[{}]},{"Sid":"l","#;
        assert!(both.starts_with(start), "{both}");
        assert_eq!(
            remove_permission(Some(&both), "l").unwrap().unwrap(),
            r#"{"Statement":[{"z":1,"Effect":"Deny","a":[{}]}],"Version":"2008-10-17"}"#
        );
    }

    #[test]
    fn refusals_of_permissions() {
        let account = ["111111111111"];
        let policy = add(None, "l", &account, &["*"]).unwrap();
        assert_eq!(
            reason(add(Some(&policy), "l", &account, &["*"])),
            "Value l for parameter Label is invalid. Reason: Already exists."
        );
        assert_eq!(
            remove_permission(Some(&policy), "m").unwrap_err().message,
            "Value m for parameter Label is invalid. Reason: can't find label."
        );
        assert!(remove_permission(None, "l").is_err());
        assert_eq!(
            reason(add(None, "l", &account, &["CreateQueue"])),
            "Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue \
             owner is allowed to invoke this action."
        );
        for action in ["Frobnicate", "SendMessageBatch"] {
            assert_eq!(
                reason(add(None, "l", &account, &[action])),
                format!(
                    "Value SQS:{action} for parameter ActionName is invalid. Reason: Please refer \
                     to the appropriate WSDL for a list of valid actions."
                )
            );
        }
        assert_eq!(
            reason(add(None, "l", &["x"], &["*"])),
            "Value [x] for parameter PrincipalId is invalid. Reason: Unable to verify principal."
        );
        let over = add(None, "l", &account, &["SendMessage"; 8]).unwrap_err();
        assert_eq!(over.kind, Kind::OverLimit);
        assert_eq!(over.message, "8 Actions were found, maximum allowed is 7.");
        let over = add(None, "l", &["111111111111"; 51], &["*"]).unwrap_err();
        assert_eq!(over.kind, Kind::OverLimit);
        for label in ["", "a b", &"a".repeat(81)] {
            assert!(add(None, label, &account, &["*"]).is_err(), "{label}");
        }
        assert_eq!(add(None, "", &account, &["*"]), Err(Refusal::missing("Label")));
        assert_eq!(add(None, "l", &[], &["*"]), Err(Refusal::missing("AWSAccountIds")));
        assert_eq!(add(None, "l", &account, &[]), Err(Refusal::missing("Actions")));
    }

    #[test]
    fn a_policy_has_at_most_twenty_statements() {
        let mut policy = None;
        for n in 0..20 {
            let label = format!("l{n}");
            policy = Some(add(policy.as_deref(), &label, &["111111111111"], &["*"]).unwrap());
        }
        let over = add(policy.as_deref(), "l20", &["111111111111"], &["*"]).unwrap_err();
        assert_eq!(over.kind, Kind::OverLimit);
        assert_eq!(check(&policy.unwrap()), Ok(()));
    }

    #[test]
    fn a_policy_must_be_a_document_within_limits() {
        let statements =
            |one: &str, count| format!(r#"{{"Statement":[{}]}}"#, vec![one; count].join(","));
        let padded = |bytes: usize| {
            let document = statements(r#"{"Effect":"Allow"}"#, 1);
            format!("{document}{}", " ".repeat(bytes - document.len()))
        };
        let principals = |count| {
            let principals = vec!["\"1\""; count].join(",");
            statements(&format!(r#"{{"Effect":"Deny","Principal":{{"AWS":[{principals}]}}}}"#), 1)
        };
        let condition = r#"{"Effect":"Deny","Condition":{"ArnLike":{"aws:SourceArn":"x"}}}"#;
        for policy in [
            padded(8192),
            principals(50),
            statements(condition, 10),
            statements(r#"{"Effect":"Allow","Principal":"*"}"#, 20),
        ] {
            assert_eq!(check(&policy), Ok(()), "{policy}");
        }
        for policy in [
            padded(8193),
            principals(51),
            statements(condition, 11),
            statements(r#"{"Effect":"Allow"}"#, 21),
            statements(r#"{"Effect":"allow"}"#, 1),
            statements("1", 1),
            "{}".into(),
            "[]".into(),
            "x".into(),
        ] {
            let refusal = check(&policy).unwrap_err();
            assert_eq!(refusal.kind, Kind::InvalidAttributeValue);
            assert_eq!(refusal.message, "Invalid value for the parameter Policy.");
        }
    }

    #[test]
    fn a_statement_has_at_most_seven_actions_and_none_for_batches() {
        let policy = |action: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"Deny"}},{{"Effect":"Allow","Action":{action}}}]}}"#
            )
        };
        let many = |count| format!("[{}]", vec![r#""sqs:SendMessage""#; count].join(","));
        for action in [r#""*""#, r#""sqs:*""#, r#""SQS:Send*""#, r#"["sqs:sendmessage"]"#, &many(7)]
        {
            assert_eq!(check(&policy(action)), Ok(()), "{action}");
        }
        let over = check(&policy(&many(8))).unwrap_err();
        assert_eq!(over.kind, Kind::OverLimit);
        assert_eq!(
            over.message,
            "8 actions were found in a statement from the submitted policy, max allowed is 7"
        );
        let refusal = check(&policy(r#"["sqs:SendMessage","sqs:DeleteMessageBatch"]"#));
        assert_eq!(refusal, Err(unknown_action("sqs:DeleteMessageBatch")));
    }

    proptest! {
        #[test]
        fn any_document_is_taken_or_refused(
            text in ".*",
            statement in r#"([\[\]{}:,]|"Sid"|"Effect"|"Allow"|"Principal"|1){0,12}"#,
            label in ".*",
        ) {
            for policy in [text, format!(r#"{{"Statement":{statement}}}"#)] {
                let _ = check(&policy);
                let _ = add(Some(&policy), "l", &["111111111111"], &["*"]);
                let _ = add(None, &label, &[&label], &[&label]);
                let _ = remove_permission(Some(&policy), &label);
            }
        }
    }
}
