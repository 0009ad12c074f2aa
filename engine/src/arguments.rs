//! JSON text to component values, in one pass that checks everything.
//!
//! The text comes from a model: each refusal is one sentence with the path of what is wrong, as a
//! JSON pointer from the arguments object, so that the next try can be right.

use crate::shape::{Case, Field, Integer, MAXIMUM_DEPTH, Shape};
use base64::Engine as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt::{self, Write as _};
use wasmtime::component::Val;

/// Beyond this, a JSON number that is read as a double may stand for another integer than the one
/// that was written (RFC 8259, 6): 2^53 is also what 2^53 + 1 is rounded to.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// Finds what a resource handle stands for.
pub trait Resources {
    /// The value behind `handle`; `None` for one that is not known here. An owned one is given
    /// away and can be asked for once.
    fn take(&mut self, handle: &str, owned: bool) -> Option<Val>;
}

/// For functions that take no resource.
pub struct NoResources;

impl Resources for NoResources {
    fn take(&mut self, _: &str, _: bool) -> Option<Val> {
        None
    }
}

/// Converted arguments. A stream or future argument stands in `values` as a list of its items.
pub type Arguments = Vec<Val>;

/// Converts the arguments object of a call. The error is the sentence for the caller.
pub fn read_arguments(
    parameters: &[Field],
    text: &str,
    resources: &mut dyn Resources,
) -> Result<Arguments, String> {
    let mut reader = Reader { path: Vec::new(), problem: None, resources };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Record { fields: parameters, reader: &mut reader, what: "the arguments" };
    let result = seed.deserialize(&mut deserializer).and_then(|fields| {
        deserializer.end()?;
        Ok(fields)
    });
    match result {
        Ok(fields) => Ok(fields.into_iter().map(|(_, value)| value).collect()),
        Err(error) => Err(reader.problem.take().unwrap_or_else(|| {
            let text = error.to_string();
            let message = if text.contains("hex escape") {
                "half of a surrogate pair, which is no character".into()
            } else if error.is_data() {
                in_our_words(&text)
            } else {
                return format!("not valid JSON: {text}");
            };
            // The steps to it are still on the path: nothing on the way back removed them.
            let _: serde_json::Error = reader.refuse(message);
            reader.problem.take().unwrap_or_default()
        })),
    }
}

/// A sentence of serde's, about a value of the wrong kind, as the other sentences here are.
fn in_our_words(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or(text);
    let parts = text.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "));
    let Some((found, wanted)) = parts else { return text.into() };
    let found = match found.split(' ').next() {
        Some("integer" | "floating") => "a number",
        Some("boolean") => "a boolean",
        Some("string") => "a string",
        Some("map") => "an object",
        Some("sequence") => "an array",
        _ => found,
    };
    format!("expected {wanted}, got {found}")
}

enum Step {
    Key(String),
    Index(usize),
}

struct Reader<'r> {
    path: Vec<Step>,
    problem: Option<String>,
    resources: &'r mut dyn Resources,
}

impl Reader<'_> {
    /// Notes the first problem, with its place.
    fn refuse<E: serde::de::Error>(&mut self, message: impl fmt::Display) -> E {
        if self.problem.is_none() {
            let mut text = String::new();
            for step in &self.path {
                text.push('/');
                match step {
                    Step::Key(key) => text.push_str(&key.replace('~', "~0").replace('/', "~1")),
                    Step::Index(index) => {
                        let _ = write!(text, "{index}");
                    }
                }
            }
            if text.is_empty() {
                text.push_str("arguments");
            }
            self.problem = Some(format!("{text}: {message}"));
        }
        E::custom("refused")
    }

    fn refuse_at<E: serde::de::Error>(&mut self, key: &str, message: impl fmt::Display) -> E {
        self.path.push(Step::Key(shorten(key).into_owned()));
        let error = self.refuse(message);
        self.path.pop();
        error
    }
}

/// A key or string as an error may quote it.
fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    const LIMIT: usize = 60;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

fn quoted<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let count = names.len();
    let mut text = String::new();
    for (index, name) in names.take(SHOWN).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        let _ = write!(text, "\"{name}\"");
    }
    if count > SHOWN {
        let _ = write!(text, " and {} more", count - SHOWN);
    }
    text
}

/// What a value of this shape looks like.
fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "true or false".into(),
        Shape::Integer(integer) => {
            let (low, high) = integer.range();
            format!("an integer from {low} to {high}")
        }
        Shape::Float32 | Shape::Float64 => {
            "a number, or \"NaN\", \"Infinity\" or \"-Infinity\"".into()
        }
        Shape::Char => "a string of one character".into(),
        Shape::String => "a string".into(),
        Shape::Bytes => "a base64 string, or an array of integers from 0 to 255".into(),
        Shape::Stream(element) if matches!(**element, Shape::Integer(Integer::U8)) => {
            expected(&Shape::Bytes)
        }
        Shape::List(_) | Shape::Stream(_) => "an array".into(),
        Shape::Map(key, _) if matches!(**key, Shape::String) => "an object".into(),
        Shape::Map(..) => "an array of [key, value] pairs".into(),
        Shape::Record(_) => "an object".into(),
        Shape::Tuple(items) => format!("an array of {} items", items.len()),
        Shape::Variant(_) => "an object with \"tag\" and, where the case has one, \"val\"".into(),
        Shape::Enum(names) => format!("one of {}", quoted(names.iter().map(|name| &**name))),
        Shape::Option(inner) if matches!(**inner, Shape::Option(_)) => {
            "null or {\"some\": …}".into()
        }
        Shape::Option(inner) => format!("{}, or null", expected(inner)),
        Shape::Result(..) => "{\"ok\": …} or {\"err\": …}".into(),
        Shape::Flags(names) => {
            format!("an array of names out of {}", quoted(names.iter().map(|name| &**name)))
        }
        Shape::Own | Shape::Borrow => "a resource handle, as another tool gave it".into(),
        Shape::Future(inner) => expected(inner),
    }
}

/// Reads a value of one shape.
struct Value<'a, 'b, 'r> {
    shape: &'a Shape,
    reader: &'b mut Reader<'r>,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        if self.reader.path.len() > MAXIMUM_DEPTH {
            return Err(self.reader.refuse(format_args!("nested deeper than {MAXIMUM_DEPTH}")));
        }
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

    fn text<E: serde::de::Error>(self, text: &str) -> Result<Val, E> {
        match self.shape {
            Shape::String => Ok(Val::String(text.to_owned())),
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
            Shape::Bytes => match decode_base64(text) {
                Some(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
                None => Err(self.mismatch("a string that is not base64")),
            },
            Shape::Stream(element) if matches!(**element, Shape::Integer(Integer::U8)) => {
                match decode_base64(text) {
                    Some(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
                    None => Err(self.mismatch("a string that is not base64")),
                }
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

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

/// A future's value, in the list form that streams and futures wait in.
fn single(value: Val) -> Val {
    Val::List(vec![value])
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// An integer written the one way JSON writes it, so that `"007"` and `" 7"` stay strings.
fn exact_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = !digits.is_empty()
        && digits.len() <= 20
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| text.parse().ok())?
}

fn exact_float(text: &str) -> Option<f64> {
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

fn sequence<'de, A: SeqAccess<'de>>(
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
fn only_entry<'de, A: MapAccess<'de>>(
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

struct Pair<'a, 'b, 'r> {
    key: &'a Shape,
    value: &'a Shape,
    reader: &'b mut Reader<'r>,
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

/// Reads the fields of a record, or the arguments themselves.
struct Record<'a, 'b, 'r> {
    fields: &'a [Field],
    reader: &'b mut Reader<'r>,
    what: &'static str,
}

impl<'de> DeserializeSeed<'de> for Record<'_, '_, '_> {
    type Value = Vec<(String, Val)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Record<'_, '_, '_> {
    fn mismatch<E: serde::de::Error>(self, found: &str) -> E {
        let wanted = if self.what == "an object" { "an object" } else { "an object of arguments" };
        self.reader.refuse(format_args!("expected {wanted}, got {found}"))
    }
}

impl<'de> Visitor<'de> for Record<'_, '_, '_> {
    type Value = Vec<(String, Val)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(self.mismatch("a boolean"))
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(self.mismatch("a string"))
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Err(self.mismatch("null"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.mismatch("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let Record { fields, reader, .. } = self;
        let mut values: Vec<Option<Val>> = Vec::new();
        values.resize_with(fields.len(), || None);
        while let Some(key) = entries.next_key::<std::borrow::Cow<'_, str>>()? {
            let Some(index) = fields.iter().position(|field| *field.name == *key) else {
                let key = key.into_owned();
                if fields.is_empty() {
                    return Err(reader.refuse_at(&key, "unknown key; none is expected here"));
                }
                let known = quoted(fields.iter().map(|field| &*field.name));
                return Err(reader.refuse_at(&key, format_args!("unknown key; known are {known}")));
            };
            if values[index].is_some() {
                return Err(reader.refuse_at(&key, "this key is given twice"));
            }
            reader.path.push(Step::Key(key.into_owned()));
            let shape = &fields[index].shape;
            values[index] = Some(entries.next_value_seed(Value { shape, reader })?);
            reader.path.pop();
        }
        let mut record = Vec::with_capacity(fields.len());
        for (field, value) in fields.iter().zip(values) {
            let value = match (value, &field.shape) {
                (Some(value), _) => value,
                (None, Shape::Option(_)) => Val::Option(None),
                (None, shape) => {
                    let expected = expected(shape);
                    return Err(
                        reader.refuse_at(&field.name, format_args!("missing; expected {expected}"))
                    );
                }
            };
            record.push((field.name.to_string(), value));
        }
        Ok(record)
    }
}

/// Reads `{"tag": …, "val": …}` and `{"ok": …}` or `{"err": …}`.
struct Tagged<'a, 'b, 'r> {
    shape: &'a Shape,
    reader: &'b mut Reader<'r>,
}

impl Tagged<'_, '_, '_> {
    fn mismatch<E: serde::de::Error>(self, found: &str) -> E {
        let wanted = expected(self.shape);
        self.reader.refuse(format_args!("expected {wanted}, got {found}"))
    }
}

impl<'de> Visitor<'de> for Tagged<'_, '_, '_> {
    type Value = Val;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Val, E> {
        Err(self.mismatch("a boolean"))
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Val, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Val, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Val, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Val, E> {
        Err(self.mismatch("a string"))
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<Val, E> {
        Err(self.mismatch("null"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Val, A::Error> {
        Err(self.mismatch("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Val, A::Error> {
        match self.shape {
            Shape::Variant(cases) => variant(cases, self.reader, entries),
            Shape::Result(ok, err) => result(ok.as_deref(), err.as_deref(), self.reader, entries),
            _ => Err(self.mismatch("an object")),
        }
    }
}

fn variant<'de, A: MapAccess<'de>>(
    cases: &[Case],
    reader: &mut Reader<'_>,
    mut entries: A,
) -> Result<Val, A::Error> {
    let mut case: Option<&Case> = None;
    let mut value: Option<Val> = None;
    // A value that comes before its tag waits as text until its type is known.
    let mut waiting: Option<Box<RawValue>> = None;
    let mut given = false;
    while let Some(key) = entries.next_key::<String>()? {
        if key == "val" && std::mem::replace(&mut given, true) {
            return Err(reader.refuse_at(&key, "this key is given twice"));
        }
        match (key.as_str(), case) {
            ("tag", None) => {
                reader.path.push(Step::Key(key));
                let seed = OneOf { items: cases, name: |case| &case.name, reader };
                case = Some(entries.next_value_seed(seed)?);
                reader.path.pop();
            }
            ("val", Some(Case { shape: Some(shape), .. })) => {
                reader.path.push(Step::Key(key));
                value = Some(entries.next_value_seed(Value { shape, reader })?);
                reader.path.pop();
            }
            ("val", Some(Case { name, shape: None })) => {
                // Models write `"val": null` for a case that has no value.
                if entries.next_value::<Option<serde::de::IgnoredAny>>()?.is_some() {
                    return Err(
                        reader.refuse_at("val", format_args!("the case \"{name}\" has no value"))
                    );
                }
            }
            ("val", None) => waiting = Some(entries.next_value()?),
            ("tag", _) => return Err(reader.refuse_at(&key, "this key is given twice")),
            _ => {
                return Err(reader.refuse_at(&key, "unknown key; known are \"tag\", \"val\""));
            }
        }
    }
    let Some(Case { name, shape }) = case else {
        let known = quoted(cases.iter().map(|case| &*case.name));
        return Err(reader.refuse_at("tag", format_args!("missing; expected one of {known}")));
    };
    if let Some(text) = waiting {
        match shape {
            Some(shape) => {
                reader.path.push(Step::Key("val".into()));
                let mut nested = serde_json::Deserializer::from_str(text.get());
                let read = Value { shape, reader }.deserialize(&mut nested);
                value = Some(read.map_err(A::Error::custom)?);
                reader.path.pop();
            }
            None if text.get() == "null" => {}
            None => {
                return Err(
                    reader.refuse_at("val", format_args!("the case \"{name}\" has no value"))
                );
            }
        }
    }
    match (shape, value) {
        (Some(Shape::Option(_)), None) => {
            Ok(Val::Variant(name.to_string(), Some(Box::new(Val::Option(None)))))
        }
        (Some(shape), None) => {
            let expected = expected(shape);
            Err(reader.refuse_at("val", format_args!("missing; expected {expected}")))
        }
        (_, value) => Ok(Val::Variant(name.to_string(), value.map(Box::new))),
    }
}

/// Reads a string that is the name of one of several items.
struct OneOf<'a, 'b, 'r, T> {
    items: &'a [T],
    name: fn(&T) -> &str,
    reader: &'b mut Reader<'r>,
}

impl<T> OneOf<'_, '_, '_, T> {
    fn mismatch<E: serde::de::Error>(self, found: impl fmt::Display) -> E {
        let known = quoted(self.items.iter().map(self.name));
        self.reader.refuse(format_args!("expected one of {known}, got {found}"))
    }
}

impl<'a, 'de, T> DeserializeSeed<'de> for OneOf<'a, '_, '_, T> {
    type Value = &'a T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'a T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a, 'de, T> Visitor<'de> for OneOf<'a, '_, '_, T> {
    type Value = &'a T;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<&'a T, E> {
        match self.items.iter().find(|item| (self.name)(item) == text) {
            Some(item) => Ok(item),
            None => Err(self.mismatch(format_args!("\"{}\"", shorten(text)))),
        }
    }
    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<&'a T, E> {
        Err(self.mismatch("a boolean"))
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<&'a T, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<&'a T, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<&'a T, E> {
        Err(self.mismatch("a number"))
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<&'a T, E> {
        Err(self.mismatch("null"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<&'a T, A::Error> {
        Err(self.mismatch("an array"))
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<&'a T, A::Error> {
        Err(self.mismatch("an object"))
    }
}

fn result<'de, A: MapAccess<'de>>(
    ok: Option<&Shape>,
    err: Option<&Shape>,
    reader: &mut Reader<'_>,
    mut entries: A,
) -> Result<Val, A::Error> {
    const WRONG: &str = "expected exactly one key, \"ok\" or \"err\"";
    let Some(key) = entries.next_key::<String>()? else {
        return Err(reader.refuse(WRONG));
    };
    let shape = match key.as_str() {
        "ok" => ok,
        "err" => err,
        _ => return Err(reader.refuse_at(&key, WRONG)),
    };
    let value = match shape {
        Some(shape) => {
            reader.path.push(Step::Key(key.clone()));
            let value = entries.next_value_seed(Value { shape, reader })?;
            reader.path.pop();
            Some(Box::new(value))
        }
        None if entries.next_value::<Option<serde::de::IgnoredAny>>()?.is_none() => None,
        None => return Err(reader.refuse_at(&key, "expected null: this case has no value")),
    };
    if let Some(extra) = entries.next_key::<String>()? {
        return Err(reader.refuse_at(&extra, WRONG));
    }
    Ok(Val::Result(if key == "ok" { Ok(value) } else { Err(value) }))
}
