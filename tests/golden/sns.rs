//! The bytes of SNS on the wire.

use super::{compare, served, show_exchange};
use crate::gateway::sns::{TOPICS, request, visit};
use crate::gateway::{ARNS, Caller, QUEUES, Service as Squab, settings};
use serde_json::{Value, json};
use squab::api::operations::Service;
use squab::runtime::transport::OutboundMessage;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One exchange to show, after calls that prepare it; `sqs Operation` is one of SQS.
struct Scene {
    title: &'static str,
    before: Vec<Call>,
    operation: &'static str,
    input: Value,
}

type Call = (&'static str, Value);

/// Among the calls that prepare: letters are delivered.
const DELIVER: Call = ("deliver", Value::Null);
/// In titles this makes a visit to the last link that was delivered.
const BY_LINK: &str = "by its link";
/// In inputs: the subscription that was made last, the token that was delivered last, where the
/// next page begins.
const SUBSCRIPTION: &str = "$subscription";
const TOKEN: &str = "$token";
const NEXT: &str = "$next";
/// In inputs: the endpoint of mobile push that was made last.
const ENDPOINT: &str = "$endpoint";
/// Where messages are posted.
const HOOK: &str = "https://example.com/hook?a=<b>&c";
/// Everything that XML, JSON and URLs must not stumble over.
const ODD: &str = "<odd> & \"quoted\"\r\n\t'é€😀' ]]>";

#[tokio::test]
async fn the_bytes_of_every_operation_of_sns_are_those_of_its_file() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for scene in scenes() {
        let text = files.entry(scene.operation).or_default();
        write!(text, "## {}\n\n{}\n", scene.title, exchange(&scene).await).unwrap();
    }
    compare("tests/golden/sns", &files);
    let shown: Vec<_> = files.keys().copied().collect();
    assert_eq!(shown, served(Service::Sns), "every operation has a file");
}

#[tokio::test]
async fn what_subscribers_get_is_what_the_file_shows() {
    let mut text = String::new();
    for (title, attributes, message) in messages() {
        write!(text, "## {title}\n\n{}\n", delivered(&attributes, message).await).unwrap();
    }
    compare("tests/golden/sns", &BTreeMap::from([("deliveries", text)]));
}

/// What the calls before have brought to light.
#[derive(Default)]
struct Known {
    names: BTreeMap<&'static str, String>,
    link: String,
}

async fn play(service: &Squab, before: &[Call]) -> Known {
    let mut known = Known::default();
    for (operation, input) in before {
        let input = known.filled_in(input);
        if *operation == DELIVER.0 {
            service.runtime.do_background_work().await.unwrap();
            for letter in service.endpoints.take() {
                known.read(&letter);
            }
        } else if let Some(operation) = operation.strip_prefix("sqs ") {
            service.ok(operation, input).await;
        } else {
            let output = service.sns_ok(operation, input).await;
            for (name, member) in
                [(SUBSCRIPTION, "SubscriptionArn"), (NEXT, "NextToken"), (ENDPOINT, "EndpointArn")]
            {
                if let Some(text) = output[member].as_str() {
                    known.names.insert(name, text.to_owned());
                }
            }
        }
    }
    known
}

impl Known {
    fn read(&mut self, letter: &OutboundMessage) {
        let OutboundMessage::Post(post) = letter else { return };
        let envelope: Value = serde_json::from_slice(&post.body).unwrap();
        if let Some(token) = envelope["Token"].as_str() {
            self.names.insert(TOKEN, token.to_owned());
        }
        let link = envelope["SubscribeURL"].as_str().or(envelope["UnsubscribeURL"].as_str());
        link.unwrap().clone_into(&mut self.link);
    }

    fn filled_in(&self, input: &Value) -> Value {
        let mut text = input.to_string();
        for (name, value) in &self.names {
            text = text.replace(name, value);
        }
        serde_json::from_str(&text).unwrap()
    }
}

async fn exchange(scene: &Scene) -> String {
    let service = Squab::new(settings()).with_key().await;
    let known = play(&service, &scene.before).await;
    let request = if scene.title.ends_with(BY_LINK) {
        visit(&known.link)
    } else {
        request(&Caller::default(), scene.operation, &known.filled_in(&scene.input))
    };
    show_exchange(request, async |request| service.answer_at_once(request).await).await
}

/// What every kind of subscriber gets of a message.
async fn delivered(attributes: &Value, message: Value) -> String {
    let service = Squab::new(settings()).with_key().await;
    let fifo = attributes["FifoTopic"] == "true";
    let suffix = if fifo { ".fifo" } else { "" };
    let topic = format!("{TOPICS}:t{suffix}");
    let input = json!({"Name": format!("t{suffix}"), "Attributes": attributes});
    service.sns_ok("CreateTopic", input).await;
    let of_queue = if fifo { json!({"FifoQueue": "true"}) } else { json!({}) };
    for queue in ["enveloped", "raw"] {
        let name = format!("{queue}{suffix}");
        service.ok("CreateQueue", json!({"QueueName": name, "Attributes": of_queue})).await;
        let raw = json!({"RawMessageDelivery": (queue == "raw").to_string()});
        let endpoint = format!("{ARNS}:{name}");
        let input = json!({
            "TopicArn": topic, "Protocol": "sqs", "Endpoint": endpoint, "Attributes": raw,
        });
        service.sns_ok("Subscribe", input).await;
    }
    let mut text = String::new();
    if !fifo {
        for (protocol, endpoint) in [
            ("https", HOOK),
            ("email", "a@example.com"),
            ("email-json", "b@example.com"),
            ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f"),
        ] {
            let input = json!({"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint});
            service.sns_ok("Subscribe", input).await;
        }
        service.runtime.do_background_work().await.unwrap();
        let mut letters = service.endpoints.take();
        letters.sort_by_key(|letter| format!("{letter:?}"));
        for letter in &letters {
            text += &shown(letter);
            let token = match letter {
                OutboundMessage::Mail { text, .. } if !text.starts_with('{') => {
                    let start = text.find("Token=").unwrap() + "Token=".len();
                    text[start..].split(|c: char| !c.is_ascii_hexdigit()).next().unwrap().to_owned()
                }
                OutboundMessage::Mail { text, .. } => token_of(text.as_bytes()),
                OutboundMessage::Post(post) => token_of(&post.body),
                OutboundMessage::Invoke { .. } => panic!("functions are not asked"),
            };
            let input = json!({"TopicArn": topic, "Token": token});
            service.sns_ok("ConfirmSubscription", input).await;
        }
    }
    let mut input = message;
    input["TopicArn"] = json!(topic);
    service.sns_ok("Publish", input).await;
    service.runtime.do_background_work().await.unwrap();
    for queue in ["enveloped", "raw"] {
        let input = json!({
            "QueueUrl": format!("{QUEUES}/{queue}{suffix}"),
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        let output = service.ok("ReceiveMessage", input).await;
        let message = &output["Messages"][0];
        writeln!(text, "in the queue {queue}\n").unwrap();
        write_lines(&mut text, message["Body"].as_str().unwrap());
        writeln!(text, "with {} and {}\n", message["Attributes"], message["MessageAttributes"])
            .unwrap();
    }
    let mut letters = service.endpoints.take();
    letters.sort_by_key(|letter| format!("{letter:?}"));
    for letter in &letters {
        text += &shown(letter);
    }
    without_signatures(&text)
}

fn token_of(body: &[u8]) -> String {
    let envelope: Value = serde_json::from_slice(body).unwrap();
    envelope["Token"].as_str().unwrap().to_owned()
}

fn shown(letter: &OutboundMessage) -> String {
    let mut text = String::new();
    let body = match letter {
        OutboundMessage::Post(post) => {
            writeln!(text, "posted to {} as {}\n", post.url, post.message_type).unwrap();
            std::str::from_utf8(&post.body).unwrap()
        }
        OutboundMessage::Invoke { function_arn, event } => {
            writeln!(text, "for {function_arn}\n").unwrap();
            std::str::from_utf8(event).unwrap()
        }
        OutboundMessage::Mail { to, subject, text: body } => {
            writeln!(text, "mailed to {to}: {subject}\n").unwrap();
            body
        }
    };
    write_lines(&mut text, body);
    text.push('\n');
    text
}

fn write_lines(text: &mut String, body: &str) {
    for line in body.split('\n') {
        writeln!(text, "| {line}").unwrap();
    }
}

/// Replaces signatures and the name of the certificate, which depend on a key that each run generates.
fn without_signatures(text: &str) -> String {
    let mut shown = String::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        for (opening, closing) in [("\"Signature\"", '"'), ("SimpleNotificationService-", '.')] {
            let Some(at) = rest.find(opening) else { continue };
            let start = at + opening.len();
            // The value of the member begins after the next quotation mark.
            let skipped = if closing == '"' { rest[start..].find('"').unwrap() + 1 } else { 0 };
            let start = start + skipped;
            let end = start + rest[start..].find(closing).unwrap();
            shown += &rest[..start];
            shown += if closing == '"' { "<signature>" } else { "<certificate>" };
            rest = &rest[end..];
        }
        shown += rest;
    }
    shown
}

/// Messages with the attributes of their topics.
fn messages() -> Vec<(&'static str, Value, Value)> {
    let attributes = json!({
        "text": {"DataType": "String", "StringValue": ODD},
        "list": {"DataType": "String.Array", "StringValue": "[\"a\",1,null]"},
        "number": {"DataType": "Number.int", "StringValue": "7"},
        "bytes": {"DataType": "Binary", "BinaryValue": "AgME"},
    });
    let structure = json!({
        "default": "for all others", "sqs": "for queues", "email": "for people",
        "https": "for hooks", "lambda": 5,
    });
    vec![
        ("a message", json!({}), json!({"Message": "hello"})),
        (
            "a message with all it may have, of a topic with SignatureVersion 2",
            json!({"SignatureVersion": "2", "DisplayName": "News"}),
            json!({"Message": ODD, "Subject": "a <subject>", "MessageAttributes": attributes}),
        ),
        (
            "a text for each protocol",
            json!({}),
            json!({"Message": structure.to_string(), "MessageStructure": "json"}),
        ),
        (
            "a message of a FIFO topic",
            json!({"FifoTopic": "true", "ContentBasedDeduplication": "true"}),
            json!({"Message": "hello", "Subject": "s", "MessageGroupId": "g"}),
        ),
    ]
}

fn on_t(rest: Value) -> Value {
    let mut input = json!({"TopicArn": format!("{TOPICS}:t")});
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

fn on_fifo(rest: Value) -> Value {
    let mut input = on_t(rest);
    input["TopicArn"] = json!(format!("{TOPICS}:t.fifo"));
    input
}

/// The input of a call on the topic `t` as a resource.
fn on_resource(rest: Value) -> Value {
    let mut input = json!({"ResourceArn": format!("{TOPICS}:t")});
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

fn create() -> Call {
    ("CreateTopic", json!({"Name": "t"}))
}

fn create_fifo() -> Call {
    let attributes = json!({"FifoTopic": "true", "ContentBasedDeduplication": "true"});
    ("CreateTopic", json!({"Name": "t.fifo", "Attributes": attributes}))
}

fn queue() -> Call {
    ("sqs CreateQueue", json!({"QueueName": "q"}))
}

fn subscribe() -> Call {
    ("Subscribe", on_t(json!({"Protocol": "sqs", "Endpoint": format!("{ARNS}:q")})))
}

fn subscribe_hook() -> Call {
    let rest = json!({"Protocol": "https", "Endpoint": HOOK, "ReturnSubscriptionArn": true});
    ("Subscribe", on_t(rest))
}

fn confirm() -> Call {
    ("ConfirmSubscription", on_t(json!({"Token": TOKEN})))
}

fn publish(rest: Value) -> Call {
    ("Publish", on_t(rest))
}

fn permission(label: &str, actions: Value) -> Call {
    let rest = json!({"Label": label, "AWSAccountId": ["111122223333"], "ActionName": actions});
    ("AddPermission", on_t(rest))
}

fn of_subscription(rest: Value) -> Value {
    let mut input = json!({"SubscriptionArn": SUBSCRIPTION});
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

fn unknown_subscription() -> Value {
    json!({"SubscriptionArn": format!("{TOPICS}:t:00000000-0000-4000-8000-000000000000")})
}

fn application() -> Call {
    let attributes = json!({"PlatformPrincipal": "p", "PlatformCredential": "c"});
    let input = json!({"Name": "app", "Platform": "ADM", "Attributes": attributes});
    ("CreatePlatformApplication", input)
}

fn of_application(rest: Value) -> Value {
    let mut input = json!({"PlatformApplicationArn": format!("{TOPICS}:app/ADM/app")});
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

fn device() -> Call {
    ("CreatePlatformEndpoint", of_application(json!({"Token": "token", "CustomUserData": ODD})))
}

fn of_device(rest: Value) -> Value {
    let mut input = json!({"EndpointArn": ENDPOINT});
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

fn unknown_device() -> String {
    format!("{TOPICS}:endpoint/ADM/app/00000000-0000-4000-8000-000000000000")
}

fn tags() -> Call {
    let tags = json!([{"Key": "team", "Value": ODD}, {"Key": "stage", "Value": ""}]);
    ("TagResource", on_resource(json!({ "Tags": tags })))
}

#[expect(clippy::too_many_lines, reason = "one list of all scenes")]
fn scenes() -> Vec<Scene> {
    let mut scenes = Vec::new();
    let mut show = |title, before: Vec<Call>, (operation, input): Call| {
        scenes.push(Scene { title, before, operation, input });
    };
    let none = || json!({});

    show("a permission", vec![create()], permission("partners", json!(["Publish", "Subscribe"])));
    show(
        "a label that is there already",
        vec![create(), permission("partners", json!(["Publish"]))],
        permission("partners", json!(["Subscribe"])),
    );
    show("an action that is none", vec![create()], permission("x", json!(["Fly"])));
    show("a topic that does not exist", vec![], permission("x", json!(["Publish"])));
    show("nothing", vec![], ("AddPermission", none()));

    show("a token", vec![create(), subscribe_hook(), DELIVER], confirm());
    show("the same token again", vec![create(), subscribe_hook(), DELIVER, confirm()], confirm());
    show(
        "a subscription, by its link",
        vec![create(), subscribe_hook(), DELIVER],
        ("ConfirmSubscription", none()),
    );
    show(
        "a token that is none",
        vec![create()],
        ("ConfirmSubscription", on_t(json!({"Token": "x"}))),
    );
    show("nothing", vec![], ("ConfirmSubscription", none()));

    show("a topic", vec![], create());
    show("a topic that is there already", vec![create()], create());
    show("a FIFO topic", vec![], create_fifo());
    show(
        "a topic with all it may have",
        vec![],
        (
            "CreateTopic",
            json!({
                "Name": "t",
                "Attributes": {"DisplayName": ODD, "SignatureVersion": "2", "TracingConfig": "Active"},
                "Tags": [{"Key": "team", "Value": "shop"}],
                "DataProtectionPolicy": "{}",
            }),
        ),
    );
    show("a bad name", vec![], ("CreateTopic", json!({"Name": "a b"})));
    show("no name", vec![], ("CreateTopic", none()));
    show(
        "another attribute than before",
        vec![create()],
        ("CreateTopic", json!({"Name": "t", "Attributes": {"DisplayName": "d"}})),
    );
    show(
        "other tags than before",
        vec![create()],
        ("CreateTopic", json!({"Name": "t", "Tags": [{"Key": "a", "Value": "b"}]})),
    );
    show(
        "an attribute that is none",
        vec![],
        ("CreateTopic", json!({"Name": "t", "Attributes": {ODD: ODD}})),
    );

    show("a topic", vec![create()], ("DeleteTopic", on_t(none())));
    show("a topic that does not exist", vec![], ("DeleteTopic", on_t(none())));
    show("an ARN that is none", vec![], ("DeleteTopic", json!({"TopicArn": ODD})));

    let policy =
        ("PutDataProtectionPolicy", on_resource(json!({"DataProtectionPolicy": "{\"a\":1}"})));
    show("no policy", vec![create()], ("GetDataProtectionPolicy", on_resource(none())));
    show(
        "a policy",
        vec![create(), policy.clone()],
        ("GetDataProtectionPolicy", on_resource(none())),
    );
    show("a topic that does not exist", vec![], ("GetDataProtectionPolicy", on_resource(none())));

    show(
        "a queue",
        vec![create(), subscribe()],
        ("GetSubscriptionAttributes", of_subscription(none())),
    );
    show(
        "an endpoint that has not confirmed",
        vec![create(), subscribe_hook()],
        ("GetSubscriptionAttributes", of_subscription(none())),
    );
    show(
        "a subscription that does not exist",
        vec![create()],
        ("GetSubscriptionAttributes", unknown_subscription()),
    );
    show(
        "an ARN that is none",
        vec![],
        ("GetSubscriptionAttributes", json!({"SubscriptionArn": "pending confirmation"})),
    );

    show("a topic", vec![create()], ("GetTopicAttributes", on_t(none())));
    show("a FIFO topic", vec![create_fifo()], ("GetTopicAttributes", on_fifo(none())));
    show("a topic that does not exist", vec![], ("GetTopicAttributes", on_t(none())));
    show(
        "a topic elsewhere",
        vec![],
        ("GetTopicAttributes", json!({"TopicArn": "arn:aws:sns:eu-west-1:000000000000:t"})),
    );
    show("nothing", vec![], ("GetTopicAttributes", none()));

    show("none", vec![], ("ListSubscriptions", none()));
    show(
        "a queue and an endpoint that has not confirmed",
        vec![create(), subscribe(), subscribe_hook()],
        ("ListSubscriptions", none()),
    );
    show("a token that is none", vec![], ("ListSubscriptions", json!({"NextToken": "x"})));

    show("none", vec![create()], ("ListSubscriptionsByTopic", on_t(none())));
    show(
        "a queue and an endpoint that has not confirmed",
        vec![create(), subscribe(), subscribe_hook()],
        ("ListSubscriptionsByTopic", on_t(none())),
    );
    show("a topic that does not exist", vec![], ("ListSubscriptionsByTopic", on_t(none())));

    show("no tags", vec![create()], ("ListTagsForResource", on_resource(none())));
    show("two tags", vec![create(), tags()], ("ListTagsForResource", on_resource(none())));
    show("a topic that does not exist", vec![], ("ListTagsForResource", on_resource(none())));

    show("none", vec![], ("ListTopics", none()));
    let many: Vec<Call> =
        (0..101).map(|n| ("CreateTopic", json!({"Name": format!("t{n:03}")}))).collect();
    show("the first of two pages", many.clone(), ("ListTopics", none()));
    let mut first_page = many;
    first_page.push(("ListTopics", none()));
    show("the second", first_page, ("ListTopics", json!({"NextToken": NEXT})));

    show("a message", vec![create(), queue(), subscribe()], publish(json!({"Message": "hello"})));
    show(
        "a message with all it may have",
        vec![create()],
        publish(json!({
            "Message": ODD, "Subject": "a <subject>", "MessageGroupId": "g",
            "MessageAttributes": {
                "text": {"DataType": "String", "StringValue": ODD},
                "bytes": {"DataType": "Binary", "BinaryValue": "AP8="},
            },
        })),
    );
    let grouped = ("Publish", on_fifo(json!({"Message": "hello", "MessageGroupId": "g"})));
    show("a message of a FIFO topic", vec![create_fifo()], grouped.clone());
    show("a duplicate of it", vec![create_fifo(), grouped.clone()], grouped);
    show(
        "a message of a FIFO topic without a group",
        vec![create_fifo()],
        ("Publish", on_fifo(json!({"Message": "hello"}))),
    );
    show("a topic that does not exist", vec![], publish(json!({"Message": "hello"})));
    show("nowhere to go", vec![], ("Publish", json!({"Message": "hello"})));
    show("an empty message", vec![create()], publish(json!({"Message": ""})));
    show("no message", vec![create()], publish(none()));
    show(
        "an attribute without a value",
        vec![create()],
        publish(json!({"Message": "m", "MessageAttributes": {"a": {"DataType": "String"}}})),
    );
    show(
        "a structure that is no JSON",
        vec![create()],
        publish(json!({"Message": "x", "MessageStructure": "json"})),
    );

    let batch =
        |entries: Value| ("PublishBatch", on_t(json!({"PublishBatchRequestEntries": entries})));
    show(
        "a good entry and a bad one",
        vec![create()],
        batch(json!([
            {"Id": "good", "Message": "hello", "Subject": "s"},
            {"Id": "bad", "Message": "hello", "MessageAttributes": {"a": {"DataType": ODD, "StringValue": "x"}}},
        ])),
    );
    show(
        "two entries of a FIFO topic",
        vec![create_fifo()],
        (
            "PublishBatch",
            on_fifo(json!({"PublishBatchRequestEntries": [
                {"Id": "1", "Message": "a", "MessageGroupId": "g"},
                {"Id": "2", "Message": "b", "MessageGroupId": "g"},
            ]})),
        ),
    );
    show("no entries", vec![create()], batch(json!([])));
    show(
        "eleven entries",
        vec![create()],
        batch((0..11).map(|n| json!({"Id": n.to_string(), "Message": "m"})).collect()),
    );
    show(
        "one Id twice",
        vec![create()],
        batch(json!([{"Id": "a", "Message": "m"}, {"Id": "a", "Message": "m"}])),
    );
    show("a bad Id", vec![create()], batch(json!([{"Id": "a b", "Message": "m"}])));

    show("a policy", vec![create()], policy);
    show("nothing", vec![], ("PutDataProtectionPolicy", none()));

    let remove = ("RemovePermission", on_t(json!({"Label": "partners"})));
    show(
        "a permission",
        vec![create(), permission("partners", json!(["Publish"]))],
        remove.clone(),
    );
    show("a label that is not there", vec![create()], remove.clone());
    show("a topic that does not exist", vec![], remove);

    let set = |name: &str, value: &str| {
        let rest = json!({"AttributeName": name, "AttributeValue": value});
        ("SetSubscriptionAttributes", of_subscription(rest))
    };
    let subscribed = || vec![create(), subscribe()];
    show("a filter policy", subscribed(), set("FilterPolicy", "{\"a\":[\"b\"]}"));
    show("a filter policy that is none", subscribed(), set("FilterPolicy", "{\"a\":\"<b>\"}"));
    show("an attribute that is none", subscribed(), set("x", "y"));
    let of_unknown = |rest: Value| {
        let mut input = unknown_subscription();
        input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        input
    };
    show(
        "a subscription that does not exist",
        vec![create()],
        (
            "SetSubscriptionAttributes",
            of_unknown(json!({"AttributeName": "RawMessageDelivery", "AttributeValue": "true"})),
        ),
    );
    show("nothing", vec![], ("SetSubscriptionAttributes", none()));

    let set = |name: &str, value: &str| {
        ("SetTopicAttributes", on_t(json!({"AttributeName": name, "AttributeValue": value})))
    };
    show("a display name", vec![create()], set("DisplayName", ODD));
    show("an attribute that is none", vec![create()], set(ODD, "y"));
    show("a bad value", vec![create()], set("SignatureVersion", "3"));
    show("a policy that is no JSON", vec![create()], set("Policy", "nonsense"));
    show("a topic that does not exist", vec![], set("DisplayName", "x"));

    show("a queue", vec![create()], subscribe());
    show("the same queue again", subscribed(), subscribe());
    let hook = ("Subscribe", on_t(json!({"Protocol": "https", "Endpoint": HOOK})));
    show("an endpoint that has to confirm", vec![create()], hook);
    show("an endpoint that has to confirm, and its ARN", vec![create()], subscribe_hook());
    show(
        "a protocol that is none",
        vec![create()],
        ("Subscribe", on_t(json!({"Protocol": ODD, "Endpoint": "x"}))),
    );
    show(
        "a phone that is none",
        vec![create()],
        ("Subscribe", on_t(json!({"Protocol": "sms", "Endpoint": ODD}))),
    );
    show(
        "other attributes than before",
        subscribed(),
        (
            "Subscribe",
            on_t(json!({
                "Protocol": "sqs", "Endpoint": format!("{ARNS}:q"),
                "Attributes": {"RawMessageDelivery": "true"},
            })),
        ),
    );
    show("nothing", vec![], ("Subscribe", none()));

    show("two tags", vec![create()], tags());
    show("a topic that does not exist", vec![], tags());
    let twice = json!([{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]);
    show("a key twice", vec![create()], ("TagResource", on_resource(json!({ "Tags": twice }))));
    let many: Value = (0..51).map(|n| json!({"Key": n.to_string(), "Value": ""})).collect();
    show("too many tags", vec![create()], ("TagResource", on_resource(json!({ "Tags": many }))));

    show("a queue", subscribed(), ("Unsubscribe", of_subscription(none())));
    show(
        "an endpoint, by its link",
        vec![
            create(),
            subscribe_hook(),
            DELIVER,
            confirm(),
            publish(json!({"Message": "hello"})),
            DELIVER,
        ],
        ("Unsubscribe", none()),
    );
    show(
        "a subscription that does not exist",
        vec![create()],
        ("Unsubscribe", unknown_subscription()),
    );
    show("nothing", vec![], ("Unsubscribe", none()));

    let untag = ("UntagResource", on_resource(json!({"TagKeys": ["team", "unknown"]})));
    show("a tag", vec![create(), tags()], untag.clone());
    show("a topic that does not exist", vec![], untag);
    scenes.extend(scenes_of_devices_and_phones());
    scenes
}

fn scenes_of_devices_and_phones() -> Vec<Scene> {
    let mut scenes = Vec::new();
    let mut show = |title, before: Vec<Call>, (operation, input): Call| {
        scenes.push(Scene { title, before, operation, input });
    };
    let none = || json!({});
    let with_device = || vec![application(), device()];
    let phone = |rest: Value| {
        let mut input = json!({"PhoneNumber": "+15555550100"});
        input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        input
    };
    let bad_phone = || json!({"PhoneNumber": ODD});
    let number = |text: &str| json!({ "phoneNumber": text });

    show("an application", vec![], application());
    show(
        "a platform that is none",
        vec![],
        (
            "CreatePlatformApplication",
            json!({"Name": "app", "Platform": ODD, "Attributes": {"PlatformCredential": "c"}}),
        ),
    );
    show("nothing", vec![], ("CreatePlatformApplication", none()));
    show(
        "an application and its attributes",
        vec![application()],
        ("GetPlatformApplicationAttributes", of_application(none())),
    );
    show(
        "an application that does not exist",
        vec![],
        ("GetPlatformApplicationAttributes", of_application(none())),
    );
    show(
        "a sample rate",
        vec![application()],
        (
            "SetPlatformApplicationAttributes",
            of_application(json!({"Attributes": {"SuccessFeedbackSampleRate": "50"}})),
        ),
    );
    show(
        "an attribute that is none",
        vec![application()],
        ("SetPlatformApplicationAttributes", of_application(json!({"Attributes": {ODD: ODD}}))),
    );
    show("none", vec![], ("ListPlatformApplications", none()));
    show("one", vec![application()], ("ListPlatformApplications", none()));
    show(
        "an application",
        vec![application()],
        ("DeletePlatformApplication", of_application(none())),
    );
    show(
        "an ARN that is none",
        vec![],
        ("DeletePlatformApplication", json!({"PlatformApplicationArn": ODD})),
    );

    show("a device", vec![application()], device());
    show("the same device again", with_device(), device());
    show("an application that does not exist", vec![], device());
    show("nothing", vec![], ("CreatePlatformEndpoint", none()));
    show("a device", with_device(), ("GetEndpointAttributes", of_device(none())));
    show(
        "a device that does not exist",
        vec![application()],
        ("GetEndpointAttributes", json!({"EndpointArn": unknown_device()})),
    );
    show(
        "a device that is switched off",
        with_device(),
        ("SetEndpointAttributes", of_device(json!({"Attributes": {"Enabled": "false"}}))),
    );
    show(
        "an attribute that is none",
        with_device(),
        ("SetEndpointAttributes", of_device(json!({"Attributes": {ODD: ODD}}))),
    );
    show("one", with_device(), ("ListEndpointsByPlatformApplication", of_application(none())));
    show(
        "none",
        vec![application()],
        ("ListEndpointsByPlatformApplication", of_application(none())),
    );
    show("a device", with_device(), ("DeleteEndpoint", of_device(none())));
    show("an ARN that is none", vec![], ("DeleteEndpoint", json!({"EndpointArn": ODD})));

    show("a number", vec![], ("CheckIfPhoneNumberIsOptedOut", number("+15555550100")));
    show("a number that is none", vec![], ("CheckIfPhoneNumberIsOptedOut", number(ODD)));
    show("none", vec![], ("ListPhoneNumbersOptedOut", none()));
    show("a number", vec![], ("OptInPhoneNumber", number("+15555550100")));
    show("a number that is none", vec![], ("OptInPhoneNumber", number(ODD)));
    let sender = json!({"attributes": {"DefaultSenderID": "squab"}});
    show("a sender", vec![], ("SetSMSAttributes", sender.clone()));
    show(
        "an attribute that is none",
        vec![],
        ("SetSMSAttributes", json!({"attributes": {ODD: ODD}})),
    );
    show("all", vec![("SetSMSAttributes", sender)], ("GetSMSAttributes", none()));
    show(
        "one that is not set",
        vec![],
        ("GetSMSAttributes", json!({"attributes": ["DefaultSenderID"]})),
    );
    show("a number", vec![], ("CreateSMSSandboxPhoneNumber", phone(none())));
    show("a number that is none", vec![], ("CreateSMSSandboxPhoneNumber", bad_phone()));
    let sandboxed = || vec![("CreateSMSSandboxPhoneNumber", phone(none()))];
    show("one", sandboxed(), ("ListSMSSandboxPhoneNumbers", none()));
    show("none", vec![], ("ListSMSSandboxPhoneNumbers", none()));
    show(
        "a wrong password",
        sandboxed(),
        ("VerifySMSSandboxPhoneNumber", phone(json!({"OneTimePassword": "00000000"}))),
    );
    show("nothing", vec![], ("VerifySMSSandboxPhoneNumber", none()));
    show("a number", sandboxed(), ("DeleteSMSSandboxPhoneNumber", phone(none())));
    show("a number that is not there", vec![], ("DeleteSMSSandboxPhoneNumber", phone(none())));
    show("the status", vec![], ("GetSMSSandboxAccountStatus", none()));
    show("none", vec![], ("ListOriginationNumbers", none()));
    show("too many", vec![], ("ListOriginationNumbers", json!({"MaxResults": 31})));

    show(
        "a message for a device",
        with_device(),
        ("Publish", json!({"TargetArn": ENDPOINT, "Message": "hello"})),
    );
    show(
        "a message for a device that is switched off",
        vec![
            application(),
            device(),
            ("SetEndpointAttributes", of_device(json!({"Attributes": {"Enabled": "false"}}))),
        ],
        ("Publish", json!({"TargetArn": ENDPOINT, "Message": "hello"})),
    );
    show("a message for a phone", vec![], ("Publish", phone(json!({"Message": "hello"}))));
    scenes
}
