//! CreateQueue.
//!
//! AWS: API_CreateQueue. Of an existing queue only the attributes and tags given are compared, as
//! recorded from AWS.

use crate::api::prelude::*;
use crate::domain::address::QueueName;
use crate::domain::queue_attributes::asks_for_fifo;
use crate::domain::tags;
use crate::engine::queues;

/// The input of CreateQueue.
#[apply(input)]
pub struct Input {
    pub queue_name: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
    /// The model has this member in lower case, unlike TagQueue. No alias for the other spelling: in
    /// AWS Query both are `Tag.1.Key`, so that the member would be there twice.
    #[serde(rename = "tags")]
    pub tags: Option<IndexMap<String, String>>,
}

/// The output of CreateQueue.
#[apply(output)]
pub struct Output {
    pub queue_url: String,
}

// Rule (CreateQueue): a request without QueueName is InvalidParameterValue, "Value for parameter QueueName is
//   invalid. Reason: Must specify a queue name."; an empty name is InvalidParameterValue, "Queue name cannot be empty".
// Source: inferred, both sentences are in the error tables of other projects that name AWS as their source
// Test: tests/scenarios/queues.txt#A queue needs a name.
fn given_name(name: Option<&str>) -> Result<&str, Refusal> {
    let reason = match name {
        Some(name) if !name.is_empty() => return Ok(name),
        Some(_) => "Queue name cannot be empty",
        None => "Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
    };
    Err(Refusal::invalid(reason))
}

/// Creates a queue, or finds the one that is there.
pub async fn create_queue(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let name = given_name(input.queue_name.as_deref())?;
    let attributes = input.attributes.unwrap_or_default();
    QueueName::new(name, asks_for_fifo(&attributes)?)?;
    let tags = input.tags.unwrap_or_default();
    tags::check(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
    tags::check_count(name, tags.len())?;
    let address = cx.queue_named(name);
    let url = cx.queue_url(&address);
    let cool_down = cx.cool_downs.recreate;
    cx.run(move |tx, caller| {
        queues::create(tx, &caller.access, &address, &attributes, &tags, cool_down)
    })
    .await?;
    Ok(Output { queue_url: url })
}
