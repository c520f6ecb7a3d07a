//! Request bodies: read as a whole, within limits of length, time, and memory.

use super::connections::Slot;
use crate::domain::{Kind, Refusal};
use crate::runtime::memory::{Charge, Memory, Stage, Tally, no_memory};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The longest time until a body has arrived.
pub const LONGEST: Duration = Duration::from_mins(1);
/// The most values in a JSON body: elements of lists and members of objects. A decoded small value
/// needs many times its bytes. A form has at most 4,096 parameters, and no call needs as many.
pub const VALUES: usize = 16_384;
/// The bytes of a body that are free of charge: the charge of its connection covers them.
const FREE: usize = 16 * 1024;
/// The bytes of a body that are read before other tasks on the same thread get a turn.
const TURN: usize = 128 * 1024;
/// The bytes of an unwanted body that are read: a message of the maximum size, in JSON.
const DISCARDED: usize = 2 * 1024 * 1024;
/// The longest time until an unwanted body has arrived.
const DISCARDING: Duration = Duration::from_secs(2);
/// The most bytes that the values of a decoded body need, besides a copy of the body.
const DECODED_VALUES: usize = 4 * 1024 * 1024;

/// The limits of bodies.
#[derive(Debug)]
pub struct Bodies {
    /// The most bytes of one body.
    pub longest: usize,
    /// The budget that bodies are charged to.
    pub memory: Arc<Memory>,
}

/// A whole body, and its charge until the response is complete.
#[derive(Debug)]
pub struct Received {
    /// The body.
    pub bytes: Bytes,
    charge: Option<Charge>,
}

impl Received {
    /// Returns an empty body.
    pub fn empty() -> Self {
        Self { bytes: Bytes::new(), charge: None }
    }

    /// Waits for the memory that decoding this body needs. Rejects if there is none in time, or if
    /// the body is JSON with too many values.
    pub async fn allow_decoding(&mut self, is_json: bool) -> Result<(), Refusal> {
        let Some(charge) = &mut self.charge else { return Ok(()) };
        if is_json && has_too_many_values(&self.bytes) {
            let message = format!("The request has more than {VALUES} values.");
            return Err(Refusal::new(Kind::Serialization, message));
        }
        charge.advance(Stage::Working);
        let length = self.bytes.len();
        let decoded = 2 * length + (8 * length).min(DECODED_VALUES);
        if charge.reserve(charge.bytes() + decoded).await { Ok(()) } else { Err(no_memory()) }
    }
}

impl Bodies {
    /// Returns limits for bodies of at most `longest` bytes, or of a quarter of the memory if that
    /// is less.
    pub fn new(longest: usize, memory: Arc<Memory>) -> Self {
        Self { longest: longest.min(memory.capacity() / 4), memory }
    }

    /// Reads a whole body of at most `longest` bytes. `announced` is its length by the head; `slot`
    /// is that of its connection.
    pub async fn read(
        &self,
        longest: usize,
        announced: Option<usize>,
        body: Body,
        slot: Option<&Slot>,
    ) -> Result<Received, Refusal> {
        let longest = longest.min(self.longest);
        if announced.is_some_and(|length| length > longest) {
            return Err(too_long(longest));
        }
        let mut body = body;
        // Most bodies arrive with their heads, and need no timer.
        let at_once = futures_util::FutureExt::now_or_never(next(&mut body));
        let first = if let Some(first) = at_once {
            first?
        } else {
            let waits = slot.map(Slot::wait_for_client);
            let first = timeout(LONGEST, next(&mut body)).await.map_err(|_| too_slow())?;
            drop(waits);
            first?
        };
        let Some(first) = first else { return Ok(Received::empty()) };
        if body.is_end_stream() && first.len() <= FREE.min(longest) {
            return Ok(Received { bytes: first, charge: None });
        }
        // The future is boxed, so that calls with small bodies do not carry its size.
        let rest = Box::pin(self.read_rest(longest, announced, first, body, slot));
        timeout(LONGEST, rest).await.map_err(|_| too_slow())?
    }

    async fn read_rest(
        &self,
        longest: usize,
        announced: Option<usize>,
        first: Bytes,
        mut body: Body,
        slot: Option<&Slot>,
    ) -> Result<Received, Refusal> {
        let of = slot.map_or_else(Arc::<Tally>::default, |slot| Arc::clone(&slot.tally));
        let charge = self.memory.charge(Stage::Arriving, &of);
        // A body waits for all of its memory at once, so that bodies do not wait for each other.
        // The wait is not the client's fault, so its connection cannot be evicted meanwhile.
        let expected = announced.unwrap_or_default().max(first.len()).min(longest);
        while !charge.reserve(expected).await {}
        if body.is_end_stream() && first.len() <= longest {
            return Ok(Received { bytes: first, charge: Some(charge) });
        }
        let _waits = slot.map(Slot::wait_for_client);
        // Memory that was never written to is not in use.
        let (mut whole, mut next_turn) = (Vec::with_capacity(expected), TURN);
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            let length = whole.len() + bytes.len();
            if length > longest {
                return Err(too_long(longest));
            }
            if length > whole.capacity() {
                let capacity = (2 * length).min(longest);
                while !charge.reserve(capacity).await {}
                whole.reserve_exact(capacity - whole.len());
            }
            whole.extend_from_slice(&bytes);
            if let Some(slot) = slot {
                slot.has_moved(bytes.len());
            }
            if length > next_turn {
                next_turn = length + TURN;
                tokio::task::yield_now().await;
            }
            piece = next(&mut body).await?;
        }
        Ok(Received { bytes: whole.into(), charge: Some(charge) })
    }
}

/// Returns the next bytes of a body, or `None` at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        match body.frame().await.map(|frame| frame.map(Frame::into_data)) {
            None => return Ok(None),
            Some(Err(_)) => {
                return Err(Refusal::new(Kind::MalformedInput, "The request's body is cut off."));
            }
            Some(Ok(Ok(bytes))) if !bytes.is_empty() => return Ok(Some(bytes)),
            // The frame contains trailers, or nothing.
            Some(Ok(_)) => {}
        }
    }
}

fn too_long(longest: usize) -> Refusal {
    let message = format!("The request is larger than this server accepts: {longest} bytes.");
    Refusal::new(Kind::RequestTooLarge, message)
}

fn too_slow() -> Refusal {
    Refusal::new(Kind::MalformedInput, "The request's body took too long.")
}

/// Returns whether JSON has more than [`VALUES`] values. Invalid JSON is counted in the same way.
fn has_too_many_values(json: &[u8]) -> bool {
    let (mut values, mut in_string, mut is_escaped) = (0, false, false);
    for byte in json {
        if in_string {
            in_string = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
        } else {
            in_string = *byte == b'"';
            values += usize::from(matches!(byte, b',' | b'[' | b'{'));
        }
    }
    values > VALUES
}

/// Discards the body of a request that is answered without it. A client that is still sending would
/// lose the response if the connection were closed at once, so bodies of a usual size are read for
/// a moment, one piece at a time, while the response is sent. The connection is closed if more
/// follows.
pub fn discard(announced: Option<usize>, mut body: Body) {
    if body.is_end_stream() || announced.is_some_and(|length| length > DISCARDED) {
        return;
    }
    let discarding = async move {
        let mut left = DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    // The task ends with the connection, so there are at most as many tasks as connections.
    tokio::spawn(timeout(DISCARDING, discarding));
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;
    use tokio::sync::mpsc;
    use tokio::time::sleep;

    const KIB: usize = 1024;

    fn bodies(longest: usize) -> Bodies {
        Bodies::new(longest, Memory::new(1024 * KIB))
    }

    /// Returns a body that arrives in these pieces, one a second.
    fn pieces(lengths: &[usize]) -> Body {
        let lengths: Vec<usize> = lengths.to_vec();
        Body::from_stream(stream::unfold(lengths.into_iter(), |mut rest| async {
            let length = rest.next()?;
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; length])), rest))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_whole_within_its_limits() {
        let bodies = bodies(100 * KIB);
        for (lengths, announced, kind) in [
            (&[][..], Some(0), None),
            (&[5], Some(5), None),
            (&[10, 0, 20], None, None),
            (&[60 * KIB, 40 * KIB], Some(100 * KIB), None),
            (&[60 * KIB, 41 * KIB], None, Some(Kind::RequestTooLarge)),
            (&[], Some(100 * KIB + 1), Some(Kind::RequestTooLarge)),
            (&[1; 70], Some(70), Some(Kind::MalformedInput)),
        ] {
            let read = bodies.read(usize::MAX, announced, pieces(lengths), None).await;
            match (read, kind) {
                (Ok(received), None) => {
                    assert_eq!(received.bytes, vec![b'x'; lengths.iter().sum()]);
                }
                (Err(refusal), Some(kind)) => assert_eq!(refusal.kind, kind, "{lengths:?}"),
                (read, kind) => panic!("{lengths:?}: {read:?} instead of {kind:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_for_memory_until_another_request_is_answered() {
        let bodies = bodies(256 * KIB);
        let body = || pieces(&[128 * KIB, 128 * KIB]);
        let read = || bodies.read(usize::MAX, Some(256 * KIB), body(), None);
        let (first, second) = tokio::join!(read(), read());
        let (first, _second) = (first.unwrap(), second.unwrap());
        let answers = async {
            sleep(Duration::from_secs(20)).await;
            drop(first);
        };
        let (third, ()) = tokio::join!(read(), answers);
        assert_eq!(third.unwrap().bytes.len(), 256 * KIB);
    }

    #[tokio::test]
    async fn while_a_large_body_comes_without_a_pause_other_tasks_have_their_turns() {
        let pieces = std::iter::repeat_n(Bytes::from(vec![b'x'; 64 * KIB]), 128);
        let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
        let bodies = Bodies::new(128 * 64 * KIB, Memory::new(64 * 1024 * KIB));
        let reading = tokio::spawn(async move { bodies.read(usize::MAX, None, body, None).await });
        let mut turns = 0;
        while !reading.is_finished() {
            tokio::task::yield_now().await;
            turns += 1;
        }
        assert!(turns >= 32, "{turns}");
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        let list = |count: usize, value: &str| {
            format!("[{}{value}]", format!("{value},").repeat(count - 1))
        };
        assert!(!has_too_many_values(list(VALUES, "1").as_bytes()));
        assert!(has_too_many_values(list(VALUES + 1, "1").as_bytes()));
        let text = r#"",,[{\",""#;
        assert!(!has_too_many_values(list(VALUES, text).as_bytes()));
        assert!(!has_too_many_values(format!("\"{}\"", ",".repeat(2 * VALUES)).as_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_not_wanted_is_read_within_bounds() {
        let stream = |mut wire: mpsc::Receiver<Bytes>| {
            let pieces = stream::poll_fn(move |context| {
                wire.poll_recv(context).map(|piece| piece.map(Ok::<_, Infallible>))
            });
            Body::from_stream(pieces)
        };
        let (send, wire) = mpsc::channel(1);
        discard(None, stream(wire));
        let piece = Bytes::from(vec![0; 64 * KIB]);
        let mut taken = 0;
        while send.send(piece.clone()).await.is_ok() {
            taken += piece.len();
        }
        assert!((DISCARDED..DISCARDED + 4 * piece.len()).contains(&taken), "{taken} bytes");

        // A stalled body is given up, and one that is too long is never read.
        for announced in [None, Some(DISCARDED + 1)] {
            let (send, wire) = mpsc::channel::<Bytes>(1);
            discard(announced, stream(wire));
            timeout(2 * DISCARDING, send.closed()).await.unwrap();
        }
    }
}
