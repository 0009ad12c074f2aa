//! From a module that carries the interface of a component to that component.
//!
//! Such a module's functions take and give strings and lists by the canonical ABI, so that it has
//! to become a component. If it imports WASI 0.1 as well, the standard adapter comes along, which
//! keeps what it has to remember in memory that the module allocates for it (`cabi_realloc`).

use crate::compile::with_causes;
use crate::describe::MANIFEST_SECTION;
use crate::module::{COMMAND_EXPORT, Outline};
use std::borrow::Cow;
use wasi_preview1_component_adapter_provider as adapters;
use wasm_encoder::ComponentSection as _;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{Parser, Payload};
use wasmtime::{Result, bail};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The export by which a component's caller allocates memory in it.
const ALLOCATOR: &str = "cabi_realloc";
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

/// Whether a module becomes a component. All others run as they are.
pub fn is_for(outline: &Outline) -> Result<bool> {
    if !outline.component_type {
        return Ok(false);
    }
    if outline.exports_function(ALLOCATOR) || !outline.imports_wasi01(None) {
        return Ok(true);
    }
    if outline.exports_function(COMMAND_EXPORT) {
        return Ok(false);
    }
    bail!(
        "the module carries the interface of a component and imports \"{WASI_MODULE}\", but does \
         not export \"{ALLOCATOR}\", without which the two cannot share its memory; build it as \
         a component, for WASI 0.2 or later"
    )
}

/// Makes the component that a module carries the interface of.
pub fn to_component(module: &[u8], outline: &Outline) -> Result<Vec<u8>> {
    let adapter = if outline.exports_function(COMMAND_EXPORT) {
        adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let ending = if outline.imports_wasi01(Some("proc_exit")) {
        Cow::Owned(with_exit_codes(module)?)
    } else {
        Cow::Borrowed(module)
    };
    let mut component = ComponentEncoder::default()
        .module(&ending)
        .and_then(|encoder| encoder.adapter(WASI_MODULE, adapter))
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(with_causes)?;
    carry_manifest(module, &mut component)?;
    Ok(component)
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
