//! wasi:filesystem, 0.2 and 0.3, over the host's file gate; `wasi01/` does 0.1 with the same.
//!
//! Every operation on a path is decided and done by the host, which hands back descriptors. Reads
//! and writes on those run here; each asks first whether the grants have changed, and counts.

mod file;
mod p2;
mod p3;
mod streams;

use crate::bridge::ffi::{FileOperation, FileReply, FileRequest, FileStatus, Host};
use crate::ledger::{Charge, Kind, Ledger};
use crate::lines::{Line, Lines};
use crate::state::State;
use cxx::SharedPtr;
pub use file::{OpenFile, Place, READ_LIMIT};
pub use p2::now;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::component::Linker;

/// The longest path that is handed to the host.
const PATH_LIMIT: usize = 4_096;
/// What an operation under way is charged with at least.
const OPERATION: usize = 4 << 10;
/// Entries of a directory that are read at once.
const ENTRIES_AHEAD: usize = 64;

/// Adds both versions of the interface, in place of the standard ones.
pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p2::add_to_linker(linker)?;
    p3::add_to_linker(linker)
}

/// What one call has written, and where what it opens is charged.
struct FileUse {
    ledger: Arc<Ledger>,
    written: AtomicU64,
    written_allowed: u64,
    hasher: RandomState,
}

impl FileUse {
    /// Counts what is written from zero, up to the limit of the call.
    fn new(ledger: Arc<Ledger>, written_allowed: u64) -> Arc<Self> {
        Arc::new(FileUse {
            ledger,
            written: AtomicU64::new(0),
            written_allowed,
            hasher: RandomState::new(),
        })
    }

    /// Charges a descriptor that is about to be opened.
    fn open(&self) -> io::Result<Charge> {
        Ok(self.ledger.charge(Kind::Handles, 1)?)
    }

    /// Charges bytes of an operation, which takes some room even for none.
    fn hold(&self, bytes: usize) -> io::Result<Charge> {
        Ok(self.ledger.charge(Kind::Held, bytes.max(OPERATION) as u64)?)
    }

    /// Counts bytes that are about to be written. What a file grows by counts as well, also where
    /// most of that would be a hole.
    fn write(&self, bytes: u64) -> io::Result<()> {
        let allowed = self.written_allowed;
        let fits = |written: u64| written.checked_add(bytes).filter(|total| *total <= allowed);
        match self.written.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(error(Errno::DQUOT)),
        }
    }
}

/// The host of the call that runs in a store. What is open outlives the call that opened it in a
/// live instance, and asks the call of its time.
struct CurrentHost(Mutex<(SharedPtr<Host>, u64)>);

/// When something open was last found to be granted: the number of the call, and its grant epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
struct GrantStamp(u64, u64);

impl CurrentHost {
    /// For the first call of a store that needs files.
    fn new(host: SharedPtr<Host>) -> Arc<Self> {
        Arc::new(CurrentHost(Mutex::new((host, 0))))
    }

    /// For the next call. Everything that is open is asked about again.
    fn renew(&self, host: SharedPtr<Host>) {
        let mut current = self.lock();
        let number = current.1 + 1;
        *current = (host, number);
    }

    fn lock(&self) -> MutexGuard<'_, (SharedPtr<Host>, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp(&self) -> GrantStamp {
        let current = self.lock();
        GrantStamp(current.1, current.0.grants_epoch())
    }
}

/// What a guest has open, as it was opened.
struct Opened {
    request: FileRequest,
    device: u64,
    inode: u64,
    current: Arc<CurrentHost>,
    /// Where operations in its mount wait.
    line: Line,
    granted: Mutex<GrantStamp>,
}

impl Opened {
    /// Whether nothing has changed since it was last found to be granted.
    fn is_as_before(&self) -> bool {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) == self.current.stamp()
    }

    /// Refuses to go on with what is not granted any more.
    async fn still_granted(self: &Arc<Self>) -> io::Result<()> {
        let now = self.current.stamp();
        if *self.granted.lock().unwrap_or_else(PoisonError::into_inner) == now {
            return Ok(());
        }
        let opened = self.clone();
        let host = self.current.lock().0.clone();
        let question = move || host.still_granted(&opened.request, opened.device, opened.inode);
        match self.line.run(question).await {
            Ok(true) => {
                *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = now;
                Ok(())
            }
            _ => Err(error(Errno::ACCESS)),
        }
    }
}

/// What a guest is told of an error of the system. WASI has codes for a full disk and for too
/// little memory, but none that its implementation makes of a quota or of too many open files: a
/// guest would see a failing disk.
fn error(code: Errno) -> io::Error {
    let known = match code {
        Errno::DQUOT => Errno::NOSPC,
        Errno::MFILE | Errno::NFILE => Errno::NOMEM,
        other => other,
    };
    io::Error::from_raw_os_error(known.raw_os_error())
}

/// What a guest's descriptor stands for.
#[derive(Clone)]
pub enum Descriptor {
    Directory(Directory),
    File(Arc<OpenFile>),
}

/// A directory is a place in a mount: the host looks at it again for every operation.
#[derive(Clone)]
pub struct Directory {
    mount: u32,
    path: String,
    writable: bool,
    /// Where operations in its mount wait.
    line: Line,
}

impl Directory {
    /// The path from the mount's root. What would climb out of this directory is refused here,
    /// what would climb out of the mount is refused, and recorded, by the host.
    fn join(&self, path: &str) -> io::Result<String> {
        let mut depth = 0_i32;
        let mut climbs = path.starts_with('/');
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => depth -= 1,
                _ => depth += 1,
            }
            climbs |= depth < 0;
        }
        if climbs && self.path != "." {
            return Err(error(Errno::PERM));
        }
        if path.is_empty() {
            return Err(error(Errno::NOENT));
        }
        if self.path.len() + path.len() > PATH_LIMIT {
            return Err(error(Errno::NAMETOOLONG));
        }
        Ok(if self.path == "." { path.to_owned() } else { format!("{}/{path}", self.path) })
    }
}

impl Descriptor {
    fn file(&self) -> io::Result<&Arc<OpenFile>> {
        match self {
            Descriptor::File(file) => Ok(file),
            Descriptor::Directory(_) => Err(error(Errno::BADF)),
        }
    }

    fn directory(&self) -> io::Result<&Directory> {
        match self {
            Descriptor::Directory(directory) => Ok(directory),
            Descriptor::File(_) => Err(error(Errno::NOTDIR)),
        }
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Default)]
pub struct OpenHow {
    pub follow: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub read: bool,
    pub write: bool,
    pub mutate_directory: bool,
}

/// A reply whose descriptor is owned.
struct Reply {
    descriptor: Option<OwnedFd>,
    remote: bool,
    status: FileStatus,
    target: String,
}

impl Reply {
    fn new(reply: FileReply) -> io::Result<Self> {
        // SAFETY: the host gives the descriptor away with the reply, and nobody else has it.
        let descriptor =
            (reply.descriptor >= 0).then(|| unsafe { OwnedFd::from_raw_fd(reply.descriptor) });
        match reply.error {
            0 => Ok(Reply {
                descriptor,
                remote: reply.remote,
                status: reply.status,
                target: reply.target,
            }),
            code => Err(error(Errno::from_raw_os_error(code))),
        }
    }
}

/// File operations of one call. Cheap to clone; the operations borrow no store.
#[derive(Clone)]
pub struct Files {
    host: SharedPtr<Host>,
    counts: Arc<FileUse>,
    lines: Arc<Lines>,
    current: Arc<CurrentHost>,
}

fn request(operation: FileOperation, mount: u32, path: String) -> FileRequest {
    FileRequest {
        operation,
        mount,
        path,
        follow: false,
        create: false,
        exclusive: false,
        truncate: false,
        directory: false,
        read: false,
        write: false,
        to_mount: 0,
        to_path: String::new(),
        target: String::new(),
        access_time: -1,
        modification_time: -1,
    }
}

impl Files {
    /// Operations on behalf of one call, which may write so many bytes.
    pub fn new(
        host: SharedPtr<Host>,
        ledger: Arc<Ledger>,
        lines: Arc<Lines>,
        written_allowed: u64,
    ) -> Self {
        let (counts, current) =
            (FileUse::new(ledger, written_allowed), CurrentHost::new(host.clone()));
        Files { host, counts, lines, current }
    }

    /// Goes on with the next call of a live instance.
    pub fn renew(&mut self, host: SharedPtr<Host>, written_allowed: u64) {
        self.current.renew(host.clone());
        self.counts = FileUse::new(self.counts.ledger.clone(), written_allowed);
        self.host = host;
    }

    /// How many files a guest may have open.
    pub fn allowed(&self) -> usize {
        usize::try_from(self.counts.ledger.allowed(Kind::Handles)).unwrap_or(usize::MAX)
    }

    /// The granted folders, with the paths at which the guest finds them.
    pub fn preopens(&self) -> Vec<(Descriptor, String)> {
        let preopens = self.host.preopens().into_iter().map(|preopen| {
            let (mount, writable) = (preopen.mount, preopen.writable);
            let line = self.lines.folder(preopen.line);
            let directory = Directory { mount, path: ".".into(), writable, line };
            (Descriptor::Directory(directory), preopen.guest)
        });
        preopens.collect()
    }

    async fn ask(&self, line: &Line, request: FileRequest) -> io::Result<Reply> {
        let host = self.host.clone();
        // Charged until it is done, also where nobody waits for that any more.
        let held = self.counts.hold(0)?;
        let work = move || {
            let _held = held;
            Reply::new(host.file(&request))
        };
        line.run(work).await?
    }

    /// Opens something that stays open. The stamp is from before: a change meanwhile is seen later.
    async fn open_for_long(
        &self,
        line: &Line,
        request: FileRequest,
    ) -> io::Result<(Reply, Arc<Opened>)> {
        let stamp = self.current.stamp();
        let reply = self.ask(line, request.clone()).await?;
        let opened = Opened {
            request,
            device: reply.status.device,
            inode: reply.status.inode,
            current: self.current.clone(),
            line: line.clone(),
            granted: Mutex::new(stamp),
        };
        Ok((reply, Arc::new(opened)))
    }

    pub async fn open(&self, base: &Directory, path: &str, how: OpenHow) -> io::Result<Descriptor> {
        let count = self.counts.open()?;
        let joined = base.join(path)?;
        let mut request = request(FileOperation::Open, base.mount, joined.clone());
        request.follow = how.follow;
        request.create = how.create;
        request.exclusive = how.exclusive;
        request.truncate = how.truncate;
        request.directory = how.directory;
        request.read = how.read || !how.write;
        request.write = how.write;
        let (reply, opened) = self.open_for_long(&base.line, request).await?;
        if file_type(reply.status.mode) == rustix::fs::FileType::Directory {
            if how.write || how.truncate {
                return Err(error(Errno::ISDIR));
            }
            let writable = base.writable && how.mutate_directory;
            return Ok(Descriptor::Directory(Directory {
                mount: base.mount,
                path: joined,
                writable,
                line: base.line.clone(),
            }));
        }
        let descriptor = reply.descriptor.ok_or_else(|| error(Errno::IO))?;
        let line = self.lines.device(reply.status.device);
        let counts = self.counts.clone();
        let file = OpenFile::new(descriptor, how, counts, opened, count, line, reply.remote);
        Ok(Descriptor::File(Arc::new(file)))
    }

    /// A directory opened for reading its entries, which is a handle like an open file.
    pub async fn read_entries(&self, directory: &Directory) -> io::Result<EntryReader> {
        let count = self.counts.open()?;
        let mut request = request(FileOperation::Open, directory.mount, directory.path.clone());
        request.directory = true;
        request.read = true;
        request.follow = true;
        let (reply, opened) = self.open_for_long(&directory.line, request).await?;
        let descriptor = reply.descriptor.ok_or_else(|| error(Errno::IO))?;
        Ok(EntryReader {
            device: reply.status.device,
            rest: Some(Box::new(entries(descriptor, count)?)),
            read: VecDeque::new(),
            line: directory.line.clone(),
            opened,
        })
    }

    pub async fn status(&self, descriptor: &Descriptor) -> io::Result<FileStatus> {
        match descriptor {
            Descriptor::File(file) => file.status().await,
            Descriptor::Directory(directory) => self.status_at(directory, true, ".").await,
        }
    }

    pub async fn status_at(
        &self,
        base: &Directory,
        follow: bool,
        path: &str,
    ) -> io::Result<FileStatus> {
        let mut request = request(FileOperation::Status, base.mount, base.join(path)?);
        request.follow = follow;
        Ok(self.ask(&base.line, request).await?.status)
    }

    pub async fn set_times_at(
        &self,
        base: &Directory,
        follow: bool,
        path: &str,
        (access, modification): (i64, i64),
    ) -> io::Result<()> {
        let mut request = request(FileOperation::SetTimes, base.mount, base.join(path)?);
        request.follow = follow;
        request.access_time = access;
        request.modification_time = modification;
        self.ask(&base.line, request).await.map(drop)
    }

    pub async fn set_times(&self, descriptor: &Descriptor, times: (i64, i64)) -> io::Result<()> {
        match descriptor {
            Descriptor::File(file) => file.set_times(times).await,
            Descriptor::Directory(directory) => {
                self.set_times_at(directory, true, ".", times).await
            }
        }
    }

    /// An operation that needs nothing but its path.
    ///
    /// As on Linux, slashes at the end say that a directory is meant: it can be made and removed by
    /// such a name, and not be unlinked.
    pub async fn change(
        &self,
        operation: FileOperation,
        base: &Directory,
        path: &str,
    ) -> io::Result<()> {
        let (path, as_directory) = without_slashes(path);
        if as_directory && operation == FileOperation::Unlink {
            self.expect_directory(base, path).await?;
            return Err(error(Errno::ISDIR));
        }
        self.ask(&base.line, request(operation, base.mount, base.join(path)?)).await.map(drop)
    }

    /// What is not there, or is no directory, cannot be meant by a name that ends in a slash.
    async fn expect_directory(&self, base: &Directory, path: &str) -> io::Result<()> {
        match file_type(self.status_at(base, false, path).await?.mode) {
            rustix::fs::FileType::Directory => Ok(()),
            _ => Err(error(Errno::NOTDIR)),
        }
    }

    /// A rename or a link. Only a directory is renamed from or to a name that ends in a slash.
    pub async fn move_to(
        &self,
        operation: FileOperation,
        follow: bool,
        from: (&Directory, &str),
        to: (&Directory, &str),
    ) -> io::Result<()> {
        let (mut from_path, mut to_path) = (from.1, to.1);
        let mut expects_directory = false;
        if operation == FileOperation::Rename {
            let from_slashes = without_slashes(from_path);
            let to_slashes = without_slashes(to_path);
            (from_path, to_path) = (from_slashes.0, to_slashes.0);
            expects_directory = from_slashes.1 || to_slashes.1;
        }
        let mut request = request(operation, from.0.mount, from.0.join(from_path)?);
        request.follow = follow;
        request.to_mount = to.0.mount;
        request.to_path = to.0.join(to_path)?;
        // Once both are known to be no longer than paths are: many of these may wait at once.
        if expects_directory {
            self.expect_directory(from.0, from_path).await?;
        }
        self.ask(&from.0.line, request).await.map(drop)
    }

    pub async fn symbolic_link(
        &self,
        base: &Directory,
        target: &str,
        path: &str,
    ) -> io::Result<()> {
        // As symlink(2) has it: a link has to say something.
        if target.is_empty() {
            return Err(error(Errno::NOENT));
        }
        if target.len() > PATH_LIMIT {
            return Err(error(Errno::NAMETOOLONG));
        }
        let mut request = request(FileOperation::SymbolicLink, base.mount, base.join(path)?);
        request.target = target.to_owned();
        self.ask(&base.line, request).await.map(drop)
    }

    pub async fn read_link(&self, base: &Directory, path: &str) -> io::Result<String> {
        let request = request(FileOperation::ReadLink, base.mount, base.join(path)?);
        Ok(self.ask(&base.line, request).await?.target)
    }

    async fn same(&self, a: &Descriptor, b: &Descriptor) -> io::Result<bool> {
        let (a, b) = (self.status(a).await?, self.status(b).await?);
        Ok((a.device, a.inode) == (b.device, b.inode))
    }

    /// Two numbers that are the same for the same file within this call and tell nothing else.
    pub fn identity(&self, status: &FileStatus) -> (u64, u64) {
        let hash = |salt: u8| self.counts.hasher.hash_one((salt, status.device, status.inode));
        (hash(0), hash(1))
    }
}

/// A path without slashes at its end, and whether it had any. The root is nothing but slashes.
fn without_slashes(path: &str) -> (&str, bool) {
    match path.trim_end_matches('/') {
        "" => (path, false),
        bare => (bare, bare.len() < path.len()),
    }
}

fn file_type(mode: u32) -> rustix::fs::FileType {
    rustix::fs::FileType::from_raw_mode(mode)
}

/// An entry of a directory.
pub struct Entry {
    pub name: String,
    pub kind: rustix::fs::FileType,
    inode: u64,
}

/// A directory that is being read, a few entries at a time: what a guest does not ask for takes no
/// memory, and no thread waits for it to ask.
pub struct EntryReader {
    device: u64,
    /// Absent at the end, and while a thread reads.
    rest: Option<Box<dyn Iterator<Item = io::Result<Entry>> + Send>>,
    read: VecDeque<io::Result<Entry>>,
    line: Line,
    opened: Arc<Opened>,
}

impl EntryReader {
    pub async fn next(&mut self) -> Option<io::Result<Entry>> {
        if let Err(refused) = self.opened.still_granted().await {
            return Some(Err(refused));
        }
        if self.read.is_empty()
            && let Some(mut rest) = self.rest.take()
        {
            let work = move || (rest.by_ref().take(ENTRIES_AHEAD).collect::<VecDeque<_>>(), rest);
            match self.line.run(work).await {
                Ok((read, rest)) => {
                    self.rest = (!read.is_empty()).then_some(rest);
                    self.read = read;
                }
                Err(error) => return Some(Err(error)),
            }
        }
        self.read.pop_front()
    }

    /// As much of an entry's status as tells it from others.
    pub fn status_of(&self, entry: &Entry) -> FileStatus {
        FileStatus { device: self.device, inode: entry.inode, ..FileStatus::default() }
    }
}

/// Reads the entries of an open directory, without itself and its parent. Blocks. Nothing is opened
/// for it: a confined process may not.
/// `charge` is given back when the directory is closed.
fn entries(
    directory: OwnedFd,
    charge: Charge,
) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
    let entries = rustix::fs::Dir::new(directory).map_err(error)?;
    Ok(entries.filter_map(move |entry| {
        let _open = &charge;
        match entry {
            Ok(entry) => match entry.file_name().to_str() {
                Ok("." | "..") => None,
                Ok(name) => Some(Ok(Entry {
                    name: name.to_owned(),
                    kind: entry.file_type(),
                    inode: entry.ino(),
                })),
                Err(_) => Some(Err(error(Errno::ILSEQ))),
            },
            Err(code) => Some(Err(error(code))),
        }
    }))
}
