//! Files as the streams of WASI 0.2.

use super::file::{Contents, OpenFile, Place, READ_LIMIT};
use crate::ledger::Charge;
use bytes::Bytes;
use std::io;
use std::mem;
use std::sync::Arc;
use tokio::task::JoinHandle;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// Reads a file from a position on.
pub struct FileInput {
    file: Arc<OpenFile>,
    position: u64,
    state: Input,
}

enum Input {
    Idle,
    Waiting(JoinHandle<io::Result<Contents>>),
    Data(Bytes, Charge),
    Failed(io::Error),
    Closed,
}

impl FileInput {
    pub fn new(file: Arc<OpenFile>, position: u64) -> Self {
        FileInput { file, position, state: Input::Idle }
    }

    fn arrived(&mut self, result: io::Result<Contents>) {
        self.state = match result {
            Ok(contents) if contents.bytes.is_empty() => Input::Closed,
            Ok(Contents { bytes, charge }) => {
                self.position += bytes.len() as u64;
                Input::Data(bytes.into(), charge)
            }
            Err(error) => Input::Failed(error),
        };
    }

    fn begin(&mut self, size: usize) {
        if let Some(result) = self.file.try_read(size, self.position) {
            return self.arrived(result);
        }
        let (file, position) = (self.file.clone(), self.position);
        self.state = Input::Waiting(tokio::spawn(async move { file.read(size, position).await }));
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {
        if matches!(self.state, Input::Idle) {
            // Little, where the guest makes the host hold much already.
            self.begin(self.file.room_to_read(READ_LIMIT));
        }
        if let Input::Waiting(task) = &mut self.state {
            let result = task.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
            self.arrived(result);
        }
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return match self.state {
                Input::Closed => Err(StreamError::Closed),
                _ => Ok(Bytes::new()),
            };
        }
        if matches!(self.state, Input::Idle) {
            self.begin(size);
        }
        match mem::replace(&mut self.state, Input::Idle) {
            Input::Data(mut bytes, charge) => {
                let part = bytes.split_to(bytes.len().min(size));
                // Both are parts of one piece of memory, which is there until its end is taken.
                if !bytes.is_empty() {
                    self.state = Input::Data(bytes, charge);
                }
                Ok(part)
            }
            Input::Failed(error) => {
                self.state = Input::Closed;
                Err(StreamError::LastOperationFailed(error.into()))
            }
            Input::Closed => {
                self.state = Input::Closed;
                Err(StreamError::Closed)
            }
            waiting => {
                self.state = waiting;
                Ok(Bytes::new())
            }
        }
    }

    async fn cancel(&mut self) {
        if let Input::Waiting(task) = mem::replace(&mut self.state, Input::Closed) {
            task.abort();
        }
    }
}

/// Writes a file from a position on, or at its end.
pub struct FileOutput {
    file: Arc<OpenFile>,
    place: Place,
    state: Output,
}

enum Output {
    Idle,
    Waiting(JoinHandle<io::Result<usize>>),
    Failed(io::Error),
    Closed,
}

impl FileOutput {
    pub fn new(file: Arc<OpenFile>, place: Place) -> Self {
        FileOutput { file, place, state: Output::Idle }
    }

    fn failed(&mut self) -> Option<StreamError> {
        match mem::replace(&mut self.state, Output::Closed) {
            Output::Failed(error) => Some(StreamError::LastOperationFailed(error.into())),
            Output::Closed => Some(StreamError::Closed),
            state => {
                self.state = state;
                None
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {
        if let Output::Waiting(task) = &mut self.state {
            let result = task.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
            self.state = match result {
                Ok(count) => {
                    if let Place::At(position) = &mut self.place {
                        *position += count as u64;
                    }
                    Output::Idle
                }
                Err(error) => Output::Failed(error),
            };
        }
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if let Some(error) = self.failed() {
            return Err(error);
        }
        if matches!(self.state, Output::Waiting(_)) {
            return Err(StreamError::trap("write before check-write allowed it"));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let (file, place) = (self.file.clone(), self.place);
        self.state = Output::Waiting(tokio::spawn(async move { file.write(bytes, place).await }));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.failed().map_or(Ok(()), Err)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if let Some(error) = self.failed() {
            return Err(error);
        }
        Ok(match self.state {
            Output::Waiting(_) => 0,
            _ => self.file.room_to_read(READ_LIMIT),
        })
    }

    async fn cancel(&mut self) {
        // What was handed to the system is written; only the waiting ends.
        self.state = Output::Closed;
    }
}
