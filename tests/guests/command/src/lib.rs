//! A program: prints its arguments and its standard input. With `fail` as its first argument it
//! says so on its standard error and fails.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "command", generate_all });
}

use bindings::exports::wasi::cli::run::Guest;
use bindings::wasi::cli::{environment, stderr, stdin, stdout};
use bindings::wasi::io::streams::{OutputStream, StreamError};

struct Command;

fn print(stream: &OutputStream, text: &[u8]) -> Result<(), ()> {
    // The most that one call takes (wasi:io/streams, blocking-write-and-flush).
    for part in text.chunks(4096) {
        stream.blocking_write_and_flush(part).map_err(drop)?;
    }
    Ok(())
}

impl Guest for Command {
    fn run() -> Result<(), ()> {
        let output = stdout::get_stdout();
        let arguments = environment::get_arguments();
        if arguments.get(1).is_some_and(|argument| argument == "fail") {
            print(&stderr::get_stderr(), b"failing, as asked\n")?;
            return Err(());
        }
        for argument in arguments {
            print(&output, format!("{argument}\n").as_bytes())?;
        }
        let input = stdin::get_stdin();
        loop {
            match input.blocking_read(4096) {
                Ok(bytes) => print(&output, &bytes)?,
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(_)) => return Err(()),
            }
        }
    }
}

bindings::export!(Command with_types_in bindings);
