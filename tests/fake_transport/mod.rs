//! The service in this process with a recording transport, which responds as the test says.

use crate::gateway::{ARNS, Answer, Element, HOST, QUEUES, START_MS, Service, by_route, settings};
use axum::body::Body;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};
use squab::auth::Mode;
use squab::domain::delivery_outcome::Outcome;
use squab::domain::notification::SignatureVersion;
use squab::runtime::Runtime;
use squab::runtime::clock::{Clock, ManualClock};
use squab::runtime::transport::{OutboundMessage, Transport};
use squab::server::app::App;
use squab::server::gateway::GatewaySettings;
use squab::server::metrics::Metrics;
use squab::store::{Durability, Ids, Location, Sqlite};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::{Semaphore, watch};

/// The topic of every test.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// This status.
    Answer(u16),
    /// This status, when [`FakeTransport::go_on`] is called.
    Wait(u16),
    /// Nothing, ever.
    Hang,
    /// A bug.
    Panic,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Unix milliseconds.
    pub at: i64,
    pub letter: OutboundMessage,
}

impl Sent {
    fn to(&self) -> &str {
        address(&self.letter)
    }
}

fn address(letter: &OutboundMessage) -> &str {
    match letter {
        OutboundMessage::Post(post) => &post.url,
        OutboundMessage::Invoke { function_arn, .. } => function_arn,
        OutboundMessage::Mail { to, .. } => to,
    }
}

/// The carrier.
#[derive(Debug)]
pub struct FakeTransport {
    clock: OnceLock<Arc<ManualClock>>,
    sent: watch::Sender<Vec<Sent>>,
    /// By address; the last plan holds on. Without one, everything arrives.
    plans: Mutex<HashMap<String, VecDeque<Plan>>>,
    gate: Semaphore,
}

impl Default for FakeTransport {
    fn default() -> Self {
        Self {
            clock: OnceLock::new(),
            sent: watch::Sender::default(),
            plans: Mutex::default(),
            gate: Semaphore::new(0),
        }
    }
}

impl FakeTransport {
    /// What becomes of attempts to reach an address from now on.
    pub fn plan(&self, address: &str, plan: Plan) {
        self.plans.lock().unwrap().insert(address.to_owned(), VecDeque::from([plan]));
    }

    /// And then.
    pub fn then(&self, address: &str, plan: Plan) {
        self.plans.lock().unwrap().get_mut(address).unwrap().push_back(plan);
    }

    /// Lets one attempt that waits come to its end.
    pub fn go_on(&self) {
        self.gate.add_permits(1);
    }

    /// What was sent since this was last asked.
    pub fn take(&self) -> Vec<Sent> {
        let mut taken = Vec::new();
        self.sent.send_modify(|sent| taken = std::mem::take(sent));
        taken
    }

    /// Waits until so much has been sent and not been taken.
    pub async fn until(&self, count: usize) {
        self.sent.subscribe().wait_for(|sent| sent.len() >= count).await.unwrap();
    }

    /// Waits until so much has been sent to an address.
    pub async fn until_at(&self, address: &str, count: usize) {
        let enough = |sent: &Vec<Sent>| sent.iter().filter(|sent| sent.to() == address).count();
        self.sent.subscribe().wait_for(|sent| enough(sent) >= count).await.unwrap();
    }

    fn next_plan(&self, address: &str) -> Plan {
        let mut plans = self.plans.lock().unwrap();
        let Some(plans) = plans.get_mut(address) else { return Plan::Answer(200) };
        if plans.len() > 1 { plans.pop_front().unwrap() } else { plans[0] }
    }
}

impl Transport for FakeTransport {
    fn send<'a>(&'a self, letter: &'a OutboundMessage) -> BoxFuture<'a, Outcome> {
        let plan = self.next_plan(address(letter));
        let at = self.clock.get().unwrap().now_ms();
        self.sent.send_modify(|sent| sent.push(Sent { at, letter: letter.clone() }));
        Box::pin(async move {
            match plan {
                Plan::Answer(status) => Outcome::of_http_status(status),
                Plan::Wait(status) => {
                    self.gate.acquire().await.unwrap().forget();
                    Outcome::of_http_status(status)
                }
                Plan::Hang => std::future::pending().await,
                Plan::Panic => panic!("a bug in a delivery"),
            }
        })
    }
}

/// The service, with its fake transport.
pub struct FakeService {
    pub service: Service,
    pub transport: Arc<FakeTransport>,
    /// What strangers get to, who sign nothing.
    strict: Arc<App>,
}

impl FakeService {
    /// With its state in memory; deliveries are made by [`FakeService::work`].
    pub fn new() -> Self {
        let transport = Arc::<FakeTransport>::default();
        let carrier = Arc::clone(&transport) as _;
        Self::open(&Location::Memory, transport, carrier, false)
    }

    /// With another carrier than the fake transport.
    pub fn with(carrier: Arc<dyn Transport>) -> Self {
        Self::open(&Location::Memory, Arc::default(), carrier, false)
    }

    /// Deliveries are made as they become due.
    pub fn running(location: &Location) -> Self {
        let transport = Arc::<FakeTransport>::default();
        let carrier = Arc::clone(&transport) as _;
        Self::open(location, transport, carrier, true)
    }

    fn open(
        location: &Location,
        transport: Arc<FakeTransport>,
        carrier: Arc<dyn Transport>,
        background_work: bool,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(START_MS));
        transport.clock.set(Arc::clone(&clock)).unwrap();
        let database = Box::new(Sqlite::open(location, Durability::Process).unwrap());
        let start = if background_work { Runtime::start } else { Runtime::start_quietly };
        let ids = Ids::with_seed(7);
        let runtime = Arc::new(start(database, Arc::clone(&clock) as _, ids, carrier).unwrap());
        let gateway = |settings| {
            let metrics = Metrics::new(&[], &[], || async { Vec::new() });
            App::new(Arc::clone(&runtime), settings, Arc::new(metrics))
        };
        let strict = gateway(GatewaySettings { mode: Mode::Strict, ..settings() });
        let gateway = gateway(settings());
        let service = Service { gateway, runtime, clock, endpoints: Arc::default() };
        Self { service, transport, strict }
    }

    pub fn now(&self) -> i64 {
        self.service.clock.now_ms()
    }

    /// Does what is due.
    pub async fn work(&self) {
        self.service.runtime.do_background_work().await.unwrap();
    }

    /// Does what is due now and in each of the next seconds.
    pub async fn watch(&self, seconds: i64) {
        self.work().await;
        for _ in 0..seconds {
            self.service.clock.advance(1_000);
            self.work().await;
        }
    }

    /// Calls an operation of SNS.
    pub async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let escape = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let mut form = format!("Version=2010-03-31&Action={action}");
        for (name, value) in parameters {
            write!(form, "&{name}={}", escape(value)).unwrap();
        }
        let request = Request::post("/")
            .header("host", HOST)
            .header("content-type", "application/x-www-form-urlencoded")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260102/us-east-1/sns/aws4_request, \
                 SignedHeaders=host, Signature=0",
            )
            .body(Body::from(form))
            .unwrap();
        answer(self.service.gateway.handle(request).await).await
    }

    /// Calls an operation that must succeed.
    pub async fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> Element {
        let answer = self.call(action, parameters).await;
        assert_eq!(answer.status, 200, "{action} {parameters:?}: {}", answer.text());
        Element::parse(answer.text())
    }

    /// Follows a link, on a server that requires signatures.
    pub async fn visit(&self, link: &str) -> Element {
        let path = link.strip_prefix("http://localhost:4566").unwrap();
        let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
        let answer = answer(self.strict.handle(request).await).await;
        assert_eq!(answer.status, 200, "{link}: {}", answer.text());
        Element::parse(answer.text())
    }

    /// Asks an inspection endpoint.
    pub async fn inspect(&self, request: Request<Body>) -> Answer {
        answer(by_route(&self.service.gateway, request).await).await
    }

    /// Calls an inspection endpoint on a server that requires signatures.
    pub async fn inspect_strictly(&self, request: Request<Body>) -> Answer {
        answer(by_route(&self.strict, request).await).await
    }

    /// GET of an inspection endpoint, which answers 200 with JSON.
    pub async fn seen(&self, path: &str) -> Value {
        let answer = self.inspect(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub async fn topic(&self) {
        self.ok("CreateTopic", &[("Name", "t")]).await;
    }

    pub async fn topic_attribute(&self, name: &str, value: &str) {
        let parameters = [("TopicArn", TOPIC), ("AttributeName", name), ("AttributeValue", value)];
        self.ok("SetTopicAttributes", &parameters).await;
    }

    /// The ARN of a confirmed subscription; its question is taken from the fake transport.
    pub async fn subscribed(&self, protocol: &str, endpoint: &str) -> String {
        let parameters = [
            ("TopicArn", TOPIC),
            ("Protocol", protocol),
            ("Endpoint", endpoint),
            ("ReturnSubscriptionArn", "true"),
        ];
        let arn = text_of(&self.ok("Subscribe", &parameters).await, "SubscriptionArn");
        let token = self.inspect(get(&format!("/_aws/sns/subscription-tokens/{arn}"))).await;
        if token.status == 200 {
            let token: Value = serde_json::from_slice(&token.body).unwrap();
            let token = token["subscription_token"].as_str().unwrap();
            self.ok("ConfirmSubscription", &[("TopicArn", TOPIC), ("Token", token)]).await;
        }
        self.work().await;
        self.until_nothing_is_pending().await;
        self.transport.take();
        arn
    }

    pub async fn attribute(&self, subscription: &str, name: &str, value: &str) {
        let parameters =
            [("SubscriptionArn", subscription), ("AttributeName", name), ("AttributeValue", value)];
        self.ok("SetSubscriptionAttributes", &parameters).await;
    }

    /// The MessageId.
    pub async fn publish(&self, message: &str, more: &[(&str, &str)]) -> String {
        let parameters = [&[("TopicArn", TOPIC), ("Message", message)], more].concat();
        text_of(&self.ok("Publish", &parameters).await, "MessageId")
    }

    /// Gives a subscription a dead-letter queue.
    pub async fn dead_letters_of(&self, subscription: &str) {
        self.service.ok("CreateQueue", json!({"QueueName": "dead"})).await;
        let policy = json!({"deadLetterTargetArn": format!("{ARNS}:dead")}).to_string();
        self.attribute(subscription, "RedrivePolicy", &policy).await;
    }

    /// What is in the dead-letter queue.
    pub async fn dead_letters(&self) -> Vec<Value> {
        let input = json!({
            "QueueUrl": format!("{QUEUES}/dead"),
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
        });
        let output = self.service.ok("ReceiveMessage", input).await;
        output["Messages"].as_array().cloned().unwrap_or_default()
    }

    /// Deliveries in the outbox.
    pub async fn pending(&self) -> i64 {
        self.service.runtime.run(|tx| Ok(tx.count_deliveries(1_000)?)).await.unwrap()
    }

    /// Waits until the outbox is empty, asking the store again and again, which lets it work.
    pub async fn until_nothing_is_pending(&self) {
        while self.pending().await > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Subjects of the mails that were captured for an address.
    pub async fn subjects_of(&self, address: &str) -> Vec<String> {
        let seen = self.seen("/_aws/sns/email-messages").await;
        let mails = seen["email_messages"][address].as_array().unwrap();
        mails.iter().map(|mail| mail["Subject"].as_str().unwrap().to_owned()).collect()
    }

    /// Checks the signature of a message.
    pub async fn verify(&self, message: &Value) {
        let mut signed = String::new();
        for name in [
            "Message",
            "MessageId",
            "Subject",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        ] {
            if let Some(value) = message.get(name) {
                write!(signed, "{name}\n{}\n", value.as_str().unwrap()).unwrap();
            }
        }
        let key = self.service.runtime.sns_signer().key().await.unwrap();
        let signature = key.sign(SignatureVersion::V1, &signed).unwrap();
        assert_eq!(message["Signature"], json!(signature), "{message}");
        let url = format!("http://{HOST}/{}", key.certificate_file_name());
        assert_eq!(message["SigningCertURL"], json!(url));
        let path = url.strip_prefix(&format!("http://{HOST}")).unwrap();
        let certificate = self.inspect_strictly(get(path)).await;
        assert_eq!(certificate.text(), key.certificate_pem());
    }
}

/// A GET without anything.
pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn answer(response: hyper::Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// The text of the first element of this name, however deep.
pub fn text_of(element: &Element, name: &str) -> String {
    find(element, name).unwrap_or_else(|| panic!("no {name}: {element:?}"))
}

fn find(element: &Element, name: &str) -> Option<String> {
    if element.name == name {
        return Some(element.text.clone());
    }
    element.children.iter().find_map(|child| find(child, name))
}
