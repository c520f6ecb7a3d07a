//! The inspection endpoints: queues without receiving, mailboxes, tokens, the certificate; which callers
//! may read them, and how long a response can be.

use crate::fake_transport::{FakeService, TOPIC, get};
use crate::gateway::{Element, QUEUES};
use axum::body::Body;
use hyper::Request;
use serde_json::{Value, json};

const MESSAGES: &str = "/_aws/sqs/messages";

/// A queue with a message in its line, one in flight, and one that is delayed.
async fn queue(fake: &FakeService) -> String {
    let url = format!("{QUEUES}/q");
    let service = &fake.service;
    service.ok("CreateQueue", json!({"QueueName": "q"})).await;
    for (body, delay) in [("in flight", 0), ("ready", 0), ("delayed", 60)] {
        let attribute = json!({"a": {"DataType": "String", "StringValue": body}});
        let message = json!({
            "QueueUrl": url,
            "MessageBody": body,
            "DelaySeconds": delay,
            "MessageAttributes": attribute,
        });
        service.ok("SendMessage", message).await;
    }
    service.ok("ReceiveMessage", json!({"QueueUrl": url})).await;
    url
}

/// An SDK that has the path as its endpoint URL.
fn call(operation: &str, input: &Value) -> Request<Body> {
    Request::post(format!("{MESSAGES}/"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .body(Body::from(input.to_string()))
        .unwrap()
}

fn bodies(output: &Value) -> Vec<&str> {
    output["Messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|m| m["Body"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn messages_are_seen_where_they_stand_and_stay_there() {
    let fake = FakeService::new();
    let url = queue(&fake).await;
    let counts = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let before = fake.service.ok("GetQueueAttributes", counts.clone()).await;
    for (show, expected) in [
        ("", vec![("ready", "true", "false")]),
        ("&ShowInvisible=true", vec![("in flight", "false", "false"), ("ready", "true", "false")]),
        ("&ShowDelayed=1", vec![("ready", "true", "false"), ("delayed", "false", "true")]),
        (
            "&ShowInvisible=True&ShowDelayed=True",
            vec![
                ("in flight", "false", "false"),
                ("ready", "true", "false"),
                ("delayed", "false", "true"),
            ],
        ),
    ] {
        let request = Request::get(format!("{MESSAGES}?QueueUrl={url}{show}"))
            .header("accept", "application/x-amz-json-1.0")
            .body(Body::empty())
            .unwrap();
        let answer = fake.inspect(request).await;
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.0");
        let output: Value = serde_json::from_slice(&answer.body).unwrap();
        let seen: Vec<_> = output["Messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| {
                assert_eq!(message["ReceiptHandle"], "SQS/BACKDOOR/ACCESS");
                assert_eq!(message["MessageAttributes"]["a"]["StringValue"], message["Body"]);
                let attributes = &message["Attributes"];
                assert!(attributes["SentTimestamp"].is_string(), "{message}");
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (
                    text(&message["Body"]),
                    text(&attributes["IsVisible"]),
                    text(&attributes["IsDelayed"]),
                )
            })
            .collect();
        let seen: Vec<_> =
            seen.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        assert_eq!(seen, expected, "{show}");
    }
    assert_eq!(fake.service.ok("GetQueueAttributes", counts).await, before);
    // Due messages are visible, although there was no receive meanwhile.
    fake.service.clock.advance(61_000);
    let answer = fake.inspect(call("ReceiveMessage", &json!({"QueueUrl": url}))).await;
    let output: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(bodies(&output), ["in flight", "ready", "delayed"]);
    assert_eq!(output["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(output["Messages"][1]["Attributes"]["ApproximateReceiveCount"], "0");
}

#[tokio::test]
async fn every_form_of_the_question_and_of_the_answer() {
    let fake = FakeService::new();
    let url = queue(&fake).await;
    let form = format!("Action=ReceiveMessage&QueueUrl={url}&MaxNumberOfMessages=99");
    let by_path = format!("{MESSAGES}/us-east-1/000000000000/q");
    for request in [
        get(&format!("{MESSAGES}?QueueUrl={url}")),
        get(&format!("{MESSAGES}?QueueUrl=q")),
        get(&by_path),
        Request::post(MESSAGES).body(Body::from(form)).unwrap(),
        Request::post(&by_path).body(Body::empty()).unwrap(),
    ] {
        let answer = fake.inspect(request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml"));
        let response = Element::parse(answer.text());
        assert_eq!(response.name, "ReceiveMessageResponse");
        let messages = &response.child("ReceiveMessageResult").unwrap().children;
        let [message] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(message.child("Body").unwrap().text, "ready");
        assert_eq!(message.child("ReceiptHandle").unwrap().text, "SQS/BACKDOOR/ACCESS");
    }
    let request = Request::get(&by_path).header("accept", "application/json");
    let answer = fake.inspect(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-type"), "application/json");
    // What occurs once is no list.
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = &answer["ReceiveMessageResponse"]["ReceiveMessageResult"]["Message"];
    assert_eq!(message["Body"], "ready");
    let attributes = message["Attribute"].as_array().unwrap();
    for (name, value) in [("IsVisible", "true"), ("ApproximateFirstReceiveTimestamp", "0")] {
        assert!(attributes.contains(&json!({"Name": name, "Value": value})), "{message}");
    }
    assert_eq!(message["MessageAttribute"]["Name"], "a");
    assert!(answer["ReceiveMessageResponse"]["ResponseMetadata"]["RequestId"].is_string());
    let all = fake.inspect(in_json(&format!("{by_path}?ShowInvisible=True"))).await;
    let all: Value = serde_json::from_slice(&all.body).unwrap();
    let messages = &all["ReceiveMessageResponse"]["ReceiveMessageResult"]["Message"];
    assert_eq!(messages.as_array().unwrap().len(), 2);
    fake.service.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    let none = fake.inspect(in_json(&by_path)).await;
    let none: Value = serde_json::from_slice(&none.body).unwrap();
    assert_eq!(none["ReceiveMessageResponse"]["ReceiveMessageResult"], Value::Null);
}

/// A question that wants JSON, and none of an SDK's.
fn in_json(path: &str) -> Request<Body> {
    Request::get(path).header("accept", "application/json").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn messages_that_wait_for_an_earlier_one_of_their_group_are_invisible() {
    let fake = FakeService::new();
    let url = format!("{QUEUES}/q.fifo");
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    fake.service.ok("CreateQueue", json!({"QueueName": "q.fifo", "Attributes": fifo})).await;
    for (body, group) in [("g1", "g"), ("h1", "h"), ("g2", "g"), ("h2", "h"), ("g3", "g")] {
        let message = json!({"QueueUrl": url, "MessageBody": body, "MessageGroupId": group});
        fake.service.ok("SendMessage", message).await;
    }
    let received = fake.service.ok("ReceiveMessage", json!({"QueueUrl": url})).await;
    assert_eq!(bodies(&received), ["g1"]);
    let seen = async |query: &str| {
        let mut request = call("ReceiveMessage", &json!({"QueueUrl": url}));
        *request.uri_mut() = format!("{MESSAGES}?{query}").parse().unwrap();
        let answer = fake.inspect(request).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    assert_eq!(bodies(&seen("").await), ["h1", "h2"]);
    assert_eq!(bodies(&seen("ShowInvisible=False").await), ["h1", "h2"]);
    let all = seen("ShowInvisible=True").await;
    assert_eq!(bodies(&all), ["g1", "h1", "g2", "h2", "g3"]);
    let visible: Vec<_> = (0..5).map(|n| &all["Messages"][n]["Attributes"]["IsVisible"]).collect();
    assert_eq!(visible, ["false", "true", "false", "true", "false"]);
    fake.service.clock.advance(30_000);
    assert_eq!(bodies(&seen("").await), ["g1", "h1", "g2", "h2", "g3"]);
}

#[tokio::test]
async fn questions_about_no_queue_are_refused_as_calls_are() {
    let fake = FakeService::new();
    let refused = async |request| {
        let answer = fake.inspect(request).await;
        (answer.status, answer.text().to_owned())
    };
    let (status, text) = refused(get(&format!("{MESSAGES}?QueueUrl={QUEUES}/none"))).await;
    assert_eq!(status, 400);
    assert!(text.contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"), "{text}");
    let input = json!({"QueueUrl": format!("{QUEUES}/none")});
    let (status, text) = refused(call("ReceiveMessage", &input)).await;
    assert_eq!(status, 400);
    assert!(text.contains("#QueueDoesNotExist"), "{text}");
    for path in ["?QueueUrl=http://localhost:4566/not/a/queue/at/all", "/us-east-1/q", "/a/b/c/d"] {
        let (status, text) = refused(get(&format!("{MESSAGES}{path}"))).await;
        assert_eq!(status, 404, "{path}");
        assert!(text.contains("<Code>InvalidAddress</Code>"), "{text}");
    }
    let (status, text) = refused(call("DeleteMessage", &input)).await;
    assert_eq!(status, 400);
    let sentence = "This endpoint only accepts ReceiveMessage calls";
    assert!(text.contains("#InvalidRequest") && text.contains(sentence), "{text}");
    let wrong = format!("{MESSAGES}?Action=SendMessage&QueueUrl=q");
    let (status, text) = refused(get(&wrong)).await;
    assert_eq!(status, 400);
    assert!(text.contains("<Code>InvalidRequest</Code>") && text.contains(sentence), "{text}");
    for (path, status, code) in [
        (wrong.as_str(), 400, "InvalidRequest"),
        (&format!("{MESSAGES}?QueueUrl=http://a/b/c/d/e/f"), 404, "InvalidAddress"),
        (
            &format!("{MESSAGES}?QueueUrl={QUEUES}/none"),
            400,
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
    ] {
        let (answered, text) = refused(in_json(path)).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((answered, &answer["ErrorResponse"]["Error"]["Code"]), (status, &json!(code)));
        assert_eq!(answer["ErrorResponse"]["Error"]["Type"], "Sender");
        assert!(answer["ErrorResponse"]["RequestId"].is_string());
    }
    for path in ["/_aws/", "/_aws/sqs", "/_aws/sns/x", "/_aws/sqs/messagesx"] {
        assert_eq!(refused(get(path)).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_long_queue_is_seen_in_pages() {
    let fake = FakeService::new();
    let url = format!("{QUEUES}/q");
    fake.service.ok("CreateQueue", json!({"QueueName": "q"})).await;
    for batch in 0..121 {
        let entry = |n| json!({"Id": format!("{n}"), "MessageBody": format!("{batch}-{n}")});
        let entries: Vec<_> = (0..10).map(entry).collect();
        fake.service.ok("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    let mut pages = 0;
    loop {
        let input = json!({"QueueUrl": url});
        let mut request = call("ReceiveMessage", &input);
        *request.uri_mut() = format!("{MESSAGES}?After={after}").parse().unwrap();
        let answer = fake.inspect(request).await;
        let output: Value = serde_json::from_slice(&answer.body).unwrap();
        seen.extend(bodies(&output).into_iter().map(str::to_owned));
        pages += 1;
        match answer.headers.get("x-squab-next-after") {
            Some(next) => next.to_str().unwrap().clone_into(&mut after),
            None => break,
        }
    }
    let expected: Vec<_> = (0..1_210).map(|n| format!("{}-{}", n / 10, n % 10)).collect();
    assert_eq!((seen, pages), (expected, 2));

    let large = "x".repeat(1_000_000);
    for _ in 0..10 {
        fake.service.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": large})).await;
    }
    let path = format!("{MESSAGES}?QueueUrl={url}&After={after}");
    let answer = fake.inspect(get(&path)).await;
    assert!(answer.body.len() < 10_000_000);
    assert!(answer.headers.contains_key("x-squab-next-after"));
}

#[tokio::test]
async fn streams_and_mailboxes_show_what_was_captured_and_forget_it_when_told_to() {
    let fake = FakeService::new();
    fake.topic().await;
    let streams = ["a", "b"]
        .map(|name| format!("arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}"));
    for stream in &streams {
        fake.ok(
            "Subscribe",
            &[
                ("TopicArn", TOPIC),
                ("Protocol", "firehose"),
                ("Endpoint", stream),
                ("Attributes.entry.1.key", "SubscriptionRoleArn"),
                ("Attributes.entry.1.value", "arn:aws:iam::000000000000:role/r"),
            ],
        )
        .await;
    }
    let first = fake.publish("first", &[("Subject", "s")]).await;
    fake.publish("second", &[]).await;
    let path = "/_aws/sns/firehose-messages";
    let seen = fake.seen(path).await;
    assert_eq!(seen["region"], "us-east-1");
    for stream in &streams {
        let [one, two] = &seen["firehose_messages"][stream].as_array().unwrap()[..] else {
            panic!("{seen}")
        };
        assert_eq!(one["Message"], "first");
        assert_eq!(one["MessageId"], json!(first));
        assert_eq!(one["TopicArn"], TOPIC);
        assert_eq!(one["Subject"], "s");
        assert_eq!(two["Message"], "second");
    }
    let of = |seen: &Value| {
        let targets = seen["firehose_messages"].as_object().unwrap();
        targets.keys().cloned().collect::<Vec<_>>()
    };
    let filtered = format!("{path}?deliveryStreamArn={}", streams[1]);
    assert_eq!(of(&fake.seen(&filtered).await), [streams[1].as_str()]);
    for elsewhere in ["?region=eu-west-1", "?accountId=111111111111"] {
        assert!(of(&fake.seen(&format!("{path}{elsewhere}")).await).is_empty());
    }
    let remove = async |path: &str| {
        let answer = fake.inspect(Request::delete(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    };
    remove(&format!("{path}?region=eu-west-1")).await;
    remove(&filtered).await;
    assert_eq!(of(&fake.seen(path).await), [streams[0].as_str()]);
    remove(path).await;
    assert!(of(&fake.seen(path).await).is_empty());
    let seen = fake.seen("/_aws/sns/platform-endpoint-messages").await;
    assert_eq!(seen, json!({"platform_endpoint_messages": {}, "region": "us-east-1"}));
    let posted = Request::post(path).body(Body::empty()).unwrap();
    assert_eq!(fake.inspect(posted).await.status, 405);
}

#[tokio::test]
async fn a_full_mailbox_is_seen_from_its_latest_message_back() {
    let fake = FakeService::new();
    fake.topic().await;
    let stream = "arn:aws:firehose:us-east-1:000000000000:deliverystream/a";
    fake.ok(
        "Subscribe",
        &[
            ("TopicArn", TOPIC),
            ("Protocol", "firehose"),
            ("Endpoint", stream),
            ("Attributes.entry.1.key", "SubscriptionRoleArn"),
            ("Attributes.entry.1.value", "arn:aws:iam::000000000000:role/r"),
        ],
    )
    .await;
    for number in 0..1_005 {
        fake.publish(&number.to_string(), &[]).await;
    }
    let messages = |answer: &crate::gateway::Answer| -> Vec<u32> {
        let seen: Value = serde_json::from_slice(&answer.body).unwrap();
        let messages = seen["firehose_messages"][stream].as_array().unwrap();
        messages.iter().map(|one| one["Message"].as_str().unwrap().parse().unwrap()).collect()
    };
    let latest = fake.inspect(get("/_aws/sns/firehose-messages")).await;
    assert_eq!(messages(&latest), (5..1_005).collect::<Vec<_>>());
    let before = latest.header("x-squab-next-before");
    let older = fake.inspect(get(&format!("/_aws/sns/firehose-messages?before={before}"))).await;
    assert_eq!(messages(&older), (0..5).collect::<Vec<_>>());
    assert!(!older.headers.contains_key("x-squab-next-before"));
}

#[tokio::test]
async fn tokens_confirm_subscriptions_of_endpoints_that_cannot_be_reached() {
    let fake = FakeService::new();
    fake.topic().await;
    let parameters = [
        ("TopicArn", TOPIC),
        ("Protocol", "https"),
        ("Endpoint", "https://unreachable.example/"),
        ("ReturnSubscriptionArn", "true"),
    ];
    let subscribed = fake.ok("Subscribe", &parameters).await;
    let arn = crate::fake_transport::text_of(&subscribed, "SubscriptionArn");
    let seen = fake.seen(&format!("/_aws/sns/subscription-tokens/{arn}")).await;
    assert_eq!(seen["subscription_arn"], json!(arn));
    let token = seen["subscription_token"].as_str().unwrap();
    let confirmed = fake.ok("ConfirmSubscription", &[("TopicArn", TOPIC), ("Token", token)]).await;
    assert_eq!(crate::fake_transport::text_of(&confirmed, "SubscriptionArn"), arn);
    let unknown = format!("{TOPIC}:00000000-0000-0000-0000-000000000000");
    for (arn, status, error) in [
        ("nonsense", 400, "The provided SubscriptionARN is invalid"),
        (TOPIC, 404, "The provided SubscriptionARN is not found"),
        (&unknown, 404, "The provided SubscriptionARN is not found"),
    ] {
        let answer = fake.inspect(get(&format!("/_aws/sns/subscription-tokens/{arn}"))).await;
        assert_eq!(answer.status, status, "{arn}");
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer, json!({"error": error, "subscription_arn": arn}));
    }
}

#[tokio::test]
async fn phones_and_devices_show_what_they_got_and_phones_opt_out() {
    let fake = FakeService::new();
    let phone = "+15551234567";
    let publish = [("PhoneNumber", phone), ("Message", "hello")];
    let id = crate::fake_transport::text_of(&fake.ok("Publish", &publish).await, "MessageId");
    let seen = fake.seen("/_aws/sns/sms-messages?phoneNumber=%2B15551234567").await;
    let [sms] = &seen["sms_messages"][phone].as_array().unwrap()[..] else { panic!("{seen}") };
    assert_eq!(
        *sms,
        json!({
            "PhoneNumber": phone,
            "TopicArn": null,
            "SubscriptionArn": null,
            "MessageId": id,
            "Message": "hello",
            "MessageAttributes": {},
            "MessageStructure": null,
            "Subject": null,
        })
    );
    let post = |body: Value| {
        Request::post("/_aws/sns/phone-opt-outs").body(Body::from(body.to_string())).unwrap()
    };
    assert_eq!(fake.inspect(post(json!({"phoneNumber": "nonsense"}))).await.status, 400);
    assert_eq!(fake.inspect(post(json!(7))).await.status, 400);
    for _ in 0..2 {
        assert_eq!(fake.inspect(post(json!({"phoneNumber": phone}))).await.status, 200);
    }
    let listed = fake.ok("ListPhoneNumbersOptedOut", &[]).await;
    assert_eq!(crate::fake_transport::text_of(&listed, "member"), phone);
    assert_eq!(fake.call("Publish", &publish).await.status, 400);

    let parameters = [
        ("Name", "app"),
        ("Platform", "GCM"),
        ("Attributes.entry.1.key", "PlatformCredential"),
        ("Attributes.entry.1.value", "x"),
    ];
    let made = fake.ok("CreatePlatformApplication", &parameters).await;
    let application = crate::fake_transport::text_of(&made, "PlatformApplicationArn");
    let parameters = [("PlatformApplicationArn", application.as_str()), ("Token", "t")];
    let made = fake.ok("CreatePlatformEndpoint", &parameters).await;
    let device = crate::fake_transport::text_of(&made, "EndpointArn");
    fake.ok("Publish", &[("TargetArn", &device), ("Message", "hello")]).await;
    let path = format!("/_aws/sns/platform-endpoint-messages?endpointArn={device}");
    let seen = fake.seen(&path).await;
    let message = &seen["platform_endpoint_messages"][&device][0];
    assert_eq!((&message["TargetArn"], &message["Message"]), (&json!(device), &json!("hello")));
}

#[tokio::test]
async fn strictly_nobody_looks_without_a_key_but_at_the_certificate() {
    let fake = FakeService::new();
    queue(&fake).await;
    for path in [
        "/_aws/sqs/messages?QueueUrl=q",
        "/_aws/sns/sms-messages",
        "/_aws/sns/email-messages",
        "/_aws/sns/subscription-tokens/x",
    ] {
        let answer = fake.inspect_strictly(get(path)).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.text().contains("ready"));
    }
    let delete = Request::delete("/_aws/sns/sms-messages").body(Body::empty()).unwrap();
    assert_eq!(fake.inspect_strictly(delete).await.status, 403);
    let name = fake.service.runtime.sns_signer().key().await.unwrap().certificate_file_name();
    for path in [format!("/{name}"), format!("/_aws/sns/{name}")] {
        let answer = fake.inspect_strictly(get(&path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().starts_with("-----BEGIN CERTIFICATE-----\n"));
    }
    let other = "/SimpleNotificationService-00000000000000000000000000000000.pem";
    assert_eq!(fake.inspect_strictly(get(other)).await.status, 404);
}
