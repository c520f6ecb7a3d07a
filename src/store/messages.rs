//! Messages: the part that changes, and the content, which does not.

use super::driver::Value;
use super::rows::{Cells, Inserted, Nullable, Stored, values};
use super::{Counts, Error, Queue, Txn};
use uuid::Uuid;

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Delayed until its rank, in Unix milliseconds.
    Delayed,
    /// In flight until its rank, in Unix milliseconds.
    InFlight,
    /// Ready, in the line of a message group, ordered by rank: the ID of the group, 0 for messages without
    /// one.
    Line(i64),
}

impl Place {
    /// Returns the number of a state in the rows of a queue. Hidden messages of FIFO queues have separate
    /// numbers, so that the index `messages_hidden` contains only them.
    const fn number(self, fifo: bool) -> i64 {
        match (self, fifo) {
            (Self::Delayed, true) => -4,
            (Self::InFlight, true) => -3,
            (Self::Delayed, false) => -2,
            (Self::InFlight, false) => -1,
            (Self::Line(group), _) => group,
        }
    }

    const fn from_number(number: i64) -> Self {
        match number {
            -4 | -2 => Self::Delayed,
            -3 | -1 => Self::InFlight,
            group => Self::Line(group),
        }
    }

    const fn counts(self, number: i64) -> Counts {
        match self {
            Self::Delayed => Counts { ready: 0, in_flight: 0, delayed: number },
            Self::InFlight => Counts { ready: 0, in_flight: number, delayed: 0 },
            Self::Line(_) => Counts { ready: number, in_flight: 0, delayed: 0 },
        }
    }
}

/// The part of a message that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Identifies the message in its backlog; grows with every send.
    pub sequence: i64,
    /// Its state.
    pub place: Place,
    /// Its order: a sequence if ready, else Unix milliseconds.
    pub rank: i64,
    /// Id of its message group, 0 for none.
    pub group: i64,
    /// ID of its content in the table `contents`, 0 if the content is in the row of the message. Set when
    /// the message is inserted.
    pub content: i64,
    /// MessageId
    pub id: Uuid,
    /// Unix milliseconds; retention counts from here.
    pub sent_at: i64,
    /// Number of receives, in all queues.
    pub receive_count: i64,
    /// Number of receives in other queues, before it became a dead letter here.
    pub received_elsewhere: i64,
    /// Unix milliseconds of the last receive, or of the send before there was one: so the first receive does
    /// not lengthen the row, which stays in its page.
    pub received_at: i64,
    /// Unix milliseconds of the first receive, or of the send before there was one.
    pub first_received_at: i64,
    /// ARN of the queue from which it became a dead letter.
    pub dead_letter_source: Option<String>,
}

/// The part of a message that does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// MessageBody
    pub body: String,
    /// Message attributes in their stored form, if there are any.
    pub attributes: Option<Vec<u8>>,
    /// SenderId
    pub sender_id: String,
    /// AWSTraceHeader
    pub trace_header: Option<String>,
    /// MessageDeduplicationId
    pub deduplication_id: Option<String>,
}

impl Content {
    /// Bytes of body and attributes up to which a content is in the row of its message. Longer ones would
    /// waste much of a page of 4 KiB, and be rewritten by each receive.
    const WITH_MESSAGE: usize = 1_536;

    /// Bytes of body and attributes.
    pub fn size(&self) -> usize {
        self.body.len() + self.attributes.as_ref().map_or(0, Vec::len)
    }

    fn stands_apart(&self) -> bool {
        self.size() > Self::WITH_MESSAGE
    }
}

impl Stored for Place {
    fn read(cells: &mut Cells<'_>) -> Result<Self, Error> {
        cells.read().map(Self::from_number)
    }

    /// The number on queues that are not FIFO.
    fn bind<'v>(&'v self, values: &mut Vec<Value<'v>>) {
        values.push(self.number(false).into());
    }
}

row! {
    ($ select) Message in "messages" {
        sequence,
        place,
        rank,
        group: "message_group",
        content,
        id: "message_id",
        sent_at,
        receive_count,
        received_at,
        first_received_at,
        dead_letter_source,
        received_elsewhere,
    }
    extra { backlog, body, attributes, sender_id, trace_header, deduplication_id }
}

/// Where the place is among the values of a message.
const PLACE: usize = 1;

fields!(Content {
    body: String,
    attributes: Option<Vec<u8>>,
    sender_id: String,
    trace_header: Option<String>,
    deduplication_id: Option<String>,
});

impl Txn<'_> {
    /// Adds a message with its content to the backlog of a queue and counts it there.
    pub fn insert_message(
        &mut self,
        queue: &Queue,
        message: &mut Message,
        content: &Content,
    ) -> Result<(), Error> {
        let stands_apart = content.stands_apart();
        message.content = if stands_apart { message.sequence } else { 0 };
        let mut values = values(message);
        values[PLACE] = message.place.number(queue.attributes.fifo).into();
        values.push(queue.backlog.into());
        if stands_apart {
            values.extend(std::iter::repeat_n(Value::Null, Content::WIDTH));
        } else {
            content.bind(&mut values);
        }
        self.run(Message::INSERT, &values)?;
        if stands_apart {
            self.insert_content(message.content, content)?;
        }
        self.count(queue.backlog, message.place.counts(1));
        Ok(())
    }

    fn insert_content(&mut self, id: i64, content: &Content) -> Result<(), Error> {
        let mut values = vec![id.into()];
        content.bind(&mut values);
        self.run(
            "INSERT INTO contents (id, body, attributes, sender_id, trace_header, deduplication_id) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &values,
        )
    }

    /// Writes the state, rank and receives of a message whose previous state was `from`.
    pub fn update_message(
        &mut self,
        queue: &Queue,
        from: Place,
        message: &Message,
    ) -> Result<(), Error> {
        self.run(
            "UPDATE messages SET place = ?3, rank = ?4, receive_count = ?5, received_at = ?6, \
             first_received_at = ?7 WHERE backlog = ?1 AND sequence = ?2",
            params![
                queue.backlog,
                message.sequence,
                message.place.number(queue.attributes.fifo),
                message.rank,
                message.receive_count,
                message.received_at,
                message.first_received_at,
            ],
        )?;
        self.count(queue.backlog, from.counts(-1));
        self.count(queue.backlog, message.place.counts(1));
        Ok(())
    }

    /// Removes a message and its content from a backlog.
    pub fn remove_message(&mut self, backlog: i64, message: &Message) -> Result<(), Error> {
        self.delete_message_rows(backlog, message.sequence, message.content)?;
        self.count(backlog, message.place.counts(-1));
        Ok(())
    }

    pub(super) fn delete_message_rows(
        &mut self,
        backlog: i64,
        sequence: i64,
        content: i64,
    ) -> Result<(), Error> {
        let sql = "DELETE FROM messages WHERE backlog = ?1 AND sequence = ?2";
        self.run(sql, params![backlog, sequence])?;
        if content != 0 {
            self.run("DELETE FROM contents WHERE id = ?1", params![content])?;
        }
        Ok(())
    }

    /// Returns one message.
    pub fn message(&mut self, backlog: i64, sequence: i64) -> Result<Option<Message>, Error> {
        self.one(select!("WHERE backlog = ?1 AND sequence = ?2"), params![backlog, sequence])
    }

    /// Returns the first messages of a line with a rank below `before`, with their contents.
    pub fn line(
        &mut self,
        backlog: i64,
        group: i64,
        before: i64,
        limit: i64,
    ) -> Result<Vec<(Message, Content)>, Error> {
        // A content that stands apart leaves its columns here empty.
        let line: Vec<(Message, Option<Content>)> = self.all(
            select!(
                "body, attributes, sender_id, trace_header, deduplication_id",
                "WHERE backlog = ?1 AND place = ?2 AND rank < ?3 ORDER BY rank LIMIT ?4"
            ),
            params![backlog, group, before, limit],
        )?;
        line.into_iter()
            .map(|(message, content)| {
                let content = content.map_or_else(|| self.content_apart(message.content), Ok)?;
                Ok((message, content))
            })
            .collect()
    }

    /// Returns the content of a message.
    pub fn content(&mut self, backlog: i64, message: &Message) -> Result<Content, Error> {
        if message.content != 0 {
            return self.content_apart(message.content);
        }
        self.one(
            "SELECT body, attributes, sender_id, trace_header, deduplication_id FROM messages \
             WHERE backlog = ?1 AND sequence = ?2",
            params![backlog, message.sequence],
        )?
        .ok_or_else(|| Error::Corrupt(format!("message {} is missing", message.sequence)))
    }

    fn content_apart(&mut self, id: i64) -> Result<Content, Error> {
        self.one(
            "SELECT body, attributes, sender_id, trace_header, deduplication_id FROM contents \
             WHERE id = ?1",
            params![id],
        )?
        .ok_or_else(|| Error::Corrupt(format!("message content {id} is missing")))
    }

    /// Returns the rank of the first message of a line.
    pub fn line_head(&mut self, backlog: i64, group: i64) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT rank FROM messages WHERE backlog = ?1 AND place = ?2 ORDER BY rank LIMIT 1",
            params![backlog, group],
        )
    }

    /// Returns the sequence of the earliest message of a FIFO group that is in flight or delayed.
    pub fn first_hidden(&mut self, group: i64) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT sequence FROM messages INDEXED BY messages_hidden \
             WHERE message_group = ?1 AND place < -2 ORDER BY sequence LIMIT 1",
            params![group],
        )
    }

    /// Returns due messages of a state that is ordered by time, earliest first.
    pub fn due(&mut self, queue: &Queue, place: Place, limit: i64) -> Result<Vec<Message>, Error> {
        let place = place.number(queue.attributes.fifo);
        self.all(
            select!(
                "WHERE backlog = ?1 AND place = ?2 AND rank <= ?3 ORDER BY rank, sequence LIMIT ?4"
            ),
            params![queue.backlog, place, self.now(), limit],
        )
    }

    /// Returns the number of due messages of a state that is ordered by time.
    pub fn count_due(&mut self, queue: &Queue, place: Place) -> Result<i64, Error> {
        let place = place.number(queue.attributes.fifo);
        self.number(
            "SELECT count(*) FROM messages WHERE backlog = ?1 AND place = ?2 AND rank <= ?3",
            params![queue.backlog, place, self.now()],
        )
    }

    /// Returns when the next message in flight or delayed becomes ready, in Unix milliseconds.
    pub fn next_due(&mut self, queue: &Queue) -> Result<Option<i64>, Error> {
        let fifo = queue.attributes.fifo;
        let in_flight = self.line_head(queue.backlog, Place::InFlight.number(fifo))?;
        let delayed = self.line_head(queue.backlog, Place::Delayed.number(fifo))?;
        Ok(in_flight.into_iter().chain(delayed).min())
    }

    /// Returns the sequence of the message whose delay ends first.
    pub fn first_delayed(&mut self, queue: &Queue) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT sequence FROM messages WHERE backlog = ?1 AND place = ?2 \
             ORDER BY rank, sequence LIMIT 1",
            params![queue.backlog, Place::Delayed.number(queue.attributes.fifo)],
        )
    }

    /// Returns the messages after a sequence and up to another, oldest first.
    pub fn messages_between(
        &mut self,
        backlog: i64,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<Message>, Error> {
        self.all(
            select!(
                "INDEXED BY messages_by_age WHERE backlog = ?1 AND sequence > ?2 \
                 AND sequence <= ?3 ORDER BY sequence LIMIT ?4"
            ),
            params![backlog, after, up_to, limit],
        )
    }

    /// Returns the oldest messages of a backlog.
    pub fn oldest_messages(&mut self, backlog: i64, limit: i64) -> Result<Vec<Message>, Error> {
        self.messages_between(backlog, 0, i64::MAX, limit)
    }

    /// Returns the messages before a sequence, youngest first.
    pub fn latest_messages(
        &mut self,
        backlog: i64,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Message>, Error> {
        self.all(
            select!(
                "INDEXED BY messages_by_age WHERE backlog = ?1 AND sequence < ?2 \
                 ORDER BY sequence DESC LIMIT ?3"
            ),
            params![backlog, before, limit],
        )
    }
}
