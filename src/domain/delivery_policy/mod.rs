//! When a failed delivery is tried again: the DeliveryPolicy documents of topics and subscriptions,
//! and the schedules that SNS has for endpoints without such a policy.
//!
//! AWS page: "Amazon SNS message delivery retries". A document is read once, here: what comes out
//! keeps every limit, so that nothing after it has to check again. The members of a document that is
//! shown have AWS's order, whatever order they were given in. The empty text, which removes a
//! policy, is the caller's to see.

#[cfg(test)]
mod tests;

use super::json_object::JsonObject;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest time that the retries of an HTTP policy may take together.
const LONGEST_HTTP_RETRIES: Duration = Duration::from_hours(1);
/// Seconds of `minDelayTarget` and `maxDelayTarget` at most.
const MAX_DELAY: u32 = 3600;
/// `numRetries` at most.
const MAX_RETRIES: u32 = 100;
const DEFAULT_CONTENT_TYPE: &str = "text/plain; charset=UTF-8";
/// What an envelope may be sent as, and therefore what a topic may ask for.
const ENVELOPE_CONTENT_TYPES: [&str; 2] = ["application/json", "text/plain"];
/// What else a subscription with raw message delivery may ask for.
const RAW_CONTENT_TYPES: [&str; 10] = [
    "application/atom+xml",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/xml",
];

/// The DeliveryPolicy of a topic. The default is that of a topic which has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicDeliveryPolicy {
    #[serde(rename = "defaultHealthyRetryPolicy", skip_serializing_if = "Option::is_none")]
    healthy: Option<RetryPolicy>,
    #[serde(rename = "defaultSicklyRetryPolicy", skip_serializing_if = "Option::is_none")]
    sickly: Option<RetryPolicy>,
    #[serde(rename = "disableSubscriptionOverrides")]
    disable_subscription_overrides: bool,
    #[serde(rename = "defaultThrottlePolicy", skip_serializing_if = "Option::is_none")]
    throttle: Option<ThrottlePolicy>,
    #[serde(rename = "defaultRequestPolicy", skip_serializing_if = "Option::is_none")]
    request: Option<RequestPolicy>,
}

impl TopicDeliveryPolicy {
    /// Reads the attribute: `{"http":{…}}`. Refused with the text that follows "DeliveryPolicy: ".
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut document = JsonObject::parse(text)?;
        let policy = document.section("http", Self::read)?.unwrap_or_default();
        end(&document)?;
        Ok(policy)
    }

    fn read(mut http: JsonObject) -> Result<Self, String> {
        let policy = Self {
            healthy: http.section("defaultHealthyRetryPolicy", RetryPolicy::read)?,
            sickly: http.section("defaultSicklyRetryPolicy", RetryPolicy::read)?,
            disable_subscription_overrides: http.flag("disableSubscriptionOverrides")?,
            throttle: http.section("defaultThrottlePolicy", ThrottlePolicy::read)?,
            request: http.section("defaultRequestPolicy", RequestPolicy::read)?,
        };
        end(&http)?;
        match policy.request.as_ref().and_then(|request| request.header_content_type.as_deref()) {
            Some(content_type) if !is_for_envelopes(content_type) => {
                Err("http.defaultRequestPolicy.headerContentType is not supported".to_owned())
            }
            _ => Ok(policy),
        }
    }

    /// What GetTopicAttributes shows as DeliveryPolicy: what was set, without null members.
    pub fn shown(&self) -> String {
        to_json(&serde_json::json!({ "http": self }))
    }

    /// What GetTopicAttributes shows as EffectiveDeliveryPolicy: defaults where nothing was set.
    pub fn effective_text(&self) -> String {
        let effective = Self {
            healthy: Some(self.healthy.unwrap_or_default().complete()),
            request: Some(self.request.clone().unwrap_or_default().complete()),
            ..self.clone()
        };
        effective.shown()
    }
}

/// The DeliveryPolicy of a subscription. The default is that of a subscription which has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SubscriptionDeliveryPolicy {
    #[serde(rename = "healthyRetryPolicy")]
    healthy: Option<RetryPolicy>,
    #[serde(rename = "sicklyRetryPolicy")]
    sickly: Option<RetryPolicy>,
    #[serde(rename = "throttlePolicy")]
    throttle: Option<ThrottlePolicy>,
    #[serde(rename = "requestPolicy")]
    request: Option<RequestPolicy>,
    guaranteed: bool,
}

impl SubscriptionDeliveryPolicy {
    /// Reads the attribute. Refused with the text that follows "DeliveryPolicy: ".
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut document = JsonObject::parse(text)?;
        let policy = Self {
            healthy: document.section("healthyRetryPolicy", RetryPolicy::read)?,
            sickly: document.section("sicklyRetryPolicy", RetryPolicy::read)?,
            throttle: document.section("throttlePolicy", ThrottlePolicy::read)?,
            request: document.section("requestPolicy", RequestPolicy::read)?,
            guaranteed: document.flag("guaranteed")?,
        };
        end(&document)?;
        Ok(policy)
    }

    /// What GetSubscriptionAttributes shows as DeliveryPolicy: what was set, sections that were not
    /// set as null.
    pub fn shown(&self) -> String {
        to_json(self)
    }

    /// Whether the content type that was set is only for raw message delivery.
    pub fn needs_raw_delivery(&self) -> bool {
        let content_type =
            self.request.as_ref().and_then(|request| request.header_content_type.as_deref());
        content_type.is_some_and(|content_type| !is_for_envelopes(content_type))
    }

    /// What GetSubscriptionAttributes shows as EffectiveDeliveryPolicy.
    pub fn effective_text(&self, topic: Option<&TopicDeliveryPolicy>) -> String {
        to_json(&self.over(topic))
    }

    /// What deliveries to the subscription go by.
    pub fn effective(&self, topic: Option<&TopicDeliveryPolicy>) -> EffectiveDeliveryPolicy {
        let policy = self.over(topic);
        EffectiveDeliveryPolicy {
            retries: policy.healthy.unwrap_or_default().schedule(),
            content_type: policy.request.unwrap_or_default().content_type(),
            max_receives_per_second: policy
                .throttle
                .and_then(|throttle| throttle.max_receives_per_second),
        }
    }

    /// This policy over that of its topic and the defaults, unless the topic forbids overrides.
    fn over(&self, topic: Option<&TopicDeliveryPolicy>) -> Self {
        let none = TopicDeliveryPolicy::default();
        let topic = topic.unwrap_or(&none);
        let this = if topic.disable_subscription_overrides { &Self::default() } else { self };
        let request = this.request.as_ref().or(topic.request.as_ref());
        Self {
            healthy: Some(this.healthy.or(topic.healthy).unwrap_or_default().complete()),
            sickly: this.sickly.or(topic.sickly),
            throttle: this.throttle.or(topic.throttle),
            request: Some(request.cloned().unwrap_or_default().complete()),
            guaranteed: this.guaranteed,
        }
    }
}

/// What deliveries to an http or https subscription go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveDeliveryPolicy {
    /// `healthyRetryPolicy`
    pub retries: RetrySchedule,
    /// `requestPolicy.headerContentType`; a valid header value. Confirmations are always sent as
    /// `text/plain; charset=UTF-8`.
    pub content_type: String,
    /// `throttlePolicy.maxReceivesPerSecond`
    pub max_receives_per_second: Option<u32>,
}

/// When a delivery is tried again. The four phases follow each other: at once, pre-backoff, backoff,
/// post-backoff. No jitter is applied, so that the same failures take the same time again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySchedule {
    immediate: u32,
    pre_backoff: u32,
    backoff: u32,
    post_backoff: u32,
    /// Seconds
    min_delay: u32,
    /// Seconds, at least `min_delay`
    max_delay: u32,
    function: BackoffFunction,
}

impl RetrySchedule {
    /// What sqs, lambda and firehose endpoints get: 100,015 retries in 23 days.
    pub const AWS_MANAGED: Self = Self {
        immediate: 3,
        pre_backoff: 2,
        backoff: 10,
        post_backoff: 100_000,
        min_delay: 1,
        max_delay: 20,
        function: BackoffFunction::Exponential,
    };

    /// What email, sms and application endpoints get: 50 retries in 6 hours.
    pub const CUSTOMER_MANAGED: Self = Self {
        immediate: 0,
        pre_backoff: 2,
        backoff: 10,
        post_backoff: 38,
        min_delay: 10,
        max_delay: 600,
        function: BackoffFunction::Exponential,
    };

    /// How long to wait before this attempt, counted from 1, since the one before has failed. The
    /// first is made at once; none means that the schedule is exhausted.
    pub fn delay_before(&self, attempt: u32) -> Option<Duration> {
        let Some(mut retry) = attempt.checked_sub(2) else { return Some(Duration::ZERO) };
        let min = Duration::from_secs(self.min_delay.into());
        let max = Duration::from_secs(self.max_delay.into());
        for (retries, phase) in [
            (self.immediate, Phase::At(Duration::ZERO)),
            (self.pre_backoff, Phase::At(min)),
            (self.backoff, Phase::Backoff),
            (self.post_backoff, Phase::At(max)),
        ] {
            match retry.checked_sub(retries) {
                Some(rest) => retry = rest,
                None => {
                    return Some(match phase {
                        Phase::At(delay) => delay,
                        Phase::Backoff => self.backoff_delay(retry),
                    });
                }
            }
        }
        None
    }

    /// From the least delay, before the first retry of the phase, to the greatest, before the last.
    fn backoff_delay(&self, retry: u32) -> Duration {
        let (min, max) = (f64::from(self.min_delay), f64::from(self.max_delay));
        let (step, last) = (f64::from(retry), f64::from(self.backoff.saturating_sub(1)));
        let seconds = if last == 0.0 {
            min
        } else {
            match self.function {
                BackoffFunction::Linear => min + (max - min) * step / last,
                // What is added grows by the same amount each time.
                BackoffFunction::Arithmetic => {
                    min + (max - min) * step * (step + 1.0) / (last * (last + 1.0))
                }
                // The delay grows by the same factor each time.
                BackoffFunction::Geometric => min * (max / min).powf(step / last),
                // What is added doubles each time.
                BackoffFunction::Exponential => {
                    min + (max - min) * (step.exp2() - 1.0) / (last.exp2() - 1.0)
                }
            }
        };
        Duration::from_millis((seconds * 1000.0).round() as u64)
    }

    /// How long all retries take together, attempts not counted.
    fn total(&self) -> Duration {
        let min = Duration::from_secs(self.min_delay.into()).saturating_mul(self.pre_backoff);
        let backoff: Duration = (0..self.backoff).map(|retry| self.backoff_delay(retry)).sum();
        let max = Duration::from_secs(self.max_delay.into()).saturating_mul(self.post_backoff);
        min.saturating_add(backoff).saturating_add(max)
    }
}

enum Phase {
    At(Duration),
    Backoff,
}

/// A `healthyRetryPolicy`, within its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryPolicy {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_max_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_no_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_min_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_function: Option<BackoffFunction>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: None,
            num_no_delay_retries: None,
            num_min_delay_retries: None,
            backoff_function: None,
        }
    }
}

impl RetryPolicy {
    /// AWS demands the two delays and the number of retries, though its documentation has defaults
    /// for them: those are for policies that are absent as a whole.
    // Rule (Subscribe, SetSubscriptionAttributes, SetTopicAttributes): a retry policy must have minDelayTarget,
    //   maxDelayTarget and numRetries.
    // Source: reported, triggermesh/aws-event-sources#220
    // Test: src/domain/delivery_policy/tests.rs::refusals_name_the_member
    // Rule (Subscribe, SetSubscriptionAttributes, SetTopicAttributes): minDelayTarget is at least one second.
    // Source: reported, awsdocs/amazon-sns-developer-guide#5
    // Test: tests/recorded/sns-topics.jsonl#sns-delivery-policy-without-delay
    fn read(mut members: JsonObject) -> Result<Self, String> {
        let path = members.path().to_owned();
        let mut required = |name: &str, min, max| {
            let number = members.number(name, min, max)?;
            number.ok_or_else(|| format!("{path}.{name} must be specified"))
        };
        let policy = Self {
            min_delay_target: required("minDelayTarget", 1, MAX_DELAY)?,
            max_delay_target: required("maxDelayTarget", 1, MAX_DELAY)?,
            num_retries: required("numRetries", 0, MAX_RETRIES)?,
            num_max_delay_retries: members.number("numMaxDelayRetries", 0, MAX_RETRIES)?,
            num_no_delay_retries: members.number("numNoDelayRetries", 0, MAX_RETRIES)?,
            num_min_delay_retries: members.number("numMinDelayRetries", 0, MAX_RETRIES)?,
            backoff_function: backoff_function(&mut members)?,
        };
        end(&members)?;
        let phases = [
            policy.num_no_delay_retries,
            policy.num_min_delay_retries,
            policy.num_max_delay_retries,
        ];
        if policy.max_delay_target < policy.min_delay_target {
            return Err(format!(
                "{path}.maxDelayTarget must be greater than or equal to minDelayTarget"
            ));
        }
        if policy.num_retries < phases.into_iter().flatten().sum() {
            return Err(format!(
                "{path}: numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries together must not \
                 exceed numRetries"
            ));
        }
        if policy.schedule().total() > LONGEST_HTTP_RETRIES {
            return Err(format!(
                "{path}: the total retry time must be less than or equal to {} seconds",
                LONGEST_HTTP_RETRIES.as_secs()
            ));
        }
        Ok(policy)
    }

    fn complete(self) -> Self {
        Self {
            num_max_delay_retries: Some(self.num_max_delay_retries.unwrap_or(0)),
            num_no_delay_retries: Some(self.num_no_delay_retries.unwrap_or(0)),
            num_min_delay_retries: Some(self.num_min_delay_retries.unwrap_or(0)),
            backoff_function: Some(self.backoff_function.unwrap_or_default()),
            ..self
        }
    }

    fn schedule(self) -> RetrySchedule {
        let immediate = self.num_no_delay_retries.unwrap_or(0);
        let pre_backoff = self.num_min_delay_retries.unwrap_or(0);
        let post_backoff = self.num_max_delay_retries.unwrap_or(0);
        RetrySchedule {
            immediate,
            pre_backoff,
            backoff: self.num_retries.saturating_sub(immediate + pre_backoff + post_backoff),
            post_backoff,
            min_delay: self.min_delay_target,
            max_delay: self.max_delay_target,
            function: self.backoff_function.unwrap_or_default(),
        }
    }
}

/// `backoffFunction`: how fast the delay grows in the backoff phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum BackoffFunction {
    #[default]
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

/// A `throttlePolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThrottlePolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_receives_per_second: Option<u32>,
}

impl ThrottlePolicy {
    fn read(mut members: JsonObject) -> Result<Self, String> {
        let max_receives_per_second = members.number("maxReceivesPerSecond", 1, u32::MAX)?;
        end(&members)?;
        Ok(Self { max_receives_per_second })
    }
}

/// A `requestPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    header_content_type: Option<String>,
}

impl RequestPolicy {
    fn read(mut members: JsonObject) -> Result<Self, String> {
        let header_content_type = members.text("headerContentType")?;
        end(&members)?;
        match header_content_type {
            Some(text) if !is_supported(&text) => {
                Err(format!("{} is not supported", members.path_of("headerContentType")))
            }
            header_content_type => Ok(Self { header_content_type }),
        }
    }

    fn content_type(self) -> String {
        self.header_content_type.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())
    }

    fn complete(self) -> Self {
        Self { header_content_type: Some(self.content_type()) }
    }
}

fn is_supported(content_type: &str) -> bool {
    let is_header = content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_header
        && (is_for_envelopes(content_type)
            || RAW_CONTENT_TYPES.contains(&media_type(content_type).as_str()))
}

fn is_for_envelopes(content_type: &str) -> bool {
    ENVELOPE_CONTENT_TYPES.contains(&media_type(content_type).as_str())
}

/// A content type without its parameters.
fn media_type(content_type: &str) -> String {
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type[..end].trim().to_ascii_lowercase()
}

fn backoff_function(members: &mut JsonObject) -> Result<Option<BackoffFunction>, String> {
    let Some(name) = members.text("backoffFunction")? else { return Ok(None) };
    let path = members.path_of("backoffFunction");
    serde_json::from_value(name.into())
        .map(Some)
        .map_err(|_| format!("{path} must be one of: linear, arithmetic, geometric, exponential"))
}

/// Refuses a member that has not been read.
fn end(members: &JsonObject) -> Result<(), String> {
    match members.unknown() {
        None => Ok(()),
        Some(name) => Err(format!("Unexpected JSON member: {name}")),
    }
}

/// Numbers, flags and text always become JSON.
fn to_json(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}
