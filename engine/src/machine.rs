//! What all calls share: engines, the runtime's threads, the tick.

use crate::bridge::ffi::{FunctionName, MachineOptions};
use crate::capability;
use crate::compile::guarded;
use crate::config::{Allocation, engine_config};
use crate::files;
use crate::footprint::{FOR_CODE, Footprint, Room};
use crate::ledger::HostBudget;
use crate::lines::Lines;
use crate::live::LiveTable;
use crate::names;
use crate::program::{Outside, Program, ProgramInner};
use crate::sockets;
use crate::state::State;
use crate::wasi01;
use crate::wrap::{EXIT_FUNCTION, EXIT_INTERFACE};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Module, Precompiled, ResourcesRequired, Result, bail, format_err};
use wasmtime_wasi::I32Exit;

/// How often running guests are asked whether they may go on.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call after which the ticker sleeps.
const IDLE_TICKS: u32 = 500;
/// Threads for operations that may block; started when they are needed. File systems that hang take
/// some of them for ever, each no more than its line has places.
const BLOCKING_THREADS: usize = 512;
/// How long the end of the process waits for operations that cannot be interrupted.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Everything that is shared between programs. Lives as long as the last of them.
pub struct Machine {
    inner: Arc<MachineInner>,
}

pub struct MachineInner {
    instances: u32,
    flavors: Mutex<HashMap<(bool, bool), Arc<Flavor>>>,
    capabilities: Mutex<Vec<(String, Vec<String>)>>,
    pub live: LiveTable,
    pub budget: Arc<HostBudget>,
    pub lines: Arc<Lines>,
    /// Mappings and addresses outside the pools.
    room: Arc<Room>,
    pub ticker: Ticker,
    /// Absent only while this is dropped.
    runtime: Option<Runtime>,
}

/// An engine and what its guests may import.
pub struct Flavor {
    pub engine: Engine,
    pub fuel: bool,
    linker: Mutex<Linker<State>>,
    module_linker: wasmtime::Linker<State>,
}

/// Compiled code, mapped.
enum Mapped {
    Component(Component),
    Module(Module),
}

impl Mapped {
    /// The memories and tables of an instance.
    fn parts(&self) -> Result<ResourcesRequired> {
        match self {
            Mapped::Component(component) => component
                .resources_required()
                .ok_or_else(|| format_err!("its parts are not known before it runs")),
            Mapped::Module(module) => Ok(module.resources_required()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a machine; the pool of its default engine is reserved here.
pub fn machine_new(options: &MachineOptions) -> Result<Box<Machine>> {
    guarded("starting the engine", || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.workers.max(1) as usize)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("belljar-guest")
            .enable_all()
            .build()?;
        let inner = Arc::new(MachineInner {
            instances: options.instances.max(1),
            flavors: Mutex::default(),
            capabilities: Mutex::default(),
            live: LiveTable::default(),
            budget: HostBudget::new(options.memory, options.handles),
            room: Room::of_process(options.instances.max(1)),
            lines: Arc::new(Lines::new(runtime.handle().clone())),
            ticker: Ticker::start()?,
            runtime: Some(runtime),
        });
        inner.flavor(false, true)?;
        Ok(Box::new(Machine { inner }))
    })
}

impl Machine {
    /// Lets programs that are loaded later import `functions` of `interface` from the embedder.
    pub fn add_capability(&self, interface: &str, functions: &Vec<String>) -> Result<()> {
        guarded("adding a host interface", || {
            for flavor in lock(&self.inner.flavors).values() {
                capability::add_to_linker(&mut lock(&flavor.linker), interface, functions)?;
            }
            lock(&self.inner.capabilities).push((interface.to_owned(), functions.clone()));
            Ok(())
        })
    }

    /// Maps compiled code from a file that the caller has checked.
    pub fn load(
        &self,
        path: &str,
        functions: &Vec<FunctionName>,
        fuel: bool,
    ) -> Result<Box<Program>> {
        guarded("loading compiled code", || {
            let code = Footprint { mappings: FOR_CODE, addresses: 0 };
            let code = self.inner.room.take(code)?;
            // What does not fit a slot of the pool runs outside it.
            let pooled = self.inner.flavor(fuel, true)?;
            let (flavor, mapped, outside) = match pooled.map(path) {
                Ok(mapped) => (pooled, mapped, None),
                Err(first) => {
                    let unpooled = self.inner.flavor(fuel, false)?;
                    match unpooled.map(path) {
                        Ok(mapped) => {
                            let parts = mapped.parts()?;
                            let share = self.inner.room.share();
                            let outside = Outside::new(&parts, &unpooled.engine, share)?;
                            (unpooled, mapped, Some(outside))
                        }
                        Err(_) => return Err(first),
                    }
                }
            };
            let machine = self.inner.clone();
            let mut inner = match mapped {
                Mapped::Component(component) => {
                    let pre = lock(&flavor.linker).instantiate_pre(&component)?;
                    ProgramInner::of_component(machine, flavor, pre, &component, functions)?
                }
                Mapped::Module(module) => {
                    let pre = flavor.module_linker.instantiate_pre(&module)?;
                    ProgramInner::of_module(machine, flavor, pre, &module, functions)?
                }
            };
            inner.occupy(code, outside);
            Ok(Box::new(Program::new(inner)))
        })
    }

    /// Ends a live instance; false where there is none of this number.
    pub fn drop_live(&self, live: u64) -> bool {
        self.inner.live.drop_live(live)
    }
}

impl MachineInner {
    pub fn handle(&self) -> &Handle {
        match &self.runtime {
            Some(runtime) => runtime.handle(),
            None => unreachable!("the runtime is there until the machine is dropped"),
        }
    }

    fn flavor(&self, fuel: bool, pooled: bool) -> Result<Arc<Flavor>> {
        let mut flavors = lock(&self.flavors);
        if let Some(flavor) = flavors.get(&(fuel, pooled)) {
            return Ok(flavor.clone());
        }
        let allocation =
            if pooled { Allocation::Pooled(self.instances) } else { Allocation::OnDemand };
        let engine = Engine::new(&engine_config(fuel, allocation))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        // Files and names are the host's: these replace the standard implementations.
        linker.allow_shadowing(true);
        files::add_to_linker(&mut linker)?;
        names::add_to_linker(&mut linker)?;
        sockets::add_to_linker(&mut linker)?;
        linker.allow_shadowing(false);
        linker.instance(EXIT_INTERFACE)?.func_wrap(
            EXIT_FUNCTION,
            // What a parent process sees of an exit code.
            |_, (code,): (u32,)| -> Result<()> { Err(I32Exit((code & 0xFF) as i32).into()) },
        )?;
        for (interface, functions) in lock(&self.capabilities).iter() {
            capability::add_to_linker(&mut linker, interface, functions)?;
        }
        let mut module_linker = wasmtime::Linker::new(&engine);
        wasi01::add_to_linker(&mut module_linker)?;
        self.ticker.add(engine.clone());
        let linker = Mutex::new(linker);
        let flavor = Arc::new(Flavor { engine, fuel, linker, module_linker });
        flavors.insert((fuel, pooled), flavor.clone());
        Ok(flavor)
    }
}

impl Flavor {
    fn map(&self, path: &str) -> Result<Mapped> {
        // SAFETY: the caller has checked that the file is what Belljar's own compiler wrote, and
        // hands over a name of the very descriptor it checked; files of the code cache are
        // replaced and never changed in place.
        unsafe {
            match Engine::detect_precompiled_file(path)? {
                Some(Precompiled::Component) => {
                    Ok(Mapped::Component(Component::deserialize_file(&self.engine, path)?))
                }
                Some(Precompiled::Module) => {
                    Ok(Mapped::Module(Module::deserialize_file(&self.engine, path)?))
                }
                None => bail!("this is no compiled code"),
            }
        }
    }
}

impl Drop for MachineInner {
    fn drop(&mut self) {
        self.ticker.stop();
        if let Some(runtime) = self.runtime.take() {
            // The last owner may be a task of this very runtime, where waiting is not allowed.
            if Handle::try_current().is_ok() {
                runtime.shutdown_background();
            } else {
                runtime.shutdown_timeout(SHUTDOWN);
            }
        }
    }
}

/// Moves the epoch of all engines on while there are calls.
pub struct Ticker {
    shared: Arc<Ticking>,
    thread: Thread,
}

#[derive(Default)]
struct Ticking {
    engines: Mutex<Vec<Engine>>,
    calls: AtomicUsize,
    running: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    fn start() -> Result<Self> {
        let shared = Arc::new(Ticking::default());
        let ticking = shared.clone();
        let thread = thread::Builder::new()
            .name("belljar-tick".into())
            .spawn(move || ticking.run())?
            .thread()
            .clone();
        Ok(Ticker { shared, thread })
    }

    fn add(&self, engine: Engine) {
        lock(&self.shared.engines).push(engine);
    }

    /// A call begins: from now on there are ticks.
    pub fn began(&self) {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if !self.shared.running.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }

    /// A call has ended.
    pub fn ended(&self) {
        self.shared.calls.fetch_sub(1, Ordering::SeqCst);
    }

    fn stop(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Ticking {
    fn run(&self) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            if self.calls.load(Ordering::SeqCst) > 0 {
                idle = 0;
            } else {
                idle += 1;
            }
            if idle > IDLE_TICKS {
                self.running.store(false, Ordering::SeqCst);
                // A call that began before the line above saw no sleeper: look again.
                if self.calls.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.running.store(true, Ordering::SeqCst);
                idle = 0;
                continue;
            }
            self.running.store(true, Ordering::SeqCst);
            thread::sleep(TICK);
            for engine in lock(&self.engines).iter() {
                engine.increment_epoch();
            }
        }
    }
}
