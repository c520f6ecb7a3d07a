//! Message groups: a row for each group that has messages, or had some a moment ago, on FIFO and on
//! standard queues.
//!
//! Every send, receive and delete changes a group, and those of one transaction often the same one.
//! So changes stay in the ledger and are written once: at the end of the transaction, or before a
//! statement looks for groups.

use super::driver::Driver;
use super::rows::{Changed, Inserted, changed_values, values};
use super::{Error, Txn};
use foldhash::HashMap;

/// A group of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageGroup {
    /// Never used again for another group.
    pub id: i64,
    /// Its backlog.
    pub backlog: i64,
    /// MessageGroupId
    pub name: String,
    /// Rank of the message that may be received next, if one may.
    pub head: Option<i64>,
    /// Orders the groups that a receive may choose from. Of a FIFO queue: the sequence of its first
    /// message, and a new one after each receive that took some. Of another queue: its head.
    pub turn: i64,
    /// Sequence of its earliest message that is in flight or delayed; none on standard queues, whose
    /// messages do not wait for each other.
    pub first_hidden: Option<i64>,
    /// How many messages it has, wherever they stand.
    pub size: i64,
    /// How many of them are in flight.
    pub in_flight: i64,
    /// Unix milliseconds of the last send.
    pub last_sent_at: i64,
}

impl MessageGroup {
    /// Returns whether an earlier message of the group keeps the one of this sequence from being
    /// received.
    pub fn blocks(&self, sequence: i64) -> bool {
        self.first_hidden.is_some_and(|hidden| hidden < sequence)
    }
}

/// The groups that a ledger knows.
#[derive(Debug, Default)]
pub(super) struct KnownGroups {
    by_id: HashMap<i64, Known>,
    /// Ids by backlog and name; the group may be gone.
    ids: HashMap<i64, HashMap<String, i64>>,
    /// Ids of those that are not as their rows are.
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

    /// A group as its row is.
    fn learn(&mut self, group: MessageGroup) {
        self.ids.entry(group.backlog).or_default().insert(group.name.clone(), group.id);
        self.by_id.insert(group.id, Known { group, has_row: true, is_changed: false });
    }

    /// A group as its row shall be.
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

    /// A group that is gone, and its name with it: names come and go without end.
    fn forget(&mut self, id: i64) {
        let Some(Known { group, .. }) = self.by_id.remove(&id) else { return };
        if let Some(names) = self.ids.get_mut(&group.backlog) {
            names.remove(&group.name);
            if names.is_empty() {
                self.ids.remove(&group.backlog);
            }
        }
    }

    /// Makes the rows agree with what is known.
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
    /// The group of a name, if there is one.
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

    /// The group of an id that a message names.
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

    /// Returns groups that a receive may choose from, in the order of their turns.
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

    /// Adds a group or changes it. What is left without messages goes when it has been idle for a
    /// while: see [`Txn::forget_message_groups`].
    pub fn put_message_group(&mut self, group: &MessageGroup) {
        self.note_write();
        self.ledger.groups.change(group);
    }

    /// Statements are about to look for groups.
    pub(super) fn write_message_groups(&mut self) -> Result<(), Error> {
        let (driver, ledger) = self.parts();
        ledger.groups.write(driver)
    }

    /// Goes through up to `limit` groups by id, after one, and forgets those that have no messages
    /// and have not been sent to since a time. Returns where to go on.
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
