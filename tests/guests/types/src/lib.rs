//! Gives back what it gets. The values pass through Rust's own types, so what comes back has been
//! read and written again by the guest.

mod counter;
mod streams;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "types", generate_all });
}

use bindings::Guest;
use bindings::exports::belljar::guests::{compounds, failing, lists, numbers, plain, twins};
use bindings::exports::belljar::others::twins as other_twins;
use std::collections::BTreeMap;

struct Types;

/// Writes functions that give back their argument.
macro_rules! echo {
    ($($name:ident: $type:ty),+ $(,)?) => {
        $(fn $name(value: $type) -> $type { value })+
    };
}

impl plain::Guest for Types {
    echo!(bool: bool, string: String, char: char);
}

impl numbers::Guest for Types {
    echo!(u8: u8, u16: u16, u32: u32, u64: u64, s8: i8, s16: i16, s32: i32, s64: i64);
    echo!(f32: f32, f64: f64);

    fn f64_bits(value: f64) -> u64 {
        value.to_bits()
    }

    fn f32_bits(value: f32) -> u32 {
        value.to_bits()
    }
}

impl lists::Guest for Types {
    echo!(bytes: Vec<u8>, strings: Vec<String>, numbers: Vec<i64>, nested: Vec<Vec<String>>);
    echo!(bytes_inside: Vec<Option<Vec<u8>>>);
    echo!(by_name: BTreeMap<String, i32>, by_number: BTreeMap<u16, String>);
    echo!(by_character: BTreeMap<char, Vec<bool>>);
}

impl compounds::Guest for Types {
    echo!(record: compounds::Place, tuple: (u8, String, bool), variant: compounds::Figure);
    echo!(enum_: compounds::Unit, flags: compounds::Rights, everything: compounds::Drawing);
    echo!(option: Option<String>, options: Option<Option<u8>>);
    echo!(options_of_options: Option<Option<Option<u8>>>);
    echo!(result_inside: Vec<Result<u32, String>>, result_empty: (Result<(), ()>,));
}

impl failing::Guest for Types {
    echo!(with_text: Result<u32, String>, with_record: Result<(), failing::Problem>);
    echo!(with_nothing: Result<String, ()>, bare: Result<(), ()>);

    fn trap() {
        panic!("as asked");
    }
}

impl twins::Guest for Types {
    fn who() -> String {
        "the one of belljar:guests".into()
    }
}

impl other_twins::Guest for Types {
    fn who() -> String {
        "the one of belljar:others".into()
    }
}

impl Guest for Types {
    fn greet(name: String, loud: Option<bool>) -> String {
        let greeting = format!("Hello, {name}!");
        if loud.unwrap_or(false) { greeting.to_uppercase() } else { greeting }
    }

    async fn patient(value: String) -> String {
        wit_bindgen::yield_async().await;
        value
    }

    fn nothing() {}
}

bindings::export!(Types with_types_in bindings);
