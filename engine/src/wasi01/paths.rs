//! What a WASI 0.1 guest does with a path below a directory that it has: the functions `path_…`.

use super::descriptors::{self, Descriptor};
use super::errno::{Answer, Errno};
use super::files::{files_of, opened_file};
use super::layout::{self, fdflags, oflags, rights};
use super::memory::{self, Address, Guest, Part};
use crate::bridge::ffi::FileOperation;
use crate::files::{Directory, OpenHow};

/// A path in the guest's memory.
pub type PathAt = (Address, u32);

fn directory(guest: &mut Guest<'_>, fd: u32) -> Answer<Directory> {
    Ok(descriptors::of(guest.data_mut()).directory(fd)?.directory.clone())
}

/// A directory, and the path that was given with it.
fn place(guest: &mut Guest<'_>, fd: u32, (at, length): PathAt) -> Answer<(Directory, String)> {
    Ok((directory(guest, fd)?, memory::path(guest, at, length)?))
}

/// An operation that needs nothing but its path.
pub async fn change(
    guest: &mut Guest<'_>,
    operation: FileOperation,
    fd: u32,
    path: PathAt,
) -> Answer<()> {
    let (base, path) = place(guest, fd, path)?;
    Ok(files_of(guest).change(operation, &base, &path).await?)
}

pub async fn path_filestat_get(
    guest: &mut Guest<'_>,
    fd: u32,
    flags: u32,
    path: PathAt,
    result: Address,
) -> Answer<()> {
    let follow = layout::follows(flags)?;
    let (base, path) = place(guest, fd, path)?;
    let files = files_of(guest);
    let status = files.status_at(&base, follow, &path).await?;
    layout::write_filestat(guest, result, &status, files.identity(&status).0)
}

pub async fn path_filestat_set_times(
    guest: &mut Guest<'_>,
    fd: u32,
    flags: u32,
    path: PathAt,
    times: (u64, u64, u32),
) -> Answer<()> {
    let follow = layout::follows(flags)?;
    let times = layout::times(times.0, times.1, times.2)?;
    let (base, path) = place(guest, fd, path)?;
    Ok(files_of(guest).set_times_at(&base, follow, &path, times).await?)
}

/// A rename or a link, from one place to another. Neither follows a link in the last place.
pub async fn move_to(
    guest: &mut Guest<'_>,
    operation: FileOperation,
    flags: u32,
    (fd, path): (u32, PathAt),
    (to_fd, to_path): (u32, PathAt),
) -> Answer<()> {
    if layout::follows(flags)? {
        return Err(Errno::INVAL.into());
    }
    let (from, to) = (place(guest, fd, path)?, place(guest, to_fd, to_path)?);
    let (from, to) = ((&from.0, &*from.1), (&to.0, &*to.1));
    Ok(files_of(guest).move_to(operation, false, from, to).await?)
}

/// What `path_open` is told apart from the path.
pub struct OpenFlags {
    pub lookup: u32,
    pub open: u32,
    pub rights: u64,
    pub inheriting: u64,
    pub descriptor: u32,
}

pub async fn path_open(
    guest: &mut Guest<'_>,
    fd: u32,
    path: PathAt,
    flags: OpenFlags,
    result: Address,
) -> Answer<()> {
    let follow = layout::follows(flags.lookup)?;
    layout::only(flags.open, oflags::ALL)?;
    layout::only(flags.descriptor, fdflags::ALL)?;
    if (flags.rights | flags.inheriting) & !rights::ALL != 0 {
        return Err(Errno::INVAL.into());
    }
    let path = memory::path(guest, path.0, path.1)?;
    let base = match descriptors::of(guest.data_mut()).get(fd)? {
        Descriptor::Directory(open) => open.directory.clone(),
        Descriptor::File(_) => return Err(Errno::NOTDIR.into()),
        Descriptor::Standard(_) => return Err(Errno::BADF.into()),
    };
    // Nothing here waits for the disk at each write, and whoever asks for that has to know.
    if flags.descriptor & (fdflags::DSYNC | fdflags::RSYNC | fdflags::SYNC) != 0 {
        return Err(Errno::NOTSUP.into());
    }
    let asks = |flag| flags.open & flag != 0;
    let (create, truncate) = (asks(oflags::CREATE), asks(oflags::TRUNCATE));
    if asks(oflags::DIRECTORY) && flags.open != oflags::DIRECTORY {
        return Err(Errno::INVAL.into());
    }
    let may_write = flags.rights & rights::FD_WRITE != 0;
    let how = OpenHow {
        follow,
        create,
        exclusive: create && asks(oflags::EXCLUSIVE),
        truncate,
        directory: asks(oflags::DIRECTORY),
        // Whoever makes a file or empties it may write to it.
        read: flags.rights & rights::FD_READ != 0 || !may_write,
        write: may_write || create || truncate,
        mutate_directory: true,
    };
    let opened = files_of(guest).open(&base, &path, how).await?;
    let descriptor = opened_file(opened, flags.descriptor);
    let number = descriptors::of(guest.data_mut()).push(descriptor)?;
    memory::write_u32(guest, result, number)
}

pub async fn path_readlink(
    guest: &mut Guest<'_>,
    fd: u32,
    path: PathAt,
    (buffer, length): (Address, u32),
    result: Address,
) -> Answer<()> {
    memory::bytes(guest, Part { at: buffer, length })?;
    let (base, path) = place(guest, fd, path)?;
    let target = files_of(guest).read_link(&base, &path).await?.into_bytes();
    let fits = target.len().min(length as usize);
    memory::write(guest, buffer, &target[..fits])?;
    memory::write_u32(guest, result, u32::try_from(fits).map_err(|_| Errno::OVERFLOW)?)
}

pub async fn path_symlink(
    guest: &mut Guest<'_>,
    target: PathAt,
    fd: u32,
    path: PathAt,
) -> Answer<()> {
    let base = directory(guest, fd)?;
    let target = memory::path(guest, target.0, target.1)?;
    let path = memory::path(guest, path.0, path.1)?;
    Ok(files_of(guest).symbolic_link(&base, &target, &path).await?)
}
