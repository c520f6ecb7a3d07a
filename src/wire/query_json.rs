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
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::value::Serializer as Plain;
use serde_json::{Error, Map, Value, json};

/// The body of an answer: `{"OpResponse":{"OpResult":{…},"ResponseMetadata":{"RequestId":…}}}`,
/// without an `OpResult` when the operation has no output.
///
/// # Panics
///
/// Not for structs that derive `Serialize` and whose maps have text for keys, as outputs are.
pub fn response<T: Serialize>(
    operation: &str,
    request_id: &str,
    dialect: &Dialect,
    output: Option<&T>,
) -> Vec<u8> {
    let mut response = Map::new();
    if let Some(output) = output {
        let root = Element { dialect, operation, name: "" };
        #[expect(clippy::expect_used, reason = "outputs are plain structs with text keys in maps")]
        let result = output.serialize(root).expect("an output is representable in JSON");
        response.insert(format!("{operation}Result"), result);
    }
    response.insert("ResponseMetadata".to_owned(), json!({"RequestId": request_id}));
    let mut body = Map::new();
    body.insert(format!("{operation}Response"), Value::Object(response));
    Value::Object(body).to_string().into_bytes()
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
/// The body of an error; `sender` says whether the caller caused it.
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

/// Writes a value that stands under this name.
#[derive(Clone, Copy)]
struct Element<'a> {
    dialect: &'a Dialect,
    operation: &'a str,
    name: &'static str,
}

/// Methods for values that every JSON writes alike.
macro_rules! plain {
    ($($method:ident $type:ty)*) => {
        $(fn $method(self, value: $type) -> Result<Value, Error> {
            Plain.$method(value)
        })*
    };
}

impl<'a> Serializer for Element<'a> {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Impossible<Value, Error>;
    type SerializeTupleStruct = Impossible<Value, Error>;
    type SerializeTupleVariant = Impossible<Value, Error>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Impossible<Value, Error>;

    plain! {
        serialize_bool bool serialize_char char serialize_str &str serialize_bytes &[u8]
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64
        serialize_f32 f32 serialize_f64 f64 serialize_unit_struct &'static str
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(Items { element: self, items: Vec::new() })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Entries<'a>, Error> {
        Ok(Entries { element: self, key: String::new(), written: Vec::new() })
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Members<'a>, Error> {
        Ok(Members { element: self, members: Map::new() })
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_output())
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_output())
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_output())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_output())
    }
}

fn no_output() -> Error {
    Error::custom("outputs have neither tuples nor variants with members")
}

/// A list being written.
struct Items<'a> {
    element: Element<'a>,
    items: Vec<Value>,
}

impl SerializeSeq for Items<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.push(value.serialize(self.element)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Array(self.items))
    }
}

/// A map being written.
struct Entries<'a> {
    element: Element<'a>,
    key: String,
    written: Vec<(String, Value)>,
}

impl SerializeMap for Entries<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match key.serialize(Plain)? {
            Value::String(key) => self.key = key,
            _ => return Err(Error::custom("the keys of maps are text")),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let value = value.serialize(self.element)?;
        self.written.push((std::mem::take(&mut self.key), value));
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        let Element { dialect, operation, name } = self.element;
        if dialect.collections == Collections::Wrapped {
            return Ok(Value::Object(self.written.into_iter().collect()));
        }
        let names = dialect.member(operation, name).map_or(Entry::DEFAULT, |member| member.entry);
        let entries = self.written.into_iter();
        Ok(entries.map(|(key, value)| json!({names.key: key, names.value: value})).collect())
    }
}

/// A struct being written.
struct Members<'a> {
    element: Element<'a>,
    members: Map<String, Value>,
}

impl Members<'_> {
    fn insert(&mut self, name: &'static str, value: Value) {
        let member = self.element.dialect.member(self.element.operation, name);
        let name = member.and_then(|member| member.in_query_json).unwrap_or(name);
        self.members.insert(name.to_owned(), value);
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let value = value.serialize(Element { name, ..self.element })?;
        self.insert(name, value);
        Ok(())
    }

    /// What the other encodings leave out is null here.
    fn skip_field(&mut self, name: &'static str) -> Result<(), Error> {
        if self.element.dialect.has(self.element.operation, name) {
            self.insert(name, Value::Null);
        }
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Object(self.members))
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
