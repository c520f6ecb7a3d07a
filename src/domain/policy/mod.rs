//! Access policies of queues and topics: as documents that can be set and changed ([`queue`], [`topic`]), and
//! what they say of a request ([`decide`]).

mod condition;
mod decision;
mod document;
pub mod queue;
pub mod topic;

pub use decision::{Decision, Policy, Requester, decide};

use serde_json::Value;

/// Returns the elements of an array, or the one value that stands for an array of one.
fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}
