//! Creates the queues, topics and subscriptions that the settings declare, at startup.
//!
//! A declared resource is created if it is missing, and changed to match the declaration if it
//! exists. Attributes, tags and subscriptions that no declaration mentions stay as they are, so
//! startup is repeatable.

use crate::config::{
    AuthMode, DeclaredQueue, DeclaredSubscription, DeclaredTopic, Origin, Settings, Target,
};
use crate::domain::Refusal;
use crate::domain::address::{QueueAddress, QueueName};
use crate::domain::sns_endpoint::{Protocol, without_secrets};
use crate::domain::topic_address::{SubscriptionArn, TopicAddress, check_topic_name};
use crate::domain::{queue_attributes, topic_attributes};
use crate::engine::access::Access;
use crate::engine::queues::DelayChange;
use crate::engine::subscriptions::{self, Request};
use crate::engine::{queues, topics};
use crate::runtime::Runtime;
use crate::store::{Forwards, SubscriptionState, Txn};
use indexmap::IndexMap;
use serde_json::json;

/// Why a declared resource cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningError {
    /// A queue.
    #[error("{origin}: the declared queue {name}: {reason}")]
    Queue {
        /// Where it is declared.
        origin: Origin,
        /// Its name.
        name: String,
        /// AWS's message.
        reason: String,
    },
    /// A topic, or one of its subscriptions.
    #[error("{origin}: the declared topic {name}: {reason}")]
    Topic {
        /// Where it is declared.
        origin: Origin,
        /// Its name.
        name: String,
        /// AWS's message.
        reason: String,
    },
}

/// Creates everything that the settings declare: queues in their order, then topics.
pub async fn make(runtime: &Runtime, settings: &Settings) -> Result<(), ProvisioningError> {
    for queue in &settings.queues {
        make_queue(runtime, settings, queue).await.map_err(|refusal| ProvisioningError::Queue {
            origin: queue.origin.clone(),
            name: queue.name.clone(),
            reason: reason(refusal),
        })?;
    }
    for topic in &settings.topics {
        make_topic(runtime, settings, topic).await.map_err(|reason| ProvisioningError::Topic {
            origin: topic.origin.clone(),
            name: topic.name.clone(),
            reason,
        })?;
    }
    if !settings.topics.is_empty() {
        // The first publish may come soon, and generating a key takes a moment.
        runtime.sns_signer().prepare();
    }
    Ok(())
}

fn reason(refusal: Refusal) -> String {
    refusal.internal.unwrap_or_else(|| refusal.message.into_owned())
}

async fn make_queue(
    runtime: &Runtime,
    settings: &Settings,
    declared: &DeclaredQueue,
) -> Result<(), Refusal> {
    let address = QueueAddress {
        account: declared.account.clone().unwrap_or_else(|| settings.account.clone()),
        region: declared.region.clone().unwrap_or_else(|| settings.region.clone()),
        name: declared.name.clone(),
    };
    let mut attributes = declared.attributes.clone();
    if let Some((name, max_receive_count)) = &declared.dead_letter_queue {
        let target = QueueAddress { name: name.clone(), ..address.clone() };
        let policy = serde_json::json!({
            "deadLetterTargetArn": target.arn(),
            "maxReceiveCount": max_receive_count,
        });
        attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
    }
    QueueName::new(&declared.name, queue_attributes::asks_for_fifo(&attributes)?)?;
    let declared = declared.clone();
    let rest = runtime
        .run(move |tx| {
            let rest = put_queue(tx, &address, &attributes, &declared.tags)?;
            put_forwards(tx, &address, &declared)?;
            Ok(rest)
        })
        .await?;
    runtime.reschedule_delayed(rest).await
}

/// Changes which queues get copies of messages, or the messages themselves, according to the
/// declaration.
fn put_forwards(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    declared: &DeclaredQueue,
) -> Result<(), Refusal> {
    let before = queues::find(tx, &Access::everything(), address)?.forwards.clone();
    let put = |declared: &Option<String>, before| match declared {
        None => before,
        Some(name) => Some(name.clone()).filter(|name| !name.is_empty()),
    };
    let forwards = Forwards {
        copy_to: put(&declared.copy_to, before.copy_to),
        move_to: put(&declared.move_to, before.move_to),
    };
    queues::forward(tx, address, &forwards)
}

fn put_queue(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    attributes: &IndexMap<String, String>,
    tags: &IndexMap<String, String>,
) -> Result<Option<DelayChange>, Refusal> {
    let Some(existing) = tx.queue(address)? else {
        queues::create(tx, &Access::everything(), address, attributes, tags, false)?;
        return Ok(None);
    };
    let mut rest = None;
    if existing.attributes.first_difference(attributes).is_some() {
        let mut changed = attributes.clone();
        changed.shift_remove("FifoQueue");
        rest = queues::set_attributes(tx, &Access::everything(), address, &changed)?;
    }
    for (key, value) in tags {
        tx.set_tag(existing.id, key, value)?;
    }
    Ok(rest)
}

async fn make_topic(
    runtime: &Runtime,
    settings: &Settings,
    declared: &DeclaredTopic,
) -> Result<(), String> {
    let address = TopicAddress {
        account: declared.account.clone().unwrap_or_else(|| settings.account.clone()),
        region: declared.region.clone().unwrap_or_else(|| settings.region.clone()),
        name: declared.name.clone(),
    };
    topic_attributes::asks_for_fifo(&declared.attributes)
        .and_then(|fifo| check_topic_name(&declared.name, fifo))
        .map_err(reason)?;
    let (attributes, tags) = (declared.attributes.clone(), declared.tags.clone());
    let topic = address.clone();
    runtime.run(move |tx| put_topic(tx, &topic, &attributes, &tags)).await.map_err(reason)?;
    for subscription in &declared.subscriptions {
        make_subscription(runtime, settings, &address, subscription).await?;
    }
    Ok(())
}

fn put_topic(
    tx: &mut Txn<'_>,
    address: &TopicAddress,
    attributes: &IndexMap<String, String>,
    tags: &IndexMap<String, String>,
) -> Result<(), Refusal> {
    let Some(existing) = tx.topic(address)? else {
        return topics::create(tx, &Access::everything(), address, attributes, tags, None);
    };
    for (name, value) in attributes {
        let one = IndexMap::from([(name.clone(), value.clone())]);
        if existing.attributes.differ_from_given(&one, address) {
            topics::set_attribute(tx, &Access::everything(), address, name, value)?;
        }
    }
    for (key, value) in tags {
        tx.set_resource_tag(&address.arn(), key, value)?;
    }
    Ok(())
}

async fn make_subscription(
    runtime: &Runtime,
    settings: &Settings,
    topic: &TopicAddress,
    declared: &DeclaredSubscription,
) -> Result<(), String> {
    let (protocol, endpoint, queue) = match &declared.target {
        Target::Queue(name) => {
            let queue = QueueAddress {
                account: topic.account.clone(),
                region: topic.region.clone(),
                name: name.clone(),
            };
            (Protocol::Sqs, queue.arn(), Some(queue))
        }
        Target::Endpoint { protocol, endpoint } => {
            let protocol = Protocol::named(protocol)
                .map_err(|refusal| format!("a subscription: {}", reason(refusal)))?;
            (protocol, endpoint.clone(), None)
        }
    };
    let of = format!("the subscription of {}", without_secrets(&endpoint));
    if let Some(queue) = queue {
        let name = queue.name.clone();
        let needs_policy = settings.auth != AuthMode::Off;
        let found = runtime.run(move |tx| admit_topics(tx, &queue, needs_policy)).await;
        if !found.map_err(reason)? {
            let declared = settings.queues.iter().map(|queue| queue.name.as_str());
            let hint = crate::config::suggestion::did_you_mean(&name, declared);
            return Err(format!("{of}: there is no queue `{name}` and none is declared{hint}"));
        }
    }
    let request = Request {
        access: Access::everything(),
        topic: topic.clone(),
        protocol,
        endpoint,
        attributes: declared.attributes.clone(),
        account: topic.account.clone(),
        principal: format!("arn:aws:iam::{}:root", topic.account),
        base_url: base_url(settings),
    };
    let put = runtime.run(move |tx| put_subscription(tx, &request)).await;
    put.map_err(|refusal| format!("{of}: {}", reason(refusal)))
}

/// Gives a queue without a policy one that lets topics of its own account deliver, because the declaration of a
/// subscription says that they shall. Returns whether the queue exists.
fn admit_topics(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    needs_policy: bool,
) -> Result<bool, Refusal> {
    let Some(queue) = tx.queue(address)? else { return Ok(false) };
    if needs_policy && queue.attributes.policy.is_none() {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "DeclaredSubscriptions",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": address.arn(),
                "Condition": {"StringEquals": {"aws:SourceAccount": address.account}},
            }],
        });
        let attributes = IndexMap::from([("Policy".to_owned(), policy.to_string())]);
        queues::set_attributes(tx, &Access::everything(), address, &attributes)?;
    }
    Ok(true)
}

/// Returns the base of links in confirmations. No request provides an address here.
fn base_url(settings: &Settings) -> String {
    settings.public_url.clone().unwrap_or_else(|| {
        let port = settings.listen.first().and_then(|address| address.rsplit_once(':'));
        format!("http://localhost:{}", port.map_or("4566", |(_, port)| port))
    })
}

/// Changes the attributes of an existing subscription, or subscribes. A pending subscription gets
/// another confirmation message.
fn put_subscription(tx: &mut Txn<'_>, request: &Request) -> Result<(), Refusal> {
    let topic = topics::find(tx, &request.access, &request.topic)?;
    let existing = tx
        .subscription_of_endpoint(topic.id, request.protocol, &request.endpoint)?
        .filter(|existing| existing.state != SubscriptionState::Ended);
    if let Some(existing) = existing {
        let arn = SubscriptionArn { topic: request.topic.clone(), id: existing.uuid };
        let shown = existing.attributes.shown();
        for (name, value) in scope_where_it_fits(&request.attributes) {
            if shown.get(name) != Some(value) {
                subscriptions::set_attribute(tx, &request.access, &arn, name, Some(value))?;
            }
        }
    }
    subscriptions::subscribe(tx, request).map(drop)
}

/// Returns the attributes in an order in which policy and scope fit each other at each step: every
/// policy is valid for bodies, but not every policy is valid for attributes.
fn scope_where_it_fits(attributes: &IndexMap<String, String>) -> Vec<(&String, &String)> {
    let mut ordered: Vec<_> = attributes.iter().collect();
    ordered.sort_by_key(|(name, value)| match (name.as_str(), value.as_str()) {
        ("FilterPolicyScope", "MessageBody") => 0,
        ("FilterPolicyScope", _) => 2,
        _ => 1,
    });
    ordered
}
