//! Receipt handles.

use squab::domain::receipt::{Receipt, ReceiptKey};

/// A text is no handle of the key, or the one handle of what it names. What is in 24 bytes comes back from
/// its handle.
pub fn target(input: &[u8]) {
    let key = ReceiptKey::new(&[7; 32]);
    if let Some(receipt) = std::str::from_utf8(input).ok().and_then(|text| key.open(text)) {
        assert_eq!(key.handle(receipt).as_bytes(), input);
    }
    let mut numbers =
        input.chunks_exact(8).map(|bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
    let mut next = || numbers.next();
    if let (Some(queue), Some(sequence), Some(receive)) = (next(), next(), next()) {
        let receipt = Receipt { queue, sequence, receive };
        assert_eq!(key.open(&key.handle(receipt)), Some(receipt));
    }
}
