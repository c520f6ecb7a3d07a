//! The links in messages to subscribers. AWS percent-encodes nothing in them.
//!
//! A base is a scheme and a host, without a trailing slash.

/// Returns the link with which the owner of an endpoint confirms a subscription.
pub fn subscribe_url(base: &str, topic_arn: &str, token: &str) -> String {
    format!("{base}/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}")
}

/// Returns the link with which a subscriber ends a subscription.
pub fn unsubscribe_url(base: &str, subscription_arn: &str) -> String {
    format!("{base}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}")
}

/// Returns the link to the signing certificate with this file name.
pub fn certificate_url(base: &str, file_name: &str) -> String {
    format!("{base}/{file_name}")
}
