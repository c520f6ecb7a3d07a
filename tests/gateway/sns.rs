//! Calls of SNS, which uses AWS Query only: lists are `Name.member.N`, maps `Name.entry.N.key`, and
//! message attributes have names of their own.

use super::{Answer, Caller, Element, HOST, Service, authorization, encoded};
use axum::body::Body;
use hyper::Request;
use serde_json::{Map, Value, json};
use squab::runtime::sns_signing::SigningKey;
use squab::store::Txn;
use std::sync::LazyLock;

/// What ARNs of topics of the default account begin with.
pub const TOPICS: &str = "arn:aws:sns:us-east-1:000000000000";
/// The lists in answers: an empty one looks like an empty text.
const LISTS: [&str; 9] = [
    "Endpoints",
    "Failed",
    "PhoneNumbers",
    "PlatformApplications",
    "Subscriptions",
    "Successful",
    "Tags",
    "Topics",
    "phoneNumbers",
];

/// Returns a request with a signature, for a server that does not verify it.
pub fn request(caller: &Caller, operation: &str, input: &Value) -> Request<Body> {
    Request::post("/")
        .header("host", HOST)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("authorization", authorization(caller, "sns"))
        .body(Body::from(form(operation, input)))
        .unwrap()
}

/// A link that is visited without a signature: its path and query.
pub fn visit(link: &str) -> Request<Body> {
    let path_and_query = link
        .split_once("//")
        .map_or(link, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    Request::get(path_and_query).header("host", HOST).body(Body::empty()).unwrap()
}

/// The form body that calls an operation.
pub fn form(operation: &str, input: &Value) -> String {
    let mut pairs = vec![
        ("Action".to_owned(), operation.to_owned()),
        ("Version".to_owned(), "2010-03-31".to_owned()),
    ];
    for (name, value) in input.as_object().into_iter().flatten() {
        parameters("", name, value, &mut pairs);
    }
    encoded(&pairs)
}

fn parameters(prefix: &str, name: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    let (key, value_name) = match name {
        "MessageAttributes" => ("Name", "Value"),
        _ => ("key", "value"),
    };
    let is_map = matches!(name, "Attributes" | "attributes" | "MessageAttributes");
    match value {
        Value::Null => {}
        Value::Object(members) if is_map => {
            for (index, (member, value)) in (1..).zip(members) {
                let entry = format!("{path}.entry.{index}");
                pairs.push((format!("{entry}.{key}"), member.clone()));
                parameters(&entry, value_name, value, pairs);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                parameters(&path, member, value, pairs);
            }
        }
        // As client libraries do it.
        Value::Array(items) if items.is_empty() => pairs.push((path, String::new())),
        Value::Array(items) => {
            for (index, item) in (1..).zip(items) {
                parameters(&format!("{path}.member"), &index.to_string(), item, pairs);
            }
        }
        Value::String(text) => pairs.push((path, text.clone())),
        other => pairs.push((path, other.to_string())),
    }
}

/// Making a key takes longer than anything else here: all services of a process share one.
static KEY: LazyLock<(Vec<u8>, Vec<u8>)> =
    LazyLock::new(|| SigningKey::generate().unwrap().to_der().unwrap());

impl Service {
    /// Gives the service its key before it would make one.
    pub async fn with_key(self) -> Self {
        let (private_key, certificate) = &*KEY;
        let keep = move |tx: &mut Txn<'_>| Ok(tx.insert_signing_key(private_key, certificate)?);
        self.runtime.run(keep).await.unwrap();
        self
    }

    /// Calls an operation of SNS. It may wait for a signature, but never for time to pass.
    pub async fn sns(&self, operation: &str, input: &Value) -> Answer {
        self.answer_at_once(request(&Caller::default(), operation, input)).await
    }

    /// Calls an operation of SNS, which must succeed, and returns its output.
    pub async fn sns_ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.sns(operation, &input).await;
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        output(&answer, operation)
    }
}

/// The output of an operation of SNS.
pub fn output(answer: &Answer, operation: &str) -> Value {
    let response = Element::parse(answer.text());
    assert_eq!(response.name, format!("{operation}Response"));
    let id = response.child("ResponseMetadata").unwrap().child("RequestId").unwrap();
    assert_eq!(id.text, answer.header("x-amzn-requestid"));
    response.child(&format!("{operation}Result")).map_or_else(|| json!({}), structure)
}

fn structure(element: &Element) -> Value {
    element.children.iter().map(|child| (child.name.clone(), value(child))).collect()
}

fn value(element: &Element) -> Value {
    let children = &element.children;
    match element.name.as_str() {
        name if LISTS.contains(&name) => {
            assert!(children.iter().all(|child| child.name == "member"), "{element:?}");
            children.iter().map(value).collect()
        }
        "Attributes" | "attributes" => {
            let entry = |entry: &Element| {
                assert_eq!(entry.name, "entry");
                let text = |name| entry.child(name).unwrap().text.clone();
                (text("key"), Value::from(text("value")))
            };
            Value::Object(children.iter().map(entry).collect::<Map<_, _>>())
        }
        "SenderFault" | "isOptedOut" | "IsInSandbox" => {
            json!(element.text.parse::<bool>().unwrap())
        }
        _ if children.is_empty() => json!(element.text),
        _ => structure(element),
    }
}
