//! A typed way for functions of strings, bytes and lists of strings.
//!
//! A dynamic value is 40 bytes an element, so `list<u8>` would cost forty times its size. These
//! three types are all a pointer and a length to the component model, so one Rust type stands for
//! all of them.

use crate::results::{WriteError, write_bytes, write_string};
use crate::shape::{Field, Shape, Signature};
use base64::Engine as _;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::mem::MaybeUninit;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentType, Lift, Lower, Val};
use wasmtime::{Result as EngineResult, ValRaw, bail};

/// A `string`, a `list<u8>` or a `list<string>`.
pub enum Wide {
    Text(String),
    Bytes(Vec<u8>),
    Texts(Vec<String>),
}

/// How a function's result travels on the typed way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WideResult {
    None,
    Plain,
    /// `result<wide, wide>`
    Fallible,
}

/// What a text takes beside its letters: its place in a list that has just grown, and what the
/// allocator rounds it up to.
const AROUND_TEXT: usize = 2 * size_of::<String>() + 32;

/// The largest number of parameters on the typed way.
pub const MAXIMUM_PARAMETERS: usize = 3;

fn is_wide(shape: &Shape) -> bool {
    match shape {
        Shape::String | Shape::Bytes => true,
        Shape::List(element) => matches!(**element, Shape::String),
        _ => false,
    }
}

/// Whether a function goes the typed way, which is worth it where a list is passed.
pub fn wide_result(signature: &Signature) -> Option<WideResult> {
    let parameters = &signature.parameters;
    if parameters.len() > MAXIMUM_PARAMETERS || !parameters.iter().all(|p| is_wide(&p.shape)) {
        return None;
    }
    let mut shapes: Vec<&Shape> = parameters.iter().map(|parameter| &parameter.shape).collect();
    let result = match &signature.result {
        None => WideResult::None,
        Some(shape) if is_wide(shape) => {
            shapes.push(shape);
            WideResult::Plain
        }
        Some(Shape::Result(Some(ok), Some(err))) if is_wide(ok) && is_wide(err) => {
            shapes.extend([&**ok, &**err]);
            WideResult::Fallible
        }
        _ => return None,
    };
    shapes.iter().any(|shape| !matches!(shape, Shape::String)).then_some(result)
}

/// The most bytes that arguments take once they are read, told by their text before they are.
pub fn most_held(text: &str) -> u64 {
    let quotes = text.bytes().filter(|byte| *byte == b'"').count();
    (text.len() + quotes / 2 * AROUND_TEXT) as u64
}

/// Converts well-formed arguments; `None` sends the caller to the general reader, which takes
/// every form and says what is wrong.
pub fn read_wide(parameters: &[Field], text: &str) -> Option<Vec<Wide>> {
    let Entries(entries) = serde_json::from_str(text).ok()?;
    if entries.len() != parameters.len() {
        return None;
    }
    // As many entries as parameters, and one for each: none is unknown or given twice.
    let convert = |field: &Field| {
        let (_, value) = entries.iter().find(|(key, _)| *key == *field.name)?;
        let text = value.get();
        Some(match field.shape {
            Shape::String => Wide::Text(serde_json::from_str(text).ok()?),
            Shape::Bytes => {
                let encoded: Cow<'_, str> = serde_json::from_str(text).ok()?;
                let decoded = base64::engine::general_purpose::STANDARD.decode(&*encoded);
                Wide::Bytes(decoded.ok()?)
            }
            _ => Wide::Texts(serde_json::from_str(text).ok()?),
        })
    };
    parameters.iter().map(convert).collect()
}

/// The members of an object, repetitions included.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Wide {
    /// Takes over what the general reader has converted.
    pub fn from_value(value: Val) -> Option<Self> {
        match value {
            Val::String(text) => Some(Wide::Text(text)),
            Val::List(items) if matches!(items.first(), Some(Val::String(_))) => {
                let texts = items.into_iter().map(|item| match item {
                    Val::String(text) => Some(text),
                    _ => None,
                });
                texts.collect::<Option<_>>().map(Wide::Texts)
            }
            Val::List(items) => {
                let bytes = items.into_iter().map(|item| match item {
                    Val::U8(byte) => Some(byte),
                    _ => None,
                });
                bytes.collect::<Option<_>>().map(Wide::Bytes)
            }
            _ => None,
        }
    }

    /// Writes the value as JSON to `out`, which may grow to `limit` bytes.
    pub fn write(&self, limit: usize, out: &mut String) -> Result<(), WriteError> {
        match self {
            Wide::Text(text) => write_string(text, limit, out),
            Wide::Bytes(bytes) => write_bytes(bytes, limit, out),
            Wide::Texts(texts) => {
                out.push('[');
                for (index, text) in texts.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(text, limit, out)?;
                }
                out.push(']');
                Ok(())
            }
        }
    }
}

/// Which of the three a type of the component is.
enum Kind {
    Text,
    Bytes,
    Texts,
}

fn kind(ty: &InterfaceType, element: impl Fn() -> Option<InterfaceType>) -> Option<Kind> {
    match ty {
        InterfaceType::String => Some(Kind::Text),
        InterfaceType::List(_) => match element()? {
            InterfaceType::U8 => Some(Kind::Bytes),
            InterfaceType::String => Some(Kind::Texts),
            _ => None,
        },
        _ => None,
    }
}

// SAFETY: the canonical ABI represents strings and lists alike as a pointer and a length, which
// is what the constants say; `typecheck` accepts only types for which that holds, and the
// conversions below are those of the standard types that `typecheck` distinguishes.
unsafe impl ComponentType for Wide {
    type Lower = [ValRaw; 2];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> EngineResult<()> {
        if String::typecheck(ty, types).is_ok()
            || <Vec<u8>>::typecheck(ty, types).is_ok()
            || <Vec<String>>::typecheck(ty, types).is_ok()
        {
            return Ok(());
        }
        bail!("expected a string, a list of bytes or a list of strings")
    }
}

// SAFETY: delegates to the implementation of the type that the value has, after checking that
// the component expects that one.
unsafe impl Lower for Wide {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> EngineResult<()> {
        let types = cx.types;
        let element = || match ty {
            InterfaceType::List(index) => Some(types[index].element),
            _ => None,
        };
        match (self, kind(&ty, element)) {
            (Wide::Text(text), Some(Kind::Text)) => text.linear_lower_to_flat(cx, ty, dst),
            (Wide::Bytes(bytes), Some(Kind::Bytes)) => bytes.linear_lower_to_flat(cx, ty, dst),
            (Wide::Texts(texts), Some(Kind::Texts)) => texts.linear_lower_to_flat(cx, ty, dst),
            // An empty list was read without knowing of what.
            (Wide::Bytes(bytes), Some(Kind::Texts)) if bytes.is_empty() => {
                Vec::<String>::new().linear_lower_to_flat(cx, ty, dst)
            }
            _ => bail!("an argument does not have the function's type"),
        }
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> EngineResult<()> {
        let types = cx.types;
        let element = || match ty {
            InterfaceType::List(index) => Some(types[index].element),
            _ => None,
        };
        match (self, kind(&ty, element)) {
            (Wide::Text(text), Some(Kind::Text)) => text.linear_lower_to_memory(cx, ty, offset),
            (Wide::Bytes(bytes), Some(Kind::Bytes)) => bytes.linear_lower_to_memory(cx, ty, offset),
            (Wide::Texts(texts), Some(Kind::Texts)) => texts.linear_lower_to_memory(cx, ty, offset),
            (Wide::Bytes(bytes), Some(Kind::Texts)) if bytes.is_empty() => {
                Vec::<String>::new().linear_lower_to_memory(cx, ty, offset)
            }
            _ => bail!("an argument does not have the function's type"),
        }
    }
}

// SAFETY: delegates to the implementation of the type that the component declares.
unsafe impl Lift for Wide {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> EngineResult<Self> {
        let types = cx.types;
        let element = || match ty {
            InterfaceType::List(index) => Some(types[index].element),
            _ => None,
        };
        match kind(&ty, element) {
            Some(Kind::Text) => String::linear_lift_from_flat(cx, ty, src).map(Wide::Text),
            Some(Kind::Bytes) => <Vec<u8>>::linear_lift_from_flat(cx, ty, src).map(Wide::Bytes),
            Some(Kind::Texts) => <Vec<String>>::linear_lift_from_flat(cx, ty, src).map(Wide::Texts),
            None => bail!("a result does not have the function's type"),
        }
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> EngineResult<Self> {
        let types = cx.types;
        let element = || match ty {
            InterfaceType::List(index) => Some(types[index].element),
            _ => None,
        };
        match kind(&ty, element) {
            Some(Kind::Text) => String::linear_lift_from_memory(cx, ty, bytes).map(Wide::Text),
            Some(Kind::Bytes) => <Vec<u8>>::linear_lift_from_memory(cx, ty, bytes).map(Wide::Bytes),
            Some(Kind::Texts) => {
                <Vec<String>>::linear_lift_from_memory(cx, ty, bytes).map(Wide::Texts)
            }
            None => bail!("a result does not have the function's type"),
        }
    }
}
