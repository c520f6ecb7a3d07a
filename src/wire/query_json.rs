//! AWS Query answers in JSON, for callers that prefer it to XML.
//!
//! These answers are older than AWS JSON and differ from it: they have the wrappers of the XML, a
//! member without a value is null, and SQS writes a map as a list of its entries.

// Rule (ListQueues, GetQueueAttributes, ReceiveMessage): a JSON answer of AWS Query wraps the output
//   as XML does, lists the entries of a map as names and values, and calls two lists queueUrls and
//   messages.
// Source: recorded
// Test: src/wire/query_json.rs::flattened, tests/golden/query_json/map.txt, tests/golden/query_json/nested.txt
//
// Rule (ListQueues, ListTopics): a JSON answer of AWS Query shows a member without a value as null,
//   also a list of SQS without elements.
// Source: reported, JuliaCloud/AWS.jl#127
// Test: src/wire/query_json.rs::flattened, tests/golden/query_json/empty_list.txt
//
// Rule (GetTopicAttributes, GetSubscriptionAttributes, ListTopics): a JSON answer of SNS writes a
//   map as an object and keeps an empty list.
// Source: inferred, programs that use boto 2 read it so
// Test: tests/golden/query_json/sns_map.txt, tests/golden/query_json/sns_empty_list.txt, compat-suite/boto2/test_sns.py::test_topics

use super::dialect::{Collections, Dialect, Entry};
use super::shape::Shape;
use serde::Serialize;
use serde_json::{Value, json};

/// Returns the body of an answer: `{"OpResponse":{"OpResult":{…},"ResponseMetadata":{"RequestId":…}}}`,
/// without an `OpResult` when the operation has no output.
pub fn response<T: Serialize>(
    operation: &str,
    request_id: &str,
    dialect: &Dialect,
    output: Option<&T>,
) -> Vec<u8> {
    let answer = Shape::answer(operation, request_id, output.map(Shape::of));
    let body = write(dialect, operation, "", answer);
    json!({format!("{operation}Response"): body}).to_string().into_bytes()
}

// Rule (every SNS operation): an error in a JSON answer of AWS Query has Code, Message and Type, and
//   beside it stands the RequestId.
// Source: reported, YelpArchive/elastalert#674
// Test: tests/golden/query_json/sns_error.txt
//
// Rule (every SQS operation): an error in a JSON answer of AWS Query has a Detail as well, which is
//   null.
// Source: inferred, its XML has an empty Detail
// Test: tests/golden/query_json/error.txt
//
/// Returns the body of an error; `sender` says whether the caller caused it.
pub fn error_body(
    dialect: &Dialect,
    sender: bool,
    code: &str,
    message: &str,
    request_id: &str,
) -> Vec<u8> {
    let fault = if sender { "Sender" } else { "Receiver" };
    let mut error = json!({"Code": code, "Message": message, "Type": fault});
    if dialect.error_detail {
        error["Detail"] = Value::Null;
    }
    json!({"Error": error, "RequestId": request_id}).to_string().into_bytes()
}

/// Returns the JSON of a value that stands under this name.
fn write(dialect: &Dialect, operation: &str, name: &str, value: Shape) -> Value {
    match value {
        Shape::Scalar(scalar) => scalar,
        Shape::List(items) => {
            items.into_iter().map(|item| write(dialect, operation, name, item)).collect()
        }
        Shape::Map(entries) => {
            let member = dialect.member(operation, name);
            let names = member.map_or(Entry::DEFAULT, |member| member.entry);
            let written = entries
                .into_iter()
                .map(|(key, value)| (key, write(dialect, operation, name, value)));
            match dialect.collections {
                Collections::Wrapped => written.collect(),
                Collections::Flattened => written
                    .map(|(key, value)| json!({names.key: key, names.value: value}))
                    .collect(),
            }
        }
        Shape::Structure(members) => members
            .into_iter()
            .filter(|(name, _)| dialect.has(operation, name))
            .map(|(name, value)| {
                let member = dialect.member(operation, &name);
                let called = member.and_then(|member| member.in_query_json).unwrap_or(&name);
                (called.to_owned(), write(dialect, operation, &name, value))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::wire::Blob;
    use crate::wire::dialect::samples::{FLATTENED, WRAPPED};

    #[derive(Default, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        number: Option<i64>,
        flag: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<Item>,
        message_attributes: BTreeMap<String, Item>,
    }

    #[derive(Default, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        id: Option<&'static str>,
        bytes: Option<Blob>,
    }

    fn full() -> Output {
        let item = || Item { id: Some("i"), bytes: Some(Blob(vec![0, 255])) };
        Output {
            text: Some("\u{8}\"é".to_owned()),
            number: Some(-1),
            flag: true,
            items: vec![item(), Item::default()],
            message_attributes: BTreeMap::from([("n".to_owned(), item())]),
        }
    }

    fn write(operation: &str, dialect: &Dialect, output: Option<&Output>) -> String {
        String::from_utf8(response(operation, "id", dialect, output)).unwrap()
    }

    #[test]
    fn flattened() {
        assert_eq!(
            write("Second", &FLATTENED, Some(&full())),
            concat!(
                r#"{"SecondResponse":{"SecondResult":{"Text":"\b\"é","Number":-1,"Flag":true,"#,
                r#""items":[{"Id":"i","Bytes":"AP8="},{"Id":null,"Bytes":null}],"#,
                r#""MessageAttributes":[{"Name":"n","Value":{"Id":"i","Bytes":"AP8="}}]},"#,
                r#""ResponseMetadata":{"RequestId":"id"}}}"#,
            )
        );
        assert_eq!(
            write("Second", &FLATTENED, Some(&Output::default())),
            concat!(
                r#"{"SecondResponse":{"SecondResult":{"Text":null,"Number":null,"Flag":false,"#,
                r#""items":null,"MessageAttributes":[]},"ResponseMetadata":{"RequestId":"id"}}}"#,
            )
        );
    }

    #[test]
    fn wrapped() {
        assert_eq!(
            write("Second", &WRAPPED, Some(&full())),
            concat!(
                r#"{"SecondResponse":{"SecondResult":{"Text":"\b\"é","Number":-1,"Flag":true,"#,
                r#""Items":[{"Id":"i","Bytes":"AP8="},{"Id":null,"Bytes":null}],"#,
                r#""MessageAttributes":{"n":{"Id":"i","Bytes":"AP8="}}},"#,
                r#""ResponseMetadata":{"RequestId":"id"}}}"#,
            )
        );
    }

    #[test]
    fn members_and_outputs_that_an_operation_does_not_have() {
        let first = write("First", &FLATTENED, Some(&Output::default()));
        assert!(first.starts_with(r#"{"FirstResponse":{"FirstResult":{"Number":null,"#), "{first}");
        assert_eq!(
            write("First", &FLATTENED, None),
            r#"{"FirstResponse":{"ResponseMetadata":{"RequestId":"id"}}}"#
        );
    }

    #[test]
    fn errors() {
        let body = |dialect, sender| {
            String::from_utf8(error_body(dialect, sender, "Code", "a \" b", "id")).unwrap()
        };
        assert_eq!(
            body(&FLATTENED, true),
            r#"{"Error":{"Code":"Code","Message":"a \" b","Type":"Sender","Detail":null},"RequestId":"id"}"#
        );
        assert_eq!(
            body(&WRAPPED, false),
            r#"{"Error":{"Code":"Code","Message":"a \" b","Type":"Receiver"},"RequestId":"id"}"#
        );
    }
}
