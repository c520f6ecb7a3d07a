//! Limits of the resources that a client can use.
//!
//! [`connections`] limits the number of connections, and ends those that wait for their clients
//! when slots or memory are needed. [`client_io`] charges what is read, and [`body`] reads bodies.
//! All of it shares one memory budget: [`crate::runtime::memory`].
//!
//! | what | limit | where |
//! |---|---|---|
//! | connections | `--max-connections`, and half of the memory | [`connections`] |
//! | time for a head, or idle | `--header-timeout` | [`connections`] |
//! | time for a body | [`body::LONGEST`] | [`body`] |
//! | time to read a response | [`connections::LONGEST_WRITE`] behind [`connections::RATE`] | [`connections`] |
//! | bytes of a head | [`HEAD_BYTES`] | hyper |
//! | bytes of a body | `--max-body-bytes`, and a quarter of the memory | [`body`] |
//! | values in a JSON body | [`body::VALUES`] | [`body`] |
//! | streams of an HTTP/2 connection | [`STREAMS`] | hyper |

pub mod body;
pub mod client_io;
pub mod connections;

/// The most bytes in the head of a request, its line and headers together.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Concurrent requests on one HTTP/2 connection.
pub const STREAMS: u32 = 32;
/// The bytes that an HTTP/2 connection buffers before they are read, of one stream or all.
pub const WINDOW_BYTES: u32 = 64 * 1024;
/// The bytes that every connection is charged: its buffers, the state of a request, a small
/// response.
pub const CONNECTION_BYTES: usize = 40 * 1024;
