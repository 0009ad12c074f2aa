//! WASI 0.1 (`wasi_snapshot_preview1`) for core modules, over the same files, streams, clocks and
//! randomness as 0.2 and 0.3.
//!
//! A module owns its memory: nothing is kept there but what its functions were asked to write.

mod descriptors;
mod errno;
mod files;
mod layout;
mod listing;
mod memory;
mod paths;
mod poll;
mod process;
mod standard;

use crate::bridge::ffi::FileOperation;
use crate::state::State;
use descriptors::Descriptors;
use errno::{Answer, Errno, finish};
use memory::Guest;
use paths::OpenFlags;
use standard::Streams;
use wasmtime::{Linker, Memory, Result};

/// The name under which modules import the functions.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// What a store keeps for a guest of WASI 0.1.
#[derive(Default)]
pub struct Wasi01 {
    descriptors: Option<Box<Descriptors>>,
    streams: Streams,
    /// The guest's memory, once it was looked up.
    memory: Option<Memory>,
}

/// The interfaces of WASI 0.2 that a function of 0.1 stands for; `None` if there is no such
/// function. What can be done with a number alone (close it, seek on it) needs none: the guest has
/// it from a function that does. To end itself is no authority either.
pub fn interfaces(function: &str) -> Option<&'static [&'static str]> {
    const FILES: &[&str] = &["wasi:filesystem/preopens", "wasi:filesystem/types"];
    Some(match function {
        "args_get" | "args_sizes_get" | "environ_get" | "environ_sizes_get" => {
            &["wasi:cli/environment"]
        }
        "clock_res_get" | "clock_time_get" => {
            &["wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock"]
        }
        "poll_oneoff" => &["wasi:clocks/monotonic-clock", "wasi:io/poll"],
        "random_get" => &["wasi:random/random"],
        "fd_read" => &["wasi:cli/stdin"],
        "fd_write" => &["wasi:cli/stderr", "wasi:cli/stdout"],
        "fd_filestat_set_times"
        | "fd_prestat_dir_name"
        | "fd_prestat_get"
        | "fd_readdir"
        | "path_create_directory"
        | "path_filestat_get"
        | "path_filestat_set_times"
        | "path_link"
        | "path_open"
        | "path_readlink"
        | "path_remove_directory"
        | "path_rename"
        | "path_symlink"
        | "path_unlink_file" => FILES,
        "fd_advise"
        | "fd_allocate"
        | "fd_close"
        | "fd_datasync"
        | "fd_fdstat_get"
        | "fd_fdstat_set_flags"
        | "fd_fdstat_set_rights"
        | "fd_filestat_get"
        | "fd_filestat_set_size"
        | "fd_pread"
        | "fd_pwrite"
        | "fd_renumber"
        | "fd_seek"
        | "fd_sync"
        | "fd_tell"
        | "proc_exit"
        | "proc_raise"
        | "sched_yield"
        | "sock_accept"
        | "sock_recv"
        | "sock_send"
        | "sock_shutdown" => &[],
        _ => return None,
    })
}

/// No descriptor of a guest's is a socket: 0.1 has no function that makes one.
fn socket(guest: &mut Guest<'_>, fd: u32) -> Answer<()> {
    descriptors::of(guest.data_mut()).get(fd)?;
    Err(Errno::NOTSOCK.into())
}

/// Adds functions that never wait.
macro_rules! functions {
    ($linker:ident: $($name:ident($guest:ident $(, $argument:ident: $type:ty)*) $body:expr;)*) => {
        $($linker.func_wrap(
            MODULE,
            stringify!($name),
            |mut caller: Guest<'_> $(, $argument: $type)*| {
                let $guest = &mut caller;
                finish($body)
            },
        )?;)*
    };
}

/// Adds functions that may wait, and that the end of the call interrupts.
macro_rules! waiting_functions {
    ($linker:ident: $($name:ident($guest:ident $(, $argument:ident: $type:ty)*) $body:expr;)*) => {
        $($linker.func_wrap_async(
            MODULE,
            stringify!($name),
            |mut caller: Guest<'_>, ($($argument,)*): ($($type,)*)| {
                Box::new(async move {
                    let $guest = &mut caller;
                    finish($body.await)
                })
            },
        )?;)*
    };
}

/// Adds all functions of WASI 0.1.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    add_process(linker)?;
    add_descriptors(linker)?;
    add_paths(linker)
}

fn add_process(linker: &mut Linker<State>) -> Result<()> {
    functions! { linker:
        args_get(guest, pointers: u32, buffer: u32) process::args_get(guest, pointers, buffer);
        args_sizes_get(guest, count: u32, size: u32) process::args_sizes_get(guest, count, size);
        environ_get(guest, pointers: u32, buffer: u32)
            process::environ_get(guest, pointers, buffer);
        environ_sizes_get(guest, count: u32, size: u32)
            process::environ_sizes_get(guest, count, size);
        clock_res_get(guest, id: u32, result: u32) process::clock_res_get(guest, id, result);
        clock_time_get(guest, id: u32, _precision: u64, result: u32)
            process::clock_time_get(guest, id, result);
        proc_raise(_guest, signal: u32) process::proc_raise(signal);
        // The tick takes turns, whatever guests do.
        sched_yield(_guest) Ok(());
        sock_accept(guest, fd: u32, _flags: u32, _result: u32) socket(guest, fd);
        sock_recv(guest, fd: u32, _parts: u32, _count: u32, _flags: u32, _size: u32, _out: u32)
            socket(guest, fd);
        sock_send(guest, fd: u32, _parts: u32, _count: u32, _flags: u32, _size: u32)
            socket(guest, fd);
        sock_shutdown(guest, fd: u32, _how: u32) socket(guest, fd);
    }
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> Result<()> {
        Err(process::proc_exit(code))
    })?;
    waiting_functions! { linker:
        random_get(guest, buffer: u32, length: u32) process::random_get(guest, buffer, length);
        poll_oneoff(guest, subscriptions: u32, events: u32, count: u32, result: u32)
            poll::poll_oneoff(guest, subscriptions, events, count, result);
    }
    Ok(())
}

fn add_descriptors(linker: &mut Linker<State>) -> Result<()> {
    functions! { linker:
        fd_advise(guest, fd: u32, _offset: u64, _length: u64, advice: u32)
            files::fd_advise(guest, fd, advice);
        fd_allocate(guest, fd: u32, _offset: u64, _length: u64) files::fd_allocate(guest, fd);
        fd_close(guest, fd: u32) files::fd_close(guest, fd);
        fd_fdstat_get(guest, fd: u32, result: u32) files::fd_fdstat_get(guest, fd, result);
        fd_fdstat_set_flags(guest, fd: u32, flags: u32)
            files::fd_fdstat_set_flags(guest, fd, flags);
        fd_fdstat_set_rights(guest, fd: u32, _base: u64, _inheriting: u64)
            files::fd_fdstat_set_rights(guest, fd);
        fd_prestat_get(guest, fd: u32, result: u32) files::fd_prestat_get(guest, fd, result);
        fd_prestat_dir_name(guest, fd: u32, at: u32, length: u32)
            files::fd_prestat_dir_name(guest, fd, at, length);
        fd_renumber(guest, from: u32, to: u32) files::fd_renumber(guest, from, to);
        fd_tell(guest, fd: u32, result: u32) files::fd_tell(guest, fd, result);
    }
    waiting_functions! { linker:
        fd_datasync(guest, fd: u32) files::fd_sync(guest, fd, true);
        fd_sync(guest, fd: u32) files::fd_sync(guest, fd, false);
        fd_filestat_get(guest, fd: u32, result: u32) files::fd_filestat_get(guest, fd, result);
        fd_filestat_set_size(guest, fd: u32, size: u64)
            files::fd_filestat_set_size(guest, fd, size);
        fd_filestat_set_times(guest, fd: u32, access: u64, modification: u64, flags: u32)
            files::fd_filestat_set_times(guest, fd, (access, modification), flags);
        fd_pread(guest, fd: u32, parts: u32, count: u32, offset: u64, result: u32)
            files::fd_read(guest, fd, (parts, count), Some(offset), result);
        fd_pwrite(guest, fd: u32, parts: u32, count: u32, offset: u64, result: u32)
            files::fd_write(guest, fd, (parts, count), Some(offset), result);
        fd_read(guest, fd: u32, parts: u32, count: u32, result: u32)
            files::fd_read(guest, fd, (parts, count), None, result);
        fd_write(guest, fd: u32, parts: u32, count: u32, result: u32)
            files::fd_write(guest, fd, (parts, count), None, result);
        fd_readdir(guest, fd: u32, buffer: u32, length: u32, cookie: u64, result: u32)
            listing::fd_readdir(guest, fd, (buffer, length), cookie, result);
        fd_seek(guest, fd: u32, offset: i64, whence: u32, result: u32)
            files::fd_seek(guest, fd, offset, whence, result);
    }
    Ok(())
}

fn add_paths(linker: &mut Linker<State>) -> Result<()> {
    waiting_functions! { linker:
        path_create_directory(guest, fd: u32, path: u32, length: u32)
            paths::change(guest, FileOperation::CreateDirectory, fd, (path, length));
        path_remove_directory(guest, fd: u32, path: u32, length: u32)
            paths::change(guest, FileOperation::RemoveDirectory, fd, (path, length));
        path_unlink_file(guest, fd: u32, path: u32, length: u32)
            paths::change(guest, FileOperation::Unlink, fd, (path, length));
        path_filestat_get(guest, fd: u32, flags: u32, path: u32, length: u32, result: u32)
            paths::path_filestat_get(guest, fd, flags, (path, length), result);
        path_filestat_set_times(
            guest, fd: u32, flags: u32, path: u32, length: u32, access: u64, modification: u64,
            which: u32
        ) paths::path_filestat_set_times(
            guest, fd, flags, (path, length), (access, modification, which));
        path_link(
            guest, fd: u32, flags: u32, path: u32, length: u32, to_fd: u32, to_path: u32,
            to_length: u32
        ) paths::move_to(
            guest, FileOperation::Link, flags, (fd, (path, length)),
            (to_fd, (to_path, to_length)));
        path_rename(
            guest, fd: u32, path: u32, length: u32, to_fd: u32, to_path: u32, to_length: u32
        ) paths::move_to(
            guest, FileOperation::Rename, 0, (fd, (path, length)), (to_fd, (to_path, to_length)));
        path_open(
            guest, fd: u32, lookup: u32, path: u32, length: u32, open: u32, rights: u64,
            inheriting: u64, descriptor: u32, result: u32
        ) paths::path_open(
            guest, fd, (path, length), OpenFlags { lookup, open, rights, inheriting, descriptor },
            result);
        path_readlink(
            guest, fd: u32, path: u32, length: u32, buffer: u32, size: u32, result: u32
        ) paths::path_readlink(guest, fd, (path, length), (buffer, size), result);
        path_symlink(
            guest, target: u32, target_length: u32, fd: u32, path: u32, length: u32
        ) paths::path_symlink(guest, (target, target_length), fd, (path, length));
    }
    Ok(())
}
