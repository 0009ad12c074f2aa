//! The process's own standard output and error, for the guest of `belljar run`.
//!
//! A reader may stop reading, and a guest must be stoppable all the same: so the guest writes into a
//! queue, and waits where waiting can be ended. A thread of the blocking pool empties it.

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes that wait to be written; a guest that has more to say waits for room.
const QUEUE_LIMIT: usize = 64 << 10;
/// What a pipe that has room takes without waiting (`PIPE_BUF`).
const PIECE: usize = 4_096;
/// How often a thread that waits for a reader looks whether anybody still wants what it writes.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Standard output and error, in one queue: what is written to both appears in its order.
#[derive(Clone, Default)]
pub struct Console(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    pieces: VecDeque<(Stream, Bytes)>,
    /// Bytes in the queue, and in the hands of the thread that writes.
    bytes: usize,
    /// Whether a thread is there to empty it.
    writing: bool,
    /// Nobody waits any more for what is written.
    abandoned: bool,
    /// Why a stream takes nothing more: output and error.
    broken: [Option<Errno>; 2],
    waiting: Vec<Waker>,
}

/// Which of the two.
#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

impl Queue {
    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn wait(&mut self, context: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            self.waiting.push(context.waker().clone());
        }
    }

    fn failure(&self, stream: Stream) -> Option<io::Error> {
        self.broken[stream as usize].map(io::Error::from)
    }
}

impl Console {
    /// The process's standard output.
    pub fn output(&self) -> Output {
        Output { console: self.clone(), stream: Stream::Output }
    }

    /// The process's standard error.
    pub fn error(&self) -> Output {
        Output { console: self.clone(), stream: Stream::Error }
    }

    /// Ends once everything is written that the guest wrote, or cannot be.
    pub async fn drained(&self) {
        poll_fn(|context| {
            let mut queue = self.lock();
            if !queue.writing {
                return Poll::Ready(());
            }
            queue.wait(context);
            Poll::Pending
        })
        .await;
    }

    /// Drops what is not written yet: the call has ended, and nobody waits for a reader any more.
    pub fn abandon(&self) {
        let mut queue = self.lock();
        queue.abandoned = true;
        queue.pieces.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, stream: Stream, bytes: Bytes) {
        let mut queue = self.lock();
        if bytes.is_empty() || queue.abandoned {
            return;
        }
        queue.bytes += bytes.len();
        queue.pieces.push_back((stream, bytes));
        if !std::mem::replace(&mut queue.writing, true) {
            let console = self.clone();
            tokio::task::spawn_blocking(move || console.empty());
        }
    }

    /// Writes what is in the queue until there is nothing more.
    fn empty(&self) {
        loop {
            let (stream, bytes) = {
                let mut queue = self.lock();
                match queue.pieces.pop_front() {
                    Some(next) => next,
                    None => {
                        queue.writing = false;
                        queue.bytes = 0;
                        return queue.wake();
                    }
                }
            };
            let result = match stream {
                Stream::Output => self.write(io::stdout().as_fd(), &bytes),
                Stream::Error => self.write(io::stderr().as_fd(), &bytes),
            };
            let mut queue = self.lock();
            if let Err(code) = result {
                queue.broken[stream as usize] = Some(code);
            }
            queue.bytes = queue.bytes.saturating_sub(bytes.len());
            queue.wake();
        }
    }

    fn write(&self, descriptor: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let mut ready = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
            match poll(&mut ready, Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => {
                    if self.lock().abandoned {
                        return Ok(());
                    }
                    continue;
                }
                Ok(_) => {}
                Err(code) => return Err(code),
            }
            match rustix::io::write(descriptor, &bytes[..bytes.len().min(PIECE)]) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                // A stream that is closed takes everything, as the standard library has it.
                Err(Errno::BADF) => return Ok(()),
                Err(code) => return Err(code),
            }
        }
        Ok(())
    }
}

/// One of the streams. Writing never blocks.
#[derive(Clone)]
pub struct Output {
    console: Console,
    stream: Stream,
}

impl Output {
    fn room(&self) -> io::Result<usize> {
        let queue = self.console.lock();
        match queue.failure(self.stream) {
            Some(error) => Err(error),
            None => Ok(QUEUE_LIMIT.saturating_sub(queue.bytes)),
        }
    }

    /// Ready when there is room, or never will be.
    fn poll_room(&self, context: &Context<'_>) -> Poll<io::Result<usize>> {
        let mut queue = self.console.lock();
        if let Some(error) = queue.failure(self.stream) {
            return Poll::Ready(Err(error));
        }
        match QUEUE_LIMIT.saturating_sub(queue.bytes) {
            0 => {
                queue.wait(context);
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        match self.stream {
            Stream::Output => io::IsTerminal::is_terminal(&io::stdout()),
            Stream::Error => io::IsTerminal::is_terminal(&io::stderr()),
        }
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_room(context).map_ok(|room| {
            let count = room.min(bytes.len());
            self.console.push(self.stream, Bytes::copy_from_slice(&bytes[..count]));
            count
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        // An error is told by what is done next.
        let _ = poll_fn(|context| self.poll_room(context)).await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let room = self.room().map_err(|error| StreamError::LastOperationFailed(error.into()))?;
        if bytes.len() > room {
            return Err(StreamError::trap("more was written than check-write allowed"));
        }
        self.console.push(self.stream, bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.room().map_err(|error| StreamError::LastOperationFailed(error.into()))
    }
}
