//! AWS Query answers in XML.
//!
//! Every answer is well-formed XML 1.0, whatever text it holds.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};
use serde::Serialize;
use serde_json::Value;

use super::dialect::{Collections, Dialect, Entry};
use super::shape::Shape;

/// Returns the body of an answer: `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…`, without an
/// `OpResult` when the operation has no output.
pub fn response<T: Serialize>(
    operation: &str,
    request_id: &str,
    dialect: &Dialect,
    output: Option<&T>,
) -> Vec<u8> {
    let answer = Shape::answer(operation, request_id, output.map(Shape::of));
    let root = format!("{operation}Response");
    Xml::document(dialect, operation, &root, dialect.namespace, answer)
}

/// Returns the body of an error in this namespace; `sender` says whether the caller caused it.
pub fn error_body(
    dialect: &Dialect,
    namespace: &str,
    sender: bool,
    code: &str,
    message: &str,
    request_id: &str,
) -> Vec<u8> {
    let members = [
        ("Type", Shape::text(if sender { "Sender" } else { "Receiver" })),
        ("Code", Shape::text(code)),
        ("Message", Shape::text(message)),
    ];
    let detail = dialect.error_detail.then(|| ("Detail", Shape::text("")));
    let error = Shape::structure([
        ("Error", Shape::structure(members.into_iter().chain(detail))),
        ("RequestId", Shape::text(request_id)),
    ]);
    Xml::document(dialect, "", "ErrorResponse", namespace, error)
}

/// A document being written.
struct Xml<'a> {
    writer: Writer<Vec<u8>>,
    dialect: &'a Dialect,
    operation: &'a str,
}

impl<'a> Xml<'a> {
    /// Returns a document whose root element has this name, namespace and content.
    fn document(
        dialect: &'a Dialect,
        operation: &'a str,
        root: &str,
        namespace: &str,
        content: Shape,
    ) -> Vec<u8> {
        // One allocation: growing a vector of a large answer would take its memory several times.
        let writer = Writer::new(Vec::with_capacity(1_024 + length(&content)));
        let mut xml = Self { writer, dialect, operation };
        if dialect.declaration {
            xml.write(Event::Decl(BytesDecl::new("1.0", None, None)));
        }
        let start = BytesStart::new(root).with_attributes([("xmlns", namespace)]);
        xml.element(start, |xml| xml.content(root, content));
        xml.writer.into_inner()
    }

    fn write(&mut self, event: Event<'_>) {
        // Writing into memory does not fail.
        self.writer.write_event(event).unwrap_or_default();
    }

    /// Writes an element; one without any content becomes `<name/>`.
    fn element(&mut self, start: BytesStart<'_>, write_content: impl FnOnce(&mut Self)) {
        let before = self.writer.get_ref().len();
        self.write(Event::Start(start.borrow()));
        let opened = self.writer.get_ref().len();
        write_content(self);
        if self.writer.get_ref().len() == opened {
            self.writer.get_mut().truncate(before);
            self.write(Event::Empty(start));
        } else {
            self.write(Event::End(start.to_end()));
        }
    }

    /// Writes a value as one element of this name, as none when it is null, and as several when it is a
    /// flattened list or map.
    fn value(&mut self, name: &str, value: Shape) {
        let is_flattened = self.dialect.collections == Collections::Flattened;
        match value {
            Shape::Scalar(Value::Null) => {}
            Shape::List(_) | Shape::Map(_) if is_flattened => self.content(name, value),
            _ => self.element(BytesStart::new(name), |xml| xml.content(name, value)),
        }
    }

    /// Writes what stands inside the element of a member of this name.
    fn content(&mut self, name: &str, value: Shape) {
        let member = self.dialect.member(self.operation, name);
        let item = |wrapped| match self.dialect.collections {
            Collections::Wrapped => wrapped,
            Collections::Flattened => member.and_then(|it| it.called.first()).unwrap_or(&name),
        };
        match value {
            Shape::Scalar(Value::String(text)) => self.text(&text),
            Shape::Scalar(number) => self.text(&number.to_string()),
            Shape::List(items) => {
                let item = item(&"member");
                for value in items {
                    self.value(item, value);
                }
            }
            Shape::Map(entries) => {
                let item = item(&"entry");
                let names = member.map_or(Entry::DEFAULT, |member| member.entry);
                for (key, value) in entries {
                    self.element(BytesStart::new(*item), |xml| {
                        xml.value(names.key, Shape::Scalar(key.into()));
                        xml.value(names.value, value);
                    });
                }
            }
            Shape::Structure(members) => {
                for (name, value) in members {
                    self.value(&name, value);
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.write(Event::Text(BytesText::from_escaped(escape(text))));
    }
}

/// Returns about the bytes of a value as XML, and no fewer for large texts.
fn length(value: &Shape) -> usize {
    /// Bytes of the tags around a member of a list or map.
    const TAGS: usize = 64;
    match value {
        Shape::Scalar(Value::String(text)) => text.len() + text.bytes().map(growth).sum::<usize>(),
        Shape::Scalar(_) => TAGS,
        Shape::List(items) => items.iter().map(|item| TAGS + length(item)).sum(),
        Shape::Map(entries) => {
            entries.iter().map(|(key, value)| 3 * TAGS + 6 * key.len() + length(value)).sum()
        }
        Shape::Structure(members) => {
            members.iter().map(|(name, value)| TAGS + 2 * name.len() + length(value)).sum()
        }
    }
}

/// Returns how many bytes more the escape of a character has, by the character's first byte.
fn growth(byte: u8) -> usize {
    match byte {
        b'"' => "&quot;".len() - 1,
        b'&' => "&amp;".len() - 1,
        b'\r' => "&#xD;".len() - 1,
        b'<' | b'>' => "&lt;".len() - 1,
        byte if byte < b' ' => "\u{FFFD}".len() - 1,
        _ => 0,
    }
}

/// Returns text with its escapes. A carriage return is one of them, since a parser would take it
/// for a line feed. A character that no XML 1.0 document can hold (XML 1.0 §2.2) becomes U+FFFD.
///
/// The escapes of quick-xml are others: AWS writes `&quot;`, and `&#xD;` where quick-xml has `&#13;`.
fn escape(text: &str) -> Cow<'_, str> {
    let escape_of = |character| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\r' => Some("&#xD;"),
        '\0'..='\x08' | '\x0B'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => Some("\u{FFFD}"),
        _ => None,
    };
    let mut escaped = String::new();
    let mut copied = 0;
    for (at, character) in text.char_indices() {
        if let Some(escape) = escape_of(character) {
            escaped.push_str(&text[copied..at]);
            escaped.push_str(escape);
            copied = at + character.len_utf8();
        }
    }
    if copied == 0 {
        return text.into();
    }
    escaped.push_str(&text[copied..]);
    escaped.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::Blob;
    use crate::wire::dialect::samples::{FLATTENED, WRAPPED};

    #[derive(Default, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        text: Option<String>,
        number: Option<i64>,
        flag: Option<bool>,
        entries: Vec<Item>,
        tags: BTreeMap<String, String>,
        message_attributes: BTreeMap<String, Item>,
    }

    #[derive(Clone, Default, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        id: Option<&'static str>,
        bytes: Option<Blob>,
    }

    #[test]
    fn a_large_answer_is_written_into_one_allocation() {
        let text = |text: &str| Some(text.repeat(100_000));
        for text in
            [text("x"), text("\""), text("<&>"), text("\r\n"), text("\u{1}"), text("é\u{FFFF}")]
        {
            let items = vec![Item { id: Some("i"), bytes: Some(Blob(vec![1; 1_000])) }; 100];
            let output = Output { text, entries: items, ..Output::default() };
            for dialect in [&FLATTENED, &WRAPPED] {
                let shape = Shape::answer("Op", "id", Some(Shape::of(&output)));
                let least = length(&shape);
                let written = response("Op", "id", dialect, Some(&output));
                assert!(written.len() <= 1_024 + least, "{} of {least}", written.len());
                assert!(written.capacity() < written.len() * 2);
            }
        }
    }

    fn full() -> Output {
        let item = || Item { id: Some("i"), bytes: Some(Blob(vec![0, 255])) };
        Output {
            text: Some(String::new()),
            number: Some(-1),
            flag: Some(true),
            entries: vec![item(), Item::default()],
            tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            message_attributes: BTreeMap::from([("n".to_owned(), item())]),
        }
    }

    fn write(operation: &str, dialect: &Dialect, output: Option<&Output>) -> String {
        String::from_utf8(response(operation, "id", dialect, output)).unwrap()
    }

    #[test]
    fn flattened() {
        let expected = concat!(
            r#"<?xml version="1.0"?><SecondResponse xmlns="urn:flattened"><SecondResult>"#,
            "<Text/><Number>-1</Number><Flag>true</Flag>",
            "<SecondEntry><Id>i</Id><Bytes>AP8=</Bytes></SecondEntry><SecondEntry/>",
            "<Tags><key>k</key><value>v</value></Tags>",
            "<MessageAttribute><Name>n</Name><Value><Id>i</Id><Bytes>AP8=</Bytes></Value></MessageAttribute>",
            "</SecondResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>",
            "</SecondResponse>",
        );
        assert_eq!(write("Second", &FLATTENED, Some(&full())), expected);
    }

    #[test]
    fn wrapped() {
        let expected = concat!(
            r#"<SecondResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><SecondResult>"#,
            "<Text/><Number>-1</Number><Flag>true</Flag>",
            "<Entries><member><Id>i</Id><Bytes>AP8=</Bytes></member><member/></Entries>",
            "<Tags><entry><key>k</key><value>v</value></entry></Tags>",
            "<MessageAttributes><entry><Name>n</Name><Value><Id>i</Id><Bytes>AP8=</Bytes></Value></entry>",
            "</MessageAttributes></SecondResult><ResponseMetadata><RequestId>id</RequestId>",
            "</ResponseMetadata></SecondResponse>",
        );
        assert_eq!(write("Second", &WRAPPED, Some(&full())), expected);
    }

    #[test]
    fn empty_and_absent_outputs() {
        #[derive(Serialize)]
        struct NoMembers {}
        let empty = Output::default();
        for (dialect, output, result) in [
            (&FLATTENED, Some(&empty), "<FirstResult/>"),
            (
                &WRAPPED,
                Some(&empty),
                "<FirstResult><Entries/><Tags/><MessageAttributes/></FirstResult>",
            ),
            (&FLATTENED, None, ""),
            (&WRAPPED, None, ""),
        ] {
            let declaration = if dialect.declaration { r#"<?xml version="1.0"?>"# } else { "" };
            let namespace = dialect.namespace;
            let expected = format!(
                r#"{declaration}<FirstResponse xmlns="{namespace}">{result}<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></FirstResponse>"#
            );
            assert_eq!(write("First", dialect, output), expected);
        }
        let body = response("TagResource", "id", &WRAPPED, Some(&NoMembers {}));
        assert!(String::from_utf8(body).unwrap().contains("<TagResourceResult/>"));
    }

    #[test]
    fn answers_of_sns() {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct PublishBatch {
            failed: Vec<Published>,
            successful: Vec<Published>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Published {
            id: &'static str,
            message_id: &'static str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Topic {
            attributes: BTreeMap<&'static str, &'static str>,
        }
        let successful = vec![Published { id: "1", message_id: "…" }];
        let output = PublishBatch { failed: Vec::new(), successful };
        let body = response("PublishBatch", "…", &WRAPPED, Some(&output));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed/><Successful><member><Id>1</Id><MessageId>…</MessageId></member></Successful></PublishBatchResult><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></PublishBatchResponse>"#
        );
        let output = Topic { attributes: BTreeMap::from([("TopicArn", "…")]) };
        let body = response("GetTopicAttributes", "…", &WRAPPED, Some(&output));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult><Attributes><entry><key>TopicArn</key><value>…</value></entry></Attributes></GetTopicAttributesResult><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></GetTopicAttributesResponse>"#
        );
    }

    #[test]
    fn escapes() {
        let escaped =
            escape("a&<>\"'\r\n\t\x08\0\u{7f}é\u{FFFD}\u{FFFE}\u{FFFF}\u{FEFF}\u{F000}🐦&");
        let expected = "a&amp;&lt;&gt;&quot;'&#xD;\n\t\u{FFFD}\u{FFFD}\u{7f}é\u{FFFD}\u{FFFD}\u{FFFD}\u{FEFF}\u{F000}🐦&amp;";
        assert_eq!(escaped, expected);
    }

    #[test]
    fn errors() {
        let body = |dialect, sender| {
            String::from_utf8(error_body(
                dialect,
                dialect.namespace,
                sender,
                "Code",
                "a < \x08",
                "id",
            ))
            .unwrap()
        };
        assert_eq!(
            body(&FLATTENED, true),
            "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"urn:flattened\"><Error><Type>Sender</Type><Code>Code</Code><Message>a &lt; \u{FFFD}</Message><Detail/></Error><RequestId>id</RequestId></ErrorResponse>"
        );
        assert_eq!(
            body(&WRAPPED, false),
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Receiver</Type><Code>Code</Code><Message>a &lt; \u{FFFD}</Message></Error><RequestId>id</RequestId></ErrorResponse>"
        );
    }

    /// The text of an element, as a parser of XML reads it.
    fn read_text(xml: &str, element: &str) -> String {
        use quick_xml::events::Event;
        let mut reader = quick_xml::Reader::from_str(xml);
        let (mut inside, mut text) = (false, String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => inside = start.name().as_ref() == element,
                Event::End(_) => inside = false,
                Event::Text(part) if inside => text.push_str(&part),
                Event::GeneralRef(reference) if inside => {
                    let escaped = format!("&{};", &*reference);
                    text.push_str(&quick_xml::escape::unescape(&escaped).unwrap());
                }
                Event::Eof => return text,
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn a_parser_reads_what_was_written(text in any::<String>()) {
            let xml = error_body(&FLATTENED, FLATTENED.namespace, true, "Code", &text, "id");
            let legal = |c: char| !matches!(c, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}');
            let expected: String =
                text.chars().map(|c| if legal(c) { c } else { '\u{FFFD}' }).collect();
            prop_assert_eq!(read_text(std::str::from_utf8(&xml).unwrap(), "Message"), expected);
        }
    }
}
