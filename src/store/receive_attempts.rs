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
        let now = self.now();
        self.one(
            "SELECT messages FROM receive_attempts \
             WHERE backlog = ?1 AND attempt = ?2 AND expires_at > ?3",
            &[backlog.into(), attempt.into(), now.into()],
            |row| Ok(row.blob(0)?.unwrap_or_default().to_vec()),
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
        self.execute(
            "INSERT INTO receive_attempts (backlog, attempt, messages, expires_at) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (backlog, attempt) DO UPDATE SET \
             messages = excluded.messages, expires_at = excluded.expires_at",
            &[backlog.into(), attempt.into(), messages.into(), expires_at.into()],
        )?;
        Ok(())
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
        let any = self.one(
            "SELECT 1 FROM receive_attempts WHERE backlog = ?1 AND attempt >= '!' LIMIT 1",
            &[backlog.into()],
            |_| Ok(()),
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
        self.execute(
            "DELETE FROM receive_attempts WHERE backlog = ?1 AND attempt = ?2",
            &[backlog.into(), attempt.into()],
        )?;
        Ok(())
    }

    /// Deletes up to `limit` expired attempts. Returns their number.
    pub fn forget_receive_attempts(&mut self, limit: i64) -> Result<usize, Error> {
        let now = self.now();
        let page = self.all(
            "SELECT backlog, attempt FROM receive_attempts WHERE expires_at <= ?1 \
             ORDER BY expires_at LIMIT ?2",
            &[now.into(), limit.into()],
            |row| Ok((row.i64(0)?, row.string(1)?)),
        )?;
        for (backlog, attempt) in &page {
            self.execute(
                "DELETE FROM receive_attempts WHERE backlog = ?1 AND attempt = ?2",
                &[(*backlog).into(), attempt.into()],
            )?;
        }
        Ok(page.len())
    }
}

/// Returns the key of such a record among the attempts. It starts with a space, which sorts before all
/// characters of an attempt ID.
fn changed_receive(sequence: i64, receive: i64) -> String {
    format!(" {sequence} {receive}")
}
