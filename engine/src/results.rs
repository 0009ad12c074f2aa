//! Component values to JSON text, in one pass that stops at the output limit.

use crate::shape::{Integer, Shape};
use base64::Engine as _;
use std::fmt::Write as _;
use wasmtime::component::Val;

/// The largest integer that every JSON reader takes exactly.
const EXACT: u64 = (1 << 53) - 1;

/// Why a value could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// The text would be longer than the limit.
    TooLong,
    /// The value does not have the shape; the engine checks this, so it is a fault of ours.
    Mismatch,
}

/// Gives a resource that leaves the guest a handle.
pub trait Handles {
    fn give(&mut self, value: &Val) -> String;
}

/// Writes `value` as JSON to `out`, which may grow to `limit` bytes.
pub fn write_value(
    shape: &Shape,
    value: &Val,
    handles: &mut dyn Handles,
    limit: usize,
    out: &mut String,
) -> Result<(), WriteError> {
    let mut writer = Writer { out, limit, handles };
    writer.value(shape, value)
}

/// Writes a string as JSON.
pub fn write_string(text: &str, limit: usize, out: &mut String) -> Result<(), WriteError> {
    if out.len() + text.len() + 2 > limit {
        return Err(WriteError::TooLong);
    }
    out.reserve(text.len() + 2);
    out.push('"');
    let mut start = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[start..index]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        start = index + 1;
    }
    out.push_str(&text[start..]);
    out.push('"');
    if out.len() > limit { Err(WriteError::TooLong) } else { Ok(()) }
}

/// Writes bytes as a base64 string.
pub fn write_bytes(bytes: &[u8], limit: usize, out: &mut String) -> Result<(), WriteError> {
    if out.len() + bytes.len().div_ceil(3) * 4 + 2 > limit {
        return Err(WriteError::TooLong);
    }
    out.push('"');
    base64::engine::general_purpose::STANDARD.encode_string(bytes, out);
    out.push('"');
    Ok(())
}

struct Writer<'a> {
    out: &'a mut String,
    limit: usize,
    handles: &'a mut dyn Handles,
}

impl Writer<'_> {
    fn raw(&mut self, text: &str) -> Result<(), WriteError> {
        self.out.push_str(text);
        if self.out.len() > self.limit { Err(WriteError::TooLong) } else { Ok(()) }
    }

    fn string(&mut self, text: &str) -> Result<(), WriteError> {
        write_string(text, self.limit, self.out)
    }

    fn display(&mut self, value: impl std::fmt::Display) -> Result<(), WriteError> {
        let _ = write!(self.out, "{value}");
        if self.out.len() > self.limit { Err(WriteError::TooLong) } else { Ok(()) }
    }

    /// A number where every reader takes it exactly, a string of digits beyond.
    fn wide(&mut self, value: i128) -> Result<(), WriteError> {
        if value.unsigned_abs() > u128::from(EXACT) {
            self.display(format_args!("\"{value}\""))
        } else {
            self.display(value)
        }
    }

    fn double(&mut self, value: f64) -> Result<(), WriteError> {
        match not_finite(value) {
            Some(name) => self.raw(name),
            // serde_json writes the shortest text that reads back as the same bits.
            None => self.raw(&serde_json::to_string(&value).unwrap_or_default()),
        }
    }

    fn single(&mut self, value: f32) -> Result<(), WriteError> {
        match not_finite(value.into()) {
            Some(name) => self.raw(name),
            None => self.raw(&serde_json::to_string(&value).unwrap_or_default()),
        }
    }

    fn separated<T>(
        &mut self,
        open: &str,
        close: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.raw(open)?;
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.raw(",")?;
            }
            write(self, item)?;
        }
        self.raw(close)
    }

    fn value(&mut self, shape: &Shape, value: &Val) -> Result<(), WriteError> {
        match (shape, value) {
            (Shape::Bool, Val::Bool(value)) => self.raw(if *value { "true" } else { "false" }),
            (Shape::Integer(_), Val::U8(value)) => self.display(value),
            (Shape::Integer(_), Val::S8(value)) => self.display(value),
            (Shape::Integer(_), Val::U16(value)) => self.display(value),
            (Shape::Integer(_), Val::S16(value)) => self.display(value),
            (Shape::Integer(_), Val::U32(value)) => self.display(value),
            (Shape::Integer(_), Val::S32(value)) => self.display(value),
            (Shape::Integer(_), Val::U64(value)) => self.wide((*value).into()),
            (Shape::Integer(_), Val::S64(value)) => self.wide((*value).into()),
            (Shape::Float32, Val::Float32(value)) => self.single(*value),
            (Shape::Float64, Val::Float64(value)) => self.double(*value),
            (Shape::Char, Val::Char(value)) => self.string(value.encode_utf8(&mut [0; 4])),
            (Shape::String, Val::String(text)) => self.string(text),
            (Shape::Bytes, Val::List(items)) => self.bytes(items),
            // What a stream or future carried was collected into a list.
            (Shape::Stream(element), Val::List(items))
                if matches!(**element, Shape::Integer(Integer::U8)) =>
            {
                self.bytes(items)
            }
            (Shape::Future(element), Val::List(items)) => match items.as_slice() {
                [only] => self.value(element, only),
                _ => Err(WriteError::Mismatch),
            },
            (Shape::List(element) | Shape::Stream(element), Val::List(items)) => {
                self.separated("[", "]", items, |writer, item| writer.value(element, item))
            }
            (Shape::Map(key, shape), Val::Map(pairs)) => self.map(key, shape, pairs),
            (Shape::Record(fields), Val::Record(values)) if fields.len() == values.len() => self
                .separated("{", "}", fields.iter().zip(values), |writer, (field, (_, value))| {
                    writer.string(&field.name)?;
                    writer.raw(":")?;
                    writer.value(&field.shape, value)
                }),
            (Shape::Tuple(shapes), Val::Tuple(values)) if shapes.len() == values.len() => self
                .separated("[", "]", shapes.iter().zip(values), |writer, (shape, value)| {
                    writer.value(shape, value)
                }),
            (Shape::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.iter().find(|case| *case.name == **name);
                let case = case.ok_or(WriteError::Mismatch)?;
                self.raw("{\"tag\":")?;
                self.string(name)?;
                if let (Some(shape), Some(value)) = (&case.shape, payload) {
                    self.raw(",\"val\":")?;
                    self.value(shape, value)?;
                }
                self.raw("}")
            }
            (Shape::Enum(_), Val::Enum(name)) => self.string(name),
            (Shape::Option(_), Val::Option(None)) => self.raw("null"),
            (Shape::Option(inner), Val::Option(Some(value))) => {
                if matches!(**inner, Shape::Option(_)) {
                    self.raw("{\"some\":")?;
                    self.value(inner, value)?;
                    self.raw("}")
                } else {
                    self.value(inner, value)
                }
            }
            (Shape::Result(ok, _), Val::Result(Ok(value))) => self.arm("ok", ok, value),
            (Shape::Result(_, err), Val::Result(Err(value))) => self.arm("err", err, value),
            (Shape::Flags(_), Val::Flags(names)) => {
                self.separated("[", "]", names, |writer, name| writer.string(name))
            }
            (Shape::Own, Val::Resource(_)) => {
                let handle = self.handles.give(value);
                self.string(&handle)
            }
            _ => Err(WriteError::Mismatch),
        }
    }

    fn arm(
        &mut self,
        name: &str,
        shape: &Option<Box<Shape>>,
        value: &Option<Box<Val>>,
    ) -> Result<(), WriteError> {
        self.display(format_args!("{{\"{name}\":"))?;
        match (shape, value) {
            (Some(shape), Some(value)) => self.value(shape, value)?,
            _ => self.raw("null")?,
        }
        self.raw("}")
    }

    fn bytes(&mut self, items: &[Val]) -> Result<(), WriteError> {
        let bytes: Option<Vec<u8>> = items
            .iter()
            .map(|item| if let Val::U8(byte) = item { Some(*byte) } else { None })
            .collect();
        write_bytes(&bytes.ok_or(WriteError::Mismatch)?, self.limit, self.out)
    }

    fn map(&mut self, key: &Shape, shape: &Shape, pairs: &[(Val, Val)]) -> Result<(), WriteError> {
        if !matches!(key, Shape::String) {
            return self.separated("[", "]", pairs, |writer, (name, value)| {
                writer.raw("[")?;
                writer.value(key, name)?;
                writer.raw(",")?;
                writer.value(shape, value)?;
                writer.raw("]")
            });
        }
        // A guest may name a key twice; the last one counts (Component Model, map), and a JSON
        // object must not repeat it.
        let mut last = std::collections::HashMap::new();
        for (index, (name, _)) in pairs.iter().enumerate() {
            let Val::String(name) = name else { return Err(WriteError::Mismatch) };
            last.insert(name.as_str(), index);
        }
        let kept = pairs.iter().enumerate().filter(|(index, (name, _))| {
            matches!(name, Val::String(name) if last.get(name.as_str()) == Some(index))
        });
        self.separated("{", "}", kept, |writer, (_, (name, value))| {
            writer.value(key, name)?;
            writer.raw(":")?;
            writer.value(shape, value)
        })
    }
}

fn not_finite(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("\"NaN\"")
    } else if value == f64::INFINITY {
        Some("\"Infinity\"")
    } else if value == f64::NEG_INFINITY {
        Some("\"-Infinity\"")
    } else {
        None
    }
}
