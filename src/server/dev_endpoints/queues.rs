//! `/_aws/sqs/messages`: the messages of a queue in the form of ReceiveMessage, without receiving
//! them.
//!
//! The queue is named by the path (`/_aws/sqs/messages/<region>/<account>/<queue>`) or by QueueUrl
//! in a query, a form or a JSON body, so an SDK can use `/_aws/sqs/messages` as its endpoint URL
//! and call ReceiveMessage. All other parameters of that call are ignored; `ShowInvisible` and
//! `ShowDelayed` add in-flight and delayed messages. Messages of a FIFO queue that wait for an
//! earlier one of their group count as in flight.
//!
//! Shapes and errors are LocalStack's, as its documentation and its SDK define them. Its JSON,
//! selected by `Accept: application/json`, is derived from the XML: an element that occurs once is
//! not a list, and an element without content is null.
//!
//! A response has the oldest messages first, at most 1,000 messages or 8 MiB, out of 10,000 that
//! are examined. If there may be more, the header `x-squab-next-after` is the value of the
//! parameter `After` for the next request.

use super::{ANSWER_BYTES, ANSWER_MESSAGES, JSON, LONGEST_ANSWER, PREFIX, set_next};
use crate::api::error::{message, row};
use crate::api::operations::Service;
use crate::api::sqs::dialect::SQS;
use crate::api::sqs::receive_message::{Message, Output, describe};
use crate::auth::Role;
use crate::domain::address::{QueueAddress, invalid_address};
use crate::domain::{Kind, Refusal};
use crate::engine::access::Access;
use crate::engine::inspect::{self, Begin, Show, StoredMessage};
use crate::runtime::clock::Clock;
use crate::runtime::memory::Charge;
use crate::server::app::App;
use crate::server::response::{charged_body, fresh_request_id, header, refuse, respond};
use crate::wire::form::Params;
use crate::wire::{Protocol, json, xml};
use axum::body::Body;
use axum::extract::State;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The receipt handle of every shown message, which no other call accepts.
const RECEIPT_HANDLE: &str = "SQS/BACKDOOR/ACCESS";
const NEXT: HeaderName = HeaderName::from_static("x-squab-next-after");
/// The messages that are examined for one response, shown or not.
const LOOKED_AT: usize = 10_000;

/// Answers in the protocol of the call, or as `Accept` selects.
pub(super) async fn answer(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (form, request_id) = (Form::of(&parts), fresh_request_id());
    let (charge, messages, next) = match look(&app, &parts, body).await {
        Ok(seen) => seen,
        Err(refusal) => return refused(form, &refusal, &request_id),
    };
    let output = Output { messages };
    let body = match form {
        Form::Xml => xml::response("ReceiveMessage", &request_id, &SQS, Some(&output)),
        Form::AwsJson => json::encode(&output),
        Form::Json => xml_as_json(&output, &request_id).to_string().into_bytes(),
    };
    let body = charged_body(charge, body);
    let mut response = respond(StatusCode::OK, form.protocol(), &request_id, body);
    if form == Form::Json {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    set_next(&mut response, NEXT, next);
    response
}

/// Returns an error in the format of the response.
fn refused(form: Form, refusal: &Refusal, request_id: &str) -> Response<Body> {
    let response = refuse(Service::Sqs, refusal, form.protocol(), request_id);
    if form != Form::Json {
        return response;
    }
    let row = row(Service::Sqs, refusal.kind);
    let body = json!({
        "ErrorResponse": {
            "Error": {
                "Type": if row.sender { "Sender" } else { "Receiver" },
                "Code": row.query_code,
                "Message": message(refusal, Protocol::Query),
                "Detail": null,
            },
            "RequestId": request_id,
        },
    });
    let mut response = response.map(|_| Body::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// The format of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Xml,
    /// The format that SDKs read.
    AwsJson,
    /// The XML as JSON, element for element.
    Json,
}

impl Form {
    fn of(parts: &Parts) -> Self {
        let says = |name: &str, text: &str| {
            header(&parts.headers, name).is_some_and(|value| value.contains(text))
        };
        if is_json(parts) || says(ACCEPT.as_str(), "application/x-amz-json-1.0") {
            Self::AwsJson
        } else if says(ACCEPT.as_str(), "application/json") {
            Self::Json
        } else {
            Self::Xml
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Xml => Protocol::Query,
            Self::AwsJson | Self::Json => Protocol::Json,
        }
    }
}

fn is_json(parts: &Parts) -> bool {
    parts.method == Method::POST
        && header(&parts.headers, CONTENT_TYPE.as_str())
            .is_some_and(|content| content.starts_with("application/x-amz-json"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonInput {
    queue_url: Option<String>,
}

/// Returns the messages with their charge, and the cursor of the next response.
async fn look(
    app: &App,
    parts: &Parts,
    body: Body,
) -> Result<(Arc<Charge>, Vec<Message>, Option<i64>), Refusal> {
    let (caller, received) = app.callers.admit(&app.bodies, parts, body, Role::View).await?;
    let charge = app.reserve(parts, LONGEST_ANSWER).await?;
    let body = &received.bytes;
    let path = parts.uri.path().trim_end_matches('/');
    let queue = path.strip_prefix(PREFIX).and_then(|path| path.strip_prefix("sqs/messages/"));
    if parts.method != Method::GET && parts.method != Method::POST {
        return Err(only_receive());
    }
    let malformed =
        |kind| move |error: crate::wire::Malformed| Refusal::new(kind, error.to_string());
    let (in_json, form): (JsonInput, &[u8]) = if is_json(parts) {
        (json::decode(body).map_err(malformed(Kind::Serialization))?, &[])
    } else {
        (JsonInput::default(), body)
    };
    let params =
        Params::parse(parts.uri.query(), form).map_err(malformed(Kind::MalformedQueryString))?;
    let target = header(&parts.headers, "x-amz-target");
    let action = target.map(|target| target.rsplit('.').next().unwrap_or(target));
    if action.or(params.get("Action")).is_some_and(|action| action != "ReceiveMessage") {
        return Err(only_receive());
    }
    let region = caller.region().unwrap_or(&app.settings.region);
    let mut address = match queue {
        None => {
            let url = in_json.queue_url.as_deref().or(params.get("QueueUrl")).unwrap_or_default();
            address_of(url, caller.account(), region)?
        }
        // The path names a region, an account and a queue.
        Some(queue) => address_of(&format!("/queue/{queue}"), caller.account(), region)?,
    };
    if let Some(only) = &app.callers.only_region {
        address.region.clone_from(only);
    }
    let asks = |name| {
        let value = params.get(name).unwrap_or_default();
        value.eq_ignore_ascii_case("true") || value == "1"
    };
    let show = Show { invisible: asks("ShowInvisible"), delayed: asks("ShowDelayed") };
    let after = match params.get("After").filter(|after| !after.is_empty()) {
        None => 0,
        Some(text) => text.parse().map_err(|_| Refusal::invalid("After must be a number."))?,
    };
    let (messages, next) = collect(app, &caller.access(), &address, after, show).await?;
    Ok((charge, messages, next))
}

fn only_receive() -> Refusal {
    Refusal::new(Kind::InvalidRequest, "This endpoint only accepts ReceiveMessage calls")
}

/// Parses the URL of a queue. An unusable URL is InvalidAddress here, even if SQS calls answer
/// otherwise.
fn address_of(url: &str, account: &str, region: &str) -> Result<QueueAddress, Refusal> {
    if url.is_empty() {
        return Err(Refusal::missing("QueueUrl"));
    }
    QueueAddress::from_url(url, account, region).ok_or_else(|| invalid_address(url))
}

/// Reads in separate transactions, so that other calls are served in between.
async fn collect(
    app: &App,
    access: &Access,
    address: &QueueAddress,
    after: i64,
    show: Show,
) -> Result<(Vec<Message>, Option<i64>), Refusal> {
    let (mut messages, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
    let mut begin = Begin { after, begins_late: after > 0, ..Begin::default() };
    loop {
        let (limit, left) = (ANSWER_MESSAGES - messages.len(), ANSWER_BYTES - bytes);
        let (access, of, from) = (access.clone(), address.clone(), begin.clone());
        let page = app
            .runtime
            .run(move |tx| inspect::peek(tx, &access, &of, from.clone(), show, limit, left))
            .await?;
        looked_at += page.looked_at;
        for seen in page.seen {
            bytes += seen.received.content.size();
            messages.push(shown(seen, app.runtime.clock().as_ref()));
        }
        let full = messages.len() == ANSWER_MESSAGES || bytes >= ANSWER_BYTES;
        match page.next {
            Some(next) if !full && looked_at < LOOKED_AT => {
                (begin.after, begin.groups) = (next, page.groups);
            }
            next => return Ok((messages, next)),
        }
    }
}

fn shown(seen: StoredMessage, clock: &dyn Clock) -> Message {
    let mut message = describe(seen.received, clock);
    RECEIPT_HANDLE.clone_into(&mut message.receipt_handle);
    message.attributes.entry("ApproximateFirstReceiveTimestamp").or_insert_with(|| "0".to_owned());
    message.attributes.insert("IsVisible", seen.visible.to_string());
    message.attributes.insert("IsDelayed", seen.delayed.to_string());
    message
}

/// Returns the XML of a response, element for element, as JSON.
fn xml_as_json(output: &Output, request_id: &str) -> Value {
    let pair = |name: &str, value: Value| json!({ "Name": name, "Value": value });
    let messages = output.messages.iter().map(|message| {
        let system = message.attributes.iter().map(|(name, value)| pair(name, json!(value)));
        let own = message.message_attributes.iter().map(|(name, value)| pair(name, json!(value)));
        let mut shown = Map::from_iter([
            ("MessageId".to_owned(), json!(message.message_id)),
            ("ReceiptHandle".to_owned(), json!(message.receipt_handle)),
            ("MD5OfBody".to_owned(), json!(message.md5_of_body)),
            ("Body".to_owned(), json!(message.body)),
        ]);
        put_elements(&mut shown, "Attribute", system);
        if let Some(sum) = &message.md5_of_message_attributes {
            shown.insert("MD5OfMessageAttributes".to_owned(), json!(sum));
        }
        put_elements(&mut shown, "MessageAttribute", own);
        Value::Object(shown)
    });
    let mut result = Map::new();
    put_elements(&mut result, "Message", messages);
    let result = if result.is_empty() { Value::Null } else { Value::Object(result) };
    json!({
        "ReceiveMessageResponse": {
            "ReceiveMessageResult": result,
            "ResponseMetadata": { "RequestId": request_id },
        },
    })
}

/// Adds the elements of one name to their parent: nothing, the only element itself, or a list.
fn put_elements(
    parent: &mut Map<String, Value>,
    name: &str,
    elements: impl Iterator<Item = Value>,
) {
    let mut elements: Vec<_> = elements.collect();
    let value = match elements.len() {
        0 => return,
        1 => elements.swap_remove(0),
        _ => Value::Array(elements),
    };
    parent.insert(name.to_owned(), value);
}
