//! The size limit of an account's outbox.

use crate::domain::{Kind, Refusal};
use crate::store::Txn;

/// Rejects with Throttled if `bytes` more do not fit into the outbox of an account. An empty outbox
/// accepts a delivery of any size.
// Rule (Publish, PublishBatch, Subscribe, Unsubscribe): a call that would put more into the outbox of an account than
//   it may hold is rejected with Throttled before anything is written.
// Source: inferred, AWS throttles accounts and does not say by which bytes
// Test: tests/deliveries.rs::a_full_outbox_throttles_its_account_only
pub fn check(tx: &mut Txn<'_>, account: &str, bytes: i64) -> Result<(), Refusal> {
    let (used, most) = (tx.usage(account)?.outbox, tx.account_limits().outbox);
    if used == 0 || used.saturating_add(bytes) <= most {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::RequestThrottled,
        format!(
            "Rate exceeded: {used} bytes wait for endpoints of account {account}, which may have {most}."
        ),
    ))
}
