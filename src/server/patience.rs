//! A connection whose client has to take what it asked for.
//!
//! An answer that nobody reads is kept in memory. A client that leaves one waiting must take
//! [`LEAST`] bytes of it within each [`WINDOW`], or its connection ends; so does that of a client
//! that is not there any more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::places::Place;

/// How long a client may take for [`LEAST`] bytes.
const WINDOW: Duration = Duration::from_secs(30);
/// Bytes, which is some 8 KiB a second: less than any network that is worth waiting for.
const LEAST: usize = 256 * 1024;

/// A connection that does not wait for ever to be written to.
#[derive(Debug)]
pub(super) struct Patient {
    stream: TokioIo<TcpStream>,
    /// Told what the client takes.
    place: Arc<Place>,
    /// While the client leaves something waiting: when the window ends.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Bytes that it has taken in this window.
    taken: usize,
}

impl Patient {
    /// A connection that has just been accepted.
    pub(super) fn new(stream: TcpStream, place: Arc<Place>) -> Self {
        Self { stream: TokioIo::new(stream), place, waiting: None, taken: 0 }
    }

    /// What a write comes to, given what the stream says.
    fn within_the_window(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let Ok(bytes) = written {
                self.taken += bytes;
                self.place.has_taken(bytes);
            }
            return Poll::Ready(written);
        }
        loop {
            let waiting = self.waiting.get_or_insert_with(|| {
                self.taken = 0;
                Box::pin(sleep(WINDOW))
            });
            ready!(waiting.as_mut().poll(context));
            if self.taken < LEAST {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.waiting = None;
        }
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within_the_window(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.within_the_window(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything has been written: nobody waits any more.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::places::Places;
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    async fn connection() -> (Patient, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let place = Places::new(1).enter().1;
        (Patient::new(listener.accept().await.unwrap().0, place), client)
    }

    /// Writes until the system takes no more, and returns how much that was.
    async fn fill(server: &mut Patient) -> usize {
        let (bytes, mut filled) = (vec![0; 64 * 1024], 0);
        poll_fn(|context| {
            loop {
                match Pin::new(&mut *server).poll_write(context, &bytes) {
                    Poll::Ready(written) => filled += written.unwrap(),
                    Poll::Pending => return Poll::Ready(filled),
                }
            }
        })
        .await
    }

    async fn write(server: &mut Patient) -> io::Result<usize> {
        poll_fn(|context| Pin::new(&mut *server).poll_write(context, &[0; 1024])).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (mut server, _client) = connection().await;
        fill(&mut server).await;
        let began = Instant::now();
        assert_eq!(write(&mut server).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), WINDOW.as_secs());
    }

    #[tokio::test]
    async fn who_takes_what_is_there_is_waited_for_anew() {
        let (mut server, mut client) = connection().await;
        let filled = fill(&mut server).await;
        let mut taken = vec![0; filled];
        client.read_exact(&mut taken).await.unwrap();
        assert!(write(&mut server).await.is_ok());
        poll_fn(|context| Pin::new(&mut server).poll_flush(context)).await.unwrap();
        assert!(server.waiting.is_none());
    }
}
