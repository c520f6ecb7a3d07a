//! Values of parameters: JSON, or the shorthand of the AWS CLI: `Key=a,Other=[b,c],More={x=y}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Failure;
use super::model::Kind;

/// The maximum depth of nested braces and brackets.
const DEPTH: usize = 32;

/// Returns the text of a value, or of the file that it names.
pub(super) fn content(value: &str) -> Result<String, Failure> {
    let binary = value.strip_prefix("fileb://");
    let Some(path) = binary.or_else(|| value.strip_prefix("file://")) else {
        return Ok(value.to_owned());
    };
    let read = std::fs::read(path)
        .map_err(|error| Failure::unusable(format_args!("Unable to load {path}: {error}")))?;
    if binary.is_some() {
        return Ok(STANDARD.encode(read));
    }
    String::from_utf8(read)
        .map_err(|_| Failure::unusable(format_args!("{path}: not UTF-8; use fileb://")))
}

/// Parses a value of a simple type.
pub(super) fn scalar(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Number => text
            .trim()
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| format!("invalid literal for int(): '{text}'")),
        Kind::Truth => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(format!("'{text}' is neither true nor false")),
        },
        _ => Ok(text.into()),
    }
}

/// Builds a list, map or structure from the values of one parameter.
pub(super) fn parse(kind: &Kind, given: &[String]) -> Result<Value, String> {
    if let [only] = given {
        let text = only.trim();
        if text.starts_with(['{', '[']) {
            let json = serde_json::from_str(text);
            let json = json.map_err(|error| format!("Invalid JSON: {error}"))?;
            return coerce(kind, json);
        }
    }
    match kind {
        Kind::List(of) => match &**of {
            Kind::List(_) | Kind::Map(_) | Kind::Structure(_) => {
                let each = given.iter().map(|one| coerce(of, Reader::new(one).pairs_to_end()?));
                each.collect::<Result<Vec<_>, String>>().map(Value::Array)
            }
            // `a,b` is one value in one argument, or two.
            simple => {
                let split = match given {
                    [only] => only.split(',').map(str::to_owned).collect(),
                    several => several.to_vec(),
                };
                split.iter().map(|one| scalar(simple, one)).collect()
            }
        },
        _ => coerce(kind, Reader::new(&given.join(",")).pairs_to_end()?),
    }
}

/// Converts a value to the type of the member, if the conversion is unambiguous.
pub(super) fn coerce(kind: &Kind, value: Value) -> Result<Value, String> {
    match (kind, value) {
        (Kind::List(of), Value::Array(values)) => {
            values.into_iter().map(|value| coerce(of, value)).collect()
        }
        (Kind::List(of), single @ (Value::Object(_) | Value::String(_))) => {
            Ok(Value::Array(vec![coerce(of, single)?]))
        }
        (Kind::Map(of), Value::Object(map)) => {
            let each = map.into_iter().map(|(key, value)| Ok((key, coerce(of, value)?)));
            each.collect::<Result<Map<_, _>, String>>().map(Value::Object)
        }
        (Kind::Structure(members), Value::Object(map)) => {
            let each = map.into_iter().map(|(key, value)| {
                let member = members.iter().find(|member| member.name == key).ok_or_else(|| {
                    let known: Vec<_> = members.iter().map(|member| member.name).collect();
                    format!("Unknown parameter: \"{key}\", must be one of: {}", known.join(", "))
                })?;
                Ok((key, coerce(&member.kind, value)?))
            });
            each.collect::<Result<Map<_, _>, String>>().map(Value::Object)
        }
        (Kind::List(_) | Kind::Map(_) | Kind::Structure(_), value) => {
            Err(format!("Expected: '=', received: {value}"))
        }
        (Kind::Number | Kind::Truth, Value::String(text)) => scalar(kind, &text),
        // A trailing comma in shorthand; as text it would be a value that the user did not write.
        (Kind::Text, Value::Array(several)) => {
            Err(format!("Expected: '=', received: EOF for input: {}", Value::Array(several)))
        }
        // Values that AWS expects as text are often written in their own type:
        // {"VisibilityTimeout": 30}.
        (Kind::Text, value) if !value.is_string() && !value.is_null() => {
            Ok(value.to_string().into())
        }
        (_, value) => Ok(value),
    }
}

/// Encodes raw bytes in base64, as AWS JSON requires.
pub(super) fn encode_bytes(kind: &Kind, value: &mut Value) {
    match (kind, value) {
        (Kind::Blob, Value::String(text)) => *text = STANDARD.encode(&*text),
        (Kind::List(of), Value::Array(values)) => {
            for value in values {
                encode_bytes(of, value);
            }
        }
        (Kind::Map(of), Value::Object(map)) => {
            for value in map.values_mut() {
                encode_bytes(of, value);
            }
        }
        (Kind::Structure(members), Value::Object(map)) => {
            for member in members {
                if let Some(value) = map.get_mut(member.name) {
                    encode_bytes(&member.kind, value);
                }
            }
        }
        _ => {}
    }
}

/// Parses shorthand from left to right.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text.trim() }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    fn next_if(&mut self, wanted: impl FnOnce(char) -> bool) -> Option<char> {
        let next = self.peek().filter(|next| wanted(*next))?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn pairs_to_end(mut self) -> Result<Value, String> {
        let pairs = self.pairs(DEPTH)?;
        match self.peek() {
            None => Ok(pairs),
            Some(other) => Err(format!("Expected: ',', received: '{other}'")),
        }
    }

    /// Parses `key=value,key=value`, up to a closing brace or the end.
    fn pairs(&mut self, depth: usize) -> Result<Value, String> {
        let mut pairs = Map::new();
        loop {
            let key = self.text(&['=', ',', '{', '}', '[', ']'])?;
            if self.next_if(|next| next == '=').is_none() {
                let received = self.peek().map_or("EOF".to_owned(), |next| next.to_string());
                return Err(format!("Expected: '=', received: '{received}' for input: {key}"));
            }
            let value = self.value(depth)?;
            // `key=a,b`: the next item is a further value unless it is a pair.
            let mut values = vec![value];
            while self.peek() == Some(',') && !self.pair_follows() {
                self.next();
                values.push(self.value(depth)?);
            }
            let value = match <[Value; 1]>::try_from(values) {
                Ok([one]) => one,
                Err(several) => Value::Array(several),
            };
            pairs.insert(key, value);
            if self.next_if(|next| next == ',').is_none() {
                return Ok(Value::Object(pairs));
            }
        }
    }

    /// Returns whether a comma is followed by a key instead of another value.
    fn pair_follows(&self) -> bool {
        let ahead = self.rest.get(1..).unwrap_or_default();
        if ahead.starts_with(['"', '\'', '{', '[']) {
            return false;
        }
        let stop = ahead.find(['=', ',', '{', '}', '[', ']']);
        stop.is_some_and(|stop| ahead[stop..].starts_with('='))
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        let deeper = depth.checked_sub(1).ok_or("too many braces within each other")?;
        match self.peek() {
            Some('{') => {
                self.next();
                let pairs = self.pairs(deeper)?;
                self.close('}')?;
                Ok(pairs)
            }
            Some('[') => {
                self.next();
                let mut values = Vec::new();
                while self.peek().is_some_and(|next| next != ']') {
                    values.push(self.value(deeper)?);
                    if self.next_if(|next| next == ',').is_none() {
                        break;
                    }
                }
                self.close(']')?;
                Ok(Value::Array(values))
            }
            _ => self.text(&[',', '}', ']']).map(Value::String),
        }
    }

    fn close(&mut self, bracket: char) -> Result<(), String> {
        match self.next() {
            Some(found) if found == bracket => Ok(()),
            other => {
                let received = other.map_or("EOF".to_owned(), |other| other.to_string());
                Err(format!("Expected: '{bracket}', received: '{received}'"))
            }
        }
    }

    /// Parses a quoted text, or a text up to one of these characters. A backslash escapes the next
    /// one.
    fn text(&mut self, until: &[char]) -> Result<String, String> {
        while self.next_if(char::is_whitespace).is_some() {}
        let quote = self.next_if(|next| matches!(next, '"' | '\''));
        let mut text = String::new();
        loop {
            let next = match quote {
                Some(_) => self.next(),
                None => self.next_if(|next| !until.contains(&next)),
            };
            match (next, quote) {
                (None, None) => return Ok(text.trim_end().to_owned()),
                (None, Some(quote)) => return Err(format!("Expected: '{quote}', received: 'EOF'")),
                (Some(end), Some(quote)) if end == quote => return Ok(text),
                (Some('\\'), _) => text.push(self.next().unwrap_or('\\')),
                (Some(letter), _) => text.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn kind(service: &str, command: &str, parameter: &str) -> Kind {
        model::find(service, command).unwrap().member(parameter).unwrap().kind.clone()
    }

    fn read(kind: &Kind, given: &[&str]) -> Result<Value, String> {
        parse(kind, &given.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn shorthand_and_json_say_the_same() {
        let attributes = kind("sqs", "send-message", "message-attributes");
        let entries = kind("sqs", "send-message-batch", "entries");
        let map = kind("sqs", "create-queue", "attributes");
        let numbers = kind("sqs", "change-message-visibility-batch", "entries");
        for (kind, given, expected) in [
            (&map, vec!["A=1,B=x y"], json!({"A": "1", "B": "x y"})),
            (&map, vec!["A=1", "B=2"], json!({"A": "1", "B": "2"})),
            (
                &map,
                vec![r#"A="x,y",B='{"a": 1}',C=a\,b"#],
                json!({"A": "x,y", "B": "{\"a\": 1}", "C": "a,b"}),
            ),
            (&map, vec![r#"{"A": 1, "B": {"c": true}}"#], json!({"A": "1", "B": "{\"c\":true}"})),
            (
                &attributes,
                vec!["kind={DataType=String,StringValue=order}"],
                json!({"kind": {"DataType": "String", "StringValue": "order"}}),
            ),
            (
                &entries,
                vec!["Id=1,MessageBody=a", "Id=2,MessageBody=b,DelaySeconds=3"],
                json!([{"Id": "1", "MessageBody": "a"}, {"Id": "2", "MessageBody": "b", "DelaySeconds": 3}]),
            ),
            (
                &numbers,
                vec!["Id=1,ReceiptHandle=r,VisibilityTimeout=0"],
                json!([{"Id": "1", "ReceiptHandle": "r", "VisibilityTimeout": 0}]),
            ),
            (&Kind::List(Box::new(Kind::Text)), vec!["a,b"], json!(["a", "b"])),
            (
                &Kind::Map(Box::new(Kind::List(Box::new(Kind::Text)))),
                vec!["a=x,y,b=[z]"],
                json!({"a": ["x", "y"], "b": ["z"]}),
            ),
        ] {
            assert_eq!(read(kind, &given), Ok(expected), "{given:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let map = kind("sqs", "create-queue", "attributes");
        for given in ["A", "A={", "A=\"x", "{\"A\": 1", "A=b}", "A=b,c", "A=1,B"] {
            assert!(read(&map, &[given]).is_err(), "{given}");
        }
        let entries = kind("sqs", "send-message-batch", "entries");
        let error = read(&entries, &["Id=1,Body=x"]).unwrap_err();
        assert!(error.contains("Unknown parameter: \"Body\", must be one of: Id, MessageBody"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_written_makes_it_fail(text in ".{0,60}", deep in 0..200_usize) {
            let entries = kind("sqs", "send-message-batch", "entries");
            let _ = read(&entries, &[&text]);
            let _ = read(&entries, &[&format!("a={}{text}", "{a=[".repeat(deep))]);
        }
    }
}
