//! Receipt handles.

use squab::domain::receipt::Receipt;

/// Text is no handle, or the very handle of what it says; and what is in 24 bytes comes back from
/// its handle.
pub fn target(input: &[u8]) {
    if let Some(receipt) = std::str::from_utf8(input).ok().and_then(Receipt::parse) {
        assert_eq!(receipt.handle().as_bytes(), input);
    }
    let mut numbers =
        input.chunks_exact(8).map(|bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
    let mut next = || numbers.next();
    if let (Some(queue), Some(sequence), Some(receive)) = (next(), next(), next()) {
        let receipt = Receipt { queue, sequence, receive };
        assert_eq!(Receipt::parse(&receipt.handle()), Some(receipt));
    }
}
