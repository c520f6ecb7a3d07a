//! Answers recorded from AWS, replayed.
//!
//! `recorded/sqs.jsonl` is data: each line holds requests that were sent to Amazon SQS and what AWS
//! answered to the last of them, with ids, times and handles replaced by names. Each case runs in
//! the protocols it was recorded in. A step in words that is not known here fails the test, so that
//! no case is passed over.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod gateway;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::{ARNS, Answer, PROTOCOLS, QUEUES, Service, request, settings};
use hyper::Request;
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use squab::api::CoolDowns;
use squab::server::gateway::GatewaySettings;
use squab::wire::Protocol;
use std::collections::{HashMap, HashSet};

/// One line of the file.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    /// `json`, `query` or `both`.
    protocol: String,
    request: Vec<Step>,
    answer: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Call(String, Value),
    Words(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    status: Option<u16>,
    body: Option<Value>,
    code: Option<String>,
    fault: Option<String>,
    message: Option<String>,
    json_type: Option<String>,
    xml_detail: Option<String>,
}

/// What follows `"Messages"` where an answer holds those of several receives.
const OF_SEVERAL_RECEIVES: &str = "Messages (SenderId removed)";

#[tokio::test]
async fn every_recorded_case_is_answered_as_aws_answered_it() {
    let cases: Vec<Case> = include_str!("recorded/sqs.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let mut failures = Vec::new();
    let mut replayed = 0;
    for case in &cases {
        for protocol in PROTOCOLS {
            let named = match protocol {
                Protocol::Json => "json",
                Protocol::Query => "query",
            };
            if case.protocol != named && case.protocol != "both" {
                continue;
            }
            replayed += 1;
            if let Err(difference) = Conversation::new(protocol).replay(case).await {
                failures.push(format!("{} in {named}: {difference}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!((cases.len(), replayed), (79, 123), "cases, and cases times protocols");
}

/// One case at work.
struct Conversation {
    service: Service,
    protocol: Protocol,
    /// Path to which requests are posted.
    path: &'static str,
    trace_id: Option<String>,
    /// Placeholders whose value is known, `<receipt-handle:1>` for instance.
    bound: HashMap<String, String>,
    /// Names without suffix of the FIFO queues that were made.
    fifo: HashSet<String>,
    /// Receipt handles in the order in which they were issued.
    handles: Vec<String>,
    /// What each receive since the start returned.
    received: Vec<Value>,
}

impl Conversation {
    fn new(protocol: Protocol) -> Self {
        let cool_downs = CoolDowns { purge: true, recreate: true };
        Self {
            service: Service::new(GatewaySettings { cool_downs, ..settings() }),
            protocol,
            path: "/",
            trace_id: None,
            bound: HashMap::from([("<queue-name>".to_owned(), "q".to_owned())]),
            fifo: HashSet::new(),
            handles: Vec::new(),
            received: Vec::new(),
        }
    }

    async fn replay(&mut self, case: &Case) -> Result<(), String> {
        let mut last = None;
        for step in &case.request {
            last = match step {
                Step::Words(words) => {
                    self.follow(words).await;
                    None
                }
                Step::Call(operation, input) => {
                    let input = self.understood(input);
                    Some((operation.as_str(), input.clone(), self.call(operation, &input).await))
                }
            };
        }
        let Some(wanted) = &case.answer.body else {
            let (_, _, answer) = last.ok_or("the last step is no call")?;
            return self.compare_refusal(&answer, &case.answer);
        };
        let mut output = json!({});
        if let Some((operation, input, answer)) = last {
            if answer.status != case.answer.status.unwrap_or(200) {
                return Err(format!("{answer:?}"));
            }
            output = answer.output(self.protocol, operation);
            if wanted.get(OF_SEVERAL_RECEIVES).is_some() {
                self.received = vec![output.clone()];
                let again = self.call(operation, &input).await;
                drop(again.output(self.protocol, operation));
            } else if wanted.get("MessageId").is_some() && operation == "ReceiveMessage" {
                output = output["Messages"][0].take();
            }
        }
        let mut wanted = wanted.clone();
        if let Some(messages) = wanted.as_object_mut().unwrap().remove(OF_SEVERAL_RECEIVES) {
            wanted = json!({ "Messages": messages });
            output = json!({ "Messages": self.all_received() });
        }
        self.compare(&wanted, &output)
            .map_err(|why| format!("{why}\nwanted {wanted}\ngot    {output}"))
    }

    /// The messages of all receives, without the SenderId.
    fn all_received(&self) -> Vec<Value> {
        let mut messages: Vec<Value> = self
            .received
            .iter()
            .flat_map(|output| output["Messages"].as_array().cloned().unwrap_or_default())
            .collect();
        for message in &mut messages {
            message["Attributes"].as_object_mut().unwrap().remove("SenderId").unwrap();
        }
        messages
    }

    async fn call(&mut self, operation: &str, input: &Value) -> Answer {
        let mut request: Request<Body> = request(self.protocol, self.path, operation, input);
        if let Some(id) = &self.trace_id {
            request.headers_mut().insert("x-amzn-trace-id", HeaderValue::from_str(id).unwrap());
        }
        let answer = self.service.answer(request).await;
        if operation == "ReceiveMessage" && answer.status == 200 {
            let output = answer.output(self.protocol, operation);
            for message in output["Messages"].as_array().into_iter().flatten() {
                self.handles.push(message["ReceiptHandle"].as_str().unwrap().to_owned());
            }
            self.received.push(output);
        }
        answer
    }

    /// A call that prepares the recorded one, and succeeds.
    async fn prepare(&mut self, operation: &str, input: Value) -> Value {
        let input = self.understood(&input);
        let answer = self.call(operation, &input).await;
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        answer.output(self.protocol, operation)
    }

    /// Receives from `$q`, and returns the bodies.
    async fn receive(&mut self, input: Value) -> Vec<String> {
        let mut whole = json!({"QueueUrl": "$q"});
        whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let output = self.prepare("ReceiveMessage", whole).await;
        let messages = output["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }

    async fn receive_and_delete(&mut self) {
        assert_eq!(self.receive(json!({})).await.len(), 1);
        let handle = self.handles.last().unwrap().clone();
        self.prepare("DeleteMessage", json!({"QueueUrl": "$q", "ReceiptHandle": handle})).await;
    }

    /// Does what a step in words says.
    async fn follow(&mut self, words: &str) {
        if let Some((_, id)) = words.split_once("HTTP header X-Amzn-Trace-Id: ") {
            self.trace_id = Some(id.to_owned());
            return;
        }
        match words {
            "wait 1 s" => self.service.clock.advance(1_000),
            "wait" => self.service.clock.advance(60_000),
            "receive, delete" => self.receive_and_delete().await,
            "receive gets 1 message" => {
                assert_eq!(self.receive(json!({"MaxNumberOfMessages": 1})).await.len(), 1);
            }
            "1 earlier receives" | "2 earlier receives" | "3 earlier receives" => {
                let times: usize = words[..1].parse().unwrap();
                for _ in 0..times {
                    assert_eq!(self.receive(json!({})).await.len(), 1);
                }
            }
            "4 x ReceiveMessage {VisibilityTimeout:0, AttributeNames:[All], MessageAttributeNames:[All]}" =>
            {
                let all = json!({
                    "VisibilityTimeout": 0,
                    "AttributeNames": ["All"],
                    "MessageAttributeNames": ["All"],
                });
                for _ in 0..4 {
                    self.receive(all.clone()).await;
                }
            }
            "POST <queue url path> with X-Amz-Target: AmazonSQS.ReceiveMessage, Content-Type application/x-amz-json-1.0" =>
            {
                self.path = "/000000000000/q";
            }
            "send message-1..6 to groups 1,1,2,2,3,3" => {
                for (number, group) in (1..).zip(["1", "1", "2", "2", "3", "3"]) {
                    let body = format!("message-{number}");
                    let input =
                        json!({"QueueUrl": "$q", "MessageBody": body, "MessageGroupId": group});
                    self.prepare("SendMessage", input).await;
                }
            }
            "first 2 receives (MaxNumberOfMessages 1) took one of group 1 and one of group 2" => {
                for body in ["message-1", "message-3"] {
                    assert_eq!(self.receive(json!({"MaxNumberOfMessages": 1})).await, [body]);
                }
            }
            "both visibility timeouts ran out" => {
                for body in ["message-1", "message-3"] {
                    assert_eq!(self.receive(json!({"MaxNumberOfMessages": 1})).await, [body]);
                }
                self.service.clock.advance(60_000);
            }
            "send g1/dedup 1, receive, delete, receive (empty)" => {
                let input = json!({
                    "QueueUrl": "$q",
                    "MessageBody": "Message 1",
                    "MessageGroupId": "g1",
                    "MessageDeduplicationId": "1",
                });
                self.prepare("SendMessage", input).await;
                self.receive_and_delete().await;
                assert!(self.receive(json!({})).await.is_empty());
            }
            "queue with maxReceiveCount 1 -> $dlq, 2 messages moved to it" => {
                self.two_dead_letters().await;
            }
            "as before, after completion" => {
                self.two_dead_letters().await;
                self.prepare("StartMessageMoveTask", json!({"SourceArn": "$dlqArn"})).await;
                self.service.runtime.do_background_work().await.unwrap();
            }
            unknown => panic!("a step in words that nobody follows: {unknown}"),
        }
    }

    async fn two_dead_letters(&mut self) {
        self.prepare("CreateQueue", json!({"QueueName": "dlq"})).await;
        let policy = r#"{"deadLetterTargetArn":"$dlqArn","maxReceiveCount":1}"#;
        let attributes = json!({"RedrivePolicy": policy, "VisibilityTimeout": "0"});
        self.prepare("CreateQueue", json!({"QueueName": "q", "Attributes": attributes})).await;
        for body in ["a", "b"] {
            self.prepare("SendMessage", json!({"QueueUrl": "$q", "MessageBody": body})).await;
        }
        for left in [2, 0] {
            assert_eq!(self.receive(json!({"MaxNumberOfMessages": 10})).await.len(), left);
        }
    }

    /// An input with its placeholders filled in.
    fn understood(&mut self, input: &Value) -> Value {
        match input {
            Value::String(text) => Value::String(self.filled_in(text)),
            Value::Array(items) => items.iter().map(|item| self.understood(item)).collect(),
            Value::Object(members) => {
                let members = members.iter();
                Value::Object(
                    members.map(|(name, value)| (name.clone(), self.understood(value))).collect(),
                )
            }
            other => other.clone(),
        }
    }

    fn filled_in(&mut self, text: &str) -> String {
        if let Some(bytes) = text.strip_prefix("bytes ") {
            return STANDARD.encode(unescaped(bytes));
        }
        if let Some(plain) = text.strip_prefix("base64 of ") {
            return STANDARD.encode(self.filled_in(plain));
        }
        let mut text = repeated(text);
        for name in ["dlq", "q", "a", "b"] {
            // Names of FIFO queues end in `.fifo`, those of variables do not.
            let queue =
                if self.fifo.contains(name) { format!("{name}.fifo") } else { name.to_owned() };
            text = text.replace(&format!("${name}Arn"), &format!("{ARNS}:{queue}"));
            text = text.replace(&format!("${name}"), &format!("{QUEUES}/{queue}"));
        }
        if let Some(name) = text.strip_suffix(".fifo").filter(|name| !name.contains('/')) {
            self.fifo.insert(name.to_owned());
        }
        for number in 1..=9 {
            let handle = format!("<receipt-handle:{number}>");
            if text.contains(&handle) {
                let issued = self.handles[number - 1].clone();
                text = text.replace(&handle, &issued);
                self.bound.insert(handle, issued);
            }
            let uuid = format!("<uuid:{number}>");
            if text.contains(&uuid) {
                let chosen = format!("00000000-0000-4000-8000-00000000000{number}");
                text = text.replace(&uuid, &chosen);
                self.bound.insert(uuid, chosen);
            }
        }
        text.replace("<queue-name>", "q")
    }

    fn compare_refusal(&mut self, answer: &Answer, expected: &Expected) -> Result<(), String> {
        let refused = answer.refused(self.protocol);
        let told = |why: String| format!("{why}\nin {answer:?}");
        if let Some(status) = expected.status
            && status != refused.status
        {
            return Err(told(format!("status {}, wanted {status}", refused.status)));
        }
        let pairs = [
            (&expected.code, Some(&refused.code)),
            (&expected.fault, Some(&refused.fault)),
            (&expected.message, Some(&refused.message)),
        ];
        for (wanted, got) in pairs {
            if let (Some(wanted), Some(got)) = (wanted, got) {
                self.compare_text(wanted, got).map_err(told)?;
            }
        }
        if let (Some(wanted), Some(got)) = (&expected.json_type, &refused.json_type) {
            let (_namespace, got) = got.split_once('#').unwrap();
            self.compare_text(wanted, got).map_err(told)?;
        }
        // That the element is there and empty is asserted of every error in XML.
        assert!(expected.xml_detail.as_deref().is_none_or(|detail| detail == "empty element"));
        Ok(())
    }

    fn compare(&mut self, wanted: &Value, got: &Value) -> Result<(), String> {
        match (wanted, got) {
            (Value::String(wanted), got) if wanted == "timestamp" => {
                is_timestamp(got).then_some(()).ok_or_else(|| format!("{got} is no timestamp"))
            }
            (Value::String(wanted), Value::String(got)) => self.compare_text(wanted, got),
            (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
                wanted.iter().zip(got).try_for_each(|(wanted, got)| self.compare(wanted, got))
            }
            (Value::Object(wanted), Value::Object(got)) => {
                if sorted_names(wanted) != sorted_names(got) {
                    return Err(format!(
                        "members {:?}, wanted {:?}",
                        sorted_names(got),
                        sorted_names(wanted)
                    ));
                }
                wanted.iter().try_for_each(|(name, wanted)| self.compare(wanted, &got[name]))
            }
            (wanted, got) if wanted == got => Ok(()),
            (wanted, got) => Err(format!("{got}, wanted {wanted}")),
        }
    }

    /// Compares text with a text that may hold placeholders, and learns what those stand for.
    fn compare_text(&mut self, wanted: &str, got: &str) -> Result<(), String> {
        let differs = || format!("{got:?}, wanted {wanted:?}");
        if wanted == "$q (same url)" {
            let url = self.filled_in("$q");
            return (got == url).then_some(()).ok_or_else(differs);
        }
        if let Some(bytes) = wanted.strip_prefix("b'") {
            let bytes = STANDARD.encode(unescaped(bytes.trim_end_matches('\'')));
            return (got == bytes).then_some(()).ok_or_else(differs);
        }
        let expanded = repeated(wanted);
        let (mut wanted_rest, mut got_rest) = (expanded.as_str(), got);
        while let Some(at) = wanted_rest.find('<') {
            let Some(end) = wanted_rest[at..].find('>').map(|end| at + end + 1) else { break };
            got_rest = got_rest.strip_prefix(&wanted_rest[..at]).ok_or_else(differs)?;
            let placeholder = &wanted_rest[at..end];
            wanted_rest = &wanted_rest[end..];
            let literal = wanted_rest.split('<').next().unwrap_or_default();
            let length =
                if literal.is_empty() { Some(got_rest.len()) } else { got_rest.find(literal) };
            let (value, rest) = got_rest.split_at(length.ok_or_else(differs)?);
            got_rest = rest;
            let fits = match self.bound.get(placeholder) {
                Some(known) => known == value,
                None => may_be(placeholder, value),
            };
            if !fits {
                return Err(format!("{value:?} for {placeholder} in {}", differs()));
            }
            self.bound.insert(placeholder.to_owned(), value.to_owned());
        }
        (wanted_rest == got_rest).then_some(()).ok_or_else(differs)
    }
}

fn sorted_names(members: &Map<String, Value>) -> Vec<&String> {
    let mut names: Vec<_> = members.keys().collect();
    names.sort();
    names
}

/// Whether a value has the form of what a placeholder stands for.
fn may_be(placeholder: &str, value: &str) -> bool {
    match placeholder.trim_matches(['<', '>']).split(':').next().unwrap_or_default() {
        "uuid" => uuid::Uuid::parse_str(value).is_ok(),
        "account" => value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()),
        "partition" => value == "aws",
        "region" | "resource" | "sender-id" => !value.is_empty() && !value.contains(':'),
        "receipt-handle" | "task-handle" => STANDARD.decode(value).is_ok() && !value.is_empty(),
        unknown => panic!("a placeholder that nobody knows: {unknown}"),
    }
}

/// Digits, whether as text, as number, or as the text of a message attribute.
fn is_timestamp(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64(),
        Value::String(text) => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        Value::Object(attribute) => attribute.get("StringValue").is_some_and(is_timestamp),
        _ => false,
    }
}

/// `<a x 1024>` and `<a x129>` written out, wherever it stands; what follows in brackets explains
/// the number.
fn repeated(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<a x") else { return text.to_owned() };
    let (times, after) = rest.split_once('>').unwrap();
    let after = if after.starts_with(" (") { "" } else { after };
    format!("{before}{}{after}", "a".repeat(times.trim().parse().unwrap()))
}

fn unescaped(text: &str) -> Vec<u8> {
    text.replace("\\x1e", "\x1e").into_bytes()
}
