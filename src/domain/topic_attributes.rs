//! The attributes of a topic: which can be set, and how they are returned.
//!
//! They are stored as the given texts, by AWS's names, because clients compare them as texts.
//!
//! Sources: <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html>

use super::Refusal;
use super::address::has_fifo_suffix;
use super::delivery_policy::TopicDeliveryPolicy;
use super::json_text;
use super::limits::{
    DISPLAY_NAME_LENGTH, PUBLISH_BYTES, SNS_ATTRIBUTE_BYTES, TOPIC_ARCHIVE_DAYS,
    TOPIC_MAXIMUM_MESSAGE_SIZE,
};
use super::notification::SignatureVersion;
use super::policy::topic as topic_policy;
use super::topic_address::TopicAddress;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The scope in which a FIFO topic recognizes duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FifoThroughputScope {
    /// The whole topic.
    Topic,
    /// The message group.
    MessageGroup,
}

/// The attributes of a topic that differ from their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicAttributes(IndexMap<String, String>);

/// Delivery status logging: the protocols, and the suffixes of the attribute names.
const FEEDBACK_PROTOCOLS: [&str; 5] = ["HTTP", "Firehose", "Lambda", "Application", "SQS"];

/// Stored with the attributes, and returned by a separate operation.
const DATA_PROTECTION_POLICY: &str = "DataProtectionPolicy";

impl TopicAttributes {
    /// Checks the attributes given to CreateTopic for a topic of this name.
    pub fn create(name: &str, given: &IndexMap<String, String>) -> Result<Self, Refusal> {
        let mut attributes = Self::default();
        if has_fifo_suffix(name) {
            attributes.0.insert("FifoTopic".to_owned(), "true".to_owned());
        }
        for (name, value) in given {
            if name != "FifoTopic" {
                attributes.set(name, value).map_err(|refusal| in_attributes(name, refusal))?;
            }
        }
        Ok(attributes)
    }

    /// Changes one attribute; an empty value removes it if it can be removed.
    ///
    /// Rejects with InvalidParameter: `AttributeName` for an attribute that cannot be set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let invalid = || Refusal::invalid_parameter(name);
        let is_fifo = self.is_fifo();
        if value.len() > SNS_ATTRIBUTE_BYTES {
            return Err(invalid());
        }
        match name {
            "DisplayName" if value.chars().count() > DISPLAY_NAME_LENGTH => return Err(invalid()),
            "DisplayName" | "KmsMasterKeyId" => {}
            "Policy" => topic_policy::check(value)?,
            "DeliveryPolicy" if value.is_empty() => {}
            "DeliveryPolicy" => {
                TopicDeliveryPolicy::parse(value).map_err(|reason| {
                    Refusal::invalid_parameter(format_args!("DeliveryPolicy: {reason}"))
                })?;
            }
            "ContentBasedDeduplication" if is_fifo => {
                let value = parse_bool(value).ok_or_else(invalid)?;
                self.put(name, if value { "true" } else { "false" });
                return Ok(());
            }
            "FifoThroughputScope" if is_fifo => {
                if !matches!(value, "Topic" | "MessageGroup") {
                    return Err(invalid());
                }
            }
            "ArchivePolicy" if is_fifo => {
                let ends = archive_days(value)?.is_none();
                self.put(name, if ends { "" } else { value });
                return Ok(());
            }
            "SignatureVersion" if matches!(value, "1" | "2") => {}
            "TracingConfig" if matches!(value, "PassThrough" | "Active") && !is_fifo => {}
            "MaximumMessageSize" => {
                let size =
                    value.parse().ok().filter(|size| TOPIC_MAXIMUM_MESSAGE_SIZE.contains(size));
                size.ok_or_else(invalid)?;
            }
            "ContentBasedDeduplication"
            | "FifoThroughputScope"
            | "ArchivePolicy"
            | "SignatureVersion"
            | "TracingConfig" => return Err(invalid()),
            _ => check_feedback(name, value)?,
        }
        self.put(name, value);
        Ok(())
    }

    fn put(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.0.shift_remove(name);
        } else {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns whether these attributes, from another CreateTopic of the same topic, contradict the current ones.
    pub fn differ_from_given(
        &self,
        given: &IndexMap<String, String>,
        address: &TopicAddress,
    ) -> bool {
        let shown = self.shown(address);
        given.iter().any(|(name, value)| {
            let default = match name.as_str() {
                "SignatureVersion" => "1",
                "TracingConfig" => "PassThrough",
                "FifoThroughputScope" => "Topic",
                "FifoTopic" | "ContentBasedDeduplication" => "false",
                "MaximumMessageSize" => "262144",
                _ => "",
            };
            let now = shown.get(name.as_str()).map_or(default, String::as_str);
            !now.eq_ignore_ascii_case(value) && self.get(name) != Some(value)
        })
    }

    /// FifoTopic
    pub fn is_fifo(&self) -> bool {
        self.get("FifoTopic").is_some()
    }

    /// ContentBasedDeduplication
    pub fn content_based_deduplication(&self) -> bool {
        self.get("ContentBasedDeduplication") == Some("true")
    }

    /// FifoThroughputScope
    pub fn fifo_throughput_scope(&self) -> FifoThroughputScope {
        match self.get("FifoThroughputScope") {
            Some("MessageGroup") => FifoThroughputScope::MessageGroup,
            _ => FifoThroughputScope::Topic,
        }
    }

    /// MaximumMessageSize in bytes, or its default.
    pub fn maximum_message_size(&self) -> usize {
        self.get("MaximumMessageSize").and_then(|size| size.parse().ok()).unwrap_or(PUBLISH_BYTES)
    }

    /// SignatureVersion, or its default.
    pub fn signature_version(&self) -> SignatureVersion {
        self.get("SignatureVersion").and_then(SignatureVersion::parse).unwrap_or_default()
    }

    /// Returns the delivery policy of the topic itself.
    pub fn delivery_policy(&self) -> Option<TopicDeliveryPolicy> {
        TopicDeliveryPolicy::parse(self.get("DeliveryPolicy")?).ok()
    }

    /// Days for which messages are archived.
    pub fn archive_days(&self) -> Option<i64> {
        archive_days(self.get("ArchivePolicy")?).ok()?
    }

    /// Returns the access policy, or the default one if none is set.
    pub fn policy(&self, address: &TopicAddress) -> String {
        self.get("Policy").map_or_else(|| topic_policy::default_text(address), str::to_owned)
    }

    /// Returns the access policy, if it is not the default one, which allows only the owner.
    pub fn own_policy(&self) -> Option<&str> {
        self.get("Policy")
    }

    /// Replaces the access policy.
    pub fn set_policy(&mut self, text: String) {
        self.0.insert("Policy".to_owned(), text);
    }

    /// Returns DataProtectionPolicy, which has its own operations.
    pub fn data_protection_policy(&self) -> Option<&str> {
        self.get(DATA_PROTECTION_POLICY)
    }

    /// Replaces the data protection policy.
    pub fn set_data_protection_policy(&mut self, text: Option<&str>) {
        self.put(DATA_PROTECTION_POLICY, text.unwrap_or_default());
    }

    /// Returns the percentage of successes to log for a protocol, by its name in the attributes of delivery status
    /// logging. Failures are always logged.
    pub fn success_sample_rate(&self, protocol: &str) -> u8 {
        match self.get(&format!("{protocol}SuccessFeedbackRoleArn")) {
            None => 0,
            Some(_) => self
                .get(&format!("{protocol}SuccessFeedbackSampleRate"))
                .map_or(100, |rate| rate.parse().unwrap_or(100)),
        }
    }

    /// Returns the attributes for GetTopicAttributes, except counts and the start of the archive.
    pub fn shown(&self, address: &TopicAddress) -> IndexMap<String, String> {
        let delivery = self.delivery_policy().unwrap_or_default();
        let mut shown = IndexMap::from([
            ("TopicArn".to_owned(), address.arn()),
            ("Owner".to_owned(), address.account.clone()),
            ("DisplayName".to_owned(), self.get("DisplayName").unwrap_or_default().to_owned()),
            ("Policy".to_owned(), self.policy(address)),
            ("EffectiveDeliveryPolicy".to_owned(), delivery.effective_text()),
        ]);
        if self.is_fifo() {
            shown.insert("ContentBasedDeduplication".to_owned(), "false".to_owned());
        }
        for (name, value) in self.0.iter().filter(|(name, _)| *name != DATA_PROTECTION_POLICY) {
            let value = match name.as_str() {
                "DeliveryPolicy" => delivery.shown(),
                _ => value.clone(),
            };
            shown.insert(name.clone(), value);
        }
        shown
    }
}

/// Returns whether CreateTopic requests a FIFO topic. Rejects with InvalidParameter.
pub fn asks_for_fifo(given: &IndexMap<String, String>) -> Result<bool, Refusal> {
    match given.get("FifoTopic").map(|value| parse_bool(value)) {
        None => Ok(false),
        Some(Some(fifo)) => Ok(fifo),
        Some(None) => Err(Refusal::invalid_parameter_because("Attributes", "FifoTopic")),
    }
}

/// Parses `true` or `false`, case-insensitively.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The error for an attribute that cannot be set.
pub const UNKNOWN_ATTRIBUTE: &str = "AttributeName";

/// Converts an error about an attribute to that of CreateTopic and Subscribe, which have a prefix before the
/// reason, and a different text for unknown attributes.
// Rule (CreateTopic, Subscribe): a rejected attribute is "Attributes Reason: …", an unknown one "Attributes Reason: Unknown
//   attribute NAME".
// Source: reported, hashicorp/terraform-provider-aws#22282
// Test: tests/scenarios/topics.txt#Attributes are set one by one
pub fn in_attributes(name: &str, refusal: Refusal) -> Refusal {
    match refusal.message.strip_prefix("Invalid parameter: ") {
        Some(UNKNOWN_ATTRIBUTE) => Refusal::invalid_parameter_because(
            "Attributes",
            format_args!("Unknown attribute {name}"),
        ),
        Some(reason) if refusal.kind == super::Kind::InvalidParameter => {
            Refusal::invalid_parameter_because("Attributes", reason)
        }
        _ => refusal,
    }
}

/// Returns the days of an archive policy, or `None` for the empty one, which ends the archive.
fn archive_days(text: &str) -> Result<Option<i64>, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "PascalCase")]
    struct ArchivePolicy {
        message_retention_period: Option<serde_json::Value>,
    }
    if text.is_empty() {
        return Ok(None);
    }
    let document = json_text::parse(text).map_err(|malformed| {
        Refusal::invalid_parameter(format_args!("ArchivePolicy: {malformed}"))
    })?;
    let invalid = || Refusal::invalid_parameter("ArchivePolicy");
    let policy: ArchivePolicy = serde_json::from_value(document).map_err(|_| invalid())?;
    let Some(days) = policy.message_retention_period else { return Ok(None) };
    let days = days.as_i64().or_else(|| days.as_str()?.parse().ok());
    match days.filter(|days| TOPIC_ARCHIVE_DAYS.contains(days)) {
        Some(days) => Ok(Some(days)),
        None => Err(invalid()),
    }
}

/// The attributes that CreateTopic accepts, except those of delivery status logging, which begin with a protocol.
pub const SETTABLE: [&str; 11] = [
    "DisplayName",
    "Policy",
    "DeliveryPolicy",
    "FifoTopic",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "ArchivePolicy",
    "SignatureVersion",
    "TracingConfig",
    "KmsMasterKeyId",
    "MaximumMessageSize",
];

/// Returns whether CreateTopic accepts an attribute of this name.
pub fn is_settable(name: &str) -> bool {
    SETTABLE.contains(&name) || check_feedback(name, "0").is_ok()
}

fn check_feedback(name: &str, value: &str) -> Result<(), Refusal> {
    let what = FEEDBACK_PROTOCOLS.iter().find_map(|protocol| name.strip_prefix(protocol));
    match what {
        Some("SuccessFeedbackRoleArn" | "FailureFeedbackRoleArn") => Ok(()),
        Some("SuccessFeedbackSampleRate") => {
            let rate = value.parse::<u8>().ok().filter(|rate| *rate <= 100);
            rate.map(drop).ok_or_else(|| Refusal::invalid_parameter(name))
        }
        _ => Err(Refusal::invalid_parameter(UNKNOWN_ATTRIBUTE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn address(name: &str) -> TopicAddress {
        TopicAddress {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            name: name.into(),
        }
    }

    fn refused(name: &str, attribute: &str, value: &str) -> String {
        TopicAttributes::create(name, &given(&[(attribute, value)]))
            .unwrap_err()
            .message
            .into_owned()
    }

    #[test]
    fn what_is_not_set_is_not_shown() {
        let shown = TopicAttributes::create("t", &given(&[])).unwrap().shown(&address("t"));
        assert_eq!(
            shown.keys().collect::<Vec<_>>(),
            ["TopicArn", "Owner", "DisplayName", "Policy", "EffectiveDeliveryPolicy"]
        );
    }

    #[test]
    fn attributes_of_fifo_topics_are_shown_and_settable_on_those_alone() {
        let attributes =
            TopicAttributes::create("t.fifo", &given(&[("FifoTopic", "true")])).unwrap();
        let shown = attributes.shown(&address("t.fifo"));
        assert_eq!(
            (shown["FifoTopic"].as_str(), shown["ContentBasedDeduplication"].as_str()),
            ("true", "false")
        );
        for (name, value) in [
            ("ContentBasedDeduplication", "true"),
            ("FifoThroughputScope", "MessageGroup"),
            ("ArchivePolicy", "{\"MessageRetentionPeriod\":\"30\"}"),
        ] {
            assert_eq!(
                refused("t", name, value),
                format!("Invalid parameter: Attributes Reason: {name}")
            );
            assert!(TopicAttributes::create("t.fifo", &given(&[(name, value)])).is_ok());
        }
    }

    #[test]
    fn settable_attributes_are_known() {
        // The name of a topic decides whether it is a FIFO one.
        for name in SETTABLE.into_iter().filter(|name| *name != "FifoTopic") {
            let refused = TopicAttributes::default().set(name, "?").err();
            let is_known = |refusal: Refusal| !refusal.message.ends_with(UNKNOWN_ATTRIBUTE);
            assert!(refused.is_none_or(is_known), "{name}");
        }
        assert!(
            is_settable("HTTPSuccessFeedbackSampleRate")
                && !is_settable("FTPSuccessFeedbackSampleRate")
        );
    }

    #[test]
    fn bad_values_are_refused() {
        for (name, value) in [
            ("SignatureVersion", "3"),
            ("MaximumMessageSize", "1023"),
            ("MaximumMessageSize", "1048577"),
            ("TracingConfig", "x"),
            ("HTTPSuccessFeedbackSampleRate", "101"),
        ] {
            assert_eq!(
                refused("t", name, value),
                format!("Invalid parameter: Attributes Reason: {name}")
            );
        }
        assert_eq!(
            refused("t", "Owner", "x"),
            "Invalid parameter: Attributes Reason: Unknown attribute Owner"
        );
        assert_eq!(
            refused("t.fifo", "ArchivePolicy", "{\"MessageRetentionPeriod\":366}"),
            "Invalid parameter: Attributes Reason: ArchivePolicy"
        );
    }

    #[test]
    fn an_archive_ends_with_an_empty_policy() {
        let mut attributes = TopicAttributes::create(
            "t.fifo",
            &given(&[("ArchivePolicy", "{\"MessageRetentionPeriod\":\"30\"}")]),
        )
        .unwrap();
        assert_eq!(attributes.archive_days(), Some(30));
        attributes.set("ArchivePolicy", "{}").unwrap();
        assert_eq!(attributes.archive_days(), None);
    }

    #[test]
    fn a_repeated_creation_may_say_less_but_nothing_else() {
        let first = given(&[("DisplayName", "d"), ("SignatureVersion", "2")]);
        let attributes = TopicAttributes::create("t", &first).unwrap();
        let differs =
            |pairs: &[(&str, &str)]| attributes.differ_from_given(&given(pairs), &address("t"));
        assert!(
            !differs(&[])
                && !differs(&[("DisplayName", "d")])
                && !differs(&[("FifoTopic", "false")])
        );
        assert!(!differs(&[("TracingConfig", "PassThrough")]));
        assert!(differs(&[("DisplayName", "e")]) && differs(&[("SignatureVersion", "1")]));
    }
}
