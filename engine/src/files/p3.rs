//! wasi:filesystem 0.3.

use super::file::{Contents, OpenFile, Place, READ_LIMIT};
use super::p2::now;
use super::{Descriptor, Files, OpenHow, file_type};
use crate::bridge::ffi::{FileOperation, FileStatus};
use crate::state::{Guest, GuestView, State};
use bytes::{Bytes, BytesMut};
use rustix::fs::FileType;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, Accessor, Destination, FutureReader, Linker, Resource, Source, StreamConsumer,
    StreamProducer, StreamReader, StreamResult,
};
use wasmtime_wasi::p3::bindings::clocks::system_clock::Instant;
use wasmtime_wasi::p3::bindings::filesystem::preopens;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    Filesize, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, Guest>(linker, State::guest)?;
    preopens::add_to_linker::<_, Guest>(linker, State::guest)
}

type Fd = Resource<types::Descriptor>;
type Ended = oneshot::Sender<Result<(), ErrorCode>>;

fn fd(descriptor: &Fd) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

fn look(view: &GuestView<'_>, descriptor: &Fd) -> FilesystemResult<Descriptor> {
    Ok(view.table.get(&fd(descriptor))?.clone())
}

/// The operations of the call, and what the descriptor stands for.
fn begin<T>(store: &Accessor<T, Guest>, descriptor: &Fd) -> FilesystemResult<(Files, Descriptor)> {
    store.with(|mut access| {
        let view = access.get();
        Ok((view.files(), look(&view, descriptor)?))
    })
}

fn kind(file_type: FileType) -> DescriptorType {
    match file_type {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::Unknown => DescriptorType::Other(None),
    }
}

fn instant(nanoseconds: i64) -> Option<Instant> {
    Some(Instant {
        seconds: nanoseconds.div_euclid(1_000_000_000),
        nanoseconds: nanoseconds.rem_euclid(1_000_000_000) as u32,
    })
}

fn status(status: &FileStatus) -> DescriptorStat {
    DescriptorStat {
        type_: kind(file_type(status.mode)),
        link_count: status.links,
        size: status.size,
        data_access_timestamp: instant(status.access_time),
        data_modification_timestamp: instant(status.modification_time),
        status_change_timestamp: instant(status.change_time),
    }
}

fn time(timestamp: NewTimestamp) -> FilesystemResult<i64> {
    Ok(match timestamp {
        NewTimestamp::NoChange => -1,
        NewTimestamp::Now => now(),
        NewTimestamp::Timestamp(Instant { seconds, nanoseconds }) => seconds
            .checked_mul(1_000_000_000)
            .and_then(|time| time.checked_add(nanoseconds.into()))
            .filter(|time| *time >= 0)
            .ok_or(ErrorCode::Overflow)?,
    })
}

fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

impl preopens::Host for GuestView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let mut directories = Vec::new();
        for (descriptor, path) in self.files().preopens() {
            directories.push((Resource::new_own(self.table.push(descriptor)?.rep()), path));
        }
        Ok(directories)
    }
}

impl types::Host for GuestView<'_> {
    fn convert_error_code(&mut self, error: FilesystemError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }
}

impl types::HostDescriptor for GuestView<'_> {
    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Descriptor>::new_own(fd.rep()))?;
        Ok(())
    }
}

type Transfer = Pin<Box<dyn Future<Output = io::Result<Contents>> + Send>>;

/// Gives a file's contents to the guest.
struct Reading {
    file: Arc<OpenFile>,
    offset: u64,
    ended: Option<Ended>,
    pending: Option<Transfer>,
}

impl Reading {
    fn end(&mut self, result: Result<(), ErrorCode>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

impl<D> StreamProducer<D> for Reading {
    type Item = u8;
    type Buffer = BytesMut;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, BytesMut>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let wanted = destination.remaining(&mut store).unwrap_or(READ_LIMIT);
        if wanted == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let me = &mut *self;
        let pending = me.pending.get_or_insert_with(|| {
            let (file, offset) = (me.file.clone(), me.offset);
            Box::pin(async move { file.read(wanted, offset).await })
        });
        let result = match pending.as_mut().poll(context) {
            Poll::Pending if finish => {
                me.pending = None;
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            poll => ready!(poll),
        };
        me.pending = None;
        Poll::Ready(Ok(match result {
            Ok(contents) if contents.bytes.is_empty() => {
                me.end(Ok(()));
                StreamResult::Dropped
            }
            Ok(Contents { bytes, .. }) => {
                // No more than the guest has room for: it takes all of it at once.
                me.offset += bytes.len() as u64;
                destination.set_buffer(BytesMut::from(&bytes[..]));
                StreamResult::Completed
            }
            Err(error) => {
                me.end(Err(error.into()));
                StreamResult::Dropped
            }
        }))
    }
}

type Written = Pin<Box<dyn Future<Output = io::Result<usize>> + Send>>;

/// Takes a file's contents from the guest.
struct Writing {
    file: Arc<OpenFile>,
    place: Place,
    ended: Option<Ended>,
    pending: Option<Written>,
}

impl Writing {
    fn end(&mut self, result: Result<(), ErrorCode>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result);
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

impl<D: 'static> StreamConsumer<D> for Writing {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let me = &mut *self;
        let pending = me.pending.get_or_insert_with(|| {
            let remaining = source.remaining();
            let bytes = Bytes::copy_from_slice(&remaining[..remaining.len().min(READ_LIMIT)]);
            let (file, place) = (me.file.clone(), me.place);
            Box::pin(async move { file.write(bytes, place).await })
        });
        let result = match pending.as_mut().poll(context) {
            Poll::Pending if finish => {
                // The write goes on; the guest learns that it was not told of its end.
                me.pending = None;
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            poll => ready!(poll),
        };
        me.pending = None;
        Poll::Ready(Ok(match result {
            Ok(count) => {
                source.mark_read(count);
                if let Place::At(offset) = &mut me.place {
                    *offset += count as u64;
                }
                StreamResult::Completed
            }
            Err(error) => {
                me.end(Err(error.into()));
                StreamResult::Dropped
            }
        }))
    }
}

/// Gives a directory's entries to the guest, as it takes them.
struct Listing {
    entries: mpsc::Receiver<io::Result<DirectoryEntry>>,
    ended: Option<Ended>,
}

impl Listing {
    fn begin(files: Files, descriptor: Descriptor, ended: Ended) -> Self {
        let (sender, entries) = mpsc::channel(1);
        tokio::spawn(async move {
            let opened = match descriptor.directory() {
                Ok(directory) => files.read_entries(directory).await,
                Err(error) => Err(error),
            };
            let mut reader = match opened {
                Ok(reader) => reader,
                Err(error) => return drop(sender.send(Err(error)).await),
            };
            while let Some(entry) = reader.next().await {
                let entry =
                    entry.map(|one| DirectoryEntry { type_: kind(one.kind), name: one.name });
                let last = entry.is_err();
                if sender.send(entry).await.is_err() || last {
                    return;
                }
            }
        });
        Listing { entries, ended: Some(ended) }
    }

    fn end(&mut self, result: Result<(), ErrorCode>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result);
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

impl<D> StreamProducer<D> for Listing {
    type Item = DirectoryEntry;
    type Buffer = Option<DirectoryEntry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, DirectoryEntry, Option<DirectoryEntry>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        Poll::Ready(Ok(match self.entries.poll_recv(context) {
            Poll::Ready(Some(Ok(entry))) => {
                destination.set_buffer(Some(entry));
                StreamResult::Completed
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Err(error.into()));
                StreamResult::Dropped
            }
            Poll::Ready(None) => {
                self.end(Ok(()));
                StreamResult::Dropped
            }
            Poll::Pending if finish => StreamResult::Cancelled,
            Poll::Pending => return Poll::Pending,
        }))
    }
}

fn write<U>(
    mut store: Access<'_, U, Guest>,
    descriptor: &Fd,
    mut data: StreamReader<u8>,
    place: Place,
) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
    let (ended, result) = oneshot::channel();
    let file = look(&store.get(), descriptor).and_then(|descriptor| {
        let file = descriptor.file()?.clone();
        file.writable()?;
        Ok(file)
    });
    match file {
        Ok(file) => {
            data.pipe(&mut store, Writing { file, place, ended: Some(ended), pending: None })?;
        }
        Err(error) => {
            data.close(&mut store)?;
            let _ = ended.send(Err(error.downcast()?));
        }
    }
    FutureReader::new(&mut store, result)
}

impl<U> types::HostDescriptorWithStore<U> for Guest {
    fn read_via_stream(
        mut store: Access<U, Self>,
        fd: Fd,
        offset: Filesize,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Result<(), ErrorCode>>)> {
        let (ended, result) = oneshot::channel();
        let file = match look(&store.get(), &fd) {
            Ok(Descriptor::File(file)) => file,
            Ok(Descriptor::Directory(_)) => {
                let _ = ended.send(Err(ErrorCode::IsDirectory));
                let empty = StreamReader::new(&mut store, std::iter::empty())?;
                return Ok((empty, FutureReader::new(&mut store, result)?));
            }
            Err(error) => return Err(error.into()),
        };
        let reading = Reading { file, offset, ended: Some(ended), pending: None };
        let stream = StreamReader::new(&mut store, reading)?;
        Ok((stream, FutureReader::new(&mut store, result)?))
    }

    fn write_via_stream(
        store: Access<'_, U, Self>,
        fd: Fd,
        data: StreamReader<u8>,
        offset: Filesize,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        write(store, &fd, data, Place::At(offset))
    }

    fn append_via_stream(
        store: Access<'_, U, Self>,
        fd: Fd,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        write(store, &fd, data, Place::End)
    }

    async fn advise(
        store: &Accessor<U, Self>,
        fd: Fd,
        _: Filesize,
        _: Filesize,
        _: Advice,
    ) -> FilesystemResult<()> {
        begin(store, &fd)?.1.file()?;
        Ok(())
    }

    async fn sync_data(store: &Accessor<U, Self>, fd: Fd) -> FilesystemResult<()> {
        match begin(store, &fd)?.1 {
            Descriptor::File(file) => Ok(file.sync(true).await?),
            Descriptor::Directory(_) => Ok(()),
        }
    }

    async fn sync(store: &Accessor<U, Self>, fd: Fd) -> FilesystemResult<()> {
        match begin(store, &fd)?.1 {
            Descriptor::File(file) => Ok(file.sync(false).await?),
            Descriptor::Directory(_) => Ok(()),
        }
    }

    async fn get_flags(store: &Accessor<U, Self>, fd: Fd) -> FilesystemResult<DescriptorFlags> {
        let mut flags = DescriptorFlags::empty();
        match begin(store, &fd)?.1 {
            Descriptor::File(file) => {
                let (read, write) = file.flags();
                if read {
                    flags |= DescriptorFlags::READ;
                }
                if write {
                    flags |= DescriptorFlags::WRITE;
                }
            }
            Descriptor::Directory(directory) => {
                flags |= DescriptorFlags::READ;
                if directory.writable {
                    flags |= DescriptorFlags::MUTATE_DIRECTORY;
                }
            }
        }
        Ok(flags)
    }

    async fn get_type(store: &Accessor<U, Self>, fd: Fd) -> FilesystemResult<DescriptorType> {
        Ok(match begin(store, &fd)?.1 {
            Descriptor::File(_) => DescriptorType::RegularFile,
            Descriptor::Directory(_) => DescriptorType::Directory,
        })
    }

    async fn set_size(store: &Accessor<U, Self>, fd: Fd, size: Filesize) -> FilesystemResult<()> {
        Ok(begin(store, &fd)?.1.file()?.set_size(size).await?)
    }

    async fn set_times(
        store: &Accessor<U, Self>,
        fd: Fd,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FilesystemResult<()> {
        let (files, descriptor) = begin(store, &fd)?;
        Ok(files.set_times(&descriptor, (time(access)?, time(modification)?)).await?)
    }

    fn read_directory(
        mut store: Access<'_, U, Self>,
        fd: Fd,
    ) -> wasmtime::Result<(StreamReader<DirectoryEntry>, FutureReader<Result<(), ErrorCode>>)> {
        let (ended, result) = oneshot::channel();
        let view = store.get();
        let (files, descriptor) = (view.files(), look(&view, &fd)?);
        let listing = Listing::begin(files, descriptor, ended);
        let stream = StreamReader::new(&mut store, listing)?;
        Ok((stream, FutureReader::new(&mut store, result)?))
    }

    async fn create_directory_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<()> {
        let (files, descriptor) = begin(store, &fd)?;
        let base = descriptor.directory()?;
        Ok(files.change(FileOperation::CreateDirectory, base, &path).await?)
    }

    async fn stat(store: &Accessor<U, Self>, fd: Fd) -> FilesystemResult<DescriptorStat> {
        let (files, descriptor) = begin(store, &fd)?;
        Ok(status(&files.status(&descriptor).await?))
    }

    async fn stat_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FilesystemResult<DescriptorStat> {
        let (files, descriptor) = begin(store, &fd)?;
        Ok(status(&files.status_at(descriptor.directory()?, follows(flags), &path).await?))
    }

    async fn set_times_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FilesystemResult<()> {
        let (files, descriptor) = begin(store, &fd)?;
        let times = (time(access)?, time(modification)?);
        let base = descriptor.directory()?;
        Ok(files.set_times_at(base, follows(flags), &path, times).await?)
    }

    async fn link_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
        to: Fd,
        to_path: String,
    ) -> FilesystemResult<()> {
        let ((files, from), (_, to)) = (begin(store, &fd)?, begin(store, &to)?);
        let (from, to) = ((from.directory()?, &*path), (to.directory()?, &*to_path));
        Ok(files.move_to(FileOperation::Link, follows(flags), from, to).await?)
    }

    async fn open_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FilesystemResult<Fd> {
        let how = OpenHow {
            follow: follows(path_flags),
            create: open_flags.contains(OpenFlags::CREATE),
            exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
            truncate: open_flags.contains(OpenFlags::TRUNCATE),
            directory: open_flags.contains(OpenFlags::DIRECTORY),
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
            mutate_directory: flags.contains(DescriptorFlags::MUTATE_DIRECTORY),
        };
        let (files, descriptor) = begin(store, &fd)?;
        let opened = files.open(descriptor.directory()?, &path, how).await?;
        let pushed = store.with(|mut access| access.get().table.push(opened))?;
        Ok(Resource::new_own(pushed.rep()))
    }

    async fn readlink_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<String> {
        let (files, descriptor) = begin(store, &fd)?;
        Ok(files.read_link(descriptor.directory()?, &path).await?)
    }

    async fn remove_directory_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<()> {
        let (files, descriptor) = begin(store, &fd)?;
        let base = descriptor.directory()?;
        Ok(files.change(FileOperation::RemoveDirectory, base, &path).await?)
    }

    async fn rename_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        path: String,
        to: Fd,
        to_path: String,
    ) -> FilesystemResult<()> {
        let ((files, from), (_, to)) = (begin(store, &fd)?, begin(store, &to)?);
        let (from, to) = ((from.directory()?, &*path), (to.directory()?, &*to_path));
        Ok(files.move_to(FileOperation::Rename, false, from, to).await?)
    }

    async fn symlink_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        target: String,
        path: String,
    ) -> FilesystemResult<()> {
        let (files, descriptor) = begin(store, &fd)?;
        Ok(files.symbolic_link(descriptor.directory()?, &target, &path).await?)
    }

    async fn unlink_file_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<()> {
        let (files, descriptor) = begin(store, &fd)?;
        let base = descriptor.directory()?;
        Ok(files.change(FileOperation::Unlink, base, &path).await?)
    }

    async fn is_same_object(store: &Accessor<U, Self>, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        let ((files, a), (_, b)) = (begin(store, &a)?, begin(store, &b)?);
        Ok(files.same(&a, &b).await.unwrap_or(false))
    }

    async fn metadata_hash(
        store: &Accessor<U, Self>,
        fd: Fd,
    ) -> FilesystemResult<MetadataHashValue> {
        let (files, descriptor) = begin(store, &fd)?;
        let (lower, upper) = files.identity(&files.status(&descriptor).await?);
        Ok(MetadataHashValue { lower, upper })
    }

    async fn metadata_hash_at(
        store: &Accessor<U, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FilesystemResult<MetadataHashValue> {
        let (files, descriptor) = begin(store, &fd)?;
        let status = files.status_at(descriptor.directory()?, follows(flags), &path).await?;
        let (lower, upper) = files.identity(&status);
        Ok(MetadataHashValue { lower, upper })
    }
}
