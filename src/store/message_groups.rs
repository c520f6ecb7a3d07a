//! Message groups: a row for each group with messages, or with messages until recently, on FIFO and on
//! standard queues.
//!
//! Every send, receive and delete changes a group, and those of one transaction often change the same
//! one. So changes are buffered in the ledger and written once: at the end of the transaction, or before a
//! statement searches groups.

use super::driver::Driver;
use super::rows::{Changed, Inserted, changed_values, values};
use super::{Error, Txn};
use foldhash::HashMap;

/// A message group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageGroup {
    /// ID, never reused for another group.
    pub id: i64,
    /// Its backlog.
    pub backlog: i64,
    /// MessageGroupId
    pub name: String,
    /// Rank of the next receivable message, if there is one.
    pub head: Option<i64>,
    /// The order of the groups with a head. On a FIFO queue: the sequence of the group's first message, and
    /// a new sequence after each receive that took some. On a standard queue: the head.
    pub turn: i64,
    /// Sequence of the earliest message in flight or delayed; `None` on standard queues, whose messages do
    /// not wait for each other.
    pub first_hidden: Option<i64>,
    /// The number of messages, in any state.
    pub size: i64,
    /// The number of messages in flight.
    pub in_flight: i64,
    /// Unix milliseconds of the last send.
    pub last_sent_at: i64,
}

impl MessageGroup {
    /// Returns whether an earlier hidden message blocks the message with this sequence.
    pub fn blocks(&self, sequence: i64) -> bool {
        self.first_hidden.is_some_and(|hidden| hidden < sequence)
    }
}

/// The groups in a ledger.
#[derive(Debug, Default)]
pub(super) struct KnownGroups {
    by_id: HashMap<i64, Known>,
    /// IDs by backlog and name; the group may no longer exist.
    ids: HashMap<i64, HashMap<String, i64>>,
    /// IDs of groups that differ from their rows.
    changed: Vec<i64>,
}

#[derive(Debug)]
struct Known {
    group: MessageGroup,
    has_row: bool,
    is_changed: bool,
}

impl KnownGroups {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn by_name(&self, backlog: i64, name: &str) -> Option<&MessageGroup> {
        let id = self.ids.get(&backlog)?.get(name)?;
        self.by_id.get(id).map(|known| &known.group)
    }

    /// Caches a group that equals its row.
    fn learn(&mut self, group: MessageGroup) {
        self.ids.entry(group.backlog).or_default().insert(group.name.clone(), group.id);
        self.by_id.insert(group.id, Known { group, has_row: true, is_changed: false });
    }

    /// Buffers a changed group.
    fn change(&mut self, group: &MessageGroup) {
        if let Some(known) = self.by_id.get_mut(&group.id) {
            known.group.clone_from(group);
            if !std::mem::replace(&mut known.is_changed, true) {
                self.changed.push(group.id);
            }
            return;
        }
        self.ids.entry(group.backlog).or_default().insert(group.name.clone(), group.id);
        let known = Known { group: group.clone(), has_row: false, is_changed: true };
        self.by_id.insert(group.id, known);
        self.changed.push(group.id);
    }

    /// Forgets a deleted group and its name, because the number of names is unbounded.
    fn forget(&mut self, id: i64) {
        let Some(Known { group, .. }) = self.by_id.remove(&id) else { return };
        if let Some(names) = self.ids.get_mut(&group.backlog) {
            names.remove(&group.name);
            if names.is_empty() {
                self.ids.remove(&group.backlog);
            }
        }
    }

    /// Writes the changed groups.
    pub(super) fn write(&mut self, driver: &mut dyn Driver) -> Result<(), Error> {
        for id in std::mem::take(&mut self.changed) {
            let Some(known) = self.by_id.get_mut(&id) else { continue };
            known.is_changed = false;
            if known.has_row {
                driver.execute(MessageGroup::UPDATE, &changed_values(&known.group))?;
            } else if known.group.size > 0 {
                driver.execute(MessageGroup::INSERT, &values(&known.group))?;
                known.has_row = true;
            } else {
                self.forget(id);
            }
        }
        Ok(())
    }
}

row! {
    ($ select) MessageGroup in "message_groups" { id, backlog, name }
    changing { head, size, in_flight, last_sent_at, turn, first_hidden }
}

impl Txn<'_> {
    /// Returns the group of a name, if there is one.
    pub fn message_group(
        &mut self,
        backlog: i64,
        name: &str,
    ) -> Result<Option<MessageGroup>, Error> {
        if let Some(known) = self.ledger.groups.by_name(backlog, name) {
            return Ok(Some(known.clone()));
        }
        let found: Option<MessageGroup> =
            self.one(select!("WHERE backlog = ?1 AND name = ?2"), params![backlog, name])?;
        if let Some(group) = &found {
            self.ledger.groups.learn(group.clone());
        }
        Ok(found)
    }

    /// Returns the group of an ID in a message.
    pub fn message_group_by_id(&mut self, id: i64) -> Result<MessageGroup, Error> {
        if let Some(known) = self.ledger.groups.by_id.get(&id) {
            return Ok(known.group.clone());
        }
        let group: MessageGroup = self
            .one(select!("WHERE id = ?1"), params![id])?
            .ok_or_else(|| Error::Corrupt(format!("message group {id} is missing")))?;
        self.ledger.groups.learn(group.clone());
        Ok(group)
    }

    /// Returns groups with a head, in the order of their turns.
    pub fn ready_groups(&mut self, backlog: i64, limit: i64) -> Result<Vec<MessageGroup>, Error> {
        self.write_message_groups()?;
        let ready: Vec<MessageGroup> = self.all(
            select!("WHERE backlog = ?1 AND head IS NOT NULL ORDER BY turn LIMIT ?2"),
            params![backlog, limit],
        )?;
        for group in &ready {
            if !self.ledger.groups.by_id.contains_key(&group.id) {
                self.ledger.groups.learn(group.clone());
            }
        }
        Ok(ready)
    }

    /// Adds or changes a group. An empty group is deleted after a while: see
    /// [`Txn::forget_message_groups`].
    pub fn put_message_group(&mut self, group: &MessageGroup) {
        self.note_write();
        self.ledger.groups.change(group);
    }

    /// Writes buffered changes before a statement searches groups.
    pub(super) fn write_message_groups(&mut self) -> Result<(), Error> {
        let (driver, ledger) = self.parts();
        ledger.groups.write(driver)
    }

    /// Checks up to `limit` groups after an ID, and deletes those without messages and without a send since a
    /// time. Returns the cursor of the next page.
    pub fn forget_message_groups(
        &mut self,
        after: i64,
        idle_since: i64,
        limit: i64,
    ) -> Result<Option<i64>, Error> {
        self.write_message_groups()?;
        let page: Vec<(i64, bool)> = self.all(
            "SELECT id, size = 0 AND last_sent_at <= ?2 FROM message_groups WHERE id > ?1 \
             ORDER BY id LIMIT ?3",
            params![after, idle_since, limit],
        )?;
        for (id, is_idle) in &page {
            if *is_idle {
                self.run("DELETE FROM message_groups WHERE id = ?1", params![*id])?;
                self.ledger.groups.forget(*id);
            }
        }
        Ok(page.last().map(|(id, _)| *id).filter(|_| page.len() as i64 == limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_group_that_is_forgotten_nothing_stays() {
        let mut groups = KnownGroups::default();
        let group = |id, name: &str| MessageGroup {
            id,
            backlog: 1,
            name: name.into(),
            head: None,
            size: 0,
            in_flight: 0,
            last_sent_at: 0,
            turn: 0,
            first_hidden: None,
        };
        groups.learn(group(1, "a"));
        groups.learn(group(2, "b"));
        groups.forget(1);
        assert!(groups.by_name(1, "a").is_none());
        assert!(groups.by_name(1, "b").is_some());
        groups.forget(2);
        assert!(groups.by_id.is_empty() && groups.ids.is_empty());
    }
}
