//! The whole service in this process: gateway, store in memory, and a clock that tests move.
//!
//! Calls are given as the JSON input of an operation and are made in either protocol. The names of AWS
//! Query's parameters and elements are repeated here from AWS's publications, so that a mistake in the
//! server's own table is detected.

pub mod sns;

use axum::body::{Body, Bytes};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::header::{HeaderMap, HeaderValue};
use quick_xml::events::Event;
use serde_json::{Map, Value, json};
use squab::api::CoolDowns;
use squab::api::error::query_codes;
use squab::api::operations::OPERATIONS;
use squab::auth::{Credentials, Mode};
use squab::domain::delivery_outcome::Outcome;
use squab::runtime::Runtime;
use squab::runtime::clock::ManualClock;
use squab::runtime::memory::Memory;
use squab::runtime::transport::{OutboundMessage, Transport};
use squab::server::app::{self, App};
use squab::server::gateway::GatewaySettings;
use squab::server::metrics::Metrics;
use squab::store::{Database, Durability, Ids, Location, Sqlite};
use squab::wire::Protocol;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tower::ServiceExt;

/// The time at which a service starts: 2026-01-02T03:04:05Z in Unix milliseconds.
pub const START_MS: i64 = 1_767_323_045_000;
/// The authority to which requests are sent.
pub const HOST: &str = "localhost:4566";
/// The start of queue URLs of the default account.
pub const QUEUES: &str = "http://localhost:4566/000000000000";
/// The start of queue ARNs of the default account.
pub const ARNS: &str = "arn:aws:sqs:us-east-1:000000000000";
/// Both protocols.
pub const PROTOCOLS: [Protocol; 2] = [Protocol::Json, Protocol::Query];

/// The time at which scenarios start: 2026-01-01T00:00:00Z in Unix milliseconds.
pub const EPOCH: i64 = 1_767_225_600_000;

/// The caller of an operation.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: String,
    pub region: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self { account: "000000000000".into(), region: "us-east-1".into() }
    }
}

/// An error response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// As in AWS Query, without the namespace of SQS.
    pub code: String,
    pub message: String,
}

/// The result of a call: the output of the operation, or its error.
pub type Reply = Result<Value, Failure>;

/// A running service.
#[derive(Debug, Clone)]
pub struct Service {
    pub gateway: Arc<App>,
    pub runtime: Arc<Runtime>,
    pub clock: Arc<ManualClock>,
    pub endpoints: Arc<Endpoints>,
}

/// All external endpoints: they respond as the test says, by default with success.
#[derive(Debug, Default)]
pub struct Endpoints {
    /// Accepted deliveries.
    received: Mutex<Vec<OutboundMessage>>,
    /// Rejected deliveries.
    refused: Mutex<Vec<OutboundMessage>>,
    /// By URL, ARN or address: the response, if not success.
    answers: Mutex<HashMap<String, Outcome>>,
    /// The URLs of endpoints that respond to notifications late.
    slow: Mutex<HashSet<String>>,
    /// Held deliveries, each with the channel for its response.
    held: Mutex<Vec<(OutboundMessage, oneshot::Sender<Outcome>)>>,
    /// The number of attempts.
    attempts: AtomicU64,
}

impl Endpoints {
    /// Returns the deliveries since the last call.
    pub fn take(&self) -> Vec<OutboundMessage> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// What was not accepted since this was asked last, once for each attempt.
    pub fn take_refused(&self) -> Vec<OutboundMessage> {
        std::mem::take(&mut self.refused.lock().unwrap())
    }

    /// From now on this endpoint answers so.
    pub fn answer(&self, endpoint: &str, outcome: Outcome) {
        self.answers.lock().unwrap().insert(endpoint.to_owned(), outcome);
    }

    /// From now on these endpoints hold their requests, and respond when the test says so.
    pub fn are_slow(&self, urls: HashSet<String>) {
        *self.slow.lock().unwrap() = urls;
    }

    /// What slow endpoints have been sent since this was asked last, with where their answers go to.
    pub fn take_held(&self) -> Vec<(OutboundMessage, oneshot::Sender<Outcome>)> {
        std::mem::take(&mut self.held.lock().unwrap())
    }

    /// How much would be taken.
    pub fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Attempts since the beginning, whatever came of them.
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }
}

impl Transport for Endpoints {
    fn send<'a>(&'a self, letter: &'a OutboundMessage) -> BoxFuture<'a, Outcome> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let endpoint = match letter {
            OutboundMessage::Post(post) => &post.url,
            OutboundMessage::Invoke { function_arn, .. } => function_arn,
            OutboundMessage::Mail { to, .. } => to,
        };
        if let OutboundMessage::Post(post) = letter
            && post.message_type == "Notification"
            && self.slow.lock().unwrap().contains(endpoint)
        {
            let (answer, answered) = oneshot::channel();
            self.held.lock().unwrap().push((letter.clone(), answer));
            return Box::pin(async {
                match answered.await {
                    Ok(outcome) => outcome,
                    // The process has ended meanwhile.
                    Err(_) => std::future::pending().await,
                }
            });
        }
        let told = self.answers.lock().unwrap().get(endpoint).cloned();
        let outcome = told.unwrap_or(Outcome::Delivered { status: 200 });
        let accepted = matches!(outcome, Outcome::Delivered { .. });
        let place = if accepted { &self.received } else { &self.refused };
        place.lock().unwrap().push(letter.clone());
        Box::pin(std::future::ready(outcome))
    }
}

/// Region us-east-1, no signatures verified, no cool-downs.
pub fn settings() -> GatewaySettings {
    GatewaySettings {
        region: "us-east-1".to_owned(),
        mode: Mode::Off,
        credentials: Credentials::default(),
        cool_downs: CoolDowns::default(),
        public_url: None,
        compat_options: Arc::default(),
        one_region: false,
        accounts: Arc::default(),
        trust_forwarded: false,
        memory: Memory::new(1024 * 1024 * 1024),
        max_body_bytes: 8 * 1024 * 1024,
        delay_ms: 0..=0,
    }
}

/// Answers a request by its route, without the layers around all routes.
pub async fn by_route(app: &Arc<App>, request: Request<Body>) -> hyper::Response<Body> {
    app::routes(app).oneshot(request).await.unwrap()
}

impl Service {
    /// A service with its state in memory and the same ids every time.
    pub fn new(settings: GatewaySettings) -> Self {
        let driver = Sqlite::open(&Location::Memory, Durability::Process).unwrap();
        Self::on(Box::new(driver), settings, START_MS)
    }

    /// A service on this database. Background work happens when
    /// [`Runtime::do_background_work`] is called.
    pub fn on(driver: Box<dyn Database>, settings: GatewaySettings, now_ms: i64) -> Self {
        let clock = Arc::new(ManualClock::at(now_ms));
        let ids = Ids::with_seed(7);
        let endpoints = Arc::new(Endpoints::default());
        let (time, carrier) = (Arc::clone(&clock) as _, Arc::clone(&endpoints) as _);
        let runtime = Runtime::start_quietly(driver, time, ids, carrier).unwrap();
        Self::of(runtime, clock, endpoints, settings)
    }

    /// A service that may do its background work by itself, when its time comes; else that is done
    /// by [`Service::pass`] alone.
    pub fn open(
        location: &Location,
        clock: Arc<ManualClock>,
        seed: u64,
        cool_downs: CoolDowns,
        background_work: bool,
    ) -> Self {
        let driver = Box::new(Sqlite::open(location, Durability::Process).unwrap());
        Self::open_on(driver, clock, seed, cool_downs, background_work)
    }

    /// The same on any database.
    pub fn open_on(
        driver: Box<dyn Database>,
        clock: Arc<ManualClock>,
        seed: u64,
        cool_downs: CoolDowns,
        background_work: bool,
    ) -> Self {
        let ids = Ids::with_seed(seed);
        let endpoints = Arc::new(Endpoints::default());
        let (time, carrier) = (Arc::clone(&clock) as _, Arc::clone(&endpoints) as _);
        let start = if background_work { Runtime::start } else { Runtime::start_quietly };
        let runtime = start(driver, time, ids, carrier).unwrap();
        Self::of(runtime, clock, endpoints, GatewaySettings { cool_downs, ..settings() })
    }

    fn of(
        runtime: Runtime,
        clock: Arc<ManualClock>,
        endpoints: Arc<Endpoints>,
        settings: GatewaySettings,
    ) -> Self {
        let runtime = Arc::new(runtime);
        let operations: Vec<_> =
            OPERATIONS.iter().map(|known| (known.service.name(), known.name)).collect();
        let metrics = Metrics::new(&operations, &query_codes(), || async { Vec::new() });
        let gateway = App::new(Arc::clone(&runtime), settings, Arc::new(metrics));
        Self { gateway, runtime, clock, endpoints }
    }

    /// Calls an operation of SQS for a caller. Time does not pass while it waits.
    pub async fn ask(&self, caller: &Caller, operation: &str, input: &Value) -> Reply {
        let mut request = request(Protocol::Json, "/", operation, input);
        request.headers_mut().insert("authorization", authorization(caller, "sqs"));
        let answer = self.answer_at_once(request).await;
        answer.reply(Protocol::Json, |answer| answer.output(Protocol::Json, operation))
    }

    /// Calls an operation of SNS for a caller.
    pub async fn ask_sns(&self, caller: &Caller, operation: &str, input: &Value) -> Reply {
        let answer = self.answer_at_once(sns::request(caller, operation, input)).await;
        answer.reply(Protocol::Query, |answer| sns::output(answer, operation))
    }

    /// Answers any request. Time does not pass while it waits.
    pub async fn answer_at_once(&self, request: Request<Body>) -> Answer {
        Answer::read(self.gateway.handle(request).await).await
    }

    /// Lets time pass and does what is due then.
    pub async fn pass(&self, milliseconds: i64) {
        self.clock.advance(milliseconds);
        self.runtime.do_background_work().await.unwrap();
    }

    /// Answers any request.
    pub async fn answer(&self, request: Request<Body>) -> Answer {
        Answer::read(self.patiently(self.gateway.handle(request)).await).await
    }

    /// Calls an operation on the path `/`.
    pub async fn call(&self, protocol: Protocol, operation: &str, input: &Value) -> Answer {
        self.answer(request(protocol, "/", operation, input)).await
    }

    /// Calls an operation in AWS JSON, which must succeed, and returns its output.
    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.call(Protocol::Json, operation, &input).await;
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        answer.output(Protocol::Json, operation)
    }

    /// Runs a call to its end. While it waits for time to pass, time passes.
    pub async fn patiently<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        for _second in 0..100 {
            // The store answers in order: when it has answered this often, whatever the call asked
            // of it has been answered too, and the call waits for something else. Computations take
            // no time.
            for _ in 0..10 {
                let nothing = async {
                    self.runtime.cpu_pool().finished().await;
                    self.runtime.run(|_| Ok(())).await
                };
                tokio::select! {
                    biased;
                    output = &mut call => return output,
                    nothing = nothing => nothing.unwrap(),
                }
            }
            self.clock.advance(1_000);
        }
        panic!("a call has not been answered within 100 seconds");
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What an answer that is no success says.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    /// The code that AWS Query shows, in JSON the one of the header.
    pub code: String,
    /// Sender or Receiver.
    pub fault: String,
    pub message: String,
    /// `__type`, in JSON only.
    pub json_type: Option<String>,
}

impl Answer {
    async fn read(response: hyper::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The output, or why there is none.
    pub fn reply(&self, protocol: Protocol, output: impl FnOnce(&Self) -> Value) -> Reply {
        if self.status == 200 {
            return Ok(output(self));
        }
        let Refused { code, message, .. } = self.refused(protocol);
        Err(Failure { code: code.replace("AWS.SimpleQueueService.", ""), message })
    }

    /// A header that is there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The output of an operation as its JSON form, whichever protocol it came in.
    pub fn output(&self, protocol: Protocol, operation: &str) -> Value {
        match protocol {
            Protocol::Json if self.body.is_empty() => json!({}),
            Protocol::Json => serde_json::from_slice(&self.body).unwrap(),
            Protocol::Query => {
                let response = Element::parse(self.text());
                assert_eq!(response.name, format!("{operation}Response"));
                match response.child(&format!("{operation}Result")) {
                    Some(result) => result.structure(operation),
                    None => json!({}),
                }
            }
        }
    }

    /// What a refusal says.
    pub fn refused(&self, protocol: Protocol) -> Refused {
        match protocol {
            Protocol::Json => {
                let body: Value = serde_json::from_slice(&self.body).unwrap();
                let json_type = body["__type"].as_str().unwrap();
                // An operation that does not exist has neither this header nor a message.
                let (code, fault, message) = match body["message"].as_str() {
                    None => (json_type.split_once('#').unwrap().1, "Sender", ""),
                    Some(message) => {
                        let header = self.header("x-amzn-query-error");
                        let (code, fault) = header.split_once(';').unwrap();
                        (code, fault, message)
                    }
                };
                Refused {
                    status: self.status,
                    code: code.to_owned(),
                    fault: fault.to_owned(),
                    message: message.to_owned(),
                    json_type: Some(json_type.to_owned()),
                }
            }
            Protocol::Query => {
                let response = Element::parse(self.text());
                assert_eq!(response.name, "ErrorResponse");
                let error = response.child("Error").unwrap();
                let text = |name: &str| error.child(name).unwrap().text.clone();
                // Errors of SQS have an empty element more.
                let of_sqs = self.text().contains("\"http://queue.amazonaws.com/doc/2012-11-05/\"");
                assert_eq!(
                    error.child("Detail").map(|_| text("Detail").len()),
                    of_sqs.then_some(0)
                );
                let id = response.child("RequestId").unwrap();
                assert_eq!(id.text, self.header("x-amzn-requestid"));
                Refused {
                    status: self.status,
                    code: text("Code"),
                    fault: text("Type"),
                    message: text("Message"),
                    json_type: None,
                }
            }
        }
    }
}

/// Returns an Authorization header for a server that does not verify it.
pub fn authorization(Caller { account, region }: &Caller, service: &str) -> HeaderValue {
    let text = format!(
        "AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    text.parse().unwrap()
}

/// A request that calls an operation.
pub fn request(protocol: Protocol, path: &str, operation: &str, input: &Value) -> Request<Body> {
    let request = Request::post(path).header("host", HOST);
    match protocol {
        Protocol::Json => request
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .body(Body::from(input.to_string())),
        Protocol::Query => request
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from(form(operation, input))),
    }
    .unwrap()
}

/// The form body that calls an operation.
pub fn form(operation: &str, input: &Value) -> String {
    let mut pairs = vec![
        ("Action".to_owned(), operation.to_owned()),
        ("Version".to_owned(), "2012-11-05".to_owned()),
    ];
    for (name, value) in input.as_object().into_iter().flatten() {
        parameters(operation, "", name, value, &mut pairs);
    }
    encoded(&pairs)
}

/// A form body.
fn encoded(pairs: &[(String, String)]) -> String {
    let escape = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    // Names are dots and letters; they read better as they are.
    pairs.join("&").replace("%2E", ".").replace("%2D", "-").replace("%5F", "_")
}

/// The parameters of one member: maps, lists and structures are numbered from 1.
fn parameters(
    operation: &str,
    prefix: &str,
    name: &str,
    value: &Value,
    pairs: &mut Vec<(String, String)>,
) {
    let (wire_name, key_and_value) = match name {
        "Attributes" => ("Attribute", Some(("Name", "Value"))),
        "tags" | "Tags" => ("Tag", Some(("Key", "Value"))),
        "MessageAttributes" => ("MessageAttribute", Some(("Name", "Value"))),
        "MessageSystemAttributes" => ("MessageSystemAttribute", Some(("Name", "Value"))),
        "TagKeys" => ("TagKey", None),
        "AttributeNames" | "MessageSystemAttributeNames" => ("AttributeName", None),
        "MessageAttributeNames" => ("MessageAttributeName", None),
        "AWSAccountIds" => ("AWSAccountId", None),
        "Actions" => ("ActionName", None),
        "StringListValues" => ("StringListValue", None),
        "BinaryListValues" => ("BinaryListValue", None),
        "Entries" => match operation {
            "SendMessageBatch" => ("SendMessageBatchRequestEntry", None),
            "DeleteMessageBatch" => ("DeleteMessageBatchRequestEntry", None),
            _ => ("ChangeMessageVisibilityBatchRequestEntry", None),
        },
        other => (other, None),
    };
    let path =
        if prefix.is_empty() { wire_name.to_owned() } else { format!("{prefix}.{wire_name}") };
    match (value, key_and_value) {
        (Value::Object(members), Some((key, value_name))) => {
            for (index, (member, value)) in (1..).zip(members) {
                pairs.push((format!("{path}.{index}.{key}"), member.clone()));
                parameters(operation, &format!("{path}.{index}"), value_name, value, pairs);
            }
        }
        (Value::Object(members), None) => {
            for (member, value) in members {
                parameters(operation, &path, member, value, pairs);
            }
        }
        // So botocore and the AWS SDK for JavaScript write an empty list.
        (Value::Array(items), _) if items.is_empty() => pairs.push((path, String::new())),
        (Value::Array(items), _) => {
            for (index, item) in (1..).zip(items) {
                parameters(operation, &path, &index.to_string(), item, pairs);
            }
        }
        (Value::Null, _) => {}
        (Value::String(text), _) => pairs.push((path, text.clone())),
        (other, _) => pairs.push((path, other.to_string())),
    }
}

/// An XML element.
#[derive(Debug, Default, PartialEq)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The root of a document.
    pub fn parse(document: &str) -> Self {
        // The reader would let these through; those of clients do not.
        let forbidden =
            |c: char| c < ' ' && !"\t\r\n".contains(c) || "\u{fffe}\u{ffff}".contains(c);
        assert!(!document.contains(forbidden), "a character that XML does not have: {document:?}");
        let mut reader = quick_xml::Reader::from_str(document);
        let mut open = vec![Self::default()];
        let named = |name: &str| Self { name: name.to_owned(), ..Self::default() };
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error}: {document}")) {
                Event::Start(start) => open.push(named(start.name().as_ref())),
                Event::Empty(empty) => {
                    let element = named(empty.name().as_ref());
                    open.last_mut().unwrap().children.push(element);
                }
                Event::End(_) => {
                    let closed = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(closed);
                }
                Event::Text(text) => open.last_mut().unwrap().text += &*text,
                Event::GeneralRef(entity) => {
                    let text = match entity.resolve_char_ref().unwrap() {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&entity)
                            .unwrap()
                            .to_owned(),
                    };
                    open.last_mut().unwrap().text += &text;
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut root = open.pop().unwrap();
        assert!(open.is_empty() && root.children.len() == 1, "{document}");
        root.children.remove(0)
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// A structure as its JSON form. Lists and maps are repeated elements of it.
    fn structure(&self, operation: &str) -> Value {
        let mut members = Map::new();
        for child in &self.children {
            let name = child.name.as_str();
            let list = match (operation, name) {
                ("ListQueues", "QueueUrl") => Some("QueueUrls"),
                ("ListDeadLetterSourceQueues", "QueueUrl") => Some("queueUrls"),
                (_, "Message") if !child.children.is_empty() => Some("Messages"),
                (_, "BatchResultErrorEntry") => Some("Failed"),
                (_, "ListMessageMoveTasksResultEntry") => Some("Results"),
                (_, name) if name == format!("{operation}ResultEntry") => Some("Successful"),
                _ => None,
            };
            let map = match name {
                "Attribute" => Some(("Attributes", "Name")),
                "Tag" => Some(("Tags", "Key")),
                "MessageAttribute" => Some(("MessageAttributes", "Name")),
                _ => None,
            };
            if let Some(list) = list {
                let items = members.entry(list).or_insert_with(|| json!([]));
                items.as_array_mut().unwrap().push(child.value(operation));
            } else if let Some((map, key)) = map {
                let entries = members.entry(map).or_insert_with(|| json!({}));
                let key = child.child(key).unwrap().text.clone();
                let value = child.child("Value").unwrap().value(operation);
                entries.as_object_mut().unwrap().insert(key, value);
            } else {
                members.insert(name.to_owned(), child.value(operation));
            }
        }
        Value::Object(members)
    }

    fn value(&self, operation: &str) -> Value {
        match self.name.as_str() {
            _ if !self.children.is_empty() => self.structure(operation),
            "SenderFault" => json!(self.text.parse::<bool>().unwrap()),
            "StartedTimestamp"
            | "MaxNumberOfMessagesPerSecond"
            | "ApproximateNumberOfMessagesMoved"
            | "ApproximateNumberOfMessagesToMove" => json!(self.text.parse::<i64>().unwrap()),
            _ => json!(self.text),
        }
    }
}
