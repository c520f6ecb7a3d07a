//! The conditions of a statement, as far as they are about the topic for which SNS calls.

use super::decision::{Match, Pattern, Requester};
use super::one_or_many;
use crate::domain::arn::Arn;
use serde_json::Value;

/// The conditions of a statement. All of them must be met.
#[derive(Debug, Clone)]
pub(super) struct Conditions(Vec<Option<Condition>>);

impl Conditions {
    /// Reads the element Condition. What is not understood counts as unknown.
    pub fn read(element: &Value, has_variables: bool) -> Self {
        let Value::Object(operators) = element else { return Self(vec![None]) };
        let read = |(operator, keys): (&String, &Value)| match keys {
            Value::Object(keys) => {
                let keys = keys.iter();
                keys.map(|(key, values)| Condition::read(operator, key, values, has_variables))
                    .collect()
            }
            _ => vec![None],
        };
        Self(operators.iter().flat_map(read).collect())
    }

    // Rule (deliveries, every operation): of conditions, those about aws:SourceArn and aws:SourceAccount with
    //   StringEquals, StringLike, ArnEquals, ArnLike, their negations and IfExists are evaluated. They are known when SNS
    //   delivers, and absent when a caller calls.
    // Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    // Test: src/domain/policy/decision.rs::conditions_about_the_topic,
    //   tests/isolation.rs::a_topic_reaches_a_queue_of_its_own_account_as_the_policy_says
    //
    // Rule (every operation): an Allow with any other condition does not apply, a Deny does.
    // Source: inferred, other conditions are not evaluated yet
    // Test: src/domain/policy/decision.rs::what_is_not_evaluated_counts_against_the_request
    //
    /// Returns whether a request meets the conditions.
    pub fn applies(&self, who: &Requester<'_>) -> Match {
        let applies = |condition: &Option<Condition>| match condition {
            Some(condition) => condition.is_met(who).into(),
            None => Match::Unknown,
        };
        self.0.iter().map(applies).min().unwrap_or(Match::Yes)
    }
}

#[derive(Debug, Clone)]
struct Condition {
    key: Key,
    /// Whether the value must be none of the expected ones.
    is_negated: bool,
    /// Whether a request without the key meets the condition.
    if_exists: bool,
    expected: Vec<Expected>,
}

#[derive(Debug, Clone, Copy)]
enum Key {
    SourceArn,
    SourceAccount,
}

#[derive(Debug, Clone)]
enum Expected {
    Text(Pattern),
    /// The elements of an ARN, each compared by itself.
    Arn([Pattern; 5]),
}

impl Condition {
    fn read(operator: &str, key: &str, values: &Value, has_variables: bool) -> Option<Self> {
        let key = match key {
            _ if key.eq_ignore_ascii_case("aws:SourceArn") => Key::SourceArn,
            _ if key.eq_ignore_ascii_case("aws:SourceAccount") => Key::SourceAccount,
            _ => return None,
        };
        let (operator, if_exists) =
            operator.strip_suffix("IfExists").map_or((operator, false), |rest| (rest, true));
        let (read, is_negated): (fn(&str, bool) -> Option<Expected>, _) = match operator {
            "StringEquals" => (Expected::exactly, false),
            "StringNotEquals" => (Expected::exactly, true),
            "StringLike" => (Expected::text, false),
            "StringNotLike" => (Expected::text, true),
            "ArnEquals" | "ArnLike" => (Expected::arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Expected::arn, true),
            _ => return None,
        };
        let expected = one_or_many(values).iter().map(|value| read(value.as_str()?, has_variables));
        let expected: Vec<_> = expected.collect::<Option<_>>()?;
        (!expected.is_empty()).then_some(Self { key, is_negated, if_exists, expected })
    }

    fn is_met(&self, who: &Requester<'_>) -> bool {
        let source = Arn::parse(who.source_arn);
        let found = match self.key {
            Key::SourceArn => source.map(|_| who.source_arn),
            Key::SourceAccount => source.map(|arn| arn.account),
        };
        match found {
            None => self.is_negated || self.if_exists,
            Some(found) => self.expected.iter().any(|one| one.is(found)) != self.is_negated,
        }
    }
}

impl Expected {
    fn exactly(text: &str, has_variables: bool) -> Option<Self> {
        let has_variable = has_variables && text.contains("${");
        (!has_variable).then(|| Self::Text(Pattern::exactly(text)))
    }

    fn text(text: &str, has_variables: bool) -> Option<Self> {
        Pattern::read(text, has_variables).map(Self::Text)
    }

    fn arn(text: &str, has_variables: bool) -> Option<Self> {
        let read = elements(Arn::parse(text)?).map(|element| Pattern::read(element, has_variables));
        let [Some(partition), Some(service), Some(region), Some(account), Some(resource)] = read
        else {
            return None;
        };
        Some(Self::Arn([partition, service, region, account, resource]))
    }

    fn is(&self, found: &str) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(found),
            Self::Arn(patterns) => Arn::parse(found).is_some_and(|arn| {
                patterns.iter().zip(elements(arn)).all(|(pattern, found)| pattern.matches(found))
            }),
        }
    }
}

fn elements(arn: Arn<'_>) -> [&str; 5] {
    [arn.partition, arn.service, arn.region, arn.account, arn.resource]
}
