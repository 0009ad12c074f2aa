//! A component that is ready to be called.

use crate::bridge::ffi::FunctionName;
use crate::machine::{Flavor, MachineInner};
use crate::shape::Signature;
use crate::state::State;
use crate::wide::{WideResult, wide_result};
use std::sync::Arc;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime::error::Context as _;
use wasmtime::{Result, bail, format_err};

/// A loaded component, shared by its calls.
pub struct Program {
    inner: Arc<ProgramInner>,
}

pub struct ProgramInner {
    pub machine: Arc<MachineInner>,
    pub flavor: Arc<Flavor>,
    pub pre: InstancePre<State>,
    pub functions: Vec<Prepared>,
}

/// A function that can be called.
pub struct Prepared {
    pub index: ComponentExportIndex,
    pub signature: Signature,
    /// Set where the function takes the typed way.
    pub wide: Option<WideResult>,
    /// Whether this is `wasi:cli/run`.
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

impl ProgramInner {
    /// Looks up `functions` in the component, in their order.
    pub fn new(
        machine: Arc<MachineInner>,
        flavor: Arc<Flavor>,
        pre: InstancePre<State>,
        component: &Component,
        functions: &[FunctionName],
    ) -> Result<Self> {
        let mut prepared = Vec::with_capacity(functions.len());
        for function in functions {
            let context =
                || format!("function \"{}\" of \"{}\"", function.name, function.interface);
            prepared.push(prepare(component, function).with_context(context)?);
        }
        Ok(ProgramInner { machine, flavor, pre, functions: prepared })
    }
}

fn prepare(component: &Component, function: &FunctionName) -> Result<Prepared> {
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
    Ok(Prepared { index, wide: wide_result(&signature), signature, command })
}
