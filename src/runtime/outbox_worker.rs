//! The outbox worker: claims outboxes with due deliveries, renders and sends the messages, and records the outcomes.
//!
//! Each outbox (one for each subscription) has its own task, which holds a slot. Accounts and
//! destinations share the slots (`domain/delivery_shares.rs`), so that hanging endpoints delay only
//! deliveries of their own account. A message that was sent but not recorded before the process
//! ended is sent again: delivery is at least once.

use super::Runtime;
use super::transport::OutboundMessage;
use super::transport::http::Post;
use crate::domain::Refusal;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::delivery_shares::Shares;
use crate::domain::notification::{
    CONFIRMATION_SUBJECT, Confirmation, ConfirmationKind, Notification, Signature, subscribe_url,
    unsubscribe_url,
};
use crate::domain::sns_endpoint::Protocol;
use crate::engine::deliveries::{self, Claim, Claims, DueDelivery, Outbox};
use crate::store::{Confirmation as Question, Payload, Publication, failure_log};
use futures_util::future::join_all;
use parking_lot::Mutex;
use std::sync::Arc;

/// The number of outboxes served at a time.
const SLOTS: usize = 512;
/// The number of outboxes that one transaction claims.
const CLAIMS: usize = 64;
/// The number of deliveries of one outbox that are sent at a time.
const CONCURRENT_DELIVERIES: i64 = 16;
/// The content type unless a delivery policy sets another.
const PLAIN_TEXT: &str = "text/plain; charset=UTF-8";

/// The delivery slots, shared with the tasks that hold them.
#[derive(Clone)]
struct Slots(Arc<Mutex<Shares>>);

impl Slots {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Shares::new(SLOTS))))
    }

    /// Acquires the slot of a claim.
    fn take(&self, claim: Claim) -> Slot {
        self.0.lock().take(&claim.account, &claim.destination);
        Slot { slots: self.clone(), claim }
    }
}

/// The slot of an outbox, held until this is dropped.
struct Slot {
    slots: Slots,
    claim: Claim,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.lock().give_back(&self.claim.account, &self.claim.destination);
    }
}

/// Runs until the server stops.
pub(super) async fn keep_delivering(runtime: Runtime) {
    if let Err(refusal) = runtime.store.run(|tx| Ok(tx.release_claims()?)).await {
        failure_log::report("cannot look into the outbox", &refusal, None);
    }
    let slots = Slots::new();
    loop {
        let next = match claim(&runtime, &slots).await {
            Ok(next) => next,
            Err(refusal) => {
                if runtime.is_stopping() {
                    return;
                }
                failure_log::report("cannot look into the outbox", &refusal, None);
                Some(runtime.clock.now_ms() + 1_000)
            }
        };
        let sleep = async {
            match next {
                Some(at) => runtime.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = runtime.waiters.delivery.notified() => {}
            () = runtime.stopped() => return,
        }
    }
}

/// Claims the due outboxes that can have a slot, and starts serving them. Returns when the next
/// delivery is due, in Unix milliseconds. Due deliveries without a slot are claimed when one is
/// free.
async fn claim(runtime: &Runtime, slots: &Slots) -> Result<Option<i64>, Refusal> {
    loop {
        // Only this task acquires slots, so the free slots that the transaction sees stay free.
        let shares = slots.0.lock().clone();
        let Claims { claims, more, next_due } =
            runtime.store.run(move |tx| deliveries::claim(tx, shares.clone(), CLAIMS)).await?;
        for claim in claims {
            let (runtime, slot) = (runtime.clone(), slots.take(claim));
            let tasks = runtime.background.tasks.clone();
            tasks.spawn(async move {
                let (of_serving, subscription) = (runtime.clone(), slot.claim.subscription);
                let serving = async move { serve(&of_serving, subscription).await };
                if runtime.panics(serving).await {
                    give_up(&runtime, subscription).await;
                }
                drop(slot);
                runtime.waiters.delivery.notify_one();
            });
        }
        if !more {
            return Ok(next_due);
        }
    }
}

/// Delivers everything that is due, and waits until that is done.
pub(super) async fn deliver_due(runtime: &Runtime) -> Result<(), Refusal> {
    loop {
        let shares = Shares::new(SLOTS);
        let Claims { claims, more, .. } =
            runtime.store.run(move |tx| deliveries::claim(tx, shares.clone(), CLAIMS)).await?;
        if claims.is_empty() && !more {
            return Ok(());
        }
        join_all(claims.iter().map(|claim| serve(runtime, claim.subscription))).await;
    }
}

/// Serves a claimed outbox for one page and releases the claim, so that an outbox with many
/// messages takes turns with the others.
async fn serve(runtime: &Runtime, subscription: i64) {
    let Err(refusal) = serve_page(runtime, subscription).await else { return };
    if runtime.is_stopping() {
        return;
    }
    failure_log::report("deliveries failed", &refusal, None);
    give_up(runtime, subscription).await;
}

/// Releases the claim of an outbox that could not be served; the next attempt is a second later.
async fn give_up(runtime: &Runtime, subscription: i64) {
    let rest_until = runtime.clock.now_ms() + 1_000;
    let release =
        runtime.store.run(move |tx| deliveries::release(tx, subscription, Some(rest_until)));
    // If even that fails, the next start of the server releases the claim.
    drop(release.await);
}

/// Attempts the due deliveries, records the outcomes, and releases the claim.
async fn serve_page(runtime: &Runtime, subscription: i64) -> Result<(), Refusal> {
    let page = runtime
        .store
        .run(move |tx| deliveries::load(tx, subscription, CONCURRENT_DELIVERIES))
        .await?;
    let Some(outbox) = page else { return Ok(()) };
    let outbox = Arc::new(outbox);
    let began_at = runtime.clock.now_ms();
    let attempts = outbox.due_deliveries.iter().map(|due| attempt(runtime, &outbox, due));
    let attempts = join_all(attempts).await;
    // A message that cannot be rendered must not cause others to be sent again.
    let (mut outcomes, mut failure) = (Vec::with_capacity(attempts.len()), None);
    for attempt in attempts {
        outcomes.push(attempt.map_err(|refusal| failure = Some(refusal)).ok());
    }
    let rest_until = outbox.policy.max_receives_per_second.filter(|rate| *rate > 0).map(|rate| {
        let rest_ms = (outcomes.len() as u64 * 1_000).div_ceil(u64::from(rate));
        began_at + rest_ms as i64
    });
    let mail_is_private = runtime.keeps_mail_private();
    runtime
        .store
        .run(move |tx| {
            for (due, attempted) in outbox.due_deliveries.iter().zip(&outcomes) {
                if let Some((outcome, body)) = attempted {
                    deliveries::finish(tx, &outbox, due, outcome, body, mail_is_private)?;
                }
            }
            deliveries::release(tx, subscription, rest_until)
        })
        .await?;
    failure.map_or(Ok(()), Err)
}

/// Makes one attempt. Returns its outcome, and the text that the endpoint got or would have got.
async fn attempt(
    runtime: &Runtime,
    outbox: &Arc<Outbox>,
    due: &DueDelivery,
) -> Result<(Outcome, String), Refusal> {
    if let (Protocol::Sqs, Payload::SubscriptionConfirmation(question)) =
        (outbox.subscription.protocol, &due.delivery.payload)
    {
        return ask_in_queue(runtime, outbox, due, question).await;
    }
    let (message, body) = write(runtime, outbox, due).await?;
    Ok((runtime.transport.send(&message).await, body))
}

/// Makes one attempt for a subscription confirmation that goes to a queue.
async fn ask_in_queue(
    runtime: &Runtime,
    outbox: &Arc<Outbox>,
    due: &DueDelivery,
    question: &Question,
) -> Result<(Outcome, String), Refusal> {
    let text = confirmation_text(runtime, outbox, due, ConfirmationKind::Subscription, question);
    let body = text.await?;
    let (outbox, question, text) = (Arc::clone(outbox), question.clone(), body.clone());
    let outcome = runtime
        .store
        .run(move |tx| deliveries::ask_in_queue(tx, &outbox, &question, &text))
        .await?;
    Ok((outcome, body))
}

/// Renders the message. Also returns the text for the dead-letter queue.
async fn write(
    runtime: &Runtime,
    outbox: &Outbox,
    due: &DueDelivery,
) -> Result<(OutboundMessage, String), Refusal> {
    match (&due.delivery.payload, &due.publication) {
        (Payload::SubscriptionConfirmation(question), _) => {
            confirmation(runtime, outbox, due, ConfirmationKind::Subscription, question).await
        }
        (Payload::UnsubscribeConfirmation(news), _) => {
            confirmation(runtime, outbox, due, ConfirmationKind::Unsubscribe, news).await
        }
        (Payload::Notification(_), Some(publication)) => {
            notification(runtime, outbox, publication).await
        }
        (Payload::Notification(id), None) => {
            Err(Refusal::internal(format!("delivery of publication {id}, which is not there")))
        }
    }
}

async fn confirmation(
    runtime: &Runtime,
    outbox: &Outbox,
    due: &DueDelivery,
    kind: ConfirmationKind,
    asked: &Question,
) -> Result<(OutboundMessage, String), Refusal> {
    let subscription = &outbox.subscription;
    let text = confirmation_text(runtime, outbox, due, kind, asked).await?;
    let message = if subscription.protocol.is_http() {
        OutboundMessage::Post(Post {
            url: subscription.endpoint.clone(),
            message_type: kind.as_str().to_owned(),
            message_id: asked.message_id.to_string(),
            topic_arn: subscription.topic_arn.clone(),
            subscription_arn: (kind == ConfirmationKind::Unsubscribe).then(|| subscription.arn()),
            raw: false,
            content_type: PLAIN_TEXT.to_owned(),
            body: text.clone().into(),
        })
    } else {
        OutboundMessage::Mail {
            to: subscription.endpoint.clone(),
            subject: CONFIRMATION_SUBJECT.to_owned(),
            text: text.clone(),
        }
    };
    Ok((message, text))
}

async fn confirmation_text(
    runtime: &Runtime,
    outbox: &Outbox,
    due: &DueDelivery,
    kind: ConfirmationKind,
    asked: &Question,
) -> Result<String, Refusal> {
    let subscription = &outbox.subscription;
    let arn = subscription.arn();
    let confirmation = Confirmation {
        kind,
        message_id: asked.message_id,
        token: &asked.token,
        topic_arn: &subscription.topic_arn,
        subscription_arn: &arn,
        subscribe_url: &subscribe_url(&asked.base_url, &subscription.topic_arn, &asked.token),
        sent_at: runtime.clock.shown(due.delivery.created_at),
    };
    if subscription.protocol == Protocol::Email {
        return Ok(confirmation.email_text());
    }
    let to_sign = confirmation.string_to_sign();
    Ok(confirmation.envelope(&sign(runtime, outbox, to_sign, &asked.base_url).await?))
}

async fn notification(
    runtime: &Runtime,
    outbox: &Outbox,
    publication: &Publication,
) -> Result<(OutboundMessage, String), Refusal> {
    let subscription = &outbox.subscription;
    let published = &publication.published;
    let texts = published.texts();
    let arn = subscription.arn();
    let unsubscribe_url = unsubscribe_url(&publication.base_url, &arn);
    let notification = Notification {
        message_id: publication.message_id,
        sequence_number: None,
        topic_arn: &subscription.topic_arn,
        subject: published.subject.as_deref(),
        message: texts.for_protocol(subscription.protocol.name()),
        published_at: publication.published_at,
        attributes: &published.attributes,
        subscription_arn: &arn,
        replayed: false,
    };
    let raw = subscription.attributes.is_raw();
    let signature = match subscription.protocol {
        Protocol::Email => None,
        _ if raw => None,
        _ => {
            let text = notification.string_to_sign();
            Some(sign(runtime, outbox, text, &publication.base_url).await?)
        }
    };
    let envelope = || notification.envelope(signature.as_ref(), &unsubscribe_url);
    let mail = |text: String| OutboundMessage::Mail {
        to: subscription.endpoint.clone(),
        subject: notification.email_subject().to_owned(),
        text,
    };
    Ok(match (subscription.protocol, &signature) {
        (Protocol::Email, _) => {
            let text = notification.email_text(&unsubscribe_url);
            (mail(text.clone()), text)
        }
        (Protocol::EmailJson, _) => (mail(envelope()), envelope()),
        (Protocol::Lambda, Some(signature)) => {
            let event = notification.lambda_event(signature, &unsubscribe_url);
            let message = OutboundMessage::Invoke {
                function_arn: subscription.endpoint.clone(),
                event: event.into(),
            };
            (message, envelope())
        }
        _ => {
            let body = if raw { notification.message.to_owned() } else { envelope() };
            let message = OutboundMessage::Post(Post {
                url: subscription.endpoint.clone(),
                message_type: "Notification".to_owned(),
                message_id: publication.message_id.to_string(),
                topic_arn: subscription.topic_arn.clone(),
                subscription_arn: Some(arn.clone()),
                raw,
                content_type: outbox.policy.content_type.clone(),
                body: body.clone().into(),
            });
            (message, body)
        }
    })
}

async fn sign(
    runtime: &Runtime,
    outbox: &Outbox,
    text: String,
    base_url: &str,
) -> Result<Signature, Refusal> {
    let version = outbox.version;
    let cert_url = runtime.sns_signer.cert_url(base_url).await?;
    let base64 = runtime.sns_signer.sign(version, text).await?;
    Ok(Signature { version, base64, cert_url })
}
