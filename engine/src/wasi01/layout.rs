//! Flags and records of WASI 0.1, as wasi_snapshot_preview1.witx lays them out.

use super::errno::{Answer, Errno};
use super::memory::{self, Address, Guest};
use crate::bridge::ffi::FileStatus;
use rustix::fs::FileType;

/// Bits of `rights` that are looked at or taken away.
pub mod rights {
    pub const FD_DATASYNC: u64 = 1;
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_SYNC: u64 = 1 << 4;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub const PATH_LINK_TARGET: u64 = 1 << 12;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_READLINK: u64 = 1 << 15;
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const PATH_SYMLINK: u64 = 1 << 24;
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub const POLL_FD_READWRITE: u64 = 1 << 27;
    /// All thirty.
    pub const ALL: u64 = (1 << 30) - 1;

    /// What programs expect to be able to do with a granted folder.
    pub const OF_PREOPEN: u64 = PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_LINK_SOURCE
        | PATH_LINK_TARGET
        | PATH_OPEN
        | FD_READDIR
        | PATH_READLINK
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_SYMLINK
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE
        | PATH_FILESTAT_GET
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES;
    /// And with what they open below it.
    pub const BELOW_PREOPEN: u64 = OF_PREOPEN
        | FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_WRITE
        | FD_ADVISE
        | FD_ALLOCATE
        | FD_FILESTAT_SET_SIZE
        | POLL_FD_READWRITE;
}

/// Bits of `fdflags`.
pub mod fdflags {
    pub const APPEND: u32 = 1;
    pub const DSYNC: u32 = 1 << 1;
    pub const NONBLOCK: u32 = 1 << 2;
    pub const RSYNC: u32 = 1 << 3;
    pub const SYNC: u32 = 1 << 4;
    pub const ALL: u32 = (1 << 5) - 1;
}

/// Bits of `oflags`.
pub mod oflags {
    pub const CREATE: u32 = 1;
    pub const DIRECTORY: u32 = 1 << 1;
    pub const EXCLUSIVE: u32 = 1 << 2;
    pub const TRUNCATE: u32 = 1 << 3;
    pub const ALL: u32 = (1 << 4) - 1;
}

/// Bits of `fstflags`.
mod fstflags {
    pub const ACCESS: u32 = 1;
    pub const ACCESS_NOW: u32 = 1 << 1;
    pub const MODIFICATION: u32 = 1 << 2;
    pub const MODIFICATION_NOW: u32 = 1 << 3;
    pub const ALL: u32 = (1 << 4) - 1;
}

/// Values of `filetype`.
pub mod filetype {
    pub const UNKNOWN: u8 = 0;
    pub const BLOCK_DEVICE: u8 = 1;
    pub const CHARACTER_DEVICE: u8 = 2;
    pub const DIRECTORY: u8 = 3;
    pub const REGULAR_FILE: u8 = 4;
    pub const SYMBOLIC_LINK: u8 = 7;
}

/// Refuses bits that have no meaning.
pub fn only(flags: u32, known: u32) -> Answer<u32> {
    if flags & !known == 0 { Ok(flags) } else { Err(Errno::INVAL.into()) }
}

/// Reads `lookupflags`: whether a link in the last place is followed.
pub fn follows(flags: u32) -> Answer<bool> {
    Ok(only(flags, 1)? != 0)
}

/// The number of a type of file.
pub fn type_of(file_type: FileType) -> u8 {
    match file_type {
        FileType::RegularFile => filetype::REGULAR_FILE,
        FileType::Directory => filetype::DIRECTORY,
        FileType::Symlink => filetype::SYMBOLIC_LINK,
        FileType::BlockDevice => filetype::BLOCK_DEVICE,
        FileType::CharacterDevice => filetype::CHARACTER_DEVICE,
        FileType::Fifo | FileType::Socket | FileType::Unknown => filetype::UNKNOWN,
    }
}

/// The two times of a `set_times`, in the form that the host takes.
pub fn times(access: u64, modification: u64, flags: u32) -> Answer<(i64, i64)> {
    only(flags, fstflags::ALL)?;
    let time = |given: u32, now: u32, nanoseconds: u64| match (flags & given, flags & now) {
        (0, 0) => Ok(-1),
        (0, _) => Ok(crate::files::now()),
        (_, 0) => i64::try_from(nanoseconds).map_err(|_| Errno::OVERFLOW),
        _ => Err(Errno::INVAL),
    };
    Ok((
        time(fstflags::ACCESS, fstflags::ACCESS_NOW, access)?,
        time(fstflags::MODIFICATION, fstflags::MODIFICATION_NOW, modification)?,
    ))
}

/// Writes a `filestat`.
pub fn write_filestat(
    guest: &mut Guest<'_>,
    at: Address,
    status: &FileStatus,
    inode: u64,
) -> Answer<()> {
    memory::aligned(at, 8)?;
    let time = |nanoseconds: i64| u64::try_from(nanoseconds).unwrap_or(0).to_le_bytes();
    let mut record = [0; 64];
    // One device for all: which files lie on one disk is nothing that a guest has to know.
    record[0..8].copy_from_slice(&1_u64.to_le_bytes());
    record[8..16].copy_from_slice(&inode.to_le_bytes());
    record[16] = type_of(FileType::from_raw_mode(status.mode));
    record[24..32].copy_from_slice(&status.links.to_le_bytes());
    record[32..40].copy_from_slice(&status.size.to_le_bytes());
    record[40..48].copy_from_slice(&time(status.access_time));
    record[48..56].copy_from_slice(&time(status.modification_time));
    record[56..64].copy_from_slice(&time(status.change_time));
    memory::write(guest, at, &record)
}

/// Writes the `filestat` of what is no file and has nothing but a type.
pub fn write_stream_filestat(guest: &mut Guest<'_>, at: Address, file_type: u8) -> Answer<()> {
    memory::aligned(at, 8)?;
    let mut record = [0; 64];
    record[16] = file_type;
    memory::write(guest, at, &record)
}

/// Writes an `fdstat`.
pub fn write_fdstat(
    guest: &mut Guest<'_>,
    at: Address,
    file_type: u8,
    flags: u32,
    (base, inheriting): (u64, u64),
) -> Answer<()> {
    memory::aligned(at, 8)?;
    let mut record = [0; 24];
    record[0] = file_type;
    record[2..4].copy_from_slice(&(flags as u16).to_le_bytes());
    record[8..16].copy_from_slice(&base.to_le_bytes());
    record[16..24].copy_from_slice(&inheriting.to_le_bytes());
    memory::write(guest, at, &record)
}

/// The bytes of a `dirent` in front of its name.
pub fn dirent(next: u64, inode: u64, name: usize, file_type: u8) -> Answer<[u8; 24]> {
    let name = u32::try_from(name).map_err(|_| Errno::OVERFLOW)?;
    let mut record = [0; 24];
    record[0..8].copy_from_slice(&next.to_le_bytes());
    record[8..16].copy_from_slice(&inode.to_le_bytes());
    record[16..20].copy_from_slice(&name.to_le_bytes());
    record[20] = file_type;
    Ok(record)
}
