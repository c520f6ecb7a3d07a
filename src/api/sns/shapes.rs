//! Shapes and checks that several operations share.

use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::domain::Kind;
use crate::domain::arn::Arn;
use crate::domain::limits::{RESOURCE_ARN_LENGTH, TAG_KEY_LENGTH, TAG_VALUE_LENGTH, TAGS};
use crate::domain::platform::{ApplicationAddress, EndpointAddress};
use crate::domain::sns_endpoint::without_password;
use crate::domain::topic_address::{SubscriptionArn, TopicAddress};
use crate::store::{Subscription, SubscriptionState};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Refuses missing members that are required, all in one sentence. Names as in the model, but
/// with a lower-case first letter.
///
/// Refused with ValidationError.
pub fn require<const N: usize>(members: [(&str, bool); N]) -> Result<(), Refusal> {
    let all = members.into_iter();
    all.fold(Constraints::default(), |found, (name, is_there)| found.present(name, is_there))
        .check()
}

/// Returns a required member.
pub fn required<T>(member: Option<T>, name: &str) -> Result<T, Refusal> {
    require([(name, member.is_some())])?;
    member.ok_or_else(|| Refusal::new(Kind::ValidationError, name.to_owned()))
}

impl Context {
    /// Returns the topic of an ARN in a parameter. It must be in the caller's region. A link in a message has no
    /// region, so the region of the ARN applies.
    pub fn topic(&self, parameter: &str, arn: &str) -> Result<TopicAddress, Refusal> {
        TopicAddress::from_arn(parameter, arn, self.region_of(arn))
    }

    /// The subscription that the parameter SubscriptionArn names; `None` if it is well-formed, but
    /// of no subscription.
    pub fn subscription(&self, arn: &str) -> Result<Option<SubscriptionArn>, Refusal> {
        SubscriptionArn::parse(arn, self.region_of(arn))
    }

    // Rule (CreatePlatformEndpoint, DeleteEndpoint, DeletePlatformApplication, GetEndpointAttributes,
    //   GetPlatformApplicationAttributes, ListEndpointsByPlatformApplication, Publish, SetEndpointAttributes,
    //   SetPlatformApplicationAttributes): platform applications and their endpoints are their owner's alone.
    // Source: inferred, they have no policies
    // Test: tests/isolation.rs::another_account_is_denied_every_operation
    //
    /// The platform application that the parameter PlatformApplicationArn gives. Refused unless it is of
    /// the caller's account, where accounts are isolated.
    pub fn application(&self, arn: &str) -> Result<ApplicationAddress, Refusal> {
        let address =
            ApplicationAddress::from_arn("PlatformApplicationArn", arn, &self.caller.region)?;
        self.caller.access.check_owner(&address.account, || address.arn())?;
        Ok(address)
    }

    /// Returns the endpoint of an ARN in a parameter, or `None` if the well-formed ARN is not that of an endpoint.
    /// Rejects like an application.
    pub fn endpoint(&self, parameter: &str, arn: &str) -> Result<Option<EndpointAddress>, Refusal> {
        let found = EndpointAddress::from_arn(parameter, arn, &self.caller.region)?;
        if let Some(address) = &found {
            self.caller.access.check_owner(&address.application.account, || address.arn())?;
        }
        Ok(found)
    }

    fn region_of<'a>(&'a self, arn: &'a str) -> &'a str {
        match Arn::parse(arn) {
            Some(arn) if !self.caller.is_signed() => arn.region,
            _ => &self.caller.region,
        }
    }
}

/// The output of the operations that read attributes.
#[apply(output)]
pub struct Attributes {
    pub attributes: IndexMap<String, String>,
}

/// Refuses a missing map of attributes. Clients send an empty map as a missing one.
pub fn check_attributes(attributes: &IndexMap<String, String>) -> Result<(), Refusal> {
    require([("attributes", !attributes.is_empty())])
}

/// A tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: Option<String>,
    pub value: Option<String>,
}

/// The constraints of a ResourceArn of the operations on tags.
pub fn resource_arn_fits(constraints: Constraints, arn: Option<&str>) -> Constraints {
    constraints.present("resourceArn", arn.is_some()).length(
        "resourceArn",
        arn,
        RESOURCE_ARN_LENGTH,
    )
}

/// The constraints of tags. A resource has so few that of too many not each is looked at.
pub fn tags_fit(constraints: Constraints, tags: &[Tag]) -> Constraints {
    (1..=TAGS).zip(tags).fold(constraints, |found, (number, tag)| {
        let (key, value) = (tag.key.as_deref(), tag.value.as_deref());
        let name = |of: &str| format!("tags.{number}.member.{of}");
        found
            .present(&name("key"), key.is_some())
            .length(&name("key"), key, TAG_KEY_LENGTH)
            .present(&name("value"), value.is_some())
            .length(&name("value"), value, 0..=TAG_VALUE_LENGTH)
    })
}

/// Reads tags that were given and meet their constraints.
///
/// Refused with InvalidParameter when a key is given twice or is one that AWS keeps for itself, and
/// with TagLimitExceeded.
pub fn tags(given: Vec<Tag>) -> Result<IndexMap<String, String>, Refusal> {
    let mut tags = IndexMap::new();
    for Tag { key, value } in given {
        if tags.insert(key.unwrap_or_default(), value.unwrap_or_default()).is_some() {
            return Err(Refusal::invalid_parameter("Duplicated keys are not allowed."));
        }
    }
    check_number_of_tags(tags.len())?;
    crate::domain::tags::check(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        .map_err(|refusal| Refusal::invalid_parameter_because("Tags", refusal.message))?;
    Ok(tags)
}

/// Checks how many tags a resource would have.
pub fn check_number_of_tags(count: usize) -> Result<(), Refusal> {
    if count <= crate::domain::limits::TAGS {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::TagLimitExceeded,
        "Could not complete request: tag quota of per resource exceeded",
    ))
}

/// An element of ListSubscriptions and ListSubscriptionsByTopic.
#[apply(output)]
pub struct SubscriptionElement {
    pub subscription_arn: String,
    pub owner: String,
    pub protocol: &'static str,
    pub endpoint: String,
    pub topic_arn: String,
}

impl From<Subscription> for SubscriptionElement {
    fn from(subscription: Subscription) -> Self {
        Self {
            subscription_arn: match subscription.state {
                SubscriptionState::Confirmed => subscription.arn(),
                _ => "PendingConfirmation".to_owned(),
            },
            owner: subscription.account,
            protocol: subscription.protocol.name(),
            endpoint: without_password(&subscription.endpoint).into_owned(),
            topic_arn: subscription.topic_arn,
        }
    }
}

/// An output without members.
#[derive(Debug, Serialize)]
pub struct Empty {}

/// Returns the NextToken for the last entry of a page.
fn next_token(last: impl std::fmt::Display) -> String {
    STANDARD.encode(last.to_string())
}

/// Reads a NextToken. An empty one means the first page.
///
/// Refused with InvalidParameter.
pub fn read_next_token(token: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(bad_next_token)
}

/// Reads a NextToken that contains a number. 0 means the first page.
pub fn read_number_token(token: Option<&str>) -> Result<i64, Refusal> {
    match read_next_token(token)? {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| bad_next_token()),
    }
}

/// Returns the refusal of a NextToken that no page has returned.
pub fn bad_next_token() -> Refusal {
    Refusal::invalid_parameter_because("NextToken", "invalid token")
}

/// Returns a page of entries that were read with one too many, and the NextToken if more follow.
/// `stands_for`: the text of the token of an entry.
pub fn page<T, S: std::fmt::Display>(
    entries: Vec<T>,
    length: i64,
    stands_for: impl FnOnce(&T) -> S,
) -> (Vec<T>, Option<String>) {
    crate::api::page::page(entries, length, |last| next_token(stands_for(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_members_are_told_together() {
        let refusal = require([("topicArn", false), ("label", true), ("actionName", false)]);
        assert_eq!(
            refusal.unwrap_err().message,
            "2 validation errors detected: Value null at 'topicArn' failed to satisfy constraint: \
             Member must not be null; Value null at 'actionName' failed to satisfy constraint: \
             Member must not be null"
        );
    }

    #[test]
    fn a_page_that_is_not_the_last_has_a_token() {
        let (entries, token) = page(vec![1, 2, 3], 2, |last| *last);
        assert_eq!((entries, read_number_token(token.as_deref())), (vec![1, 2], Ok(2)));
        assert_eq!(page(vec![1, 2], 2, |last| *last), (vec![1, 2], None));
    }

    #[test]
    fn tags_are_numbered_in_refusals() {
        let tag = |key: &str, value| Tag { key: Some(key.to_owned()), value };
        let tags = [tag("k", Some("v".to_owned())), tag("", None)];
        assert_eq!(
            tags_fit(Constraints::default(), &tags).check().unwrap_err().message,
            "2 validation errors detected: Value '' at 'tags.2.member.key' failed to satisfy \
             constraint: Member must have length greater than or equal to 1; Value null at \
             'tags.2.member.value' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn tokens_come_back_as_they_went() {
        assert_eq!(read_number_token(Some(&next_token(42))), Ok(42));
        assert_eq!(read_next_token(Some("")), Ok(None));
        assert!(read_next_token(Some("%")).is_err());
        assert!(read_number_token(Some(&next_token("x"))).is_err());
    }
}
