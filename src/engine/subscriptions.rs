//! Subscriptions: subscribe, confirm, change, end.

use super::access::Access;
use super::{outbox, platform, replay, topics};
use crate::domain::address::QueueAddress;
use crate::domain::arn::Arn;
use crate::domain::limits::{
    FEW_SUBSCRIPTIONS, FILTER_POLICIES, PUBLISH_BYTES, SUBSCRIPTION_TOKEN_MS,
};
use crate::domain::platform::EndpointAddress;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::subscription_attributes::{Subscribed, SubscriptionAttributes};
use crate::domain::topic_address::{SubscriptionArn, TopicAddress};
use crate::domain::topic_attributes::in_attributes;
use crate::domain::{Kind, Refusal};
use crate::store::{
    CONFIRMATION_BYTES, Confirmation, Payload, Recipient, Subscription, SubscriptionState, Topic,
    Txn,
};
use indexmap::IndexMap;

/// The parameters of Subscribe.
#[derive(Debug, Clone)]
pub struct Request {
    /// The permissions of the caller.
    pub access: Access,
    /// The topic.
    pub topic: TopicAddress,
    /// The protocol.
    pub protocol: Protocol,
    /// The endpoint.
    pub endpoint: String,
    /// The given attributes.
    pub attributes: IndexMap<String, String>,
    /// Account of the caller.
    pub account: String,
    /// ARN of the caller.
    pub principal: String,
    /// The base of links in messages.
    pub base_url: String,
}

/// Subscribes an endpoint, or returns the existing subscription if the given attributes do not contradict it.
/// If the protocol requires it, the owner of the endpoint must confirm.
pub fn subscribe(tx: &mut Txn<'_>, request: &Request) -> Result<Subscription, Refusal> {
    let mut topic = topics::find(tx, &request.access, &request.topic)?;
    request.protocol.check_endpoint(&request.endpoint, topic.attributes.is_fifo())?;
    if request.protocol == Protocol::Application {
        check_device(tx, &request.access, &request.endpoint)?;
    }
    let subscribed = Subscribed {
        topic: &request.topic,
        protocol: request.protocol,
        endpoint: &request.endpoint,
    };
    let attributes = SubscriptionAttributes::create(subscribed, &request.attributes)?;
    if is_asked(request) {
        outbox::check(tx, &request.topic.account, CONFIRMATION_BYTES)?;
    }
    match tx.subscription_of_endpoint(topic.id, request.protocol, &request.endpoint)? {
        Some(ended) if ended.state == SubscriptionState::Ended => {
            tx.delete_subscription(ended.id)?;
        }
        Some(existing) => return again(tx, existing, &attributes, &request.base_url),
        None => {}
    }
    check_number(&topic, request.protocol)?;
    if attributes.has_filter() {
        check_filters(tx, &topic)?;
    }
    let pending = is_asked(request);
    let mut subscription = Subscription {
        id: tx.next_sequence()?,
        uuid: tx.fresh_id(),
        topic: topic.id,
        topic_arn: request.topic.arn(),
        account: request.account.clone(),
        region: request.topic.region.clone(),
        protocol: request.protocol,
        endpoint: request.endpoint.clone(),
        principal: request.principal.clone(),
        created_at: tx.now(),
        state: if pending { SubscriptionState::Pending } else { SubscriptionState::Confirmed },
        authenticated: !pending,
        protected: false,
        token: None,
        token_expires_at: None,
        attributes,
        replay: None,
    };
    if pending {
        topic.pending += 1;
        renew_token(tx, &mut subscription);
    } else {
        topic.confirmed += 1;
    }
    if subscription.attributes.replay_policy().is_some() {
        replay::begin(tx, &topic, &mut subscription)
            .map_err(|refusal| in_attributes("ReplayPolicy", refusal))?;
    }
    tx.insert_subscription(&subscription)?;
    if subscription.replay.is_some() {
        tx.update_subscription(&subscription)?;
    }
    tx.update_topic(&topic)?;
    if pending {
        ask(tx, &subscription, &request.base_url)?;
    }
    Ok(subscription)
}

/// Rejects with InvalidParameter unless the platform endpoint exists, in the account of the caller if accounts
/// are isolated.
// Rule (Subscribe): a platform endpoint must exist, and its ARN follows the words of the error without a space.
// Source: reported, getmoto/moto#7518
// Test: tests/scenarios/subscriptions.txt#A platform endpoint must exist
fn check_device(tx: &mut Txn<'_>, access: &Access, endpoint: &str) -> Result<(), Refusal> {
    if let Some(address) = EndpointAddress::read(endpoint)
        && access.is_owner(&address.application.account)
        && platform::exists(tx, &address)?
    {
        return Ok(());
    }
    Err(Refusal::invalid_parameter_because(
        "Endpoint",
        format_args!("Endpoint does not exist for endpoint arn{endpoint}"),
    ))
}

/// Returns whether the owner of the endpoint must confirm. The owner of a queue must, unless the owner
/// subscribes it.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-send-message-to-sqs-cross-account.html>
fn is_asked(request: &Request) -> bool {
    let queue = (request.protocol == Protocol::Sqs)
        .then(|| QueueAddress::from_arn(&request.endpoint))
        .flatten();
    request.protocol.needs_confirmation()
        || queue.is_some_and(|queue| queue.account != request.account)
}

/// Handles a repeated Subscribe of the same endpoint: returns the same subscription. A pending one gets another
/// confirmation request.
fn again(
    tx: &mut Txn<'_>,
    mut existing: Subscription,
    given: &SubscriptionAttributes,
    base_url: &str,
) -> Result<Subscription, Refusal> {
    if existing.attributes.differ_from_given(given) {
        return Err(Refusal::invalid_parameter_because(
            "Attributes",
            "Subscription already exists with different attributes",
        ));
    }
    if existing.state == SubscriptionState::Pending {
        if existing.token_expires_at.is_none_or(|at| at <= tx.now()) {
            renew_token(tx, &mut existing);
            tx.update_subscription(&existing)?;
        }
        ask(tx, &existing, base_url)?;
    }
    Ok(existing)
}

fn check_number(topic: &Topic, protocol: Protocol) -> Result<(), Refusal> {
    let number = topic.confirmed + topic.pending;
    let takes_large = topic.attributes.maximum_message_size() > PUBLISH_BYTES;
    if takes_large && !protocol.takes_large_messages() {
        return Err(Refusal::invalid_parameter_because(
            "Protocol",
            format_args!(
                "The MaximumMessageSize of the topic is not supported by the protocol {}",
                protocol.name()
            ),
        ));
    }
    let few_only = topic.attributes.is_fifo() || takes_large;
    if few_only && number >= FEW_SUBSCRIPTIONS {
        return Err(Refusal::new(
            Kind::SubscriptionLimitExceeded,
            format!("The topic already has {number} subscriptions."),
        ));
    }
    Ok(())
}

/// Rejects with FilterPolicyLimitExceeded if the topic has the maximum number of filter policies.
fn check_filters(tx: &mut Txn<'_>, topic: &Topic) -> Result<(), Refusal> {
    if tx.filter_policies_of_topic(topic.id, FILTER_POLICIES)? < FILTER_POLICIES {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::FilterPolicyLimitExceeded,
        format!("The topic already has {FILTER_POLICIES} filter policies."),
    ))
}

/// Returns a token in AWS's format: long and hexadecimal.
fn renew_token(tx: &mut Txn<'_>, subscription: &mut Subscription) {
    const IDS: usize = 8;
    let token = (0..IDS).map(|_| tx.fresh_id().simple().to_string()).collect();
    subscription.token = Some(token);
    subscription.token_expires_at = Some(tx.now() + SUBSCRIPTION_TOKEN_MS);
}

/// Requests a confirmation from the owner of the endpoint.
fn ask(tx: &mut Txn<'_>, subscription: &Subscription, base_url: &str) -> Result<(), Refusal> {
    let confirmation = confirmation(tx, subscription, base_url);
    send(tx, subscription, &Payload::SubscriptionConfirmation(confirmation))
}

/// Adds a confirmation to the outbox.
fn send(tx: &mut Txn<'_>, subscription: &Subscription, payload: &Payload) -> Result<(), Refusal> {
    let recipient = Recipient {
        subscription: subscription.id,
        account: &subscription.account,
        destination: &subscription.protocol.destination(&subscription.endpoint),
        payer: payer(subscription),
    };
    Ok(tx.insert_delivery(&recipient, payload)?)
}

/// Returns the account of a subscription's topic, in whose outbox its deliveries count.
fn payer(subscription: &Subscription) -> &str {
    Arn::parse(&subscription.topic_arn).map_or("", |arn| arn.account)
}

fn confirmation(tx: &mut Txn<'_>, subscription: &Subscription, base_url: &str) -> Confirmation {
    Confirmation {
        message_id: tx.fresh_id(),
        token: subscription.token.clone().unwrap_or_default(),
        base_url: base_url.to_owned(),
    }
}

/// Returns the error for a confirmation that names another topic than its token's, or none.
pub fn other_topic() -> Refusal {
    Refusal::invalid_parameter("Topic")
}

/// Confirms or restores the subscription of a token. `region` is that of the topic in the call; `signed` says
/// whether the call is signed, and `protect` whether ending the subscription must be signed too.
///
/// Rejects with InvalidParameter.
// Rule (ConfirmSubscription): a TopicArn that is not an ARN is "Topic".
// Source: recorded
// Test: tests/recorded/sns-topics.jsonl#sns-confirm-topic-is-no-arn
// Rule (ConfirmSubscription): a TopicArn of another region than the token's is "Topic"; any other topic of the region
//   is accepted, because the token alone identifies the subscription.
// Source: reported, localstack/localstack#8129
// Test: tests/scenarios/confirmations.txt#The token identifies the subscription
// Rule (ConfirmSubscription): a token that is not hexadecimal is "Invalid token"; an unknown one is "Token".
// Source: recorded, one token of each; inferred that hexadecimal digits are the difference
// Test: tests/recorded/sns-topics.jsonl#sns-confirm-token-is-not-hexadecimal, tests/recorded/sns-topics.jsonl#sns-confirm-token-is-unknown
// Rule (ConfirmSubscription): confirming again with the same token succeeds and returns the same ARN.
// Source: reported, localstack/localstack#8129
// Test: tests/scenarios/confirmations.txt#An endpoint is asked
// Rule (ConfirmSubscription): a token is valid for two days.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.confirm.html
// Test: tests/scenarios/confirmations.txt#A token is good for two days
pub fn confirm(
    tx: &mut Txn<'_>,
    region: &str,
    token: &str,
    signed: bool,
    protect: bool,
) -> Result<Subscription, Refusal> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::new(Kind::InvalidParameter, "Invalid token"));
    }
    let Some(mut subscription) = tx.subscription_of_token(token)? else {
        return Err(Refusal::invalid_parameter("Token"));
    };
    if subscription.region != region {
        return Err(other_topic());
    }
    // A topic that is being deleted has no row any more.
    let Some(mut topic) = tx.topic_by_id(subscription.topic)? else {
        return Err(Refusal::invalid_parameter("Token"));
    };
    if subscription.state == SubscriptionState::Confirmed {
        return Ok(subscription);
    }
    if subscription.token_expires_at.is_none_or(|at| at <= tx.now()) {
        return Err(Refusal::invalid_parameter("Token"));
    }
    if subscription.state == SubscriptionState::Pending {
        topic.pending -= 1;
    } else {
        topic.deleted -= 1;
    }
    topic.confirmed += 1;
    subscription.state = SubscriptionState::Confirmed;
    if subscription.attributes.replay_policy().is_some() {
        replay::begin(tx, &topic, &mut subscription)?;
    }
    subscription.authenticated = signed;
    subscription.protected = signed && protect;
    tx.update_subscription(&subscription)?;
    tx.update_topic(&topic)?;
    Ok(subscription)
}

/// Ends a subscription, if it exists. Without a signature its endpoint is notified, and can restore it.
///
/// Rejects with InvalidParameter before the subscription is confirmed, and with AccessDenied if only a signed
/// call can end it: a subscription without links, or one confirmed that way.
// Rule (Unsubscribe): ending a subscription that does not exist succeeds.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-unsubscribe-twice
// Rule (Unsubscribe): an unsigned call posts an UnsubscribeConfirmation, whose token restores the subscription.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-http-unsubscribe-confirmation, tests/scenarios/confirmations.txt#The link ends the subscription
// Rule (Unsubscribe): a call without a signature ends only subscriptions of http, https, email and email-json:
//   only their messages have a link for it. Others return AuthorizationError.
// Source: inferred, AWS sends UnsubscribeURL and UnsubscribeConfirmation to these endpoints only
// Test: tests/deliveries.rs::a_link_ends_no_subscription_without_links
pub fn unsubscribe(
    tx: &mut Txn<'_>,
    access: &Access,
    arn: &SubscriptionArn,
    signed: bool,
    base_url: &str,
) -> Result<(), Refusal> {
    let Some(mut subscription) = look(tx, access, arn, true)? else { return Ok(()) };
    if subscription.state == SubscriptionState::Pending {
        return Err(Refusal::invalid_parameter(
            "Cannot unsubscribe a subscription that is pending confirmation",
        ));
    }
    let needs_signature = subscription.protected || !subscription.protocol.needs_confirmation();
    if needs_signature && !signed {
        return Err(Refusal::new(
            Kind::AccessDenied,
            "The subscription can only be ended by a signed request of its owner.",
        ));
    }
    let is_told = !signed && subscription.protocol.needs_confirmation();
    if is_told {
        outbox::check(tx, payer(&subscription), CONFIRMATION_BYTES)?;
    }
    if let Some(mut topic) = tx.topic_by_id(subscription.topic)? {
        topic.confirmed -= 1;
        topic.deleted += 1;
        tx.update_topic(&topic)?;
    }
    if !is_told {
        return Ok(tx.delete_subscription(subscription.id)?);
    }
    subscription.state = SubscriptionState::Ended;
    subscription.replay = None;
    renew_token(tx, &mut subscription);
    tx.update_subscription(&subscription)?;
    let confirmation = confirmation(tx, &subscription, base_url);
    send(tx, &subscription, &Payload::UnsubscribeConfirmation(confirmation))
}

/// Deletes a page of subscriptions that were not confirmed in time. Returns their number.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html>
pub fn forget_unconfirmed(tx: &mut Txn<'_>, limit: i64) -> Result<usize, Refusal> {
    let late = tx.unconfirmed_subscriptions(limit)?;
    for subscription in &late {
        if let Some(mut topic) = tx.topic_by_id(subscription.topic)? {
            topic.pending -= 1;
            tx.update_topic(&topic)?;
        }
        tx.delete_subscription(subscription.id)?;
    }
    Ok(late.len())
}

// Rule (Unsubscribe): a signed call must come from the owner of the subscription or of the topic.
// Source: documented, https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
// Test: tests/isolation.rs::a_subscription_is_its_owners
//
// Rule (GetSubscriptionAttributes): the owner of the topic can read a subscription of another account.
// Source: inferred, ListSubscriptionsByTopic shows it to the owner of the topic
// Test: tests/isolation.rs::a_subscription_is_its_owners
//
// Rule (SetSubscriptionAttributes): only its owner can change a subscription.
// Source: inferred, the policy of a topic has no such action
// Test: tests/isolation.rs::a_subscription_is_its_owners
//
/// Returns the subscription of an ARN, if it exists. Rejects callers other than its owner and, if
/// `for_topic_owner`, the owner of the topic.
fn look(
    tx: &mut Txn<'_>,
    access: &Access,
    arn: &SubscriptionArn,
    for_topic_owner: bool,
) -> Result<Option<Subscription>, Refusal> {
    let found = tx
        .subscription(&arn.id)?
        .filter(|found| found.state != SubscriptionState::Ended)
        .filter(|found| found.topic_arn == arn.topic.arn());
    if let Some(found) = &found
        && !(for_topic_owner && access.is_owner(&arn.topic.account))
    {
        access.check_owner(&found.account, || arn.topic.arn())?;
    }
    Ok(found)
}

/// Returns the subscription of an ARN, for its owner or the owner of the topic.
pub fn find(
    tx: &mut Txn<'_>,
    access: &Access,
    arn: &SubscriptionArn,
) -> Result<Subscription, Refusal> {
    look(tx, access, arn, true)?.ok_or_else(|| Refusal::not_found("Subscription"))
}

/// Changes one attribute, or removes it without a value.
pub fn set_attribute(
    tx: &mut Txn<'_>,
    access: &Access,
    arn: &SubscriptionArn,
    name: &str,
    value: Option<&str>,
) -> Result<(), Refusal> {
    let found = look(tx, access, arn, false)?;
    let mut subscription = found.ok_or_else(|| Refusal::not_found("Subscription"))?;
    let had_filter = subscription.attributes.has_filter();
    let subscribed = Subscribed {
        topic: &arn.topic,
        protocol: subscription.protocol,
        endpoint: &subscription.endpoint,
    };
    match value {
        Some(value) => subscription.attributes.set(subscribed, name, value)?,
        None => subscription.attributes.clear(subscribed, name)?,
    }
    // A topic that is being deleted has no row any more.
    let Some(topic) = tx.topic_by_id(subscription.topic)? else {
        return Err(Refusal::not_found("Subscription"));
    };
    if subscription.attributes.has_filter() && !had_filter {
        check_filters(tx, &topic)?;
    }
    if name == "ReplayPolicy" {
        replay::begin(tx, &topic, &mut subscription)?;
    }
    tx.update_subscription(&subscription)?;
    if !fault!("changed-filter-not-noticed") {
        tx.update_topic(&topic)?;
    }
    Ok(())
}

/// Returns the attributes for GetSubscriptionAttributes.
pub fn shown(
    tx: &mut Txn<'_>,
    subscription: &Subscription,
) -> Result<IndexMap<String, String>, Refusal> {
    let pending = subscription.state == SubscriptionState::Pending;
    let mut shown = IndexMap::from([
        ("SubscriptionArn".to_owned(), subscription.arn()),
        ("TopicArn".to_owned(), subscription.topic_arn.clone()),
        ("Protocol".to_owned(), subscription.protocol.name().to_owned()),
        ("Endpoint".to_owned(), subscription.endpoint.clone()),
        ("Owner".to_owned(), subscription.account.clone()),
        ("SubscriptionPrincipal".to_owned(), subscription.principal.clone()),
        ("PendingConfirmation".to_owned(), pending.to_string()),
        ("ConfirmationWasAuthenticated".to_owned(), subscription.authenticated.to_string()),
    ]);
    shown.extend(subscription.attributes.shown());
    let own = subscription.attributes.delivery_policy();
    if subscription.protocol.is_http() || own.is_some() {
        let topic = tx.topic_by_id(subscription.topic)?;
        let of_topic = topic.and_then(|topic| topic.attributes.delivery_policy());
        let effective = own.unwrap_or_default().effective_text(of_topic.as_ref());
        shown.insert("EffectiveDeliveryPolicy".to_owned(), effective);
    }
    if let Some(replay) = &subscription.replay {
        shown.insert("ReplayStatus".to_owned(), replay.status.clone());
    }
    Ok(shown)
}
