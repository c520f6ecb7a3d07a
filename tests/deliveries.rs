//! Outbound deliveries, with a recording transport and a clock that the test sets: what is sent, when,
//! how often, and with which result.

use crate::fake_transport::{FakeService, Plan, Sent, TOPIC, text_of};
use crate::gateway::sns::visit;
use crate::gateway::{ARNS, Caller, QUEUES, Service, settings};
use crate::process::runs_alone;
use axum::body::Body;
use serde_json::{Value, json};
use squab::domain::endpoint_rules::EndpointRules;
use squab::runtime::transport::http::Post;
use squab::runtime::transport::mail::MailSender;
use squab::runtime::transport::{NetworkTransport, OutboundMessage};
use squab::store::{AccountLimits, Location, Usage};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const URL: &str = "http://endpoint.example/in";

/// The post that this letter is.
fn post(sent: &Sent) -> &Post {
    match &sent.letter {
        OutboundMessage::Post(post) => post,
        other => panic!("not a post: {other:?}"),
    }
}

fn json_body(sent: &Sent) -> Value {
    serde_json::from_slice(&post(sent).body).unwrap()
}

fn seconds(sent: &[Sent], since: i64) -> Vec<i64> {
    sent.iter().map(|sent| (sent.at - since) / 1_000).collect()
}

/// If another account subscribes a queue, the owner must confirm with a token that the queue receives as a
/// message. Until then the queue gets no notifications. Subscribing one's own queue needs no confirmation.
#[tokio::test]
async fn a_queue_of_another_account_is_asked() {
    let service = Service::new(settings()).with_key().await;
    let owner = Caller { account: "111122223333".into(), ..Caller::default() };
    let other = Caller::default();
    let fifo_topic = json!({"FifoTopic": "true", "ContentBasedDeduplication": "true"});
    for (suffix, of_queue, of_topic) in
        [("", json!({}), json!({})), (".fifo", json!({"FifoQueue": "true"}), fifo_topic)]
    {
        let queue = format!("q{suffix}");
        let input = json!({"QueueName": queue, "Attributes": of_queue});
        service.ask(&owner, "CreateQueue", &input).await.unwrap();
        let url = format!("http://localhost:4566/{}/{queue}", owner.account);
        let received = async || {
            service.runtime.do_background_work().await.unwrap();
            let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
            let received = service.ask(&owner, "ReceiveMessage", &input).await.unwrap();
            let messages = received["Messages"].as_array().cloned().unwrap_or_default();
            for message in &messages {
                let input = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
                service.ask(&owner, "DeleteMessage", &input).await.unwrap();
            }
            messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
        };
        for (subscriber, is_asked) in [(&other, true), (&owner, false)] {
            let input = json!({"Name": format!("t-of-{is_asked}{suffix}"), "Attributes": of_topic});
            let topic = service.ask_sns(&other, "CreateTopic", &input).await.unwrap();
            let topic = &topic["TopicArn"];
            let publish = async |message: &str| {
                let input = json!({"TopicArn": topic, "Message": message, "MessageGroupId": "g"});
                service.ask_sns(&other, "Publish", &input).await.unwrap();
            };
            let input = json!({
                "TopicArn": topic, "Protocol": "sqs",
                "Endpoint": format!("arn:aws:sqs:us-east-1:{}:{queue}", owner.account),
                "Attributes": {"RawMessageDelivery": "true"},
            });
            let answer = service.ask_sns(subscriber, "Subscribe", &input).await.unwrap();
            assert_eq!(answer["SubscriptionArn"] == "pending confirmation", is_asked, "{answer}");
            if is_asked {
                publish("too early").await;
                let bodies: Vec<String> = received().await;
                let [question] = &bodies[..] else { panic!("{bodies:?}") };
                let question: Value = serde_json::from_str(question).unwrap();
                assert_eq!(question["Type"], "SubscriptionConfirmation");
                assert_eq!(&question["TopicArn"], topic);
                let link = question["SubscribeURL"].as_str().unwrap();
                assert_eq!(service.answer_at_once(visit(link)).await.status, 200);
            }
            let hello = format!("hello, {is_asked}");
            publish(&hello).await;
            let bodies: Vec<String> = received().await;
            assert_eq!(bodies, [hello], "{queue}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_is_asked_then_gets_messages_in_envelopes() {
    let fake = FakeService::new();
    fake.topic().await;
    let answer =
        fake.ok("Subscribe", &[("TopicArn", TOPIC), ("Protocol", "http"), ("Endpoint", URL)]).await;
    assert_eq!(text_of(&answer, "SubscriptionArn"), "pending confirmation");
    fake.work().await;
    let [asked] = &fake.transport.take()[..] else { panic!("one question") };
    let question = json_body(asked);
    let token = question["Token"].as_str().unwrap();
    assert_eq!(
        post(asked),
        &Post {
            url: URL.to_owned(),
            message_type: "SubscriptionConfirmation".to_owned(),
            message_id: question["MessageId"].as_str().unwrap().to_owned(),
            topic_arn: TOPIC.to_owned(),
            subscription_arn: None,
            raw: false,
            content_type: "text/plain; charset=UTF-8".to_owned(),
            body: post(asked).body.clone(),
        }
    );
    assert_eq!(question["Type"], "SubscriptionConfirmation");
    let link = question["SubscribeURL"].as_str().unwrap();
    assert_eq!(
        link,
        format!("http://localhost:4566/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={token}")
    );
    fake.verify(&question).await;

    // An unconfirmed subscription gets no messages.
    fake.publish("too early", &[]).await;
    fake.work().await;
    assert_eq!(fake.transport.take(), []);
    let confirmed = fake.visit(link).await;
    let arn = text_of(&confirmed, "SubscriptionArn");
    assert!(arn.starts_with(TOPIC), "{arn}");

    let attribute = [
        ("MessageAttributes.entry.1.Name", "a"),
        ("MessageAttributes.entry.1.Value.DataType", "Number"),
        ("MessageAttributes.entry.1.Value.StringValue", "5"),
        ("Subject", "Greetings"),
    ];
    let id = fake.publish("hello", &attribute).await;
    fake.work().await;
    let [sent] = &fake.transport.take()[..] else { panic!("one message") };
    let Post { message_type, message_id, subscription_arn, raw, .. } = post(sent);
    assert_eq!(message_type, "Notification");
    assert_eq!((message_id, subscription_arn.as_ref()), (&id, Some(&arn)));
    assert!(!raw);
    let envelope = json_body(sent);
    fake.verify(&envelope).await;
    for (member, value) in [
        ("Type", json!("Notification")),
        ("MessageId", json!(id)),
        ("TopicArn", json!(TOPIC)),
        ("Subject", json!("Greetings")),
        ("Message", json!("hello")),
        ("MessageAttributes", json!({"a": {"Type": "Number", "Value": "5"}})),
        (
            "UnsubscribeURL",
            json!(format!("http://localhost:4566/?Action=Unsubscribe&SubscriptionArn={arn}")),
        ),
    ] {
        assert_eq!(envelope[member], value, "{member}");
    }
    let counts = fake.service.runtime.deliveries().counts();
    assert_eq!(counts, BTreeMap::from([(("http", true), 2)]));
}

#[tokio::test]
async fn raw_delivery_is_the_message_alone_in_the_content_type_that_was_asked_for() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("https", "https://endpoint.example/").await;
    fake.attribute(&arn, "RawMessageDelivery", "true").await;
    let policy = json!({"requestPolicy": {"headerContentType": "text/csv"}});
    fake.attribute(&arn, "DeliveryPolicy", &policy.to_string()).await;
    fake.publish("a,b", &[("Subject", "lost")]).await;
    fake.work().await;
    let [sent] = &fake.transport.take()[..] else { panic!("one message") };
    assert!(post(sent).raw);
    assert_eq!(post(sent).content_type, "text/csv");
    assert_eq!(post(sent).body, "a,b");
}

#[tokio::test]
async fn a_failing_endpoint_is_tried_three_times_more_and_then_it_is_a_dead_letter() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", URL).await;
    fake.dead_letters_of(&arn).await;
    fake.transport.plan(URL, Plan::Answer(503));
    let began_at = fake.now();
    let id = fake.publish("hello", &[]).await;
    fake.watch(100).await;
    let sent = fake.transport.take();
    assert_eq!(seconds(&sent, began_at), [0, 20, 40, 60]);
    assert!(sent.iter().all(|one| post(one) == post(&sent[0])), "every attempt is the same");
    assert_eq!(post(&sent[0]).message_id, id);
    let [dead] = &fake.dead_letters().await[..] else { panic!("one dead letter") };
    assert_eq!(dead["Body"].as_str().unwrap().as_bytes(), post(&sent[0]).body);
    assert_eq!(dead.get("MessageAttributes"), None);
    assert_eq!(fake.pending().await, 0);
    let counts = fake.service.runtime.deliveries().counts();
    assert_eq!(counts[&("http", false)], 1);
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_not_asked_again() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", URL).await;
    fake.dead_letters_of(&arn).await;
    fake.transport.plan(URL, Plan::Answer(403));
    fake.publish("hello", &[]).await;
    fake.watch(100).await;
    assert_eq!(fake.transport.take().len(), 1);
    assert_eq!(fake.dead_letters().await.len(), 1);
    // The subscription stays.
    fake.transport.plan(URL, Plan::Answer(200));
    fake.publish("again", &[]).await;
    fake.work().await;
    assert_eq!(fake.transport.take().len(), 1);
}

#[tokio::test]
async fn the_phases_of_a_delivery_policy_follow_each_other() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", URL).await;
    let policy = json!({"healthyRetryPolicy": {
        "minDelayTarget": 2, "maxDelayTarget": 10, "numRetries": 7, "numNoDelayRetries": 1,
        "numMinDelayRetries": 2, "numMaxDelayRetries": 2, "backoffFunction": "linear",
    }});
    fake.attribute(&arn, "DeliveryPolicy", &policy.to_string()).await;
    fake.transport.plan(URL, Plan::Answer(500));
    let began_at = fake.now();
    fake.publish("hello", &[]).await;
    fake.watch(80).await;
    assert_eq!(seconds(&fake.transport.take(), began_at), [0, 0, 2, 4, 6, 16, 26, 36]);
    assert_eq!(fake.pending().await, 0);
}

#[tokio::test]
async fn an_endpoint_gets_no_more_than_its_throttle_lets_through() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", URL).await;
    let policy = json!({"throttlePolicy": {"maxReceivesPerSecond": 2}});
    fake.attribute(&arn, "DeliveryPolicy", &policy.to_string()).await;
    let began_at = fake.now();
    for _ in 0..3 {
        fake.publish("early", &[]).await;
    }
    fake.work().await;
    // What comes meanwhile waits, though nothing else does: not in this second, nor in the next.
    fake.publish("meanwhile", &[]).await;
    fake.work().await;
    fake.watch(1).await;
    fake.publish("later", &[]).await;
    fake.watch(5).await;
    assert_eq!(seconds(&fake.transport.take(), began_at), [0, 0, 1, 1, 2]);
    fake.publish("once all is calm", &[]).await;
    fake.work().await;
    fake.publish("and", &[]).await;
    fake.publish("on", &[]).await;
    fake.watch(3).await;
    assert_eq!(seconds(&fake.transport.take(), began_at), [6, 7, 7]);
}

#[tokio::test]
async fn the_throttle_of_a_topic_is_for_http_alone() {
    let fake = FakeService::new();
    let policy = json!({"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 1}}});
    fake.topic().await;
    fake.topic_attribute("DeliveryPolicy", &policy.to_string()).await;
    fake.subscribed("http", URL).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    fake.subscribed("lambda", function).await;
    for _ in 0..3 {
        fake.publish("hello", &[]).await;
    }
    fake.work().await;
    let sent = fake.transport.take();
    let to_function =
        sent.iter().filter(|one| matches!(one.letter, OutboundMessage::Invoke { .. }));
    assert_eq!((to_function.count(), sent.len()), (3, 4));
}

#[tokio::test]
async fn who_leaves_by_the_link_is_told_and_may_come_back() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", URL).await;
    fake.publish("hello", &[]).await;
    fake.work().await;
    let unsubscribe = json_body(&fake.transport.take()[0])["UnsubscribeURL"].clone();
    fake.visit(unsubscribe.as_str().unwrap()).await;
    fake.publish("unheard", &[]).await;
    fake.work().await;
    let [told] = &fake.transport.take()[..] else { panic!("one confirmation") };
    assert_eq!(post(told).message_type, "UnsubscribeConfirmation");
    assert_eq!(post(told).subscription_arn.as_ref(), Some(&arn));
    let news = json_body(told);
    assert_eq!(news["Type"], "UnsubscribeConfirmation");
    fake.verify(&news).await;

    let restored = fake.visit(news["SubscribeURL"].as_str().unwrap()).await;
    assert_eq!(text_of(&restored, "SubscriptionArn"), arn);
    fake.publish("heard", &[]).await;
    fake.work().await;
    let [sent] = &fake.transport.take()[..] else { panic!("one message") };
    assert_eq!(json_body(sent)["Message"], "heard");
}

#[tokio::test]
async fn a_link_ends_no_subscription_without_links() {
    let service = Service::new(settings()).with_key().await;
    service.sns_ok("CreateTopic", json!({"Name": "t"})).await;
    for (protocol, endpoint) in [
        ("sqs", format!("{ARNS}:q")),
        ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned()),
        ("sms", "+15555550100".to_owned()),
    ] {
        let input = json!({"TopicArn": TOPIC, "Protocol": protocol, "Endpoint": endpoint});
        let arn = service.sns_ok("Subscribe", input).await["SubscriptionArn"].clone();
        let link =
            format!("http://x/?Action=Unsubscribe&SubscriptionArn={}", arn.as_str().unwrap());
        let refused = service.answer(visit(&link)).await;
        assert_eq!(refused.status, 403, "{protocol}");
        assert!(refused.text().contains("<Code>AuthorizationError</Code>"), "{}", refused.text());
        let list = json!({ "TopicArn": TOPIC });
        let left = service.sns_ok("ListSubscriptionsByTopic", list.clone()).await;
        assert_eq!(left["Subscriptions"][0]["SubscriptionArn"], arn, "{protocol}");
        service.sns_ok("Unsubscribe", json!({ "SubscriptionArn": arn })).await;
        let left = service.sns_ok("ListSubscriptionsByTopic", list).await;
        assert_eq!(left["Subscriptions"], json!([]), "{protocol}");
    }
}

#[tokio::test]
async fn what_waits_for_a_subscription_goes_with_it() {
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", URL).await;
    fake.transport.plan(URL, Plan::Answer(503));
    fake.publish("to nobody", &[]).await;
    fake.work().await;
    fake.ok("Unsubscribe", &[("SubscriptionArn", &arn)]).await;
    fake.watch(100).await;
    assert_eq!(fake.transport.take().len(), 1);
    assert_eq!(fake.pending().await, 0);

    fake.subscribed("http", URL).await;
    fake.publish("to nobody", &[]).await;
    fake.work().await;
    fake.ok("DeleteTopic", &[("TopicArn", TOPIC)]).await;
    fake.watch(100).await;
    assert_eq!(fake.transport.take().len(), 1);
    assert_eq!(fake.pending().await, 0);
}

#[tokio::test]
async fn a_subscription_may_go_while_its_message_is_on_the_way() {
    let fake = FakeService::running(&Location::Memory);
    fake.topic().await;
    for status in [200, 503, 403] {
        let arn = fake.subscribed("http", URL).await;
        fake.transport.plan(URL, Plan::Wait(status));
        fake.publish("hello", &[]).await;
        fake.transport.until(1).await;
        fake.ok("Unsubscribe", &[("SubscriptionArn", &arn)]).await;
        fake.transport.plan(URL, Plan::Answer(200));
        fake.transport.go_on();
        // What is to be tried again is forgotten when its time comes.
        while fake.pending().await > 0 {
            fake.service.clock.advance(1_000);
            tokio::task::yield_now().await;
        }
        assert_eq!(fake.transport.take().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn after_a_bug_in_a_delivery_it_is_made_again() {
    let fake = FakeService::running(&Location::Memory);
    fake.topic().await;
    fake.subscribed("http", URL).await;
    fake.transport.plan(URL, Plan::Panic);
    fake.transport.then(URL, Plan::Answer(200));
    fake.publish("hello", &[]).await;
    fake.transport.until(1).await;
    for _ in 0..1_000 {
        if fake.pending().await == 0 {
            break;
        }
        fake.service.clock.advance(1_000);
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.transport.take().len(), 2);
    assert_eq!(fake.service.runtime.background_panics(), 1);
}

#[tokio::test]
async fn a_dead_endpoint_delays_no_other() {
    let fake = FakeService::running(&Location::Memory);
    fake.topic().await;
    fake.subscribed("http", URL).await;
    let alive = "http://alive.example/";
    fake.subscribed("http", alive).await;
    fake.transport.plan(URL, Plan::Hang);
    for number in 1..=40 {
        fake.publish("hello", &[]).await;
        fake.transport.until_at(alive, number).await;
    }
}

/// Lets all tasks with work run.
async fn let_all_begin(fake: &FakeService) {
    for _ in 0..50 {
        fake.service.runtime.run(|_| Ok(())).await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// The deliveries loaded for a slow endpoint are bounded in number and in bytes.
#[tokio::test]
async fn an_endpoint_gets_a_few_messages_at_a_time_and_fewer_large_ones() {
    for (bytes, at_a_time) in [(10, 16), (100_000, 3), (200_000, 2)] {
        let fake = FakeService::running(&Location::Memory);
        fake.topic().await;
        let arn = fake.subscribed("http", URL).await;
        fake.attribute(&arn, "RawMessageDelivery", "true").await;
        fake.transport.plan(URL, Plan::Wait(200));
        fake.publish("first", &[]).await;
        fake.transport.until(1).await;
        for _ in 0..20 {
            fake.publish(&"x".repeat(bytes), &[]).await;
        }
        fake.transport.take();
        let (mut left, mut begun) = (20, 1);
        while left > 0 {
            for _ in 0..begun {
                fake.transport.go_on();
            }
            begun = at_a_time.min(left);
            fake.transport.until(begun).await;
            let_all_begin(&fake).await;
            assert_eq!(fake.transport.take().len(), begun, "of {bytes} bytes");
            left -= begun;
        }
    }
}

/// A destination gets so many slots of an account; an outbox that waits for one gets it when another is
/// done, and other destinations of the account do not wait.
#[tokio::test]
async fn a_destination_gets_a_part_of_the_slots() {
    const OUTBOXES: usize = 150;
    let fake = FakeService::running(&Location::Memory);
    fake.topic().await;
    for number in 0..OUTBOXES + 2 {
        let address = format!("{number}@example.com");
        fake.subscribed("email", &address).await;
        fake.transport.plan(&address, Plan::Wait(200));
    }
    fake.publish("hello", &[]).await;
    for begun in [OUTBOXES, 1] {
        fake.transport.until(begun).await;
        let_all_begin(&fake).await;
        assert_eq!(fake.transport.take().len(), begun);
        fake.transport.go_on();
    }
    let function = function("f");
    let parameters = [("TopicArn", TOPIC), ("Protocol", "lambda"), ("Endpoint", &*function)];
    fake.ok("Subscribe", &parameters).await;
    fake.publish("hello", &[]).await;
    in_time(fake.transport.until_at(&function, 1)).await;
}

fn function(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

/// Fails instead of waiting for ever. The time is real, and the clock of the server stands still.
async fn in_time<T>(done: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), done).await.unwrap()
}

/// 2,500 endpoints of one account do not answer. That of another account gets its message, while the
/// clock stands still.
#[tokio::test]
async fn hanging_endpoints_delay_no_other_account() {
    let fake = FakeService::running(&Location::Memory);
    fake.topic().await;
    for number in 0..2_500 {
        let function = function(&number.to_string());
        fake.transport.plan(&function, Plan::Hang);
        let parameters = [("TopicArn", TOPIC), ("Protocol", "lambda"), ("Endpoint", &*function)];
        fake.ok("Subscribe", &parameters).await;
    }
    fake.publish("hello", &[]).await;
    in_time(fake.transport.until(200)).await;
    let other = Caller { account: "111122223333".into(), ..Caller::default() };
    let ask = async |operation, input| fake.service.ask_sns(&other, operation, &input).await;
    let topic = ask("CreateTopic", json!({"Name": "t"})).await.unwrap()["TopicArn"].clone();
    let endpoint = function("other");
    let input = json!({"TopicArn": topic, "Protocol": "lambda", "Endpoint": endpoint});
    ask("Subscribe", input).await.unwrap();
    for count in 1..=20 {
        ask("Publish", json!({"TopicArn": topic, "Message": "hello"})).await.unwrap();
        in_time(fake.transport.until_at(&endpoint, count)).await;
    }
    let begun = fake.transport.take().len();
    assert!(begun < 300, "{begun} deliveries: no slot is left for others");
}

async fn limit(fake: &FakeService, captured: i64, outbox: i64) {
    let limits = AccountLimits { captured, outbox };
    let limiting = fake.service.runtime.run(move |tx| {
        tx.limit_accounts(limits);
        Ok(())
    });
    limiting.await.unwrap();
}

async fn usage(fake: &FakeService, account: &'static str) -> Usage {
    fake.service.runtime.run(move |tx| Ok(tx.usage(account)?)).await.unwrap()
}

#[tokio::test]
async fn a_full_outbox_throttles_its_account_only() {
    const ACCOUNT: &str = "000000000000";
    let fake = FakeService::new();
    fake.topic().await;
    fake.service.ok("CreateQueue", json!({"QueueName": "q"})).await;
    fake.subscribed("sqs", &format!("{ARNS}:q")).await;
    fake.subscribed("http", URL).await;
    fake.transport.plan(URL, Plan::Answer(503));
    limit(&fake, 1, 10_000).await;
    let message = "x".repeat(1_000);
    let publish =
        async || fake.call("Publish", &[("TopicArn", TOPIC), ("Message", &message)]).await;
    let mut published = 0;
    let throttled = loop {
        let answer = publish().await;
        if answer.status != 200 {
            break answer;
        }
        published += 1;
        assert!(published < 100);
    };
    assert_eq!(throttled.status, 429);
    assert!(throttled.text().contains("<Code>Throttled</Code>"), "{}", throttled.text());
    // So are questions, which wait in the outbox, too; and a batch, of which nothing is published.
    for number in 0..20 {
        let endpoint = format!("http://{number}.example/");
        let parameters = [("TopicArn", TOPIC), ("Protocol", "http"), ("Endpoint", &*endpoint)];
        if number == 19 {
            assert_eq!(fake.call("Subscribe", &parameters).await.status, 429);
        } else {
            fake.call("Subscribe", &parameters).await;
        }
    }
    assert_eq!(publish().await.status, 429);
    let used = usage(&fake, ACCOUNT).await.outbox;
    assert!((8_000..=10_000).contains(&used), "{used}");
    // What was refused is in no queue.
    let input = json!({"QueueUrl": format!("{QUEUES}/q"), "AttributeNames": ["All"]});
    let attributes = fake.service.ok("GetQueueAttributes", input).await;
    let number = &attributes["Attributes"]["ApproximateNumberOfMessages"];
    assert_eq!(number, &json!(published.to_string()));
    // Others are not concerned.
    let other = Caller { account: "111122223333".into(), ..Caller::default() };
    let ask = async |operation, input| fake.service.ask_sns(&other, operation, &input).await;
    let topic = ask("CreateTopic", json!({"Name": "t"})).await.unwrap()["TopicArn"].clone();
    let input = json!({"TopicArn": topic, "Protocol": "lambda", "Endpoint": function("f")});
    ask("Subscribe", input).await.unwrap();
    ask("Publish", json!({"TopicArn": topic, "Message": message})).await.unwrap();
    // When the endpoint is well again, so is the account, and what counted does not any more.
    fake.transport.plan(URL, Plan::Answer(200));
    fake.watch(100).await;
    assert_eq!(usage(&fake, ACCOUNT).await.outbox, 0);
    assert_eq!(publish().await.status, 200);
}

#[tokio::test]
async fn captured_messages_of_an_account_are_bounded_in_bytes() {
    let fake = FakeService::new();
    limit(&fake, 10_000, 1).await;
    let other = Caller { account: "111122223333".into(), ..Caller::default() };
    let message = "x".repeat(1_000);
    let sms = async |caller: &Caller, number: u32| {
        let input = json!({"PhoneNumber": format!("+1555000{number:04}"), "Message": message});
        fake.service.ask_sns(caller, "Publish", &input).await.unwrap();
    };
    sms(&other, 1).await;
    for number in 0..100 {
        sms(&Caller::default(), number).await;
    }
    let seen = fake.seen("/_aws/sns/sms-messages").await;
    let phones = seen["sms_messages"].as_object().unwrap();
    assert!((5..10).contains(&phones.len()), "{}", phones.len());
    assert!(phones.contains_key("+15550000099"), "the latest is there");
    let used = usage(&fake, "000000000000").await.captured;
    assert!((8_000..=10_000).contains(&used), "{used}");
    let seen = fake.seen("/_aws/sns/sms-messages?accountId=111122223333").await;
    assert_eq!(seen["sms_messages"].as_object().unwrap().len(), 1);
    let forgotten = hyper::Request::delete("/_aws/sns/sms-messages").body(Body::default());
    fake.inspect(forgotten.unwrap()).await;
    assert_eq!(usage(&fake, "000000000000").await.captured, 0);
}

/// Where mail reaches mailboxes of others, no caller reads there what would confirm a subscription.
#[tokio::test]
async fn only_its_mail_confirms_the_subscription_of_a_mailbox() {
    let relay = MailSender::new("smtp://127.0.0.1:1", "a@example.com").unwrap();
    let world = NetworkTransport::new(Some(relay), BTreeMap::new(), EndpointRules::default());
    let fake = FakeService::with(Arc::new(world.for_callers_with_keys()));
    fake.topic().await;
    for protocol in ["email", "email-json"] {
        let parameters = [
            ("TopicArn", TOPIC),
            ("Protocol", protocol),
            ("Endpoint", "b@example.com"),
            ("ReturnSubscriptionArn", "true"),
        ];
        let arn = text_of(&fake.ok("Subscribe", &parameters).await, "SubscriptionArn");
        fake.work().await;
        let path = format!("/_aws/sns/subscription-tokens/{arn}");
        let request = hyper::Request::get(path).body(Body::default()).unwrap();
        assert_eq!(fake.inspect(request).await.status, 404);
    }
    let seen = fake.seen("/_aws/sns/email-messages").await;
    assert_eq!(seen["email_messages"], json!({}));
}

#[tokio::test]
async fn a_denied_endpoint_is_refused_or_a_dead_letter() {
    let deny = vec!["metadata".parse().unwrap(), "loopback".parse().unwrap()];
    let rules = EndpointRules { allow: Vec::new(), deny };
    let fake = FakeService::with(Arc::new(NetworkTransport::new(None, BTreeMap::new(), rules)));
    fake.topic().await;
    for endpoint in [
        "http://169.254.169.254/latest/",
        "http://user:password@169.254.169.254:80",
        "http://[::ffff:169.254.169.254]:8080/",
        "http://[fd00:ec2::254]",
        "http://127.0.0.1:80/",
    ] {
        let parameters = [("TopicArn", TOPIC), ("Protocol", "http"), ("Endpoint", endpoint)];
        let answer = fake.call("Subscribe", &parameters).await;
        assert_eq!(answer.status, 400, "{endpoint}");
        assert!(answer.text().contains("<Code>InvalidParameter</Code>"), "{}", answer.text());
        assert!(answer.text().contains("deny connections"), "{}", answer.text());
    }
    // What a name resolves to is found out by the delivery, and not tried again.
    let arn = fake.subscribed("http", "http://localhost:9/").await;
    fake.dead_letters_of(&arn).await;
    fake.publish("hello", &[]).await;
    fake.work().await;
    assert_eq!(fake.dead_letters().await.len(), 1);
    assert_eq!(fake.pending().await, 0);
}

#[tokio::test]
async fn deliveries_survive_the_end_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let fake = FakeService::running(&location);
    fake.topic().await;
    fake.subscribed("http", URL).await;
    fake.transport.plan(URL, Plan::Hang);
    let on_the_way = fake.publish("on the way", &[]).await;
    fake.transport.until(1).await;
    let waiting = fake.publish("waiting", &[]).await;
    fake.service.runtime.close().await;
    drop(fake);

    let fake = FakeService::running(&location);
    fake.transport.until(2).await;
    let sent = fake.transport.take();
    let ids: BTreeSet<_> = sent.iter().map(|sent| post(sent).message_id.clone()).collect();
    assert_eq!(ids, BTreeSet::from([on_the_way, waiting]));
    fake.until_nothing_is_pending().await;
    fake.service.runtime.close().await;
}

#[tokio::test]
async fn a_function_gets_an_event_and_is_tried_again_at_once() {
    let fake = FakeService::new();
    fake.topic().await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let arn = fake.subscribed("lambda", function).await;
    fake.transport.plan(function, Plan::Answer(500));
    fake.transport.then(function, Plan::Answer(500));
    fake.transport.then(function, Plan::Answer(200));
    let id = fake.publish("hello", &[]).await;
    fake.work().await;
    let sent = fake.transport.take();
    assert_eq!(sent.len(), 3);
    for one in &sent {
        let OutboundMessage::Invoke { function_arn, event } = &one.letter else {
            panic!("{one:?}")
        };
        assert_eq!(function_arn, function);
        let event: Value = serde_json::from_slice(event).unwrap();
        let [record] = &event["Records"].as_array().unwrap()[..] else { panic!("{event}") };
        assert_eq!(record["EventSource"], "aws:sns");
        assert_eq!(record["EventSubscriptionArn"], json!(arn));
        assert_eq!(record["Sns"]["MessageId"], json!(id));
        assert_eq!(record["Sns"]["Message"], "hello");
        assert_eq!(record["Sns"]["Subject"], Value::Null);
        let mut envelope = record["Sns"].clone();
        envelope["SigningCertURL"] = envelope["SigningCertUrl"].take();
        envelope.as_object_mut().unwrap().remove("Subject");
        fake.verify(&envelope).await;
    }
}

#[tokio::test]
async fn mail_goes_out_and_is_kept_whether_or_not_the_relay_takes_it() {
    let fake = FakeService::new();
    fake.topic().await;
    let somebody = "somebody@example.com";
    fake.ok("Subscribe", &[("TopicArn", TOPIC), ("Protocol", "email"), ("Endpoint", somebody)])
        .await;
    fake.work().await;
    let sent = fake.transport.take();
    let [Sent { letter: OutboundMessage::Mail { to, subject, text }, .. }] = &sent[..] else {
        panic!("one mail: {sent:?}")
    };
    assert_eq!(
        (to.as_str(), subject.as_str()),
        (somebody, "AWS Notification - Subscription Confirmation")
    );
    let link = text.lines().find(|line| line.starts_with("http")).unwrap();
    fake.visit(link).await;
    fake.transport.plan(somebody, Plan::Answer(503));
    fake.publish("hello", &[("Subject", "Greetings")]).await;
    fake.watch(15).await;
    let sent = fake.transport.take();
    assert_eq!(sent.len(), 2, "tried again after 10 seconds: {sent:?}");
    let OutboundMessage::Mail { subject, text, .. } = &sent[0].letter else { panic!("{sent:?}") };
    assert_eq!(subject, "Greetings");
    assert!(text.starts_with("hello\n"), "{text}");
    assert_eq!(
        fake.subjects_of(somebody).await,
        ["AWS Notification - Subscription Confirmation", "Greetings"]
    );
}

#[tokio::test]
async fn without_a_relay_mail_is_kept_and_that_is_all() {
    let fake = FakeService::with(Arc::new(NetworkTransport::new(
        None,
        BTreeMap::new(),
        EndpointRules::default(),
    )));
    fake.topic().await;
    let somebody = "somebody@example.com";
    for protocol in ["email", "email-json"] {
        fake.ok(
            "Subscribe",
            &[("TopicArn", TOPIC), ("Protocol", protocol), ("Endpoint", somebody)],
        )
        .await;
    }
    fake.work().await;
    assert_eq!(fake.subjects_of(somebody).await.len(), 2);
    assert_eq!(fake.pending().await, 0);
}

#[tokio::test]
async fn deliveries_are_logged_where_a_topic_asks_for_it_and_failures_always() {
    const LOGGED: &str = "http://logged.example/";
    const TEST: &str =
        "deliveries::deliveries_are_logged_where_a_topic_asks_for_it_and_failures_always";
    if !runs_alone(TEST) {
        return;
    }
    let log = log();
    let fake = FakeService::new();
    fake.topic().await;
    let arn = fake.subscribed("http", LOGGED).await;
    fake.publish("not to be told", &[]).await;
    fake.work().await;
    fake.topic_attribute("HTTPSuccessFeedbackRoleArn", "arn:aws:iam::000000000000:role/r").await;
    let told = fake.publish("to be told", &[]).await;
    fake.work().await;
    fake.topic_attribute("HTTPSuccessFeedbackSampleRate", "0").await;
    fake.publish("sampled out", &[]).await;
    fake.work().await;
    fake.transport.plan(LOGGED, Plan::Answer(403));
    let failed = fake.publish("refused", &[]).await;
    fake.work().await;
    let lines: Vec<Value> = log
        .lock()
        .unwrap()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["endpoint"] == LOGGED)
        .collect();
    let [success, failure] = &lines[..] else { panic!("two lines: {lines:?}") };
    assert_eq!((&success["message"], &success["message_id"]), (&json!("delivered"), &json!(told)));
    assert_eq!(success["subscription_arn"], json!(arn));
    assert_eq!((&failure["message"], &failure["level"]), (&json!("not delivered"), &json!("WARN")));
    assert_eq!(failure["message_id"], json!(failed));
    assert_eq!(failure["reason"], "the endpoint answered with HTTP status 403");
    assert_eq!(failure["attempts"], 1);
}

/// What this process logs from now on, a line each.
fn log() -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&lines);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || Lines(Arc::clone(&writer)))
        .init();
    lines
}

struct Lines(Arc<Mutex<Vec<String>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
