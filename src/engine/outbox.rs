//! How much may wait in the outbox of an account.

use crate::domain::{Kind, Refusal};
use crate::store::Txn;

/// Refused with Throttled if so many more bytes do not fit into the outbox of an account. What is
/// larger than the whole outbox fits into an empty one.
// Rule (Publish, PublishBatch, Subscribe, Unsubscribe): a call that would put more into the outbox of an account than
//   it may hold is refused with Throttled before anything is written.
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
