//! What became of one attempt to deliver: delivered, worth another attempt, or never to succeed.
//!
//! AWS page: "Amazon SNS message delivery retries". Errors on the server's side are retried by the
//! policy of the subscription; errors on the client's side go straight to the dead-letter queue.

/// The outcome of one attempt. Reasons are one short sentence for logs and dead letters; a status is
/// one of HTTP or a reply code of SMTP, none when no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has taken it.
    Delivered {
        /// What it answered.
        status: u16,
    },
    /// It failed, and may succeed later.
    Retry {
        /// Why it failed.
        reason: String,
        /// What was answered.
        status: Option<u16>,
    },
    /// It failed, and would fail again.
    Permanent {
        /// Why it failed.
        reason: String,
        /// What was answered.
        status: Option<u16>,
    },
}

impl Outcome {
    /// By the status of an HTTP answer: 2xx is delivered; 4xx is the client's error, but for 429,
    /// which asks for patience; everything else is tried again. A redirect is not followed and
    /// counts as a failure that may pass, as those of a site under maintenance do.
    // Rule (deliveries): 5xx and 429 are tried again; other 4xx are permanent.
    // Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
    // Test: src/domain/delivery_outcome.rs::only_the_clients_own_errors_are_final, tests/scenarios/endpoints.txt#What will never succeed is not tried again
    // Rule (deliveries): a redirect is not followed, and is tried again.
    // Source: inferred
    // Test: src/runtime/transport/http.rs::the_status_decides_and_redirects_are_not_followed
    pub fn of_http_status(status: u16) -> Self {
        let reason = format!("the endpoint answered with HTTP status {status}");
        match status {
            200..=299 => Self::Delivered { status },
            429 => Self::Retry { reason, status: Some(status) },
            400..=499 => Self::Permanent { reason, status: Some(status) },
            _ => Self::Retry { reason, status: Some(status) },
        }
    }

    /// A failure without an answer that may pass.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), status: None }
    }

    /// A failure without an answer that will not pass.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into(), status: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clients_own_errors_are_final() {
        for status in [200, 204, 299] {
            assert_eq!(Outcome::of_http_status(status), Outcome::Delivered { status });
        }
        for status in [301, 307, 429, 500, 503, 599, 600] {
            assert!(
                matches!(Outcome::of_http_status(status), Outcome::Retry { status: Some(told), .. } if told == status)
            );
        }
        for status in [400, 401, 404, 408, 499] {
            assert!(
                matches!(Outcome::of_http_status(status), Outcome::Permanent { status: Some(told), .. } if told == status)
            );
        }
    }
}
