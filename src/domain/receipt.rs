//! Receipt handles: opaque to clients, they name a queue, a message in it, and one receive of that message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// The first byte of every handle, so that the form can change. Handles of version 1 had a checksum in place of the
/// code, which anyone could compute.
const VERSION: u8 = 2;
const NAMED_BYTES: usize = 1 + 3 * 8;
const CODE_BYTES: usize = 14;
const BYTES: usize = NAMED_BYTES + CODE_BYTES;

/// Characters of every handle.
pub const HANDLE_LENGTH: usize = BYTES / 3 * 4;

/// What a receipt handle names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Id of the queue.
    pub queue: i64,
    /// Sequence of the message.
    pub sequence: i64,
    /// ApproximateReceiveCount of the receive that the handle is from.
    pub receive: i64,
}

impl Receipt {
    fn to_bytes(self) -> [u8; NAMED_BYTES] {
        let mut bytes = [VERSION; NAMED_BYTES];
        bytes[1..9].copy_from_slice(&self.queue.to_be_bytes());
        bytes[9..17].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[17..].copy_from_slice(&self.receive.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let is_known = bytes.first() == Some(&VERSION) && bytes.len() == NAMED_BYTES;
        is_known.then_some(Self { queue: number(1)?, sequence: number(9)?, receive: number(17)? })
    }
}

/// The key of a database's receipt handles.
#[derive(Clone)]
pub struct ReceiptKey(Hmac<Sha256>);

// Rule (DeleteMessage, DeleteMessageBatch, ChangeMessageVisibility, ChangeMessageVisibilityBatch): a receipt handle that
//   this server has not issued is ReceiptHandleIsInvalid. Handles cannot be computed: they have a code of HMAC-SHA256,
//   whose key is made once for each database and kept in it.
// Source: inferred, the error is AWS's for handles that it has not issued
// Test: tests/isolation.rs::a_receipt_handle_cannot_be_computed,
//   tests/store.rs::a_file_with_fifo_messages_in_flight_goes_on_by_the_new_order
//
impl ReceiptKey {
    /// Returns the key of a secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    /// Returns the handle of a receive.
    pub fn handle(&self, receipt: Receipt) -> String {
        let named = receipt.to_bytes();
        let code = self.0.clone().chain_update(named).finalize().into_bytes();
        let mut bytes = [0; BYTES];
        bytes[..NAMED_BYTES].copy_from_slice(&named);
        bytes[NAMED_BYTES..].copy_from_slice(&code[..CODE_BYTES]);
        STANDARD.encode(bytes)
    }

    /// Returns what a handle names, or `None` if it was not issued with this key.
    pub fn open(&self, handle: &str) -> Option<Receipt> {
        let bytes: [u8; BYTES] = STANDARD.decode(handle).ok()?.try_into().ok()?;
        let (named, code) = bytes.split_at(NAMED_BYTES);
        self.0.clone().chain_update(named).verify_truncated_left(code).ok()?;
        Receipt::from_bytes(named)
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> ReceiptKey {
        ReceiptKey::new(&[7; 32])
    }

    #[test]
    fn the_code_is_that_of_hmac_sha256() {
        let receipt = Receipt { queue: 1, sequence: 2, receive: 3 };
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(&receipt.to_bytes());
        let code = mac.finalize().into_bytes();
        let bytes = STANDARD.decode(key().handle(receipt)).unwrap();
        assert_eq!(&bytes[NAMED_BYTES..], &code[..CODE_BYTES]);
    }

    proptest! {
        #[test]
        fn a_handle_names_what_it_was_made_of(queue: i64, sequence: i64, receive: i64) {
            let receipt = Receipt { queue, sequence, receive };
            let handle = key().handle(receipt);
            prop_assert_eq!(handle.len(), HANDLE_LENGTH);
            prop_assert_eq!(key().open(&handle), Some(receipt));
            prop_assert_eq!(ReceiptKey::new(&[8; 32]).open(&handle), None);
        }

        #[test]
        fn made_up_text_is_no_handle(text: String) {
            prop_assert_eq!(key().open(&text), None);
        }

        #[test]
        fn a_changed_handle_is_no_handle(queue: i64, sequence: i64, at in 0..HANDLE_LENGTH) {
            let mut changed = key().handle(Receipt { queue, sequence, receive: 1 }).into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(key().open(&String::from_utf8(changed).unwrap()), None);
        }
    }
}
