//! The bytes on the wire, for every operation: SQS in both protocols, SNS and STS in AWS Query.
//! `golden/query_json/` contains the shapes of AWS Query's responses in JSON.
//!
//! Each file in `golden/`, `golden/sns/` and `golden/sts/` contains the exchanges of one operation as sent:
//! request lines start with `>`, response lines with `<`. `golden/sns/deliveries.txt` contains what
//! subscribers receive. IDs and time are the same in every run. Request IDs are random and replaced by
//! `<request id>`, and so are signatures, the name of the certificate, and temporary keys. After an
//! intended change, `UPDATE_GOLDEN=1` rewrites the files: review the difference before you commit it.

#[path = "golden/query_json.rs"]
mod query_json_scenes;
#[path = "golden/sns.rs"]
mod sns_scenes;
#[path = "golden/sts.rs"]
mod sts_scenes;

use crate::gateway::{ARNS, Answer, PROTOCOLS, QUEUES, Service as Squab, request, settings};
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use squab::api::CoolDowns;
use squab::api::operations::{OPERATIONS, Service};
use squab::server::gateway::GatewaySettings;
use squab::wire::Protocol;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// One exchange to show, after calls that prepare it.
struct Scene {
    title: &'static str,
    before: Vec<(&'static str, Value)>,
    operation: &'static str,
    input: Value,
}

/// In inputs this stands for the handle of the message that was received last.
const HANDLE: &str = "$handle";
/// In inputs this stands for the handle of the move task that was started last.
const TASK: &str = "$task";
/// In titles this makes a request go to the queue's own path, without a QueueUrl.
const ON_QUEUE_PATH: &str = "on the queue's own path";

#[tokio::test]
async fn the_bytes_of_every_operation_are_those_of_its_file() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for scene in scenes() {
        let text = files.entry(scene.operation).or_default();
        for protocol in PROTOCOLS {
            write!(text, "## {}\n\n{}\n", scene.title, exchange(&scene, protocol).await).unwrap();
        }
    }
    compare("tests/golden", &files);
    let shown: Vec<_> = files.keys().copied().collect();
    assert_eq!(shown, served(Service::Sqs), "every operation has a file");
}

/// The names of a service's operations, sorted.
fn served(service: Service) -> Vec<&'static str> {
    let of_service = OPERATIONS.iter().filter(|operation| operation.service == service);
    let mut served: Vec<_> = of_service.map(|operation| operation.name).collect();
    served.sort_unstable();
    served
}

/// Compares texts with the files of a directory, or writes them.
fn compare(directory: &str, files: &BTreeMap<&str, String>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differing = Vec::new();
    for (name, text) in files {
        let path = directory.join(format!("{name}.txt"));
        if update {
            std::fs::write(&path, text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != *text {
            differing.push(format!("{}:\n{text}", path.display()));
        }
    }
    assert!(differing.is_empty(), "other bytes than in {}", differing.join("\n"));
}

/// Plays a scene and shows its last exchange.
async fn exchange(scene: &Scene, protocol: Protocol) -> String {
    let cool_downs = CoolDowns { purge: true, recreate: true };
    let service = Squab::new(GatewaySettings { cool_downs, ..settings() });
    let mut last = BTreeMap::new();
    for (operation, input) in &scene.before {
        if *operation == "wait" {
            service.clock.advance(input.as_i64().unwrap() * 1_000);
            service.runtime.do_background_work().await.unwrap();
            continue;
        }
        let output = service.ok(operation, filled_in(input, &last)).await;
        if let Some(handle) = output["Messages"][0]["ReceiptHandle"].as_str() {
            last.insert(HANDLE, handle.to_owned());
        }
        if let Some(task) = output["TaskHandle"].as_str() {
            last.insert(TASK, task.to_owned());
        }
    }
    let mut input = filled_in(&scene.input, &last);
    let mut path = "/";
    if scene.title.ends_with(ON_QUEUE_PATH) {
        input.as_object_mut().unwrap().shift_remove("QueueUrl").unwrap();
        path = "/000000000000/q";
    }
    let mut request = request(protocol, path, scene.operation, &input);
    if scene.title.contains("trace header") {
        let id = HeaderValue::from_static("Root=1-3152b799-8954dae64eda91bc9a23a7e8;Sampled=1");
        request.headers_mut().insert("x-amzn-trace-id", id);
    }
    show_exchange(request, async |request| service.answer(request).await).await
}

/// Sends a request and shows it with its answer.
async fn show_exchange(
    request: Request<Body>,
    send: impl AsyncFnOnce(Request<Body>) -> Answer,
) -> String {
    let (request, mut shown) = show_request(request).await;
    let answer = send(request).await;
    let request_id = answer.header("x-amzn-requestid").to_owned();
    write!(shown, "\n< {}\n", answer.status).unwrap();
    for (name, value) in &answer.headers {
        writeln!(shown, "< {name}: {}", value.to_str().unwrap()).unwrap();
    }
    writeln!(shown, "<\n< {}", answer.text()).unwrap();
    assert!(uuid::Uuid::parse_str(&request_id).is_ok(), "{request_id}");
    shown.replace(&request_id, "<request id>")
}

async fn show_request(request: Request<Body>) -> (Request<Body>, String) {
    let (parts, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let mut shown = format!("> {} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        writeln!(shown, "> {name}: {}", value.to_str().unwrap()).unwrap();
    }
    writeln!(shown, ">\n> {}", std::str::from_utf8(&body).unwrap()).unwrap();
    (Request::from_parts(parts, Body::from(body)), shown)
}

fn filled_in(input: &Value, last: &BTreeMap<&str, String>) -> Value {
    let mut text = input.to_string();
    for (name, value) in last {
        text = text.replace(name, value);
    }
    serde_json::from_str(&text).unwrap()
}

fn q() -> Value {
    json!({"QueueUrl": format!("{QUEUES}/q")})
}

/// The input of a call on the queue `q`.
fn on_q(rest: Value) -> Value {
    let mut input = q();
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

fn on(queue: &str, rest: Value) -> Value {
    let mut input = on_q(rest);
    input["QueueUrl"] = json!(format!("{QUEUES}/{queue}"));
    input
}

fn create(name: &str) -> (&'static str, Value) {
    ("CreateQueue", json!({"QueueName": name}))
}

fn create_fifo() -> (&'static str, Value) {
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    ("CreateQueue", json!({"QueueName": "q.fifo", "Attributes": attributes}))
}

fn send(body: &str) -> (&'static str, Value) {
    ("SendMessage", on_q(json!({"MessageBody": body})))
}

fn receive() -> (&'static str, Value) {
    ("ReceiveMessage", q())
}

/// A queue `q` whose dead letters go to `dlq`, one of which is there.
fn dead_letter() -> Vec<(&'static str, Value)> {
    let policy = json!({"deadLetterTargetArn": format!("{ARNS}:dlq"), "maxReceiveCount": 1});
    let attributes = json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0"});
    vec![
        create("dlq"),
        ("CreateQueue", json!({"QueueName": "q", "Attributes": attributes})),
        send("dead"),
        receive(),
        receive(),
    ]
}

fn start() -> (&'static str, Value) {
    ("StartMessageMoveTask", json!({"SourceArn": format!("{ARNS}:dlq")}))
}

fn permission() -> (&'static str, Value) {
    let input = json!({
        "Label": "partners",
        "AWSAccountIds": ["111122223333"],
        "Actions": ["SendMessage", "ReceiveMessage"],
    });
    ("AddPermission", on_q(input))
}

#[expect(clippy::too_many_lines, reason = "one list of all scenes")]
fn scenes() -> Vec<Scene> {
    let mut scenes = Vec::new();
    let mut show = |title, before: Vec<(&'static str, Value)>, operation, input| {
        scenes.push(Scene { title, before, operation, input });
    };
    let with = |mut first: Vec<(&'static str, Value)>, then: Vec<(&'static str, Value)>| {
        first.extend(then);
        first
    };
    let attributes = json!({
        "City": {"DataType": "String", "StringValue": "Any City"},
        "Population": {"DataType": "Number.int", "StringValue": "1250800"},
        "Raw": {"DataType": "Binary", "BinaryValue": "AP8="},
    });
    let trace = json!({"AWSTraceHeader": {
        "DataType": "String",
        "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    }});

    let (add, add_input) = permission();
    show("a permission", vec![create("q")], add, add_input.clone());
    show("a label that exists", vec![create("q"), permission()], add, add_input);
    show("a queue that does not exist", vec![], add, permission().1);

    show(
        "a task that runs",
        with(dead_letter(), vec![start()]),
        "CancelMessageMoveTask",
        json!({"TaskHandle": TASK}),
    );
    show(
        "garbage for a handle",
        vec![],
        "CancelMessageMoveTask",
        json!({"TaskHandle": "foobared"}),
    );

    let change = "ChangeMessageVisibility";
    let in_flight = || vec![create("q"), send("hello"), receive()];
    show(
        "a message in flight",
        in_flight(),
        change,
        on_q(json!({"ReceiptHandle": HANDLE, "VisibilityTimeout": 60})),
    );
    show(
        "a timeout beyond the limit",
        in_flight(),
        change,
        on_q(json!({"ReceiptHandle": HANDLE, "VisibilityTimeout": 43_201})),
    );
    show("no timeout", in_flight(), change, on_q(json!({"ReceiptHandle": HANDLE})));
    show(
        "a made-up handle",
        vec![create("q")],
        change,
        on_q(json!({"ReceiptHandle": "x", "VisibilityTimeout": 0})),
    );
    show(
        "a message that is visible again",
        with(in_flight(), vec![("wait", json!(31))]),
        change,
        on_q(json!({"ReceiptHandle": HANDLE, "VisibilityTimeout": 1})),
    );

    let entries = json!({"Entries": [
        {"Id": "good", "ReceiptHandle": HANDLE, "VisibilityTimeout": 60},
        {"Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 60},
    ]});
    show("one good entry, one bad", in_flight(), "ChangeMessageVisibilityBatch", on_q(entries));
    show(
        "no entries",
        vec![create("q")],
        "ChangeMessageVisibilityBatch",
        on_q(json!({"Entries": []})),
    );

    let (create_queue, create_q) = create("q");
    show("a standard queue", vec![], create_queue, create_q.clone());
    show(
        "attributes and tags",
        vec![],
        create_queue,
        json!({
            "QueueName": "q",
            "Attributes": {"DelaySeconds": "5", "VisibilityTimeout": "60"},
            "tags": {"team": "shop", "empty": ""},
        }),
    );
    show("a FIFO queue", vec![], create_queue, create_fifo().1);
    show(
        "a queue that exists with other attributes",
        vec![create("q")],
        create_queue,
        json!({"QueueName": "q", "Attributes": {"DelaySeconds": "2"}}),
    );
    show(
        "a queue that was deleted just now",
        vec![create("q"), ("DeleteQueue", q())],
        create_queue,
        create_q,
    );
    show("a name with other characters", vec![], create_queue, json!({"QueueName": "what a name"}));
    show("a FIFO name without FifoQueue", vec![], create_queue, json!({"QueueName": "q.fifo"}));
    show("no name", vec![], create_queue, json!({}));
    show(
        "an unknown attribute",
        vec![],
        create_queue,
        json!({"QueueName": "q", "Attributes": {"Foo": "1"}}),
    );
    show(
        "a value that is no number",
        vec![],
        create_queue,
        json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "soon"}}),
    );

    show(
        "a message in flight",
        in_flight(),
        "DeleteMessage",
        on_q(json!({"ReceiptHandle": HANDLE})),
    );
    show(
        "a message in flight, on the queue's own path",
        in_flight(),
        "DeleteMessage",
        on_q(json!({"ReceiptHandle": HANDLE})),
    );
    show(
        "a made-up handle",
        vec![create("q")],
        "DeleteMessage",
        on_q(json!({"ReceiptHandle": "x"})),
    );
    show("no handle", vec![create("q")], "DeleteMessage", q());
    show(
        "a handle of another queue",
        with(in_flight(), vec![create("other")]),
        "DeleteMessage",
        on("other", json!({"ReceiptHandle": HANDLE})),
    );

    show(
        "one good entry, one bad",
        in_flight(),
        "DeleteMessageBatch",
        on_q(json!({"Entries": [
            {"Id": "good", "ReceiptHandle": HANDLE}, {"Id": "bad", "ReceiptHandle": "x"},
        ]})),
    );
    show(
        "the same Id twice",
        in_flight(),
        "DeleteMessageBatch",
        on_q(json!({"Entries": [
            {"Id": "a", "ReceiptHandle": HANDLE}, {"Id": "a", "ReceiptHandle": "x"},
        ]})),
    );
    show(
        "an Id with other characters",
        vec![create("q")],
        "DeleteMessageBatch",
        on_q(json!({"Entries": [{"Id": "a:b", "ReceiptHandle": "x"}]})),
    );
    let eleven: Vec<Value> =
        (0..11).map(|n| json!({"Id": n.to_string(), "ReceiptHandle": "x"})).collect();
    show(
        "eleven entries",
        vec![create("q")],
        "DeleteMessageBatch",
        on_q(json!({"Entries": eleven})),
    );

    show("a queue", vec![create("q")], "DeleteQueue", q());
    show("a queue that does not exist", vec![], "DeleteQueue", q());

    let all = json!({"AttributeNames": ["All"]});
    show(
        "all of a standard queue",
        vec![create("q"), send("hello")],
        "GetQueueAttributes",
        on_q(all.clone()),
    );
    show(
        "all of a FIFO queue",
        vec![create_fifo()],
        "GetQueueAttributes",
        on("q.fifo", all.clone()),
    );
    show(
        "a policy",
        vec![create("q"), permission()],
        "GetQueueAttributes",
        on_q(json!({"AttributeNames": ["Policy"]})),
    );
    show("none", vec![create("q")], "GetQueueAttributes", q());
    show(
        "an unknown one",
        vec![create("q")],
        "GetQueueAttributes",
        on_q(json!({"AttributeNames": ["Foo"]})),
    );
    show("a queue that does not exist", vec![], "GetQueueAttributes", on_q(all));
    show("a URL that is none", vec![], "GetQueueAttributes", json!({"QueueUrl": "not a queue"}));
    show("no QueueUrl", vec![], "GetQueueAttributes", json!({}));

    show("a queue", vec![create("q")], "GetQueueUrl", json!({"QueueName": "q"}));
    show(
        "a queue of another account",
        vec![create("q")],
        "GetQueueUrl",
        json!({"QueueName": "q", "QueueOwnerAWSAccountId": "111122223333"}),
    );

    show("a dead-letter queue", dead_letter(), "ListDeadLetterSourceQueues", on("dlq", json!({})));
    show("a queue that is none", vec![create("q")], "ListDeadLetterSourceQueues", q());

    let source = json!({"SourceArn": format!("{ARNS}:dlq")});
    show(
        "a task that runs",
        with(dead_letter(), vec![start()]),
        "ListMessageMoveTasks",
        source.clone(),
    );
    show(
        "a task that is done",
        with(dead_letter(), vec![start(), ("wait", json!(1))]),
        "ListMessageMoveTasks",
        source.clone(),
    );
    show("no task", dead_letter(), "ListMessageMoveTasks", source.clone());
    show("a queue that does not exist", vec![], "ListMessageMoveTasks", source);

    let tag = ("TagQueue", on_q(json!({"Tags": {"team": "shop", "a b": "<&>"}})));
    show("two tags", vec![create("q"), tag.clone()], "ListQueueTags", q());
    show("no tags", vec![create("q")], "ListQueueTags", q());

    let three = || vec![create("b"), create("a"), create("c")];
    show("three queues", three(), "ListQueues", json!({}));
    show("the first page", three(), "ListQueues", json!({"MaxResults": 2}));
    show("the last page", three(), "ListQueues", json!({"MaxResults": 2, "NextToken": "Yg"}));
    show("a prefix that no queue has", three(), "ListQueues", json!({"QueueNamePrefix": "x"}));
    show("a token that is none", vec![], "ListQueues", json!({"NextToken": "?"}));
    show("pages that are too large", vec![], "ListQueues", json!({"MaxResults": 1_001}));

    show("a queue", vec![create("q"), send("hello")], "PurgeQueue", q());
    show(
        "a queue that was purged just now",
        vec![create("q"), ("PurgeQueue", q())],
        "PurgeQueue",
        q(),
    );

    let full = (
        "SendMessage",
        on_q(json!({
            "MessageBody": "<hello> & \"goodbye\"\r\n\t'é€😀' ]]>",
            "MessageAttributes": attributes.clone(),
            "MessageSystemAttributes": trace.clone(),
        })),
    );
    let everything = json!({"AttributeNames": ["All"], "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10});
    show("nothing", vec![create("q")], "ReceiveMessage", q());
    show(
        "nothing after a long poll",
        vec![create("q")],
        "ReceiveMessage",
        on_q(json!({"WaitTimeSeconds": 20})),
    );
    show("a message", vec![create("q"), send("hello")], "ReceiveMessage", q());
    show(
        "a message, on the queue's own path",
        vec![create("q"), send("hello")],
        "ReceiveMessage",
        q(),
    );
    show(
        "a message with all it has",
        vec![create("q"), full.clone()],
        "ReceiveMessage",
        on_q(everything.clone()),
    );
    show(
        "two messages of a FIFO queue",
        vec![
            create_fifo(),
            ("SendMessage", on("q.fifo", json!({"MessageBody": "a", "MessageGroupId": "g"}))),
            (
                "SendMessage",
                on(
                    "q.fifo",
                    json!({"MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "d"}),
                ),
            ),
        ],
        "ReceiveMessage",
        on("q.fifo", everything.clone()),
    );
    show("a dead letter", dead_letter(), "ReceiveMessage", on("dlq", everything));
    show(
        "too many messages",
        vec![create("q")],
        "ReceiveMessage",
        on_q(json!({"MaxNumberOfMessages": 15})),
    );
    show(
        "too long a wait",
        vec![create("q")],
        "ReceiveMessage",
        on_q(json!({"WaitTimeSeconds": 40})),
    );
    show("a queue that does not exist", vec![], "ReceiveMessage", q());

    show(
        "a permission",
        vec![create("q"), permission()],
        "RemovePermission",
        on_q(json!({"Label": "partners"})),
    );
    show(
        "a label that does not exist",
        vec![create("q")],
        "RemovePermission",
        on_q(json!({"Label": "partners"})),
    );

    let (send_message, hello) = send("hello");
    show("a message", vec![create("q")], send_message, hello.clone());
    show("a message, on the queue's own path", vec![create("q")], send_message, hello.clone());
    show("a message with all it may have", vec![create("q")], send_message, full.1);
    show("a message with a trace header of HTTP", vec![create("q")], send_message, hello.clone());
    show(
        "a message of a FIFO queue",
        vec![create_fifo()],
        send_message,
        on("q.fifo", json!({"MessageBody": "a", "MessageGroupId": "g"})),
    );
    show(
        "a FIFO queue without a group",
        vec![create_fifo()],
        send_message,
        on("q.fifo", json!({"MessageBody": "a"})),
    );
    show(
        "a deduplication id with a space",
        vec![create_fifo()],
        send_message,
        on(
            "q.fifo",
            json!({"MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "a b"}),
        ),
    );
    show("no body", vec![create("q")], send_message, q());
    show(
        "a character that XML does not allow",
        vec![create("q")],
        send_message,
        on_q(json!({"MessageBody": "bell \u{7}"})),
    );
    show(
        "an empty attribute",
        vec![create("q")],
        send_message,
        on_q(
            json!({"MessageBody": "a", "MessageAttributes": {"x": {"DataType": "String", "StringValue": ""}}}),
        ),
    );
    show(
        "an attribute of an unknown type",
        vec![create("q")],
        send_message,
        on_q(
            json!({"MessageBody": "a", "MessageAttributes": {"x": {"DataType": "Text", "StringValue": "a"}}}),
        ),
    );
    show(
        "too long a delay",
        vec![create("q")],
        send_message,
        on_q(json!({"MessageBody": "a", "DelaySeconds": 901})),
    );
    show("a queue that does not exist", vec![], send_message, hello);

    let small =
        ("CreateQueue", json!({"QueueName": "q", "Attributes": {"MaximumMessageSize": "1024"}}));
    show(
        "one good entry, one too long",
        vec![small],
        "SendMessageBatch",
        on_q(json!({"Entries": [
            {"Id": "good", "MessageBody": "hello", "MessageAttributes": attributes, "MessageSystemAttributes": trace},
            {"Id": "long", "MessageBody": "a".repeat(1_025)},
        ]})),
    );
    show(
        "two entries of a FIFO queue",
        vec![create_fifo()],
        "SendMessageBatch",
        on(
            "q.fifo",
            json!({"Entries": [
                {"Id": "1", "MessageBody": "a", "MessageGroupId": "g"},
                {"Id": "2", "MessageBody": "a", "MessageGroupId": "g"},
            ]}),
        ),
    );
    show(
        "a FIFO queue and an entry without a group",
        vec![create_fifo()],
        "SendMessageBatch",
        on("q.fifo", json!({"Entries": [{"Id": "1", "MessageBody": "a"}]})),
    );
    show("no entries", vec![create("q")], "SendMessageBatch", on_q(json!({"Entries": []})));

    show(
        "two attributes",
        vec![create("q")],
        "SetQueueAttributes",
        on_q(json!({"Attributes": {"DelaySeconds": "5", "VisibilityTimeout": "60"}})),
    );
    show(
        "a value out of range",
        vec![create("q")],
        "SetQueueAttributes",
        on_q(json!({"Attributes": {"VisibilityTimeout": "43201"}})),
    );
    show(
        "a policy that is no JSON",
        vec![create("q")],
        "SetQueueAttributes",
        on_q(json!({"Attributes": {"Policy": "nonsense"}})),
    );
    show(
        "a dead-letter queue that does not exist",
        vec![create("q")],
        "SetQueueAttributes",
        on_q(json!({"Attributes": {
            "RedrivePolicy": format!("{{\"deadLetterTargetArn\":\"{ARNS}:none\",\"maxReceiveCount\":\"3\"}}"),
        }})),
    );
    show("no attributes", vec![create("q")], "SetQueueAttributes", q());

    show("a dead-letter queue", dead_letter(), "StartMessageMoveTask", start().1);
    show("a second task", with(dead_letter(), vec![start()]), "StartMessageMoveTask", start().1);
    show(
        "a queue that is no dead-letter queue",
        vec![create("dlq")],
        "StartMessageMoveTask",
        start().1,
    );
    show("a queue that does not exist", vec![], "StartMessageMoveTask", start().1);

    show("two tags", vec![create("q")], tag.0, tag.1.clone());
    show(
        "a key that AWS keeps for itself",
        vec![create("q")],
        tag.0,
        on_q(json!({"Tags": {"aws:x": "y"}})),
    );
    show("no tags", vec![create("q")], tag.0, q());

    show(
        "a tag",
        vec![create("q"), tag],
        "UntagQueue",
        on_q(json!({"TagKeys": ["team", "unknown"]})),
    );
    show("no keys", vec![create("q")], "UntagQueue", q());
    scenes
}
