//! Publish and PublishBatch.
//!
//! AWS: API_Publish, API_PublishBatch.

use super::shapes::Empty;
use crate::api::Caller;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::api::sqs::shapes::MessageAttributeValue;
use crate::domain::limits::{BATCH_ENTRIES, MESSAGE_ATTRIBUTES, PUBLISH_BYTES};
use crate::domain::message_structure::MessageTexts;
use crate::domain::notification::Signature;
use crate::domain::platform::{EndpointAddress, is_endpoint_arn};
use crate::domain::sms::to_publish_to;
use crate::domain::sns_message::{self, Published};
use crate::domain::topic_address::TopicAddress;
use crate::engine::publish::{
    Draft, Outcome, Receipt, Request, SignedDraft, publish as publish_to_topic,
};
use crate::engine::{platform, sms};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message to publish: the input of Publish, or an entry of a batch, which has no target.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    pub topic_arn: Option<String>,
    pub target_arn: Option<String>,
    pub phone_number: Option<String>,
    pub id: Option<String>,
    pub message: Option<String>,
    pub subject: Option<String>,
    pub message_structure: Option<String>,
    pub message_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

/// The input of PublishBatch.
#[apply(input)]
pub struct BatchInput {
    pub topic_arn: Option<String>,
    pub publish_batch_request_entries: Option<Vec<Input>>,
}

/// What became of a message: the output of Publish, and with its Id an entry of a batch.
#[apply(output)]
pub struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
}

impl Output {
    fn new(id: Option<String>, receipt: Receipt) -> Self {
        Self { id, message_id: receipt.id.to_string(), sequence_number: receipt.sequence_number }
    }
}

/// The output of PublishBatch.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchOutput {
    /// Always present and empty, because an error in one message rejects the whole batch.
    pub failed: Vec<Empty>,
    pub successful: Vec<Output>,
}

/// Publishes a message to a topic, to a device, or to a phone.
pub async fn publish(cx: &Context, mut input: Input) -> Result<Output, Refusal> {
    message_is_there(Constraints::default(), "", &input).check()?;
    let target = Target::of(cx, &mut input)?;
    let message = checked(input, matches!(target, Target::Topic(_)))?;
    let receipt = match target {
        Target::Topic(topic) => {
            let receipts = to_topic(cx, topic, vec![message], false).await?;
            receipts.into_iter().next().ok_or_else(|| Refusal::internal("no receipt"))?
        }
        Target::Endpoint(endpoint) => {
            sns_message::check_size(message.size(), PUBLISH_BYTES)?;
            let id = cx.run(move |tx, _| platform::publish(tx, &endpoint, &message)).await?;
            Receipt { id, sequence_number: None }
        }
        Target::Phone(number) => {
            sns_message::check_size(message.size(), PUBLISH_BYTES)?;
            let work = move |tx: &mut Txn<'_>, caller: &Caller| {
                sms::publish(tx, caller.namespace(), &number, &message)
            };
            let id = cx.run(work).await?;
            Receipt { id, sequence_number: None }
        }
    };
    Ok(Output::new(None, receipt))
}

/// Publishes up to ten messages to a topic. A mistake in the form of one refuses them all.
// Rule (PublishBatch): a missing `default`, MessageGroupId or MessageDeduplicationId of one entry refuses the request.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-batch-structure-json-no-default, tests/recorded/sns.jsonl#sns-batch-fifo-no-group-id, tests/recorded/sns.jsonl#sns-batch-fifo-no-dedup-id
// Rule (PublishBatch): a malformed attribute, an empty message or a bad subject of one entry refuses the request.
// Source: inferred, the service model has ParameterValueInvalid among the errors of the request and other mistakes are
//   recorded to refuse it
// Test: tests/scenarios/publishing.txt#Batches: errors of one entry that reject the whole batch
pub async fn publish_batch(cx: &Context, input: BatchInput) -> Result<BatchOutput, Refusal> {
    let constraints = Constraints::default()
        .present("topicArn", input.topic_arn.is_some())
        .present("publishBatchRequestEntries", input.publish_batch_request_entries.is_some());
    let entries = input.publish_batch_request_entries.unwrap_or_default();
    // A batch with more entries is rejected anyway.
    let numbered = (1..=BATCH_ENTRIES).zip(&entries);
    numbered
        .fold(constraints, |found, (number, entry)| {
            let path = format!("publishBatchRequestEntries.{number}.member.");
            let found = found.present(&format!("{path}id"), entry.id.is_some());
            message_is_there(found, &path, entry)
        })
        .check()?;
    let topic = cx.topic("TopicArn", &input.topic_arn.unwrap_or_default())?;
    let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
    sns_message::check_batch(&ids)?;
    entries.iter().try_for_each(check_structure)?;
    let messages =
        entries.into_iter().map(|entry| checked(entry, true)).collect::<Result<_, _>>()?;
    let receipts = to_topic(cx, topic, messages, true).await?;
    let successful =
        ids.into_iter().zip(receipts).map(|(id, receipt)| Output::new(id, receipt)).collect();
    Ok(BatchOutput { failed: Vec::new(), successful })
}

/// What the model requires of a message, whose members stand below this path.
fn message_is_there(constraints: Constraints, path: &str, message: &Input) -> Constraints {
    let attributes = message.message_attributes.iter().flatten();
    let untyped = attributes.filter(|(_, attribute)| attribute.data_type.is_none());
    let found = constraints.present(&format!("{path}message"), message.message.is_some());
    untyped.take(MESSAGE_ATTRIBUTES).fold(found, |found, (name, _)| {
        found.present(&format!("{path}messageAttributes.{name}.member.dataType"), false)
    })
}

/// The target of a message.
enum Target {
    Topic(TopicAddress),
    Endpoint(EndpointAddress),
    /// A phone number in E.164 format.
    Phone(String),
}

impl Target {
    // Rule (Publish): a call names one of TopicArn, TargetArn and PhoneNumber, and not two of them.
    // Source: reported, aws/aws-sdk-js#1217
    // Test: tests/scenarios/publishing.txt#One target
    // Rule (Publish): a call without a target is InvalidParameter.
    // Source: reported, sul-dlss/dlme#432
    // Test: tests/scenarios/publishing.txt#Refusals
    fn of(cx: &Context, input: &mut Input) -> Result<Self, Refusal> {
        let given = [&input.topic_arn, &input.target_arn, &input.phone_number];
        if given.iter().filter(|target| target.as_deref().is_some_and(|it| !it.is_empty())).count()
            > 1
        {
            return Err(Refusal::invalid_parameter_because(
                "TopicArn or TargetArn",
                "only one of TopicArn, TargetArn and PhoneNumber can be given",
            ));
        }
        if let Some(arn) = input.topic_arn.take() {
            return cx.topic("TopicArn", &arn).map(Self::Topic);
        }
        if let Some(arn) = input.target_arn.take() {
            if is_endpoint_arn(&arn) {
                let endpoint = cx.endpoint("TargetArn", &arn)?;
                return endpoint.map(Self::Endpoint).ok_or_else(platform::no_endpoint);
            }
            return cx.topic("TargetArn", &arn).map(Self::Topic);
        }
        match input.phone_number.take() {
            Some(number) => to_publish_to(&number).map(Self::Phone),
            None => Err(Refusal::invalid_parameter_because(
                "TopicArn or TargetArn",
                "no value for required parameter",
            )),
        }
    }
}

/// Checks the texts of a message for many; a single receiver needs no default.
// Rule (Publish, PublishBatch): a MessageStructure other than `json` means nothing, and the message is taken as it is.
// Source: reported, aws/aws-sdk-php#1885
// Test: tests/scenarios/publishing.txt#A structured message has a text per protocol
// Rule (Publish, PublishBatch): with MessageStructure `json` the message is a JSON object whose `default` is a string.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-publish-structure-json-missing-default-key, tests/recorded/sns.jsonl#sns-publish-structure-json-invalid-json, tests/recorded/sns.jsonl#sns-publish-structure-json-key-is-not-string
fn check_structure(message: &Input) -> Result<(), Refusal> {
    match message.message_structure.as_deref() {
        Some("json") => {
            MessageTexts::parse(message.message.as_deref().unwrap_or_default()).map(drop)
        }
        _ => Ok(()),
    }
}

/// Returns a message after the checks that do not need its topic. `for_many` says whether the target is a topic
/// and not a single receiver.
fn checked(input: Input, for_many: bool) -> Result<Published, Refusal> {
    if input.message.as_deref().is_none_or(str::is_empty) {
        return Err(Refusal::invalid_parameter("Empty message"));
    }
    sns_message::check_subject(input.subject.as_deref())?;
    if for_many {
        check_structure(&input)?;
    }
    sns_message::check_ids(
        input.message_group_id.as_deref(),
        input.message_deduplication_id.as_deref(),
    )?;
    let attributes = input.message_attributes.unwrap_or_default();
    let attributes = attributes.into_iter().map(|(name, value)| (name, value.into()));
    Ok(Published {
        structured: input.message_structure.as_deref() == Some("json"),
        message: input.message.unwrap_or_default(),
        subject: input.subject,
        attributes: sns_message::check_attributes(attributes)?,
        group: input.message_group_id,
        deduplication_id: input.message_deduplication_id,
    })
}

/// Publishes to a topic in one transaction, and in more if messages have to be filtered or signed in between.
async fn to_topic(
    cx: &Context,
    topic: TopicAddress,
    messages: Vec<Published>,
    in_batch: bool,
) -> Result<Vec<Receipt>, Refusal> {
    let request = Arc::new(Request {
        access: cx.caller.access.clone(),
        topic,
        messages,
        in_batch,
        trace_header: cx.trace_header.clone(),
        base_url: cx.base_url.clone(),
    });
    let topics = cx.runtime.topics();
    let mut accepting: Option<Arc<Vec<Vec<i64>>>> = None;
    let mut signed = Arc::new(Vec::new());
    loop {
        let work = {
            let (topics, request) = (Arc::clone(topics), Arc::clone(&request));
            let (accepting, signed) = (accepting.clone(), Arc::clone(&signed));
            move |tx: &mut Txn<'_>| {
                let accepting = accepting.as_ref().map(|it| it.as_slice());
                publish_to_topic(tx, &topics, &request, accepting, &signed)
            }
        };
        match cx.runtime.run(work).await? {
            Outcome::Published(receipts) => return Ok(receipts),
            Outcome::ToFilter(topic) => {
                let request = Arc::clone(&request);
                let filtering = cx.runtime.cpu_pool().run(move || topic.filter(&request.messages));
                accepting = Some(Arc::new(filtering.await?));
            }
            Outcome::ToSign(drafts) => signed = Arc::new(sign(cx, drafts).await?),
        }
    }
}

async fn sign(cx: &Context, drafts: Vec<Draft>) -> Result<Vec<SignedDraft>, Refusal> {
    let sns_signer = cx.runtime.sns_signer();
    let cert_url = sns_signer.cert_url(&cx.base_url).await?;
    let mut signed = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let signature = match &draft.text {
            None => None,
            Some(text) => Some(Signature {
                version: draft.version,
                base64: sns_signer.sign(draft.version, text.clone()).await?,
                cert_url: cert_url.clone(),
            }),
        };
        signed.push(SignedDraft { draft, signature });
    }
    Ok(signed)
}
