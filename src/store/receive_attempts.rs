//! What a FIFO queue remembers of receive attempts: what they returned, and which of these receives
//! can be repeated no more. The records go with the backlog: a purge forgets them.

use super::{Error, Txn};

impl Txn<'_> {
    /// Returns the messages of an attempt, in the engine's form, if it is not out of date.
    pub fn receive_attempt(
        &mut self,
        backlog: i64,
        attempt: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.one(
            "SELECT messages FROM receive_attempts \
             WHERE backlog = ?1 AND attempt = ?2 AND expires_at > ?3",
            params![backlog, attempt, self.now()],
        )
    }

    /// Remembers an attempt until a time.
    pub fn remember_receive_attempt(
        &mut self,
        backlog: i64,
        attempt: &str,
        messages: &[u8],
        expires_at: i64,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO receive_attempts (backlog, attempt, messages, expires_at) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (backlog, attempt) DO UPDATE SET \
             messages = excluded.messages, expires_at = excluded.expires_at",
            params![backlog, attempt, messages, expires_at],
        )
    }

    /// Notes that this receive of a message can be repeated no more, until a time at which its attempt is
    /// forgotten. A queue without attempts needs no note.
    pub fn note_changed_receive(
        &mut self,
        backlog: i64,
        sequence: i64,
        receive: i64,
        expires_at: i64,
    ) -> Result<(), Error> {
        let any: Option<i64> = self.one(
            "SELECT 1 FROM receive_attempts WHERE backlog = ?1 AND attempt >= '!' LIMIT 1",
            params![backlog],
        )?;
        if any.is_some() {
            let key = changed_receive(sequence, receive);
            self.remember_receive_attempt(backlog, &key, &[], expires_at)?;
        }
        Ok(())
    }

    /// Returns whether it was noted that this receive of a message can be repeated no more.
    pub fn is_changed_receive(
        &mut self,
        backlog: i64,
        sequence: i64,
        receive: i64,
    ) -> Result<bool, Error> {
        Ok(self.receive_attempt(backlog, &changed_receive(sequence, receive))?.is_some())
    }

    /// Forgets one attempt.
    pub fn forget_receive_attempt(&mut self, backlog: i64, attempt: &str) -> Result<(), Error> {
        let sql = "DELETE FROM receive_attempts WHERE backlog = ?1 AND attempt = ?2";
        self.run(sql, params![backlog, attempt])
    }

    /// Forgets up to `limit` attempts that are out of date. Returns how many these were.
    pub fn forget_receive_attempts(&mut self, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM receive_attempts WHERE (backlog, attempt) IN (SELECT backlog, attempt \
             FROM receive_attempts WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            params![self.now(), limit],
        )
    }
}

/// The key of a note among the attempts. It begins with a space, which comes before all characters that the id
/// of an attempt may have.
fn changed_receive(sequence: i64, receive: i64) -> String {
    format!(" {sequence} {receive}")
}
