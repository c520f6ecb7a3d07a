//! Bodies of requests: read whole, within limits of length, time, and memory of all together.
//!
//! A client that is slow costs a server what it has sent so far, for as long as it takes. So the
//! bytes of all bodies count together, from their arrival until their request is answered, but for
//! the first [`FREE`] of each. When there is no more room, whoever has been sending for longest is
//! turned away; so the time that a body may take shrinks as the room does, and a client that sends
//! at the speed of its network is the last to notice. If nobody is sending any more, all that
//! arrived is being worked on, and whoever needs room waits for it.

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Bytes of each body that do not count: most requests are not longer.
const FREE: usize = 16 * 1024;
/// Bytes that are read of a body before others on the same thread have their turn.
const TURN: usize = 128 * 1024;
/// Bytes that are read of a body that is not wanted: a message of the greatest size, in JSON.
const DISCARDED: usize = 2 * 1024 * 1024;
/// How long a body that is not wanted may take to arrive.
const DISCARDING: Duration = Duration::from_secs(2);
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_mins(1);

/// The room that all bodies share.
#[derive(Debug)]
pub struct Bodies {
    /// Bytes of one body at most.
    longest: usize,
    /// Bytes of all bodies at most, at least `longest`.
    room: usize,
    state: Mutex<State>,
    /// There may be room for somebody who waits.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that count.
    taken: usize,
    /// Who is still sending, the one first who has begun first: what it has taken, and how it is
    /// told to give way.
    arriving: BTreeMap<u64, (usize, Arc<Notify>)>,
    begun: u64,
}

/// A whole body.
#[derive(Debug)]
pub struct Received {
    /// The body.
    pub bytes: Bytes,
    /// Its room, kept until the request is answered.
    pub room: Room,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is, or says that it is, longer than one may be.
    TooLong,
    /// It took too long.
    TooSlow,
    /// It had to give way to others.
    NoRoom,
    /// The client has gone, or does not speak HTTP.
    CutOff,
}

impl Bodies {
    /// Bodies of `longest` bytes at most each, and `room` bytes together, or `longest` if that is
    /// more.
    pub fn new(longest: usize, room: usize) -> Arc<Self> {
        let room = room.max(longest);
        Arc::new(Self { longest, room, state: Mutex::default(), freed: Notify::new() })
    }

    /// Bytes of one body at most.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Reads a whole body. `announced`: its length in bytes, as the request announces it.
    pub async fn read(
        self: &Arc<Self>,
        announced: Option<usize>,
        body: Body,
    ) -> Result<Received, Failure> {
        self.read_up_to(self.longest, announced, body).await
    }

    /// Reads a whole body of so many bytes at most.
    pub async fn read_up_to(
        self: &Arc<Self>,
        longest: usize,
        announced: Option<usize>,
        body: Body,
    ) -> Result<Received, Failure> {
        if announced.is_some_and(|length| length > longest) {
            return Err(Failure::TooLong);
        }
        timeout(PATIENCE, self.collect(longest, body)).await.unwrap_or(Err(Failure::TooSlow))
    }

    async fn collect(
        self: &Arc<Self>,
        longest: usize,
        mut body: Body,
    ) -> Result<Received, Failure> {
        let mut room = Room { bodies: Arc::clone(self), bytes: 0, arriving: None };
        // A body that comes at once is not copied.
        let mut first = Bytes::new();
        let mut whole = Vec::new();
        while let Some(bytes) = room.next(&mut body).await? {
            let before = whole.len().max(first.len());
            let length = before + bytes.len();
            if length > longest {
                return Err(Failure::TooLong);
            }
            room.grow(length.saturating_sub(FREE)).await?;
            if first.is_empty() {
                first = bytes;
            } else {
                if whole.is_empty() {
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&bytes);
            }
            if length / TURN > before / TURN {
                tokio::task::yield_now().await;
            }
        }
        room.has_arrived();
        Ok(Received { bytes: if whole.is_empty() { first } else { whole.into() }, room })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Throws away the body of a request that is answered without it. A client that is still sending
/// would lose the answer if the connection were closed at once, so bodies of a usual size are read for
/// a moment, one piece at a time, while the answer is on its way. The connection is closed if that was
/// not all.
pub(super) fn discard(announced: Option<usize>, mut body: Body) {
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

/// What one body takes of the room that all share.
#[derive(Debug)]
pub struct Room {
    bodies: Arc<Bodies>,
    bytes: usize,
    /// While it arrives and counts: its place among those that arrive, and who tells it to give
    /// way.
    arriving: Option<(u64, Arc<Notify>)>,
}

impl Room {
    /// The next bytes of the body, unless it has to give way while it waits for them.
    async fn next(&self, body: &mut Body) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match &self.arriving {
                None => body.frame().await,
                Some((_, give_way)) => tokio::select! {
                    biased;
                    () = give_way.notified() => return Err(Failure::NoRoom),
                    frame = body.frame() => frame,
                },
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => return Ok(None),
                Some(Err(_)) => return Err(Failure::CutOff),
                Some(Ok(Ok(bytes))) if !bytes.is_empty() => return Ok(Some(bytes)),
                // Trailers, or nothing.
                Some(Ok(_)) => {}
            }
        }
    }

    /// Takes room for this many bytes in all.
    async fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        let mut waited = false;
        while bytes > self.bytes {
            if self.take(bytes)? {
                if waited {
                    // There may be room for one more.
                    self.bodies.freed.notify_one();
                }
                return Ok(());
            }
            waited = true;
            let Some((_, give_way)) = &self.arriving else { return Err(Failure::NoRoom) };
            tokio::select! {
                biased;
                () = give_way.notified() => return Err(Failure::NoRoom),
                () = self.bodies.freed.notified() => {}
            }
        }
        Ok(())
    }

    /// Takes room if there is any, or whoever has been sending for longest makes it. Tells whether
    /// that was enough.
    fn take(&mut self, bytes: usize) -> Result<bool, Failure> {
        let bodies = &self.bodies;
        let mut state = bodies.state();
        let (place, give_way) = self.arriving.get_or_insert_with(|| {
            state.begun += 1;
            (state.begun, Arc::default())
        });
        let more = bytes - self.bytes;
        if self.bytes > 0 && !state.arriving.contains_key(place) {
            return Err(Failure::NoRoom);
        }
        while state.taken + more > bodies.room {
            // Nobody gives way to who has begun before, but is waited for.
            match state.arriving.first_entry().filter(|oldest| oldest.key() < place) {
                None => return Ok(false),
                Some(oldest) => {
                    let (taken, give_way) = oldest.remove();
                    state.taken -= taken;
                    give_way.notify_one();
                }
            }
        }
        state.taken += more;
        state.arriving.insert(*place, (bytes, Arc::clone(give_way)));
        self.bytes = bytes;
        Ok(true)
    }

    /// From now on it does not have to give way.
    fn has_arrived(&mut self) {
        if let Some((place, _)) = self.arriving.take() {
            // Who was told to give way, and arrived nevertheless, takes its room back.
            let mut state = self.bodies.state();
            if self.bytes > 0 && state.arriving.remove(&place).is_none() {
                state.taken += self.bytes;
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut state = self.bodies.state();
        let is_counted = match &self.arriving {
            Some((place, _)) => state.arriving.remove(place).is_some(),
            None => true,
        };
        if is_counted {
            state.taken -= self.bytes;
        }
        drop(state);
        self.bodies.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            tokio::time::timeout(2 * DISCARDING, send.closed()).await.unwrap();
        }
    }

    use futures_util::StreamExt;
    use futures_util::stream;
    use std::convert::Infallible;
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    const KIB: usize = 1024;

    /// A client that sends when the test says so.
    struct Client {
        send: mpsc::UnboundedSender<Bytes>,
        received: JoinHandle<Result<Received, Failure>>,
    }

    impl Client {
        fn begin(bodies: &Arc<Bodies>) -> Self {
            let (send, wire) = mpsc::unbounded_channel::<Bytes>();
            let pieces = stream::unfold(wire, |mut wire| async {
                let bytes = wire.recv().await?;
                Some((Ok::<_, Infallible>(bytes), wire))
            });
            let body = Body::from_stream(pieces.boxed());
            let bodies = Arc::clone(bodies);
            let received = tokio::spawn(async move { bodies.read(None, body).await });
            Self { send, received }
        }

        /// Sends so much, and lets the server read it.
        async fn send(&self, bytes: usize) {
            // Nobody reads what a client sends that had to give way.
            drop(self.send.send(vec![b'x'; bytes].into()));
            settle().await;
        }

        async fn end(self) -> Result<Received, Failure> {
            drop(self.send);
            self.received.await.unwrap()
        }
    }

    /// Everything happens that can happen before time passes.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    fn taken(bodies: &Bodies) -> usize {
        bodies.state().taken
    }

    #[tokio::test]
    async fn while_a_large_body_comes_without_a_pause_others_have_their_turns() {
        let pieces = std::iter::repeat_n(Bytes::from(vec![b'x'; 64 * KIB]), 128);
        let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
        let bodies = Bodies::new(128 * 64 * KIB, 0);
        let reading = tokio::spawn(async move { bodies.read(None, body).await.unwrap().bytes });
        let mut turns = 0;
        while !reading.is_finished() {
            tokio::task::yield_now().await;
            turns += 1;
        }
        assert_eq!(reading.await.unwrap().len(), 128 * 64 * KIB);
        assert!(turns >= 32, "{turns}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_in_pieces_and_whole() {
        let bodies = Bodies::new(100 * KIB, 0);
        for pieces in [&[][..], &[5], &[10, 0, 20], &[60 * KIB, 40 * KIB]] {
            let client = Client::begin(&bodies);
            for piece in pieces {
                client.send(*piece).await;
            }
            let received = client.end().await.unwrap();
            let length = pieces.iter().sum::<usize>();
            assert_eq!(received.bytes, vec![b'x'; length]);
            assert_eq!(taken(&bodies), length.saturating_sub(FREE));
        }
        assert_eq!(taken(&bodies), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_long_is_refused_however_it_is_announced() {
        let bodies = Bodies::new(100 * KIB, 0);
        let announced = bodies.read(Some(100 * KIB + 1), Body::empty()).await;
        assert_eq!(announced.unwrap_err(), Failure::TooLong);
        let client = Client::begin(&bodies);
        client.send(99 * KIB).await;
        client.send(2 * KIB).await;
        assert_eq!(client.end().await.unwrap_err(), Failure::TooLong);
        assert_eq!(taken(&bodies), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_given_up_in_time() {
        let bodies = Bodies::new(100 * KIB, 0);
        let client = Client::begin(&bodies);
        client.send(50 * KIB).await;
        assert_eq!(client.received.await.unwrap().unwrap_err(), Failure::TooSlow);
        assert_eq!(taken(&bodies), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn without_room_whoever_has_been_sending_for_longest_gives_way() {
        let room = 100 * KIB;
        let bodies = Bodies::new(room, room);
        let slow = [Client::begin(&bodies), Client::begin(&bodies), Client::begin(&bodies)];
        for client in &slow {
            client.send(FREE + 30 * KIB).await;
        }
        assert_eq!(taken(&bodies), 90 * KIB);

        let quick = Client::begin(&bodies);
        quick.send(FREE + 40 * KIB).await;
        let quick = quick.end().await.unwrap();
        assert_eq!(taken(&bodies), 100 * KIB);
        let [first, second, third] = slow;
        assert_eq!(first.end().await.unwrap_err(), Failure::NoRoom);
        // The oldest waits, until somebody else needs room.
        second.send(KIB).await;
        assert!(!second.received.is_finished());
        third.send(KIB).await;
        assert_eq!(second.received.await.unwrap().unwrap_err(), Failure::NoRoom);
        assert!(third.end().await.is_ok());
        drop(quick);
        assert_eq!(taken(&bodies), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_has_arrived_whoever_needs_room_waits_for_it() {
        let room = 100 * KIB;
        let bodies = Bodies::new(room, room);
        let mut worked_on = Vec::new();
        for _ in 0..2 {
            let client = Client::begin(&bodies);
            client.send(FREE + 50 * KIB).await;
            worked_on.push(client.end().await.unwrap());
        }
        let waiting = [Client::begin(&bodies), Client::begin(&bodies)];
        for client in &waiting {
            client.send(FREE + 20 * KIB).await;
        }
        assert_eq!(taken(&bodies), 100 * KIB);
        // What one leaves is enough for both.
        worked_on.pop();
        settle().await;
        assert_eq!(taken(&bodies), 90 * KIB);
        for client in waiting {
            assert!(client.end().await.is_ok());
        }
        drop(worked_on);
        assert_eq!(taken(&bodies), 0);
    }
}
