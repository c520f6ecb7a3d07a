//! Deliveries of SNS that arrive at this server.
//!
//! A topic that an endpoint of this server is subscribed to would send to itself for ever, each message
//! making another. What sends the delivery, this server or another that it calls, names itself: the
//! headers of SNS, or its user agent.

// Rule (every operation): a request with a header that SNS adds to its deliveries, or with the user agent of SNS, is
//   refused with AccessDenied, status 403, before its body is read.
// Source: inferred, AWS does not document what its API answers to its own deliveries
// Test: src/server/app.rs::deliveries_of_sns_are_rejected_before_their_bodies

use hyper::Method;
use hyper::header::{HeaderMap, USER_AGENT};

/// What begins the names of the headers that SNS adds.
const HEADERS: &str = "x-amz-sns-";
/// What begins the user agent of SNS.
const AGENT: &[u8] = b"Amazon Simple Notification Service";

/// The sentence of a rejection.
pub const SENTENCE: &str =
    "This is a delivery of SNS. An endpoint of the server itself cannot be subscribed to a topic.";

/// Returns whether a request is a delivery of SNS: a POST, because links in messages are followed by
/// GET, also by those who send the headers of the message on.
pub fn is_delivery(method: &Method, headers: &HeaderMap) -> bool {
    *method != Method::GET
        && (headers.keys().any(|name| name.as_str().starts_with(HEADERS))
            || headers.get_all(USER_AGENT).iter().any(|agent| agent.as_bytes().starts_with(AGENT)))
}
