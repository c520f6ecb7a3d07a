//! Topics: create, find, change, delete.

use super::PAGE;
use super::access::Access;
use crate::domain::limits::{FEW_SUBSCRIPTIONS, PUBLISH_BYTES};
use crate::domain::policy::Policy;
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::TopicAttributes;
use crate::domain::{Kind, Refusal};
use crate::store::{Effect, Topic, Txn};
use indexmap::IndexMap;

/// Returns the topic at an address, if it exists. Rejects callers that may not use it.
pub fn look(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &TopicAddress,
) -> Result<Option<Topic>, Refusal> {
    let topic = tx.topic(address)?;
    if access.is_limited() {
        let policy = topic.as_ref().and_then(|topic| topic.attributes.own_policy());
        access.check(&address.account, || address.arn(), policy.map(Policy::read).as_ref())?;
    }
    Ok(topic)
}

/// Returns the topic at an address. Rejects callers that may not use it.
pub fn find(tx: &mut Txn<'_>, access: &Access, address: &TopicAddress) -> Result<Topic, Refusal> {
    look(tx, access, address)?.ok_or_else(|| Refusal::not_found("Topic"))
}

/// Creates a topic, or returns the existing one if the given attributes and tags do not contradict it.
///
/// Rejects with InvalidParameter if an attribute or a tag differs.
// Rule (CreateTopic): creating a topic again without attributes or with its current ones succeeds; others are rejected.
// Source: reported, MassTransit/MassTransit#3720
// Test: tests/scenarios/topics.txt#Creating again
// Rule (CreateTopic): creating a topic again with other tags is rejected: "Tags Reason: Topic already exists with
//   different tags".
// Source: reported, localstack/localstack#2405
// Test: tests/scenarios/topics.txt#The same tags or some of them or none find the topic
// Rule (CreateTopic): creating a topic again with its tags, some of them or an empty list succeeds.
// Source: recorded
// Test: tests/scenarios/topics.txt#The same tags or some of them or none find the topic, tests/recorded/sns-topics.jsonl#sns-create-again-with-a-subset-of-the-tags
pub fn create(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &TopicAddress,
    given: &IndexMap<String, String>,
    tags: &IndexMap<String, String>,
    data_protection_policy: Option<&str>,
) -> Result<(), Refusal> {
    let existing = look(tx, access, address)?;
    let mut attributes = TopicAttributes::create(&address.name, given)?;
    let arn = address.arn();
    if let Some(existing) = existing {
        let differs = |what: &str| {
            Refusal::invalid_parameter_because(
                what,
                format_args!("Topic already exists with different {}", what.to_lowercase()),
            )
        };
        if existing.attributes.differ_from_given(given, address) {
            return Err(differs("Attributes"));
        }
        let has = tx.resource_tags(&arn)?;
        if tags.iter().any(|(key, value)| has.get(key) != Some(value)) {
            return Err(differs("Tags"));
        }
        return Ok(());
    }
    attributes.set_data_protection_policy(data_protection_policy);
    let now = tx.now();
    let topic = Topic {
        id: tx.next_sequence()?,
        address: address.clone(),
        created_at: now,
        version: tx.fresh_version(),
        archive_since: attributes.archive_days().map(|_| now),
        attributes,
        confirmed: 0,
        pending: 0,
        deleted: 0,
    };
    tx.insert_topic(&topic)?;
    for (key, value) in tags {
        tx.set_resource_tag(&arn, key, value)?;
    }
    Ok(())
}

/// Changes one attribute.
pub fn set_attribute(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &TopicAddress,
    name: &str,
    value: &str,
) -> Result<(), Refusal> {
    let mut topic = find(tx, access, address)?;
    topic.attributes.set(name, value)?;
    if name == "MaximumMessageSize" && topic.attributes.maximum_message_size() > PUBLISH_BYTES {
        check_large_messages(tx, &topic)?;
    }
    topic.archive_since = match topic.attributes.archive_days() {
        None => None,
        Some(_) => topic.archive_since.or(Some(tx.now())),
    };
    Ok(tx.update_topic(&topic)?)
}

/// Checks the conditions for messages of more than 256 KiB: few subscriptions, and certain protocols only.
fn check_large_messages(tx: &mut Txn<'_>, topic: &Topic) -> Result<(), Refusal> {
    let refuse = || Refusal::invalid_parameter("MaximumMessageSize");
    if topic.confirmed + topic.pending > FEW_SUBSCRIPTIONS {
        return Err(refuse());
    }
    let subscriptions = tx.subscriptions_of_topic(topic.id, 0, FEW_SUBSCRIPTIONS)?;
    let all_fit = subscriptions.iter().all(|one| one.protocol.takes_large_messages());
    if all_fit { Ok(()) } else { Err(refuse()) }
}

/// Replaces the access policy with the result of `change`.
pub fn change_policy(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &TopicAddress,
    change: impl Fn(&str) -> Result<String, Refusal>,
) -> Result<(), Refusal> {
    let mut topic = find(tx, access, address)?;
    let policy = change(&topic.attributes.policy(address))?;
    topic.attributes.set_policy(policy);
    Ok(tx.update_topic(&topic)?)
}

/// Deletes a topic, if it exists; its subscriptions are removed in pages.
///
/// Rejects with InvalidState while it has an archive.
// Rule (DeleteTopic): deleting a topic that does not exist succeeds.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-delete-topic-again
pub fn delete(tx: &mut Txn<'_>, access: &Access, address: &TopicAddress) -> Result<(), Refusal> {
    let Some(topic) = look(tx, access, address)? else { return Ok(()) };
    if topic.attributes.archive_days().is_some() {
        return Err(Refusal::new(
            Kind::InvalidState,
            "A topic with an active archive policy cannot be deleted. Deactivate the archive \
             policy first.",
        ));
    }
    tx.delete_topic_row(&topic)?;
    tx.remove_resource_tags(&address.arn())?;
    tx.effect(Effect::Work);
    Ok(())
}

/// Removes a page of the rows of a deleted topic. Returns whether there are more.
pub fn empty_discarded(tx: &mut Txn<'_>) -> Result<bool, Refusal> {
    let Some(topic) = tx.discarded_topic()? else { return Ok(false) };
    let page = PAGE * 5;
    let subscriptions = tx.delete_subscriptions_of_topic(topic, page)?;
    let archived = tx.oldest_archived(topic, page)?;
    for (id, _) in &archived {
        tx.unarchive(*id)?;
    }
    if subscriptions == 0 && archived.is_empty() {
        tx.forget_discarded_topic(topic)?;
    }
    Ok(true)
}
