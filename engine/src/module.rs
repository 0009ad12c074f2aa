//! A core module as it is: what it asks for, what can be called in it, and its description.
//!
//! Two kinds of module are programs of their own: a WASI 0.1 command (`_start`), and one whose
//! functions take and give numbers, where `i32` is `s32` and `i64` is `s64`.

use crate::describe::MAXIMUM_FUNCTIONS;
use crate::shape::{Field, Integer, Shape, Signature};
use crate::wasi01;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};
use wasmtime::{Result, bail, format_err};

/// The export by which a command runs.
pub const COMMAND_EXPORT: &str = "_start";
/// The export that makes a module ready for its other functions.
pub const INITIALIZER: &str = "_initialize";
/// The interface and function of a command's one tool.
const RUN_INTERFACE: &str = "wasi:cli/run@0.2.12";
const RUN_FUNCTION: &str = "run";
/// What every interface that a module is said to import has for its version.
const INTERFACE_VERSION: &str = "0.2.12";

/// What a core module's sections say about it.
#[derive(Default)]
pub struct Outline {
    types: Vec<FuncType>,
    function_types: Vec<u32>,
    exports: Vec<(String, ExternalKind, u32)>,
    imports: Vec<(String, String)>,
    /// Whether tools have put the interface of a component into it.
    pub component_type: bool,
}

impl Outline {
    /// Reads the sections of `module`.
    pub fn read(module: &[u8]) -> Result<Self> {
        let mut outline = Outline::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        outline.types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        outline.imports.push((import.module.into(), import.name.into()));
                        if let TypeRef::Func(ty) = import.ty {
                            outline.function_types.push(ty);
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        outline.function_types.push(ty?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        outline.exports.push((export.name.into(), export.kind, export.index));
                    }
                }
                Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                    outline.component_type = true;
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    /// Whether it exports a function of this name.
    pub fn exports_function(&self, name: &str) -> bool {
        self.exports.iter().any(|(export, kind, _)| *kind == ExternalKind::Func && export == name)
    }

    /// Whether it imports `function` of WASI 0.1, or any of its functions.
    pub fn imports_wasi01(&self, function: Option<&str>) -> bool {
        self.imports.iter().any(|(module, name)| {
            module == wasi01::MODULE && function.is_none_or(|function| function == name)
        })
    }

    fn is_command(&self) -> bool {
        self.exports_function(COMMAND_EXPORT)
    }

    /// The interfaces of WASI 0.2 that do what the imported functions do: permissions and tools
    /// speak of those.
    fn imported_interfaces(&self) -> Result<BTreeSet<&'static str>> {
        let mut interfaces = BTreeSet::new();
        for (module, name) in &self.imports {
            if module != wasi01::MODULE {
                bail!(
                    "the module imports \"{name}\" from \"{module}\", which Belljar does not \
                     give; it gives \"{}\" to modules, and WASI 0.2 and 0.3 to components",
                    wasi01::MODULE
                );
            }
            let Some(of_function) = wasi01::interfaces(name) else {
                bail!(
                    "the module imports \"{name}\" from \"{module}\", which has no such function"
                );
            };
            interfaces.extend(of_function);
        }
        Ok(interfaces)
    }

    /// The functions that can be called, by the names that they get.
    fn numeric_functions(&self) -> Result<Vec<(String, &FuncType)>> {
        let mut functions = Vec::new();
        let mut taken = HashSet::new();
        for (name, kind, index) in &self.exports {
            if *kind != ExternalKind::Func || is_internal(name) {
                continue;
            }
            let ty = self
                .function_types
                .get(*index as usize)
                .and_then(|ty| self.types.get(*ty as usize))
                .ok_or_else(|| format_err!("the export \"{name}\" has no type"))?;
            let Some(kebab) = kebab_name(name).filter(|_| is_numeric(ty)) else { continue };
            if !taken.insert(kebab.clone()) {
                bail!("two exported functions would both be called \"{kebab}\"");
            }
            functions.push((kebab, ty));
        }
        if functions.len() > MAXIMUM_FUNCTIONS {
            bail!("{} exported functions; at most {MAXIMUM_FUNCTIONS} are served", functions.len());
        }
        if functions.is_empty() {
            bail!(
                "this module exports no function that can be called: Belljar calls components, \
                 WASI commands (\"_start\"), and modules whose functions take and give numbers"
            );
        }
        Ok(functions)
    }
}

/// Describes a module in the words of `describe.rs`, without its manifest.
pub fn describe_module(outline: &Outline) -> Result<Value> {
    let imports: Vec<String> = outline
        .imported_interfaces()?
        .into_iter()
        .map(|interface| format!("{interface}@{INTERFACE_VERSION}"))
        .collect();
    let (types, functions) = if outline.is_command() {
        let types = vec![json!({"kind": "result", "ok": null, "err": null})];
        let run = json!({
            "interface": RUN_INTERFACE, "name": RUN_FUNCTION, "kind": "function",
            "async": false, "params": [], "result": 0,
        });
        (types, vec![run])
    } else {
        let functions = outline.numeric_functions()?;
        let describe = |(name, ty): (String, &FuncType)| describe_function(&name, ty);
        (Vec::new(), functions.into_iter().map(describe).collect())
    };
    Ok(json!({"kind": "module", "imports": imports, "types": types, "functions": functions}))
}

fn describe_function(name: &str, ty: &FuncType) -> Value {
    let mut parameters = Vec::new();
    for (index, parameter) in ty.params().iter().enumerate() {
        parameters.push(json!({"name": parameter_name(index), "type": wit_name(*parameter)}));
    }
    let mut described = json!({
        "interface": "", "name": name, "kind": "function", "async": false, "params": parameters,
    });
    if let [result] = ty.results() {
        described["result"] = json!(wit_name(*result));
    }
    described
}

/// What language runtimes export for themselves.
fn is_internal(name: &str) -> bool {
    name.starts_with('_') || name.starts_with("cabi_")
}

/// The name of a parameter, which core modules do not give.
fn parameter_name(index: usize) -> String {
    format!("p{index}")
}

/// `my_func` and `myFunc` are `my-func`; nothing for a name that has no such form.
fn kebab_name(name: &str) -> Option<String> {
    let mut kebab = String::new();
    for (index, character) in name.char_indices() {
        match character {
            'a'..='z' | '0'..='9' => kebab.push(character),
            'A'..='Z' => {
                if index > 0 && !kebab.ends_with('-') {
                    kebab.push('-');
                }
                kebab.push(character.to_ascii_lowercase());
            }
            '_' | '-' | '.' => kebab.push('-'),
            _ => return None,
        }
    }
    let words = kebab.split('-').all(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
    words.then_some(kebab)
}

fn wit_name(ty: ValType) -> Option<&'static str> {
    match ty {
        ValType::I32 => Some("s32"),
        ValType::I64 => Some("s64"),
        ValType::F32 => Some("f32"),
        ValType::F64 => Some("f64"),
        _ => None,
    }
}

fn is_numeric(ty: &FuncType) -> bool {
    let numbers = |types: &[ValType]| types.iter().all(|ty| wit_name(*ty).is_some());
    numbers(ty.params()) && numbers(ty.results()) && ty.results().len() <= 1
}

/// The name of the export behind a function of a module's description.
pub fn export_of(module: &wasmtime::Module, interface: &str, name: &str) -> Option<String> {
    if interface == RUN_INTERFACE && name == RUN_FUNCTION {
        return Some(COMMAND_EXPORT.into());
    }
    let mut exports = module.exports().filter(|export| {
        let wasmtime::ExternType::Func(ty) = export.ty() else { return false };
        !is_internal(export.name()) && signature(&ty).is_ok()
    });
    let export = exports.find(|export| kebab_name(export.name()).as_deref() == Some(name))?;
    Some(export.name().to_owned())
}

/// What a call needs to know of a core function's type.
pub fn signature(ty: &wasmtime::FuncType) -> Result<Signature> {
    let mut parameters = Vec::new();
    for (index, parameter) in ty.params().enumerate() {
        let name = parameter_name(index).as_str().into();
        parameters.push(Field { name, shape: shape(&parameter)? });
    }
    if ty.results().len() > 1 {
        bail!("more than one result");
    }
    let result = ty.results().next().map(|ty| shape(&ty)).transpose()?;
    Ok(Signature { parameters, result, transmits: false, resources: false })
}

fn shape(ty: &wasmtime::ValType) -> Result<Shape> {
    Ok(match ty {
        wasmtime::ValType::I32 => Shape::Integer(Integer::S32),
        wasmtime::ValType::I64 => Shape::Integer(Integer::S64),
        wasmtime::ValType::F32 => Shape::Float32,
        wasmtime::ValType::F64 => Shape::Float64,
        _ => bail!("a parameter or result that is no number"),
    })
}
