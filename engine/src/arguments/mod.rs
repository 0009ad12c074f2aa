//! JSON text to component values, in one pass that checks everything.
//!
//! The text comes from a model: each refusal is one sentence with the path of what is wrong, as a
//! JSON pointer from the arguments object, so that the next try can be right.

mod members;
mod value;
mod wording;

use crate::ledger::{Charge, Kind, Ledger, LimitReached};
use crate::shape::Field;
use members::Record;
use serde::de::DeserializeSeed;
use std::fmt::{self, Write as _};
use std::sync::Arc;
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

/// Why arguments were not taken.
#[derive(Debug)]
pub enum Unread {
    /// The sentence for the caller.
    Wrong(String),
    /// They would take more of the host's memory than there is for them.
    TooLarge(LimitReached),
}

impl From<LimitReached> for Unread {
    fn from(reached: LimitReached) -> Self {
        Unread::TooLarge(reached)
    }
}

/// Values that are too few to be counted: most calls have no more.
const UNCOUNTED: u64 = 16 << 10;
/// What more is charged at once.
const STEP: u64 = 64 << 10;

/// Charges values while they are read, so that they stop where there is no room for more.
pub struct Meter<'a> {
    ledger: &'a Arc<Ledger>,
    counted: u64,
    /// Up to where nothing more has to be charged.
    paid: u64,
    charge: Option<Charge>,
}

impl<'a> Meter<'a> {
    /// Charges to this ledger.
    pub fn new(ledger: &'a Arc<Ledger>) -> Self {
        Meter { ledger, counted: 0, paid: UNCOUNTED, charge: None }
    }

    /// Counts bytes that are about to be kept.
    pub fn count(&mut self, bytes: u64) -> Result<(), LimitReached> {
        self.counted = self.counted.saturating_add(bytes);
        if self.counted <= self.paid { Ok(()) } else { self.pay() }
    }

    #[cold]
    fn pay(&mut self) -> Result<(), LimitReached> {
        let wanted = self.counted.saturating_add(STEP);
        let ledger = self.ledger;
        self.charge.get_or_insert_with(|| ledger.open(Kind::Held)).resize(wanted)?;
        self.paid = wanted;
        Ok(())
    }

    /// What was charged, to be kept as long as the values.
    pub fn into_charge(self) -> Option<Charge> {
        self.charge
    }
}

/// A meter, whatever it charges to.
trait Counting {
    fn count(&mut self, bytes: u64) -> Result<(), LimitReached>;
}

impl Counting for Meter<'_> {
    fn count(&mut self, bytes: u64) -> Result<(), LimitReached> {
        Meter::count(self, bytes)
    }
}

/// Converted arguments. A stream or future argument stands in `values` as a list of its items.
pub type Arguments = Vec<Val>;

/// Converts the arguments object of a call.
pub fn read_arguments(
    parameters: &[Field],
    text: &str,
    resources: &mut dyn Resources,
    meter: &mut Meter<'_>,
) -> Result<Arguments, Unread> {
    let mut reader = Reader { path: Vec::new(), problem: None, resources, meter, reached: None };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Record { fields: parameters, reader: &mut reader, what: "the arguments" };
    let result = seed.deserialize(&mut deserializer).and_then(|fields| {
        deserializer.end()?;
        Ok(fields)
    });
    if let Some(reached) = reader.reached.take() {
        return Err(Unread::TooLarge(reached));
    }
    match result {
        Ok(fields) => Ok(fields.into_iter().map(|(_, value)| value).collect()),
        Err(error) => Err(Unread::Wrong(reader.problem.take().unwrap_or_else(|| {
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
        }))),
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
    meter: &'r mut dyn Counting,
    reached: Option<LimitReached>,
}

impl Reader<'_> {
    /// Counts bytes that a value will take.
    fn hold<E: serde::de::Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.meter.count(bytes as u64).map_err(|reached| {
            self.reached = Some(reached);
            E::custom("too large")
        })
    }

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
