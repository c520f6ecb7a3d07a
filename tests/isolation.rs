//! Accounts are isolated from each other: policies of queues and topics, owners, roles, inspection.

use crate::gateway::{Answer, HOST, Service, by_route, settings, sns};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use squab::api::CompatOptions;
use squab::api::operations::{OPERATIONS, Service as Api};
use squab::auth::{Credentials, Mode};
use squab::config::{self, Invocation};
use squab::runtime::clock::{Clock, SystemClock};
use squab::server::gateway::GatewaySettings;
use squab::server::init_hooks::InitHooks;
use squab::server::localstack::{self, LocalStack};
use squab::wire::Protocol;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::watch;
use tower::ServiceExt;

const OWNER: &str = "AKIAOWNER";
const ADMIN: &str = "AKIAADMIN";
const VIEWER: &str = "AKIAVIEWER";
const OTHER: &str = "AKIAOTHER";
const KEYS: &str = r#"
[[credential]]
access_key_id = "AKIAOWNER"
secret_access_key = "secret"
account = "111111111111"

[[credential]]
access_key_id = "AKIAADMIN"
secret_access_key = "secret"
account = "111111111111"
role = "admin"

[[credential]]
access_key_id = "AKIAVIEWER"
secret_access_key = "secret"
account = "111111111111"
role = "view"

[[credential]]
access_key_id = "AKIAOTHER"
secret_access_key = "secret"
account = "222222222222"
user = "bob"
role = "operate"
"#;

const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:q";
const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:t";
const BOB: &str = "arn:aws:iam::222222222222:user/bob";

fn url(name: &str) -> String {
    format!("http://{HOST}/111111111111/{name}")
}

/// Status, code and message of a refusal.
type Outcome = Result<Value, (u16, String, String)>;

struct Server(Service);

impl Server {
    async fn new(mode: Mode) -> Self {
        Self::with(mode, CompatOptions::default()).await
    }

    async fn with(mode: Mode, compat_options: CompatOptions) -> Self {
        let credentials = Credentials::parse(KEYS).unwrap();
        let compat_options = Arc::new(compat_options);
        let service =
            Service::new(GatewaySettings { mode, credentials, compat_options, ..settings() })
                .with_key()
                .await;
        if mode != Mode::Off {
            let isolate = |tx: &mut squab::store::Txn<'_>| {
                tx.isolate_accounts();
                Ok(())
            };
            service.runtime.run(isolate).await.unwrap();
        }
        Self(service)
    }

    async fn ask(&self, key: &str, api: Api, operation: &str, input: &Value) -> Outcome {
        let (name, protocol) = (api.name(), protocol_of(api));
        let (content, target, body) = match api {
            Api::Sqs => {
                let target = format!("AmazonSQS.{operation}");
                ("application/x-amz-json-1.0", Some(target), input.to_string())
            }
            Api::Sns => (FORM, None, sns::form(operation, input)),
            Api::Sts => {
                let body = sns::form(operation, input).replace("2010-03-31", "2011-06-15");
                (FORM, None, body)
            }
        };
        let mut headers = vec![("content-type", content)];
        headers.extend(target.as_deref().map(|target| ("x-amz-target", target)));
        let request = signed(key, None, name, "POST", "/", &headers, body);
        // Signing a notification takes a while, but no time passes.
        let answer = match api {
            Api::Sns => self.0.answer_at_once(request).await,
            Api::Sqs | Api::Sts => self.0.answer(request).await,
        };
        outcome(&answer, protocol, api, operation)
    }

    async fn sqs(&self, key: &str, operation: &str, input: Value) -> Outcome {
        self.ask(key, Api::Sqs, operation, &input).await
    }

    async fn sns(&self, key: &str, operation: &str, input: Value) -> Outcome {
        self.ask(key, Api::Sns, operation, &input).await
    }

    /// Asks an inspection endpoint.
    async fn inspect(&self, key: &str, method: &str, path: &str) -> (u16, String) {
        let request = signed(key, None, "sqs", method, path, &[], String::new());
        let response = by_route(&self.0.gateway, request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A queue and a dead-letter queue of the owner with a message each, a topic with a subscription and a
    /// platform application with an endpoint. Returns the ARNs of subscription and endpoint.
    async fn furnish(&self) -> (String, String) {
        for name in ["d", "q"] {
            self.sqs(OWNER, "CreateQueue", json!({"QueueName": name})).await.unwrap();
            let message = json!({"QueueUrl": url(name), "MessageBody": "secret"});
            self.sqs(OWNER, "SendMessage", message).await.unwrap();
        }
        let dead = "arn:aws:sqs:us-east-1:111111111111:d";
        let policy = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 5}).to_string();
        self.set_queue(OWNER, "RedrivePolicy", &policy).await.unwrap();
        self.sns(OWNER, "CreateTopic", json!({"Name": "t"})).await.unwrap();
        self.set_policy(OWNER, json!([sns_may("Allow", "ArnEquals", TOPIC)])).await.unwrap();
        let input = json!({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE});
        let subscribed = self.sns(OWNER, "Subscribe", input).await.unwrap();
        let input =
            json!({"Name": "a", "Platform": "GCM", "Attributes": {"PlatformCredential": "x"}});
        let application = self.sns(OWNER, "CreatePlatformApplication", input).await.unwrap();
        let arn = &application["PlatformApplicationArn"];
        let input = json!({"PlatformApplicationArn": arn, "Token": "device"});
        let endpoint = self.sns(OWNER, "CreatePlatformEndpoint", input).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&subscribed["SubscriptionArn"]), text(&endpoint["EndpointArn"]))
    }

    async fn set_queue(&self, key: &str, name: &str, value: &str) -> Outcome {
        let input = json!({"QueueUrl": url("q"), "Attributes": {name: value}});
        self.sqs(key, "SetQueueAttributes", input).await
    }

    async fn set_policy(&self, key: &str, statements: Value) -> Outcome {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        self.set_queue(key, "Policy", &policy).await
    }

    async fn set_topic_policy(&self, key: &str, statements: Value) -> Outcome {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let input = json!({"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": policy});
        self.sns(key, "SetTopicAttributes", input).await
    }

    async fn send(&self, key: &str) -> Outcome {
        self.sqs(key, "SendMessage", json!({"QueueUrl": url("q"), "MessageBody": "m"})).await
    }

    async fn publish(&self, key: &str) -> Outcome {
        self.sns(key, "Publish", json!({"TopicArn": TOPIC, "Message": "m"})).await
    }

    /// How many messages a queue of the owner shows.
    async fn depth(&self, name: &str) -> String {
        const NAME: &str = "ApproximateNumberOfMessages";
        let input = json!({"QueueUrl": url(name), "AttributeNames": [NAME]});
        let shown = self.sqs(ADMIN, "GetQueueAttributes", input).await.unwrap();
        shown["Attributes"][NAME].as_str().unwrap().to_owned()
    }
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn protocol_of(api: Api) -> Protocol {
    if api == Api::Sqs { Protocol::Json } else { Protocol::Query }
}

fn outcome(answer: &Answer, protocol: Protocol, api: Api, operation: &str) -> Outcome {
    if answer.status != 200 {
        if api == Api::Sts {
            let text = answer.text();
            let between = |start: &str, end: &str| {
                let (_, rest) = text.split_once(start).unwrap();
                rest.split_once(end).unwrap().0.to_owned()
            };
            let (code, message) = (between("<Code>", "</"), between("<Message>", "</"));
            return Err((answer.status, code, message));
        }
        let refused = answer.refused(protocol);
        return Err((refused.status, refused.code, refused.message));
    }
    Ok(match api {
        Api::Sqs => answer.output(protocol, operation),
        Api::Sns => sns::output(answer, operation),
        Api::Sts => json!(answer.text()),
    })
}

fn signed(
    key: &str,
    session: Option<(&str, &str)>,
    service: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Request<Body> {
    let (secret, token) = session.unwrap_or(("secret", ""));
    let token = (!token.is_empty()).then(|| token.to_owned());
    let identity = aws_credential_types::Credentials::new(key, secret, token, None, "test").into();
    let now_ms = u64::try_from(SystemClock.now_ms()).unwrap();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(UNIX_EPOCH + Duration::from_millis(now_ms))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers: Vec<_> = [("host", HOST)].iter().chain(headers).copied().collect();
    let signable = SignableBody::Bytes(body.as_bytes());
    let uri = format!("http://{HOST}{path}");
    let signable = SignableRequest::new(method, uri, headers.iter().copied(), signable).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        request = request.header(name, value);
    }
    request.body(Body::from(body)).unwrap()
}

fn allow(principal: Value, action: &str) -> Value {
    json!([{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}])
}

fn deny(principal: Value, action: &str) -> Value {
    json!([{"Effect": "Deny", "Principal": principal, "Action": action, "Resource": "*"}])
}

fn is_denied(outcome: &Outcome) -> bool {
    matches!(outcome, Err((403, code, _)) if code == "AccessDenied" || code == "AuthorizationError")
}

/// Operations that name nothing of another account: they concern the caller's own, are links, or, like
/// ConfirmSubscription, take a secret.
const OF_ONESELF: [&str; 22] = [
    "CheckIfPhoneNumberIsOptedOut",
    "ConfirmSubscription",
    "CreatePlatformApplication",
    "CreateQueue",
    "CreateSMSSandboxPhoneNumber",
    "CreateTopic",
    "DeleteSMSSandboxPhoneNumber",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetSMSAttributes",
    "GetSMSSandboxAccountStatus",
    "GetSessionToken",
    "ListOriginationNumbers",
    "ListPhoneNumbersOptedOut",
    "ListPlatformApplications",
    "ListQueues",
    "ListSMSSandboxPhoneNumbers",
    "ListSubscriptions",
    "ListTopics",
    "OptInPhoneNumber",
    "SetSMSAttributes",
    "VerifySMSSandboxPhoneNumber",
];

/// What each operation takes that concerns a queue, a topic or an application of the owner. `queue` and
/// `topic` are their names.
fn inputs(
    queue: &str,
    topic: &str,
    subscription: &str,
    endpoint: &str,
) -> Vec<(&'static str, Api, Value)> {
    let queue = url(queue);
    let topic = format!("arn:aws:sns:us-east-1:111111111111:{topic}");
    let application = "arn:aws:sns:us-east-1:111111111111:app/GCM/a";
    let queue_call = |operation, more: Value| (operation, Api::Sqs, with("QueueUrl", &queue, more));
    let topic_call = |operation, more: Value| (operation, Api::Sns, with("TopicArn", &topic, more));
    let resource_call =
        |operation, more: Value| (operation, Api::Sns, with("ResourceArn", &topic, more));
    let endpoint_call =
        |operation, more: Value| (operation, Api::Sns, with("EndpointArn", endpoint, more));
    let application_call = |operation, more: Value| {
        (operation, Api::Sns, with("PlatformApplicationArn", application, more))
    };
    let subscription_call =
        |operation, more: Value| (operation, Api::Sns, with("SubscriptionArn", subscription, more));
    let entry = |more: Value| json!({"Entries": [with("Id", "1", more)]});
    let receipt = json!({"ReceiptHandle": "x", "VisibilityTimeout": 1});
    let permission = json!({"Label": "l", "AWSAccountIds": ["222222222222"], "Actions": ["*"]});
    let of_topic =
        json!({"Label": "l", "AWSAccountId": ["222222222222"], "ActionName": ["Publish"]});
    vec![
        queue_call("AddPermission", permission),
        queue_call("ChangeMessageVisibility", receipt.clone()),
        queue_call("ChangeMessageVisibilityBatch", entry(receipt.clone())),
        queue_call("DeleteMessage", receipt.clone()),
        queue_call("DeleteMessageBatch", entry(receipt)),
        queue_call("DeleteQueue", json!({})),
        queue_call("GetQueueAttributes", json!({"AttributeNames": ["All"]})),
        (
            "GetQueueUrl",
            Api::Sqs,
            json!({"QueueName": queue.rsplit('/').next(), "QueueOwnerAWSAccountId": "111111111111"}),
        ),
        queue_call("ListDeadLetterSourceQueues", json!({})),
        queue_call("ListQueueTags", json!({})),
        queue_call("PurgeQueue", json!({})),
        queue_call("ReceiveMessage", json!({})),
        queue_call("RemovePermission", json!({"Label": "l"})),
        queue_call("SendMessage", json!({"MessageBody": "m"})),
        queue_call("SendMessageBatch", entry(json!({"MessageBody": "m"}))),
        queue_call("SetQueueAttributes", json!({"Attributes": {"DelaySeconds": "9"}})),
        queue_call("TagQueue", json!({"Tags": {"k": "v"}})),
        queue_call("UntagQueue", json!({"TagKeys": ["k"]})),
        topic_call("AddPermission", of_topic),
        application_call("CreatePlatformEndpoint", json!({"Token": "x"})),
        endpoint_call("DeleteEndpoint", json!({})),
        application_call("DeletePlatformApplication", json!({})),
        topic_call("DeleteTopic", json!({})),
        resource_call("GetDataProtectionPolicy", json!({})),
        endpoint_call("GetEndpointAttributes", json!({})),
        application_call("GetPlatformApplicationAttributes", json!({})),
        subscription_call("GetSubscriptionAttributes", json!({})),
        topic_call("GetTopicAttributes", json!({})),
        application_call("ListEndpointsByPlatformApplication", json!({})),
        topic_call("ListSubscriptionsByTopic", json!({})),
        resource_call("ListTagsForResource", json!({})),
        topic_call("Publish", json!({"Message": "m"})),
        ("Publish", Api::Sns, json!({"TargetArn": topic, "Message": "m"})),
        ("Publish", Api::Sns, json!({"TargetArn": endpoint, "Message": "m"})),
        topic_call(
            "PublishBatch",
            json!({"PublishBatchRequestEntries": [{"Id": "1", "Message": "m"}]}),
        ),
        resource_call("PutDataProtectionPolicy", json!({"DataProtectionPolicy": "{}"})),
        topic_call("RemovePermission", json!({"Label": "l"})),
        endpoint_call("SetEndpointAttributes", json!({"Attributes": {"Enabled": "false"}})),
        application_call(
            "SetPlatformApplicationAttributes",
            json!({"Attributes": {"PlatformCredential": "y"}}),
        ),
        subscription_call(
            "SetSubscriptionAttributes",
            json!({"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}),
        ),
        topic_call(
            "SetTopicAttributes",
            json!({"AttributeName": "DisplayName", "AttributeValue": "x"}),
        ),
        topic_call("Subscribe", json!({"Protocol": "email", "Endpoint": "eve@example.com"})),
        resource_call("TagResource", json!({"Tags": [{"Key": "k", "Value": "v"}]})),
        subscription_call("Unsubscribe", json!({})),
        resource_call("UntagResource", json!({"TagKeys": ["k"]})),
        (
            "AssumeRole",
            Api::Sts,
            json!({"RoleArn": "arn:aws:iam::111111111111:role/r", "RoleSessionName": "session"}),
        ),
    ]
}

fn with(name: &str, value: &str, mut more: Value) -> Value {
    more[name] = json!(value);
    more
}

#[tokio::test]
async fn another_account_is_denied_every_operation() {
    for mode in [Mode::Strict, Mode::KnownKeys] {
        let to = Server::new(mode).await;
        let (subscription, endpoint) = to.furnish().await;
        let there = inputs("q", "t", &subscription, &endpoint);
        // Of a subscription only its id could be guessed, and that is random.
        let absent = inputs("no", "no", &subscription, &endpoint);
        for ((operation, api, input), (_, _, unknown)) in there.iter().zip(&absent) {
            let mut found = to.ask(OTHER, *api, operation, input).await;
            assert!(is_denied(&found), "{mode:?} {operation}: {found:?}");
            // What does not exist is refused in the same words.
            let missing = to.ask(OTHER, *api, operation, unknown).await;
            if input != unknown
                && let Err((_, _, message)) = &mut found
            {
                for (name, of) in [("q", QUEUE), ("t", TOPIC)] {
                    *message = message.replace(of, &of.replace(&format!(":{name}"), ":no"));
                }
            }
            assert_eq!(found, missing, "{mode:?} {operation}");
        }
        for operation in OPERATIONS.iter().filter(|it| !OF_ONESELF.contains(&it.name)) {
            let is_tried = there
                .iter()
                .any(|(name, api, _)| (*name, *api) == (operation.name, operation.service));
            let by_arn = operation.name.contains("MessageMoveTask");
            assert!(is_tried || by_arn, "{} is not tried", operation.name);
        }
        for (operation, input) in [
            ("StartMessageMoveTask", json!({"SourceArn": "arn:aws:sqs:us-east-1:111111111111:d"})),
            ("ListMessageMoveTasks", json!({"SourceArn": "arn:aws:sqs:us-east-1:111111111111:d"})),
        ] {
            let (status, code, _) = to.sqs(OTHER, operation, input).await.unwrap_err();
            assert_eq!((status, code.as_str()), (404, "ResourceNotFoundException"));
        }
        assert_eq!(to.depth("q").await, "1", "{mode:?}");
        assert!(to.publish(OWNER).await.is_ok());
        assert_eq!(to.depth("q").await, "2", "the subscription is as it was");
        for (operation, api, input) in &there {
            let found = to.ask(OWNER, *api, operation, input).await;
            assert!(!is_denied(&found), "{operation}: {found:?}");
        }
    }
}

#[tokio::test]
async fn where_nothing_is_verified_accounts_keep_names_apart_only() {
    let to = Server::new(Mode::Off).await;
    let (subscription, endpoint) = to.furnish().await;
    to.set_policy(OWNER, deny(json!("*"), "*")).await.unwrap();
    for (operation, api, input) in inputs("q", "t", &subscription, &endpoint) {
        for key in [VIEWER, OTHER] {
            let found = to.ask(key, api, operation, &input).await;
            assert!(!is_denied(&found), "{operation}: {found:?}");
        }
    }
}

#[tokio::test]
async fn the_sentences_of_refusals() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let refused = |code: &str, message: String| Err((403, code.to_owned(), message));
    let not = |action: &str, on: &str, why: &str| {
        format!("User: {BOB} is not authorized to perform: {action} on resource: {on} {why}")
    };
    let no_policy = "because no resource-based policy allows the sqs:sendmessage action";
    let send = not("sqs:sendmessage", QUEUE, no_policy);
    assert_eq!(to.send(OTHER).await, refused("AccessDenied", send.clone()));
    let batch = json!({"QueueUrl": url("q"), "Entries": [{"Id": "1", "MessageBody": "m"}]});
    assert_eq!(to.sqs(OTHER, "SendMessageBatch", batch).await, refused("AccessDenied", send));
    let no_policy = "because no resource-based policy allows the SNS:Publish action";
    let publish = not("SNS:Publish", TOPIC, no_policy);
    assert_eq!(to.publish(OTHER).await, refused("AuthorizationError", publish));
    to.set_policy(OWNER, deny(json!({"AWS": "222222222222"}), "sqs:SendMessage")).await.unwrap();
    let explicit =
        not("sqs:sendmessage", QUEUE, "with an explicit deny in a resource-based policy");
    assert_eq!(to.send(OTHER).await, refused("AccessDenied", explicit));
    let viewer = "User: arn:aws:iam::111111111111:root is not authorized to perform: sqs:sendmessage \
                  on resource: arn:aws:sqs:us-east-1:111111111111:* because no identity-based policy \
                  allows the sqs:sendmessage action";
    assert_eq!(to.send(VIEWER).await, refused("AccessDenied", viewer.to_owned()));
}

#[tokio::test]
async fn a_policy_opens_what_it_names() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let receive = || to.sqs(OTHER, "ReceiveMessage", json!({"QueueUrl": url("q")}));
    for principal in [json!("*"), json!({"AWS": "222222222222"}), json!({"AWS": BOB})] {
        to.set_policy(OWNER, allow(principal.clone(), "SQS:SendMessage")).await.unwrap();
        assert!(to.send(OTHER).await.is_ok(), "{principal}");
        assert!(is_denied(&receive().await));
        to.set_topic_policy(OWNER, allow(principal, "sns:Publish")).await.unwrap();
        assert!(to.publish(OTHER).await.is_ok());
        assert!(is_denied(&to.sns(OTHER, "GetTopicAttributes", json!({"TopicArn": TOPIC})).await));
        to.set_queue(OWNER, "Policy", "").await.unwrap();
        assert!(is_denied(&to.send(OTHER).await));
        let default = json!({"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": ""});
        to.sns(OWNER, "SetTopicAttributes", default).await.unwrap();
        assert!(is_denied(&to.publish(OTHER).await));
    }
    let permission = json!({"QueueUrl": url("q"), "Label": "l", "AWSAccountIds": ["222222222222"], "Actions": ["ReceiveMessage"]});
    to.sqs(OWNER, "AddPermission", permission).await.unwrap();
    assert!(receive().await.is_ok() && is_denied(&to.send(OTHER).await));
    to.sqs(OWNER, "RemovePermission", json!({"QueueUrl": url("q"), "Label": "l"})).await.unwrap();
    assert!(is_denied(&receive().await));
    let permission = json!({"TopicArn": TOPIC, "Label": "l", "AWSAccountId": ["222222222222"], "ActionName": ["Publish"]});
    to.sns(OWNER, "AddPermission", permission).await.unwrap();
    assert!(to.publish(OTHER).await.is_ok());
}

#[tokio::test]
async fn the_default_policy_of_a_topic_opens_it_to_its_owner_alone() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let shown = to.sns(OWNER, "GetTopicAttributes", json!({"TopicArn": TOPIC})).await.unwrap();
    let policy = &shown["Attributes"]["Policy"];
    assert!(policy.as_str().unwrap().contains("AWS:SourceOwner"), "{policy}");
    // Set by hand it means the same.
    let input = json!({"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": policy});
    to.sns(OWNER, "SetTopicAttributes", input).await.unwrap();
    assert!(to.publish(OWNER).await.is_ok());
    assert!(is_denied(&to.publish(OTHER).await));
}

/// Actions that no policy can share.
const OWNERS: [&str; 17] = [
    "AddPermission",
    "DeleteQueue",
    "ListQueueTags",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
    "CreatePlatformEndpoint",
    "DeleteEndpoint",
    "DeletePlatformApplication",
    "GetEndpointAttributes",
    "GetPlatformApplicationAttributes",
    "ListEndpointsByPlatformApplication",
    "SetEndpointAttributes",
    "SetPlatformApplicationAttributes",
    "AssumeRole",
    "GetSubscriptionAttributes",
];

#[tokio::test]
async fn actions_of_the_owner_cannot_be_shared() {
    let to = Server::new(Mode::Strict).await;
    let (subscription, endpoint) = to.furnish().await;
    to.set_policy(OWNER, allow(json!("*"), "*")).await.unwrap();
    to.set_topic_policy(OWNER, allow(json!("*"), "sns:*")).await.unwrap();
    for (operation, api, input) in inputs("q", "t", &subscription, &endpoint) {
        let is_owners = OWNERS.contains(&operation)
            || input["TargetArn"] == json!(endpoint)
            || input["SubscriptionArn"] == json!(subscription);
        // The policy of a topic may share all actions of topics.
        let is_owners = is_owners && input["TopicArn"] != json!(TOPIC);
        // Everything goes when the topic does.
        if operation != "DeleteTopic" {
            let found = to.ask(OTHER, api, operation, &input).await;
            assert_eq!(is_denied(&found), is_owners, "{operation}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_deny_binds_the_owner_and_an_admin_can_take_it_away() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let if_from = json!({"ArnNotEquals": {"aws:SourceArn": "x"}});
    let mut conditional = deny(json!("*"), "*");
    conditional[0]["Condition"] = if_from;
    for statements in
        [deny(json!("*"), "*"), deny(json!({"AWS": "111111111111"}), "*"), conditional]
    {
        to.set_policy(OWNER, statements.clone()).await.unwrap();
        for key in [OWNER, ADMIN] {
            assert!(is_denied(&to.send(key).await), "{statements}");
        }
        let (_, body) =
            to.inspect(OWNER, "GET", &format!("/_aws/sqs/messages?QueueUrl={}", url("q"))).await;
        assert!(!body.contains("secret"), "{body}");
        assert!(is_denied(&to.set_queue(OWNER, "Policy", "").await));
        let asked = json!({"QueueUrl": url("q"), "AttributeNames": ["Policy"]});
        assert!(to.sqs(ADMIN, "GetQueueAttributes", asked).await.is_ok());
        to.set_queue(ADMIN, "Policy", "").await.unwrap();
        assert!(to.send(OWNER).await.is_ok());
    }
    to.set_topic_policy(OWNER, deny(json!("*"), "sns:*")).await.unwrap();
    assert!(is_denied(&to.publish(OWNER).await));
    assert!(is_denied(&to.set_topic_policy(OWNER, allow(json!("*"), "sns:Publish")).await));
    to.set_topic_policy(ADMIN, allow(json!("*"), "sns:Publish")).await.unwrap();
    assert!(to.publish(OWNER).await.is_ok());
    // An Allow for another account takes nothing from the owner.
    to.set_policy(OWNER, allow(json!({"AWS": "222222222222"}), "sqs:SendMessage")).await.unwrap();
    assert!(to.send(OWNER).await.is_ok());
}

#[tokio::test]
async fn an_allow_with_conditions_opens_nothing_yet() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let mut statements = allow(json!("*"), "*");
    statements[0]["Condition"] = json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}});
    to.set_policy(OWNER, statements).await.unwrap();
    assert!(is_denied(&to.send(OTHER).await));
    assert!(to.send(OWNER).await.is_ok());
}

#[tokio::test]
async fn a_move_task_obeys_the_policy_of_its_destination() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    to.set_policy(OWNER, deny(json!("*"), "sqs:SendMessage")).await.unwrap();
    let start =
        json!({"SourceArn": "arn:aws:sqs:us-east-1:111111111111:d", "DestinationArn": QUEUE});
    assert!(is_denied(&to.sqs(OWNER, "StartMessageMoveTask", start.clone()).await));
    to.set_queue(OWNER, "Policy", "").await.unwrap();
    assert!(to.sqs(OWNER, "StartMessageMoveTask", start).await.is_ok());
}

#[tokio::test]
async fn a_move_task_receives_and_deletes_for_its_caller() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let dead_letters = "arn:aws:sqs:us-east-1:111111111111:d";
    let start = json!({"SourceArn": dead_letters, "DestinationArn": QUEUE});
    for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage"] {
        let statement =
            json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": dead_letters});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let set = json!({"QueueUrl": url("d"), "Attributes": {"Policy": policy}});
        to.sqs(OWNER, "SetQueueAttributes", set).await.unwrap();
        assert!(is_denied(&to.sqs(OWNER, "StartMessageMoveTask", start.clone()).await), "{action}");
    }
    let set = json!({"QueueUrl": url("d"), "Attributes": {"Policy": ""}});
    to.sqs(OWNER, "SetQueueAttributes", set).await.unwrap();
    assert!(to.sqs(OWNER, "StartMessageMoveTask", start).await.is_ok());
}

#[tokio::test]
async fn a_waiting_receiver_whose_permission_is_taken_away_gets_nothing() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    to.sqs(OWNER, "PurgeQueue", json!({"QueueUrl": url("q")})).await.unwrap();
    to.set_policy(OWNER, allow(json!("*"), "sqs:ReceiveMessage")).await.unwrap();
    let receive =
        to.sqs(OTHER, "ReceiveMessage", json!({"QueueUrl": url("q"), "WaitTimeSeconds": 20}));
    let change = async {
        to.set_queue(OWNER, "Policy", "").await.unwrap();
        to.send(OWNER).await.unwrap();
    };
    let (received, ()) = tokio::join!(biased; receive, change);
    assert!(is_denied(&received), "{received:?}");
    assert_eq!(to.depth("q").await, "1");
}

#[tokio::test]
async fn a_subscription_is_its_owners() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    to.set_topic_policy(OWNER, allow(json!("*"), "sns:Subscribe")).await.unwrap();
    to.sqs(OTHER, "CreateQueue", json!({"QueueName": "mine"})).await.unwrap();
    let mine = json!({"QueueUrl": format!("http://{HOST}/222222222222/mine")});
    let policy = json!({"Statement": allow(json!("*"), "sqs:SendMessage")}).to_string();
    let mut change = mine.clone();
    change["Attributes"] = json!({"Policy": policy});
    to.sqs(OTHER, "SetQueueAttributes", change).await.unwrap();
    let queue = "arn:aws:sqs:us-east-1:222222222222:mine";
    let subscribe = json!({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": queue});
    let subscribed = to.sns(OTHER, "Subscribe", subscribe).await.unwrap();
    let arn = &subscribed["SubscriptionArn"];
    let raw = json!({"SubscriptionArn": arn, "AttributeName": "RawMessageDelivery", "AttributeValue": "true"});
    assert!(is_denied(&to.sns(OWNER, "SetSubscriptionAttributes", raw.clone()).await));
    assert!(to.sns(OTHER, "SetSubscriptionAttributes", raw).await.is_ok());
    for key in [OWNER, OTHER] {
        assert!(
            to.sns(key, "GetSubscriptionAttributes", json!({"SubscriptionArn": arn})).await.is_ok()
        );
    }
    assert!(to.publish(OWNER).await.is_ok());
    let received = to.sqs(OTHER, "ReceiveMessage", mine).await.unwrap();
    assert_eq!(received["Messages"][0]["Body"], "m");
    assert!(to.sns(OWNER, "Unsubscribe", json!({"SubscriptionArn": arn})).await.is_ok());
    assert!(to.sns(OTHER, "Unsubscribe", json!({"SubscriptionArn": arn})).await.is_ok());
}

#[tokio::test]
async fn a_device_of_another_account_cannot_be_subscribed() {
    let to = Server::new(Mode::Strict).await;
    let (_, endpoint) = to.furnish().await;
    to.sns(OTHER, "CreateTopic", json!({"Name": "own"})).await.unwrap();
    let topic = "arn:aws:sns:us-east-1:222222222222:own";
    let device = json!({"TopicArn": topic, "Protocol": "application", "Endpoint": endpoint});
    let (_, code, message) = to.sns(OTHER, "Subscribe", device).await.unwrap_err();
    assert_eq!(code, "InvalidParameter");
    assert!(message.contains("Endpoint does not exist"), "{message}");
}

#[tokio::test]
async fn a_topic_reaches_a_queue_of_another_account_only_if_its_policy_says_so() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    to.sns(OTHER, "CreateTopic", json!({"Name": "own"})).await.unwrap();
    let topic = "arn:aws:sns:us-east-1:222222222222:own";
    let subscribe = || json!({"TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE});
    // The question whether to subscribe would be a message, too.
    to.sns(OTHER, "Subscribe", subscribe()).await.unwrap();
    to.0.pass(1_000).await;
    assert_eq!(to.depth("q").await, "1");
    let service = json!({"Service": "sns.amazonaws.com"});
    to.set_policy(OWNER, allow(service, "sqs:SendMessage")).await.unwrap();
    to.sns(OTHER, "Subscribe", subscribe()).await.unwrap();
    to.0.pass(1_000).await;
    assert_eq!(to.depth("q").await, "2");
    let token = {
        let all = json!({"QueueUrl": url("q"), "MaxNumberOfMessages": 10});
        let received = to.sqs(OWNER, "ReceiveMessage", all).await.unwrap();
        let bodies = received["Messages"].as_array().unwrap().iter().map(|it| it["Body"].as_str());
        let question: Value =
            bodies.flatten().find_map(|it| serde_json::from_str(it).ok()).unwrap();
        question["Token"].clone()
    };
    to.sqs(OWNER, "PurgeQueue", json!({"QueueUrl": url("q")})).await.unwrap();
    to.sns(OWNER, "ConfirmSubscription", json!({"TopicArn": topic, "Token": token})).await.unwrap();
    let publish = || to.sns(OTHER, "Publish", json!({"TopicArn": topic, "Message": "m"}));
    publish().await.unwrap();
    assert_eq!(to.depth("q").await, "1");
    to.set_queue(OWNER, "Policy", "").await.unwrap();
    publish().await.unwrap();
    assert_eq!(to.depth("q").await, "1");
}

/// A policy's statement about what SNS does for a topic.
fn sns_may(effect: &str, operator: &str, topic: &str) -> Value {
    json!({
        "Effect": effect,
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {operator: {"aws:SourceArn": topic}},
    })
}

#[tokio::test]
async fn a_topic_reaches_a_queue_of_its_own_account_as_the_policy_says() {
    let to = Server::new(Mode::KnownKeys).await;
    to.furnish().await;
    let other = "arn:aws:sns:us-east-1:111111111111:other";
    let anyone = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
    let denied = json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage"});
    let known = json!({"StringEquals": {"aws:PrincipalTag/team": "x"}});
    let conditional = with_condition(denied.clone(), &known);
    let of_account = json!({"AWS": "arn:aws:iam::111111111111:root"});
    for (statements, arrives) in [
        (json!([anyone]), true),
        (json!([sns_may("Allow", "ArnEquals", TOPIC)]), true),
        (json!([sns_may("Allow", "ArnLike", "arn:aws:sns:*:111111111111:*")]), true),
        (json!([sns_may("Allow", "StringEquals", TOPIC)]), true),
        (json!([sns_may("Allow", "ArnEquals", other)]), false),
        (json!([anyone, sns_may("Deny", "ArnNotEquals", TOPIC)]), true),
        (json!([anyone, sns_may("Deny", "ArnNotEquals", other)]), false),
        (json!([anyone, sns_may("Deny", "ArnEquals", TOPIC)]), false),
        (json!([anyone, denied]), false),
        (json!([anyone, conditional]), false),
        // SNS is none of the account's own principals.
        (allow(of_account, "*"), false),
    ] {
        to.set_policy(ADMIN, statements.clone()).await.unwrap();
        let before: u32 = to.depth("q").await.parse().unwrap();
        to.publish(OWNER).await.unwrap();
        let after: u32 = to.depth("q").await.parse().unwrap();
        assert_eq!(after - before, u32::from(arrives), "{statements}");
    }
    to.set_queue(ADMIN, "Policy", "").await.unwrap();
    let before = to.depth("q").await;
    to.publish(OWNER).await.unwrap();
    assert_eq!(to.depth("q").await, before, "without a policy SNS may not send");
}

fn with_condition(mut statement: Value, condition: &Value) -> Value {
    statement["Condition"] = condition.clone();
    statement
}

#[tokio::test]
async fn what_sns_may_not_deliver_goes_to_the_dead_letter_queue_at_once() {
    let to = Server::new(Mode::Strict).await;
    let (subscription, _) = to.furnish().await;
    let dead = "arn:aws:sqs:us-east-1:111111111111:d";
    let policy = json!({"deadLetterTargetArn": dead}).to_string();
    let input = json!({
        "SubscriptionArn": subscription,
        "AttributeName": "RedrivePolicy",
        "AttributeValue": policy,
    });
    to.sns(OWNER, "SetSubscriptionAttributes", input).await.unwrap();
    let allowed = json!({"Version": "2012-10-17", "Statement": allow(json!("*"), "*")}).to_string();
    let input = json!({"QueueUrl": url("d"), "Attributes": {"Policy": allowed}});
    to.sqs(OWNER, "SetQueueAttributes", input).await.unwrap();
    let mut statements = allow(json!("*"), "*");
    statements.as_array_mut().unwrap().push(sns_may("Deny", "ArnEquals", TOPIC));
    to.set_policy(OWNER, statements).await.unwrap();
    to.publish(OWNER).await.unwrap();
    assert_eq!((to.depth("q").await, to.depth("d").await), ("1".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn a_deny_of_a_dead_letter_queue_does_not_stop_its_source() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let dead = "arn:aws:sqs:us-east-1:111111111111:d";
    let policy = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 1}).to_string();
    to.set_queue(OWNER, "RedrivePolicy", &policy).await.unwrap();
    let denied = json!({"Statement": deny(json!("*"), "sqs:SendMessage")}).to_string();
    let input = json!({"QueueUrl": url("d"), "Attributes": {"Policy": denied}});
    to.sqs(OWNER, "SetQueueAttributes", input).await.unwrap();
    for _ in 0..2 {
        let receive = json!({"QueueUrl": url("q"), "VisibilityTimeout": 0});
        to.sqs(OWNER, "ReceiveMessage", receive).await.unwrap();
    }
    assert_eq!((to.depth("q").await, to.depth("d").await), ("0".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn a_policy_that_names_a_member_twice_is_refused() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    for policy in [
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Effect":"Allow"}}"#,
        r#"{"Statement":[],"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"1","AWS":"*"},"Action":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Condition":
            {"ArnEquals":{"aws:SourceArn":"x","aws:SourceArn":"y"}}}}"#,
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","\u0045ffect":"Allow"}}"#,
    ] {
        let (status, code, message) = to.set_queue(OWNER, "Policy", policy).await.unwrap_err();
        assert_eq!((status, code.as_str()), (400, "InvalidAttributeValue"), "{policy}");
        assert_eq!(message, "Invalid value for the parameter Policy.");
        let create = json!({"QueueName": "fresh", "Attributes": {"Policy": policy}});
        assert!(to.sqs(OWNER, "CreateQueue", create).await.is_err(), "{policy}");
        let input = json!({"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": policy});
        let (status, code, message) = to.sns(OWNER, "SetTopicAttributes", input).await.unwrap_err();
        assert_eq!((status, code.as_str()), (400, "InvalidParameter"), "{policy}");
        assert_eq!(message, "Invalid parameter: Policy Error: null");
    }
}

#[tokio::test]
async fn a_receipt_handle_cannot_be_computed() {
    let to = Server::new(Mode::Off).await;
    to.furnish().await;
    let received = to.sqs(OWNER, "ReceiveMessage", json!({"QueueUrl": url("q")})).await.unwrap();
    let handle = received["Messages"][0]["ReceiptHandle"].as_str().unwrap();
    let bytes = STANDARD.decode(handle).unwrap();
    let (named, rest) = bytes.split_at(25);
    // What can be known of a message, with a digest that needs no secret.
    let digest = Sha256::digest(named);
    let mut forged = vec![[named, &digest[..7]].concat(), [named, &digest[..rest.len()]].concat()];
    // The next receive's, from this one.
    let mut next = bytes.clone();
    next[24] += 1;
    forged.push(next);
    for version in [0, 1, 3] {
        let mut other = bytes.clone();
        other[0] = version;
        if other != bytes {
            forged.push(other);
        }
    }
    for bytes in forged {
        let handle = STANDARD.encode(bytes);
        for (operation, more) in [
            ("DeleteMessage", json!({})),
            ("ChangeMessageVisibility", json!({"VisibilityTimeout": 0})),
        ] {
            let mut input = json!({"QueueUrl": url("q"), "ReceiptHandle": handle});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let (status, code, _) = to.sqs(OTHER, operation, input).await.unwrap_err();
            assert_eq!((status, code.as_str()), (404, "ReceiptHandleIsInvalid"), "{handle}");
        }
    }
    let input = json!({"QueueUrl": url("q"), "ReceiptHandle": handle});
    to.sqs(OWNER, "DeleteMessage", input).await.unwrap();
}

#[tokio::test]
async fn what_denies_an_owner_everything_shows_no_resource_either() {
    for mode in [Mode::Strict, Mode::KnownKeys] {
        let to = Server::new(mode).await;
        let (subscription, endpoint) = to.furnish().await;
        to.set_policy(OWNER, deny(json!("*"), "*")).await.unwrap();
        to.set_topic_policy(OWNER, deny(json!("*"), "*")).await.unwrap();
        let create_again = [
            ("CreateQueue", Api::Sqs, json!({"QueueName": "q"})),
            (
                "CreateQueue",
                Api::Sqs,
                json!({"QueueName": "q", "Attributes": {"DelaySeconds": "7"}}),
            ),
            ("CreateTopic", Api::Sns, json!({"Name": "t"})),
            ("CreateTopic", Api::Sns, json!({"Name": "t", "Attributes": {"DisplayName": "x"}})),
            ("GetQueueUrl", Api::Sqs, json!({"QueueName": "q"})),
            (
                "Subscribe",
                Api::Sns,
                json!({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}),
            ),
        ];
        let all = inputs("q", "t", &subscription, &endpoint);
        let named = all.into_iter().filter(|(_, _, input)| {
            input["QueueUrl"] == json!(url("q"))
                || [&input["TopicArn"], &input["ResourceArn"]].contains(&&json!(TOPIC))
        });
        for (operation, api, input) in create_again.into_iter().chain(named) {
            let found = to.ask(OWNER, api, operation, &input).await;
            assert!(is_denied(&found), "{mode:?} {operation} {input}: {found:?}");
        }
        // What does not exist yet can be created.
        to.sqs(OWNER, "CreateQueue", json!({"QueueName": "fresh"})).await.unwrap();
        to.sns(OWNER, "CreateTopic", json!({"Name": "fresh"})).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_is_assumed_by_its_own_account() {
    let to = Server::new(Mode::Strict).await;
    let role = |account: &str| json!({"RoleArn": format!("arn:aws:iam::{account}:role/r"), "RoleSessionName": "session"});
    let (status, code, message) =
        to.ask(OTHER, Api::Sts, "AssumeRole", &role("111111111111")).await.unwrap_err();
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    assert!(message.starts_with(&format!("User: {BOB} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/r")), "{message}");
    assert!(to.ask(OTHER, Api::Sts, "AssumeRole", &role("222222222222")).await.is_ok());
    // A role is assumed within the account for an admin too.
    assert!(is_denied(&to.ask(ADMIN, Api::Sts, "AssumeRole", &role("222222222222")).await));
}

#[tokio::test]
async fn a_session_has_the_role_of_its_key() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    for (key, may_send, may_look_elsewhere) in
        [(VIEWER, false, false), (OWNER, true, false), (ADMIN, true, true)]
    {
        let issued = to.ask(key, Api::Sts, "GetSessionToken", &json!({})).await.unwrap();
        let text = issued.as_str().unwrap();
        let part = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0
        };
        let (id, session) = (part("AccessKeyId"), (part("SecretAccessKey"), part("SessionToken")));
        let body = json!({"QueueUrl": url("q"), "MessageBody": "m"}).to_string();
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.SendMessage"),
        ];
        let request = signed(id, Some(session), "sqs", "POST", "/", &headers, body);
        assert_eq!(to.0.answer(request).await.status == 200, may_send, "{key}");
        let path = "/_aws/sns/sms-messages?accountId=222222222222";
        let request = signed(id, Some(session), "sns", "GET", path, &[], String::new());
        let seen = by_route(&to.0.gateway, request).await.status().as_u16();
        assert_eq!(seen == 200, may_look_elsewhere, "{key}");
    }
}

#[tokio::test]
async fn a_viewer_reads_and_an_operator_does_the_rest() {
    let to = Server::new(Mode::Strict).await;
    for operation in OPERATIONS {
        let reads = ["Check", "Get", "List"].iter().any(|verb| operation.name.starts_with(verb));
        let viewed = to.ask(VIEWER, operation.service, operation.name, &json!({})).await;
        assert_eq!(is_denied(&viewed), !reads, "{}: {viewed:?}", operation.name);
        let operated = to.ask(OWNER, operation.service, operation.name, &json!({})).await;
        assert!(!is_denied(&operated), "{}: {operated:?}", operation.name);
    }
}

#[tokio::test]
async fn inspection_shows_an_account_its_own() {
    let to = Server::new(Mode::Strict).await;
    to.furnish().await;
    let sms = json!({"PhoneNumber": "+15555550100", "Message": "hush"});
    to.sns(OWNER, "Publish", sms).await.unwrap();
    let messages = format!("/_aws/sqs/messages?QueueUrl={}", url("q"));
    let by_path = "/_aws/sqs/messages/us-east-1/111111111111/q".to_owned();
    let missing = format!("/_aws/sqs/messages?QueueUrl={}", url("no"));
    for path in [&messages, &by_path] {
        for key in [VIEWER, OWNER, ADMIN] {
            let (status, body) = to.inspect(key, "GET", path).await;
            assert!(status == 200 && body.contains("secret"), "{key} {path}: {body}");
        }
        let (status, body) = to.inspect(OTHER, "GET", path).await;
        assert!(status == 403 && !body.contains("secret"), "{path}: {body}");
    }
    assert_eq!(to.inspect(OTHER, "GET", &missing).await.0, 403);
    let captured = "/_aws/sns/sms-messages";
    let of_owner = "/_aws/sns/sms-messages?accountId=111111111111";
    for key in [VIEWER, OWNER, ADMIN] {
        for path in [captured, of_owner] {
            assert!(to.inspect(key, "GET", path).await.1.contains("hush"), "{key} {path}");
        }
    }
    let (status, body) = to.inspect(OTHER, "GET", captured).await;
    assert!(status == 200 && !body.contains("hush"), "{body}");
    for (method, path) in [
        ("GET", of_owner),
        ("DELETE", of_owner),
        ("POST", "/_aws/sns/phone-opt-outs?accountId=111111111111&phoneNumber=%2B15555550100"),
    ] {
        assert_eq!(to.inspect(OTHER, method, path).await.0, 403, "{method} {path}");
    }
    assert_eq!(to.inspect(VIEWER, "DELETE", captured).await.0, 403);
    assert_eq!(to.inspect(OTHER, "DELETE", captured).await.0, 204);
    assert!(to.inspect(OWNER, "GET", captured).await.1.contains("hush"));
    // A token is for the account that subscribed.
    let hook = json!({"TopicArn": TOPIC, "Protocol": "http", "Endpoint": "http://a.example/", "ReturnSubscriptionArn": "true"});
    let arn = to.sns(OWNER, "Subscribe", hook).await.unwrap()["SubscriptionArn"].clone();
    let path = format!("/_aws/sns/subscription-tokens/{}", arn.as_str().unwrap());
    assert!(to.inspect(OWNER, "GET", &path).await.1.contains("subscription_token"));
    assert_eq!(to.inspect(OTHER, "GET", &path).await.0, 404);
}

#[tokio::test]
async fn an_account_with_a_known_key_believes_only_those_who_prove_it() {
    let mut credentials = String::from(KEYS);
    credentials.push_str(
        "[[credential]]\naccess_key_id = \"AKIADEFAULT\"\nsecret_access_key = \"secret\"\naccount = \"000000000000\"\n",
    );
    let list = |key: Option<&str>| {
        let Some(key) = key else {
            return crate::gateway::request(Protocol::Json, "/", "ListQueues", &json!({}));
        };
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.ListQueues"),
        ];
        signed(key, None, "sqs", "POST", "/", &headers, "{}".to_owned())
    };
    for (keys, who, code) in [
        (KEYS, None, None),
        (KEYS, Some("333333333333"), None),
        (KEYS, Some("111111111111"), Some("InvalidClientTokenId")),
        (credentials.as_str(), None, Some("MissingAuthenticationToken")),
        (credentials.as_str(), Some("test"), Some("InvalidClientTokenId")),
    ] {
        let credentials = Credentials::parse(keys).unwrap();
        let mode = Mode::KnownKeys;
        let to = Service::new(GatewaySettings { mode, credentials, ..settings() });
        let answer = to.answer(list(who)).await;
        match code {
            None => assert_eq!(answer.status, 200, "{who:?}"),
            Some(code) => assert_eq!(answer.refused(Protocol::Json).code, code, "{who:?}"),
        }
        let path = "/_aws/sns/sms-messages?accountId=111111111111";
        let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
        assert_eq!(by_route(&to.gateway, request).await.status(), 403);
    }
}

/// LocalStack's paths, beside a gateway of keys.
struct Paths(axum::Router);

impl Paths {
    fn new(of: &Server) -> Self {
        let arguments = ["squab", "--compat", "localstack", "--config-updates"].map(Into::into);
        let Invocation { settings, .. } = config::load(arguments, []).unwrap();
        let hooks = Arc::new(InitHooks::find(None, false));
        let end = watch::Sender::new(None);
        Self(localstack::routes(LocalStack::new(&of.0.gateway, &settings, hooks, end)))
    }

    async fn ask(&self, key: &str, line: &str, body: &str) -> (u16, String) {
        let (method, path) = line.split_once(' ').unwrap();
        let path = format!("/_localstack/{path}");
        let request = signed(key, None, "sqs", method, &path, &[], body.to_owned());
        let response = self.0.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn what_concerns_the_whole_server_needs_an_admin() {
    let to = Server::new(Mode::Strict).await;
    let paths = Paths::new(&to);
    let change = r#"{"variable": "MINE", "value": 1}"#;
    for (line, body) in [
        ("GET config", ""),
        ("POST config", change),
        ("PUT health", "{}"),
        ("POST chaos/effects", r#"{"latency": 0}"#),
    ] {
        for (key, status) in [(VIEWER, 403), (OWNER, 403), (OTHER, 403), (ADMIN, 200)] {
            assert_eq!(paths.ask(key, line, body).await.0, status, "{key} {line}");
        }
        assert_eq!(paths.ask("AKIAUNKNOWN", line, body).await.0, 403);
    }
    assert_eq!(paths.ask("AKIAUNKNOWN", "GET health", "").await.0, 200);
}

#[tokio::test]
async fn a_reset_is_of_the_callers_account_and_an_admins_of_all() {
    let to = Server::new(Mode::Strict).await;
    let paths = Paths::new(&to);
    to.furnish().await;
    let sms = |number: &str| json!({"PhoneNumber": number, "Message": "hush"});
    to.sns(OWNER, "Publish", sms("+15555550100")).await.unwrap();
    to.sns(OTHER, "Publish", sms("+15555550101")).await.unwrap();
    for name in ["one", "two"] {
        to.sqs(OTHER, "CreateQueue", json!({"QueueName": name})).await.unwrap();
        to.sns(OTHER, "CreateTopic", json!({"Name": name})).await.unwrap();
    }
    let has = async |key| {
        let queues = to.sqs(key, "ListQueues", json!({})).await.unwrap();
        let topics = to.sns(key, "ListTopics", json!({})).await.unwrap();
        let applications = to.sns(key, "ListPlatformApplications", json!({})).await.unwrap();
        let count = |list: &Value| list.as_array().map_or(0, Vec::len);
        let captured = to.inspect(key, "GET", "/_aws/sns/sms-messages").await.1;
        (
            count(&queues["QueueUrls"]),
            count(&topics["Topics"]),
            count(&applications["PlatformApplications"]),
            captured.matches("hush").count(),
        )
    };
    assert_eq!((has(OWNER).await, has(OTHER).await), ((2, 1, 1, 1), (2, 2, 0, 1)));
    assert_eq!(paths.ask(VIEWER, "POST state/reset", "").await.0, 403);
    assert_eq!(paths.ask(OTHER, "POST state/sqs/reset", "").await.0, 200);
    assert_eq!((has(OWNER).await, has(OTHER).await), ((2, 1, 1, 1), (0, 2, 0, 1)));
    assert_eq!(paths.ask(OTHER, "POST state/reset", "").await.0, 200);
    assert_eq!((has(OWNER).await, has(OTHER).await), ((2, 1, 1, 1), (0, 0, 0, 0)));
    to.sqs(OTHER, "CreateQueue", json!({"QueueName": "one"})).await.unwrap();
    assert_eq!(paths.ask(ADMIN, "POST state/reset", "").await.0, 200);
    assert_eq!((has(OWNER).await, has(OTHER).await), ((0, 0, 0, 0), (0, 0, 0, 0)));
}

#[tokio::test]
async fn calls_of_one_account_are_made_to_fail_by_its_own_keys() {
    let to = Server::new(Mode::Strict).await;
    let paths = Paths::new(&to);
    let list = |key| to.sqs(key, "ListQueues", json!({}));
    assert_eq!(paths.ask(VIEWER, "POST chaos/faults", "[{}]").await.0, 403);
    assert_eq!(paths.ask(OTHER, "POST chaos/faults", "[{}]").await, (200, "[{}]".to_owned()));
    assert!(list(OTHER).await.is_err() && list(OWNER).await.is_ok());
    assert_eq!(paths.ask(OWNER, "GET chaos/faults", "").await.1, "[]");
    assert_eq!(paths.ask(OWNER, "DELETE chaos/faults", "").await.0, 200);
    assert!(list(OTHER).await.is_err());
    assert_eq!(paths.ask(ADMIN, "GET chaos/faults", "").await.1, "[{}]");
    assert_eq!(paths.ask(ADMIN, "DELETE chaos/faults", "").await.0, 200);
    assert!(list(OTHER).await.is_ok());
    assert_eq!(paths.ask(ADMIN, "POST chaos/faults", "[{}]").await.0, 200);
    assert!(list(OTHER).await.is_err() && list(OWNER).await.is_err());
}

#[tokio::test]
async fn queues_are_not_made_in_other_accounts_or_by_viewers() {
    let template = Some(indexmap::IndexMap::new());
    let to = Server::with(
        Mode::Strict,
        CompatOptions { auto_create: template, ..CompatOptions::default() },
    )
    .await;
    for key in [OTHER, VIEWER] {
        let asked = json!({"QueueUrl": url("new"), "AttributeNames": ["All"]});
        assert!(to.sqs(key, "GetQueueAttributes", asked).await.is_err(), "{key}");
    }
    assert_eq!(to.sqs(OWNER, "ListQueues", json!({})).await.unwrap(), json!({}));
    let message = json!({"QueueUrl": url("new"), "MessageBody": "m"});
    assert!(to.sqs(OWNER, "SendMessage", message).await.is_ok());
}
