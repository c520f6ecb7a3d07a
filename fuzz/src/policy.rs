//! Access policies of queues and topics, and redrive policies.

use serde_json::Value;
use squab::domain::policy;
use squab::domain::redrive::{RedriveAllowPolicy, RedrivePolicy};

const LABEL: &str = "a-label-that-no-input-has";

/// A policy that may be set can be given a permission; it may be set then, too, and without that
/// permission it says what it said.
pub fn target(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (accounts, actions) = (["111122223333".to_owned()], ["*".to_owned()]);
    if policy::queue::check(text).is_ok() && !text.contains(LABEL) {
        let arn = "arn:aws:sqs:us-east-1:000000000000:q";
        match policy::queue::add_permission(Some(text), arn, LABEL, &accounts, &actions) {
            // One more than a policy may have.
            Err(refusal) => assert!(refusal.internal.is_none(), "{refusal:?}"),
            Ok(more) => {
                policy::queue::check(&more).unwrap();
                let less = policy::queue::remove_permission(Some(&more), LABEL).unwrap();
                match less {
                    Some(less) => assert_eq!(meaning(&less), meaning(text)),
                    None => assert_eq!(meaning(text)["Statement"], Value::Array(Vec::new())),
                }
            }
        }
    }
    if policy::topic::check(text).is_ok() && !text.is_empty() && !text.contains(LABEL) {
        let arn = "arn:aws:sns:us-east-1:000000000000:t";
        let more = policy::topic::add_permission(text, arn, LABEL, &accounts, &actions).unwrap();
        policy::topic::check(&more).unwrap();
        let less = policy::topic::remove_permission(&more, LABEL).unwrap();
        assert_eq!(meaning(&less), meaning(text));
    }
    if let Ok(redrive) = RedrivePolicy::parse(text) {
        assert!((1..=1_000).contains(&redrive.max_receive_count));
        assert!(redrive.target().is_some());
        assert_eq!(RedrivePolicy::parse(&redrive.text), Ok(redrive));
    }
    if let Ok(allow) = RedriveAllowPolicy::parse(text) {
        let _ = allow.permits("arn:aws:sqs:us-east-1:000000000000:q");
    }
}

/// A policy in which one statement is an array of one.
fn meaning(text: &str) -> Value {
    let mut policy: Value = serde_json::from_str(text).unwrap();
    let statements = &mut policy["Statement"];
    match statements {
        Value::Array(_) => {}
        Value::Null => *statements = Value::Array(Vec::new()),
        one => *one = Value::Array(vec![one.take()]),
    }
    policy
}
