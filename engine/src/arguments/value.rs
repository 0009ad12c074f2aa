//! Values that stand alone: numbers, texts, lists, and the way into the others.

use super::members::{OneOf, Record, Tagged};
use super::wording::{expected, shorten};
use super::{Reader, Step};
use crate::shape::{Integer, MAXIMUM_DEPTH, Shape};
use base64::Engine as _;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use wasmtime::component::Val;

/// Beyond this, a JSON number that is read as a double may stand for another integer than the one
/// that was written (RFC 8259, 6): 2^53 is also what 2^53 + 1 is rounded to.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// A piece that the allocator gives for a small value.
const BOXED: usize = 48;

/// Bytes that a value takes, without its parts and the length of its text. What a record leaves out
/// is in it as well.
fn size(shape: &Shape) -> usize {
    size_of::<Val>()
        + match shape {
            Shape::Record(fields) => {
                fields.iter().map(|field| BOXED + size_of::<Val>() + field.name.len()).sum()
            }
            Shape::Option(inner) => BOXED + size(inner),
            Shape::Variant(_) | Shape::Result(..) | Shape::Future(_) => 2 * BOXED,
            Shape::Enum(_) | Shape::Flags(_) | Shape::String => BOXED,
            _ => 0,
        }
}

/// Reads a value of one shape.
pub(super) struct Value<'a, 'b, 'r> {
    pub(super) shape: &'a Shape,
    pub(super) reader: &'b mut Reader<'r>,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        if self.reader.path.len() > MAXIMUM_DEPTH {
            return Err(self.reader.refuse(format_args!("nested deeper than {MAXIMUM_DEPTH}")));
        }
        self.reader.hold(size(self.shape))?;
        match self.shape {
            Shape::Record(fields) => {
                let seed = Record { fields, reader: self.reader, what: "an object" };
                Ok(Val::Record(seed.deserialize(deserializer)?))
            }
            Shape::Variant(_) | Shape::Result(..) => {
                deserializer.deserialize_any(Tagged { shape: self.shape, reader: self.reader })
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl Value<'_, '_, '_> {
    fn mismatch<E: serde::de::Error>(self, found: impl fmt::Display) -> E {
        let message = format!("expected {}, got {found}", expected(self.shape));
        self.reader.refuse(message)
    }

    fn integer<E: serde::de::Error>(self, integer: Integer, value: i128) -> Result<Val, E> {
        let (low, high) = integer.range();
        if value < low || value > high {
            return Err(self.mismatch(value));
        }
        // The range was checked just above, so no cast loses anything.
        Ok(match integer {
            Integer::U8 => Val::U8(value as u8),
            Integer::U16 => Val::U16(value as u16),
            Integer::U32 => Val::U32(value as u32),
            Integer::U64 => Val::U64(value as u64),
            Integer::S8 => Val::S8(value as i8),
            Integer::S16 => Val::S16(value as i16),
            Integer::S32 => Val::S32(value as i32),
            Integer::S64 => Val::S64(value as i64),
        })
    }

    fn whole<E: serde::de::Error>(self, value: i128) -> Result<Val, E> {
        match self.shape {
            Shape::Integer(integer) => {
                let integer = *integer;
                self.integer(integer, value)
            }
            Shape::Float32 | Shape::Float64 => self.fractional(value as f64),
            Shape::Option(inner) if !matches!(**inner, Shape::Option(_)) => {
                Value { shape: inner, reader: self.reader }.whole(value).map(some)
            }
            Shape::Future(inner) => {
                Value { shape: inner, reader: self.reader }.whole(value).map(single)
            }
            _ => Err(self.mismatch("a number")),
        }
    }

    fn fractional<E: serde::de::Error>(self, value: f64) -> Result<Val, E> {
        match self.shape {
            Shape::Float64 => Ok(Val::Float64(value)),
            Shape::Float32 => {
                let narrow = value as f32;
                if narrow.is_infinite() && value.is_finite() {
                    return Err(self.mismatch(format_args!("{value:e}, which no f32 can hold")));
                }
                Ok(Val::Float32(narrow))
            }
            Shape::Integer(integer) if value.fract() == 0.0 && value.abs() <= EXACT => {
                let integer = *integer;
                self.integer(integer, value as i128)
            }
            Shape::Integer(integer) if value.fract() == 0.0 => {
                let (low, high) = integer.range();
                if value < low as f64 || value > high as f64 {
                    return Err(self.mismatch(format_args!("{value:e}")));
                }
                Err(self.mismatch("a number too large to be exact; send it as a string of digits"))
            }
            Shape::Integer(_) => Err(self.mismatch(value)),
            Shape::Option(inner) if !matches!(**inner, Shape::Option(_)) => {
                Value { shape: inner, reader: self.reader }.fractional(value).map(some)
            }
            Shape::Future(inner) => {
                Value { shape: inner, reader: self.reader }.fractional(value).map(single)
            }
            _ => Err(self.mismatch("a number")),
        }
    }

    fn bytes<E: serde::de::Error>(self, text: &str) -> Result<Val, E> {
        self.reader.hold(text.len() / 4 * 3 * size_of::<Val>())?;
        match decode_base64(text) {
            Some(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
            None => Err(self.mismatch("a string that is not base64")),
        }
    }

    fn text<E: serde::de::Error>(self, text: &str) -> Result<Val, E> {
        match self.shape {
            Shape::String => {
                self.reader.hold(text.len())?;
                Ok(Val::String(text.to_owned()))
            }
            Shape::Char => {
                let mut characters = text.chars();
                match (characters.next(), characters.next()) {
                    (Some(only), None) => Ok(Val::Char(only)),
                    _ => Err(self.mismatch(format_args!("{} characters", text.chars().count()))),
                }
            }
            Shape::Enum(names) => match names.iter().find(|name| &***name == text) {
                Some(name) => Ok(Val::Enum(name.to_string())),
                None => Err(self.mismatch(format_args!("\"{}\"", shorten(text)))),
            },
            Shape::Bytes => self.bytes(text),
            Shape::Stream(element) if matches!(**element, Shape::Integer(Integer::U8)) => {
                self.bytes(text)
            }
            Shape::Integer(integer) => match exact_integer(text) {
                Some(value) => {
                    let integer = *integer;
                    self.integer(integer, value)
                }
                None => Err(self.mismatch(format_args!("\"{}\"", shorten(text)))),
            },
            Shape::Float32 | Shape::Float64 => match exact_float(text) {
                Some(value) => self.fractional(value),
                None => Err(self.mismatch(format_args!("\"{}\"", shorten(text)))),
            },
            Shape::Option(inner) if !matches!(**inner, Shape::Option(_)) => {
                Value { shape: inner, reader: self.reader }.text(text).map(some)
            }
            Shape::Future(inner) => {
                Value { shape: inner, reader: self.reader }.text(text).map(single)
            }
            Shape::Own | Shape::Borrow => {
                let owned = matches!(self.shape, Shape::Own);
                match self.reader.resources.take(text, owned) {
                    Some(value) => Ok(value),
                    None => Err(self.reader.refuse(
                        "this handle is not known here: it may have been dropped, given away, or \
                         have expired; ask the tool that made it for a new one",
                    )),
                }
            }
            _ => Err(self.mismatch("a string")),
        }
    }
}

pub(super) fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

/// A future's value, in the list form that streams and futures wait in.
pub(super) fn single(value: Val) -> Val {
    Val::List(vec![value])
}

pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// An integer written the one way JSON writes it, so that `"007"` and `" 7"` stay strings.
pub(super) fn exact_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = !digits.is_empty()
        && digits.len() <= 20
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| text.parse().ok())?
}

pub(super) fn exact_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => serde_json::from_str::<f64>(text).ok().filter(|_| !text.contains(char::is_whitespace)),
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_> {
    type Value = Val;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&expected(self.shape))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Val, E> {
        match self.shape {
            Shape::Bool => Ok(Val::Bool(value)),
            Shape::Option(inner) if !matches!(**inner, Shape::Option(_)) => {
                Value { shape: inner, reader: self.reader }.visit_bool(value).map(some)
            }
            Shape::Future(inner) => {
                Value { shape: inner, reader: self.reader }.visit_bool(value).map(single)
            }
            _ => Err(self.mismatch(value)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Val, E> {
        self.whole(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Val, E> {
        self.whole(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Val, E> {
        self.fractional(value)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Val, E> {
        self.text(text)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Val, E> {
        match self.shape {
            Shape::Option(_) => Ok(Val::Option(None)),
            _ => Err(self.mismatch("null")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Val, A::Error> {
        let reader = self.reader;
        match self.shape {
            Shape::List(element) | Shape::Stream(element) => {
                sequence(element, reader, &mut items).map(Val::List)
            }
            Shape::Bytes => {
                sequence(&Shape::Integer(Integer::U8), reader, &mut items).map(Val::List)
            }
            Shape::Tuple(shapes) => {
                let mut values = Vec::with_capacity(shapes.len());
                for (index, shape) in shapes.iter().enumerate() {
                    reader.path.push(Step::Index(index));
                    let value = items.next_element_seed(Value { shape, reader })?;
                    reader.path.pop();
                    let Some(value) = value else {
                        let wanted = shapes.len();
                        return Err(reader.refuse(format_args!(
                            "expected an array of {wanted} items, got {index}"
                        )));
                    };
                    values.push(value);
                }
                if items.next_element::<serde::de::IgnoredAny>()?.is_some() {
                    let wanted = shapes.len();
                    return Err(reader
                        .refuse(format_args!("expected an array of {wanted} items, got more")));
                }
                Ok(Val::Tuple(values))
            }
            Shape::Map(key, value) if !matches!(**key, Shape::String) => {
                let mut pairs: Vec<(Val, Val)> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                loop {
                    reader.path.push(Step::Index(pairs.len()));
                    let Some(pair) = items.next_element_seed(Pair { key, value, reader })? else {
                        reader.path.pop();
                        return Ok(Val::Map(pairs));
                    };
                    // Keys are integers, booleans or characters: their debug form is unique.
                    if !seen.insert(format!("{:?}", pair.0)) {
                        return Err(reader.refuse("this key is given twice"));
                    }
                    reader.path.pop();
                    pairs.push(pair);
                }
            }
            Shape::Flags(names) => {
                let mut set: Vec<String> = Vec::new();
                loop {
                    reader.path.push(Step::Index(set.len()));
                    let seed = OneOf { items: names, name: |name| name, reader };
                    let Some(name) = items.next_element_seed(seed)? else {
                        reader.path.pop();
                        break;
                    };
                    if set.iter().any(|known| **known == **name) {
                        return Err(reader.refuse(format_args!("\"{name}\" is given twice")));
                    }
                    reader.path.pop();
                    reader.hold(BOXED + size_of::<String>())?;
                    set.push(name.to_string());
                }
                Ok(Val::Flags(set))
            }
            Shape::Option(inner) if !matches!(**inner, Shape::Option(_)) => {
                Value { shape: inner, reader }.visit_seq(items).map(some)
            }
            shape => Err(Value { shape, reader }.mismatch("an array")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Val, A::Error> {
        let reader = self.reader;
        match self.shape {
            Shape::Record(fields) => {
                Record { fields, reader, what: "an object" }.visit_map(entries).map(Val::Record)
            }
            shape @ (Shape::Variant(_) | Shape::Result(..)) => {
                Tagged { shape, reader }.visit_map(entries)
            }
            Shape::Map(key, value) if matches!(**key, Shape::String) => {
                let mut pairs: Vec<(Val, Val)> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some(key) = entries.next_key::<String>()? {
                    // The key, and once more among those that were seen.
                    reader.hold(2 * (BOXED + key.len()))?;
                    if !seen.insert(key.clone()) {
                        return Err(reader.refuse_at(&key, "this key is given twice"));
                    }
                    reader.path.push(Step::Key(key.clone()));
                    let value = entries.next_value_seed(Value { shape: value, reader })?;
                    reader.path.pop();
                    pairs.push((Val::String(key), value));
                }
                Ok(Val::Map(pairs))
            }
            Shape::Option(inner) if matches!(**inner, Shape::Option(_)) => {
                let value = only_entry(&mut entries, reader, "some", inner)?;
                Ok(some(value))
            }
            Shape::Option(inner) => Value { shape: inner, reader }.visit_map(entries).map(some),
            shape => Err(Value { shape, reader }.mismatch("an object")),
        }
    }
}

pub(super) fn sequence<'de, A: SeqAccess<'de>>(
    element: &Shape,
    reader: &mut Reader<'_>,
    items: &mut A,
) -> Result<Vec<Val>, A::Error> {
    let mut values = Vec::new();
    loop {
        reader.path.push(Step::Index(values.len()));
        let value = items.next_element_seed(Value { shape: element, reader })?;
        reader.path.pop();
        match value {
            Some(value) => values.push(value),
            None => return Ok(values),
        }
    }
}

/// Reads `{"name": value}` and nothing else.
pub(super) fn only_entry<'de, A: MapAccess<'de>>(
    entries: &mut A,
    reader: &mut Reader<'_>,
    name: &str,
    shape: &Shape,
) -> Result<Val, A::Error> {
    let wrong = format!("expected exactly one key, \"{name}\"");
    let Some(key) = entries.next_key::<String>()? else {
        return Err(reader.refuse(wrong));
    };
    if key != name {
        return Err(reader.refuse_at(&key, wrong));
    }
    reader.path.push(Step::Key(key));
    let value = entries.next_value_seed(Value { shape, reader })?;
    reader.path.pop();
    match entries.next_key::<String>()? {
        None => Ok(value),
        Some(extra) => Err(reader.refuse_at(&extra, wrong)),
    }
}

pub(super) struct Pair<'a, 'b, 'r> {
    pub(super) key: &'a Shape,
    pub(super) value: &'a Shape,
    pub(super) reader: &'b mut Reader<'r>,
}

impl<'de> DeserializeSeed<'de> for Pair<'_, '_, '_> {
    type Value = (Val, Val);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(Val, Val), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_, '_, '_> {
    type Value = (Val, Val);

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a [key, value] pair")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(Val, Val), A::Error> {
        let Pair { key, value, reader } = self;
        let mut part = |index, shape| {
            reader.path.push(Step::Index(index));
            let value = items.next_element_seed(Value { shape, reader })?;
            reader.path.pop();
            value.ok_or_else(|| reader.refuse("expected a [key, value] pair"))
        };
        let pair = (part(0, key)?, part(1, value)?);
        match items.next_element::<serde::de::IgnoredAny>()? {
            None => Ok(pair),
            Some(_) => Err(reader.refuse("expected a [key, value] pair, got more items")),
        }
    }
}
