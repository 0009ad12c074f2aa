//! Values with named members: records, variants and results.

use super::value::Value;
use super::wording::{expected, quoted, shorten};
use super::{Reader, Step};
use crate::shape::{Case, Field, Shape};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use wasmtime::component::Val;

/// Reads the fields of a record, or the arguments themselves.
pub(super) struct Record<'a, 'b, 'r> {
    pub(super) fields: &'a [Field],
    pub(super) reader: &'b mut Reader<'r>,
    pub(super) what: &'static str,
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
pub(super) struct Tagged<'a, 'b, 'r> {
    pub(super) shape: &'a Shape,
    pub(super) reader: &'b mut Reader<'r>,
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

pub(super) fn variant<'de, A: MapAccess<'de>>(
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
pub(super) struct OneOf<'a, 'b, 'r, T> {
    pub(super) items: &'a [T],
    pub(super) name: fn(&T) -> &str,
    pub(super) reader: &'b mut Reader<'r>,
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

pub(super) fn result<'de, A: MapAccess<'de>>(
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
