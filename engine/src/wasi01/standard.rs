//! Standard input, output and error of a WASI 0.1 guest: the streams that WASI 0.2 has, held here
//! because the descriptors of 0.1 are numbers and not resources.

use super::errno::{Answer, Errno, Failure, errno_of};
use crate::state::State;
use bytes::Bytes;
use std::io;
use wasmtime_wasi::cli::WasiCliView as _;
use wasmtime_wasi::p2::bindings::cli::stderr::Host as _;
use wasmtime_wasi::p2::bindings::cli::stdin::Host as _;
use wasmtime_wasi::p2::bindings::cli::stdout::Host as _;
use wasmtime_wasi::p2::bindings::cli::terminal_stderr::Host as _;
use wasmtime_wasi::p2::bindings::cli::terminal_stdin::Host as _;
use wasmtime_wasi::p2::bindings::cli::terminal_stdout::Host as _;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, StreamError};

/// One of the three descriptors that every guest has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standard {
    Input,
    Output,
    Error,
}

/// The streams that were used so far.
#[derive(Default)]
pub struct Streams {
    input: Option<DynInputStream>,
    output: Option<DynOutputStream>,
    error: Option<DynOutputStream>,
}

impl Streams {
    /// The streams that `open` has opened.
    pub fn all(
        &mut self,
    ) -> (Option<&mut DynInputStream>, Option<&mut DynOutputStream>, Option<&mut DynOutputStream>)
    {
        (self.input.as_mut(), self.output.as_mut(), self.error.as_mut())
    }
}

/// Begins to use a stream, unless it is in use already.
pub fn open(state: &mut State, standard: Standard) -> Answer<()> {
    let streams = &state.wasi01.streams;
    match standard {
        Standard::Input if streams.input.is_none() => {
            let stream = state.cli().get_stdin()?;
            state.wasi01.streams.input = Some(state.table.delete(stream).map_err(trapped)?);
        }
        Standard::Output if streams.output.is_none() => {
            let stream = state.cli().get_stdout()?;
            state.wasi01.streams.output = Some(state.table.delete(stream).map_err(trapped)?);
        }
        Standard::Error if streams.error.is_none() => {
            let stream = state.cli().get_stderr()?;
            state.wasi01.streams.error = Some(state.table.delete(stream).map_err(trapped)?);
        }
        _ => {}
    }
    Ok(())
}

fn trapped(error: wasmtime::component::ResourceTableError) -> Failure {
    Failure::End(error.into())
}

/// Whether a person sits at the other end.
pub fn is_terminal(state: &mut State, standard: Standard) -> Answer<bool> {
    let terminal = match standard {
        Standard::Input => match state.cli().get_terminal_stdin()? {
            Some(terminal) => state.table.delete(terminal).map(drop).is_ok(),
            None => false,
        },
        Standard::Output => match state.cli().get_terminal_stdout()? {
            Some(terminal) => state.table.delete(terminal).map(drop).is_ok(),
            None => false,
        },
        Standard::Error => match state.cli().get_terminal_stderr()? {
            Some(terminal) => state.table.delete(terminal).map(drop).is_ok(),
            None => false,
        },
    };
    Ok(terminal)
}

/// Reads at most `length` bytes of standard input; none at its end.
pub async fn read(state: &mut State, length: usize) -> Answer<Bytes> {
    open(state, Standard::Input)?;
    let Some(stream) = &mut state.wasi01.streams.input else { return Err(Errno::BADF.into()) };
    if length == 0 {
        return Ok(Bytes::new());
    }
    loop {
        stream.ready().await;
        match stream.read(length) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => return Ok(bytes),
            Err(StreamError::Closed) => return Ok(Bytes::new()),
            Err(error) => return Err(failure(error)),
        }
    }
}

/// Writes all of `bytes`, and returns once they are out.
pub async fn write(state: &mut State, standard: Standard, bytes: Vec<u8>) -> Answer<usize> {
    open(state, standard)?;
    let (_, output, error) = state.wasi01.streams.all();
    let stream = match standard {
        Standard::Output => output,
        _ => error,
    };
    let Some(stream) = stream else { return Err(Errno::BADF.into()) };
    let length = bytes.len();
    stream.blocking_write_and_flush(bytes.into()).await.map_err(failure)?;
    Ok(length)
}

fn failure(error: StreamError) -> Failure {
    match error {
        // As a pipe whose reader has gone.
        StreamError::Closed => Errno::PIPE.into(),
        StreamError::LastOperationFailed(error) => match error.downcast_ref::<io::Error>() {
            Some(error) => errno_of(error).into(),
            None => Errno::IO.into(),
        },
        StreamError::Trap(error) => Failure::End(error),
    }
}
