//! What a store holds for its guest.

use crate::bridge::ffi::{CallInput, Host};
use crate::call::Control;
use crate::clocks::Clocks;
use crate::console::Console;
use crate::files::Files;
use crate::http::Hooks;
use crate::ledger::{Allowance, Charge, Ledger, LimitReached};
use crate::limits::{self, Limiter};
use crate::lines::Lines;
use crate::messages::Messages;
use crate::stdio::{self, Output};
use crate::wasi01::Wasi01;
use cxx::SharedPtr;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The most random bytes that one host call gives.
const RANDOM_BYTES: u64 = 1 << 20;
/// Bytes of all headers of one HTTP message.
const HEADER_BYTES: usize = 64 << 10;

/// Everything that belongs to one store.
pub struct State {
    pub host: SharedPtr<Host>,
    pub table: ResourceTable,
    pub limiter: Limiter,
    pub ledger: Arc<Ledger>,
    /// Made when it is first asked for: most calls ask for no file.
    files: Option<Files>,
    /// Bytes that the call may write to files.
    written: u64,
    /// What its sockets are charged with, from the first one on; see `sockets.rs`.
    pub sockets: Option<Charge>,
    pub control: Arc<Control>,
    pub wasi01: Wasi01,
    pub lines: Arc<Lines>,
    clocks: Clocks,
    /// For a guest that has the process's own standard streams.
    pub console: Option<Console>,
    /// Built when it is first asked for: most calls ask for nothing.
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
    hooks: Hooks,
    messages: Messages,
    /// A limit that was passed where nobody could be refused: it stops the guest at its next tick.
    pub overdrawn: Option<LimitReached>,
}

impl State {
    /// The state of a fresh store, which is charged to `ledger`.
    pub fn new(
        input: &CallInput,
        host: SharedPtr<Host>,
        control: Arc<Control>,
        ledger: Arc<Ledger>,
        lines: Arc<Lines>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::resources(input.handles));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADER_BYTES);
        State {
            hooks: Hooks::new(host.clone(), ledger.clone()),
            host,
            table,
            limiter: Limiter::new(ledger.clone()),
            files: None,
            written: input.written,
            ledger,
            sockets: None,
            control,
            wasi01: Wasi01::default(),
            lines,
            clocks: Clocks::new(input),
            console: input.inherit_stdio.then(Console::default),
            wasi: None,
            http,
            messages: Messages::default(),
            overdrawn: None,
        }
    }

    /// Prepares a live store for its next call: new permissions, and what it has stays counted. Its
    /// ledger has been renewed.
    pub fn renew(&mut self, input: &CallInput, host: SharedPtr<Host>, control: Arc<Control>) {
        self.hooks = Hooks::new(host.clone(), self.ledger.clone());
        if let Some(files) = &mut self.files {
            files.renew(host.clone(), input.written);
        }
        self.written = input.written;
        self.host = host;
        self.table.set_max_capacity(limits::resources(input.handles));
        self.control = control;
        self.clocks = Clocks::new(input);
        self.wasi = None;
        self.overdrawn = None;
    }

    /// File operations on behalf of the call that runs.
    pub fn file_operations(&mut self) -> Files {
        self.guest().files.clone()
    }

    /// The limit that the guest has gone over with what it keeps, which was not refused where it did.
    pub fn overdraft(&mut self) -> Option<LimitReached> {
        if self.messages.used()
            && let Err(reached) = self.messages.charge(&mut self.table, &self.ledger)
        {
            self.overdrawn = Some(reached);
        }
        self.overdrawn.take()
    }

    fn build_wasi(&self) -> WasiCtx {
        let mut builder = WasiCtxBuilder::new();
        let variables: Vec<(String, String)> = self
            .host
            .environment()
            .into_iter()
            .map(|variable| (variable.key, variable.value))
            .collect();
        builder.envs(&variables).args(&self.host.arguments()).max_random_size(RANDOM_BYTES);
        match &self.console {
            Some(console) => {
                builder.inherit_stdin().stdout(console.output()).stderr(console.error());
            }
            None => {
                builder
                    .stdin(stdio::input(self.host.standard_input()))
                    .stdout(Output::new(self.host.clone(), 1))
                    .stderr(Output::new(self.host.clone(), 2));
            }
        }
        // No socket is made but by `sockets.rs`, which asks and counts.
        builder.allow_tcp(false).allow_udp(false);
        if let Some(seed) = self.clocks.seed() {
            builder
                .secure_random(StdRng::seed_from_u64(seed))
                .insecure_random(StdRng::seed_from_u64(seed ^ 1))
                .insecure_random_seed(u128::from(seed));
        }
        self.clocks.install(&mut builder);
        builder.build()
    }

    fn wasi_and_table(&mut self) -> (&mut WasiCtx, &mut ResourceTable) {
        if self.wasi.is_none() {
            self.wasi = Some(Box::new(self.build_wasi()));
        }
        let Some(wasi) = &mut self.wasi else { unreachable!("built just above") };
        (wasi, &mut self.table)
    }
}

/// What the policy of a call allows its instance.
pub fn allowance(input: &CallInput) -> Allowance {
    Allowance { memory: input.memory, handles: input.handles.into() }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = self.wasi_and_table();
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        if let Err(reached) = self.messages.charge(&mut self.table, &self.ledger) {
            self.overdrawn = Some(reached);
        }
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// What Belljar's own host functions see of a store.
pub struct GuestView<'a> {
    pub host: &'a SharedPtr<Host>,
    pub table: &'a mut ResourceTable,
    pub ledger: &'a Arc<Ledger>,
    pub files: &'a Files,
}

/// Names [`GuestView`] to the linker.
pub struct Guest;

impl HasData for Guest {
    type Data<'a> = GuestView<'a>;
}

impl State {
    /// The view of Belljar's own host functions.
    pub fn guest(&mut self) -> GuestView<'_> {
        let State { host, table, files, ledger, lines, written, .. } = self;
        let files = files.get_or_insert_with(|| {
            Files::new(host.clone(), ledger.clone(), lines.clone(), *written)
        });
        GuestView { host, table, ledger, files }
    }
}
