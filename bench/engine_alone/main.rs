//! Wasmtime without Belljar: the floor that Belljar's figures are compared with.
//!
//! The configuration is the product's own, and so is the way of a value: JSON text in, a fresh
//! instance, a call, JSON text out. What is missing is everything that Belljar is for: policy,
//! limits, audit, the bridge to C++.
//!
//! It obeys one command a line on standard input and answers with one line; see `main`.

#[path = "../../engine/src/config.rs"]
#[allow(dead_code, reason = "the product uses all of it")]
mod config;

use config::{Allocation, engine_config};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, Write};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmtime::component::{
    Component, ComponentExportIndex, Instance, InstancePre, Linker, ResourceTable, Type, Val,
    types::ComponentItem,
};
use wasmtime::{Engine, Result, Store, bail, format_err};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

/// As many slots as the product's default has.
const SLOTS: u32 = 1_300;
/// Ticks of a millisecond after which a guest is stopped.
const DEADLINE: u64 = 10_000;

type Sent = Box<dyn Future<Output = std::result::Result<(), HttpError>> + Send>;

/// No request goes out.
#[derive(Default)]
struct NoHttp;

impl WasiHttpHooks for NoHttp {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Sent,
    ) -> Box<
        dyn Future<Output = std::result::Result<(http::Response<WasiBody>, Sent), HttpError>>
            + Send,
    > {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}

/// What a store holds. The context of WASI is made when the guest first asks for it, as in the
/// product.
#[derive(Default)]
struct State {
    table: ResourceTable,
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    hooks: NoHttp,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self
            .wasi
            .get_or_insert_with(|| WasiCtxBuilder::new().build());
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// A function that can be called.
struct Program {
    pre: InstancePre<State>,
    function: ComponentExportIndex,
    parameters: Vec<(String, Type)>,
    arguments: String,
}

struct Machine {
    engine: Engine,
    linker: Linker<State>,
    runtime: Runtime,
    programs: HashMap<String, Program>,
}

impl Machine {
    fn new() -> Result<Self> {
        let engine = Engine::new(&engine_config(false, Allocation::Pooled(SLOTS)))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let ticked = engine.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(1));
                ticked.increment_epoch();
            }
        });
        Ok(Machine {
            engine,
            linker,
            runtime,
            programs: HashMap::new(),
        })
    }

    /// Compiles `path` where that was not done before; gives the file with the code.
    fn compile(&self, path: &str) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        self.engine
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        let code = format!("{path}.{:x}.code", hasher.finish());
        let modified = |path: &str| {
            std::fs::metadata(path)
                .and_then(|data| data.modified())
                .ok()
        };
        if modified(&code) <= modified(path) {
            std::fs::write(
                &code,
                self.engine.precompile_component(&wat::parse_file(path)?)?,
            )?;
        }
        Ok(code)
    }

    /// Maps compiled code; gives the nanoseconds that this took.
    fn load(&mut self, name: &str, path: &str, function: &str, arguments: &str) -> Result<u128> {
        let code = self.compile(path)?;
        let began = Instant::now();
        // SAFETY: the file was written by this program, now or in an earlier run.
        let component = unsafe { Component::deserialize_file(&self.engine, &code)? };
        let pre = self.linker.instantiate_pre(&component)?;
        let (interface, function) = function.rsplit_once('#').unwrap_or(("", function));
        let within = match interface {
            "" => None,
            interface => component.get_export_index(None, interface),
        };
        let Some((ComponentItem::ComponentFunc(signature), index)) =
            component.get_export(within.as_ref(), function)
        else {
            bail!("{path} has no function {function}");
        };
        let parameters = signature
            .params()
            .map(|(name, ty)| (name.to_owned(), ty))
            .collect();
        let program = Program {
            pre,
            function: index,
            parameters,
            arguments: arguments.to_owned(),
        };
        let before = self.programs.insert(name.to_owned(), program);
        let time = began.elapsed().as_nanos();
        drop(before);
        Ok(time)
    }

    fn program(&self, name: &str) -> Result<&Program> {
        self.programs
            .get(name)
            .ok_or_else(|| format_err!("nothing is loaded as {name}"))
    }

    /// Calls once, on this thread as far as it goes.
    fn call(&self, program: &Program) -> Result<String> {
        let call = async {
            let (mut store, instance) = self.instantiate(program).await?;
            run(program, &mut store, &instance).await
        };
        let mut call = pin!(call);
        let _entered = self.runtime.enter();
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => self.runtime.block_on(call),
        }
    }

    async fn instantiate(&self, program: &Program) -> Result<(Store<State>, Instance)> {
        let mut store = Store::new(&self.engine, State::default());
        store.set_epoch_deadline(DEADLINE);
        let instance = program.pre.instantiate_async(&mut store).await?;
        Ok((store, instance))
    }

    /// Keeps `count` sandboxes that each had one call; gives what one of them takes.
    fn hold(&self, program: &Program, count: usize) -> Result<String> {
        self.call(program)?;
        let before = footprint()?;
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(self.runtime.block_on(async {
                let (mut store, instance) = self.instantiate(program).await?;
                run(program, &mut store, &instance).await?;
                Ok::<_, wasmtime::Error>((store, instance))
            })?);
        }
        let after = footprint()?;
        let each = |before: f64, after: f64| (after - before) / count as f64;
        Ok(format!(
            "{} {}",
            each(before.0, after.0),
            each(before.1, after.1)
        ))
    }
}

async fn run(program: &Program, store: &mut Store<State>, instance: &Instance) -> Result<String> {
    let arguments: Map<String, Value> = serde_json::from_str(&program.arguments)?;
    let parameters = program
        .parameters
        .iter()
        .map(|(name, ty)| to_val(ty, arguments.get(name)))
        .collect::<Result<Vec<_>>>()?;
    let function = instance
        .get_func(&mut *store, program.function)
        .ok_or_else(|| format_err!("the function is not there"))?;
    let mut results = vec![Val::Bool(false); function.ty(&*store).results().len()];
    function
        .call_async(&mut *store, &parameters, &mut results)
        .await?;
    Ok(results.iter().map(from_val).collect::<Value>().to_string())
}

fn to_val(ty: &Type, value: Option<&Value>) -> Result<Val> {
    let wrong = || format_err!("an argument is missing or of a type that this program leaves out");
    Ok(match (ty, value) {
        (Type::Option(_), None | Some(Value::Null)) => Val::Option(None),
        (Type::Option(option), value) => Val::Option(Some(Box::new(to_val(&option.ty(), value)?))),
        (Type::String, Some(Value::String(text))) => Val::String(text.clone()),
        (Type::Bool, Some(Value::Bool(value))) => Val::Bool(*value),
        (Type::U32, Some(value)) => Val::U32(value.as_u64().ok_or_else(wrong)?.try_into()?),
        (Type::List(list), Some(Value::Array(values))) => Val::List(
            values
                .iter()
                .map(|value| to_val(&list.ty(), Some(value)))
                .collect::<Result<_>>()?,
        ),
        _ => return Err(wrong()),
    })
}

fn from_val(value: &Val) -> Value {
    match value {
        Val::String(text) => text.as_str().into(),
        Val::Bool(value) => (*value).into(),
        Val::U8(value) => (*value).into(),
        Val::U32(value) => (*value).into(),
        Val::U64(value) => (*value).into(),
        Val::List(values) => values.iter().map(from_val).collect(),
        Val::Record(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), from_val(value)))
            .collect(),
        Val::Option(value) => value.as_deref().map_or(Value::Null, from_val),
        Val::Result(Ok(value)) => value.as_deref().map_or(Value::Null, from_val),
        Val::Result(Err(value)) => value.as_deref().map_or(Value::Null, from_val),
        other => format!("{other:?}").into(),
    }
}

/// KiB of this process's own memory, and its mappings.
fn footprint() -> Result<(f64, f64)> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let kib = rollup
        .lines()
        .find_map(|line| {
            line.strip_prefix("Pss:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or_else(|| format_err!("the kernel does not say how much memory this process has"))?;
    let mappings = std::fs::read_to_string("/proc/self/maps")?.lines().count();
    Ok((kib, mappings as f64))
}

/// Runs one command:
///
/// - `load NAME PATH FUNCTION ARGUMENTS` gives nanoseconds
/// - `call NAME` gives the result
/// - `calls NAME COUNT` gives the nanoseconds of each
/// - `hold NAME COUNT` gives the KiB and the mappings of each
fn obey(machine: &mut Machine, line: &str) -> Result<String> {
    let words: Vec<&str> = line.splitn(5, ' ').collect();
    match words[..] {
        ["load", name, path, function, arguments] => {
            Ok(machine.load(name, path, function, arguments)?.to_string())
        }
        ["call", name] => machine.call(machine.program(name)?),
        ["calls", name, count] => {
            let program = machine.program(name)?;
            let mut times = Vec::new();
            for _ in 0..count.parse::<usize>()? {
                let began = Instant::now();
                machine.call(program)?;
                times.push(began.elapsed().as_nanos().to_string());
            }
            Ok(times.join(" "))
        }
        ["hold", name, count] => machine.hold(machine.program(name)?, count.parse()?),
        _ => bail!("unknown command"),
    }
}

fn main() -> Result<()> {
    let mut machine = Machine::new()?;
    for line in std::io::stdin().lock().lines() {
        let answer = obey(&mut machine, &line?).unwrap_or_else(|error| format!("error {error:?}"));
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", answer.replace('\n', " "))?;
        out.flush()?;
    }
    Ok(())
}
