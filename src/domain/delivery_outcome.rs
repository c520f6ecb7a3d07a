//! The outcome of one attempt of a delivery: delivered, to be retried, or failed for good.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>. Server-side
//! errors are retried by the policy of the subscription; client-side errors go to the dead-letter queue
//! at once.

/// The outcome of one attempt. Reasons are short, for logs and dead letters. A status is an HTTP status or
/// an SMTP reply code, `None` without a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint accepted it.
    Delivered {
        /// The status of the response.
        status: u16,
    },
    /// It failed, and may succeed later.
    Retry {
        /// Why it failed.
        reason: String,
        /// The status of the response, if any.
        status: Option<u16>,
    },
    /// It failed, and would fail again.
    Permanent {
        /// Why it failed.
        reason: String,
        /// The status of the response, if any.
        status: Option<u16>,
    },
}

impl Outcome {
    /// Returns the outcome for the status of an HTTP response: 2xx is delivered; 4xx except 429 is final;
    /// everything else is retried. A redirect is not followed and is retried, because sites under
    /// maintenance redirect.
    // Rule (deliveries): 5xx and 429 are retried; other 4xx are permanent.
    // Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
    // Test: src/domain/delivery_outcome.rs::only_the_clients_own_errors_are_final, tests/scenarios/endpoints.txt#What will never succeed is not tried again
    // Rule (deliveries): a redirect is not followed, and is retried.
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

    /// Returns a failure without a response that may succeed later.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), status: None }
    }

    /// Returns a final failure without a response.
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
