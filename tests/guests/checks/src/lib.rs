//! Looks at the values that it gets: a caller sends a value and says, in a notation of their own,
//! what it is. The guest writes the value in that notation too and gives it back only where both
//! are the same, so a conversion that is wrong the same way in both directions is found.
//!
//! The functions and their types are in generated.rs, which generate.py makes.

mod canonical;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "checks", generate_all });
}

use bindings::exports::belljar::guests::shapes;
use canonical::{Canonical, canonical_flags, canonical_record, canonical_variant};
use std::collections::BTreeMap;

struct Checks;

/// Writes functions that compare their argument with what it is said to be.
macro_rules! checks {
    ($($name:ident: $type:ty),+ $(,)?) => {
        $(fn $name(value: $type, expected: String) -> Result<$type, String> {
            let mut text = String::new();
            value.write(&mut text);
            if text == expected { Ok(value) } else { Err(text) }
        })+
    };
}

include!("generated.rs");

bindings::export!(Checks with_types_in bindings);
