//! Trees into the types of edge-core, by serde.
//!
//! A decoder that stops at the first error would show a person one mistake at a time. This one notes each wrong type with
//! its path and place, and goes on with an empty value of the right type.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::node::{Entry, Node, Position, Value};

/// A field that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wrong {
    pub(super) at: Position,
    pub(super) path: String,
    pub(super) reason: String,
}

/// The object that `node` is, with empty values where the list says that something is wrong.
pub(super) fn decode<'n, T: Deserialize<'n> + Default>(node: &'n Node<'n>) -> (T, Vec<Wrong>) {
    let wrong = RefCell::new(Vec::new());
    let object = T::deserialize(Decoder { node, path: &Path::Root, wrong: &wrong });
    let mut wrong = wrong.into_inner();
    let object = object.unwrap_or_else(|error| {
        wrong.push(Wrong { at: node.at, path: String::new(), reason: error.0 });
        T::default()
    });
    (object, wrong)
}

/// The way to a node, as it is on the stack while decoding.
enum Path<'p> {
    Root,
    Field(&'p Self, &'p str),
    Element(&'p Self, usize),
}

/// As Kubernetes writes it. A key that could be misread stands in brackets.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Field(parent, key) => {
                let simple =
                    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                match (simple, parent) {
                    (false, _) => write!(f, "{parent}[{key}]"),
                    (true, Path::Root) => f.write_str(key),
                    (true, _) => write!(f, "{parent}.{key}"),
                }
            }
        }
    }
}

/// What serde itself refuses. It does so nowhere today: the types take each value of the right type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Clone, Copy)]
struct Decoder<'n, 'p> {
    node: &'n Node<'n>,
    path: &'p Path<'p>,
    wrong: &'p RefCell<Vec<Wrong>>,
}

impl<'n> Decoder<'n, '_> {
    fn note(&self, expected: &str) {
        let reason = format!("expected {expected}, found {}", self.node.describe());
        self.wrong.borrow_mut().push(Wrong { at: self.node.at, path: self.path.to_string(), reason });
    }

    /// The integer that this is; Go's decoders also take a float without a fraction.
    fn integer(&self) -> Option<i128> {
        match *self.node.value() {
            Value::Int(value) => Some(value.into()),
            Value::Unsigned(value) => Some(value.into()),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it has no fraction, and 2^63 and more are out of range"
            )]
            Value::Float(value) if value.fract() == 0.0 => Some(value as i128),
            _ => None,
        }
    }

    fn entries(&self) -> &'n [Entry<'n>] {
        match self.node.value() {
            Value::Object(entries) => entries,
            _ => {
                self.note("an object");
                &[]
            }
        }
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ident $expected:literal,)*) => {
        $(fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
            let value = self.integer().and_then(|value| <$type>::try_from(value).ok()).unwrap_or_else(|| {
                self.note($expected);
                0
            });
            visitor.$visit(value)
        })*
    };
}

impl<'n> Deserializer<'n> for Decoder<'n, '_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.node.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(_) => self.deserialize_str(visitor),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
            // `value` never returns it.
            Value::Shared(_) => visitor.visit_unit(),
        }
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        let Value::Bool(value) = self.node.value() else {
            self.note("a boolean");
            return visitor.visit_bool(false);
        };
        visitor.visit_bool(*value)
    }

    integers! {
        deserialize_i32 visit_i32 i32 "an integer of 32 bits",
        deserialize_i64 visit_i64 i64 "an integer of 64 bits",
        deserialize_u32 visit_u32 u32 "an integer of 32 bits that is not negative",
        deserialize_u64 visit_u64 u64 "an integer of 64 bits that is not negative",
    }

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        let Value::String(text) = self.node.value() else {
            self.note("a string");
            return visitor.visit_borrowed_str("");
        };
        visitor.visit_borrowed_str(text)
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.node.value() {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        let items: &[Node<'n>] = match self.node.value() {
            Value::List(items) => items,
            _ => {
                self.note("a list");
                &[]
            }
        };
        visitor.visit_seq(Elements { items: items.iter().enumerate(), list: self })
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_map(Fields { entries: self.entries().iter(), value: None, object: self })
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'n>>
        i8 i16 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct enum identifier
    }
}

struct Elements<'n, 'p, I> {
    items: I,
    list: Decoder<'n, 'p>,
}

impl<'n, I: Iterator<Item = (usize, &'n Node<'n>)>> SeqAccess<'n> for Elements<'n, '_, I> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        let path = Path::Element(self.list.path, index);
        seed.deserialize(Decoder { node, path: &path, wrong: self.list.wrong }).map(Some)
    }
}

struct Fields<'n, 'p, I> {
    entries: I,
    value: Option<&'n Entry<'n>>,
    object: Decoder<'n, 'p>,
}

impl<'n, I: Iterator<Item = &'n Entry<'n>>> MapAccess<'n> for Fields<'n, '_, I> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        self.value = self.entries.next();
        let Some(entry) = self.value else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(&entry.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let Some(Entry { key, node, .. }) = self.value else { return Err(Refused("a value before its key".into())) };
        let path = Path::Field(self.object.path, key);
        seed.deserialize(Decoder { node, path: &path, wrong: self.object.wrong })
    }
}
