//! Function types, prepared once a program so that a call converts values without asking again.

use std::sync::Arc;
use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;
use wasmtime::{Result, bail};

/// Bound on the nodes of one function's types, which a component can make exponentially many.
const MAXIMUM_NODES: usize = 100_000;
/// Bound on how deep types nest; values are held to the same.
pub const MAXIMUM_DEPTH: usize = 64;

/// A WIT type in the form that conversions walk.
pub enum Shape {
    Bool,
    Integer(Integer),
    Float32,
    Float64,
    Char,
    String,
    /// `list<u8>`, which travels as base64.
    Bytes,
    List(Box<Shape>),
    Map(Box<Shape>, Box<Shape>),
    Record(Vec<Field>),
    Tuple(Vec<Shape>),
    Variant(Vec<Case>),
    Enum(Vec<Arc<str>>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Flags(Vec<Arc<str>>),
    Own,
    Borrow,
    Stream(Box<Shape>),
    Future(Box<Shape>),
}

/// The integer types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Integer {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
}

impl Integer {
    /// The smallest and the largest value.
    pub fn range(self) -> (i128, i128) {
        match self {
            Integer::U8 => (0, u8::MAX.into()),
            Integer::U16 => (0, u16::MAX.into()),
            Integer::U32 => (0, u32::MAX.into()),
            Integer::U64 => (0, u64::MAX.into()),
            Integer::S8 => (i8::MIN.into(), i8::MAX.into()),
            Integer::S16 => (i16::MIN.into(), i16::MAX.into()),
            Integer::S32 => (i32::MIN.into(), i32::MAX.into()),
            Integer::S64 => (i64::MIN.into(), i64::MAX.into()),
        }
    }
}

/// A field of a record, or a parameter.
pub struct Field {
    pub name: Arc<str>,
    pub shape: Shape,
}

/// A case of a variant.
pub struct Case {
    pub name: Arc<str>,
    pub shape: Option<Shape>,
}

/// What a call needs to know of a function's type.
pub struct Signature {
    pub parameters: Vec<Field>,
    pub result: Option<Shape>,
    /// Whether a stream or future is passed, so that the guest has to run on beside the reader.
    pub transmits: bool,
    /// Whether a resource is passed, so that the instance may have to outlive the call.
    pub resources: bool,
}

impl Signature {
    /// Prepares a function's type. Errors name what is not supported.
    pub fn new(function: &ComponentFunc) -> Result<Self> {
        let mut builder = Builder { nodes: 0, transmits: false, resources: false };
        let mut parameters = Vec::new();
        for (name, ty) in function.params() {
            parameters.push(Field { name: name.into(), shape: builder.shape(&ty, 1)? });
        }
        let mut results = function.results();
        let result = results.next().map(|ty| builder.shape(&ty, 1)).transpose()?;
        if results.next().is_some() {
            bail!("more than one result");
        }
        let Builder { transmits, resources, .. } = builder;
        Ok(Signature { parameters, result, transmits, resources })
    }
}

struct Builder {
    nodes: usize,
    transmits: bool,
    resources: bool,
}

impl Builder {
    fn shape(&mut self, ty: &Type, depth: usize) -> Result<Shape> {
        self.nodes += 1;
        if self.nodes > MAXIMUM_NODES {
            bail!("the types of this function unfold to more than {MAXIMUM_NODES} parts");
        }
        if depth > MAXIMUM_DEPTH {
            bail!("the types of this function nest deeper than {MAXIMUM_DEPTH}");
        }
        let depth = depth + 1;
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::Integer(Integer::S8),
            Type::U8 => Shape::Integer(Integer::U8),
            Type::S16 => Shape::Integer(Integer::S16),
            Type::U16 => Shape::Integer(Integer::U16),
            Type::S32 => Shape::Integer(Integer::S32),
            Type::U32 => Shape::Integer(Integer::U32),
            Type::S64 => Shape::Integer(Integer::S64),
            Type::U64 => Shape::Integer(Integer::U64),
            Type::Float32 => Shape::Float32,
            Type::Float64 => Shape::Float64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::List(list) => match list.ty() {
                Type::U8 => Shape::Bytes,
                element => Shape::List(Box::new(self.shape(&element, depth)?)),
            },
            Type::Map(map) => Shape::Map(
                Box::new(self.shape(&map.key(), depth)?),
                Box::new(self.shape(&map.value(), depth)?),
            ),
            Type::Record(record) => {
                let mut fields = Vec::new();
                for field in record.fields() {
                    let shape = self.shape(&field.ty, depth)?;
                    fields.push(Field { name: field.name.into(), shape });
                }
                Shape::Record(fields)
            }
            Type::Tuple(tuple) => {
                let mut items = Vec::new();
                for ty in tuple.types() {
                    items.push(self.shape(&ty, depth)?);
                }
                Shape::Tuple(items)
            }
            Type::Variant(variant) => {
                let mut cases = Vec::new();
                for case in variant.cases() {
                    let shape = case.ty.map(|ty| self.shape(&ty, depth)).transpose()?;
                    cases.push(Case { name: case.name.into(), shape });
                }
                Shape::Variant(cases)
            }
            Type::Enum(names) => Shape::Enum(names.names().map(Arc::from).collect()),
            Type::Option(option) => Shape::Option(Box::new(self.shape(&option.ty(), depth)?)),
            Type::Result(result) => {
                let mut arm = |ty: Option<Type>| -> Result<_> {
                    ty.map(|ty| Ok(Box::new(self.shape(&ty, depth)?))).transpose()
                };
                let ok = arm(result.ok())?;
                Shape::Result(ok, arm(result.err())?)
            }
            Type::Flags(flags) => Shape::Flags(flags.names().map(Arc::from).collect()),
            Type::Own(_) => {
                self.resources = true;
                Shape::Own
            }
            Type::Borrow(_) => {
                self.resources = true;
                Shape::Borrow
            }
            Type::Stream(stream) => Shape::Stream(self.element(stream.ty(), depth)?),
            Type::Future(future) => Shape::Future(self.element(future.ty(), depth)?),
            Type::ErrorContext => bail!("the type error-context is not supported"),
            Type::FixedLengthList(_) => bail!("lists of a fixed length are not supported"),
        })
    }

    fn element(&mut self, ty: Option<Type>, depth: usize) -> Result<Box<Shape>> {
        self.transmits = true;
        let shape = ty.map(|ty| self.shape(&ty, depth)).transpose()?;
        match shape {
            Some(
                shape @ (Shape::Bool
                | Shape::Integer(_)
                | Shape::Float32
                | Shape::Float64
                | Shape::Char
                | Shape::String),
            ) => Ok(Box::new(shape)),
            _ => bail!("streams and futures carry values of primitive types or strings only"),
        }
    }
}
