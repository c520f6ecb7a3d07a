//! The stream of a connection: charges what it reads, and records whether its client reads
//! responses.
//!
//! hyper reads up to [`HEAD_BYTES`] ahead, into buffers that double. The charge of a connection
//! covers a request of up to [`FREE`] bytes. For a larger one the whole buffer is charged before
//! more is read; while there is no memory for it, nothing is read.

use super::HEAD_BYTES;
use super::connections::Slot;
use crate::runtime::memory::{Charge, Memory, Stage};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The bytes of a request that are free of charge.
const FREE: usize = 16 * 1024;
/// The bytes that the buffer of a larger request needs.
const BUFFER: usize = 2 * HEAD_BYTES;
/// Time between two attempts to get memory.
const PAUSE: Duration = Duration::from_millis(50);

/// The stream of a connection.
#[derive(Debug)]
pub struct ClientIo {
    stream: TcpStream,
    slot: Arc<Slot>,
    charge: Charge,
    /// Bytes read since the last response.
    read: usize,
    answered: u32,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether a response waits for the client to read it.
    is_writing: bool,
}

impl ClientIo {
    /// Returns the stream of a newly accepted connection.
    pub fn new(stream: TcpStream, slot: Arc<Slot>, memory: &Arc<Memory>) -> Self {
        let charge = memory.charge(Stage::Arriving, &slot.tally);
        Self { stream, slot, charge, read: 0, answered: 0, pause: None, is_writing: false }
    }

    /// Completes when there is memory for more bytes of a large request.
    fn poll_memory(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let answered = self.slot.answered();
        if answered != self.answered {
            (self.answered, self.read) = (answered, 0);
            self.charge.set(0);
            return Poll::Ready(());
        }
        while self.charge.bytes() == 0 && !self.charge.try_set(BUFFER) {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        Poll::Ready(())
    }

    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending if !self.is_writing => {
                self.is_writing = true;
                self.slot.set_writing(true);
            }
            Poll::Ready(Ok(bytes)) if self.is_writing => self.slot.has_moved(*bytes),
            _ => {}
        }
        written
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read > FREE {
            ready!(self.poll_memory(context));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.read += buffer.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Records that everything has been written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_writing {
            self.is_writing = false;
            self.slot.set_writing(false);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
