//! Redundant data in the store: the row of a message group, and its messages.

use squab::domain::Refusal;
use squab::store::{Message, Place, Queue, Txn};
use std::collections::BTreeSet;

/// Returns the first contradiction between all messages of a queue and the rows of their groups.
pub fn wrong_group(
    tx: &mut Txn<'_>,
    queue: &Queue,
    messages: &[Message],
) -> Result<Option<String>, Refusal> {
    let ids: BTreeSet<i64> = messages.iter().map(|message| message.group).collect();
    for id in ids.into_iter().filter(|id| *id != 0) {
        let row = tx.message_group_by_id(id)?;
        let of_group = || messages.iter().filter(|message| message.group == id);
        let in_flight = of_group().filter(|message| message.place == Place::InFlight).count();
        let is_hidden = |message: &&Message| !matches!(message.place, Place::Line(_));
        let first_hidden = of_group().filter(is_hidden).map(|message| message.sequence).min();
        let first_hidden = first_hidden.filter(|_| queue.attributes.fifo);
        let head = of_group().filter(|one| !is_hidden(one)).map(|message| message.rank).min();
        let head = head.filter(|head| first_hidden.is_none_or(|hidden| *head < hidden));
        let right = (of_group().count() as i64, in_flight as i64, first_hidden, head);
        let said = (row.size, row.in_flight, row.first_hidden, row.head);
        if said != right {
            return Ok(Some(format!(
                "{row:?}, but size, in flight, hidden and head are {right:?}"
            )));
        }
    }
    Ok(None)
}
