//! Requested faults and delays: calls that fail on purpose and responses that come late, so that
//! developers see how their programs react.
//!
//! The rules and their paths are LocalStack's, see [`super::localstack`]. The outcome of a call
//! depends only on the rules, the call, and a random number that is passed in. Without rules a call
//! pays for two loads and comparisons.

use parking_lot::{RwLock, RwLockReadGuard};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The maximum number of rules.
const RULES: usize = 1_000;
/// The maximum length of an error code.
const CODE_LENGTH: RangeInclusive<usize> = 1..=128;

/// A rule: which calls fail, how often, and how. A field that is left out matches all calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `sqs`, `sns` or `sts`. Rules for other services are stored and have no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The region of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The operation by AWS's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// From 0 to 1; by default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The error that calls get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Answer>,
    /// The account whose calls fail, or `None` for all accounts. Squab sets it to the account of
    /// the caller who adds the rule.
    #[serde(skip)]
    pub account: Option<String>,
}

/// The error of a call that fails by a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status, 400 to 599; by default 503.
    #[serde(rename = "statusCode", skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The error code; by default `ServiceUnavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status_code.unwrap_or(503)
    }

    /// The code.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or("ServiceUnavailable")
    }
}

/// The properties of a call that rules match.
#[derive(Debug, Clone, Copy)]
pub struct Call<'c> {
    /// `sqs`, `sns` or `sts`.
    pub service: &'c str,
    /// Its region.
    pub region: &'c str,
    /// The operation by AWS's name.
    pub operation: &'c str,
    /// The account of the caller, 12 digits.
    pub account: &'c str,
}

impl Fault {
    fn concerns(&self, call: Call<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        is(&self.service, call.service)
            && is(&self.region, call.region)
            && is(&self.operation, call.operation)
            && is(&self.account, call.account)
    }

    /// Returns why the rule is invalid.
    fn check(&self) -> Result<(), String> {
        if let Some(probability) = self.probability
            && !(0.0..=1.0).contains(&probability)
        {
            return Err(format!("probability must be from 0 to 1, not {probability}."));
        }
        let Some(answer) = &self.error else { return Ok(()) };
        if !(400..=599).contains(&answer.status()) {
            return Err(format!("statusCode must be from 400 to 599, not {}.", answer.status()));
        }
        let code = answer.code();
        let is_code = CODE_LENGTH.contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_code { Ok(()) } else { Err(format!("The code {code:?} is no code of an error.")) }
    }
}

/// Returns the first rule that fails a call. `draw` is uniformly distributed over `0.0..1.0`.
pub fn struck<'f>(faults: &'f [Fault], call: Call<'_>, mut draw: f64) -> Option<&'f Fault> {
    for fault in faults.iter().filter(|fault| fault.concerns(call)) {
        let probability = fault.probability.unwrap_or(1.0);
        if draw < probability {
            return Some(fault);
        }
        // The position of the draw above the probability has not influenced anything yet, so scaled
        // to `0.0..1.0` it serves as a new draw.
        draw = (draw - probability) / (1.0 - probability);
    }
    None
}

/// Returns the milliseconds in a range at the position of a draw.
pub fn delay_ms(range: &RangeInclusive<u32>, draw: f64) -> u32 {
    // This cannot overflow: see LONGEST_LATENCY_MS.
    let width = range.end().saturating_sub(*range.start()) + 1;
    let above = (draw * f64::from(width)) as u32;
    range.start() + above.min(width - 1)
}

/// The current rules and delays.
#[derive(Debug)]
pub struct Chaos {
    fails: AtomicBool,
    delays: AtomicBool,
    wanted: RwLock<Wanted>,
    /// The delay from the settings.
    configured_ms: RangeInclusive<u32>,
}

#[derive(Debug, Clone)]
struct Wanted {
    faults: Vec<Fault>,
    delay_ms: RangeInclusive<u32>,
}

/// Returns whether a rule belongs to an account; every rule does if the account is `None`.
fn is_of(fault: &Fault, account: Option<&str>) -> bool {
    account.is_none_or(|account| fault.account.as_deref() == Some(account))
}

impl Chaos {
    /// Returns an empty set of rules and a delay in milliseconds.
    pub fn new(delay_ms: RangeInclusive<u32>) -> Self {
        Self {
            fails: AtomicBool::new(false),
            delays: AtomicBool::new(*delay_ms.end() > 0),
            wanted: RwLock::new(Wanted { faults: Vec::new(), delay_ms: delay_ms.clone() }),
            configured_ms: delay_ms,
        }
    }

    /// Returns the error for a call that fails by a rule.
    pub fn fault(&self, call: Call<'_>, draw: impl FnOnce() -> f64) -> Option<Answer> {
        if !self.fails.load(Ordering::Relaxed) {
            return None;
        }
        let wanted = self.wanted();
        struck(&wanted.faults, call, draw()).map(|fault| fault.error.clone().unwrap_or_default())
    }

    /// Returns how long a call is delayed.
    pub fn delay(&self, draw: impl FnOnce() -> f64) -> Option<Duration> {
        if !self.delays.load(Ordering::Relaxed) {
            return None;
        }
        Some(Duration::from_millis(delay_ms(&self.wanted().delay_ms, draw()).into()))
    }

    /// Returns the rules in their order: those of one account, or all.
    pub fn faults(&self, account: Option<&str>) -> Vec<Fault> {
        let mut faults = self.wanted().faults.clone();
        faults.retain(|fault| is_of(fault, account));
        faults
    }

    /// Returns the lower and upper bound of the delay, in milliseconds.
    pub fn delays_ms(&self) -> RangeInclusive<u32> {
        self.wanted().delay_ms.clone()
    }

    /// Changes the rules of one account, or all, and returns them. An error explains why they are
    /// unchanged. Rules of other accounts come first, unchanged.
    pub fn change_faults(
        &self,
        account: Option<&str>,
        change: impl FnOnce(&mut Vec<Fault>),
    ) -> Result<Vec<Fault>, String> {
        let mut wanted = self.wanted.write();
        let all = wanted.faults.iter().cloned();
        let (mut own, mut faults): (Vec<_>, Vec<_>) = all.partition(|fault| is_of(fault, account));
        change(&mut own);
        if let Some(account) = account {
            for fault in &mut own {
                fault.account = Some(account.to_owned());
            }
        }
        faults.extend(own.iter().cloned());
        if faults.len() > RULES {
            return Err(format!("At most {RULES} rules are allowed."));
        }
        faults.iter().try_for_each(Fault::check)?;
        self.fails.store(!faults.is_empty(), Ordering::Relaxed);
        wanted.faults = faults;
        Ok(own)
    }

    /// Delays all responses from now on, by at most [`crate::config::LONGEST_LATENCY_MS`].
    pub fn set_delay(&self, delay_ms: RangeInclusive<u32>) {
        let mut wanted = self.wanted.write();
        self.delays.store(*delay_ms.end() > 0, Ordering::Relaxed);
        wanted.delay_ms = delay_ms;
    }

    /// Removes the rules of one account.
    pub fn reset_account(&self, account: &str) {
        // An empty list is always valid.
        drop(self.change_faults(Some(account), Vec::clear));
    }

    /// Removes all rules and restores the delay of the settings.
    pub fn reset(&self) {
        let mut wanted = self.wanted.write();
        self.fails.store(false, Ordering::Relaxed);
        self.delays.store(*self.configured_ms.end() > 0, Ordering::Relaxed);
        *wanted = Wanted { faults: Vec::new(), delay_ms: self.configured_ms.clone() };
    }

    fn wanted(&self) -> RwLockReadGuard<'_, Wanted> {
        self.wanted.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEND: Call<'_> = Call {
        service: "sqs",
        region: "us-east-1",
        operation: "SendMessage",
        account: "000000000000",
    };

    fn faults(text: &str) -> Vec<Fault> {
        serde_json::from_str(text).unwrap()
    }

    fn code_at(faults: &[Fault], draw: f64) -> Option<String> {
        struck(faults, SEND, draw)
            .map(|fault| fault.error.clone().unwrap_or_default().code().into())
    }

    #[test]
    fn a_rule_concerns_what_it_names_and_an_empty_one_everything() {
        for (rule, strikes) in [
            ("{}", true),
            (r#"{"service": "sqs"}"#, true),
            (r#"{"service": "SQS", "operation": "SendMessage", "region": "us-east-1"}"#, true),
            (r#"{"service": "sns"}"#, false),
            (r#"{"service": "dynamodb"}"#, false),
            (r#"{"region": "eu-west-1"}"#, false),
            (r#"{"service": "sqs", "operation": "ReceiveMessage"}"#, false),
            (r#"{"probability": 0}"#, false),
        ] {
            assert_eq!(
                struck(&faults(&format!("[{rule}]")), SEND, 0.0).is_some(),
                strikes,
                "{rule}"
            );
        }
    }

    #[test]
    fn the_first_rule_that_strikes_is_the_one() {
        let rules = faults(
            r#"[{"service": "sns"}, {"probability": 0.5, "error": {"code": "A"}},
                {"probability": 0.5, "error": {"code": "B"}}]"#,
        );
        assert_eq!(code_at(&rules, 0.49).as_deref(), Some("A"));
        assert_eq!(code_at(&rules, 0.51).as_deref(), Some("B"));
        assert_eq!(code_at(&rules, 0.76), None);
        let certain = faults(r#"[{"error": {"code": "C", "statusCode": 400}}, {}]"#);
        assert_eq!(code_at(&certain, 0.999_999).as_deref(), Some("C"));
        let plain = Answer::default();
        assert_eq!((plain.status(), plain.code()), (503, "ServiceUnavailable"));
    }

    #[test]
    fn rules_without_sense_change_nothing() {
        let chaos = Chaos::new(0..=0);
        let good = faults(r#"[{"service": "sqs"}]"#);
        chaos.change_faults(None, |rules| rules.clone_from(&good)).unwrap();
        for bad in [
            r#"[{"probability": 1.5}]"#,
            r#"[{"error": {"statusCode": 200}}]"#,
            r#"[{"error": {"code": "<b>"}}]"#,
            r#"[{"error": {"code": ""}}]"#,
        ] {
            assert!(chaos.change_faults(None, |rules| *rules = faults(bad)).is_err(), "{bad}");
        }
        let many = vec![Fault::default(); RULES + 1];
        assert!(chaos.change_faults(None, |rules| *rules = many).is_err());
        assert_eq!(chaos.faults(None), good);
        assert!(serde_json::from_str::<Fault>(r#"{"colour": 1}"#).is_err());
    }

    #[test]
    fn rules_of_an_account_concern_it_alone() {
        let chaos = Chaos::new(0..=0);
        let (own, other) = (Some(SEND.account), Some("111111111111"));
        chaos.change_faults(other, |rules| rules.push(Fault::default())).unwrap();
        assert_eq!(chaos.fault(SEND, || 0.0), None);
        assert_eq!(chaos.faults(own), []);
        let set = chaos.change_faults(own, |rules| rules.push(Fault::default())).unwrap();
        assert_eq!((set.len(), chaos.faults(None).len()), (1, 2));
        assert!(chaos.fault(SEND, || 0.0).is_some());
        chaos.reset_account(SEND.account);
        assert_eq!(chaos.fault(SEND, || 0.0), None);
        assert_eq!(chaos.faults(other).len(), 1);
    }

    #[test]
    fn a_reset_leaves_the_delay_of_the_settings() {
        let chaos = Chaos::new(5..=5);
        chaos.change_faults(None, |rules| rules.push(Fault::default())).unwrap();
        chaos.set_delay(0..=0);
        assert_eq!(chaos.delay(|| 0.0), None);
        assert!(chaos.fault(SEND, || 0.0).is_some());
        chaos.reset();
        assert_eq!(chaos.delay(|| 0.0), Some(Duration::from_millis(5)));
        assert_eq!(chaos.fault(SEND, || unreachable!()), None);
    }

    proptest! {
        /// With n rules of probability p a share of 1 - (1 - p)^n of all draws is struck.
        #[test]
        fn rules_strike_as_often_as_they_say(p in 0.0_f64..1.0, n in 1_usize..5) {
            let rules = vec![Fault { probability: Some(p), ..Fault::default() }; n];
            let draws = 2_000_u32;
            let struck = (0..draws)
                .filter(|i| struck(&rules, SEND, f64::from(*i) / f64::from(draws)).is_some())
                .count();
            let expected = 1.0 - (1.0 - p).powi(n as i32);
            prop_assert!((f64::from(u32::try_from(struck).unwrap()) / f64::from(draws) - expected).abs() < 0.002);
        }

        #[test]
        fn a_delay_is_within_its_range(start in 0_u32..1_000, width in 0_u32..1_000, draw in 0.0_f64..1.0) {
            let range = start..=start + width;
            prop_assert!(range.contains(&delay_ms(&range, draw)));
            prop_assert_eq!(delay_ms(&range, 0.0), start);
            prop_assert_eq!(delay_ms(&range, 0.999_999), start + width);
        }
    }
}
