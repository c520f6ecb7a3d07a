//! What an access policy says of a request.
//!
//! A policy is read once and evaluated often. What is not understood yet (most conditions, policy variables,
//! malformed parts) counts against the request: an Allow does not apply then, and a Deny does.

use super::condition::Conditions;
use super::document::Document;
use super::one_or_many;
use crate::domain::address::is_account;
use crate::domain::arn::Arn;
use serde_json::{Map, Value};

/// What a policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it, and none denies it.
    Allow,
    /// A statement denies it.
    Deny,
    /// No statement applies.
    None,
}

/// The caller of a request. What is empty matches no principal but `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requester<'a> {
    /// Its account, 12 digits.
    pub account: &'a str,
    /// Its ARN: of the account's root, a user, or a session of a role.
    pub arn: &'a str,
    /// The AWS service that calls, such as `sns.amazonaws.com`.
    pub service: &'a str,
    /// The ARN of the resource for which a service calls.
    pub source_arn: &'a str,
}

/// An access policy, as it was given and as it is evaluated.
#[derive(Debug, Clone)]
pub struct Policy {
    text: String,
    statements: Vec<Statement>,
}

impl Policy {
    /// Reads a policy whose form has been checked. A text that cannot be read denies everything: it may be a policy
    /// that an earlier version accepted.
    pub fn read(text: impl Into<String>) -> Self {
        let text = text.into();
        let statements = match Document::read(&text) {
            None => vec![Statement::read(&Value::Null, false)],
            Some(document) => {
                let has_variables = document.version() == Some("2012-10-17");
                let statements = document.statements.iter();
                statements.map(|one| Statement::read(one, has_variables)).collect()
            }
        };
        Self { text, statements }
    }

    /// Returns the document as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Policy {}

// Rule (every operation): an explicit Deny of the resource's policy overrides every
//   Allow.
// Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// Test: src/domain/policy/decision.rs::a_deny_overrides_an_allow
//
/// Returns what a policy says of an action, such as `sqs:SendMessage`, on the resource of this ARN.
pub fn decide(policy: &Policy, who: &Requester<'_>, action: &str, resource: &str) -> Decision {
    let action = action.to_ascii_lowercase();
    let mut decision = Decision::None;
    for statement in &policy.statements {
        let applies = statement.applies(who, &action, resource);
        if statement.denies && applies != Match::No {
            return Decision::Deny;
        }
        if !statement.denies && applies == Match::Yes {
            decision = Decision::Allow;
        }
    }
    decision
}

/// Whether a part of a statement applies to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    No,
    /// That cannot be said.
    Unknown,
    Yes,
}

impl Match {
    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Match {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

#[derive(Debug, Clone)]
struct Statement {
    denies: bool,
    principals: Element<Principal>,
    actions: Element<Pattern>,
    resources: Element<Pattern>,
    conditions: Conditions,
}

/// The members that a statement may have.
const STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Statement {
    fn read(statement: &Value, has_variables: bool) -> Self {
        let principals = |value: &Value| principals(value);
        let actions = |value: &Value| patterns(value, false, str::to_ascii_lowercase);
        let resources = |value: &Value| patterns(value, has_variables, str::to_owned);
        let is_known = |name: &String| STATEMENT.contains(&name.as_str());
        // A member that is unknown may be a condition that is misspelt.
        let is_clear = statement.as_object().is_some_and(|members| members.keys().all(is_known));
        let no_condition = Value::Object(Map::new());
        let condition = statement.get("Condition").unwrap_or(&no_condition);
        Self {
            // A statement that does neither cannot be set.
            denies: statement["Effect"] != "Allow",
            principals: Element::read(statement, "Principal", "NotPrincipal", principals)
                .unwrap_or_else(Element::unknown),
            actions: Element::read(statement, "Action", "NotAction", actions)
                .unwrap_or_else(Element::unknown),
            // The policy of a resource concerns that resource.
            resources: Element::read(statement, "Resource", "NotResource", resources)
                .unwrap_or_else(Element::everything),
            conditions: Conditions::read(
                if is_clear { condition } else { &Value::Null },
                has_variables,
            ),
        }
    }

    /// The action in lower case, as patterns of actions are kept.
    fn applies(&self, who: &Requester<'_>, action: &str, resource: &str) -> Match {
        self.conditions
            .applies(who)
            .min(self.principals.applies(|principal| principal.matches(who)))
            .min(self.actions.applies(|pattern| pattern.matches(action)))
            .min(self.resources.applies(|pattern| pattern.matches(resource)))
    }
}

/// A list of which something must be one, or must be none.
#[derive(Debug, Clone)]
struct Element<T> {
    listed: Vec<T>,
    is_negated: bool,
    /// Whether a part of the list was not understood.
    is_unclear: bool,
}

impl<T> Element<T> {
    /// Reads the element of this name or its opposite; `None` if the statement has neither. Each part of
    /// the list is `None` if it is not understood. Nothing can be said about a statement that has both.
    fn read(
        statement: &Value,
        name: &str,
        opposite: &str,
        parts: impl Fn(&Value) -> Vec<Option<T>>,
    ) -> Option<Self> {
        let (value, is_negated) = match (statement.get(name), statement.get(opposite)) {
            (None, None) => return None,
            (Some(_), Some(_)) => return Some(Self::unknown()),
            (None, Some(value)) => (value, true),
            (Some(value), None) => (value, false),
        };
        let parts = parts(value);
        let is_unclear = parts.is_empty() || parts.iter().any(Option::is_none);
        Some(Self { listed: parts.into_iter().flatten().collect(), is_negated, is_unclear })
    }

    fn unknown() -> Self {
        Self { listed: Vec::new(), is_negated: false, is_unclear: true }
    }

    fn everything() -> Self {
        Self { listed: Vec::new(), is_negated: true, is_unclear: false }
    }

    fn applies(&self, matches: impl Fn(&T) -> bool) -> Match {
        let is_listed = match self.listed.iter().any(matches) {
            false if self.is_unclear => Match::Unknown,
            is_listed => is_listed.into(),
        };
        if self.is_negated { is_listed.not() } else { is_listed }
    }
}

/// A caller that a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Principal {
    Everyone,
    /// An account with all that is in it.
    Account(String),
    /// A user or another principal of an account, or one session of a role.
    Arn(String),
    /// All sessions of a role.
    Role {
        account: String,
        name: String,
    },
    Service(String),
    /// A kind of caller that does not exist here.
    Absent,
}

impl Principal {
    // Rule (every operation): a principal is `*`, an account id, the ARN of an account's root, which
    //   both mean the whole account, or the ARN of a user, a role or a session.
    // Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    // Test: src/domain/policy/decision.rs::principals
    fn of_aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everyone);
        }
        if is_account(text) {
            return Some(Self::Account(text.to_owned()));
        }
        let Arn { service, region: "", account, resource: name, .. } = Arn::parse(text)? else {
            return None;
        };
        if !matches!(service, "iam" | "sts") || !is_account(account) {
            return None;
        }
        Some(match (service, name.strip_prefix("role/")) {
            ("iam", Some(role)) => Self::Role {
                account: account.to_owned(),
                name: role.rsplit('/').next().unwrap_or(role).to_owned(),
            },
            ("iam", None) if name == "root" => Self::Account(account.to_owned()),
            _ => Self::Arn(format!("arn:aws:{service}::{account}:{name}")),
        })
    }

    fn matches(&self, who: &Requester<'_>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Account(account) => who.account == account,
            Self::Arn(arn) => who.arn == arn,
            Self::Role { account, name } => {
                who.account == account
                    && who
                        .arn
                        .split_once(":assumed-role/")
                        .and_then(|(_, session)| session.split_once('/'))
                        .is_some_and(|(role, _)| role == name)
            }
            Self::Service(service) => who.service == service,
            Self::Absent => false,
        }
    }
}

fn principals(value: &Value) -> Vec<Option<Principal>> {
    let Value::Object(kinds) = value else {
        let all = one_or_many(value).iter();
        return all.map(|one| (one == "*").then_some(Principal::Everyone)).collect();
    };
    let of_kind = |kind: &str, one: &Value| {
        let text = one.as_str()?;
        match kind {
            "AWS" => Principal::of_aws(text),
            "Service" => Some(Principal::Service(text.to_owned())),
            "CanonicalUser" | "Federated" => Some(Principal::Absent),
            _ => None,
        }
    };
    let kinds = kinds.iter();
    kinds.flat_map(|(kind, all)| one_or_many(all).iter().map(|one| of_kind(kind, one))).collect()
}

/// A text with wildcards: `*` for any characters, `?` for any one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Many,
    One,
    Character(char),
}

impl Pattern {
    // Rule (every operation): in a policy of Version 2012-10-17 `${*}`, `${?}` and `${$}` stand for these
    //   characters; in an older one, `${` has no meaning.
    // Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    // Test: src/domain/policy/decision.rs::resources_and_their_wildcards
    //
    /// Reads a pattern; `None` if it has a variable whose value is not known.
    pub fn read(text: &str, has_variables: bool) -> Option<Self> {
        let (mut tokens, mut rest) = (Vec::new(), text);
        while let Some(first) = rest.chars().next() {
            if has_variables && let Some(variable) = rest.strip_prefix("${") {
                let (name, after) = variable.split_once('}')?;
                let ("*" | "?" | "$") = name else { return None };
                tokens.extend(name.chars().map(Token::Character));
                rest = after;
                continue;
            }
            tokens.push(match first {
                '*' => Token::Many,
                '?' => Token::One,
                other => Token::Character(other),
            });
            rest = &rest[first.len_utf8()..];
        }
        Some(Self(tokens))
    }

    /// Returns a pattern that only this text matches.
    pub fn exactly(text: &str) -> Self {
        Self(text.chars().map(Token::Character).collect())
    }

    pub fn matches(&self, text: &str) -> bool {
        let (mut tokens, mut text) = (&self.0[..], text.chars());
        // The positions to continue from if the text after the last `*` does not match: one character later.
        let mut last_many = None;
        loop {
            let before = text.clone();
            match (tokens.split_first(), text.next()) {
                (Some((Token::Many, after)), _) => {
                    (tokens, text) = (after, before.clone());
                    last_many = Some((after, before));
                }
                (Some((Token::One, after)), Some(_)) => tokens = after,
                (Some((Token::Character(expected), after)), Some(found)) if *expected == found => {
                    tokens = after;
                }
                (None, None) => return true,
                _ => {
                    let Some((after, from)) = &mut last_many else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (tokens, text) = (after, from.clone());
                }
            }
        }
    }
}

fn patterns(
    value: &Value,
    has_variables: bool,
    shape: impl Fn(&str) -> String,
) -> Vec<Option<Pattern>> {
    let of = |one: &Value| Pattern::read(&shape(one.as_str()?), has_variables);
    one_or_many(value).iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:orders";
    const SEND: &str = "sqs:SendMessage";
    const BOB: Requester<'_> = Requester {
        account: "222222222222",
        arn: "arn:aws:iam::222222222222:user/bob",
        service: "",
        source_arn: "",
    };
    const SESSION: Requester<'_> = Requester {
        account: "222222222222",
        arn: "arn:aws:sts::222222222222:assumed-role/worker/s1",
        service: "",
        source_arn: "",
    };
    const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:t";
    const SNS: Requester<'_> =
        Requester { account: "", arn: "", service: "sns.amazonaws.com", source_arn: TOPIC };

    fn policy(statements: Value) -> Policy {
        Policy::read(json!({"Version": "2012-10-17", "Statement": statements}).to_string())
    }

    /// What a statement says that allows sending to the queue, but for these members.
    fn of(changed: Value, who: &Requester<'_>) -> Decision {
        let mut statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": SEND, "Resource": QUEUE});
        for (name, value) in changed.as_object().unwrap() {
            if let Some(opposite) = name.strip_prefix("Not") {
                statement.as_object_mut().unwrap().remove(opposite);
            }
            statement[name] = value.clone();
        }
        decide(&policy(json!([statement])), who, SEND, QUEUE)
    }

    fn allows(changed: Value, who: &Requester<'_>) -> bool {
        of(changed, who) == Decision::Allow
    }

    #[test]
    fn principals() {
        let role = "arn:aws:iam::222222222222:role/path/worker";
        for (principal, bob, session, sns) in [
            (json!("*"), true, true, true),
            (json!({"AWS": "*"}), true, true, true),
            (json!({"AWS": ["*"]}), true, true, true),
            (json!({"AWS": "222222222222"}), true, true, false),
            (json!({"AWS": ["333333333333", "222222222222"]}), true, true, false),
            (json!({"AWS": "333333333333"}), false, false, false),
            (json!({"AWS": "arn:aws:iam::222222222222:root"}), true, true, false),
            (json!({"AWS": "arn:aws-cn:iam::222222222222:root"}), true, true, false),
            (json!({"AWS": "arn:aws:iam::333333333333:root"}), false, false, false),
            (json!({"AWS": "arn:aws:iam::222222222222:user/bob"}), true, false, false),
            (json!({"AWS": "arn:aws:iam::222222222222:user/eve"}), false, false, false),
            (json!({"AWS": "arn:aws:iam::333333333333:user/bob"}), false, false, false),
            (json!({"AWS": role}), false, true, false),
            (json!({"AWS": "arn:aws:iam::333333333333:role/worker"}), false, false, false),
            (json!({"AWS": SESSION.arn}), false, true, false),
            (json!({"AWS": "arn:aws:iam::222222222222:*"}), false, false, false),
            (json!({"Service": "sns.amazonaws.com"}), false, false, true),
            (json!({"Service": ["x.amazonaws.com", "sns.amazonaws.com"]}), false, false, true),
            (json!({"Service": "s3.amazonaws.com"}), false, false, false),
            (json!({"AWS": "222222222222", "Service": "sns.amazonaws.com"}), true, true, true),
            (json!({"Federated": "x", "CanonicalUser": "y"}), false, false, false),
            (json!({}), false, false, false),
            (json!("222222222222"), false, false, false),
            (json!(7), false, false, false),
        ] {
            let changed = json!({"Principal": principal});
            let found = [&BOB, &SESSION, &SNS].map(|who| allows(changed.clone(), who));
            assert_eq!(found, [bob, session, sns], "{principal}");
        }
    }

    #[test]
    fn everyone_but_some_principals() {
        for (principal, allowed) in [
            (json!({"AWS": "333333333333"}), true),
            (json!({"AWS": "222222222222"}), false),
            (json!({"AWS": ["333333333333", "arn:aws:iam::222222222222:user/bob"]}), false),
            (json!("*"), false),
            (json!({"AWS": "bob"}), false),
        ] {
            let changed = json!({"NotPrincipal": principal});
            assert_eq!(allows(changed, &BOB), allowed, "{principal}");
        }
    }

    #[test]
    fn an_element_beside_its_opposite_opens_nothing_and_denies() {
        for (name, value) in
            [("Principal", json!("*")), ("Action", json!("*")), ("Resource", json!("*"))]
        {
            for opposite in [json!("x"), Value::Null] {
                let both = |effect: &str| {
                    let mut statement = json!({"Effect": effect, "Principal": "*", "Action": "*"});
                    statement[name] = value.clone();
                    statement[format!("Not{name}")] = opposite.clone();
                    decide(&policy(json!([statement])), &BOB, SEND, QUEUE)
                };
                assert_ne!(both("Allow"), Decision::Allow, "{name}");
                assert_eq!(both("Deny"), Decision::Deny, "{name}");
            }
        }
    }

    #[test]
    fn actions_whatever_their_case() {
        for (actions, allowed) in [
            (json!("*"), true),
            (json!("SQS:*"), true),
            (json!("sqs:SendMessage"), true),
            (json!("SQS:sendmessage"), true),
            (json!("sqs:Send*"), true),
            (json!("sqs:?endMessage"), true),
            (json!(["sqs:ReceiveMessage", "sqs:SendMessage"]), true),
            (json!(["sqs:ReceiveMessage", "sqs:DeleteMessage"]), false),
            (json!("SendMessage"), false),
            (json!("sns:*"), false),
            (json!("sqs:Send"), false),
            (json!([]), false),
        ] {
            assert_eq!(allows(json!({"Action": actions}), &BOB), allowed, "{actions}");
        }
        for (actions, allowed) in [
            (json!("sqs:DeleteMessage"), true),
            (json!("sqs:send*"), false),
            (json!(["sqs:ReceiveMessage", "*"]), false),
        ] {
            let changed = json!({"NotAction": actions});
            assert_eq!(allows(changed, &BOB), allowed, "not {actions}");
        }
    }

    #[test]
    fn resources_and_their_wildcards() {
        for (resources, allowed) in [
            (json!("*"), true),
            (json!(QUEUE), true),
            (json!("arn:aws:sqs:*:111111111111:*"), true),
            (json!("arn:aws:sqs:*:111111111111:ord?rs"), true),
            (json!("arn:aws:sqs:us-east-1:111111111111:Orders"), false),
            (json!("arn:aws:sqs:us-east-1:111111111111:orders2"), false),
            (json!(["arn:aws:sqs:us-east-1:111111111111:x", QUEUE]), true),
            (json!("arn:aws:sqs:us-east-1:111111111111:${aws:username}"), false),
            (json!("arn:aws:sqs:us-east-1:111111111111:${*}"), false),
            (Value::Null, false),
        ] {
            assert_eq!(allows(json!({"Resource": resources}), &BOB), allowed, "{resources}");
        }
        for (resource, allowed) in [(QUEUE, false), ("arn:aws:sqs:us-east-1:111111111111:x", true)]
        {
            let changed = json!({"NotResource": resource});
            assert_eq!(allows(changed, &BOB), allowed, "not {resource}");
        }
        for (pattern, has_variables, text, matches) in [
            ("a${*}", true, "a*", true),
            ("a${$}${?}", true, "a$?", true),
            ("a${*}", true, "ab", false),
            ("a${*}", false, "a${xyz}", true),
            ("*a*b*", false, "xxaxxabxx", true),
            ("*a*b", false, "xxaxxabxx", false),
            ("", false, "", true),
            ("**", false, "", true),
            ("?", false, "é", true),
        ] {
            let found = Pattern::read(pattern, has_variables).unwrap().matches(text);
            assert_eq!(found, matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_deny_overrides_an_allow() {
        let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
        let deny = |who: &str| json!({"Effect": "Deny", "Principal": {"AWS": who}, "Action": SEND, "Resource": "*"});
        for (statements, decision) in [
            (json!([allow]), Decision::Allow),
            (json!(allow), Decision::Allow),
            (json!([allow, deny("222222222222")]), Decision::Deny),
            (json!([deny("222222222222"), allow]), Decision::Deny),
            (json!([deny("333333333333"), allow]), Decision::Allow),
            (json!([deny("333333333333")]), Decision::None),
            (json!([]), Decision::None),
        ] {
            assert_eq!(
                decide(&policy(statements.clone()), &BOB, SEND, QUEUE),
                decision,
                "{statements}"
            );
        }
    }

    #[test]
    fn what_is_not_evaluated_counts_against_the_request() {
        let is_from = json!({"StringEquals": {"aws:PrincipalAccount": "x"}});
        for changed in [
            json!({"Condition": is_from}),
            json!({"Condition": {"ArnEquals": {"aws:SourceArn": "x"}}}),
            json!({"Condition": {"ArnEquals": {"aws:SourceArn": []}}}),
            json!({"Condition": {"ArnEquals": {"aws:SourceArn": 7}}}),
            json!({"Condition": {"ArnEquals": 7}}),
            json!({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:t"}}}),
            json!({"Condition": {"StringLike": {"aws:SourceAccount": "${aws:username}"}}}),
            json!({"Condition": {"ForAnyValue:StringEquals": {"aws:SourceAccount": "x"}}}),
            json!({"Condition": "x"}),
            json!({"Condition": null}),
            json!({"condition": is_from}),
            json!({"Conditions": is_from}),
            json!({"Principal": null}),
            json!({"Principal": {"AWS": "bob"}}),
            json!({"Principal": {"Martian": "x"}}),
            json!({"Action": null}),
            json!({"Action": [7]}),
            json!({"Resource": "arn:aws:sqs:us-east-1:111111111111:${aws:username}"}),
        ] {
            assert_eq!(of(changed.clone(), &BOB), Decision::None, "{changed}");
            let mut denied = changed.clone();
            denied["Effect"] = json!("Deny");
            assert_eq!(of(denied, &BOB), Decision::Deny, "{changed}");
        }
        assert_eq!(of(json!({"Condition": {}}), &BOB), Decision::Allow);
        // A part that clearly does not apply makes all others unimportant.
        let elsewhere = json!({"Effect": "Deny", "Condition": is_from, "Action": "sqs:PurgeQueue"});
        assert_eq!(of(elsewhere, &BOB), Decision::None);
    }

    #[test]
    fn conditions_about_the_topic() {
        let other = "arn:aws:sns:us-east-1:111111111111:u";
        for (operator, key, value, from_topic, from_caller) in [
            ("ArnEquals", "aws:SourceArn", json!(TOPIC), true, false),
            ("ArnEquals", "AWS:sourcearn", json!([other, TOPIC]), true, false),
            ("ArnEquals", "aws:SourceArn", json!("arn:aws:sns:*:111111111111:?"), true, false),
            ("ArnNotEquals", "aws:SourceArn", json!(TOPIC), false, true),
            ("ArnNotLike", "aws:SourceArn", json!([other, TOPIC]), false, true),
            ("ArnNotLike", "aws:SourceArn", json!(other), true, true),
            ("ArnEqualsIfExists", "aws:SourceArn", json!(other), false, true),
            ("StringEquals", "aws:SourceArn", json!(TOPIC), true, false),
            ("StringEquals", "aws:SourceArn", json!("arn:aws:sns:*"), false, false),
            ("StringLike", "aws:SourceArn", json!("arn:aws:sns:*"), true, false),
            ("StringNotEquals", "aws:SourceAccount", json!("111111111111"), false, true),
            ("StringEquals", "aws:SourceAccount", json!("111111111111"), true, false),
        ] {
            let mut changed = json!({"Condition": {operator: {key: value}}});
            for (effect, decision) in [("Allow", Decision::Allow), ("Deny", Decision::Deny)] {
                changed["Effect"] = json!(effect);
                let found = [&SNS, &BOB].map(|who| of(changed.clone(), who) == decision);
                assert_eq!(found, [from_topic, from_caller], "{changed}");
            }
        }
        // One condition that is not met is enough.
        let both =
            json!({"ArnEquals": {"aws:SourceArn": other}, "Bool": {"aws:SecureTransport": true}});
        assert_eq!(of(json!({"Effect": "Deny", "Condition": both}), &SNS), Decision::None);
    }

    #[test]
    fn a_policy_that_cannot_be_read_denies_everything() {
        for text in ["x", "[]", r#"{"Statement":[],"Statement":[]}"#] {
            assert_eq!(decide(&Policy::read(text), &BOB, SEND, QUEUE), Decision::Deny, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_and_asked(text in ".*", pattern in "[*?ab]{0,8}", other in "[ab]{0,8}") {
            let _ = decide(&Policy::read(text), &BOB, SEND, QUEUE);
            let regex = pattern.replace('*', ".*").replace('?', ".");
            let expected = regex_lite_match(&regex, &other);
            prop_assert_eq!(Pattern::read(&pattern, false).unwrap().matches(&other), expected);
        }
    }

    /// The definition of `.*` and `.`, without going back in a clever way.
    fn regex_lite_match(regex: &str, text: &str) -> bool {
        if let Some(rest) = regex.strip_prefix(".*") {
            return (0..=text.len()).any(|at| regex_lite_match(rest, &text[at..]));
        }
        match (regex.strip_prefix('.'), regex.chars().next(), text.chars().next()) {
            (_, None, None) => true,
            (Some(rest), _, Some(_)) => regex_lite_match(rest, &text[1..]),
            (None, Some(expected), Some(found)) if expected == found => {
                regex_lite_match(&regex[1..], &text[1..])
            }
            _ => false,
        }
    }
}
