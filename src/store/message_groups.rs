//! Message groups: one row for each group that has messages, on FIFO and on standard queues.

use super::driver::Row;
use super::{Error, Txn};
use std::collections::HashMap;

/// A group of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageGroup {
    /// Never used again for another group.
    pub id: i64,
    /// MessageGroupId
    pub name: String,
    /// Rank of the message that may be received next, if one may.
    pub head: Option<i64>,
    /// How many messages it has, wherever they stand.
    pub size: i64,
    /// How many of them are in flight.
    pub in_flight: i64,
    /// Unix milliseconds of the last send.
    pub last_sent_at: i64,
}

/// The groups that a ledger knows, as their rows are. Every send and every delete asks for one.
#[derive(Debug, Default)]
pub(super) struct KnownGroups {
    /// `None` for a group that is known to be gone.
    by_id: HashMap<i64, Option<MessageGroup>>,
    /// Ids by backlog and name; the group may be gone.
    ids: HashMap<i64, HashMap<String, i64>>,
}

impl KnownGroups {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn by_name(&self, backlog: i64, name: &str) -> Option<&Option<MessageGroup>> {
        self.by_id.get(self.ids.get(&backlog)?.get(name)?)
    }

    fn name(&mut self, backlog: i64, group: &MessageGroup) {
        self.ids.entry(backlog).or_default().insert(group.name.clone(), group.id);
        self.by_id.insert(group.id, Some(group.clone()));
    }
}

macro_rules! columns {
    () => {
        "id, name, head, size, in_flight, last_sent_at"
    };
}

fn read(row: &dyn Row) -> Result<MessageGroup, Error> {
    Ok(MessageGroup {
        id: row.i64(0)?,
        name: row.string(1)?,
        head: row.int(2)?,
        size: row.i64(3)?,
        in_flight: row.i64(4)?,
        last_sent_at: row.i64(5)?,
    })
}

impl Txn<'_> {
    /// The group of a name, if it has messages.
    pub fn message_group(
        &mut self,
        backlog: i64,
        name: &str,
    ) -> Result<Option<MessageGroup>, Error> {
        if let Some(known) = self.ledger.groups.by_name(backlog, name) {
            return Ok(known.clone());
        }
        let found = self.one(
            concat!("SELECT ", columns!(), " FROM message_groups WHERE backlog = ?1 AND name = ?2"),
            &[backlog.into(), name.into()],
            read,
        )?;
        if let Some(group) = &found {
            self.ledger.groups.name(backlog, group);
        }
        Ok(found)
    }

    /// The group of an id that a message names.
    pub fn message_group_by_id(&mut self, id: i64) -> Result<MessageGroup, Error> {
        if let Some(Some(known)) = self.ledger.groups.by_id.get(&id) {
            return Ok(known.clone());
        }
        self.one(
            concat!("SELECT ", columns!(), " FROM message_groups WHERE id = ?1"),
            &[id.into()],
            read,
        )?
        .ok_or_else(|| Error::Corrupt(format!("message group {id} is missing")))
    }

    /// Groups that a receive may choose from, those with the oldest head first.
    pub fn ready_groups(&mut self, backlog: i64, limit: i64) -> Result<Vec<MessageGroup>, Error> {
        self.all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM message_groups WHERE backlog = ?1 AND head IS NOT NULL \
                 ORDER BY head LIMIT ?2"
            ),
            &[backlog.into(), limit.into()],
            read,
        )
    }

    /// Adds a group.
    pub fn insert_message_group(
        &mut self,
        backlog: i64,
        group: &MessageGroup,
    ) -> Result<(), Error> {
        self.execute(
            concat!(
                "INSERT INTO message_groups (backlog, ",
                columns!(),
                ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            ),
            &[
                backlog.into(),
                group.id.into(),
                (&group.name).into(),
                group.head.into(),
                group.size.into(),
                group.in_flight.into(),
                group.last_sent_at.into(),
            ],
        )?;
        self.ledger.groups.name(backlog, group);
        Ok(())
    }

    /// Writes a group, or removes it when it has no message left.
    pub fn update_message_group(&mut self, group: &MessageGroup) -> Result<(), Error> {
        if group.size <= 0 {
            self.execute("DELETE FROM message_groups WHERE id = ?1", &[group.id.into()])?;
        } else {
            self.execute(
                "UPDATE message_groups SET head = ?2, size = ?3, in_flight = ?4, \
                 last_sent_at = ?5 WHERE id = ?1",
                &[
                    group.id.into(),
                    group.head.into(),
                    group.size.into(),
                    group.in_flight.into(),
                    group.last_sent_at.into(),
                ],
            )?;
        }
        let known = (group.size > 0).then(|| group.clone());
        self.ledger.groups.by_id.insert(group.id, known);
        Ok(())
    }
}
