//! JSON text to component values, in one pass that checks everything.
//!
//! The text comes from a model: each refusal is one sentence with the path of what is wrong, as a
//! JSON pointer from the arguments object, so that the next try can be right.

mod members;
mod value;
mod wording;

use crate::shape::Field;
use members::Record;
use serde::de::DeserializeSeed;
use std::fmt::{self, Write as _};
use wasmtime::component::Val;
use wording::{in_our_words, shorten};

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
