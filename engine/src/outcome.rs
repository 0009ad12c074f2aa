//! From what the engine reports to how the call ended.

use crate::bridge::ffi::{Frame, Outcome, OutcomeKind};
use crate::call::Stopped;
use crate::config::WASM_STACK;
use crate::ledger::LimitReached;
use crate::limits::{INSTANCES, PARTS};
use wasmtime::component::ResourceTableError;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Frames of a backtrace that are reported.
const FRAMES: usize = 32;
/// Characters of a function's name that are reported.
const NAME: usize = 200;

/// An outcome of this kind.
pub fn returned(kind: OutcomeKind, value: String) -> Outcome {
    Outcome {
        kind,
        value,
        message: String::new(),
        frames: Vec::new(),
        limit: String::new(),
        used: 0,
        allowed: 0,
        exit_code: 0,
        fuel_used: 0,
        peak_memory: 0,
        live: 0,
        handles: Vec::new(),
    }
}

fn with_message(kind: OutcomeKind, message: String) -> Outcome {
    let mut outcome = returned(kind, String::new());
    outcome.message = message;
    outcome
}

/// Belljar failed.
pub fn fault(message: &str) -> Outcome {
    with_message(OutcomeKind::Fault, message.to_owned())
}

/// The arguments were wrong.
pub fn refused(message: String) -> Outcome {
    with_message(OutcomeKind::BadArguments, message)
}

/// A limit was reached.
pub fn limit(reached: &LimitReached) -> Outcome {
    let mut outcome = with_message(OutcomeKind::Limit, reached.to_string());
    outcome.limit = reached.key.to_owned();
    outcome.used = reached.used;
    outcome.allowed = reached.allowed;
    outcome
}

/// What an error that ended a call says about how it ended. `growth` is the first refusal of
/// memory: a guest that traps after one was stopped by it, whatever its trap says. `copies` is the
/// limit on what the guest may have copied.
pub fn classify(error: &Error, growth: Option<&LimitReached>, copies: &LimitReached) -> Outcome {
    if error.is::<Stopped>() {
        return returned(OutcomeKind::Cancelled, String::new());
    }
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        let mut outcome = returned(OutcomeKind::Exited, String::new());
        outcome.exit_code = *code;
        return outcome;
    }
    if let Some(reached) = error.downcast_ref::<LimitReached>() {
        let mut outcome = limit(reached);
        outcome.frames = frames(error);
        return outcome;
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return limit(&LimitReached { key: "sandboxes", used: 0, allowed: 0 });
    }
    if says(error, WRONG_RESOURCE) {
        return refused(
            "a handle is of another kind of resource than this function takes; the instance \
             behind it has ended"
                .into(),
        );
    }
    let stopped_by = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            let stack = WASM_STACK as u64;
            Some(LimitReached { key: "stack", used: stack, allowed: stack })
        }
        Some(Trap::OutOfFuel) => Some(LimitReached { key: "fuel", used: 0, allowed: 0 }),
        _ if says(error, COPIED_TOO_MUCH) => Some(copies.clone()),
        _ if matches!(error.downcast_ref(), Some(ResourceTableError::Full))
            || says(error, TOO_MANY_HANDLES) =>
        {
            Some(LimitReached { key: "handles", used: 0, allowed: 0 })
        }
        _ if says(error, TOO_MANY_PARTS) => {
            let parts = if says(error, "instance count") { INSTANCES } else { PARTS } as u64;
            Some(LimitReached { key: "parts", used: parts + 1, allowed: parts })
        }
        _ => growth.cloned(),
    };
    let mut outcome = match stopped_by {
        Some(reached) => limit(&reached),
        None => with_message(OutcomeKind::Trapped, error.root_cause().to_string()),
    };
    outcome.frames = frames(error);
    outcome
}

// Errors of the engine that have no public type. Tests hold the texts to what it says.
const TOO_MANY_HANDLES: &str = "store handle limit exceeded";
const TOO_MANY_PARTS: &str = "resource limit exceeded";
const COPIED_TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";
const WRONG_RESOURCE: &str = "mismatched resource types";

/// Of the cause alone: what stands around it has names in it that the guest chooses.
fn says(error: &Error, text: &str) -> bool {
    error.root_cause().to_string().contains(text)
}

fn frames(error: &Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let shorten = |name: &str| name.chars().take(NAME).collect::<String>();
    let mut frames = Vec::new();
    for frame in backtrace.frames().iter().take(FRAMES) {
        let module = shorten(frame.module().name().unwrap_or_default());
        let offset = frame.module_offset().unwrap_or(0) as u64;
        let function = match frame.func_name() {
            Some(name) => shorten(name),
            None => format!("function {}", frame.func_index()),
        };
        let plain = Frame { module, function, file: String::new(), line: 0, column: 0, offset };
        // One place in the code stands for several calls where the compiler inlined them.
        for symbol in frame.symbols() {
            frames.push(Frame {
                module: plain.module.clone(),
                function: symbol.name().map_or_else(|| plain.function.clone(), shorten),
                file: shorten(symbol.file().unwrap_or_default()),
                line: symbol.line().unwrap_or(0),
                column: symbol.column().unwrap_or(0),
                offset,
            });
        }
        if frame.symbols().is_empty() {
            frames.push(plain);
        }
    }
    frames.truncate(FRAMES);
    frames
}
