//! Outcomes of deliveries: counted for the metrics, and logged for topics with delivery status logging and for
//! messages that were not delivered.

use crate::domain::sns_endpoint::without_secrets;
use crate::store::{DeliveryStatus, Effect, Observer};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Numbers of deliveries since the start, by protocol and success.
#[derive(Debug, Default)]
pub struct DeliveryLog(Mutex<BTreeMap<(&'static str, bool), u64>>);

impl DeliveryLog {
    /// Returns the current numbers.
    pub fn counts(&self) -> BTreeMap<(&'static str, bool), u64> {
        self.0.lock().clone()
    }
}

impl Observer for DeliveryLog {
    fn committed(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Delivered { protocol, success, count } => {
                    let mut counts = self.0.lock();
                    *counts.entry((protocol.name(), *success)).or_default() += count;
                }
                Effect::DeliveryStatus(status) => log(status),
                _ => {}
            }
        }
    }
}

fn log(status: &DeliveryStatus) {
    let message_id = status.message_id.map(|id| id.to_string()).unwrap_or_default();
    let DeliveryStatus { subscription_arn, protocol, endpoint, attempts, .. } = status;
    let (protocol, endpoint) = (protocol.name(), &*without_secrets(endpoint));
    match &status.failure {
        None => {
            tracing::info!(subscription_arn, message_id, protocol, endpoint, attempts, "delivered");
        }
        Some(reason) => tracing::warn!(
            subscription_arn,
            message_id,
            protocol,
            endpoint,
            attempts,
            reason,
            dead_letter_queue = status.dead_letter_queue,
            "not delivered"
        ),
    }
}
