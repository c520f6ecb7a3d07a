//! Delivery policies of topics and subscriptions, on two lines, and replay policies.

use super::halves;
use squab::domain::delivery_policy::{SubscriptionDeliveryPolicy, TopicDeliveryPolicy};
use squab::domain::replay_policy::ReplayPolicy;
use std::time::Duration;

/// What is shown of a policy says the same again, and its retries end within AWS's limits.
pub fn target(input: &[u8]) {
    let (topic, subscription) = halves(input);
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let (topic, subscription) = (text(topic), text(subscription));
    let topic = TopicDeliveryPolicy::parse(topic).ok();
    if let Some(policy) = &topic {
        assert_eq!(TopicDeliveryPolicy::parse(&policy.shown()).as_ref(), Ok(policy));
        let effective = TopicDeliveryPolicy::parse(&policy.effective_text()).unwrap();
        assert_eq!(effective.effective_text(), policy.effective_text());
    }
    if let Ok(policy) = SubscriptionDeliveryPolicy::parse(subscription) {
        assert_eq!(SubscriptionDeliveryPolicy::parse(&policy.shown()).as_ref(), Ok(&policy));
        for topic in [None, topic.as_ref()] {
            let text = policy.effective_text(topic);
            SubscriptionDeliveryPolicy::parse(&text).unwrap();
            let retries = policy.effective(topic).retries;
            let mut together = Duration::ZERO;
            let mut attempt = 1;
            while let Some(delay) = retries.delay_before(attempt) {
                together += delay;
                attempt += 1;
                assert!(attempt <= 102, "{text}");
            }
            assert!(together <= Duration::from_hours(1) + Duration::from_secs(1), "{text}");
        }
    }
    drop(ReplayPolicy::parse(subscription));
}
