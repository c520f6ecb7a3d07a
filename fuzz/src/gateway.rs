//! Anything at the whole gateway: a line is a request, and the queues and topics remember.
//!
//! | a line | is |
//! |---|---|
//! | `Name {…}` | a call in AWS JSON |
//! | `/path?query body` | a POST of a form |
//! | `?query` | a visit of a link on `/` |
//! | `!Name: value` | a header of the next request |
//! | `+` | a second that passes, and background work |
//!
//! `@h`, `@s` and `@t` stand for the last receipt handle, ARN of a subscription, and handle of a
//! task that an answer had.

use super::service::{Answer, Element, HOST, Service, settings};
use axum::body::Body;
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;
use std::borrow::Cow;

/// Requests of an input. More would find nothing that fewer do not.
const REQUESTS: usize = 50;

/// No answer blames the server, each has a request id, and can be read.
pub fn target(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let service = Service::new(settings()).with_key().await;
        let mut conversation = Conversation { service, headers: Vec::new(), seen: Seen::default() };
        for line in input.split(|byte| *byte == b'\n').take(REQUESTS) {
            conversation.say(line).await;
        }
        conversation.service.pass(1_000).await;
        conversation.service.runtime.close().await;
    });
}

struct Conversation {
    service: Service,
    headers: Vec<(HeaderName, HeaderValue)>,
    seen: Seen,
}

/// What answers had that requests can use.
#[derive(Default)]
struct Seen {
    handle: String,
    subscription: String,
    task: String,
}

impl Conversation {
    async fn say(&mut self, line: &[u8]) {
        let line = &*self.seen.put_into(line);
        let request = match line.first() {
            None => return,
            Some(b'+') => return self.service.pass(1_000).await,
            Some(b'!') => return self.keep_header(&line[1..]),
            Some(b'/') => {
                let (path, body) = parted(line);
                Request::post(path)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(Body::from(body.to_vec()))
            }
            Some(b'?') => Request::get([b"/", line].concat()).body(Body::empty()),
            Some(_) => {
                let (name, body) = parted(line);
                Request::post("/")
                    .header("content-type", "application/x-amz-json-1.0")
                    .header("x-amz-target", [b"AmazonSQS.", name].concat())
                    .body(Body::from(body.to_vec()))
            }
        };
        // What is no URL never comes out of the HTTP library.
        let Ok(mut request) = request else { return };
        request.headers_mut().insert("host", HeaderValue::from_static(HOST));
        for (name, value) in self.headers.drain(..) {
            request.headers_mut().insert(name, value);
        }
        // Whoever waits for a message waits for time to pass; for a signature it does not.
        let has = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
        let answer = if has(b"ReceiveMessage") && !has(b"Publish") {
            self.service.answer(request).await
        } else {
            self.service.answer_at_once(request).await
        };
        let text = read(&answer);
        self.seen.look_into(&text);
    }

    fn keep_header(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            self.headers.push((name, value));
        }
    }
}

/// What stands before the first space, and what stands after it.
fn parted(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    (&line[..end], line.get(end + 1..).unwrap_or_default())
}

/// The text of an answer that is as every answer must be.
fn read(answer: &Answer) -> String {
    assert!(answer.status == 200 || (400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    let text = answer.text();
    match answer.header("content-type") {
        "application/x-amz-json-1.0" => {
            if !text.is_empty() {
                let body: Value = serde_json::from_str(text).unwrap();
                assert_eq!(answer.status != 200, body["__type"].is_string(), "{text}");
            }
        }
        "text/xml" => {
            let root = Element::parse(text);
            let refused = root.name == "ErrorResponse" || answer.status == 404;
            assert_eq!(answer.status != 200, refused, "{text}");
        }
        "application/json" => {
            let body: Value = serde_json::from_str(text).unwrap();
            assert_eq!(answer.status != 200, body["Error"].is_object(), "{text}");
        }
        other => panic!("{other}"),
    }
    text.to_owned()
}

impl Seen {
    fn put_into<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        if !line.contains(&b'@') {
            return Cow::Borrowed(line);
        }
        let mut filled = Vec::new();
        let mut rest = line;
        while let Some(at) = rest.iter().position(|byte| *byte == b'@') {
            filled.extend_from_slice(&rest[..at]);
            let text = match rest.get(at + 1) {
                Some(b'h') => &self.handle,
                Some(b's') => &self.subscription,
                Some(b't') => &self.task,
                _ => "@",
            };
            filled.extend_from_slice(text.as_bytes());
            rest = rest.get(at + 1 + usize::from(text != "@")..).unwrap_or_default();
        }
        filled.extend_from_slice(rest);
        Cow::Owned(filled)
    }

    fn look_into(&mut self, text: &str) {
        let after = |name: &str, end: char| {
            let (_, rest) = text.split_once(name)?;
            let length = rest.find(end)?;
            // So that an input cannot make itself longer and longer.
            Some(rest[..length].to_owned()).filter(|text| text.len() < 300)
        };
        let in_json = || after("\"ReceiptHandle\":\"", '"');
        if let Some(handle) = in_json().or_else(|| after("<ReceiptHandle>", '<')) {
            self.handle = handle;
        }
        if let Some(arn) = after("<SubscriptionArn>", '<') {
            self.subscription = arn;
        }
        if let Some(task) = after("\"TaskHandle\":\"", '"') {
            self.task = task;
        }
    }
}
