//! What a client can make the server spend.
//!
//! [`connections`] limits how many clients are connected, and ends connections that wait for their
//! clients when their slots or their memory are needed. [`client_io`] charges what is read, and
//! [`body`] reads bodies. Memory is one budget for all of it: [`crate::runtime::memory`].
//!
//! | what | limit | where |
//! |---|---|---|
//! | connections | `--max-connections`, and a half of the memory | [`connections`] |
//! | time for a head, or idle | `--header-timeout` | [`connections`] |
//! | time for a body | [`body::LONGEST`] | [`body`] |
//! | time to take an answer | [`connections::LONGEST_WRITE`] behind [`connections::RATE`] | [`connections`] |
//! | bytes of a head | [`HEAD_BYTES`] | hyper |
//! | bytes of a body | `--max-body-bytes`, and a quarter of the memory | [`body`] |
//! | values in a JSON body | [`body::VALUES`] | [`body`] |
//! | streams of an HTTP/2 connection | [`STREAMS`] | hyper |

pub mod body;
pub mod client_io;
pub mod connections;

/// Bytes of the head of a request at most: of its line and headers together.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
pub const STREAMS: u32 = 32;
/// Bytes that an HTTP/2 connection takes before they are read, of one stream or all.
pub const WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes that every connection is charged: its buffers, the state of a request, a small answer.
pub const CONNECTION_BYTES: usize = 40 * 1024;
