//! The receive attempts of FIFO queues: their returned messages, and which receives can no longer be
//! repeated. The records belong to the backlog, so a purge forgets them.

use super::{Error, Txn};

impl Txn<'_> {
    /// Returns the messages of an attempt, in the engine's format, if it has not expired.
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

    /// Records an attempt until a time.
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

    /// Records that this receive of a message can no longer be repeated, until the time at which its attempt
    /// is forgotten. A queue without attempts needs no record.
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

    /// Returns whether this receive of a message can no longer be repeated.
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

    /// Deletes up to `limit` expired attempts. Returns their number.
    pub fn forget_receive_attempts(&mut self, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM receive_attempts WHERE (backlog, attempt) IN (SELECT backlog, attempt \
             FROM receive_attempts WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            params![self.now(), limit],
        )
    }
}

/// Returns the key of such a record among the attempts. It starts with a space, which sorts before all
/// characters of an attempt ID.
fn changed_receive(sequence: i64, receive: i64) -> String {
    format!(" {sequence} {receive}")
}
