//! Receipt handles: opaque to clients, they name a queue, a message of it, and one receive of
//! that message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// First byte of every handle, so that their form may change.
const VERSION: u8 = 1;
const CHECK_BYTES: usize = 7;
const BYTES: usize = 1 + 3 * 8 + CHECK_BYTES;

/// What a receipt handle says.
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
    /// The handle as clients see it.
    pub fn handle(&self) -> String {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.queue.to_be_bytes());
        bytes[9..17].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[17..25].copy_from_slice(&self.receive.to_be_bytes());
        let check = check(&bytes[..25]);
        bytes[25..].copy_from_slice(&check);
        STANDARD.encode(bytes)
    }

    /// Reads a handle; `None` if no server like this one can have issued it.
    pub fn parse(handle: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = STANDARD.decode(handle).ok()?.try_into().ok()?;
        let (message, sum) = bytes.split_at(BYTES - CHECK_BYTES);
        if bytes[0] != VERSION || check(message) != sum {
            return None;
        }
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            i64::from_be_bytes(number)
        };
        Some(Self { queue: number(1), sequence: number(9), receive: number(17) })
    }
}

/// Tells a handle from made-up text; it is no secret, for a handle grants nothing that the queue
/// does not grant.
fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::digest(bytes);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_handle_says_what_it_was_made_of(queue: i64, sequence: i64, receive: i64) {
            let receipt = Receipt { queue, sequence, receive };
            prop_assert_eq!(Receipt::parse(&receipt.handle()), Some(receipt));
        }

        #[test]
        fn made_up_text_is_no_handle(text: String) {
            prop_assert_eq!(Receipt::parse(&text), None);
        }

        #[test]
        fn a_changed_handle_is_no_handle(queue: i64, sequence: i64, at in 0_usize..40) {
            let handle = Receipt { queue, sequence, receive: 1 }.handle();
            let mut changed = handle.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(Receipt::parse(&String::from_utf8(changed).unwrap()), None);
        }
    }
}
