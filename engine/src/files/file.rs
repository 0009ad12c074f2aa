//! An open file: reads that never wait for a disk on a guest's thread, and counted writes.

use super::{FileUse, OPERATION, OpenHow, Opened, error};
use crate::bridge::ffi::FileStatus;
use crate::ledger::{Charge, Kind};
use crate::lines::Line;
use rustix::fs::{Timespec, Timestamps};
use rustix::io::{Errno, ReadWriteFlags};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The most that one read gives.
pub const READ_LIMIT: usize = 256 << 10;

/// A descriptor, and its charge until it is closed: operations that hang keep it longer than the guest.
struct Counted {
    descriptor: OwnedFd,
    _count: Charge,
}

impl AsFd for Counted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A regular file that a guest has open.
pub struct OpenFile {
    /// Absent only while this is dropped.
    descriptor: Option<Arc<Counted>>,
    read: bool,
    write: bool,
    counts: Arc<FileUse>,
    opened: Arc<Opened>,
    /// Where operations on its file system wait.
    line: Line,
    /// Whether others serve the file: then nothing is asked of it on a guest's thread.
    remote: bool,
}

/// What was read, which is charged while it waits.
pub struct Contents {
    pub bytes: Vec<u8>,
    pub charge: Charge,
}

impl Contents {
    /// Keeps what was read, of a larger buffer that was charged.
    fn new(mut buffer: Vec<u8>, count: usize, mut charge: Charge) -> Self {
        buffer.truncate(count);
        buffer.shrink_to_fit();
        // Smaller than it was: this is never refused.
        let _ = charge.resize(count as u64);
        Contents { bytes: buffer, charge }
    }
}

/// Where a write goes.
#[derive(Clone, Copy)]
pub enum Place {
    At(u64),
    End,
}

/// Refuses what is no place in any file. The system takes some such numbers to mean the descriptor's
/// own position, which all that a guest does with it would share.
fn is_place(offset: u64) -> io::Result<()> {
    if i64::try_from(offset).is_ok() { Ok(()) } else { Err(error(Errno::INVAL)) }
}

impl OpenFile {
    pub(super) fn new(
        descriptor: OwnedFd,
        how: OpenHow,
        counts: Arc<FileUse>,
        opened: Arc<Opened>,
        count: Charge,
        line: Line,
        remote: bool,
    ) -> Self {
        OpenFile {
            descriptor: Some(Arc::new(Counted { descriptor, _count: count })),
            read: how.read || !how.write,
            write: how.write,
            counts,
            opened,
            line,
            remote,
        }
    }

    fn descriptor(&self) -> &Arc<Counted> {
        match &self.descriptor {
            Some(descriptor) => descriptor,
            None => unreachable!("the descriptor is there until the file is dropped"),
        }
    }

    pub fn flags(&self) -> (bool, bool) {
        (self.read, self.write)
    }

    pub fn writable(&self) -> io::Result<()> {
        if self.write { Ok(()) } else { Err(error(Errno::PERM)) }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Counted) -> rustix::io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let descriptor = self.descriptor().clone();
        let held = self.counts.hold(0)?;
        let work = move || {
            // Until it is done, also where nobody waits for that any more.
            let _held = held;
            work(&descriptor)
        };
        self.line.run(work).await?.map_err(error)
    }

    /// Reads what is in memory already; `None` where the disk would have to be asked.
    pub fn try_read(&self, length: usize, offset: u64) -> Option<io::Result<Contents>> {
        if !self.read {
            return Some(Err(error(Errno::BADF)));
        }
        if let Err(error) = is_place(offset) {
            return Some(Err(error));
        }
        if !self.opened.is_as_before() {
            return None;
        }
        let length = length.min(READ_LIMIT);
        let charge = match self.counts.hold(length) {
            Ok(charge) => charge,
            Err(error) => return Some(Err(error)),
        };
        let mut buffer = vec![0; length];
        let slices = &mut [IoSliceMut::new(&mut buffer)];
        match rustix::io::preadv2(self.descriptor(), slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => Some(Ok(Contents::new(buffer, count, charge))),
            Err(Errno::AGAIN | Errno::OPNOTSUPP) => None,
            Err(code) => Some(Err(error(code))),
        }
    }

    /// Reads at most `length` bytes; none at the end of the file.
    pub async fn read(&self, length: usize, offset: u64) -> io::Result<Contents> {
        if let Some(result) = self.try_read(length, offset) {
            return result;
        }
        self.opened.still_granted().await?;
        let length = length.min(READ_LIMIT);
        let charge = self.counts.hold(length)?;
        self.blocking(move |descriptor| {
            let mut buffer = vec![0; length];
            let count = rustix::io::pread(descriptor, &mut buffer, offset)?;
            Ok(Contents::new(buffer, count, charge))
        })
        .await
    }

    /// How much of `wanted` bytes can be read ahead, with what the guest makes the host hold already.
    pub fn room_to_read(&self, wanted: usize) -> usize {
        let left = self.counts.ledger.left(Kind::Held) / 4;
        usize::try_from(left).unwrap_or(wanted).clamp(OPERATION, wanted)
    }

    /// Writes all of `bytes`.
    pub async fn write(&self, bytes: bytes::Bytes, place: Place) -> io::Result<usize> {
        self.writable()?;
        if let Place::At(offset) = place {
            is_place(offset)?;
        }
        self.opened.still_granted().await?;
        let counts = self.counts.clone();
        let descriptor = self.descriptor().clone();
        let held = self.counts.hold(bytes.len())?;
        let work = move || -> io::Result<usize> {
            // Until it is written, also where nobody waits for that any more.
            let _held = held;
            let length = bytes.len() as u64;
            let size = rustix::fs::fstat(&*descriptor).map_err(error)?.st_size as u64;
            let start = match place {
                Place::At(offset) => offset,
                Place::End => size,
            };
            let end = start.checked_add(length).ok_or_else(|| error(Errno::FBIG))?;
            counts.write(length.max(end.saturating_sub(size)))?;
            let mut written = 0;
            while written < bytes.len() {
                let slices = &[IoSlice::new(&bytes[written..])];
                let result = match place {
                    Place::At(offset) => {
                        rustix::io::pwrite(&*descriptor, &bytes[written..], offset + written as u64)
                    }
                    // The offset is ignored: each write goes to what is the end at that moment.
                    Place::End => {
                        rustix::io::pwritev2(&*descriptor, slices, 0, ReadWriteFlags::APPEND)
                    }
                };
                match result {
                    Ok(count) => written += count,
                    Err(Errno::INTR) => {}
                    Err(code) => return Err(error(code)),
                }
            }
            Ok(written)
        };
        self.line.run(work).await?
    }

    pub async fn set_size(&self, size: u64) -> io::Result<()> {
        self.writable()?;
        self.opened.still_granted().await?;
        let current = self.status().await?.size;
        self.counts.write(size.saturating_sub(current))?;
        self.blocking(move |descriptor| rustix::fs::ftruncate(descriptor, size)).await
    }

    pub async fn set_times(&self, (access, modification): (i64, i64)) -> io::Result<()> {
        self.writable()?;
        self.opened.still_granted().await?;
        let time = |nanoseconds: i64| match nanoseconds {
            0.. => Timespec {
                tv_sec: nanoseconds / 1_000_000_000,
                tv_nsec: nanoseconds % 1_000_000_000,
            },
            _ => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        };
        let times = Timestamps { last_access: time(access), last_modification: time(modification) };
        self.blocking(move |descriptor| rustix::fs::futimens(descriptor, &times)).await
    }

    pub async fn sync(&self, data_only: bool) -> io::Result<()> {
        self.opened.still_granted().await?;
        self.blocking(move |descriptor| {
            if data_only {
                rustix::fs::fdatasync(descriptor)
            } else {
                rustix::fs::fsync(descriptor)
            }
        })
        .await
    }

    pub async fn status(&self) -> io::Result<FileStatus> {
        self.opened.still_granted().await?;
        let status = if self.remote {
            self.blocking(|descriptor| rustix::fs::fstat(descriptor)).await?
        } else {
            rustix::fs::fstat(self.descriptor()).map_err(error)?
        };
        let time = |seconds: i64, nanoseconds: u64| {
            seconds.saturating_mul(1_000_000_000).saturating_add_unsigned(nanoseconds)
        };
        Ok(FileStatus {
            mode: status.st_mode,
            links: status.st_nlink,
            size: status.st_size.unsigned_abs(),
            device: status.st_dev,
            inode: status.st_ino,
            access_time: time(status.st_atime, status.st_atime_nsec),
            modification_time: time(status.st_mtime, status.st_mtime_nsec),
            change_time: time(status.st_ctime, status.st_ctime_nsec),
        })
    }
}

impl Drop for OpenFile {
    /// Closing flushes what was written, which waits for whoever serves the file.
    fn drop(&mut self) {
        if self.remote {
            let descriptor = self.descriptor.take();
            self.line.later(move || drop(descriptor));
        }
    }
}
