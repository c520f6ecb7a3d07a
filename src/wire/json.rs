//! AWS JSON 1.0: bodies of requests, answers and errors.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Malformed;

/// Decodes the body of a request, which is one object; an empty body is `{}`.
///
/// A member that is null is absent. Types are not converted: text is no number.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    let body = match body.trim_ascii() {
        [] => b"{}",
        object @ [b'{', ..] => object,
        _ => return Err(Malformed::new("The request body must be one JSON object.")),
    };
    serde_json::from_slice(body).or_else(|error| {
        // Most members take null for absent by themselves. A second look is for those that do
        // not: the values of maps, and members with a default.
        if error.is_data() && body.windows(4).any(|word| word == b"null") {
            without_nulls(body)
        } else {
            Err(refusal(&error))
        }
    })
}

fn without_nulls<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    let mut value: Value = serde_json::from_slice(body).map_err(|error| refusal(&error))?;
    drop_nulls(&mut value);
    serde_json::from_value(value).map_err(|error| refusal(&error))
}

/// The depth was bounded by the parser.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn refusal(error: &serde_json::Error) -> Malformed {
    let sentence = error.to_string();
    Malformed::new(
        wrong_type(&sentence)
            .unwrap_or_else(|| format!("The request body cannot be read: {sentence}.")),
    )
}

// Rule (every SQS operation): a value of another type than the member's is SerializationException, status 400,
//   "STRING_VALUE can not be converted to an Integer".
// Source: reported, async-aws/aws#1667
// Test: src/wire/json.rs::other_types_are_told_in_the_words_of_aws

/// What AWS says of a value of another type than the member's, from what serde says of it:
/// ``invalid type: integer `5`, expected a string``.
fn wrong_type(sentence: &str) -> Option<String> {
    let (found, expected) = sentence.strip_prefix("invalid type: ")?.rsplit_once(", expected ")?;
    let found_kind = found.split(' ').next().unwrap_or_default();
    let is_expected = |kind: &str| expected.starts_with(kind);
    if is_expected("a sequence") {
        return Some("Expected list or null".to_owned());
    }
    let token = match found_kind {
        "map" => return Some("Start of structure or map found where not expected.".to_owned()),
        "sequence" => return Some("Start of list found where not expected".to_owned()),
        _ if is_expected("a map") || is_expected("struct") => {
            return Some("Expected null".to_owned());
        }
        "string" => "STRING_VALUE",
        "integer" | "floating" => "NUMBER_VALUE",
        "boolean" if found.contains("true") => "TRUE_VALUE",
        "boolean" => "FALSE_VALUE",
        _ => return None,
    };
    let member = match expected {
        _ if is_expected("i64") => "an Integer",
        _ if is_expected("a boolean") => "a Boolean",
        _ => "a String",
    };
    Some(format!("{token} can not be converted to {member}"))
}

/// The body of an answer.
///
/// # Panics
///
/// Not for structs that derive `Serialize` and whose maps have text for keys, as outputs are.
pub fn encode<T: Serialize>(output: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "outputs are plain structs with text keys in maps")]
    serde_json::to_vec(output).expect("an output is representable in JSON")
}

/// The body of an error: `{"__type":"namespace#json_type","message":"…"}`; some errors have no message.
pub fn error_body(namespace: &str, json_type: &str, message: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Error<'a> {
        __type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<&'a str>,
    }

    encode(&Error { __type: format!("{namespace}#{json_type}"), message })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::wire::Blob;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        text: Option<String>,
        number: Option<i64>,
        #[serde(default)]
        list: Vec<String>,
        map: Option<BTreeMap<String, String>>,
        blob: Option<Blob>,
    }

    #[test]
    fn empty_body_is_an_empty_object() {
        for body in ["", "  \r\n", "{}", r#"{"Unknown":{"a":[1,{}]}}"#] {
            assert_eq!(decode::<Input>(body.as_bytes()), Ok(Input::default()), "{body}");
        }
    }

    #[test]
    fn null_is_absent_wherever_it_stands() {
        let body = br#"{"Text":null,"Number":1,"List":null,"Map":{"a":null,"b":"null"}}"#;
        let map = BTreeMap::from([("b".to_owned(), "null".to_owned())]);
        let expected = Input { number: Some(1), map: Some(map), ..Input::default() };
        assert_eq!(decode(body), Ok(expected));
    }

    #[test]
    fn refuses_other_types_and_other_bodies() {
        for body in [
            r#"{"Number":"1"}"#,
            r#"{"Number":1.5}"#,
            r#"{"Number":1e400}"#,
            r#"{"Number":99999999999999999999}"#,
            r#"{"Text":1}"#,
            r#"{"List":"a"}"#,
            r#"{"List":[null]}"#,
            r#"{"Map":[]}"#,
            r#"{"Blob":"a"}"#,
            r#"{"Blob":"a_-="}"#,
            r#"{"Text":"\ud800"}"#,
            r#"{"Text":"a"} {}"#,
            r#"{"Text":"a""#,
            r#"["a",1]"#,
            "null",
            "\"{}\"",
            "Action=A",
        ] {
            assert!(decode::<Input>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(decode::<Input>(b"{\"Text\":\"\xff\"}").is_err());
    }

    #[test]
    fn other_types_are_told_in_the_words_of_aws() {
        for (body, sentence) in [
            (r#"{"Number":"1, expected i64"}"#, "STRING_VALUE can not be converted to an Integer"),
            (r#"{"Number":true}"#, "TRUE_VALUE can not be converted to an Integer"),
            (r#"{"Text":5}"#, "NUMBER_VALUE can not be converted to a String"),
            (r#"{"Text":false,"Map":null}"#, "FALSE_VALUE can not be converted to a String"),
            (r#"{"List":[1.5]}"#, "NUMBER_VALUE can not be converted to a String"),
            (r#"{"Text":{}}"#, "Start of structure or map found where not expected."),
            (r#"{"Map":{"a":[]}}"#, "Start of list found where not expected"),
            (r#"{"List":"a"}"#, "Expected list or null"),
            (r#"{"Map":"a"}"#, "Expected null"),
        ] {
            assert_eq!(decode::<Input>(body.as_bytes()).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn hostile_bodies_are_refused_in_few_words() {
        let deep = format!(r#"{{"Text":{}"#, "[".repeat(1_000_000));
        assert!(decode::<Input>(deep.as_bytes()).is_err());
        let nulls = format!(r#"{{"Number":[{}null]}}"#, "null,".repeat(100_000));
        assert!(decode::<Input>(nulls.as_bytes()).is_err());
        let long = format!(r#"{{"Number":"{}"}}"#, "x".repeat(1_000_000));
        assert!(decode::<Input>(long.as_bytes()).unwrap_err().to_string().len() < 500);
    }

    #[test]
    fn blob_is_base64() {
        let decoded: Input = decode(br#"{"Blob":"AP8="}"#).unwrap();
        assert_eq!(decoded.blob, Some(Blob(vec![0, 255])));
        assert_eq!(encode(&decoded.blob), br#""AP8=""#);
    }

    #[test]
    fn error() {
        let message = "The specified queue does not exist.";
        let expected = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#;
        let body = error_body("com.amazonaws.sqs", "QueueDoesNotExist", Some(message));
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
