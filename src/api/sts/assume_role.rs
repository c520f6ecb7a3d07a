//! AssumeRole.
//!
//! AWS: API_AssumeRole of STS. Every role exists. Where accounts are isolated, a role can be assumed by
//! callers of its own account.

use super::get_session_token::check_mfa;
use super::shapes::{Credentials, has_only, issue};
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::api::sns::shapes::{Tag, tags_fit};
use crate::auth::Principal;
use crate::domain::Kind;
use crate::domain::address::is_account;
use crate::domain::arn::Arn;
use crate::domain::limits::{ROLE_SESSION_S, SHORT_SESSION_S, TAG_KEY_LENGTH, TAGS};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// Seconds that a session lasts unless the caller says otherwise.
const DEFAULT_S: i64 = 3_600;
/// Policies that one session may name.
const POLICY_ARNS: usize = 10;
/// Contexts that one session may have.
const CONTEXTS: usize = 5;
/// Length of an ARN in characters.
const ARN_LENGTH: RangeInclusive<usize> = 20..=2_048;

/// The input of AssumeRole.
#[apply(input)]
pub struct Input {
    pub role_arn: Option<String>,
    pub role_session_name: Option<String>,
    pub policy_arns: Option<Vec<PolicyDescriptor>>,
    pub policy: Option<String>,
    pub duration_seconds: Option<i64>,
    pub tags: Option<Vec<Tag>>,
    pub transitive_tag_keys: Option<Vec<String>>,
    pub external_id: Option<String>,
    pub serial_number: Option<String>,
    pub token_code: Option<String>,
    pub source_identity: Option<String>,
    pub provided_contexts: Option<Vec<ProvidedContext>>,
}

/// ProvidedContext
#[apply(input)]
pub struct ProvidedContext {
    pub provider_arn: Option<String>,
    pub context_assertion: Option<String>,
}

/// PolicyDescriptorType
#[derive(Debug, Deserialize)]
pub struct PolicyDescriptor {
    pub arn: Option<String>,
}

/// The output of AssumeRole.
#[apply(output)]
pub struct Output {
    pub credentials: Credentials,
    pub assumed_role_user: AssumedRoleUser,
    /// Percent of what policies and tags may take up together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
}

/// Who the caller now is.
#[apply(output)]
pub struct AssumedRoleUser {
    pub assumed_role_id: String,
    pub arn: String,
}

// Rule (AssumeRole): a caller that no trust policy allows to assume a role is refused with AccessDenied, status 403.
// Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html
// Test: tests/isolation.rs::a_role_is_assumed_by_its_own_account
//
/// Issues a temporary key for a role. Its calls are made for the account of the role.
#[expect(clippy::unused_async, reason = "every operation is")]
pub async fn assume_role(cx: &Context, input: Input) -> Result<Output, Refusal> {
    check(&input)?;
    let duration_s = input.duration_seconds.unwrap_or(DEFAULT_S);
    if matches!(cx.caller.principal, Principal::Role { .. }) && duration_s > SHORT_SESSION_S {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining",
        ));
    }
    let packed_policy_size = packed_policy_size(&input)?;
    let role_arn = input.role_arn.unwrap_or_default();
    let (account, name) =
        role(&role_arn).ok_or_else(|| invalid(format!("{role_arn} is invalid")))?;
    cx.caller.access.check_owner(account, || role_arn.clone())?;
    let session = input.role_session_name.unwrap_or_default();
    let principal = Principal::Role { name: name.to_owned(), session };
    let assumed_role_user = AssumedRoleUser {
        assumed_role_id: principal.id(account),
        arn: principal.arn(account).unwrap_or_default(),
    };
    Ok(Output {
        credentials: issue(cx, account, principal, duration_s)?,
        assumed_role_user,
        packed_policy_size,
        source_identity: input.source_identity,
    })
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Kind::ValidationError, message)
}

fn check(input: &Input) -> Result<(), Refusal> {
    let session = input.role_session_name.as_deref();
    let (external_id, source) = (input.external_id.as_deref(), input.source_identity.as_deref());
    let constraints = Constraints::default()
        .present("roleArn", input.role_arn.is_some())
        .length("roleArn", input.role_arn.as_deref(), ARN_LENGTH)
        .present("roleSessionName", session.is_some())
        .length("roleSessionName", session, 2..=64)
        .pattern("roleSessionName", session, r"[\w+=,.@-]*", |text| has_only(text, "+=,.@-"))
        .range("durationSeconds", input.duration_seconds, ROLE_SESSION_S)
        .length("policy", input.policy.as_deref(), 1..=usize::MAX)
        .length("externalId", external_id, 2..=1224)
        .pattern("externalId", external_id, r"[\w+=,.@:\/-]*", |text| has_only(text, "+=,.@:/-"))
        .length("sourceIdentity", source, 2..=64)
        .pattern("sourceIdentity", source, r"[\w+=,.@-]*", |text| has_only(text, "+=,.@-"));
    let mfa = (input.serial_number.as_deref(), input.token_code.as_deref());
    let constraints = check_mfa(constraints, mfa.0, mfa.1);
    check_lists(constraints, input).check()
}

/// The constraints of what there may be several of. Of too many not each is looked at.
fn check_lists(constraints: Constraints, input: &Input) -> Constraints {
    let policies = (1..=POLICY_ARNS).zip(input.policy_arns.iter().flatten());
    let found = policies.fold(constraints, |found, (number, policy)| {
        found.length(&format!("policyArns.{number}.member.arn"), policy.arn.as_deref(), ARN_LENGTH)
    });
    let found = tags_fit(found, input.tags.as_deref().unwrap_or_default());
    let keys = input.transitive_tag_keys.as_deref().unwrap_or_default();
    let found = found.each_length("transitiveTagKeys", keys, TAG_KEY_LENGTH);
    let contexts = (1..=CONTEXTS).zip(input.provided_contexts.iter().flatten());
    contexts.fold(found, |found, (number, context)| {
        let name = |of: &str| format!("providedContexts.{number}.member.{of}");
        let assertion = context.context_assertion.as_deref();
        found.length(&name("providerArn"), context.provider_arn.as_deref(), ARN_LENGTH).length(
            &name("contextAssertion"),
            assertion,
            4..=2_048,
        )
    })
}

/// Account and name of the role that an ARN names; the path before the name is no part of it.
fn role(arn: &str) -> Option<(&str, &str)> {
    let Arn { service: "iam", region: "", account, resource, .. } = Arn::parse(arn)? else {
        return None;
    };
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    let fits = is_account(account) && (1..=64).contains(&name.len()) && has_only(name, "+=,.@-");
    fits.then_some((account, name))
}

/// How much of what they may take up a session's policies and tags do, in percent; none without
/// any.
///
/// Refused with MalformedPolicyDocument, or with ValidationError when there are too many.
fn packed_policy_size(input: &Input) -> Result<Option<usize>, Refusal> {
    const CHARACTERS: usize = 2_048;
    let policy = input.policy.as_deref().unwrap_or_default();
    if !policy.is_empty() && serde_json::from_str::<Map<String, Value>>(policy).is_err() {
        return Err(Refusal::new(
            Kind::MalformedPolicyDocument,
            "This policy contains invalid Json",
        ));
    }
    let tags = input.tags.as_deref().unwrap_or_default();
    let arns = input.policy_arns.as_deref().unwrap_or_default();
    let transitive = input.transitive_tag_keys.as_deref().unwrap_or_default();
    let contexts = input.provided_contexts.as_deref().unwrap_or_default();
    let are_few = tags.len().max(transitive.len()) <= TAGS && contexts.len() <= CONTEXTS;
    if !are_few || arns.len() > POLICY_ARNS {
        return Err(invalid(format!(
            "A session has at most {TAGS} tags, {POLICY_ARNS} managed policies and {CONTEXTS} \
             contexts."
        )));
    }
    let of_arns: usize =
        arns.iter().filter_map(|policy| policy.arn.as_ref()).map(String::len).sum();
    let size = policy.chars().count() + of_arns;
    if size > CHARACTERS {
        return Err(invalid(format!(
            "The policies of a session have at most {CHARACTERS} characters."
        )));
    }
    let is_there = size > 0 || !tags.is_empty();
    Ok(is_there.then_some((size * 100).div_ceil(CHARACTERS).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_an_account_and_a_name() {
        assert_eq!(role("arn:aws:iam::123456789012:role/demo"), Some(("123456789012", "demo")));
        assert_eq!(role("arn:aws-cn:iam::123456789012:role/a/b/c"), Some(("123456789012", "c")));
        for arn in [
            "arn:aws:iam::123456789012:user/demo",
            "arn:aws:iam::12345678901:role/demo",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam:us-east-1:123456789012:role/demo",
            "arn:aws:iam::123456789012:role/a b",
            "",
        ] {
            assert_eq!(role(arn), None, "{arn}");
        }
    }
}
