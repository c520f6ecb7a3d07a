//! Requests signed in their URL: a line with the query, and a body.

use super::halves;
use hyper::header::{HeaderMap, HeaderValue};

/// No made-up signature is let in.
pub fn target(input: &[u8]) {
    let (query, body) = halves(input);
    let Ok(query) = std::str::from_utf8(query) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost:4566"));
    super::authorization::judge("/000000000000/q", query, &headers, body);
}
