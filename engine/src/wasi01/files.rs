//! What a WASI 0.1 guest does with a descriptor: the functions `fd_…`.

use super::descriptors::{self, Descriptor};
use super::errno::{Answer, Errno};
use super::layout::{self, fdflags, filetype, rights};
use super::memory::{self, Address, Guest};
use super::standard::{self, Standard};
use crate::files::{Descriptor as Opened, Files, Place, READ_LIMIT};

/// Values of `whence`.
const FROM_START: u32 = 0;
const FROM_CURRENT: u32 = 1;
const FROM_END: u32 = 2;
/// The last value of `advice`.
const LAST_ADVICE: u32 = 5;

/// File operations on behalf of the guest's call.
pub fn files_of(guest: &mut Guest<'_>) -> Files {
    guest.data_mut().file_operations()
}

pub fn fd_advise(guest: &mut Guest<'_>, fd: u32, advice: u32) -> Answer<()> {
    if advice > LAST_ADVICE {
        return Err(Errno::INVAL.into());
    }
    // It is advice, and the system does well without.
    descriptors::of(guest.data_mut()).file(fd).map(drop)
}

/// Not every file system can, and those that do are not asked: 0.2 and 0.3 have no such function.
pub fn fd_allocate(guest: &mut Guest<'_>, fd: u32) -> Answer<()> {
    descriptors::of(guest.data_mut()).file(fd)?;
    Err(Errno::NOTSUP.into())
}

pub fn fd_close(guest: &mut Guest<'_>, fd: u32) -> Answer<()> {
    descriptors::of(guest.data_mut()).close(fd)
}

pub fn fd_renumber(guest: &mut Guest<'_>, from: u32, to: u32) -> Answer<()> {
    descriptors::of(guest.data_mut()).renumber(from, to)
}

pub async fn fd_sync(guest: &mut Guest<'_>, fd: u32, data_only: bool) -> Answer<()> {
    let file = descriptors::of(guest.data_mut()).file(fd)?.file.clone();
    Ok(file.sync(data_only).await?)
}

fn stream_type(guest: &mut Guest<'_>, standard: Standard) -> Answer<u8> {
    Ok(match standard::is_terminal(guest.data_mut(), standard)? {
        true => filetype::CHARACTER_DEVICE,
        false => filetype::UNKNOWN,
    })
}

pub fn fd_fdstat_get(guest: &mut Guest<'_>, fd: u32, result: Address) -> Answer<()> {
    let (file_type, flags, rights) = match descriptors::of(guest.data_mut()).get(fd)? {
        Descriptor::Standard(standard) => {
            let standard = *standard;
            let rights = match standard {
                Standard::Input => rights::FD_READ,
                Standard::Output | Standard::Error => rights::FD_WRITE,
            };
            (stream_type(guest, standard)?, 0, (rights, rights))
        }
        Descriptor::Directory(open) if open.preopen.is_some() => {
            (filetype::DIRECTORY, 0, (rights::OF_PREOPEN, rights::BELOW_PREOPEN))
        }
        Descriptor::Directory(_) => {
            let not = rights::FD_SEEK
                | rights::FD_FILESTAT_SET_SIZE
                | rights::PATH_FILESTAT_SET_SIZE
                | rights::FD_WRITE;
            (filetype::DIRECTORY, 0, (rights::ALL & !not, rights::ALL & !not))
        }
        Descriptor::File(open) => {
            let (read, write) = open.file.flags();
            let mut rights = rights::ALL;
            if !read {
                rights &= !(rights::FD_READ | rights::FD_READDIR);
            }
            if !write {
                rights &= !rights::FD_WRITE;
            }
            let append = if open.append { fdflags::APPEND } else { 0 };
            let nonblock = if open.nonblocking { fdflags::NONBLOCK } else { 0 };
            (filetype::REGULAR_FILE, append | nonblock, (rights, rights))
        }
    };
    layout::write_fdstat(guest, result, file_type, flags, rights)
}

pub fn fd_fdstat_set_flags(guest: &mut Guest<'_>, fd: u32, flags: u32) -> Answer<()> {
    layout::only(flags, fdflags::ALL)?;
    let open = descriptors::of(guest.data_mut()).file(fd)?;
    if flags & (fdflags::DSYNC | fdflags::RSYNC | fdflags::SYNC) != 0 {
        return Err(Errno::INVAL.into());
    }
    open.append = flags & fdflags::APPEND != 0;
    open.nonblocking = flags & fdflags::NONBLOCK != 0;
    Ok(())
}

/// Rights are what the grants say; a guest cannot lay any down.
pub fn fd_fdstat_set_rights(guest: &mut Guest<'_>, fd: u32) -> Answer<()> {
    descriptors::of(guest.data_mut()).opened(fd)?;
    Err(Errno::NOTSUP.into())
}

pub async fn fd_filestat_get(guest: &mut Guest<'_>, fd: u32, result: Address) -> Answer<()> {
    if let Descriptor::Standard(standard) = descriptors::of(guest.data_mut()).get(fd)? {
        let standard = *standard;
        let file_type = stream_type(guest, standard)?;
        return layout::write_stream_filestat(guest, result, file_type);
    }
    let opened = descriptors::of(guest.data_mut()).opened(fd)?;
    let files = files_of(guest);
    let status = files.status(&opened).await?;
    layout::write_filestat(guest, result, &status, files.identity(&status).0)
}

pub async fn fd_filestat_set_size(guest: &mut Guest<'_>, fd: u32, size: u64) -> Answer<()> {
    let file = descriptors::of(guest.data_mut()).file(fd)?.file.clone();
    if !file.flags().1 {
        return Err(Errno::INVAL.into());
    }
    Ok(file.set_size(size).await?)
}

pub async fn fd_filestat_set_times(
    guest: &mut Guest<'_>,
    fd: u32,
    (access, modification): (u64, u64),
    flags: u32,
) -> Answer<()> {
    let times = layout::times(access, modification, flags)?;
    let opened = descriptors::of(guest.data_mut()).opened(fd)?;
    Ok(files_of(guest).set_times(&opened, times).await?)
}

pub fn fd_prestat_get(guest: &mut Guest<'_>, fd: u32, result: Address) -> Answer<()> {
    let open = descriptors::of(guest.data_mut()).directory(fd)?;
    let name = open.preopen.as_ref().ok_or(Errno::BADF)?.len();
    // The tag of a directory is zero.
    memory::write_u32(guest, result, 0)?;
    memory::write_u32(
        guest,
        memory::beyond(result, 4)?,
        u32::try_from(name).map_err(|_| Errno::OVERFLOW)?,
    )
}

pub fn fd_prestat_dir_name(guest: &mut Guest<'_>, fd: u32, at: Address, length: u32) -> Answer<()> {
    let name = match descriptors::of(guest.data_mut()).get(fd)? {
        Descriptor::Directory(open) => open.preopen.clone().ok_or(Errno::NOTDIR)?,
        _ => return Err(Errno::NOTDIR.into()),
    };
    if name.len() > length as usize {
        return Err(Errno::NAMETOOLONG.into());
    }
    memory::write(guest, at, name.as_bytes())
}

/// Reads into `count` parts of memory: from `offset`, or from where the descriptor stands.
pub async fn fd_read(
    guest: &mut Guest<'_>,
    fd: u32,
    (vector, count): (Address, u32),
    offset: Option<u64>,
    result: Address,
) -> Answer<()> {
    let parts = memory::parts(guest, vector, count, READ_LIMIT)?;
    let length = memory::length(&parts);
    let read = match descriptors::of(guest.data_mut()).get(fd)? {
        Descriptor::File(open) => {
            let (file, position) = (open.file.clone(), open.position);
            if !file.flags().0 {
                return Err(Errno::BADF.into());
            }
            let data = file.read(length, offset.unwrap_or(position)).await?.bytes;
            memory::scatter(guest, &parts, &data)?;
            if offset.is_none() {
                let position = position.checked_add(data.len() as u64).ok_or(Errno::OVERFLOW)?;
                descriptors::of(guest.data_mut()).file(fd)?.position = position;
            }
            data.len()
        }
        Descriptor::Standard(Standard::Input) if offset.is_none() => {
            let data = standard::read(guest.data_mut(), length).await?;
            memory::scatter(guest, &parts, &data)?;
            data.len()
        }
        Descriptor::Standard(Standard::Input) => return Err(Errno::SPIPE.into()),
        _ => return Err(Errno::BADF.into()),
    };
    memory::write_u32(guest, result, u32::try_from(read).map_err(|_| Errno::OVERFLOW)?)
}

/// Writes what lies in `count` parts of memory: at `offset`, or where the descriptor stands.
pub async fn fd_write(
    guest: &mut Guest<'_>,
    fd: u32,
    (vector, count): (Address, u32),
    offset: Option<u64>,
    result: Address,
) -> Answer<()> {
    let parts = memory::parts(guest, vector, count, READ_LIMIT)?;
    let written = match descriptors::of(guest.data_mut()).get(fd)? {
        Descriptor::File(open) => {
            let (file, append) = (open.file.clone(), open.append);
            let position = open.position;
            if !file.flags().1 {
                return Err(Errno::BADF.into());
            }
            // As on Linux, a file that is appended to has no other place to write at.
            let place = if append { Place::End } else { Place::At(offset.unwrap_or(position)) };
            let data = memory::gather(guest, &parts)?;
            let written = file.write(data.into(), place).await?;
            if offset.is_none() {
                let position = match append {
                    true => file.status().await?.size,
                    false => position.checked_add(written as u64).ok_or(Errno::OVERFLOW)?,
                };
                descriptors::of(guest.data_mut()).file(fd)?.position = position;
            }
            written
        }
        Descriptor::Standard(standard @ (Standard::Output | Standard::Error)) => {
            let standard = *standard;
            if offset.is_some() {
                return Err(Errno::SPIPE.into());
            }
            let data = memory::gather(guest, &parts)?;
            standard::write(guest.data_mut(), standard, data).await?
        }
        _ => return Err(Errno::BADF.into()),
    };
    memory::write_u32(guest, result, u32::try_from(written).map_err(|_| Errno::OVERFLOW)?)
}

pub async fn fd_seek(
    guest: &mut Guest<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    result: Address,
) -> Answer<()> {
    let open = descriptors::of(guest.data_mut()).seekable(fd)?;
    let (file, position) = (open.file.clone(), open.position);
    let start = match whence {
        FROM_START => 0,
        FROM_CURRENT => position,
        FROM_END => file.status().await?.size,
        _ => return Err(Errno::INVAL.into()),
    };
    let position = start.checked_add_signed(offset).ok_or(Errno::INVAL)?;
    descriptors::of(guest.data_mut()).file(fd)?.position = position;
    memory::write_u64(guest, result, position)
}

pub fn fd_tell(guest: &mut Guest<'_>, fd: u32, result: Address) -> Answer<()> {
    let position = descriptors::of(guest.data_mut()).seekable(fd)?.position;
    memory::write_u64(guest, result, position)
}

/// What a descriptor opened by a path becomes.
pub fn opened_file(opened: Opened, flags: u32) -> Descriptor {
    match opened {
        Opened::Directory(directory) => Descriptor::Directory(descriptors::OpenDirectory {
            directory,
            preopen: None,
            listing: None,
        }),
        Opened::File(file) => Descriptor::File(descriptors::PositionedFile {
            file,
            position: 0,
            append: flags & fdflags::APPEND != 0,
            nonblocking: flags & fdflags::NONBLOCK != 0,
        }),
    }
}
