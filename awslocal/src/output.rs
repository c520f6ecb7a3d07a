//! Formats responses as the AWS CLI does: JSON, text, YAML or a table.

use std::fmt::Write as _;

use saphyr::{Scalar, Yaml, YamlEmitter};
use serde::Serialize as _;
use serde_json::{Map, Value};

use super::{Failure, table};

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    Table,
    Yaml,
    /// No output except errors.
    Off,
}

impl Format {
    pub fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            "table" => Ok(Self::Table),
            "yaml" | "yaml-stream" => Ok(Self::Yaml),
            "off" => Ok(Self::Off),
            _ => Err(Failure::unusable(format_args!(
                "argument --output: Found invalid choice '{name}'; there are json, text, table, \
                 yaml and off"
            ))),
        }
    }
}

/// Returns a response as text that ends with a line break, or an empty text if the response is
/// empty. The title is the operation's name. If `is_paged` (a list was requested as a whole), text
/// output shows `None` for a missing list, and ends with the token to continue from, under its
/// name.
pub(super) fn write(title: &str, answer: &Value, format: Format, is_paged: bool) -> String {
    let Some(members) = answer.as_object().filter(|members| !members.is_empty()) else {
        let is_text = is_paged && format == Format::Text;
        return if is_text { "None\n".to_owned() } else { String::new() };
    };
    if !is_paged || format != Format::Text {
        return write_found(title, answer, format);
    }
    let mut list = members.clone();
    let token = list.shift_remove("NextToken");
    let mut text = write_found(title, &Value::Object(list), format);
    if let Some(token) = token {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "NEXTTOKEN\t{}", word(&token));
    }
    text
}

/// Returns the result of a query, which may be empty, as text.
pub(super) fn write_found(title: &str, found: &Value, format: Format) -> String {
    match format {
        Format::Json => json(found),
        Format::Text => {
            let mut text = String::new();
            lines(found, None, &mut text);
            text
        }
        Format::Table if found.is_null() => String::new(),
        Format::Table => table::draw(title, found),
        Format::Yaml => yaml(found),
        Format::Off => String::new(),
    }
}

fn yaml(answer: &Value) -> String {
    fn node(value: &Value) -> Yaml<'_> {
        match value {
            Value::Null => Yaml::Value(Scalar::Null),
            Value::Bool(truth) => Yaml::Value(Scalar::Boolean(*truth)),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Yaml::Value(Scalar::Integer(number)),
                None => Yaml::Value(Scalar::String(number.to_string().into())),
            },
            Value::String(text) => Yaml::Value(Scalar::String(text.into())),
            Value::Array(values) => Yaml::Sequence(values.iter().map(node).collect()),
            Value::Object(members) => {
                let key = |name: &'_ String| Yaml::Value(Scalar::String(name.clone().into()));
                Yaml::Mapping(
                    members.iter().map(|(name, value)| (key(name), node(value))).collect(),
                )
            }
        }
    }
    let mut text = String::new();
    match YamlEmitter::new(&mut text).dump(&node(answer)) {
        Ok(()) => format!("{}\n", text.strip_prefix("---\n").unwrap_or(&text)),
        // All JSON is YAML.
        Err(_) => json(answer),
    }
}

fn json(answer: &Value) -> String {
    let mut text = Vec::new();
    let indented = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indented);
    match answer.serialize(&mut serializer) {
        Ok(()) => format!("{}\n", String::from_utf8_lossy(&text)),
        Err(_) => format!("{answer}\n"),
    }
}

/// Writes the simple members of an object on one line, sorted by name and separated by tabs.
/// Complex members follow, under their names in capitals.
fn lines(value: &Value, name: Option<&str>, text: &mut String) {
    let capitals = name.map(str::to_uppercase);
    let prefix = |text: &mut String| {
        if let Some(name) = &capitals {
            text.push_str(name);
            text.push('\t');
        }
    };
    match value {
        Value::Object(members) => {
            let (simple, other) = parts(members);
            if !simple.is_empty() {
                prefix(text);
                text.push_str(&simple.join("\t"));
                text.push('\n');
            }
            for (name, value) in other {
                lines(value, Some(name), text);
            }
        }
        Value::Array(values) if values.iter().all(is_simple) => {
            let words: Vec<_> = values.iter().map(word).collect();
            match &capitals {
                // Each element is on a separate line, under its name. Writing to a `String` cannot
                // fail.
                Some(name) => {
                    for word in words {
                        let _ = writeln!(text, "{name}\t{word}");
                    }
                }
                None if words.is_empty() => {}
                None => {
                    text.push_str(&words.join("\t"));
                    text.push('\n');
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                lines(value, name, text);
            }
        }
        simple => {
            prefix(text);
            text.push_str(&word(simple));
            text.push('\n');
        }
    }
}

fn parts(members: &Map<String, Value>) -> (Vec<String>, Vec<(&str, &Value)>) {
    let mut sorted: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let (simple, other): (Vec<_>, Vec<_>) =
        sorted.into_iter().partition(|(_, value)| is_simple(value));
    (simple.into_iter().map(|(_, value)| word(value)).collect(), other)
}

pub(super) fn is_simple(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

pub(super) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_tabs_and_capitals() {
        let text = |value: Value| write_found("", &value, Format::Text);
        assert_eq!(text(json!("x")), "x\n");
        assert_eq!(text(json!(null)), "None\n");
        assert_eq!(text(json!(["a", "b"])), "a\tb\n");
        assert_eq!(text(json!({"QueueUrls": ["a", "b"]})), "QUEUEURLS\ta\nQUEUEURLS\tb\n");
        let attributes = json!({"Attributes": {"B": "2", "A": "1"}, "Z": true});
        assert_eq!(text(attributes), "True\nATTRIBUTES\t1\t2\n");
        let topics = json!({"Topics": [{"TopicArn": "t"}, {"TopicArn": "u"}]});
        assert_eq!(text(topics), "TOPICS\tt\nTOPICS\tu\n");
        let page = json!({"QueueUrls": ["a"], "NextToken": "n"});
        assert_eq!(write("", &page, Format::Text, true), "QUEUEURLS\ta\nNEXTTOKEN\tn\n");
        assert_eq!(write("", &json!({}), Format::Text, true), "None\n");
    }

    #[test]
    fn json_is_indented_by_four_and_nothing_is_nothing() {
        let answer = json!({"QueueUrl": "ü", "Empty": []});
        let expected = "{\n    \"QueueUrl\": \"ü\",\n    \"Empty\": []\n}\n";
        assert_eq!(write("", &answer, Format::Json, false), expected);
        assert_eq!(write("", &json!({}), Format::Json, false), "");
        assert_eq!(write_found("", &json!(null), Format::Json), "null\n");
        assert_eq!(write_found("", &json!(null), Format::Table), "");
        assert_eq!(write_found("", &json!("x"), Format::Json), "\"x\"\n");
        assert_eq!(write("", &answer, Format::Off, false), "");
    }

    #[test]
    fn yaml_says_what_json_says() {
        fn back(yaml: &Yaml<'_>) -> Value {
            match yaml {
                Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
                Yaml::Value(Scalar::Integer(number)) => (*number).into(),
                Yaml::Sequence(values) => values.iter().map(back).collect(),
                Yaml::Mapping(members) => members
                    .iter()
                    .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), back(value)))
                    .collect(),
                other => unreachable!("{other:?}"),
            }
        }
        let answer = json!({"QueueUrls": ["http://x/q"], "A": {"VisibilityTimeout": "30", "n": 5},
            "hard": ["yes", "1.5", "a: b", "two\nlines", "", "null", "# no", "{x}"]});
        let text = write("", &answer, Format::Yaml, false);
        assert!(text.starts_with("QueueUrls:\n"), "{text}");
        let read = <Yaml<'_> as saphyr::LoadableYamlNode>::load_from_str(&text).unwrap();
        assert_eq!(back(&read[0]), answer);
    }
}
