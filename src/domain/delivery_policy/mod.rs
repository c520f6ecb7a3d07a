//! When a failed delivery is tried again: the DeliveryPolicy documents of topics and subscriptions,
//! and the schedules that SNS has for endpoints without such a policy.
//!
//! AWS page: "Amazon SNS message delivery retries". A document is read once, here: what comes out
//! keeps every limit, so that nothing after it has to check again. The members of a document that is
//! shown have AWS's order, whatever order they were given in. The empty text, which removes a
//! policy, is the caller's to see.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

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
        let mut document = Members::read(text)?;
        let http = document.object("http")?;
        document.end()?;
        let Some(mut http) = http else { return Ok(Self::default()) };
        let policy = Self {
            healthy: http.section("defaultHealthyRetryPolicy", RetryPolicy::read)?,
            sickly: http.section("defaultSicklyRetryPolicy", RetryPolicy::read)?,
            disable_subscription_overrides: http.flag("disableSubscriptionOverrides")?,
            throttle: http.section("defaultThrottlePolicy", ThrottlePolicy::read)?,
            request: http.section("defaultRequestPolicy", RequestPolicy::read)?,
        };
        http.end()?;
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
        let mut document = Members::read(text)?;
        let policy = Self {
            healthy: document.section("healthyRetryPolicy", RetryPolicy::read)?,
            sickly: document.section("sicklyRetryPolicy", RetryPolicy::read)?,
            throttle: document.section("throttlePolicy", ThrottlePolicy::read)?,
            request: document.section("requestPolicy", RequestPolicy::read)?,
            guaranteed: document.flag("guaranteed")?,
        };
        document.end()?;
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
    fn read(mut members: Members) -> Result<Self, String> {
        let path = members.path.clone();
        let required = |name: &str, value: Option<u32>| {
            value.ok_or_else(|| format!("{path}.{name} must be specified"))
        };
        let min_delay = members.number("minDelayTarget", 1, MAX_DELAY)?;
        let max_delay = members.number("maxDelayTarget", 1, MAX_DELAY)?;
        let retries = members.number("numRetries", 0, MAX_RETRIES)?;
        let policy = Self {
            min_delay_target: required("minDelayTarget", min_delay)?,
            max_delay_target: required("maxDelayTarget", max_delay)?,
            num_retries: required("numRetries", retries)?,
            num_max_delay_retries: members.number("numMaxDelayRetries", 0, MAX_RETRIES)?,
            num_no_delay_retries: members.number("numNoDelayRetries", 0, MAX_RETRIES)?,
            num_min_delay_retries: members.number("numMinDelayRetries", 0, MAX_RETRIES)?,
            backoff_function: members.backoff_function()?,
        };
        members.end()?;
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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
    fn read(mut members: Members) -> Result<Self, String> {
        let max_receives_per_second = members.number("maxReceivesPerSecond", 1, u32::MAX)?;
        members.end()?;
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
    fn read(mut members: Members) -> Result<Self, String> {
        let header_content_type = members.text("headerContentType")?;
        let path = members.path.clone();
        members.end()?;
        match header_content_type {
            Some(text) if !is_supported(&text) => {
                Err(format!("{path}.headerContentType is not supported"))
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

/// The members of a JSON object that are still to be read, and where the object stands.
struct Members {
    path: String,
    unread: Map<String, Value>,
}

impl Members {
    fn read(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(unread) => Ok(Self { path: String::new(), unread }),
            Err(_) => Err("failed to parse JSON".to_owned()),
        }
    }

    /// Takes a member. One that is null is as good as absent.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.unread.shift_remove(name).filter(|value| !value.is_null())
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn object(&mut self, name: &str) -> Result<Option<Self>, String> {
        let path = self.path_of(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(unread)) => Ok(Some(Self { path, unread })),
            Some(_) => Err(format!("{path} must be a JSON object")),
        }
    }

    fn section<T>(
        &mut self,
        name: &str,
        read: fn(Self) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.object(name)?.map(read).transpose()
    }

    fn number(&mut self, name: &str, min: u32, max: u32) -> Result<Option<u32>, String> {
        let path = self.path_of(name);
        let Some(value) = self.take(name) else { return Ok(None) };
        // What is beyond 64 bits is a float to the parser, and as such no integer.
        let Some(number) = value.as_i64() else {
            return Err(format!("{path} must be an integer"));
        };
        match u32::try_from(number.max(-1)) {
            Ok(number) if number >= min && number <= max => Ok(Some(number)),
            Ok(number) if number >= min => Err(at_most(&path, max)),
            Err(_) if number > 0 => Err(at_most(&path, max)),
            _ => Err(format!("{path} must be greater than or equal to {min}")),
        }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        let path = self.path_of(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{path} must be a string")),
        }
    }

    /// A boolean that is false when absent.
    fn flag(&mut self, name: &str) -> Result<bool, String> {
        let path = self.path_of(name);
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(format!("{path} must be a boolean")),
        }
    }

    fn backoff_function(&mut self) -> Result<Option<BackoffFunction>, String> {
        let path = self.path_of("backoffFunction");
        let Some(name) = self.text("backoffFunction")? else { return Ok(None) };
        match name.as_str() {
            "linear" => Ok(Some(BackoffFunction::Linear)),
            "arithmetic" => Ok(Some(BackoffFunction::Arithmetic)),
            "geometric" => Ok(Some(BackoffFunction::Geometric)),
            "exponential" => Ok(Some(BackoffFunction::Exponential)),
            _ => Err(format!("{path} must be one of: linear, arithmetic, geometric, exponential")),
        }
    }

    /// Refuses what nobody has read.
    fn end(self) -> Result<(), String> {
        match self.unread.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("Unexpected JSON member: {name}")),
        }
    }
}

fn at_most(path: &str, max: u32) -> String {
    format!("{path} must be less than or equal to {max}")
}

/// Numbers, flags and text always become JSON.
fn to_json(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DEFAULTS: &str = concat!(
        r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"#,
        r#""numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"#,
        r#""backoffFunction":"linear"},"disableSubscriptionOverrides":false,"#,
        r#""defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#,
    );

    fn topic(text: &str) -> TopicDeliveryPolicy {
        TopicDeliveryPolicy::parse(text).unwrap()
    }

    fn subscription(text: &str) -> SubscriptionDeliveryPolicy {
        SubscriptionDeliveryPolicy::parse(text).unwrap()
    }

    fn delays(schedule: RetrySchedule) -> Vec<Duration> {
        (2..).map_while(|attempt| schedule.delay_before(attempt)).collect()
    }

    fn seconds(schedule: RetrySchedule) -> Vec<f64> {
        delays(schedule).iter().map(Duration::as_secs_f64).collect()
    }

    /// What AWS has answered: set, shown, effective.
    #[test]
    fn topics_show_what_was_set_and_what_holds() {
        assert_eq!(TopicDeliveryPolicy::default().effective_text(), DEFAULTS);
        let content_type =
            r#"{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}"#;
        let retries = concat!(
            r#"{"http":{"defaultHealthyRetryPolicy":"#,
            r#"{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1}}}"#
        );
        for (set, shown, effective) in [
            (
                content_type,
                concat!(
                    r#"{"http":{"disableSubscriptionOverrides":false,"#,
                    r#""defaultRequestPolicy":{"headerContentType":"application/json"}}}"#
                ),
                DEFAULTS.replace("text/plain; charset=UTF-8", "application/json"),
            ),
            (
                retries,
                concat!(
                    r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"#,
                    r#""maxDelayTarget":6,"numRetries":1},"disableSubscriptionOverrides":false}}"#
                ),
                DEFAULTS.replace(
                    r#""minDelayTarget":20,"maxDelayTarget":20,"numRetries":3"#,
                    r#""minDelayTarget":5,"maxDelayTarget":6,"numRetries":1"#,
                ),
            ),
            (
                r#"{"http":{"defaultHealthyRetryPolicy":null}}"#,
                r#"{"http":{"disableSubscriptionOverrides":false}}"#,
                DEFAULTS.to_owned(),
            ),
        ] {
            assert_eq!(topic(set).shown(), shown);
            assert_eq!(topic(set).effective_text(), effective);
        }
    }

    #[test]
    fn subscriptions_show_absent_sections_as_null() {
        let shown = concat!(
            r#"{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3},"#,
            r#""sicklyRetryPolicy":null,"throttlePolicy":{"maxReceivesPerSecond":1000},"#,
            r#""requestPolicy":null,"guaranteed":false}"#
        );
        assert_eq!(subscription(shown).shown(), shown);
        let effective = concat!(
            r#"{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"#,
            r#""numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"#,
            r#""backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":null,"#,
            r#""requestPolicy":{"headerContentType":"text/plain; charset=UTF-8"},"guaranteed":false}"#
        );
        assert_eq!(subscription("{}").effective_text(None), effective);
    }

    #[test]
    fn a_subscription_overrides_its_topic_section_by_section_unless_forbidden() {
        let of_topic = |overrides_disabled: bool| {
            topic(
                &json!({"http": {
                    "disableSubscriptionOverrides": overrides_disabled,
                    "defaultHealthyRetryPolicy":
                        {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 1},
                    "defaultRequestPolicy": {"headerContentType": "application/json"},
                    "defaultThrottlePolicy": {"maxReceivesPerSecond": 7},
                }})
                .to_string(),
            )
        };
        let own = subscription(
            r#"{"healthyRetryPolicy":{"minDelayTarget":2,"maxDelayTarget":2,"numRetries":2}}"#,
        );
        let effective = own.effective(Some(&of_topic(false)));
        assert_eq!(seconds(effective.retries), [2.0, 2.0]);
        assert_eq!(effective.content_type, "application/json");
        assert_eq!(effective.max_receives_per_second, Some(7));

        let effective = own.effective(Some(&of_topic(true)));
        assert_eq!(seconds(effective.retries), [1.0]);

        let effective = own.effective(None);
        assert_eq!(effective.content_type, "text/plain; charset=UTF-8");
        assert_eq!(effective.max_receives_per_second, None);
        let none = SubscriptionDeliveryPolicy::default().effective(None);
        assert_eq!(seconds(none.retries), [20.0; 3]);
    }

    #[test]
    fn the_phases_follow_each_other() {
        let policy = subscription(
            r#"{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":60,"numRetries":50,
                "numNoDelayRetries":3,"numMinDelayRetries":2,"numMaxDelayRetries":35,
                "backoffFunction":"exponential"}}"#,
        );
        let schedule = policy.effective(None).retries;
        assert_eq!(schedule.delay_before(1), Some(Duration::ZERO));
        let delays = seconds(schedule);
        assert_eq!(delays[..7], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.115]);
        assert_eq!(delays[14..], [60.0; 36]);
        assert_eq!(schedule.delay_before(51), Some(Duration::from_mins(1)));
        assert_eq!(schedule.delay_before(52), None);
        assert_eq!(schedule.delay_before(u32::MAX), None);
    }

    #[test]
    fn each_function_grows_slower_at_first_than_the_one_before() {
        let backoff = |function: &str| {
            let policy = json!({"healthyRetryPolicy": {
                "minDelayTarget": 5, "maxDelayTarget": 260, "numRetries": 10,
                "backoffFunction": function,
            }});
            seconds(subscription(&policy.to_string()).effective(None).retries)
        };
        let functions = ["linear", "arithmetic", "geometric", "exponential"].map(backoff);
        for delays in &functions {
            assert_eq!((delays[0], delays[9], delays.len()), (5.0, 260.0, 10));
        }
        for pair in functions.windows(2) {
            assert!((1..9).all(|retry| pair[1][retry] < pair[0][retry]), "{pair:?}");
        }
        assert_eq!(Duration::from_secs_f64(functions[0][1]).as_millis(), 33_333);
    }

    #[test]
    fn endpoints_without_a_policy_have_schedules_of_their_own() {
        let managed = delays(RetrySchedule::AWS_MANAGED);
        assert_eq!(managed.len(), 100_015);
        assert_eq!(managed.iter().sum::<Duration>().as_secs() / 86_400, 23);
        let delays = delays(RetrySchedule::CUSTOMER_MANAGED);
        assert_eq!(delays.len(), 50);
        assert_eq!(delays.iter().sum::<Duration>().as_secs() / 3600, 6);
        assert_eq!(delays[0], Duration::from_secs(10));
    }

    #[test]
    fn refusals_name_the_member() {
        let with = |name: &str, value: Value| {
            let mut retries = json!({"minDelayTarget": 1, "maxDelayTarget": 2, "numRetries": 3});
            retries[name] = value;
            retries
        };
        for (retries, reason) in [
            (with("minDelayTarget", json!(null)), ".minDelayTarget must be specified"),
            (with("maxDelayTarget", json!(null)), ".maxDelayTarget must be specified"),
            (with("numRetries", json!(null)), ".numRetries must be specified"),
            (
                with("minDelayTarget", json!(0)),
                ".minDelayTarget must be greater than or equal to 1",
            ),
            (
                with("minDelayTarget", json!(-9)),
                ".minDelayTarget must be greater than or equal to 1",
            ),
            (
                with("maxDelayTarget", json!(3601)),
                ".maxDelayTarget must be less than or equal to 3600",
            ),
            (
                with("maxDelayTarget", json!(1_u64 << 40)),
                ".maxDelayTarget must be less than or equal to 3600",
            ),
            (
                with("minDelayTarget", json!(3)),
                ".maxDelayTarget must be greater than or equal to minDelayTarget",
            ),
            (with("numRetries", json!(101)), ".numRetries must be less than or equal to 100"),
            (with("numRetries", json!(1.5)), ".numRetries must be an integer"),
            (with("numRetries", json!("3")), ".numRetries must be an integer"),
            (
                with("numNoDelayRetries", json!(-1)),
                ".numNoDelayRetries must be greater than or equal to 0",
            ),
            (
                with("numMinDelayRetries", json!(4)),
                ": numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries together must not exceed numRetries",
            ),
            (
                with("backoffFunction", json!("cubic")),
                ".backoffFunction must be one of: linear, arithmetic, geometric, exponential",
            ),
            (with("backoffFunction", json!(1)), ".backoffFunction must be a string"),
            (
                json!({"minDelayTarget": 1200, "maxDelayTarget": 1201, "numRetries": 3}),
                ": the total retry time must be less than or equal to 3600 seconds",
            ),
        ] {
            let own = json!({ "healthyRetryPolicy": retries }).to_string();
            let of_topic = json!({"http": {"defaultHealthyRetryPolicy": retries}}).to_string();
            assert_eq!(
                SubscriptionDeliveryPolicy::parse(&own).unwrap_err(),
                format!("healthyRetryPolicy{reason}")
            );
            assert_eq!(
                TopicDeliveryPolicy::parse(&of_topic).unwrap_err(),
                format!("http.defaultHealthyRetryPolicy{reason}")
            );
        }
        for (text, reason) in [
            ("", "failed to parse JSON"),
            ("[]", "failed to parse JSON"),
            (r#"{"http":[]}"#, "http must be a JSON object"),
            (r#"{"https":{}}"#, "Unexpected JSON member: https"),
            (r#"{"http":{"throttlePolicy":{}}}"#, "Unexpected JSON member: throttlePolicy"),
            (
                r#"{"http":{"disableSubscriptionOverrides":"true"}}"#,
                "http.disableSubscriptionOverrides must be a boolean",
            ),
            (
                r#"{"http":{"defaultThrottlePolicy":{"maxReceivesPerSecond":0}}}"#,
                "http.defaultThrottlePolicy.maxReceivesPerSecond must be greater than or equal to 1",
            ),
        ] {
            assert_eq!(TopicDeliveryPolicy::parse(text).unwrap_err(), reason);
        }
        // Exactly an hour is not too long.
        let hour = r#"{"healthyRetryPolicy":{"minDelayTarget":1200,"maxDelayTarget":1200,"numRetries":3}}"#;
        assert_eq!(delays(subscription(hour).effective(None).retries).len(), 3);
    }

    #[test]
    fn only_raw_subscriptions_may_send_more_than_text_and_json() {
        let with = |content_type: &str| json!({ "headerContentType": content_type });
        let own = |content_type| {
            SubscriptionDeliveryPolicy::parse(
                &json!({"requestPolicy": with(content_type)}).to_string(),
            )
        };
        let of_topic = |content_type| {
            let policy = json!({"http": {"defaultRequestPolicy": with(content_type)}});
            TopicDeliveryPolicy::parse(&policy.to_string())
        };
        for envelope in ["application/json", "text/plain", "Text/Plain ; charset=UTF-8"] {
            assert!(!own(envelope).unwrap().needs_raw_delivery());
            assert!(of_topic(envelope).is_ok());
        }
        assert!(own("text/csv").unwrap().needs_raw_delivery());
        assert_eq!(own("text/csv").unwrap().effective(None).content_type, "text/csv");
        assert!(of_topic("text/csv").is_err());
        for unsupported in ["", "image/png", "text/plain\r\nx: y", "text/plain; x=\u{e9}"] {
            assert!(own(unsupported).is_err());
            assert!(of_topic(unsupported).is_err());
        }
    }

    /// A retry policy whose numbers are near its limits, and so often beyond them.
    fn retries() -> impl Strategy<Value = Value> {
        let phase = || prop_oneof![Just(Value::Null), (0..30_u32).prop_map(Value::from)];
        let function =
            prop::sample::select(vec!["linear", "arithmetic", "geometric", "exponential"]);
        (1..200_u32, 0..400_u32, 0..=100_u32, phase(), phase(), phase(), function).prop_map(
            |(min, more, retries, immediate, pre_backoff, post_backoff, function)| {
                json!({
                    "minDelayTarget": min, "maxDelayTarget": min + more, "numRetries": retries,
                    "numNoDelayRetries": immediate, "numMinDelayRetries": pre_backoff,
                    "numMaxDelayRetries": post_backoff, "backoffFunction": function,
                })
            },
        )
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(
            text in ".*",
            members in r#"([\[\]{}:,]|"http"|"healthyRetryPolicy"|"numRetries"|"guaranteed"|-1|true|null|1e400){0,12}"#,
        ) {
            for text in [text, members] {
                let _ = TopicDeliveryPolicy::parse(&text);
                let _ = SubscriptionDeliveryPolicy::parse(&text);
            }
        }

        #[test]
        fn what_is_shown_can_be_set_again(retries in retries(), per_second in 1..9_u32) {
            let throttle = json!({ "maxReceivesPerSecond": per_second });
            let own = json!({ "healthyRetryPolicy": retries, "throttlePolicy": throttle });
            let of_topic = json!({"http":
                {"defaultHealthyRetryPolicy": retries, "defaultThrottlePolicy": throttle}});
            if let Ok(of_topic) = TopicDeliveryPolicy::parse(&of_topic.to_string()) {
                prop_assert_eq!(&topic(&of_topic.shown()), &of_topic);
                let effective = topic(&of_topic.effective_text());
                prop_assert_eq!(effective.effective_text(), of_topic.effective_text());
                let own = subscription(&own.to_string());
                prop_assert_eq!(&subscription(&own.shown()), &own);
                let effective = subscription(&own.effective_text(Some(&of_topic)));
                prop_assert_eq!(effective.effective(None), own.effective(Some(&of_topic)));
            }
        }

        #[test]
        fn a_schedule_has_all_its_retries_in_an_hour(retries in retries()) {
            let text = json!({ "healthyRetryPolicy": retries }).to_string();
            if let Ok(policy) = SubscriptionDeliveryPolicy::parse(&text) {
                let delays = delays(policy.effective(None).retries);
                prop_assert_eq!(delays.len() as u64, retries["numRetries"].as_u64().unwrap());
                prop_assert!(delays.is_sorted());
                let target = |name: &str| Duration::from_secs(retries[name].as_u64().unwrap());
                let immediate = retries["numNoDelayRetries"].as_u64().unwrap_or(0) as usize;
                prop_assert!(delays[..immediate].iter().all(Duration::is_zero));
                let range = target("minDelayTarget")..=target("maxDelayTarget");
                prop_assert!(delays[immediate..].iter().all(|delay| range.contains(delay)));
                prop_assert!(delays.iter().sum::<Duration>() <= Duration::from_hours(1));
            }
        }
    }
}
