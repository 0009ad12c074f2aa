//! Reading the entries of a directory, some at a time, by cookies.
//!
//! A cookie is the number of an entry: 0 is the directory itself, 1 its parent, and then come the
//! others in the order in which the system has them.

use super::descriptors::{self, Listing};
use super::errno::Answer;
use super::files::files_of;
use super::layout::{self, filetype};
use super::memory::{self, Address, Guest, Part};
use crate::files::{Descriptor as Opened, Directory, Files};

/// The names that every directory has and that its entries leave out.
const OWN_NAMES: [&str; 2] = [".", ".."];

pub async fn fd_readdir(
    guest: &mut Guest<'_>,
    fd: u32,
    (buffer, length): (Address, u32),
    cookie: u64,
    result: Address,
) -> Answer<()> {
    memory::bytes(guest, Part { at: buffer, length })?;
    let files = files_of(guest);
    let open = descriptors::of(guest.data_mut()).directory(fd)?;
    let directory = open.directory.clone();
    let mut listing = match open.listing.take() {
        Some(listing) if listing.next == cookie => listing,
        _ => begin(&files, &directory, cookie).await?,
    };
    let mut used = 0;
    let mut complete = true;
    while complete && let Some((inode, file_type, name)) = listing.peek(&files, &directory).await? {
        let mut record = layout::dirent(listing.next + 1, inode, name.len(), file_type)?.to_vec();
        record.extend_from_slice(name.as_bytes());
        let fits = record.len().min((length - used) as usize);
        complete = fits == record.len();
        memory::write(guest, memory::beyond(buffer, used)?, &record[..fits])?;
        used += fits as u32;
        if complete {
            listing.step();
        }
    }
    // Whoever has read the last entry gives the open directory back.
    if !complete {
        descriptors::of(guest.data_mut()).directory(fd)?.listing = Some(listing);
    }
    memory::write_u32(guest, result, used)
}

/// Opens a directory and goes to the entry of this number.
async fn begin(files: &Files, directory: &Directory, cookie: u64) -> Answer<Box<Listing>> {
    let entries = files.read_entries(directory).await?;
    let next = cookie.min(OWN_NAMES.len() as u64);
    let mut listing = Box::new(Listing { entries, pending: None, next });
    while listing.next < cookie && listing.peek(files, directory).await?.is_some() {
        listing.step();
    }
    Ok(listing)
}

impl Listing {
    /// The entry that comes next: what it is by number, its type and its name.
    async fn peek(
        &mut self,
        files: &Files,
        directory: &Directory,
    ) -> Answer<Option<(u64, u8, String)>> {
        if let Some(name) = OWN_NAMES.get(usize::try_from(self.next).unwrap_or(usize::MAX)) {
            let status = files.status(&Opened::Directory(directory.clone())).await?;
            let inode = files.identity(&status).0;
            return Ok(Some((inode, filetype::DIRECTORY, (*name).to_owned())));
        }
        if self.pending.is_none() {
            self.pending = self.entries.next().await.transpose()?;
        }
        let Some(entry) = &self.pending else { return Ok(None) };
        let inode = files.identity(&self.entries.status_of(entry)).0;
        Ok(Some((inode, layout::type_of(entry.kind), entry.name.clone())))
    }

    fn step(&mut self) {
        self.pending = None;
        self.next += 1;
    }
}
