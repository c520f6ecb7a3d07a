//! AWS Query requests: parameters like `Entry.1.Attribute.2.Name` as a serde format.
//!
//! Parameters are sorted once, segment by segment, so that all parameters below a prefix are one
//! slice: a struct finds its fields in it by binary search, and a list or map iterates over it.
//! Parameters without a field (`Action`, `Version`, `X-Amz-…`) are ignored. Nothing is copied before
//! the final values are made.
//!
//! The type of a value is not known from its text, so `#[serde(flatten)]` and untagged enums are not
//! supported.

use std::cmp::Ordering;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use super::Malformed;
use super::dialect::{Collections, Dialect, Entry, Member};
use super::form::Params;

/// Segments of a parameter's name. SNS has the deepest, with eight:
/// `PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.StringValue`.
const MAX_SEGMENTS: usize = 16;

/// Bytes of a parameter's name, several times the longest of AWS. Each look-up compares names.
const MAX_NAME_BYTES: usize = 512;

/// Decodes the parameters of a request of an operation.
///
/// Indexes determine the order only, and may have gaps. A list or map with an empty value is absent. A value
/// without an index is a list of one element, and a `Name` and `Value` without an index are a map of one entry.
pub fn decode<T: DeserializeOwned>(
    params: &Params,
    dialect: &Dialect,
    operation: &str,
) -> Result<T, Malformed> {
    let mut pairs: Vec<(&str, &str)> = params.iter().collect();
    for (name, _) in &pairs {
        if name.len() > MAX_NAME_BYTES {
            return Err(Malformed::new(format!("The name of the parameter {name} is too long.")));
        }
        if name.split('.').count() > MAX_SEGMENTS {
            return Err(Malformed::new(format!("The parameter {name} is nested too deeply.")));
        }
        // Rule (every SQS operation): an index of 0 in the name of a parameter, also of one that the operation does
        //   not have, is MalformedInput, "0 is not a valid index".
        // Source: reported, rusoto/rusoto#324
        // Test: src/wire/query.rs::indexes_begin_at_one
        if name.split('.').skip(1).any(|segment| segment == "0") {
            return Err(Malformed::new("0 is not a valid index"));
        }
    }
    // Stable, so that the first of several values counts, as in `Params::get`.
    pairs.sort_by(|(left, _), (right, _)| compare(left, right));
    // What lies below a name follows it directly.
    let conflict = pairs
        .windows(2)
        .find(|pair| pair[1].0.strip_prefix(pair[0].0).is_some_and(|below| below.starts_with('.')));
    if let Some([(value, _), (structure, _)]) = conflict {
        return Err(Malformed::new(format!(
            "The parameter {value} must not be given together with {structure}."
        )));
    }
    T::deserialize(Node { dialect, operation, pairs: &pairs, start: 0, member: None })
}

/// One part of a name between dots. Indexes compare as numbers, of whatever size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'p> {
    /// Its digits without leading zeros, which their count precedes, and the count of zeros.
    Index(usize, &'p str, usize),
    Name(&'p str),
}

impl<'p> Segment<'p> {
    fn new(text: &'p str) -> Self {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Name(text);
        }
        let digits = text.trim_start_matches('0');
        Self::Index(digits.len(), digits, text.len() - digits.len())
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    // Most names of a request begin alike. What is equal as text need not be taken apart.
    let alike = left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count();
    let start =
        left.as_bytes()[..alike].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
    left[start..].split('.').map(Segment::new).cmp(right[start..].split('.').map(Segment::new))
}

/// All parameters below one prefix, or the one that is called just so.
#[derive(Clone, Copy)]
struct Node<'p> {
    dialect: &'p Dialect,
    operation: &'p str,
    /// Sorted. All names share what precedes `start`.
    pairs: &'p [(&'p str, &'p str)],
    /// Where the next segment of each name starts: one past the dot, or past the place where a
    /// dot would be when the name ends.
    start: usize,
    /// The row of the member that this is.
    member: Option<&'static Member>,
}

impl<'p> Node<'p> {
    /// The text of the next segment of a name; none when the name ends before it.
    fn segment(name: &'p str, start: usize) -> Option<&'p str> {
        let rest = name.get(start..)?;
        Some(rest.split_once('.').map_or(rest, |(segment, _)| segment))
    }

    /// The value, when nothing lies below the prefix.
    fn value(self) -> Option<&'p str> {
        let (name, value) = self.pairs.first()?;
        Self::segment(name, self.start).is_none().then_some(value)
    }

    /// What lies below one more segment; no pairs when there is nothing.
    fn child(self, segment: &str) -> Self {
        let wanted = Some(Segment::new(segment));
        let at = |name| Self::segment(name, self.start).map(Segment::new);
        let from = self.pairs.partition_point(|(name, _)| at(*name) < wanted);
        let found = &self.pairs[from..];
        let to = found.partition_point(|(name, _)| at(*name) == wanted);
        Self { pairs: &found[..to], start: self.start + segment.len() + 1, member: None, ..self }
    }

    /// The children in order, each with its segment.
    fn children(self) -> impl Iterator<Item = (&'p str, Self)> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let (name, _) = rest.pairs.first()?;
            let segment = Self::segment(name, rest.start)?;
            let child = rest.child(segment);
            rest.pairs = &rest.pairs[child.pairs.len()..];
            Some((segment, child))
        })
    }

    /// The field of a struct, under any of its names, if it is there.
    fn field(self, name: &str) -> Option<Self> {
        let member = self.dialect.member(self.operation, name);
        let called = member.map_or(&[][..], |member| member.called);
        called
            .iter()
            .copied()
            .chain([name])
            .map(|called| Self { member, ..self.child(called) })
            .find(|node| match node.value() {
                Some("") => member.is_none_or(|member| member.given_when_empty),
                _ => !node.pairs.is_empty(),
            })
    }

    /// The elements of a list.
    fn items(self) -> Result<Vec<Self>, Malformed> {
        let list = match self.dialect.collections {
            Collections::Flattened => self,
            Collections::Wrapped if self.value().is_some() => self,
            Collections::Wrapped => self.child("member"),
        };
        match list.value() {
            Some("") => Ok(Vec::new()),
            Some(_) => Ok(vec![Self { member: None, ..list }]),
            None => list.indexed(),
        }
    }

    /// The keys and values of a map.
    fn entries(self) -> Result<Vec<(&'p str, Self)>, Malformed> {
        let Entry { key, value } = self.member.map_or(Entry::DEFAULT, |member| member.entry);
        let map = match self.dialect.collections {
            Collections::Flattened => self,
            Collections::Wrapped => self.child("entry"),
        };
        let entries = match self.value() {
            Some("") => Vec::new(),
            Some(_) => return Err(self.is_not("a map")),
            None if map.child(key).pairs.is_empty() => map.indexed()?,
            None => vec![map],
        };
        entries
            .into_iter()
            .map(|entry| {
                let (name, content) = (entry.child(key), entry.child(value));
                let is_named = !name.pairs.is_empty();
                if content.pairs.is_empty() && (is_named || entry.value().is_some()) {
                    let entry = entry.path();
                    return Err(Malformed::new(format!(
                        "The request must contain the parameter {entry}.{value}."
                    )));
                }
                // A name that is left out is an empty one, about which the service has its say.
                Ok((if is_named { name.text()? } else { "" }, content))
            })
            .collect()
    }

    /// The children, which all must be indexes.
    fn indexed(self) -> Result<Vec<Self>, Malformed> {
        self.children()
            .map(|(segment, child)| match Segment::new(segment) {
                Segment::Index(..) => Ok(child),
                Segment::Name(_) => Err(child.is_not("an element of a list or map")),
            })
            .collect()
    }

    /// The value of what is no collection.
    fn text(self) -> Result<&'p str, Malformed> {
        if self.pairs.is_empty() {
            return Err(Malformed::new("The request must contain a value for each name."));
        }
        self.value().ok_or_else(|| self.is_not("a single value"))
    }

    /// The prefix, for sentences.
    fn path(self) -> &'p str {
        let name = self.pairs.first().map_or("", |(name, _)| name);
        name.get(..self.start.saturating_sub(1)).unwrap_or(name)
    }

    fn is_not(self, expected: &str) -> Malformed {
        Malformed::new(format!("The parameter {} is not {expected}.", self.path()))
    }
}

/// Methods that take text for what the visitor makes of it.
macro_rules! text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
            let visited: Result<_, Malformed> = visitor.visit_str(self.text()?);
            visited.map_err(|error| {
                Malformed::new(format!("The parameter {} cannot be read: {error}.", self.path()))
            })
        })*
    };
}

/// Methods that parse text first.
macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty, $expected:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
            let value: $type = self.text()?.parse().map_err(|_| self.is_not($expected))?;
            let visited: Result<_, Malformed> = visitor.$visit(value);
            visited.map_err(|_| self.is_not($expected))
        })*
    };
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Malformed;

    text! {
        deserialize_any deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_identifier
    }

    parsed! {
        deserialize_i8 visit_i64 i64, "an integer in its range";
        deserialize_i16 visit_i64 i64, "an integer in its range";
        deserialize_i32 visit_i64 i64, "an integer in its range";
        deserialize_i64 visit_i64 i64, "an integer in its range";
        deserialize_u8 visit_u64 u64, "an integer in its range";
        deserialize_u16 visit_u64 u64, "an integer in its range";
        deserialize_u32 visit_u64 u64, "an integer in its range";
        deserialize_u64 visit_u64 u64, "an integer in its range";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.text()? {
            text if text.eq_ignore_ascii_case("true") => visitor.visit_bool(true),
            text if text.eq_ignore_ascii_case("false") => visitor.visit_bool(false),
            _ => Err(self.is_not("true or false")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_seq(Items(self.items()?.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_map(Entries { entries: self.entries()?.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        if self.value().is_some() {
            return Err(self.is_not("a structure"));
        }
        visitor.visit_map(Fields { node: self, names: fields.iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_enum(self.text()?.into_deserializer())
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_unit()
    }
}

struct Items<'p>(std::vec::IntoIter<Node<'p>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Malformed;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Malformed> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// A value was asked for before its key, which no visitor does.
fn no_value() -> Malformed {
    Malformed::new("A parameter of the request has no value.")
}

struct Entries<'p> {
    entries: std::vec::IntoIter<(&'p str, Node<'p>)>,
    value: Option<Node<'p>>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Malformed;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Malformed> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Malformed> {
        seed.deserialize(self.value.take().ok_or_else(no_value)?)
    }
}

struct Fields<'p> {
    node: Node<'p>,
    names: std::slice::Iter<'static, &'static str>,
    value: Option<Node<'p>>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Malformed;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Malformed> {
        let node = self.node;
        let found = self.names.find_map(|field| Some((field, node.field(field)?)));
        let Some((field, value)) = found else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Malformed> {
        seed.deserialize(self.value.take().ok_or_else(no_value)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::wire::dialect::samples::{FLATTENED, WRAPPED};
    use crate::wire::{Blob, json};

    #[derive(Debug, Default, Clone, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        text: Option<String>,
        number: Option<i64>,
        small: Option<u8>,
        flag: Option<bool>,
        names: Option<Vec<String>>,
        #[serde(rename = "tags")]
        tags: Option<BTreeMap<String, String>>,
        message_attributes: Option<BTreeMap<String, Attribute>>,
        entries: Option<Vec<Item>>,
    }

    #[derive(Debug, Default, Clone, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Attribute {
        text: Option<String>,
        bytes: Option<Blob>,
    }

    #[derive(Debug, Default, Clone, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        id: Option<String>,
        message_attributes: Option<BTreeMap<String, Attribute>>,
    }

    fn read(dialect: &Dialect, body: &str) -> Result<Input, Malformed> {
        decode(&Params::parse(None, body.as_bytes()).unwrap(), dialect, "First")
    }

    fn flattened(body: &str) -> Result<Input, Malformed> {
        read(&FLATTENED, body)
    }

    fn names(names: &[&str]) -> Input {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Input { names: Some(names), ..Input::default() }
    }

    fn tags(tags: &[(&str, &str)]) -> Input {
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Input { tags: Some(tags), ..Input::default() }
    }

    #[test]
    fn scalars_are_parsed_and_the_unknown_is_ignored() {
        let read =
            flattened("Action=First&Number=-5&Small=200&Flag=True&Text=&X-Amz-Date=x&A.1.B=");
        let expected = Input {
            text: Some(String::new()),
            number: Some(-5),
            small: Some(200),
            flag: Some(true),
            ..Input::default()
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(flattened(""), Ok(Input::default()));
        assert_eq!(flattened("Number=1&Number=x").unwrap().number, Some(1), "the first counts");
    }

    #[test]
    fn indexes_are_numbers_and_may_have_holes() {
        let read = flattened("Name.10=d&Name.2=b&Name.03=c&Name.1=a&Name.99999999999999999999=e");
        assert_eq!(read, Ok(names(&["a", "b", "c", "d", "e"])));
    }

    #[test]
    fn indexes_begin_at_one() {
        for body in ["Name.0=a", "Name.1=a&Name.0=b", "Tag.0.Key=a", "NoSuchList.0=a"] {
            assert_eq!(flattened(body), Err(Malformed::new("0 is not a valid index")), "{body}");
        }
    }

    #[test]
    fn lists_have_several_names() {
        assert_eq!(flattened("OneName.1=a&Name.1=b"), Ok(names(&["a"])));
        assert_eq!(flattened("OneName=&Name.1=b"), Ok(names(&["b"])));
        assert_eq!(flattened("Names.1=b"), Ok(names(&["b"])));
    }

    #[test]
    fn without_an_index() {
        assert_eq!(flattened("Name=All"), Ok(names(&["All"])));
        assert_eq!(flattened("Tag.Key=a&Tag.Value=b"), Ok(tags(&[("a", "b")])));
        assert_eq!(flattened("Name=&Tag=&MessageAttribute&FirstEntry="), Ok(Input::default()));
        // A name that is left out is empty, whatever is left of its entry.
        assert_eq!(flattened("Tag.1.Value=b"), Ok(tags(&[("", "b")])));
        let nameless = Some(BTreeMap::from([(String::new(), Attribute::default())]));
        let nameless = Input { message_attributes: nameless, ..Input::default() };
        assert_eq!(flattened("MessageAttribute.1.key=a"), Ok(nameless));
        let empty = Input { tags: tags(&[]).tags, ..names(&[]) };
        assert_eq!(read(&WRAPPED, "Names=&tags="), Ok(empty), "without a row of the dialect");
    }

    #[test]
    fn wrapped_collections() {
        let body = "Names.member.1=a&Names.member.2=b";
        assert_eq!(read(&WRAPPED, body), Ok(names(&["a", "b"])));
        let body = "tags.entry.1.key=a&tags.entry.1.value=b&tags.entry.2.key=c&tags.entry.2.value=";
        assert_eq!(read(&WRAPPED, body), Ok(tags(&[("a", "b"), ("c", "")])));
        let body = "Entries.member.1.MessageAttributes.entry.1.Name=n\
            &Entries.member.1.MessageAttributes.entry.1.Value.Bytes=AP8%3D&Entries.member.1.Id=i";
        let bytes = Attribute { text: None, bytes: Some(Blob(vec![0, 255])) };
        let message_attributes = Some(BTreeMap::from([("n".to_owned(), bytes)]));
        let entries = Some(vec![Item { id: Some("i".to_owned()), message_attributes }]);
        assert_eq!(read(&WRAPPED, body), Ok(Input { entries, ..Input::default() }));
    }

    #[test]
    fn refusals_name_the_parameter() {
        for (body, sentence) in [
            ("Number=", "The parameter Number is not an integer in its range."),
            ("Number=1.5", "The parameter Number is not an integer in its range."),
            ("Number=9223372036854775808", "The parameter Number is not an integer in its range."),
            ("Small=256", "The parameter Small is not an integer in its range."),
            ("Flag=1", "The parameter Flag is not true or false."),
            ("Text.1=a", "The parameter Text is not a single value."),
            ("Name.1.X=a", "The parameter Name.1 is not a single value."),
            ("Name.x=a", "The parameter Name.x is not an element of a list or map."),
            ("Name.=a", "The parameter Name. is not an element of a list or map."),
            ("Tag=a", "The parameter Tag is not a map."),
            ("Tag.1.Key=a", "The request must contain the parameter Tag.1.Value."),
            ("Tag.1=a", "The request must contain the parameter Tag.1.Value."),
            ("Tag.1.Name=a", "The request must contain a value for each name."),
            ("Tag.1.Key.1=a&Tag.1.Value=", "The parameter Tag.1.Key is not a single value."),
            ("FirstEntry.1=a", "The parameter FirstEntry.1 is not a structure."),
            ("FirstEntry.Id=a", "The parameter FirstEntry.Id is not an element of a list or map."),
            (
                "MessageAttribute.1.Name=a&MessageAttribute.1.Value.Bytes=x",
                "The parameter MessageAttribute.1.Value.Bytes cannot be read: not valid Base64.",
            ),
            ("A.1.B=x&A.1=y", "The parameter A.1 must not be given together with A.1.B."),
            ("Name=x&Name.1=y", "The parameter Name must not be given together with Name.1."),
        ] {
            assert_eq!(flattened(body).unwrap_err().to_string(), sentence, "{body}");
        }
    }

    #[test]
    fn many_and_long_names() {
        let entry = |i: usize| format!("FirstEntry.{}{i}.Id={i}", "0".repeat(i % 400));
        let body: Vec<String> = (1..=4_000).rev().map(entry).collect();
        let ids = flattened(&body.join("&")).unwrap().entries.unwrap();
        let expected = (1..=4_000).map(|i| i.to_string());
        assert!(ids.into_iter().map(|item| item.id.unwrap()).eq(expected));

        let nested = |dots: usize| format!("Tag{}=x", ".1".repeat(dots));
        assert!(flattened(&nested(15)).unwrap_err().to_string().contains("must contain"));
        assert!(flattened(&nested(16)).unwrap_err().to_string().contains("too deeply"));
        let long = flattened(&format!("Name.1{}=a", "0".repeat(1_000_000))).unwrap_err();
        assert!(long.to_string().len() < 500);
    }

    /// What an SDK sends for this input.
    fn parameters(input: &Input, dialect: &Dialect) -> Vec<(String, String)> {
        let flat = dialect.collections == Collections::Flattened;
        let pick =
            |flattened: &str, wrapped: &str| (if flat { flattened } else { wrapped }).to_owned();
        let mut pairs = Vec::new();
        let mut put = |name: String, value: &str| pairs.push((name, value.to_owned()));
        let attributes = |prefix: &str, attributes: &BTreeMap<String, Attribute>| {
            let list = format!("{prefix}{}", pick("MessageAttribute", "MessageAttributes.entry"));
            let mut pairs = Vec::new();
            for (at, (name, attribute)) in attributes.iter().enumerate() {
                let entry = format!("{list}.{}", at + 1);
                pairs.push((format!("{entry}.Name"), name.clone()));
                if let Some(text) = &attribute.text {
                    pairs.push((format!("{entry}.Value.Text"), text.clone()));
                }
                if let Some(bytes) = &attribute.bytes {
                    let base64 = serde_json::to_value(bytes).unwrap();
                    let base64 = base64.as_str().unwrap().to_owned();
                    pairs.push((format!("{entry}.Value.Bytes"), base64));
                }
            }
            pairs
        };
        if let Some(text) = &input.text {
            put("Text".to_owned(), text);
        }
        if let Some(number) = input.number {
            put("Number".to_owned(), &number.to_string());
        }
        if let Some(small) = input.small {
            put("Small".to_owned(), &small.to_string());
        }
        if let Some(flag) = input.flag {
            put("Flag".to_owned(), &flag.to_string());
        }
        for (at, name) in input.names.iter().flatten().enumerate() {
            put(format!("{}.{}", pick("Name", "Names.member"), at + 1), name);
        }
        for (at, (key, value)) in input.tags.iter().flatten().enumerate() {
            let entry = format!("{}.{}", pick("Tag", "tags.entry"), at + 1);
            put(format!("{entry}.{}", pick("Key", "key")), key);
            put(format!("{entry}.{}", pick("Value", "value")), value);
        }
        for (at, item) in input.entries.iter().flatten().enumerate() {
            let entry = format!("{}.{}", pick("FirstEntry", "Entries.member"), at + 1);
            if let Some(id) = &item.id {
                put(format!("{entry}.Id"), id);
            }
            for (name, value) in
                item.message_attributes.iter().flat_map(|it| attributes(&format!("{entry}."), it))
            {
                put(name, &value);
            }
        }
        pairs.extend(input.message_attributes.iter().flat_map(|it| attributes("", it)));
        pairs
    }

    /// Each with at least one member, since a structure without any cannot be sent.
    fn some_attributes() -> impl Strategy<Value = BTreeMap<String, Attribute>> {
        let bytes = || vec(any::<u8>(), 0..20).prop_map(Blob);
        let attribute = prop_oneof![
            any::<String>().prop_map(|text| Attribute { text: Some(text), bytes: None }),
            (option::of(any::<String>()), bytes())
                .prop_map(|(text, bytes)| Attribute { text, bytes: Some(bytes) }),
        ];
        btree_map(any::<String>(), attribute, 1..12)
    }

    fn some_input() -> impl Strategy<Value = Input> {
        let item = (any::<String>(), option::of(some_attributes()))
            .prop_map(|(id, message_attributes)| Item { id: Some(id), message_attributes });
        (
            (option::of(any::<String>()), any::<Option<i64>>(), any::<Option<u8>>()),
            any::<Option<bool>>(),
            option::of(vec(any::<String>(), 1..12)),
            option::of(btree_map(any::<String>(), any::<String>(), 1..12)),
            option::of(some_attributes()),
            option::of(vec(item, 1..12)),
        )
            .prop_map(
                |((text, number, small), flag, names, tags, message_attributes, entries)| Input {
                    text,
                    number,
                    small,
                    flag,
                    names,
                    tags,
                    message_attributes,
                    entries,
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn names_are_in_the_order_of_their_segments(
            alike in "[a1.0]{0,4}",
            left in "[a1.0]{0,6}",
            right in "[a1.0]{0,6}",
        ) {
            let names = [format!("{alike}{left}"), format!("{alike}{right}")];
            let [left, right] = names.each_ref().map(|name| name.split('.').map(Segment::new));
            prop_assert_eq!(compare(&names[0], &names[1]), left.cmp(right));
        }

        #[test]
        fn both_protocols_decode_to_the_same(
            (input, seed) in (some_input(), any::<u64>()),
            wrapped in any::<bool>(),
        ) {
            let dialect = if wrapped { &WRAPPED } else { &FLATTENED };
            let mut pairs = parameters(&input, dialect);
            fastrand::Rng::with_seed(seed).shuffle(&mut pairs);
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
            let (query, body) = pairs.split_at(pairs.len() / 3);
            let params = Params::parse(Some(&query.join("&")), body.join("&").as_bytes()).unwrap();
            let from_query: Input = decode(&params, dialect, "First").unwrap();
            let from_json: Input = json::decode(&json::encode(&input)).unwrap();
            prop_assert_eq!(&from_query, &from_json);
            prop_assert_eq!(&from_query, &input);
        }

        #[test]
        fn anything_is_decoded_or_refused(
            body in vec("(Name|Names|Tag|tags|MessageAttribute|MessageAttributes|FirstEntry|Entries|Text|Number)?(\\.(member|entry|Key|key|Name|Value|Id|[0-9]{1,3}|)){0,4}=[a1=]?", 0..8),
            wrapped in any::<bool>(),
        ) {
            let dialect = if wrapped { &WRAPPED } else { &FLATTENED };
            if let Err(refusal) = read(dialect, &body.join("&")) {
                prop_assert!(!refusal.to_string().is_empty());
            }
        }
    }
}
