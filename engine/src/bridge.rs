//! The typed boundary between this crate and the C++ host, checked on both sides by `cxx`.
//!
//! Rust runs guests and asks; C++ decides and answers. Every entry catches panics, every callback
//! into C++ is `noexcept`, does not block unless its comment says that it runs on a thread made
//! for blocking, and does not call back into the crate except through the reply that it was given.

#![allow(missing_docs, reason = "cxx generates undocumented items; the shared ones are documented")]

use crate::call::Invocation;
use crate::capability::CapabilityReply;
use crate::compile::{Compiled, compile, engine_version, inject_docs};
use crate::config::{fingerprint, open_page_map};
use crate::http::HttpExchange;
use crate::machine::{Machine, machine_new};
use crate::names::LookupReply;
use crate::program::Program;

#[cxx::bridge(namespace = "belljar::engine::bridge")]
pub mod ffi {
    /// How a call ended.
    #[derive(Debug)]
    enum OutcomeKind {
        Returned,
        /// The function's own `err`.
        ToolError,
        /// The arguments did not fit the function's type; nothing ran.
        BadArguments,
        Trapped,
        /// A limit was reached; `limit` names its policy key.
        Limit,
        Cancelled,
        /// `wasi:cli/exit`; see `exit_code`.
        Exited,
        /// Belljar failed, not the guest.
        Fault,
    }

    /// One frame of a wasm backtrace, innermost first. Empty strings and zeros are unknown.
    #[derive(Debug)]
    struct Frame {
        module: String,
        function: String,
        file: String,
        line: u32,
        column: u32,
        /// Byte offset into the wasm file, or zero.
        offset: u64,
    }

    #[derive(Debug)]
    struct Outcome {
        kind: OutcomeKind,
        /// The result, or the function's `err`, as JSON text.
        value: String,
        /// What went wrong, in a sentence.
        message: String,
        frames: Vec<Frame>,
        /// With `Limit`: the policy key, how much was used, how much was allowed. Otherwise the same
        /// of the first limit that refused the guest something.
        limit: String,
        used: u64,
        allowed: u64,
        exit_code: i32,
        /// Zero where fuel is not counted.
        fuel_used: u64,
        /// Bytes of linear memory at their highest.
        peak_memory: u64,
        /// The live instance that resource handles of the result belong to, or zero.
        live: u64,
        /// Handles that were created by this call.
        handles: Vec<String>,
    }

    struct MachineOptions {
        /// Slots of the pool: sandboxes that can exist at once.
        instances: u32,
        /// Threads that run guests which did not finish inline.
        workers: u32,
        /// Bytes of linear memory, and held for guests, that all of them together may have.
        memory: u64,
        /// Descriptors that all guests together may have open.
        handles: u64,
    }

    /// A function as the component exports it; `interface` is empty for one of the world's own.
    struct FunctionName {
        interface: String,
        name: String,
    }

    struct CallInput<'a> {
        /// Index into the list that the program was loaded with.
        function: u32,
        /// A JSON object.
        arguments: &'a str,
        /// Bytes of linear memory.
        memory: u64,
        /// Zero where the engine counts none.
        fuel: u64,
        timeout_nanoseconds: u64,
        /// Bytes of the result's JSON text.
        output: u64,
        /// Open files and sockets.
        handles: u32,
        /// Bytes that the call may write to files, or make them grow by.
        written: u64,
        /// Deterministic clocks and randomness, for tests and replays.
        seeded: bool,
        seed: u64,
        /// What the clocks say at the start of a seeded call, in nanoseconds since 1970.
        start_nanoseconds: u64,
        /// What a clock's value is rounded down to; zero gives the machine's resolution.
        clock_resolution_nanoseconds: u64,
        /// Joins standard input, output and error with the process's own: `belljar run` alone.
        inherit_stdio: bool,
        /// The live instance to call, or zero for a fresh one.
        live: u64,
        /// Drops this handle of the live instance instead of calling the function.
        drop_handle: &'a str,
    }

    struct Preopen {
        mount: u32,
        guest: String,
        writable: bool,
        /// The same for mounts of one folder, in all components.
        line: u64,
    }

    struct Variable {
        key: String,
        value: String,
    }

    #[derive(Debug)]
    enum FileOperation {
        Open,
        Status,
        CreateDirectory,
        RemoveDirectory,
        Unlink,
        Rename,
        Link,
        SymbolicLink,
        ReadLink,
        SetTimes,
    }

    /// A path operation. Paths are relative to the mount's root, as the guest wrote them.
    #[derive(Debug, Clone)]
    struct FileRequest {
        operation: FileOperation,
        mount: u32,
        path: String,
        /// Whether a symbolic link in the last place is followed.
        follow: bool,
        create: bool,
        exclusive: bool,
        truncate: bool,
        directory: bool,
        read: bool,
        write: bool,
        /// Where a rename or link goes to.
        to_mount: u32,
        to_path: String,
        /// What a symbolic link says.
        target: String,
        /// Nanoseconds since 1970, or a negative number to leave the time as it is.
        access_time: i64,
        modification_time: i64,
    }

    #[derive(Debug, Default)]
    struct FileStatus {
        /// `st_mode`, of which the type bits are used.
        mode: u32,
        links: u64,
        size: u64,
        device: u64,
        inode: u64,
        access_time: i64,
        modification_time: i64,
        change_time: i64,
    }

    #[derive(Debug, Default)]
    struct FileReply {
        /// Zero, or an `errno`.
        error: i32,
        /// A descriptor that the crate owns from here on, or -1.
        descriptor: i32,
        /// Whether others serve the file, who may stop answering.
        remote: bool,
        status: FileStatus,
        /// What a symbolic link says.
        target: String,
    }

    #[derive(Debug)]
    enum SocketUse {
        TcpBind,
        TcpListen,
        TcpAccept,
        TcpConnect,
        UdpBind,
        UdpSend,
        UdpReceive,
    }

    struct Header {
        name: String,
        value: Vec<u8>,
    }

    struct HttpRequest {
        method: String,
        scheme: String,
        authority: String,
        path_and_query: String,
        headers: Vec<Header>,
        has_body: bool,
        /// Zero where the guest asked for none.
        connect_timeout_nanoseconds: u64,
        first_byte_timeout_nanoseconds: u64,
        between_bytes_timeout_nanoseconds: u64,
    }

    /// Why an HTTP request failed, as wasi:http names it.
    #[derive(Debug)]
    enum HttpFailure {
        Denied,
        AddressProhibited,
        NameUnresolvable,
        ConnectionRefused,
        ConnectionTimeout,
        ConnectionTerminated,
        Tls,
        Certificate,
        ResponseTimeout,
        ResponseTooLarge,
        HeadersTooLarge,
        BadRequest,
        Protocol,
        Internal,
    }

    extern "Rust" {
        type Compiled;
        /// Makes a component of what was given (a component, a core module, or the text of
        /// either), compiles it and describes its interface.
        fn compile(bytes: &[u8], fuel: bool) -> Result<Box<Compiled>>;
        fn artifact(self: &Compiled) -> &[u8];
        fn description(self: &Compiled) -> &str;

        fn fingerprint(fuel: bool) -> Result<String>;
        fn engine_version() -> String;
        fn open_page_map() -> bool;
        /// Puts the documentation of a WIT package into a component, and returns the component.
        fn inject_docs(wit: &str, component: &[u8]) -> Result<Vec<u8>>;

        type Machine;
        fn machine_new(options: &MachineOptions) -> Result<Box<Machine>>;
        /// Adds an interface that the embedder implements. Programs loaded later may import it.
        fn add_capability(self: &Machine, interface: &str, functions: &Vec<String>) -> Result<()>;
        /// Maps compiled code from a file that the caller has checked.
        fn load(
            self: &Machine,
            path: &str,
            functions: &Vec<FunctionName>,
            fuel: bool,
        ) -> Result<Box<Program>>;
        /// Ends a live instance; false where there is none of this number.
        fn drop_live(self: &Machine, live: u64) -> bool;

        type Program;
        /// Starts a call. It runs on the calling thread until it ends, waits or has used up one
        /// tick, and goes on elsewhere; `completion` fires exactly once, perhaps before this
        /// returns.
        fn start(
            self: &Program,
            input: &CallInput,
            host: SharedPtr<Host>,
            completion: UniquePtr<Completion>,
        ) -> Box<Invocation>;

        type Invocation;
        /// Stops the call at the guest's next tick or wait. Does nothing to one that has ended.
        fn cancel(self: &Invocation);

        type LookupReply;
        /// Zero addresses and no error mean that the name exists and has none.
        fn complete(self: &mut LookupReply, failed: bool, denied: bool, addresses: &Vec<String>);

        type CapabilityReply;
        fn complete(self: &mut CapabilityReply, value: &str);
        fn fail(self: &mut CapabilityReply, denied: bool, message: &str);

        type HttpExchange;
        fn head(self: &HttpExchange, status: u16, headers: &Vec<Header>);
        /// Hands over a piece of the body; false asks the sender to wait for `resume`.
        fn chunk(self: &HttpExchange, bytes: &[u8]) -> bool;
        fn end(self: &HttpExchange);
        fn fail(self: &HttpExchange, failure: HttpFailure, message: &str);
        /// The sender can take more of the request's body.
        fn want_body(self: &HttpExchange);
    }

    unsafe extern "C++" {
        include!("belljar_engine/host.h");

        /// What one call may ask of the host. Shared by the call and everything it began.
        type Host;
        /// Moves on with every change of a grant: a few atomic loads.
        fn grants_epoch(self: &Host) -> u64;
        /// Whether what this request opened, in this call or an earlier one of the same instance,
        /// may still be used so. Runs where it may block.
        fn still_granted(self: &Host, opened: &FileRequest, device: u64, inode: u64) -> bool;
        fn preopens(self: &Host) -> Vec<Preopen>;
        fn environment(self: &Host) -> Vec<Variable>;
        fn arguments(self: &Host) -> Vec<String>;
        fn standard_input(self: &Host) -> Vec<u8>;
        /// Takes what the guest wrote to standard output (1) or error (2).
        fn output(self: &Host, stream: u8, bytes: &[u8]);
        /// Items of a stream result that were collected so far.
        fn progress(self: &Host, items: u64);
        /// Decides and does a path operation. Runs where it may block.
        fn file(self: &Host, request: &FileRequest) -> FileReply;
        /// Decides whether a socket may be made, of TCP or of UDP. Runs where it may block.
        fn make_socket(self: &Host, tcp: bool) -> bool;
        /// Decides about a socket address. Runs where it may block.
        fn socket(self: &Host, address: &str, port: u16, use_: SocketUse) -> bool;
        /// Whether a socket address that was allowed is not any more. Runs where it may block.
        fn sockets_revoked(self: &Host) -> bool;
        fn begin_lookup(self: &Host, name: &str, reply: Box<LookupReply>) -> UniquePtr<Pending>;
        fn begin_http(
            self: &Host,
            request: &HttpRequest,
            exchange: Box<HttpExchange>,
        ) -> UniquePtr<HttpTransfer>;
        fn begin_capability(
            self: &Host,
            interface: &str,
            function: &str,
            arguments: &str,
            reply: Box<CapabilityReply>,
        ) -> UniquePtr<Pending>;

        /// Something begun; dropping it cancels.
        type Pending;

        /// The sending half of an HTTP exchange; dropping it cancels.
        type HttpTransfer;
        /// Hands over a piece of the request's body; false asks to wait for `want_body`.
        fn provide(self: &HttpTransfer, bytes: &[u8]) -> bool;
        fn finish(self: &HttpTransfer);
        /// The guest's side failed to produce the rest of the body.
        fn abort(self: &HttpTransfer);
        /// The guest has taken what was buffered.
        fn resume(self: &HttpTransfer);

        type Completion;
        fn complete(self: Pin<&mut Completion>, outcome: &Outcome);
    }

    impl SharedPtr<Host> {}
    impl UniquePtr<Completion> {}
}

// SAFETY: the C++ classes behind these are documented to be callable from any thread.
unsafe impl Send for ffi::Host {}
// SAFETY: as above.
unsafe impl Sync for ffi::Host {}
// SAFETY: a completion is moved to the thread that fires it and used there once.
unsafe impl Send for ffi::Completion {}
// SAFETY: destroying a pending operation is allowed on any thread.
unsafe impl Send for ffi::Pending {}
// SAFETY: only its destructor is ever run.
unsafe impl Sync for ffi::Pending {}
// SAFETY: the C++ class is documented to be callable from any thread.
unsafe impl Send for ffi::HttpTransfer {}
// SAFETY: as above.
unsafe impl Sync for ffi::HttpTransfer {}
