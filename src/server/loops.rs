//! Detects SNS deliveries that arrive at this server.
//!
//! A topic whose endpoint is this server would send to itself forever, each message causing
//! another. The sender of a delivery, this server or another that it calls, identifies itself by
//! the headers of SNS or its user agent.

// Rule (every operation): a request with a header that SNS adds to its deliveries, or with the user agent of SNS, is
//   refused with AccessDenied, status 403, before its body is read.
// Source: inferred, AWS does not document what its API answers to its own deliveries
// Test: src/server/app.rs::deliveries_of_sns_are_rejected_before_their_bodies

use hyper::Method;
use hyper::header::{HeaderMap, USER_AGENT};

/// The prefix of the headers that SNS adds.
const HEADERS: &str = "x-amz-sns-";
/// The prefix of SNS's user agent.
const AGENT: &[u8] = b"Amazon Simple Notification Service";

/// The message of a rejection.
pub const SENTENCE: &str = "This request is an SNS delivery. Endpoints of the server itself cannot be subscribed to a topic.";

/// Returns whether a request is an SNS delivery. Only a POST is: clients follow links in messages
/// by GET, and may forward the headers of the message.
pub fn is_delivery(method: &Method, headers: &HeaderMap) -> bool {
    *method != Method::GET
        && (headers.keys().any(|name| name.as_str().starts_with(HEADERS))
            || headers.get_all(USER_AGENT).iter().any(|agent| agent.as_bytes().starts_with(AGENT)))
}
