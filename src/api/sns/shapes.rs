//! Shapes and checks that several operations share.

use crate::api::Context;
use crate::api::constraints::Constraints;
use crate::domain::platform::{ApplicationAddress, EndpointAddress};
use crate::domain::topic_address::{SubscriptionArn, TopicAddress};
use crate::domain::{Kind, Refusal};
use crate::store::{Subscription, SubscriptionState};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Refuses members that must be there and are not, all in one sentence. Names as in the model, but
/// with a lower-case first letter.
///
/// Refused with ValidationError.
pub fn require<const N: usize>(members: [(&str, bool); N]) -> Result<(), Refusal> {
    let all = members.into_iter();
    all.fold(Constraints::default(), |found, (name, is_there)| found.present(name, is_there))
        .check()
}

/// A member that must be there.
pub fn required<T>(member: Option<T>, name: &str) -> Result<T, Refusal> {
    require([(name, member.is_some())])?;
    member.ok_or_else(|| Refusal::new(Kind::ValidationError, name.to_owned()))
}

impl Context {
    /// The topic that a parameter gives as an ARN. It must be one of the caller's region; a link
    /// is called without a region, and goes by the one in the ARN.
    pub fn topic(&self, parameter: &str, arn: &str) -> Result<TopicAddress, Refusal> {
        TopicAddress::from_arn(parameter, arn, self.region_of(arn))
    }

    /// The subscription that the parameter SubscriptionArn names; `None` if it is well-formed, but
    /// of no subscription.
    pub fn subscription(&self, arn: &str) -> Result<Option<SubscriptionArn>, Refusal> {
        SubscriptionArn::parse(arn, self.region_of(arn))
    }

    /// The platform application that the parameter PlatformApplicationArn gives.
    pub fn application(&self, arn: &str) -> Result<ApplicationAddress, Refusal> {
        ApplicationAddress::from_arn("PlatformApplicationArn", arn, &self.region)
    }

    /// The endpoint that a parameter gives as an ARN; `None` if it is well-formed, but of no
    /// endpoint.
    pub fn endpoint(&self, parameter: &str, arn: &str) -> Result<Option<EndpointAddress>, Refusal> {
        EndpointAddress::from_arn(parameter, arn, &self.region)
    }

    fn region_of<'a>(&'a self, arn: &'a str) -> &'a str {
        match arn.split(':').nth(3) {
            Some(region) if !self.signed => region,
            _ => &self.region,
        }
    }
}

/// A map of attributes that must be there. An empty map is sent as nothing at all.
pub fn check_attributes(attributes: &IndexMap<String, String>) -> Result<(), Refusal> {
    require([("attributes", !attributes.is_empty())])
}

/// A tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Tag {
    pub key: Option<String>,
    pub value: Option<String>,
}

/// Reads tags that were given.
///
/// Refused with InvalidParameter: a key or value of a wrong length, or a key given twice.
pub fn tags(given: Vec<Tag>) -> Result<IndexMap<String, String>, Refusal> {
    let mut tags = IndexMap::new();
    for tag in given {
        let key = required(tag.key, "tags.1.member.key")?;
        let value = required(tag.value, "tags.1.member.value")?;
        if tags.insert(key, value).is_some() {
            return Err(Refusal::invalid_parameter("Duplicated keys are not allowed."));
        }
    }
    crate::domain::tags::check(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        .map_err(|refusal| Refusal::invalid_parameter_because("Tags", refusal.message))?;
    check_number_of_tags(tags.len())?;
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
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
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
            endpoint: subscription.endpoint,
            topic_arn: subscription.topic_arn,
        }
    }
}

/// An output without members.
#[derive(Debug, Serialize)]
pub struct Empty {}

/// Writes the NextToken that stands for the last entry of a page.
pub fn next_token(last: impl std::fmt::Display) -> String {
    STANDARD.encode(last.to_string())
}

/// Reads a NextToken; the empty one begins anew.
///
/// Refused with InvalidParameter.
pub fn read_next_token(token: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(bad_next_token)
}

/// Reads a NextToken that stands for a number; 0 begins anew.
pub fn read_number_token(token: Option<&str>) -> Result<i64, Refusal> {
    match read_next_token(token)? {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| bad_next_token()),
    }
}

/// What is said of a NextToken that was never given.
pub fn bad_next_token() -> Refusal {
    Refusal::invalid_parameter_because("NextToken", "invalid token")
}

/// Cuts a page that was read with one entry too many, and tells whether there is more.
pub fn cut_page<T>(page: &mut Vec<T>, length: i64) -> bool {
    let more = page.len() as i64 > length;
    page.truncate(length as usize);
    more
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
    fn tokens_come_back_as_they_went() {
        assert_eq!(read_number_token(Some(&next_token(42))), Ok(42));
        assert_eq!(read_next_token(Some("")), Ok(None));
        assert!(read_next_token(Some("%")).is_err());
        assert!(read_number_token(Some(&next_token("x"))).is_err());
    }
}
