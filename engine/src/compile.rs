//! What the compiler helper does: from any kind of WebAssembly to compiled code and a description.

use crate::config::{Allocation, engine_config};
use crate::describe::{Kind, describe, describe_core};
use crate::module::Outline;
use crate::wrap;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasm_encoder::Encode as _;
use wasmparser::Parser;
use wasmtime::{Engine, Error, Result, bail, format_err};
use wit_parser::{PackageMetadata, Resolve};

/// Compiled code and what the component looks like from outside.
pub struct Compiled {
    artifact: Vec<u8>,
    description: String,
}

impl Compiled {
    /// Native code in Wasmtime's own container.
    pub fn artifact(&self) -> &[u8] {
        &self.artifact
    }

    /// JSON, as `describe.rs` defines it.
    pub fn description(&self) -> &str {
        &self.description
    }
}

/// Turns a failure inside a parser or the compiler into an error instead of an abort. The bridge
/// takes an error's first sentence only, so its causes are made part of that.
pub fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| format_err!("{error:#}")),
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown");
            bail!("{what} failed unexpectedly: {reason}")
        }
    }
}

/// An error of a library, with its causes in its one line.
pub(crate) fn with_causes(error: impl std::fmt::Display) -> Error {
    format_err!("{error:#}")
}

/// Compiles `bytes`: a component, a core module, or the text form of either.
///
/// Errors say what is wrong with the input. This is meant to run in a process of its own: a
/// hostile input can make it use any amount of time and memory.
pub fn compile(bytes: &[u8], fuel: bool) -> Result<Box<Compiled>> {
    guarded("compiling", || {
        let binary = to_binary(bytes)?;
        let engine = Engine::new(&engine_config(fuel, Allocation::OnDemand))?;
        if Parser::is_component(&binary) {
            return compile_component(&engine, Kind::Component, &binary);
        }
        if !Parser::is_core_wasm(&binary) {
            bail!("not WebAssembly: it starts with neither a module's nor a component's header");
        }
        let outline = Outline::read(&binary)?;
        if wrap::is_for(&outline)? {
            return compile_component(
                &engine,
                Kind::Module,
                &wrap::to_component(&binary, &outline)?,
            );
        }
        // What is wrong with a module is said of the module, before anything is said of its code.
        let description = describe_core(&outline, &binary)?;
        let artifact = engine.precompile_module(&binary)?;
        Ok(Box::new(Compiled { artifact, description }))
    })
}

fn compile_component(engine: &Engine, kind: Kind, component: &[u8]) -> Result<Box<Compiled>> {
    // Validation comes first, so that the description is made from a valid component only.
    let artifact = engine.precompile_component(component)?;
    let description = describe(kind, component)?;
    Ok(Box::new(Compiled { artifact, description }))
}

/// Text beyond this is refused before it is parsed.
const TEXT_LIMIT: usize = 16 << 20;

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

const WASMTIME_VERSION: &str = "48.0.8";

/// The version of the engine, as `belljar --version` shows it.
pub fn engine_version() -> String {
    // Pinned to the letter in Cargo.toml; a test compares the two.
    format!("wasmtime {WASMTIME_VERSION}")
}

/// Puts the documentation of the WIT package at `wit` (a file or a folder) into a component, as
/// the custom section `package-docs`. An older section of that name is replaced.
pub fn inject_docs(wit: &str, component: &[u8]) -> Result<Vec<u8>> {
    guarded("reading the WIT package", || {
        if !wasmparser::Parser::is_component(component) {
            bail!("not a component: only components carry documentation");
        }
        let mut resolve = Resolve { all_features: true, ..Resolve::default() };
        let (package, _) = resolve.push_path(wit).map_err(with_causes)?;
        let data = PackageMetadata::extract(&resolve, package).encode().map_err(with_causes)?;
        let mut output = without_section(component, PackageMetadata::SECTION_NAME)?;
        let section = wasm_encoder::CustomSection {
            name: PackageMetadata::SECTION_NAME.into(),
            data: data.into(),
        };
        output.push(CUSTOM_SECTION_ID);
        section.encode(&mut output);
        Ok(output)
    })
}

const CUSTOM_SECTION_ID: u8 = 0;

/// Copies a component without its outermost custom sections of this name.
pub(crate) fn without_section(component: &[u8], name: &str) -> Result<Vec<u8>> {
    let mut output = Vec::with_capacity(component.len());
    let mut copied = 0;
    // Where the last outermost section ended: the next one's header begins there, however many
    // bytes its size was written in.
    let mut ended = 0;
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        let payload = payload?;
        if depth == 0 {
            if let wasmparser::Payload::Version { range, .. } = &payload {
                ended = range.end;
            }
            if let Some((_, range)) = payload.as_section() {
                if let wasmparser::Payload::CustomSection(section) = &payload
                    && section.name() == name
                {
                    output.extend_from_slice(&component[copied..ended]);
                    copied = range.end;
                }
                ended = range.end;
            }
        }
        match payload {
            wasmparser::Payload::ModuleSection { .. }
            | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    output.extend_from_slice(&component[copied..]);
    Ok(output)
}
