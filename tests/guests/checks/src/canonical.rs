//! A notation in which every value has one form, with floats by their bits and strings by their
//! bytes. The tests write it too; see tests/golden/random_value.cc.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A value that can be written.
pub trait Canonical {
    fn write(&self, text: &mut String);
}

macro_rules! decimal {
    ($($type:ty),+) => {
        $(impl Canonical for $type {
            fn write(&self, text: &mut String) {
                let _ = write!(text, "{self}");
            }
        })+
    };
}

decimal!(u8, u16, u32, u64, i8, i16, i32, i64);

impl Canonical for f32 {
    fn write(&self, text: &mut String) {
        if self.is_nan() {
            text.push_str("nan");
        } else {
            let _ = write!(text, "{:08x}", self.to_bits());
        }
    }
}

impl Canonical for f64 {
    fn write(&self, text: &mut String) {
        if self.is_nan() {
            text.push_str("nan");
        } else {
            let _ = write!(text, "{:016x}", self.to_bits());
        }
    }
}

impl Canonical for bool {
    fn write(&self, text: &mut String) {
        text.push(if *self { 't' } else { 'f' });
    }
}

impl Canonical for char {
    fn write(&self, text: &mut String) {
        let _ = write!(text, "c{:x}", u32::from(*self));
    }
}

impl Canonical for String {
    fn write(&self, text: &mut String) {
        text.push('"');
        for byte in self.bytes() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('"');
    }
}

impl Canonical for () {
    fn write(&self, _: &mut String) {}
}

impl<T: Canonical> Canonical for Vec<T> {
    fn write(&self, text: &mut String) {
        text.push('[');
        for item in self {
            item.write(text);
            text.push(',');
        }
        text.push(']');
    }
}

impl<T: Canonical> Canonical for Option<T> {
    fn write(&self, text: &mut String) {
        match self {
            None => text.push('-'),
            Some(value) => {
                text.push('+');
                value.write(text);
            }
        }
    }
}

impl<T: Canonical, E: Canonical> Canonical for Result<T, E> {
    fn write(&self, text: &mut String) {
        match self {
            Ok(value) => {
                text.push_str("ok(");
                value.write(text);
            }
            Err(value) => {
                text.push_str("err(");
                value.write(text);
            }
        }
        text.push(')');
    }
}

impl<K: Canonical, V: Canonical> Canonical for BTreeMap<K, V> {
    fn write(&self, text: &mut String) {
        text.push('<');
        for (key, value) in self {
            key.write(text);
            text.push(':');
            value.write(text);
            text.push(',');
        }
        text.push('>');
    }
}

macro_rules! tuples {
    ($(($($type:ident $index:tt),+)),+) => {
        $(impl<$($type: Canonical),+> Canonical for ($($type,)+) {
            fn write(&self, text: &mut String) {
                text.push('(');
                $(self.$index.write(text);
                text.push(',');)+
                text.push(')');
            }
        })+
    };
}

tuples!((A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

/// `{name=value,}`, in the order of the fields.
macro_rules! canonical_record {
    ($type:ident { $($name:literal => $field:ident),+ }) => {
        impl Canonical for shapes::$type {
            fn write(&self, text: &mut String) {
                text.push('{');
                $(text.push_str(concat!($name, "="));
                self.$field.write(text);
                text.push(',');)+
                text.push('}');
            }
        }
    };
}

/// `name(value)`, or `name()` for a case without a value.
macro_rules! canonical_variant {
    ($type:ident { $($name:literal => $case:ident $(($value:ident))?),+ }) => {
        impl Canonical for shapes::$type {
            fn write(&self, text: &mut String) {
                match self {
                    $(shapes::$type::$case $(($value))? => {
                        text.push_str(concat!($name, "("));
                        $($value.write(text);)?
                        text.push(')');
                    })+
                }
            }
        }
    };
}

/// `{name|}`, in the order of the type.
macro_rules! canonical_flags {
    ($type:ident { $($name:literal => $flag:ident),+ }) => {
        impl Canonical for shapes::$type {
            fn write(&self, text: &mut String) {
                text.push('{');
                $(if self.contains(shapes::$type::$flag) {
                    text.push_str(concat!($name, "|"));
                })+
                text.push('}');
            }
        }
    };
}

pub(crate) use {canonical_flags, canonical_record, canonical_variant};
