//! From whatever was given to a component: one way for all that comes later.

use crate::compile::with_causes;
use crate::describe::MANIFEST_SECTION;
use std::borrow::Cow;
use std::collections::HashSet;
use wasi_preview1_component_adapter_provider as adapters;
use wasm_encoder::ComponentSection as _;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};
use wasmtime::{Result, bail, format_err};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Text beyond this is refused before it is parsed.
const TEXT_LIMIT: usize = 16 << 20;

/// What the given binary was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Component,
    Module,
}

/// Makes a component of a component, a core module, or the text form of either.
///
/// A WASI 0.1 module gets the standard adapter. A module without any imports, whose functions
/// take and give numbers, becomes a component with the same functions (`i32` is `s32`, `i64` is
/// `s64`).
pub fn to_component(bytes: &[u8]) -> Result<(Kind, Cow<'_, [u8]>)> {
    let bytes = to_binary(bytes)?;
    if Parser::is_component(&bytes) {
        return Ok((Kind::Component, bytes));
    }
    if !Parser::is_core_wasm(&bytes) {
        bail!("not WebAssembly: it starts with neither a module's nor a component's header");
    }
    let mut component = wrap_module(&bytes)?;
    carry_manifest(&bytes, &mut component)?;
    Ok((Kind::Module, Cow::Owned(component)))
}

/// What a module says that it needs, its component says: the encoder leaves it inside.
fn carry_manifest(module: &[u8], component: &mut Vec<u8>) -> Result<()> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload?
            && section.name() == MANIFEST_SECTION
        {
            let manifest = wasm_encoder::CustomSection {
                name: MANIFEST_SECTION.into(),
                data: section.data().into(),
            };
            manifest.append_to_component(component);
        }
    }
    Ok(())
}

fn to_binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if bytes.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(bytes));
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'(' | b';')) {
        bail!("not WebAssembly: it starts with neither \"\\0asm\" nor \"(\"");
    }
    if bytes.len() > TEXT_LIMIT {
        bail!("WebAssembly text of {} bytes; at most {TEXT_LIMIT} are read", bytes.len());
    }
    Ok(Cow::Owned(wat::parse_bytes(bytes).map_err(|error| format_err!("{error}"))?.into_owned()))
}

/// What a core module's sections say about it.
#[derive(Default)]
struct Outline {
    types: Vec<FuncType>,
    function_types: Vec<u32>,
    exports: Vec<(String, ExternalKind, u32)>,
    imports: Vec<(String, String)>,
    component_type: bool,
}

fn outline(module: &[u8]) -> Result<Outline> {
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
                    outline.imports.push((import.module.to_string(), import.name.to_string()));
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
                    outline.exports.push((export.name.to_string(), export.kind, export.index));
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

const WASI_MODULE: &str = adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;

/// The interface by which a wrapped module ends itself, for `wasi:cli/exit` knows success and
/// failure alone. Every component may import it; it is in no description.
pub const EXIT_INTERFACE: &str = "belljar:host/exit";
/// Takes the exit code and does not return.
pub const EXIT_FUNCTION: &str = "with-code";

const EXIT_WIT: &str = "package belljar:host;
interface exit {
  with-code: func(code: u32);
}
world ends-itself {
  import exit;
}
";

fn wrap_module(module: &[u8]) -> Result<Vec<u8>> {
    let outline = outline(module)?;
    let command = outline.exports.iter().any(|(name, ..)| name == "_start");
    let adapter = if command {
        adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let module = if command || outline.component_type {
        Cow::Borrowed(module)
    } else {
        if let Some((from, name)) = outline.imports.iter().find(|(from, _)| from != WASI_MODULE) {
            bail!(
                "the module imports \"{name}\" from \"{from}\", which Belljar does not give; \
                 it gives \"{WASI_MODULE}\" to modules, and WASI 0.2 and 0.3 to components"
            );
        }
        Cow::Owned(with_numeric_world(module, &outline)?)
    };
    let ends_itself = (WASI_MODULE.to_string(), "proc_exit".to_string());
    let module = if outline.imports.contains(&ends_itself) {
        Cow::Owned(with_exit_codes(&module)?)
    } else {
        module
    };
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.adapter(WASI_MODULE, adapter))
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(with_causes)
}

/// Leads `proc_exit` past the adapter, which would make one of every code but zero.
fn with_exit_codes(module: &[u8]) -> Result<Vec<u8>> {
    let mut output = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ImportSection(section) = payload {
            let mut imports = wasm_encoder::ImportSection::new();
            for import in section.into_imports() {
                let import = import?;
                let ty = RoundtripReencoder.entity_type(import.ty)?;
                if (import.module, import.name) == (WASI_MODULE, "proc_exit") {
                    imports.import(EXIT_INTERFACE, EXIT_FUNCTION, ty);
                } else {
                    imports.import(import.module, import.name, ty);
                }
            }
            output.section(&imports);
        } else if let Some((id, range)) = payload.as_section() {
            output.section(&wasm_encoder::RawSection { id, data: &module[range] });
        }
    }
    let mut resolve = Resolve::default();
    let package = resolve.push_str("exit.wit", EXIT_WIT).map_err(with_causes)?;
    let world = resolve.select_world(&[package], None).map_err(with_causes)?;
    let mut module = output.finish();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(with_causes)?;
    Ok(module)
}

/// Gives a module of plain numeric functions a world of its own.
fn with_numeric_world(module: &[u8], outline: &Outline) -> Result<Vec<u8>> {
    let mut functions = String::new();
    let mut renames = Vec::new();
    let mut taken = HashSet::new();
    for (name, kind, index) in &outline.exports {
        if *kind != ExternalKind::Func || name.starts_with('_') || name.starts_with("cabi_") {
            continue;
        }
        let ty = outline
            .function_types
            .get(*index as usize)
            .and_then(|ty| outline.types.get(*ty as usize))
            .ok_or_else(|| format_err!("the export \"{name}\" has no type"))?;
        let (Some(kebab), Some(signature)) = (kebab_name(name), signature(ty)) else {
            continue;
        };
        if !taken.insert(kebab.clone()) {
            bail!("two exported functions would both be called \"{kebab}\"");
        }
        functions.push_str(&format!("  export %{kebab}: func{signature};\n"));
        renames.push((name.clone(), kebab));
    }
    if renames.is_empty() {
        bail!(
            "this module exports no function that can be called: Belljar calls components, WASI \
             commands (\"_start\"), and modules whose functions take and give numbers"
        );
    }
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("module.wit", &format!("package belljar:core;\nworld core {{\n{functions}}}\n"))
        .map_err(with_causes)?;
    let world = resolve.select_world(&[package], None).map_err(with_causes)?;
    let mut renamed = rename_exports(module, &renames)?;
    embed_component_metadata(&mut renamed, &resolve, world, StringEncoding::UTF8)
        .map_err(with_causes)?;
    Ok(renamed)
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

fn signature(ty: &FuncType) -> Option<String> {
    let name = |value: &ValType| match value {
        ValType::I32 => Some("s32"),
        ValType::I64 => Some("s64"),
        ValType::F32 => Some("f32"),
        ValType::F64 => Some("f64"),
        _ => None,
    };
    let mut parameters = Vec::new();
    for (index, parameter) in ty.params().iter().enumerate() {
        parameters.push(format!("p{index}: {}", name(parameter)?));
    }
    let result = match ty.results() {
        [] => String::new(),
        [one] => format!(" -> {}", name(one)?),
        _ => return None,
    };
    Some(format!("({}){result}", parameters.join(", ")))
}

/// Rewrites the export section: renamed functions, and the memory for the adapter's sake.
fn rename_exports(module: &[u8], renames: &[(String, String)]) -> Result<Vec<u8>> {
    let mut output = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ExportSection(section) = payload {
            let mut exports = wasm_encoder::ExportSection::new();
            for export in section {
                let export = export?;
                let kind = match export.kind {
                    ExternalKind::Func | ExternalKind::FuncExact => wasm_encoder::ExportKind::Func,
                    ExternalKind::Memory => wasm_encoder::ExportKind::Memory,
                    _ => continue,
                };
                let renamed = renames.iter().find(|(from, _)| from == export.name);
                let internal = export.name.starts_with('_') || export.name.starts_with("cabi_");
                match renamed {
                    Some((_, to)) => exports.export(to, kind, export.index),
                    None if kind == wasm_encoder::ExportKind::Memory || internal => {
                        exports.export(export.name, kind, export.index)
                    }
                    None => continue,
                };
            }
            output.section(&exports);
        } else if let Some((id, range)) = payload.as_section() {
            output.section(&wasm_encoder::RawSection { id, data: &module[range] });
        }
    }
    Ok(output.finish())
}
