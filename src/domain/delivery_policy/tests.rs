//! Delivery policies of topics and subscriptions: what is accepted, what is shown, and the back-off.

use proptest::prelude::*;
use serde_json::{Value, json};

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
        (with("minDelayTarget", json!(0)), ".minDelayTarget must be greater than or equal to 1"),
        (with("minDelayTarget", json!(-9)), ".minDelayTarget must be greater than or equal to 1"),
        (with("maxDelayTarget", json!(3601)), ".maxDelayTarget must be less than or equal to 3600"),
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
        ("[]", "invalid JSON. The policy must be an object."),
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
    let hour =
        r#"{"healthyRetryPolicy":{"minDelayTarget":1200,"maxDelayTarget":1200,"numRetries":3}}"#;
    assert_eq!(delays(subscription(hour).effective(None).retries).len(), 3);
}

#[test]
fn only_raw_subscriptions_may_send_more_than_text_and_json() {
    let with = |content_type: &str| json!({ "headerContentType": content_type });
    let own = |content_type| {
        SubscriptionDeliveryPolicy::parse(&json!({"requestPolicy": with(content_type)}).to_string())
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
    let function = prop::sample::select(vec!["linear", "arithmetic", "geometric", "exponential"]);
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
