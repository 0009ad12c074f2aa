//! One call: it runs inline for at most a tick, then among others, and ends with one outcome.

use crate::arguments::{Meter, NoResources, Unread, read_arguments};
use crate::bridge::ffi::{CallInput, Completion, Host, Outcome, OutcomeKind};
use crate::ledger::{Charge, Kind, Ledger, LimitReached};
use crate::limits;
use crate::live::{LiveCall, LiveResources};
use crate::module_call;
use crate::outcome::{classify, fault, limit, refused, returned};
use crate::program::{Code, ModuleCode, Prepared, Program, ProgramInner};
use crate::results::{WriteError, write_value};
use crate::sandbox::Sandbox;
use crate::shape::Shape;
use crate::sockets;
use crate::state::{State, allowance};
use crate::streams;
use crate::wide::{Wide, WideResult, most_held, read_wide};
use cxx::{SharedPtr, UniquePtr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wasmtime::component::{Func, Instance, Val};
use wasmtime::{AsContextMut as _, Error, Store, UpdateDeadline, format_err};
use wasmtime_wasi::I32Exit;

/// A dynamic value is 40 bytes; this many bytes may be copied for each byte of the output limit.
const COPY_FACTOR: u64 = 48;
/// The longest that any call may take, where a policy names more.
const MAXIMUM_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a waiting call looks whether its connections are still granted.
const GRANT_CHECK: Duration = Duration::from_millis(20);

/// What can be done to a call from outside.
pub struct Control {
    cancelled: AtomicBool,
    wake: Notify,
    deadline: Instant,
    timeout: Duration,
}

impl Control {
    fn new(timeout_nanoseconds: u64) -> Arc<Self> {
        let timeout = Duration::from_nanos(timeout_nanoseconds).min(MAXIMUM_TIMEOUT);
        Arc::new(Control {
            cancelled: AtomicBool::new(false),
            wake: Notify::new(),
            deadline: Instant::now() + timeout,
            timeout,
        })
    }

    fn timed_out(&self) -> LimitReached {
        let microseconds = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        let used = self.timeout + Instant::now().saturating_duration_since(self.deadline);
        LimitReached {
            key: "timeout",
            used: microseconds(used),
            allowed: microseconds(self.timeout),
        }
    }
}

/// A call that was started.
pub struct Invocation(Arc<Control>);

impl Invocation {
    /// Stops the call at its next tick or wait.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
        self.0.wake.notify_one();
    }
}

/// Why a guest was stopped from outside.
#[derive(Debug)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("cancelled")
    }
}

impl std::error::Error for Stopped {}

/// Converted arguments, in the form of the way that the call takes.
enum Parameters {
    Dynamic(Vec<Val>),
    Wide(Vec<Wide>, WideResult),
    /// Drop this handle.
    Drop(String),
    /// `wasi:cli/run`
    Command,
}

/// Fires the completion, once.
struct Finish {
    completion: UniquePtr<Completion>,
    program: Arc<ProgramInner>,
}

impl Finish {
    fn fire(mut self, outcome: &Outcome) {
        self.completion.pin_mut().complete(outcome);
        self.program.machine.ticker.ended();
    }
}

impl Program {
    /// Starts a call; see the bridge.
    pub fn start(
        &self,
        input: &CallInput,
        host: SharedPtr<Host>,
        completion: UniquePtr<Completion>,
    ) -> Box<Invocation> {
        let program = self.inner();
        program.machine.ticker.began();
        let control = Control::new(input.timeout_nanoseconds);
        let invocation = Box::new(Invocation(control.clone()));
        let finish = Finish { completion, program: program.clone() };
        let prepared =
            catch_unwind(AssertUnwindSafe(|| Run::prepare(program.clone(), input, host, control)));
        let run = match prepared {
            Ok(Ok(run)) => run,
            Ok(Err(outcome)) => {
                finish.fire(&outcome);
                return invocation;
            }
            Err(_) => {
                finish.fire(&fault("preparing the call failed unexpectedly"));
                return invocation;
            }
        };
        let mut task = Box::pin(Caught(Box::pin(run.execute())));
        // The context of the runtime: what the guest begins here may go on there.
        let runtime = program.machine.handle();
        let _entered = runtime.enter();
        match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready((outcome, rest)) => {
                finish.fire(&outcome);
                drop(rest);
            }
            Poll::Pending => {
                runtime.spawn(async move {
                    let (outcome, rest) = task.await;
                    finish.fire(&outcome);
                    drop(rest);
                });
            }
        }
        invocation
    }
}

/// Turns a panic of the call into an outcome. What the call held is dropped with it.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future<Output = (Outcome, Option<Sandbox>)>> Future for Caught<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(_) => Poll::Ready((fault("the engine failed unexpectedly in this call"), None)),
        }
    }
}

/// A call that is about to run or running.
struct Run {
    program: Arc<ProgramInner>,
    function: usize,
    parameters: Parameters,
    sandbox: Sandbox,
    /// What the arguments are charged with, for as long as the call may use them.
    _arguments: Option<Charge>,
    /// The instance and handles of a live call.
    live: Option<LiveCall>,
    control: Arc<Control>,
    fuel: u64,
    output: u64,
    /// The limit that a guest goes over whose results take too much of the host's memory.
    copies: LimitReached,
}

impl Run {
    fn prepare(
        program: Arc<ProgramInner>,
        input: &CallInput,
        host: SharedPtr<Host>,
        control: Arc<Control>,
    ) -> Result<Self, Outcome> {
        let function = input.function as usize;
        let Some(prepared) = program.functions.get(function) else {
            return Err(fault("no function of this number"));
        };
        let mut live = match input.live {
            0 => None,
            number => Some(program.machine.live.take(number, &program)?),
        };
        let ledger = match live.as_ref().and_then(LiveCall::ledger) {
            Some(ledger) => {
                ledger.renew(allowance(input));
                ledger
            }
            None => Ledger::new(program.machine.budget.clone(), allowance(input)),
        };
        let mut meter = Meter::new(&ledger);
        let parameters = match read(prepared, input, live.as_mut(), &mut meter) {
            Ok(parameters) => parameters,
            Err(why) => {
                // Nothing ran: the instance is as it was.
                let mut outcome = match why {
                    Unread::Wrong(message) => refused(message),
                    Unread::TooLarge(reached) => limit(&reached),
                };
                if let Some(live) = live {
                    outcome.live = live.put_back();
                }
                return Err(outcome);
            }
        };
        let arguments = meter.into_charge();
        let mut sandbox = match live.as_mut().and_then(LiveCall::take_sandbox) {
            Some(mut sandbox) => {
                sandbox.data_mut().renew(input, host, control.clone());
                sandbox
            }
            None => {
                let room = program.room().map_err(|reached| limit(&reached))?;
                let lines = program.machine.lines.clone();
                let state = State::new(input, host, control.clone(), ledger, lines);
                let mut store = Store::new(&program.flavor.engine, state);
                store.limiter(|state| &mut state.limiter);
                Sandbox::new(store, room)
            }
        };
        limits::bound_engine(&mut sandbox, input.handles);
        let store = &mut *sandbox;
        // What the host may come to hold for it bounds results as well, before they are written out.
        let written = input.output.max(64 << 10).saturating_mul(COPY_FACTOR);
        let (left, allowed) =
            (store.data().ledger.left(Kind::Held), store.data().ledger.allowed(Kind::Held));
        let copies = match written <= left {
            true => LimitReached { key: "output", used: 0, allowed: 0 },
            false => LimitReached { key: "memory", used: allowed.saturating_add(1), allowed },
        };
        store.set_hostcall_fuel(usize::try_from(written.min(left)).unwrap_or(usize::MAX));
        if program.flavor.fuel
            && let Err(error) = store.set_fuel(input.fuel)
        {
            return Err(fault(&error.to_string()));
        }
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            let state = store.data();
            if let Some(reached) = &state.overdrawn {
                return Err(reached.clone().into());
            }
            let control = &state.control;
            if control.cancelled.load(Ordering::Relaxed) {
                return Err(Stopped.into());
            }
            if Instant::now() >= control.deadline {
                return Err(control.timed_out().into());
            }
            Ok(UpdateDeadline::Yield(1))
        });
        let (fuel, output) = (input.fuel, input.output);
        Ok(Run {
            program,
            function,
            parameters,
            sandbox,
            _arguments: arguments,
            live,
            control,
            fuel,
            output,
            copies,
        })
    }

    async fn execute(mut self) -> (Outcome, Option<Sandbox>) {
        let control = self.control.clone();
        let host = self.sandbox.data().host.clone();
        let console = self.sandbox.data().console.clone();
        let ended = {
            let work = async {
                let result = self.work().await;
                // A program has ended once what it said has been taken.
                if let Some(console) = &console {
                    console.drained().await;
                }
                result
            };
            tokio::pin!(work);
            tokio::select! {
                biased;
                result = &mut work => result,
                () = control.wake.notified() => Err(Stopped.into()),
                () = tokio::time::sleep_until(control.deadline.into()) => {
                    Err(control.timed_out().into())
                }
                () = revoked(&host) => Err(format_err!("a grant was taken back that was in use")),
            }
        };
        if let Some(console) = &console {
            console.abandon();
        }
        // A guest that returned at once has met no tick since.
        let ended = match self.sandbox.data_mut().overdraft() {
            Some(reached) if ended.is_ok() => Err(reached.into()),
            _ => ended,
        };
        let mut outcome = match ended {
            Ok(outcome) => outcome,
            Err(error) => {
                let refused = self.sandbox.data().ledger.refused();
                classify(&error, refused.as_ref(), &self.copies)
            }
        };
        if outcome.limit.is_empty()
            && let Some(reached) = self.sandbox.data().ledger.refused()
        {
            outcome.limit = reached.key.to_owned();
            (outcome.used, outcome.allowed) = (reached.used, reached.allowed);
        }
        outcome.peak_memory = self.sandbox.data().limiter.used();
        if self.program.flavor.fuel {
            outcome.fuel_used = self.fuel.saturating_sub(self.sandbox.get_fuel().unwrap_or(0));
            if outcome.limit == "fuel" {
                outcome.used = self.fuel;
                outcome.allowed = self.fuel;
            }
        }
        // Arguments that turn out to be wrong only here have left the instance half-entered.
        let sound = matches!(outcome.kind, OutcomeKind::Returned | OutcomeKind::ToolError);
        match self.live {
            // A live instance outlives calls that ended properly while handles to it are out.
            Some(live) if sound => {
                sockets::settle(self.sandbox.as_context_mut());
                outcome.live = live.keep(self.sandbox);
                (outcome, None)
            }
            _ => (outcome, Some(self.sandbox)),
        }
    }

    async fn work(&mut self) -> Result<Outcome, Error> {
        let program = self.program.clone();
        let prepared = &program.functions[self.function];
        let (pre, entries) = match &program.code {
            Code::Component(pre, entries) => (pre, entries),
            Code::Module(code) => return self.call_module(code, prepared).await,
        };
        let instance = match self.live.as_ref().and_then(|live| live.instance()) {
            Some(instance) => instance,
            None => pre.instantiate_async(&mut *self.sandbox).await?,
        };
        let function = instance
            .get_func(&mut *self.sandbox, entries[self.function])
            .ok_or_else(|| format_err!("the function is not there"))?;
        match std::mem::replace(&mut self.parameters, Parameters::Command) {
            Parameters::Command => self.run_command(function).await,
            Parameters::Wide(arguments, result) => {
                self.call_wide(function, arguments, result).await
            }
            Parameters::Dynamic(arguments) => {
                self.call_dynamic(prepared, instance, function, arguments).await
            }
            Parameters::Drop(handle) => {
                let live = self.live.as_mut();
                if let Some(resource) = live.and_then(|live| live.resources.forget(&handle)) {
                    resource.resource_drop_async(&mut *self.sandbox).await?;
                }
                Ok(returned(OutcomeKind::Returned, "null".into()))
            }
        }
    }

    async fn run_command(&mut self, function: Func) -> Result<Outcome, Error> {
        let mut results = [Val::Bool(false)];
        let ended = function.call_async(&mut *self.sandbox, &[], &mut results).await;
        exited(ended.map(|()| i32::from(!matches!(results, [Val::Result(Ok(_))]))))
    }

    async fn call_module(
        &mut self,
        code: &ModuleCode,
        prepared: &Prepared,
    ) -> Result<Outcome, Error> {
        let arguments = match std::mem::replace(&mut self.parameters, Parameters::Command) {
            Parameters::Dynamic(arguments) => arguments,
            _ => Vec::new(),
        };
        let result = module_call::call(&mut self.sandbox, code, self.function, &arguments).await;
        if prepared.command {
            return exited(result.map(|_| 0));
        }
        let mut outcome = returned(OutcomeKind::Returned, String::new());
        match (&prepared.signature.result, result?) {
            (Some(shape), Some(value)) => {
                let limit = self.output_limit();
                let handles = &mut LiveResources::default();
                let written = write_value(shape, &value, handles, limit, &mut outcome.value);
                self.written(written)?;
            }
            _ => outcome.value.push_str("null"),
        }
        Ok(outcome)
    }

    async fn call_wide(
        &mut self,
        function: Func,
        arguments: Vec<Wide>,
        result: WideResult,
    ) -> Result<Outcome, Error> {
        let mut arguments = arguments.into_iter();
        let count = arguments.len();
        let mut next = || arguments.next().ok_or_else(|| format_err!("too few arguments"));
        let store = &mut *self.sandbox;
        macro_rules! call {
            ($result:ty, $($parameter:ident),*) => {{
                $(let $parameter = next()?;)*
                function
                    .typed::<($(wide_type!($parameter),)*), $result>(&*store)?
                    .call_async(store, ($($parameter,)*))
                    .await?
            }};
        }
        macro_rules! wide_type {
            ($parameter:ident) => {
                Wide
            };
        }
        macro_rules! by_count {
            ($result:ty) => {
                match count {
                    0 => call!($result,),
                    1 => call!($result, a),
                    2 => call!($result, a, b),
                    _ => call!($result, a, b, c),
                }
            };
        }
        let (kind, value) = match result {
            WideResult::None => {
                let () = by_count!(());
                (OutcomeKind::Returned, None)
            }
            WideResult::Plain => {
                let (value,) = by_count!((Wide,));
                (OutcomeKind::Returned, Some(value))
            }
            WideResult::Fallible => match by_count!((Result<Wide, Wide>,)).0 {
                Ok(value) => (OutcomeKind::Returned, Some(value)),
                Err(value) => (OutcomeKind::ToolError, Some(value)),
            },
        };
        let mut text = String::new();
        match value {
            Some(value) => self.written(value.write(self.output_limit(), &mut text))?,
            None => text.push_str("null"),
        }
        Ok(returned(kind, text))
    }

    async fn call_dynamic(
        &mut self,
        prepared: &Prepared,
        instance: Instance,
        function: Func,
        mut arguments: Vec<Val>,
    ) -> Result<Outcome, Error> {
        let signature = &prepared.signature;
        let mut results = Vec::new();
        results.resize_with(usize::from(signature.result.is_some()), || Val::Bool(false));
        if signature.transmits {
            let limit = self.output_limit();
            streams::call(&mut self.sandbox, signature, function, arguments, &mut results, limit)
                .await?;
        } else {
            function.call_async(&mut *self.sandbox, &arguments, &mut results).await?;
            arguments.clear();
        }
        let (kind, shape, value) = match (&signature.result, results.into_iter().next()) {
            (Some(Shape::Result(ok, _)), Some(Val::Result(Ok(value)))) => {
                (OutcomeKind::Returned, ok.as_deref(), value.map(|value| *value))
            }
            (Some(Shape::Result(_, err)), Some(Val::Result(Err(value)))) => {
                (OutcomeKind::ToolError, err.as_deref(), value.map(|value| *value))
            }
            (Some(shape), value) => (OutcomeKind::Returned, Some(shape), value),
            (None, _) => (OutcomeKind::Returned, None, None),
        };
        let mut outcome = returned(kind, String::new());
        let (Some(shape), Some(value)) = (shape, value) else {
            outcome.value.push_str("null");
            return Ok(outcome);
        };
        let limit = self.output_limit();
        let program = self.program.clone();
        let handles = if signature.resources {
            let live = self.live.get_or_insert_with(|| LiveCall::fresh(&program));
            live.set_instance(instance);
            &mut live.resources
        } else {
            &mut LiveResources::default()
        };
        let written = write_value(shape, &value, handles, limit, &mut outcome.value);
        outcome.handles = handles.take_given();
        self.written(written)?;
        Ok(outcome)
    }

    fn output_limit(&self) -> usize {
        usize::try_from(self.output).unwrap_or(usize::MAX)
    }

    fn written(&self, result: Result<(), WriteError>) -> Result<(), Error> {
        match result {
            Ok(()) => Ok(()),
            Err(WriteError::TooLong) => {
                let (used, allowed) = (self.output + 1, self.output);
                Err(LimitReached { key: "output", used, allowed }.into())
            }
            Err(WriteError::Mismatch) => Err(format_err!("a result does not have its own type")),
        }
    }
}

/// How a command ended: with the code that it gave, or that it ended itself with.
fn exited(ended: Result<i32, Error>) -> Result<Outcome, Error> {
    let code = match ended {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => *code,
            None => return Err(error),
        },
    };
    let mut outcome = returned(OutcomeKind::Exited, String::new());
    outcome.exit_code = code;
    Ok(outcome)
}

/// Ends once a connection that the guest has is no longer granted. Reads and writes on sockets
/// are the one kind of host call that does not ask each time.
async fn revoked(host: &SharedPtr<Host>) {
    // Nothing was asked yet: connections of a live instance can be older than this call.
    let mut asked = None;
    loop {
        tokio::time::sleep(GRANT_CHECK).await;
        let epoch = host.grants_epoch();
        if asked != Some(epoch) {
            let host = host.clone();
            let question = tokio::task::spawn_blocking(move || host.sockets_revoked());
            if question.await.unwrap_or(true) {
                return;
            }
            asked = Some(epoch);
        }
    }
}

/// Converts the arguments of a call.
fn read(
    prepared: &Prepared,
    input: &CallInput,
    live: Option<&mut LiveCall>,
    meter: &mut Meter<'_>,
) -> Result<Parameters, Unread> {
    if !input.drop_handle.is_empty() {
        return Ok(Parameters::Drop(input.drop_handle.to_owned()));
    }
    if prepared.command {
        return Ok(Parameters::Command);
    }
    let parameters = &prepared.signature.parameters;
    if let Some(result) = prepared.wide {
        meter.count(most_held(input.arguments))?;
        if let Some(arguments) = read_wide(parameters, input.arguments) {
            return Ok(Parameters::Wide(arguments, result));
        }
        let values = read_arguments(parameters, input.arguments, &mut NoResources, meter)?;
        let arguments = values.into_iter().map(Wide::from_value).collect::<Option<_>>();
        let wrong = || Unread::Wrong("arguments: not of the function's type".into());
        let arguments = arguments.ok_or_else(wrong)?;
        return Ok(Parameters::Wide(arguments, result));
    }
    match live {
        Some(live) => {
            let values = read_arguments(parameters, input.arguments, &mut live.resources, meter)?;
            live.resources.settle();
            Ok(Parameters::Dynamic(values))
        }
        None => read_arguments(parameters, input.arguments, &mut NoResources, meter)
            .map(Parameters::Dynamic),
    }
}
