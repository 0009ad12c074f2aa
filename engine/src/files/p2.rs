//! wasi:filesystem 0.2.

use super::file::Place;
use super::streams::{FileInput, FileOutput};
use super::{Descriptor, EntryReader, Files, OpenHow, file_type};
use crate::bridge::ffi::{FileOperation, FileStatus};
use crate::state::{Guest, GuestView, State};
use rustix::fs::FileType;
use std::io;
use std::time::SystemTime;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    Filesize, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, Guest>(linker, State::guest)?;
    preopens::add_to_linker::<_, Guest>(linker, State::guest)
}

type Fd = Resource<types::Descriptor>;

// The standard bindings fix the Rust types of the resources; only the numbers in them are used.
fn fd(descriptor: &Fd) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

fn entry_stream(stream: &Resource<types::DirectoryEntryStream>) -> Resource<EntryReader> {
    Resource::new_borrow(stream.rep())
}

impl GuestView<'_> {
    pub(super) fn files(&self) -> Files {
        self.files.clone()
    }

    fn descriptor(&self, descriptor: &Fd) -> FsResult<Descriptor> {
        Ok(self.table.get(&fd(descriptor))?.clone())
    }

    fn push(&mut self, descriptor: Descriptor) -> FsResult<Fd> {
        Ok(Resource::new_own(self.table.push(descriptor)?.rep()))
    }
}

pub(super) fn kind(file_type: FileType) -> DescriptorType {
    match file_type {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

fn datetime(nanoseconds: i64) -> Option<Datetime> {
    let nanoseconds = u64::try_from(nanoseconds).ok()?;
    Some(Datetime {
        seconds: nanoseconds / 1_000_000_000,
        nanoseconds: (nanoseconds % 1_000_000_000) as u32,
    })
}

fn status(status: &FileStatus) -> DescriptorStat {
    DescriptorStat {
        type_: kind(file_type(status.mode)),
        link_count: status.links,
        size: status.size,
        data_access_timestamp: datetime(status.access_time),
        data_modification_timestamp: datetime(status.modification_time),
        status_change_timestamp: datetime(status.change_time),
    }
}

/// The time now, in the form that the host takes.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn time(timestamp: NewTimestamp) -> FsResult<i64> {
    Ok(match timestamp {
        NewTimestamp::NoChange => -1,
        NewTimestamp::Now => now(),
        NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => i64::try_from(seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds.into()))
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
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<io::Error>().map(ErrorCode::from))
    }
}

impl types::HostDescriptor for GuestView<'_> {
    async fn advise(&mut self, fd: Fd, _: Filesize, _: Filesize, _: Advice) -> FsResult<()> {
        self.descriptor(&fd)?.file()?;
        Ok(())
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        match self.descriptor(&fd)? {
            Descriptor::File(file) => Ok(file.sync(true).await?),
            Descriptor::Directory(_) => Ok(()),
        }
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        match self.descriptor(&fd)? {
            Descriptor::File(file) => Ok(file.sync(false).await?),
            Descriptor::Directory(_) => Ok(()),
        }
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        let mut flags = DescriptorFlags::empty();
        match self.descriptor(&fd)? {
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

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        Ok(match self.descriptor(&fd)? {
            Descriptor::File(_) => DescriptorType::RegularFile,
            Descriptor::Directory(_) => DescriptorType::Directory,
        })
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        Ok(self.descriptor(&fd)?.file()?.set_size(size).await?)
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let times = (time(access)?, time(modification)?);
        Ok(self.files().set_times(&self.descriptor(&fd)?, times).await?)
    }

    async fn read(
        &mut self,
        fd: Fd,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = self.descriptor(&fd)?.file()?.read(length, offset).await?.bytes;
        let end = bytes.is_empty() && length > 0;
        Ok((bytes, end))
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let descriptor = self.descriptor(&fd)?;
        Ok(descriptor.file()?.write(bytes.into(), Place::At(offset)).await? as Filesize)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<types::DirectoryEntryStream>> {
        let descriptor = self.descriptor(&fd)?;
        let entries = self.files().read_entries(descriptor.directory()?).await?;
        Ok(Resource::new_own(self.table.push(entries)?.rep()))
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let descriptor = self.descriptor(&fd)?;
        let base = descriptor.directory()?;
        Ok(self.files().change(FileOperation::CreateDirectory, base, &path).await?)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        Ok(status(&self.files().status(&self.descriptor(&fd)?).await?))
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let descriptor = self.descriptor(&fd)?;
        let base = descriptor.directory()?;
        Ok(status(&self.files().status_at(base, follows(flags), &path).await?))
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let descriptor = self.descriptor(&fd)?;
        let base = descriptor.directory()?;
        let times = (time(access)?, time(modification)?);
        Ok(self.files().set_times_at(base, follows(flags), &path, times).await?)
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        to: Fd,
        to_path: String,
    ) -> FsResult<()> {
        let (from, to) = (self.descriptor(&fd)?, self.descriptor(&to)?);
        let (from, to) = ((from.directory()?, &*path), (to.directory()?, &*to_path));
        Ok(self.files().move_to(FileOperation::Link, follows(flags), from, to).await?)
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
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
        let descriptor = self.descriptor(&fd)?;
        let opened = self.files().open(descriptor.directory()?, &path, how).await?;
        self.push(opened)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let descriptor = self.descriptor(&fd)?;
        Ok(self.files().read_link(descriptor.directory()?, &path).await?)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let descriptor = self.descriptor(&fd)?;
        let base = descriptor.directory()?;
        Ok(self.files().change(FileOperation::RemoveDirectory, base, &path).await?)
    }

    async fn rename_at(&mut self, fd: Fd, path: String, to: Fd, to_path: String) -> FsResult<()> {
        let (from, to) = (self.descriptor(&fd)?, self.descriptor(&to)?);
        let (from, to) = ((from.directory()?, &*path), (to.directory()?, &*to_path));
        Ok(self.files().move_to(FileOperation::Rename, false, from, to).await?)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        let descriptor = self.descriptor(&fd)?;
        Ok(self.files().symbolic_link(descriptor.directory()?, &target, &path).await?)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let descriptor = self.descriptor(&fd)?;
        let base = descriptor.directory()?;
        Ok(self.files().change(FileOperation::Unlink, base, &path).await?)
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let Descriptor::File(file) = self.descriptor(&fd)? else {
            return Err(ErrorCode::IsDirectory.into());
        };
        let stream: DynInputStream = Box::new(FileInput::new(file, offset));
        Ok(self.table.push(stream)?)
    }

    fn write_via_stream(
        &mut self,
        fd: Fd,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.output(&fd, Place::At(offset))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.output(&fd, Place::End)
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        let (a, b) = (self.table.get(&fd(&a))?.clone(), self.table.get(&fd(&b))?.clone());
        Ok(self.files().same(&a, &b).await.unwrap_or(false))
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        let files = self.files();
        let (lower, upper) = files.identity(&files.status(&self.descriptor(&fd)?).await?);
        Ok(MetadataHashValue { lower, upper })
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let (files, descriptor) = (self.files(), self.descriptor(&fd)?);
        let status = files.status_at(descriptor.directory()?, follows(flags), &path).await?;
        let (lower, upper) = files.identity(&status);
        Ok(MetadataHashValue { lower, upper })
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Descriptor>::new_own(fd.rep()))?;
        Ok(())
    }
}

impl GuestView<'_> {
    fn output(&mut self, fd: &Fd, place: Place) -> FsResult<Resource<DynOutputStream>> {
        let Descriptor::File(file) = self.descriptor(fd)? else {
            return Err(ErrorCode::IsDirectory.into());
        };
        file.writable()?;
        let stream: DynOutputStream = Box::new(FileOutput::new(file, place));
        Ok(self.table.push(stream)?)
    }
}

impl types::HostDirectoryEntryStream for GuestView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let entry = self.table.get_mut(&entry_stream(&stream))?.next().await.transpose()?;
        Ok(entry.map(|entry| DirectoryEntry { type_: kind(entry.kind), name: entry.name }))
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<EntryReader>::new_own(stream.rep()))?;
        Ok(())
    }
}
