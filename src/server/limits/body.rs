//! Bodies of requests: read whole, within limits of length, time, and memory.

use super::connections::Slot;
use crate::domain::{Kind, Refusal};
use crate::runtime::memory::{Charge, Memory, Stage, Tally, no_memory};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a body may take to arrive.
pub const LONGEST: Duration = Duration::from_mins(1);
/// Values in a JSON body: elements of lists and members of objects. A small value takes many times its
/// bytes once it is decoded. A form has 4,096 parameters at most; no call has as many.
pub const VALUES: usize = 16_384;
/// Bytes of a body for which nothing is charged: its connection is charged for them.
const FREE: usize = 16 * 1024;
/// Bytes that are read of a body before others on the same thread have their turn.
const TURN: usize = 128 * 1024;
/// Bytes that are read of a body that is not wanted: a message of the greatest size, in JSON.
const DISCARDED: usize = 2 * 1024 * 1024;
/// How long a body that is not wanted may take to arrive.
const DISCARDING: Duration = Duration::from_secs(2);
/// Bytes that the values of a body take at most, once they are decoded, beside a copy of the body.
const DECODED_VALUES: usize = 4 * 1024 * 1024;

/// The limits for bodies.
#[derive(Debug)]
pub struct Bodies {
    /// Bytes of one body at most.
    pub longest: usize,
    /// The memory that they are charged to.
    pub memory: Arc<Memory>,
}

/// A whole body, and its charge until the request is answered.
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

    /// Waits for the memory that decoding this takes. Refused if there is none in time, or if the body
    /// is JSON with too many values.
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
    /// Returns limits for bodies of so many bytes, or of a quarter of the memory if that is less.
    pub fn new(longest: usize, memory: Arc<Memory>) -> Self {
        Self { longest: longest.min(memory.capacity() / 4), memory }
    }

    /// Reads a whole body of `longest` bytes at most. `announced`: its length, as the head has it;
    /// `slot`: of its connection.
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
        // Most bodies have come with their heads, and need no clock.
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
        // Boxed, so that calls with small bodies do not carry the size of it.
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
        // Bodies wait for all of their memory, not each for the rest of it. Waiting is not their clients'
        // fault, so they are not evicted meanwhile.
        let expected = announced.unwrap_or_default().max(first.len()).min(longest);
        while !charge.reserve(expected).await {}
        if body.is_end_stream() && first.len() <= longest {
            return Ok(Received { bytes: first, charge: Some(charge) });
        }
        let _waits = slot.map(Slot::wait_for_client);
        // Memory that nothing was written to is not in use.
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

/// Returns the next bytes of a body; none at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        match body.frame().await.map(|frame| frame.map(Frame::into_data)) {
            None => return Ok(None),
            Some(Err(_)) => {
                return Err(Refusal::new(Kind::MalformedInput, "The request's body is cut off."));
            }
            Some(Ok(Ok(bytes))) if !bytes.is_empty() => return Ok(Some(bytes)),
            // Trailers, or nothing.
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

/// Returns whether JSON has more than [`VALUES`] values. What is no JSON is counted as if it were.
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

/// Throws away the body of a request that is answered without it. A client that is still sending
/// would lose the answer if the connection were closed at once, so bodies of a usual size are read for
/// a moment, one piece at a time, while the answer is on its way. The connection is closed if that was
/// not all.
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
    // It ends with the connection, so there are no more of them than connections.
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

    /// A body that comes in these pieces, one a second.
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

        // One that does not go on is given up, and one that is too long is not begun.
        for announced in [None, Some(DISCARDED + 1)] {
            let (send, wire) = mpsc::channel::<Bytes>(1);
            discard(announced, stream(wire));
            timeout(2 * DISCARDING, send.closed()).await.unwrap();
        }
    }
}
