//! A component or a module that is ready to be called.

use crate::bridge::ffi::FunctionName;
use crate::footprint::{Footprint, Occupied, Room};
use crate::ledger::LimitReached;
use crate::limits::PARTS;
use crate::machine::{Flavor, MachineInner};
use crate::module;
use crate::shape::Signature;
use crate::state::State;
use crate::wide::{WideResult, wide_result};
use std::sync::Arc;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime::error::Context as _;
use wasmtime::{
    Engine, ExternType, FuncType, Module, ModuleExport, ResourcesRequired, Result, bail, format_err,
};

/// What was loaded, shared by its calls.
pub struct Program {
    inner: Arc<ProgramInner>,
}

pub struct ProgramInner {
    pub machine: Arc<MachineInner>,
    pub flavor: Arc<Flavor>,
    pub code: Code,
    pub functions: Vec<Prepared>,
    outside: Option<Outside>,
    /// Its code's mappings; last, for they are there until all else is gone.
    mapped: Option<Occupied>,
}

/// What instances take of a component that does not fit the pool, and what they take it from.
pub struct Outside {
    need: Footprint,
    share: Arc<Room>,
}

impl Outside {
    /// Refuses what has more parts than any instance may, or of which not one would fit `share`.
    pub fn new(parts: &ResourcesRequired, engine: &Engine, share: Arc<Room>) -> Result<Self> {
        for (number, what) in [(parts.num_memories, "memories"), (parts.num_tables, "tables")] {
            if number as usize > PARTS {
                bail!("it has {number} {what}; {PARTS} are the most that a component may have");
            }
        }
        let need = Footprint::on_demand(parts, engine);
        share.check(need)?;
        Ok(Outside { need, share })
    }
}

/// What a fresh instance is made of, and where its functions are, in the order of `functions`.
pub enum Code {
    Component(InstancePre<State>, Vec<ComponentExportIndex>),
    Module(ModuleCode),
}

/// A core module, which has its memory for itself.
pub struct ModuleCode {
    pub pre: wasmtime::InstancePre<State>,
    /// Makes a fresh instance ready for its other functions.
    pub initializer: Option<ModuleExport>,
    pub entries: Vec<ModuleExport>,
}

/// A function that can be called.
pub struct Prepared {
    pub signature: Signature,
    /// Set where the function takes the typed way.
    pub wide: Option<WideResult>,
    /// Whether this is `wasi:cli/run`, or what it is in a module.
    pub command: bool,
}

impl Program {
    pub fn new(inner: ProgramInner) -> Self {
        Program { inner: Arc::new(inner) }
    }

    pub fn inner(&self) -> &Arc<ProgramInner> {
        &self.inner
    }
}

fn context(function: &FunctionName) -> String {
    format!("function \"{}\" of \"{}\"", function.name, function.interface)
}

impl ProgramInner {
    /// Looks up `functions` in the component, in their order.
    pub fn of_component(
        machine: Arc<MachineInner>,
        flavor: Arc<Flavor>,
        pre: InstancePre<State>,
        component: &Component,
        functions: &[FunctionName],
    ) -> Result<Self> {
        let (mut entries, mut prepared) = (Vec::new(), Vec::with_capacity(functions.len()));
        for function in functions {
            let (entry, of_it) =
                in_component(component, function).with_context(|| context(function))?;
            entries.push(entry);
            prepared.push(of_it);
        }
        Ok(ProgramInner {
            machine,
            flavor,
            code: Code::Component(pre, entries),
            functions: prepared,
            outside: None,
            mapped: None,
        })
    }

    /// Looks up `functions` in the module, in their order.
    pub fn of_module(
        machine: Arc<MachineInner>,
        flavor: Arc<Flavor>,
        pre: wasmtime::InstancePre<State>,
        module: &Module,
        functions: &[FunctionName],
    ) -> Result<Self> {
        let (mut entries, mut prepared) = (Vec::new(), Vec::with_capacity(functions.len()));
        for function in functions {
            let (entry, of_it) = in_module(module, function).with_context(|| context(function))?;
            entries.push(entry);
            prepared.push(of_it);
        }
        // A command makes itself ready.
        let initializer = match module.get_export(module::INITIALIZER) {
            Some(ExternType::Func(ty)) if prepared.iter().all(|function| !function.command) => {
                takes_and_gives_nothing(module::INITIALIZER, &ty)?;
                module.get_export_index(module::INITIALIZER)
            }
            _ => None,
        };
        let code = Code::Module(ModuleCode { pre, initializer, entries });
        Ok(ProgramInner { machine, flavor, code, functions: prepared, outside: None, mapped: None })
    }

    /// Notes what its code takes, and what its instances will.
    pub fn occupy(&mut self, mapped: Occupied, outside: Option<Outside>) {
        self.mapped = Some(mapped);
        self.outside = outside;
    }

    /// Takes room for an instance, where it needs any outside the pool.
    pub fn room(&self) -> Result<Option<Occupied>, LimitReached> {
        self.outside.as_ref().map(|outside| outside.share.take(outside.need)).transpose()
    }
}

fn in_component(
    component: &Component,
    function: &FunctionName,
) -> Result<(ComponentExportIndex, Prepared)> {
    let interface = match function.interface.as_str() {
        "" => None,
        name => {
            let index = component.get_export_index(None, name);
            Some(index.ok_or_else(|| format_err!("the interface is not exported"))?)
        }
    };
    let (item, index) = component
        .get_export(interface.as_ref(), &function.name)
        .ok_or_else(|| format_err!("not exported"))?;
    let ComponentItem::ComponentFunc(ty) = item else { bail!("not a function") };
    let signature = Signature::new(&ty)?;
    let command = function.interface.starts_with("wasi:cli/run@");
    Ok((index, Prepared { wide: wide_result(&signature), signature, command }))
}

fn in_module(module: &Module, function: &FunctionName) -> Result<(ModuleExport, Prepared)> {
    let export = module::export_of(module, &function.interface, &function.name)
        .ok_or_else(|| format_err!("not exported"))?;
    let index =
        module.get_export_index(&export).ok_or_else(|| format_err!("\"{export}\" is missing"))?;
    let Some(ExternType::Func(ty)) = module.get_export(&export) else {
        bail!("\"{export}\" is not a function")
    };
    let command = export == module::COMMAND_EXPORT;
    if command {
        takes_and_gives_nothing(&export, &ty)?;
    }
    Ok((index, Prepared { signature: module::signature(&ty)?, wide: None, command }))
}

fn takes_and_gives_nothing(export: &str, ty: &FuncType) -> Result<()> {
    if ty.params().len() + ty.results().len() > 0 {
        bail!("the function \"{export}\" has parameters or results, which it must not have");
    }
    Ok(())
}
