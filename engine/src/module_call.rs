//! Calls of a core module: a fresh instance, one function, numbers in and out.

use crate::program::ModuleCode;
use crate::state::State;
use wasmtime::component::Val;
use wasmtime::{Error, Extern, Func, Instance, ModuleExport, Result, Store, format_err};

/// Makes an instance, makes it ready, and calls the function of this number.
pub async fn call(
    store: &mut Store<State>,
    code: &ModuleCode,
    function: usize,
    arguments: &[Val],
) -> Result<Option<Val>> {
    let instance = code.pre.instantiate_async(&mut *store).await?;
    if let Some(initializer) = &code.initializer {
        find(store, instance, initializer)?.call_async(&mut *store, &[], &mut []).await?;
    }
    let entry = code.entries.get(function).ok_or_else(not_there)?;
    let function = find(store, instance, entry)?;
    let arguments = arguments.iter().map(to_core).collect::<Result<Vec<_>>>()?;
    let mut results = vec![wasmtime::Val::I32(0); function.ty(&*store).results().len()];
    function.call_async(&mut *store, &arguments, &mut results).await?;
    results.first().map(from_core).transpose()
}

fn not_there() -> Error {
    format_err!("the function is not there")
}

fn find(store: &mut Store<State>, instance: Instance, export: &ModuleExport) -> Result<Func> {
    instance
        .get_module_export(&mut *store, export)
        .and_then(Extern::into_func)
        .ok_or_else(not_there)
}

fn to_core(value: &Val) -> Result<wasmtime::Val> {
    Ok(match value {
        Val::S32(value) => wasmtime::Val::I32(*value),
        Val::S64(value) => wasmtime::Val::I64(*value),
        Val::Float32(value) => wasmtime::Val::F32(value.to_bits()),
        Val::Float64(value) => wasmtime::Val::F64(value.to_bits()),
        _ => return Err(format_err!("an argument is no number")),
    })
}

fn from_core(value: &wasmtime::Val) -> Result<Val> {
    Ok(match value {
        wasmtime::Val::I32(value) => Val::S32(*value),
        wasmtime::Val::I64(value) => Val::S64(*value),
        wasmtime::Val::F32(bits) => Val::Float32(f32::from_bits(*bits)),
        wasmtime::Val::F64(bits) => Val::Float64(f64::from_bits(*bits)),
        _ => return Err(format_err!("a result is no number")),
    })
}
