//! Replays answers of AWS.
//!
//! `recorded/sqs*.jsonl` and `recorded/sns*.jsonl` are data: each line contains requests to Amazon SQS or
//! SNS and the answer to the last of them, with IDs, times and receipt handles replaced by names. Each case
//! runs in the protocols that it names. An unknown step fails the test, so that no case is skipped.
//!
//! `source` names the origin of the answer: `recorded` (AWS gave it), `documented: LINK`,
//! `reported: LINK` (a public report quotes it), `observed: SERVER` or `inferred`.
//!
//! Cases of SNS call SQS by `sqs Operation`, and either service in another region by `… in region 2`.
//! `as before` repeats everything that the previous case has done.

use crate::gateway::{
    ARNS, Answer, Caller, PROTOCOLS, QUEUES, Service, authorization, request, settings, sns,
};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use squab::api::CoolDowns;
use squab::auth::credentials::Credential;
use squab::auth::{Credentials, Principal};
use squab::domain::address::has_fifo_suffix;
use squab::runtime::transport::OutboundMessage;
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
    /// Where the answer comes from: see [`SOURCES`].
    source: String,
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
    /// Whether the message that was published last got into the queue.
    delivered: Option<bool>,
    code: Option<String>,
    fault: Option<String>,
    message: Option<String>,
    json_type: Option<String>,
    xml_detail: Option<String>,
}

/// How a source begins. Only answers that AWS itself gave are `recorded`.
const SOURCES: [&str; 5] = ["recorded", "documented: ", "reported: ", "observed: ", "inferred"];

/// What follows `"Messages"` where an answer holds those of several receives.
const OF_SEVERAL_RECEIVES: &str = "Messages (SenderId removed)";

/// In the place of attributes: there are some, but none of this name.
const NO_FILTER_POLICY: &str = "Attributes without FilterPolicy";
/// The region of `in region 2`.
const REGION_2: &str = "eu-west-1";

#[tokio::test]
async fn every_recorded_case_of_sqs_is_answered_as_aws_answered_it() {
    let mut failures = Vec::new();
    for (file, cases) in files("sqs") {
        for (index, case) in cases.iter().enumerate() {
            for protocol in PROTOCOLS {
                let named = match protocol {
                    Protocol::Json => "json",
                    Protocol::Query => "query",
                };
                if case.protocol != named && case.protocol != "both" {
                    continue;
                }
                let mut conversation = Conversation::new(protocol, false).await;
                if let Err(difference) = conversation.replay(&cases[..=index]).await {
                    failures.push(format!("{file}: {} in {named}: {difference}", case.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn every_recorded_case_of_sns_is_answered_as_aws_answered_it() {
    let mut failures = Vec::new();
    for (file, cases) in files("sns") {
        for (index, case) in cases.iter().enumerate() {
            // Calls of SQS between those of SNS use the JSON protocol.
            let mut conversation = Conversation::new(Protocol::Json, true).await;
            if let Err(difference) = conversation.replay(&cases[..=index]).await {
                failures.push(format!("{file}: {}: {difference}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The cases of each file of a service, in the order of the file names. `as before` refers to the
/// cases of the same file.
fn files(service: &str) -> Vec<(String, Vec<Case>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(service))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let cases = cases(&name, &std::fs::read_to_string(path).unwrap());
            (name, cases)
        })
        .collect();
    files.sort_by(|(left, _), (right, _)| left.cmp(right));
    assert!(files.iter().any(|(_, cases)| !cases.is_empty()), "no case of {service}");
    files
}

fn cases(file: &str, text: &str) -> Vec<Case> {
    text.lines()
        .map(|line| {
            let case: Case = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{file}: {error}: {line}"));
            let protocols = ["json", "query", "both"];
            assert!(
                protocols.contains(&case.protocol.as_str())
                    && SOURCES.iter().any(|source| case.source.starts_with(source)),
                "{file}: {}: protocol {:?}, source {:?}",
                case.name,
                case.protocol,
                case.source
            );
            case
        })
        .collect()
}

/// Which operation is called, and where.
#[derive(Debug, Clone)]
struct Called {
    of_sns: bool,
    operation: String,
    caller: Caller,
}

impl Called {
    fn of_sqs(operation: &str) -> Self {
        let (of_sns, operation) = (false, operation.to_owned());
        Self { of_sns, operation, caller: Caller::default() }
    }

    /// Reads how a case of SNS names it.
    fn of_sns(name: &str) -> Self {
        let mut caller = Caller::default();
        let name = name.strip_suffix(" in region 2").map_or(name, |name| {
            REGION_2.clone_into(&mut caller.region);
            name
        });
        let (of_sns, operation) = match name.strip_prefix("sqs ") {
            Some(operation) => (false, operation),
            None => (true, name),
        };
        Self { of_sns, operation: operation.to_owned(), caller }
    }
}

/// What a case ends with.
enum Last {
    Answer(Box<(Called, Value, Answer)>),
    /// A result that a step in words looked up.
    Seen(Value),
}

/// One case at work.
struct Conversation {
    service: Service,
    /// Of calls of SQS.
    protocol: Protocol,
    /// Whether the case is one of SNS.
    of_sns: bool,
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
    /// The input of the last call of each operation.
    said: HashMap<String, Value>,
    /// ARNs by the names of variables: `$t` the topic, `$s` the subscription, `$e` the endpoint,
    /// `$app` the platform application.
    made: HashMap<&'static str, String>,
    /// The bodies of what endpoints have got.
    letters: Vec<Value>,
}

impl Conversation {
    async fn new(protocol: Protocol, of_sns: bool) -> Self {
        let cool_downs = CoolDowns { purge: true, recreate: true };
        let bound = [
            ("<queue-name>", "q".to_owned()),
            ("<account>", "000000000000".to_owned()),
            ("<region>", "us-east-1".to_owned()),
            ("<queue url>", format!("{QUEUES}/q")),
            ("<url>", "https://example.com/hook".to_owned()),
            ("<region 1 topic>", format!("{}:t", sns::TOPICS)),
            ("<region 2 queue>", format!("arn:aws:sqs:{REGION_2}:000000000000:q")),
            (
                "<arn of a topic in another region than the endpoint>",
                format!("arn:aws:sns:{REGION_2}:000000000000:t"),
            ),
        ];
        // AWS's answers were given to a user.
        let mut credential = Credential::new("000000000000", "secret").unwrap();
        credential.principal = Principal::User("somebody".to_owned());
        let mut credentials = Credentials::default();
        credentials.insert(credential);
        let service = Service::new(GatewaySettings { cool_downs, credentials, ..settings() });
        Self {
            service: if of_sns { service.with_key().await } else { service },
            protocol,
            of_sns,
            path: "/",
            trace_id: None,
            bound: bound.map(|(name, value)| (name.to_owned(), value)).into(),
            fifo: HashSet::new(),
            handles: Vec::new(),
            received: Vec::new(),
            said: HashMap::new(),
            made: HashMap::from([("$t", format!("{}:t", sns::TOPICS))]),
            letters: Vec::new(),
        }
    }

    /// Replays the last of the cases; the others are those before it.
    async fn replay(&mut self, cases: &[Case]) -> Result<(), String> {
        let (case, before) = cases.split_last().unwrap();
        let mut last = None;
        for step in &case.request {
            last = match step {
                Step::Words(words) if self.of_sns && words.starts_with("as before") => {
                    Box::pin(self.replay(before)).await?;
                    match words.strip_prefix("as before, ") {
                        Some(rest) => self.follow(rest).await,
                        None => None,
                    }
                }
                Step::Words(words) => self.follow(words).await,
                Step::Call(name, input) => {
                    let called =
                        if self.of_sns { Called::of_sns(name) } else { Called::of_sqs(name) };
                    let mut input = self.prepared(input).await;
                    let several = case.answer.body.as_ref().is_some_and(|body| {
                        body["Messages"].as_array().is_some_and(|list| list.len() > 1)
                    });
                    if self.of_sns && several {
                        // They were received one after the other.
                        input["MaxNumberOfMessages"] = json!(10);
                    }
                    let answer = self.call(&called, &input).await;
                    Some(Last::Answer(Box::new((called, input, answer))))
                }
            };
        }
        if let Some(delivered) = case.answer.delivered {
            let number = self.receive(json!({})).await.len();
            return (number == usize::from(delivered))
                .then_some(())
                .ok_or_else(|| format!("{number} messages"));
        }
        let Some(wanted) = &case.answer.body else {
            let Some(Last::Answer(last)) = last else {
                return Err("the last step is no call".to_owned());
            };
            let (_, _, answer) = *last;
            if case.answer.status == Some(200) {
                return (answer.status == 200).then_some(()).ok_or_else(|| format!("{answer:?}"));
            }
            return self.compare_refusal(&answer, &case.answer);
        };
        let mut output = json!({});
        match last {
            None => {}
            Some(Last::Seen(seen)) => output = seen,
            Some(Last::Answer(last)) => {
                let (called, input, answer) = *last;
                if answer.status != case.answer.status.unwrap_or(200) {
                    return Err(format!("{answer:?}"));
                }
                output = self.output(&called, &answer);
                if wanted.get(OF_SEVERAL_RECEIVES).is_some() {
                    self.received = vec![output.clone()];
                    let again = self.call(&called, &input).await;
                    drop(self.output(&called, &again));
                } else if wanted.get("MessageId").is_some() && called.operation == "ReceiveMessage"
                {
                    output = output["Messages"][0].take();
                } else if wanted.get("PublishResult").is_some() {
                    output = json!({ "PublishResult": output });
                }
            }
        }
        if wanted == NO_FILTER_POLICY {
            let has_none = output["Attributes"].as_object().is_some_and(|attributes| {
                !attributes.is_empty() && !attributes.contains_key("FilterPolicy")
            });
            return has_none.then_some(()).ok_or_else(|| output.to_string());
        }
        let mut wanted = wanted.clone();
        if let Some(messages) = wanted.as_object_mut().unwrap().remove(OF_SEVERAL_RECEIVES) {
            wanted = json!({ "Messages": messages });
            output = json!({ "Messages": self.all_received() });
        }
        self.compare(&wanted, &output)
            .map_err(|why| format!("{why}\nwanted {wanted}\ngot    {output}"))
    }

    fn output(&self, called: &Called, answer: &Answer) -> Value {
        if called.of_sns {
            sns::output(answer, &called.operation)
        } else {
            answer.output(self.protocol, &called.operation)
        }
    }

    /// An input in which everything is what it stands for.
    async fn prepared(&mut self, input: &Value) -> Value {
        if input.to_string().contains("$app") && !self.made.contains_key("$app") {
            let attributes = json!({"PlatformPrincipal": "p", "PlatformCredential": "c"});
            let input = json!({"Name": "app", "Platform": "ADM", "Attributes": attributes});
            self.prepare_sns("CreatePlatformApplication", input).await;
        }
        let mut input = self.understood(input);
        let of_page = input["NextToken"].as_str().filter(|token| token.starts_with("<from page 1"));
        if of_page.is_some() {
            let first = json!({"TopicArn": "$t"});
            let page = self.prepare_sns("ListSubscriptionsByTopic", first).await;
            assert_eq!(page["Subscriptions"].as_array().unwrap().len(), 100);
            assert!(STANDARD.decode(page["NextToken"].as_str().unwrap()).is_ok());
            input["NextToken"] = page["NextToken"].clone();
        }
        input
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

    async fn call(&mut self, called: &Called, input: &Value) -> Answer {
        let mut request: Request<Body> = if called.of_sns {
            sns::request(&called.caller, &called.operation, input)
        } else {
            request(self.protocol, self.path, &called.operation, input)
        };
        if !called.of_sns && called.caller.region == REGION_2 {
            request.headers_mut().insert("authorization", authorization(&called.caller, "sqs"));
        }
        if let Some(id) = &self.trace_id {
            request.headers_mut().insert("x-amzn-trace-id", HeaderValue::from_str(id).unwrap());
        }
        let answer = if called.of_sns {
            self.service.answer_at_once(request).await
        } else {
            self.service.answer(request).await
        };
        self.said.insert(called.operation.clone(), input.clone());
        if answer.status == 200 {
            self.learn(called, &answer);
        }
        answer
    }

    /// Remembers what later steps speak of.
    fn learn(&mut self, called: &Called, answer: &Answer) {
        let output = self.output(called, answer);
        if called.of_sns {
            for (variable, name) in [
                ("$t", "TopicArn"),
                ("$s", "SubscriptionArn"),
                ("$app", "PlatformApplicationArn"),
                ("$e", "EndpointArn"),
            ] {
                if let Some(arn) = output[name].as_str() {
                    self.made.insert(variable, arn.to_owned());
                }
            }
        } else if called.operation == "ReceiveMessage" {
            for message in output["Messages"].as_array().into_iter().flatten() {
                self.handles.push(message["ReceiptHandle"].as_str().unwrap().to_owned());
            }
            self.received.push(output);
        }
    }

    /// A call of SQS that prepares the recorded one, and succeeds.
    async fn prepare(&mut self, operation: &str, input: Value) -> Value {
        let called = Called::of_sqs(operation);
        self.succeed(&called, input).await
    }

    /// A call of SNS that prepares the recorded one, and succeeds.
    async fn prepare_sns(&mut self, operation: &str, input: Value) -> Value {
        self.succeed(&Called::of_sns(operation), input).await
    }

    async fn succeed(&mut self, called: &Called, input: Value) -> Value {
        let input = self.understood(&input);
        let answer = self.call(called, &input).await;
        assert_eq!(answer.status, 200, "{called:?} {input}: {answer:?}");
        self.output(called, &answer)
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

    /// Executes a step in words. Returns its result, if the case compares it.
    async fn follow(&mut self, words: &str) -> Option<Last> {
        let after_header = words
            .split_once("HTTP header X-Amzn-Trace-Id")
            .and_then(|(_, rest)| rest.split_once(": "));
        if let Some((_, id)) = after_header {
            self.trace_id = Some(id.to_owned());
            return None;
        }
        if self.of_sns {
            return self.follow_sns(words).await;
        }
        self.follow_sqs(words).await;
        None
    }

    async fn follow_sns(&mut self, words: &str) -> Option<Last> {
        if let Some(queue) = words.strip_prefix('$')
            && words.contains("subscribed")
        {
            self.subscribed(queue).await;
            return None;
        }
        if let Some(operation) =
            words.strip_prefix("same ").and_then(|rest| rest.split_once(" again")).map(|it| it.0)
        {
            return Some(self.again(operation).await);
        }
        match words {
            "message deleted, same Publish again" => {
                let handle = self.handles.last().unwrap().clone();
                self.prepare("DeleteMessage", json!({"QueueUrl": "$q", "ReceiptHandle": handle}))
                    .await;
                self.again("Publish").await;
            }
            "$q deleted" => {
                self.prepare("CreateQueue", json!({"QueueName": "dlq"})).await;
                self.prepare("DeleteQueue", json!({"QueueUrl": "$q"})).await;
            }
            "101 sms subscriptions" => {
                for number in 1_000..1_101 {
                    let endpoint = format!("+1555555{number}");
                    let input = json!({"TopicArn": "$t", "Protocol": "sms", "Endpoint": endpoint});
                    self.prepare_sns("Subscribe", input).await;
                }
            }
            "POST /?Action=Publish&Version=2010-03-31&TopicArn=$t&Message=... with an empty body, signed" =>
            {
                let called = Called::of_sns("Publish");
                let mut request = sns::request(&called.caller, "Publish", &json!({}));
                *request.body_mut() = Body::empty();
                let topic = &self.made["$t"];
                let uri = format!("/?Action=Publish&Version=2010-03-31&TopicArn={topic}&Message=m");
                *request.uri_mut() = uri.parse().unwrap();
                let answer = self.service.answer_at_once(request).await;
                return Some(Last::Answer(Box::new((called, json!({}), answer))));
            }
            "twice: Publish \"Test single\" and PublishBatch [\"Test batched\"], group message-group-id-1" =>
            {
                let group = "message-group-id-1";
                let single =
                    json!({"TopicArn": "$t", "Message": "Test single", "MessageGroupId": group});
                let entry = json!({"Id": "1", "Message": "Test batched", "MessageGroupId": group});
                let batch = json!({"TopicArn": "$t", "PublishBatchRequestEntries": [entry]});
                for _ in 0..2 {
                    self.prepare_sns("Publish", single.clone()).await;
                    self.prepare_sns("PublishBatch", batch.clone()).await;
                }
            }
            "what the endpoint received" => {
                self.service.runtime.do_background_work().await.unwrap();
                let letters = self.service.endpoints.take();
                let events: Vec<_> = letters.iter().map(event).collect();
                self.letters.extend(events.iter().map(|event| event["body"].clone()));
                return Some(Last::Seen(json!({ "events": events })));
            }
            "unsigned GET of UnsubscribeURL" => {
                let link = self.letters.last().unwrap()["UnsubscribeURL"].clone();
                let answer = self.service.answer(sns::visit(link.as_str().unwrap())).await;
                assert_eq!(sns::output(&answer, "Unsubscribe"), json!({}));
            }
            _ if words.starts_with("PublishBatch of 3 (group complexMessageGroupId;") => {
                return Some(self.batch_of_three().await);
            }
            unknown => panic!("a step in words that nobody follows: {unknown}"),
        }
        None
    }

    /// A queue that is subscribed to `$t`, as the words after its name say.
    async fn subscribed(&mut self, queue: &str) {
        if !self.said.contains_key("CreateTopic") {
            self.prepare_sns("CreateTopic", json!({"Name": "t"})).await;
        }
        let (name, how) = queue.split_once(' ').unwrap();
        let mut attributes = json!({});
        if has_fifo_suffix(name) {
            let by_content = !how.contains("without content dedup");
            attributes =
                json!({"FifoQueue": "true", "ContentBasedDeduplication": by_content.to_string()});
        }
        self.prepare("CreateQueue", json!({"QueueName": name, "Attributes": attributes})).await;
        let attributes = match how.split_once(", ").map(|(_, attribute)| attribute) {
            None => json!({}),
            Some("raw") => json!({"RawMessageDelivery": "true"}),
            Some("FilterPolicyScope MessageBody") => json!({"FilterPolicyScope": "MessageBody"}),
            Some(unknown) => panic!("an attribute that nobody knows: {unknown}"),
        };
        let input = json!({
            "TopicArn": "$t", "Protocol": "sqs", "Endpoint": "$qArn", "Attributes": attributes,
        });
        self.prepare_sns("Subscribe", input).await;
    }

    /// The last call of an operation, once more.
    async fn again(&mut self, operation: &str) -> Last {
        let (called, input) = (Called::of_sns(operation), self.said[operation].clone());
        let answer = self.call(&called, &input).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Last::Answer(Box::new((called, input, answer)))
    }

    async fn batch_of_three(&mut self) -> Last {
        let number = |text: &str| json!({"DataType": "Number", "StringValue": text});
        let topic = self.prepare_sns("GetTopicAttributes", json!({"TopicArn": "$t"})).await;
        let by_content = topic["Attributes"]["ContentBasedDeduplication"] == "true";
        let entries = [
            ("two attributes", json!({"attr1": number("99.12"), "attr2": number("109.12")})),
            ("one attribute", json!({"attr1": number("19.12")})),
            ("attribute", json!({})),
        ];
        let entries: Vec<_> = (0..)
            .zip(entries)
            .map(|(index, (what, attributes))| {
                let with = if index == 2 { "without" } else { "with" };
                let id = (!by_content).then(|| format!("MessageDeduplicationId-{index}"));
                json!({
                    "Id": (index + 1).to_string(),
                    "Message": format!("Test Message {with} {what}"),
                    "MessageGroupId": "complexMessageGroupId",
                    "MessageDeduplicationId": id,
                    "MessageAttributes": attributes,
                })
            })
            .collect();
        let called = Called::of_sns("PublishBatch");
        let input = json!({"TopicArn": "$t", "PublishBatchRequestEntries": entries});
        let input = self.understood(&input);
        let answer = self.call(&called, &input).await;
        Last::Answer(Box::new((called, input, answer)))
    }

    async fn follow_sqs(&mut self, words: &str) {
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
            Value::Array(items) if *items == ["11 entries Id_0..Id_10"] => (0..=10)
                .map(|number| json!({"Id": format!("Id_{number}"), "Message": "m"}))
                .collect(),
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
            let by_number: Option<Vec<u8>> =
                bytes.split(' ').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
            return STANDARD.encode(by_number.unwrap_or_else(|| unescaped(bytes)));
        }
        if let Some(plain) = text.strip_prefix("base64 of ") {
            return STANDARD.encode(self.filled_in(plain));
        }
        let mut text = spelled_out(&repeated(text));
        if self.of_sns {
            for (variable, arn) in &self.made {
                text = text.replace(variable, arn);
            }
            for (placeholder, value) in &self.bound {
                text = text.replace(placeholder, value);
            }
        }
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
        let protocol = if self.of_sns { Protocol::Query } else { self.protocol };
        let refused = answer.refused(protocol);
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
            (Value::String(wanted), got) if wanted == "date" => {
                is_date(got).then_some(()).ok_or_else(|| format!("{got} is no date"))
            }
            (Value::String(wanted), Value::String(got)) => self.compare_text(wanted, got),
            // JSON as a text: clients see in which order its members are.
            (Value::Object(members), Value::String(got)) => {
                let got: Value = serde_json::from_str(got).map_err(|error| error.to_string())?;
                let names: Vec<_> = got.as_object().into_iter().flat_map(Map::keys).collect();
                if names != members.keys().collect::<Vec<_>>() {
                    return Err(format!("members {names:?} in the text"));
                }
                self.compare(wanted, &got)
            }
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
            if !["<md5-hash>", "<signature>"].contains(&placeholder) {
                self.bound.insert(placeholder.to_owned(), value.to_owned());
            }
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
        "region" | "resource" | "sender-id" | "topic" | "platform_application" | "endpoint" => {
            !value.is_empty() && !value.contains(':')
        }
        "md5-hash" => value.len() == 32 && is_hex(value),
        "signature" => STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == 256),
        "cert-domain" | "unsubscribe-domain" | "subscribe-domain" => {
            value.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'))
        }
        "signing-cert-file" => value.strip_suffix(".pem").is_some_and(is_hex),
        "sequence-number" => value.len() == 20 && value.bytes().all(|byte| byte.is_ascii_digit()),
        "token" => value.len() > 200 && is_hex(value),
        "receipt-handle" | "task-handle" => STANDARD.decode(value).is_ok() && !value.is_empty(),
        unknown => panic!("a placeholder that nobody knows: {unknown}"),
    }
}

/// Returns what an endpoint got, in the recorded form. The HTTP client adds two headers that are always
/// the same.
fn event(letter: &OutboundMessage) -> Value {
    let OutboundMessage::Post(post) = letter else { panic!("not sent over HTTP: {letter:?}") };
    let mut headers = json!({
        "accept-encoding": "gzip,deflate",
        "content-type": post.content_type,
        "user-agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-id": post.message_id,
        "x-amz-sns-message-type": post.message_type,
        "x-amz-sns-topic-arn": post.topic_arn,
    });
    if let Some(arn) = &post.subscription_arn {
        headers["x-amz-sns-subscription-arn"] = json!(arn);
    }
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    json!({ "body": body, "headers": headers })
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `2026-01-02T03:04:05.678Z`
fn is_date(value: &Value) -> bool {
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    value
        .as_str()
        .is_some_and(|text| text.bytes().map(shape).eq(b"0000-00-00T00:00:00.000Z".iter().copied()))
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

/// `<a x 1024>`, `<a x129>` and `<a x (3+4-1)>` written out, wherever it stands; what follows in
/// brackets explains the number.
fn repeated(text: &str) -> String {
    let found = ["<a x", "<A x"].into_iter().find_map(|opening| text.split_once(opening));
    let Some((before, rest)) = found else { return text.to_owned() };
    let letter = &text[before.len() + 1..before.len() + 2];
    let (times, after) = rest.split_once('>').unwrap();
    let after = if after.starts_with(" (") { "" } else { after };
    let times = times.trim().trim_matches(['(', ')']).replace('-', "+-");
    let times: i64 = times.split('+').map(|number| number.parse::<i64>().unwrap()).sum();
    format!("{before}{}{after}", letter.repeat(usize::try_from(times).unwrap()))
}

/// Other things that would be long, written out.
fn spelled_out(text: &str) -> String {
    let mut text = text.replace("<264000 letters>", &"a".repeat(264_000));
    for number in [51, 100, 151] {
        let strings: Vec<_> = (0..number).map(|number| format!("\"{number}\"")).collect();
        text = text.replace(&format!("[{number} strings]"), &format!("[{}]", strings.join(",")));
    }
    for (first, last) in [('a', 'f'), ('1', '6')] {
        let name = if first == 'a' { "key_" } else { "key" };
        let keys: Vec<_> = (first..=last).map(|key| format!("\"{name}{key}\":[\"v\"]")).collect();
        let short = format!("{},...,{}", keys[0], keys[5]);
        text = text.replace(&short, &keys.join(","));
    }
    text
}

/// What `\xNN` in the text of bytes stands for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    bytes
}
