//! What the refusals say.

use crate::shape::{Integer, Shape};
use std::fmt::Write as _;

/// A sentence of serde's, about a value of the wrong kind, as the other sentences here are.
pub(super) fn in_our_words(text: &str) -> String {
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

/// A key or string as an error may quote it.
pub(super) fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    const LIMIT: usize = 60;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

pub(super) fn quoted<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
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
pub(super) fn expected(shape: &Shape) -> String {
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
