//! THE table of operations: every operation that is served, with its name on the wire.

use super::Context;
use super::sqs;
use crate::domain::{Kind, Refusal};
use crate::wire::dialect::Dialect;
use crate::wire::form::Params;
use crate::wire::{Malformed, json, query, xml};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::pin::Pin;

/// An AWS service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon SQS
    Sqs,
}

impl Service {
    /// The name in credential scopes and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
        }
    }

    /// How the service names things in AWS Query.
    pub fn dialect(self) -> &'static Dialect {
        match self {
            Self::Sqs => &sqs::dialect::SQS,
        }
    }
}

/// The parameters of a call, in the protocol in which they came.
#[derive(Debug)]
pub enum Payload {
    /// A body of AWS JSON.
    Json(axum::body::Bytes),
    /// Parameters of AWS Query.
    Query(Params),
}

/// The answer of an operation, encoded in the protocol of the call.
pub type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, Refusal>> + Send>>;

/// One operation.
pub struct Operation {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its service.
    pub service: Service,
    /// Whether it may be called on a queue's own path.
    pub has_queue: bool,
    /// Decodes, runs, encodes. The text is the request id.
    pub run: fn(Context, Payload, String) -> Answer,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `Name => module::function` for an operation with output, `Name => module::function -> ()` for
/// one without, which differ on the wire; before it, whether it concerns one queue.
macro_rules! operations {
    ($service:ident, $dialect:path; $($has_queue:ident $name:ident => $($path:ident)::+ $(-> $nothing:tt)?;)+) => {
        &[$(Operation {
            name: stringify!($name),
            service: Service::$service,
            has_queue: operations!(@queue $has_queue),
            run: |cx, payload, request_id| Box::pin(async move {
                let input = payload.decode(stringify!($name), &$dialect)?;
                let output = $($path)::+(&cx, input).await?;
                let output = operations!(@output output $($nothing)?);
                Ok(payload.encode(stringify!($name), &request_id, &$dialect, output))
            }),
        }),+]
    };
    (@queue queue) => { true };
    (@queue global) => { false };
    (@output $output:ident) => { Some(&$output) };
    (@output $output:ident ()) => {{ let () = $output; None::<&()> }};
}

/// Every operation. AWS JSON and AWS Query find them by name.
pub static OPERATIONS: &[Operation] = operations! { Sqs, sqs::dialect::SQS;
    queue  AddPermission                => sqs::add_permission::add_permission -> ();
    global CancelMessageMoveTask        => sqs::cancel_message_move_task::cancel_message_move_task;
    queue  ChangeMessageVisibility      => sqs::change_message_visibility::change_message_visibility -> ();
    queue  ChangeMessageVisibilityBatch => sqs::change_message_visibility::change_message_visibility_batch;
    global CreateQueue                  => sqs::create_queue::create_queue;
    queue  DeleteMessage                => sqs::delete_message::delete_message -> ();
    queue  DeleteMessageBatch           => sqs::delete_message::delete_message_batch;
    queue  DeleteQueue                  => sqs::delete_queue::delete_queue -> ();
    queue  GetQueueAttributes           => sqs::get_queue_attributes::get_queue_attributes;
    global GetQueueUrl                  => sqs::get_queue_url::get_queue_url;
    queue  ListDeadLetterSourceQueues   => sqs::list_dead_letter_source_queues::list_dead_letter_source_queues;
    global ListMessageMoveTasks         => sqs::list_message_move_tasks::list_message_move_tasks;
    queue  ListQueueTags                => sqs::list_queue_tags::list_queue_tags;
    global ListQueues                   => sqs::list_queues::list_queues;
    queue  PurgeQueue                   => sqs::purge_queue::purge_queue -> ();
    queue  ReceiveMessage               => sqs::receive_message::receive_message;
    queue  RemovePermission             => sqs::remove_permission::remove_permission -> ();
    queue  SendMessage                  => sqs::send_message::send_message;
    queue  SendMessageBatch             => sqs::send_message::send_message_batch;
    queue  SetQueueAttributes           => sqs::set_queue_attributes::set_queue_attributes -> ();
    global StartMessageMoveTask         => sqs::start_message_move_task::start_message_move_task;
    queue  TagQueue                     => sqs::tag_queue::tag_queue -> ();
    queue  UntagQueue                   => sqs::untag_queue::untag_queue -> ();
};

impl Payload {
    fn decode<I: DeserializeOwned>(
        &self,
        operation: &str,
        dialect: &Dialect,
    ) -> Result<I, Refusal> {
        let refuse = |kind| move |malformed: Malformed| Refusal::new(kind, malformed.to_string());
        match self {
            Self::Json(body) => json::decode(body).map_err(refuse(Kind::Serialization)),
            Self::Query(params) => {
                query::decode(params, dialect, operation).map_err(refuse(Kind::MalformedInput))
            }
        }
    }

    fn encode<O: Serialize>(
        &self,
        operation: &str,
        request_id: &str,
        dialect: &Dialect,
        output: Option<&O>,
    ) -> Vec<u8> {
        match self {
            Self::Json(_) => output.map(json::encode).unwrap_or_default(),
            Self::Query(_) => xml::response(operation, request_id, dialect, output),
        }
    }
}
