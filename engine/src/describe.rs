//! A component's interface as JSON: what C++ makes names, schemas and documentation from.
//!
//! ```json
//! {"kind": "component",
//!  "imports": ["wasi:filesystem/types@0.2.6"],
//!  "types": [{"kind": "record", "name": "point", "fields": [{"name": "x", "type": "s32"}]}],
//!  "functions": [{"interface": "", "name": "get", "kind": "function", "async": false,
//!                 "params": [{"name": "p", "type": 0}], "result": "string", "docs": "…"}],
//!  "docs": "…", "manifest": "…"}
//! ```
//!
//! A type is the name of a primitive, or an index into `types`. Keys without a value are left out.

use crate::compile::{with_causes, without_section};
use crate::module::{Outline, describe_module};
use crate::wrap::EXIT_INTERFACE;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use wasmparser::{Parser, Payload};
use wasmtime::{Error, Result, bail};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, PackageMetadata, Resolve, Type, TypeDefKind,
    TypeId, TypeOwner, WorldItem, WorldKey,
};

/// Bounds on what is described, against components made to exhaust those who read about them.
pub const MAXIMUM_FUNCTIONS: usize = 4_096;
const MAXIMUM_TYPES: usize = 65_536;
const MAXIMUM_IMPORTS: usize = 4_096;
const MAXIMUM_SECTION: usize = 1 << 20;

/// The custom section in which a component may say what it wants to be granted: policy YAML.
pub const MANIFEST_SECTION: &str = "belljar-policy";
/// As large as a policy file may be.
const MAXIMUM_MANIFEST: usize = 256 << 10;

/// What the given binary was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Component,
    Module,
}

/// Describes a module that runs as it is.
pub fn describe_core(outline: &Outline, module: &[u8]) -> Result<String> {
    let mut description = describe_module(outline)?;
    if let Some(manifest) = Sections::read(Kind::Module, module)?.manifest {
        description["manifest"] = manifest.into();
    }
    Ok(description.to_string())
}

/// Describes `component`, which was made of a binary of this kind.
pub fn describe(kind: Kind, component: &[u8]) -> Result<String> {
    let sections = Sections::read(kind, component)?;
    // The section names worlds as their source did, where a component has one called "root": the
    // decoder would refuse it.
    let bare = without_section(component, PackageMetadata::SECTION_NAME)?;
    let DecodedWasm::Component(resolve, world) = decode(&bare).map_err(with_causes)? else {
        bail!("this is a WIT package, not a component: it holds types and no code");
    };
    let mut describer = Describer {
        resolve: &resolve,
        docs: Docs(sections.docs),
        types: Vec::new(),
        seen: HashMap::new(),
    };
    let world = &resolve.worlds[world];
    let mut imports = Vec::new();
    for (key, item) in &world.imports {
        match (key, item) {
            (_, WorldItem::Type { .. }) => {}
            (WorldKey::Name(name), _) => imports.push(json!(name)),
            (WorldKey::Interface(id), _) if describer.interface_name(*id) == EXIT_INTERFACE => {}
            (WorldKey::Interface(id), _) => {
                // An interface of types alone gives no authority and asks for none.
                if !resolve.interfaces[*id].functions.is_empty()
                    || resolve.interfaces[*id]
                        .types
                        .values()
                        .any(|ty| matches!(resolve.types[*ty].kind, TypeDefKind::Resource))
                {
                    imports.push(json!(describer.interface_name(*id)));
                }
            }
        }
    }
    let mut functions = Vec::new();
    for (key, item) in &world.exports {
        match item {
            WorldItem::Function(function) => functions.push(describer.function("", function)?),
            WorldItem::Interface { id, .. } => {
                let name = match key {
                    WorldKey::Name(name) => name.clone(),
                    WorldKey::Interface(id) => describer.interface_name(*id),
                };
                for function in resolve.interfaces[*id].functions.values() {
                    functions.push(describer.function(&name, function)?);
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    if functions.len() > MAXIMUM_FUNCTIONS {
        bail!("{} exported functions; at most {MAXIMUM_FUNCTIONS} are served", functions.len());
    }
    if imports.len() > MAXIMUM_IMPORTS {
        bail!("{} imports; at most {MAXIMUM_IMPORTS} are read", imports.len());
    }
    let mut description = json!({
        "kind": match kind {
            Kind::Component => "component",
            Kind::Module => "module",
        },
        "imports": imports,
        "types": describer.types,
        "functions": functions,
    });
    if let Some(docs) = describer.docs.world() {
        description["docs"] = docs.into();
    }
    if let Some(manifest) = sections.manifest {
        description["manifest"] = manifest.into();
    }
    Ok(description.to_string())
}

/// The outermost custom sections that are read.
struct Sections {
    docs: Value,
    manifest: Option<String>,
}

impl Sections {
    fn read(kind: Kind, component: &[u8]) -> Result<Self> {
        let mut sections = Sections { docs: Value::Null, manifest: None };
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) if depth > 0 => depth -= 1,
                Payload::CustomSection(section) if depth == 0 => match section.name() {
                    // A version byte, then JSON. Documentation that cannot be read is no reason to
                    // refuse the code.
                    PackageMetadata::SECTION_NAME if section.data().len() <= MAXIMUM_SECTION => {
                        let json = section.data().get(1..).unwrap_or_default();
                        sections.docs = serde_json::from_slice(json).unwrap_or_default();
                    }
                    // It bounds the component: what cannot be read is an error, not left out.
                    MANIFEST_SECTION => sections.take_manifest(section.data())?,
                    _ => {}
                },
                // A module that was wrapped keeps the section of which its component has a copy.
                Payload::CustomSection(section)
                    if section.name() == MANIFEST_SECTION && kind == Kind::Component =>
                {
                    bail!(
                        "the manifest lies in a part of the component, where it bounds nothing; \
                         put it into a custom section of the component itself"
                    );
                }
                _ => {}
            }
        }
        Ok(sections)
    }

    fn take_manifest(&mut self, text: &[u8]) -> Result<()> {
        wasmtime::ensure!(self.manifest.is_none(), "the component has more than one manifest");
        wasmtime::ensure!(
            text.len() <= MAXIMUM_MANIFEST,
            "the manifest of the component has {} bytes, and {MAXIMUM_MANIFEST} are allowed",
            text.len()
        );
        let text = String::from_utf8(text.to_vec())
            .map_err(|_| wasmtime::format_err!("the manifest of the component is not UTF-8"))?;
        self.manifest = Some(text);
        Ok(())
    }
}

/// The documentation of a WIT package, in the layout of `package-docs`.
struct Docs(Value);

impl Docs {
    fn world(&self) -> Option<&str> {
        let worlds = self.0.get("worlds").and_then(Value::as_object);
        let mut worlds = worlds.into_iter().flat_map(Map::values);
        let world = worlds.next().filter(|_| worlds.next().is_none());
        world.and_then(|world| world.get("docs")).or_else(|| self.0.get("docs"))?.as_str()
    }

    /// The places where an item of this interface (or, if it is empty, of the world) may stand.
    fn holders<'a>(&'a self, interface: &'a str) -> impl Iterator<Item = &'a Value> {
        let plain = interface.rsplit('/').next().unwrap_or(interface);
        let plain = plain.split('@').next().unwrap_or(plain);
        let worlds = self.0.get("worlds").and_then(Value::as_object);
        let worlds = worlds.into_iter().flat_map(Map::values);
        let named = self.0.get("interfaces").and_then(|all| all.get(plain));
        let in_world = worlds.flat_map(move |world| {
            if interface.is_empty() {
                vec![world]
            } else {
                ["interface_exports", "interfaces"]
                    .iter()
                    .filter_map(|key| world.get(key)?.get(plain))
                    .collect()
            }
        });
        named.into_iter().filter(move |_| !interface.is_empty()).chain(in_world)
    }

    fn function<'a>(&'a self, interface: &'a str, name: &str) -> Option<&'a str> {
        self.holders(interface)
            .flat_map(|holder| {
                ["func_exports", "funcs"].iter().filter_map(|key| holder.get(key)?.get(name))
            })
            .find_map(|function| function.get("docs")?.as_str())
    }

    fn ty<'a>(&'a self, interface: &'a str, name: &str) -> Option<&'a Value> {
        self.holders(interface).find_map(|holder| holder.get("types")?.get(name))
    }
}

struct Describer<'a> {
    resolve: &'a Resolve,
    docs: Docs,
    types: Vec<Value>,
    seen: HashMap<TypeId, usize>,
}

impl Describer<'_> {
    fn interface_name(&self, id: InterfaceId) -> String {
        self.resolve
            .id_of(id)
            .unwrap_or_else(|| self.resolve.interfaces[id].name.clone().unwrap_or_default())
    }

    fn function(&mut self, interface: &str, function: &Function) -> Result<Value> {
        let context = |error: Error| {
            let name = &function.name;
            if interface.is_empty() {
                error.context(format!("function \"{name}\""))
            } else {
                error.context(format!("function \"{name}\" of \"{interface}\""))
            }
        };
        let mut parameters = Vec::new();
        for parameter in &function.params {
            let ty = self.ty(&parameter.ty).map_err(context)?;
            parameters.push(json!({"name": parameter.name, "type": ty}));
        }
        let (kind, resource) = match function.kind {
            FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => ("function", None),
            FunctionKind::Method(id) | FunctionKind::AsyncMethod(id) => ("method", Some(id)),
            FunctionKind::Static(id) | FunctionKind::AsyncStatic(id) => ("static", Some(id)),
            FunctionKind::Constructor(id) => ("constructor", Some(id)),
        };
        let asynchronous = matches!(
            function.kind,
            FunctionKind::AsyncFreestanding
                | FunctionKind::AsyncMethod(_)
                | FunctionKind::AsyncStatic(_)
        );
        let mut described = json!({
            "interface": interface,
            "name": function.name,
            "kind": kind,
            "async": asynchronous,
            "params": parameters,
        });
        if let Some(id) = resource {
            described["resource"] = self.resolve.types[id].name.clone().into();
        }
        if let Some(result) = &function.result {
            described["result"] = self.ty(result).map_err(context)?;
        }
        if let Some(docs) = self.docs.function(interface, &function.name) {
            described["docs"] = docs.into();
        }
        Ok(described)
    }

    fn optional(&mut self, ty: &Option<Type>) -> Result<Value> {
        ty.as_ref().map_or(Ok(Value::Null), |ty| self.ty(ty))
    }

    fn ty(&mut self, ty: &Type) -> Result<Value> {
        let name = match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => bail!("the type error-context is not supported"),
            Type::Id(id) => return self.defined(*id),
        };
        Ok(name.into())
    }

    fn defined(&mut self, id: TypeId) -> Result<Value> {
        if let Some(index) = self.seen.get(&id) {
            return Ok((*index).into());
        }
        let definition = &self.resolve.types[id];
        if let TypeDefKind::Type(target) = &definition.kind {
            return self.ty(target);
        }
        let mut described = self.kind(&definition.kind)?;
        if let Some(name) = &definition.name {
            described["name"] = name.as_str().into();
            let interface = match definition.owner {
                TypeOwner::Interface(id) => self.interface_name(id),
                _ => String::new(),
            };
            if let Some(docs) = self.docs.ty(&interface, name) {
                document(&mut described, docs);
            }
        }
        if self.types.len() >= MAXIMUM_TYPES {
            bail!("more than {MAXIMUM_TYPES} types");
        }
        self.types.push(described);
        self.seen.insert(id, self.types.len() - 1);
        Ok((self.types.len() - 1).into())
    }

    fn kind(&mut self, kind: &TypeDefKind) -> Result<Value> {
        Ok(match kind {
            TypeDefKind::Record(record) => {
                let mut fields = Vec::new();
                for field in &record.fields {
                    fields.push(json!({"name": field.name, "type": self.ty(&field.ty)?}));
                }
                json!({"kind": "record", "fields": fields})
            }
            TypeDefKind::Variant(variant) => {
                let mut cases = Vec::new();
                for case in &variant.cases {
                    cases.push(json!({"name": case.name, "type": self.optional(&case.ty)?}));
                }
                json!({"kind": "variant", "cases": cases})
            }
            TypeDefKind::Enum(names) => {
                let cases: Vec<_> = names.cases.iter().map(|c| json!({"name": c.name})).collect();
                json!({"kind": "enum", "cases": cases})
            }
            TypeDefKind::Flags(flags) => {
                let cases: Vec<_> = flags.flags.iter().map(|f| json!({"name": f.name})).collect();
                json!({"kind": "flags", "cases": cases})
            }
            TypeDefKind::Tuple(tuple) => {
                let mut items = Vec::new();
                for ty in &tuple.types {
                    items.push(self.ty(ty)?);
                }
                json!({"kind": "tuple", "items": items})
            }
            TypeDefKind::List(ty) => json!({"kind": "list", "element": self.ty(ty)?}),
            TypeDefKind::Map(key, value) => {
                json!({"kind": "map", "key": self.ty(key)?, "value": self.ty(value)?})
            }
            TypeDefKind::Option(ty) => json!({"kind": "option", "element": self.ty(ty)?}),
            TypeDefKind::Result(result) => json!({
                "kind": "result",
                "ok": self.optional(&result.ok)?,
                "err": self.optional(&result.err)?,
            }),
            TypeDefKind::Stream(ty) => self.transmitted("stream", ty)?,
            TypeDefKind::Future(ty) => self.transmitted("future", ty)?,
            TypeDefKind::Handle(Handle::Own(id)) => self.handle("own", *id),
            TypeDefKind::Handle(Handle::Borrow(id)) => self.handle("borrow", *id),
            TypeDefKind::Resource => json!({"kind": "resource"}),
            TypeDefKind::FixedLengthList(..) => {
                bail!("lists of a fixed length are not supported; use list or tuple")
            }
            TypeDefKind::Type(_) | TypeDefKind::Unknown => bail!("a type that is not known"),
        })
    }

    fn transmitted(&mut self, kind: &str, ty: &Option<Type>) -> Result<Value> {
        let element = match ty.map(|ty| self.ty(&ty)).transpose()? {
            Some(element) if element.is_string() => element,
            _ => bail!("a {kind} carries values of a primitive type or strings here, no others"),
        };
        Ok(json!({"kind": kind, "element": element}))
    }

    fn handle(&mut self, kind: &str, id: TypeId) -> Value {
        let mut id = id;
        while let TypeDefKind::Type(Type::Id(target)) = self.resolve.types[id].kind {
            id = target;
        }
        json!({"kind": kind, "resource": self.resolve.types[id].name})
    }
}

/// Copies documentation from `package-docs` onto a described type and its members.
fn document(described: &mut Value, docs: &Value) {
    if let Some(text) = docs.get("docs") {
        described["docs"] = text.clone();
    }
    let Some(items) = docs.get("items").and_then(Value::as_object) else {
        return;
    };
    for key in ["fields", "cases"] {
        let Some(members) = described.get_mut(key).and_then(Value::as_array_mut) else {
            continue;
        };
        for member in members {
            let text = member.get("name").and_then(Value::as_str).and_then(|name| items.get(name));
            if let Some(text) = text {
                member["docs"] = text.clone();
            }
        }
    }
}
