//! The error numbers of WASI 0.1, and how a function of it ends.

use rustix::io::Errno as System;
use std::io;
use wasmtime::Error;

/// An error number, as the `errno` of wasi_snapshot_preview1 has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(u16);

macro_rules! numbers {
    ($($name:ident = $number:literal,)*) => {
        impl Errno {
            $(pub const $name: Errno = Errno($number);)*

            /// What a guest is told of an error of the system.
            fn of_system(code: System) -> Self {
                match code {
                    $(System::$name => Errno::$name,)*
                    System::NOSYS => Errno::NOTSUP,
                    _ => Errno::IO,
                }
            }
        }
    };
}

numbers! {
    TOOBIG = 1, ACCESS = 2, AGAIN = 6, ALREADY = 7, BADF = 8, BUSY = 10, DEADLK = 16, DQUOT = 19,
    EXIST = 20, FAULT = 21, FBIG = 22, ILSEQ = 25, INPROGRESS = 26, INTR = 27, INVAL = 28,
    IO = 29, ISDIR = 31, LOOP = 32, MFILE = 33, MLINK = 34, NAMETOOLONG = 37, NFILE = 41,
    NODEV = 43, NOENT = 44, NOLCK = 46, NOMEM = 48, NOSPC = 51, NOTDIR = 54, NOTEMPTY = 55,
    NOTSOCK = 57, NOTSUP = 58, NOTTY = 59, NXIO = 60, OVERFLOW = 61, PERM = 63, PIPE = 64,
    RANGE = 68, ROFS = 69, SPIPE = 70, STALE = 72, TIMEDOUT = 73, TXTBSY = 74, XDEV = 75,
}

impl Errno {
    /// The number that a guest gets.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// Why a function did not do what it was asked.
pub enum Failure {
    /// The guest is told.
    Errno(Errno),
    /// The guest ends here: it broke a rule, or it ended itself.
    End(Error),
}

/// How a function of WASI 0.1 ends.
pub type Answer<T> = Result<T, Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::Errno(errno)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::End(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Errno(errno_of(&error))
    }
}

/// What a guest is told of an error of the host's functions for files and streams.
pub fn errno_of(error: &io::Error) -> Errno {
    match error.raw_os_error() {
        Some(code) => Errno::of_system(System::from_raw_os_error(code)),
        None if error.kind() == io::ErrorKind::Interrupted => Errno::INTR,
        None => Errno::IO,
    }
}

/// What the guest's call returns.
pub fn finish(answer: Answer<()>) -> wasmtime::Result<u32> {
    match answer {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(errno.number().into()),
        Err(Failure::End(error)) => Err(error),
    }
}
