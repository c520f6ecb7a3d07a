//! The key of receipt handles, kept with the data: handles are valid after a restart, and for every process that uses
//! the database.

use super::{Error, Txn};
use crate::domain::receipt::ReceiptKey;

impl Txn<'_> {
    /// Returns the key, if a message has ever been received.
    pub fn receipt_key(&mut self) -> Result<Option<ReceiptKey>, Error> {
        if self.ledger.receipt_key.is_none() {
            let stored = self.one("SELECT secret FROM receipt_key WHERE id = 1", &[])?;
            self.ledger.receipt_key = stored.as_ref().map(ReceiptKey::new);
        }
        Ok(self.ledger.receipt_key.clone())
    }

    /// Returns the key, made now if there is none.
    pub fn ensure_receipt_key(&mut self) -> Result<ReceiptKey, Error> {
        loop {
            if let Some(key) = self.receipt_key()? {
                return Ok(key);
            }
            let ids = [self.fresh_id(), self.fresh_id()];
            let secret: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
            // Another process may have made one meanwhile.
            self.run(
                "INSERT INTO receipt_key (id, secret) VALUES (1, ?1) ON CONFLICT DO NOTHING",
                params![secret.as_slice()],
            )?;
        }
    }
}
