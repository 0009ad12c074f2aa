//! The engine of Belljar: the only code that names Wasmtime.
//!
//! It compiles components, loads compiled code and runs calls, each in a store of its own. It
//! holds no policy and decides nothing: whatever a guest asks for, it asks the C++ host.

mod arguments;
mod bridge;
mod call;
mod capability;
mod clocks;
mod compile;
mod config;
mod console;
mod describe;
mod files;
mod footprint;
mod http;
mod ledger;
mod limits;
mod lines;
mod live;
mod machine;
mod messages;
mod module;
mod module_call;
mod names;
mod outcome;
mod program;
mod results;
mod sandbox;
mod shape;
mod sockets;
mod state;
mod stdio;
mod streams;
mod wasi01;
mod wide;
mod wrap;
