//! AWS Query answers: XML, written in one pass by a serde serializer.
//!
//! Every answer is well-formed XML 1.0, whatever text it holds.

use std::fmt::{self, Write as _};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

use super::dialect::{Collections, Dialect, Entry};

/// The body of an answer: `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…`, without an
/// `OpResult` when the operation has no output.
///
/// # Panics
///
/// Not for types that derive `Serialize`, as outputs do.
pub fn response<T: Serialize>(
    operation: &str,
    request_id: &str,
    dialect: &Dialect,
    output: Option<&T>,
) -> Vec<u8> {
    let mut xml = Xml::new(dialect, operation);
    let root = format!("{operation}Response");
    xml.open_root(&root, dialect.namespace);
    if let Some(output) = output {
        let result = Element { xml: &mut xml, name: &format!("{operation}Result") };
        #[expect(
            clippy::expect_used,
            reason = "outputs are plain structs, and all types can be written"
        )]
        output.serialize(result).expect("an output is representable in XML");
    }
    let metadata = xml.open("ResponseMetadata");
    xml.text("RequestId", request_id);
    xml.close("ResponseMetadata", metadata);
    xml.finish(&root)
}

/// The body of an error in this namespace; `sender` says whether the caller caused it.
pub fn error_body(
    dialect: &Dialect,
    namespace: &str,
    sender: bool,
    code: &str,
    message: &str,
    request_id: &str,
) -> Vec<u8> {
    let mut xml = Xml::new(dialect, "");
    xml.open_root("ErrorResponse", namespace);
    let error = xml.open("Error");
    xml.text("Type", if sender { "Sender" } else { "Receiver" });
    xml.text("Code", code);
    xml.text("Message", message);
    if dialect.error_detail {
        xml.text("Detail", "");
    }
    xml.close("Error", error);
    xml.text("RequestId", request_id);
    xml.finish("ErrorResponse")
}

/// The document so far. Names of elements come from structs and dialects and need no escapes.
struct Xml<'a> {
    text: String,
    dialect: &'a Dialect,
    operation: &'a str,
}

impl<'a> Xml<'a> {
    fn new(dialect: &'a Dialect, operation: &'a str) -> Self {
        Self { text: String::with_capacity(1_024), dialect, operation }
    }

    fn open_root(&mut self, name: &str, namespace: &str) {
        if self.dialect.declaration {
            self.text.push_str(r#"<?xml version="1.0"?>"#);
        }
        for part in ["<", name, r#" xmlns=""#, namespace, r#"">"#] {
            self.text.push_str(part);
        }
    }

    fn finish(mut self, root: &str) -> Vec<u8> {
        self.end(root);
        self.text.into_bytes()
    }

    /// Opens an element and tells where its content starts.
    fn open(&mut self, name: &str) -> usize {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        self.text.len()
    }

    /// Closes an element whose content started there; one without any becomes `<name/>`.
    fn close(&mut self, name: &str, content: usize) {
        if self.text.len() == content {
            self.text.pop();
            self.text.push_str("/>");
        } else {
            self.end(name);
        }
    }

    fn end(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn text(&mut self, name: &str, text: &str) {
        let content = self.open(name);
        escape(text, &mut self.text);
        self.close(name, content);
    }

    /// Text that needs no escapes.
    fn plain(&mut self, name: &str, value: impl fmt::Display) -> Result<(), Unwritable> {
        let content = self.open(name);
        write!(self.text, "{value}").map_err(|error| Unwritable(error.to_string()))?;
        self.close(name, content);
        Ok(())
    }
}

/// The bytes at which text may need an escape.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        special[control] = true;
        control += 1;
    }
    special[b'\t' as usize] = false;
    special[b'\n' as usize] = false;
    special[b'&' as usize] = true;
    special[b'<' as usize] = true;
    special[b'>' as usize] = true;
    special[b'"' as usize] = true;
    // The first byte of U+FFFE and U+FFFF, among others.
    special[0xEF] = true;
    special
};

/// Appends text with its escapes. A carriage return is one of them, since a parser would take it
/// for a line feed. What no XML 1.0 document can hold (XML 1.0 §2.2) becomes U+FFFD.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| SPECIAL[usize::from(byte)]) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let mut characters = found.chars();
        match characters.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('"') => out.push_str("&quot;"),
            Some('\r') => out.push_str("&#xD;"),
            Some('\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}') => out.push(char::REPLACEMENT_CHARACTER),
            Some(other) => out.push(other),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// What a `Serialize` by hand may say; serde's derived ones do not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unwritable(String);

impl serde::ser::Error for Unwritable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Writes a value as one element of this name, or, when lists are flattened, as several.
struct Element<'x, 'a> {
    xml: &'x mut Xml<'a>,
    name: &'x str,
}

impl<'x, 'a> Element<'x, 'a> {
    fn items(self) -> Items<'x, 'a> {
        match self.xml.dialect.collections {
            Collections::Flattened => {
                let member = self.xml.dialect.member(self.xml.operation, self.name);
                let called = member.and_then(|member| member.called.first().copied());
                Items { item: called.unwrap_or(self.name), around: None, xml: self.xml }
            }
            Collections::Wrapped => {
                let around = Some((self.name, self.xml.open(self.name)));
                Items { item: "member", around, xml: self.xml }
            }
        }
    }

    fn entries(self) -> Entries<'x, 'a> {
        let member = self.xml.dialect.member(self.xml.operation, self.name);
        let names = member.map_or(Entry::DEFAULT, |member| member.entry);
        match self.xml.dialect.collections {
            Collections::Flattened => {
                let called = member.and_then(|member| member.called.first().copied());
                let item = called.unwrap_or(self.name);
                Entries { item, names, start: 0, around: None, xml: self.xml }
            }
            Collections::Wrapped => {
                let around = Some((self.name, self.xml.open(self.name)));
                Entries { item: "entry", names, start: 0, around, xml: self.xml }
            }
        }
    }

    fn members(self) -> Members<'x, 'a> {
        Members { content: self.xml.open(self.name), name: self.name, xml: self.xml }
    }
}

/// Methods for values whose text needs no escapes.
macro_rules! plain {
    ($($method:ident $type:ty)*) => {
        $(fn $method(self, value: $type) -> Result<(), Unwritable> {
            self.xml.plain(self.name, value)
        })*
    };
}

impl<'x, 'a> Serializer for Element<'x, 'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Items<'x, 'a>;
    type SerializeTuple = Items<'x, 'a>;
    type SerializeTupleStruct = Items<'x, 'a>;
    type SerializeTupleVariant = Items<'x, 'a>;
    type SerializeMap = Entries<'x, 'a>;
    type SerializeStruct = Members<'x, 'a>;
    type SerializeStructVariant = Members<'x, 'a>;

    plain! {
        serialize_bool bool
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64
        serialize_f32 f32 serialize_f64 f64
    }

    fn serialize_str(self, text: &str) -> Result<(), Unwritable> {
        self.xml.text(self.name, text);
        Ok(())
    }

    fn serialize_char(self, character: char) -> Result<(), Unwritable> {
        self.serialize_str(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Unwritable> {
        self.xml.plain(self.name, Base64Display::new(bytes, &STANDARD))
    }

    fn serialize_none(self) -> Result<(), Unwritable> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unwritable> {
        self.serialize_str("")
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Unwritable> {
        self.serialize_str("")
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Unwritable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items<'x, 'a>, Unwritable> {
        Ok(self.items())
    }

    fn serialize_tuple(self, _length: usize) -> Result<Items<'x, 'a>, Unwritable> {
        Ok(self.items())
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Items<'x, 'a>, Unwritable> {
        Ok(self.items())
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Items<'x, 'a>, Unwritable> {
        Ok(self.items())
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Entries<'x, 'a>, Unwritable> {
        Ok(self.entries())
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Members<'x, 'a>, Unwritable> {
        Ok(self.members())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Members<'x, 'a>, Unwritable> {
        Ok(self.members())
    }
}

/// A list being written.
struct Items<'x, 'a> {
    xml: &'x mut Xml<'a>,
    item: &'x str,
    /// The element around the items and where its content starts.
    around: Option<(&'x str, usize)>,
}

impl Items<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        value.serialize(Element { xml: self.xml, name: self.item })
    }

    fn close(self) {
        if let Some((name, content)) = self.around {
            self.xml.close(name, content);
        }
    }
}

/// The kinds of list that serde knows, which are one to XML.
macro_rules! items {
    ($($kind:ident $method:ident)*) => {
        $(impl $kind for Items<'_, '_> {
            type Ok = ();
            type Error = Unwritable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
                self.item(value)
            }

            fn end(self) -> Result<(), Unwritable> {
                self.close();
                Ok(())
            }
        })*
    };
}

items! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// A map being written.
struct Entries<'x, 'a> {
    xml: &'x mut Xml<'a>,
    item: &'x str,
    names: Entry,
    /// Where the content of the present entry starts.
    start: usize,
    /// The element around the entries and where its content starts.
    around: Option<(&'x str, usize)>,
}

impl SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.start = self.xml.open(self.item);
        key.serialize(Element { xml: self.xml, name: self.names.key })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        value.serialize(Element { xml: self.xml, name: self.names.value })?;
        self.xml.close(self.item, self.start);
        Ok(())
    }

    fn end(self) -> Result<(), Unwritable> {
        if let Some((name, content)) = self.around {
            self.xml.close(name, content);
        }
        Ok(())
    }
}

/// A struct being written.
struct Members<'x, 'a> {
    xml: &'x mut Xml<'a>,
    name: &'x str,
    /// Where its content starts.
    content: usize,
}

impl SerializeStruct for Members<'_, '_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        value.serialize(Element { xml: self.xml, name })
    }

    fn end(self) -> Result<(), Unwritable> {
        self.xml.close(self.name, self.content);
        Ok(())
    }
}

impl SerializeStructVariant for Members<'_, '_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        SerializeStruct::serialize_field(self, name, value)
    }

    fn end(self) -> Result<(), Unwritable> {
        SerializeStruct::end(self)
    }
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

    #[derive(Default, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        id: Option<&'static str>,
        bytes: Option<Blob>,
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
        let mut out = String::new();
        escape("a&<>\"'\r\n\t\x08\0\u{7f}é\u{FFFD}\u{FFFE}\u{FFFF}\u{FEFF}\u{F000}🐦&", &mut out);
        let expected = "a&amp;&lt;&gt;&quot;'&#xD;\n\t\u{FFFD}\u{FFFD}\u{7f}é\u{FFFD}\u{FFFD}\u{FFFD}\u{FEFF}\u{F000}🐦&amp;";
        assert_eq!(out, expected);
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
