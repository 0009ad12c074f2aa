//! What a store holds for its guest.

use crate::bridge::ffi::{CallInput, Host, SocketUse};
use crate::call::Control;
use crate::clocks::Clocks;
use crate::console::Console;
use crate::files::{CurrentHost, FileUse, Files};
use crate::http::Hooks;
use crate::limits::{Limiter, MemoryBudget};
use crate::lines::Lines;
use crate::stdio::{self, Output};
use crate::wasi01::Wasi01;
use cxx::SharedPtr;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::sockets::SocketAddrUse;
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
    pub files: Arc<FileUse>,
    pub current: Arc<CurrentHost>,
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
}

impl State {
    /// The state of a fresh store.
    pub fn new(
        input: &CallInput,
        host: SharedPtr<Host>,
        control: Arc<Control>,
        budget: Arc<MemoryBudget>,
        lines: Arc<Lines>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(input.handles as usize * 8 + 1024);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADER_BYTES);
        State {
            hooks: Hooks::new(host.clone()),
            current: Arc::new(CurrentHost::new(host.clone())),
            host,
            table,
            limiter: Limiter::new(budget, input.memory),
            files: Arc::new(FileUse::new(input)),
            control,
            wasi01: Wasi01::default(),
            lines,
            clocks: Clocks::new(input),
            console: input.inherit_stdio.then(Console::default),
            wasi: None,
            http,
        }
    }

    /// Prepares a live store for its next call: new permissions, new limits, the same memory.
    pub fn renew(&mut self, input: &CallInput, host: SharedPtr<Host>, control: Arc<Control>) {
        self.hooks = Hooks::new(host.clone());
        self.current.renew(host.clone());
        self.host = host;
        self.limiter.renew(input.memory);
        self.files = Arc::new(FileUse::new(input));
        self.control = control;
        self.clocks = Clocks::new(input);
        self.wasi = None;
    }

    /// File operations on behalf of the call that runs.
    pub fn file_operations(&self) -> Files {
        let (host, counts) = (self.host.clone(), self.files.clone());
        Files::new(host, counts, self.lines.clone(), self.current.clone())
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
        let host = self.host.clone();
        // Sockets can be made, but each address is asked about: so a refusal gets its name.
        builder.allow_tcp(true).allow_udp(true);
        builder.socket_addr_check(move |address, reason| {
            let host = host.clone();
            let question = move || {
                host.socket(&address.ip().to_canonical().to_string(), address.port(), of(reason))
            };
            Box::pin(async move { tokio::task::spawn_blocking(question).await.unwrap_or(false) })
        });
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

fn of(reason: SocketAddrUse) -> SocketUse {
    match reason {
        SocketAddrUse::TcpBind => SocketUse::TcpBind,
        SocketAddrUse::TcpListen => SocketUse::TcpListen,
        SocketAddrUse::TcpAccept => SocketUse::TcpAccept,
        SocketAddrUse::TcpConnect => SocketUse::TcpConnect,
        SocketAddrUse::UdpBind => SocketUse::UdpBind,
        SocketAddrUse::UdpSend => SocketUse::UdpSend,
        SocketAddrUse::UdpReceive => SocketUse::UdpReceive,
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = self.wasi_and_table();
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// What Belljar's own host functions see of a store.
pub struct GuestView<'a> {
    pub host: &'a SharedPtr<Host>,
    pub table: &'a mut ResourceTable,
    pub files: &'a Arc<FileUse>,
    pub lines: &'a Arc<Lines>,
    pub current: &'a Arc<CurrentHost>,
}

/// Names [`GuestView`] to the linker.
pub struct Guest;

impl HasData for Guest {
    type Data<'a> = GuestView<'a>;
}

impl State {
    /// The view of Belljar's own host functions.
    pub fn guest(&mut self) -> GuestView<'_> {
        let State { host, table, files, lines, current, .. } = self;
        GuestView { host, table, files, lines, current }
    }
}
