//! The output of an operation as a tree, which the encodings of AWS Query write.
//!
//! `serde_json::Value` is not enough: it does not distinguish a map from a structure, and forgets members that
//! `skip_serializing_if` leaves out.

use std::borrow::Cow;

use serde::ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::value::Serializer as Scalar;
use serde_json::{Error, Value};

/// A value of an output.
#[derive(Debug)]
pub(super) enum Shape {
    /// Text, a number, a truth value, or null for a member without a value.
    Scalar(Value),
    /// A list.
    List(Vec<Shape>),
    /// A map, in the order of its entries.
    Map(Vec<(String, Shape)>),
    /// A structure, in the order of its members.
    Structure(Vec<(Cow<'static, str>, Shape)>),
}

impl Shape {
    /// Returns the shape of an output.
    ///
    /// # Panics
    ///
    /// Not for structs that derive `Serialize` and whose maps have text for keys, as outputs are.
    pub fn of<T: Serialize>(output: &T) -> Self {
        #[expect(clippy::expect_used, reason = "outputs are plain structs with text keys in maps")]
        output.serialize(Shaper).expect("an output has a shape")
    }

    /// Returns the shape of an answer: the result of the operation, if it has one, and the request id.
    pub fn answer(operation: &str, request_id: &str, result: Option<Self>) -> Self {
        let result = result.map(|result| (Cow::Owned(format!("{operation}Result")), result));
        let metadata = Self::structure([("RequestId", Self::text(request_id))]);
        Self::Structure(result.into_iter().chain([("ResponseMetadata".into(), metadata)]).collect())
    }

    /// Returns a structure of these members.
    pub fn structure(members: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Structure(members.into_iter().map(|(name, shape)| (name.into(), shape)).collect())
    }

    /// Returns text.
    pub fn text(text: &str) -> Self {
        Self::Scalar(text.into())
    }
}

/// Makes a shape of a value.
struct Shaper;

/// Methods for values that are scalars of JSON.
macro_rules! scalars {
    ($($method:ident $type:ty)*) => {
        $(fn $method(self, value: $type) -> Result<Shape, Error> {
            Scalar.$method(value).map(Shape::Scalar)
        })*
    };
}

/// Methods for values that no output has.
macro_rules! refused {
    ($($method:ident($($argument:ty),*) -> $type:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$type, Error> {
            Err(Error::custom("outputs have neither tuples nor variants with members"))
        })*
    };
}

impl Serializer for Shaper {
    type Ok = Shape;
    type Error = Error;
    type SerializeSeq = Items;
    type SerializeTuple = Impossible<Shape, Error>;
    type SerializeTupleStruct = Impossible<Shape, Error>;
    type SerializeTupleVariant = Impossible<Shape, Error>;
    type SerializeMap = Entries;
    type SerializeStruct = Members;
    type SerializeStructVariant = Impossible<Shape, Error>;

    scalars! {
        serialize_bool bool serialize_char char serialize_str &str serialize_bytes &[u8]
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64
        serialize_f32 f32 serialize_f64 f64 serialize_unit_struct &'static str
    }

    refused! {
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_none(self) -> Result<Shape, Error> {
        self.serialize_unit()
    }

    fn serialize_unit(self) -> Result<Shape, Error> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Shape, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Shape, Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Shape, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<Shape, Error> {
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items, Error> {
        Ok(Items(Vec::with_capacity(length.unwrap_or_default())))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Entries, Error> {
        Ok(Entries::default())
    }

    fn serialize_struct(self, _name: &'static str, length: usize) -> Result<Members, Error> {
        Ok(Members(Vec::with_capacity(length)))
    }
}

struct Items(Vec<Shape>);

impl SerializeSeq for Items {
    type Ok = Shape;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.push(value.serialize(Shaper)?);
        Ok(())
    }

    fn end(self) -> Result<Shape, Error> {
        Ok(Shape::List(self.0))
    }
}

#[derive(Default)]
struct Entries {
    key: String,
    entries: Vec<(String, Shape)>,
}

impl SerializeMap for Entries {
    type Ok = Shape;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match key.serialize(Scalar)? {
            Value::String(key) => self.key = key,
            _ => return Err(Error::custom("the keys of maps are text")),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.entries.push((std::mem::take(&mut self.key), value.serialize(Shaper)?));
        Ok(())
    }

    fn end(self) -> Result<Shape, Error> {
        Ok(Shape::Map(self.entries))
    }
}

struct Members(Vec<(Cow<'static, str>, Shape)>);

impl SerializeStruct for Members {
    type Ok = Shape;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.0.push((name.into(), value.serialize(Shaper)?));
        Ok(())
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), Error> {
        self.serialize_field(name, &())
    }

    fn end(self) -> Result<Shape, Error> {
        Ok(Shape::Structure(self.0))
    }
}
