//! The numbers by which a WASI 0.1 guest names what it has open.

use super::errno::{Answer, Errno};
use super::standard::Standard;
use crate::files::{Descriptor as Opened, Directory, Entry, EntryReader, Files, OpenFile};
use crate::state::State;
use std::sync::Arc;

/// What a number stands for.
pub enum Descriptor {
    Standard(Standard),
    Directory(OpenDirectory),
    File(PositionedFile),
}

/// A directory, and how far the guest has read its entries.
pub struct OpenDirectory {
    pub directory: Directory,
    /// Where the guest finds it, if it was granted as a whole.
    pub preopen: Option<String>,
    pub listing: Option<Box<Listing>>,
}

/// A directory's entries, of which some were read.
pub struct Listing {
    pub entries: EntryReader,
    /// The entry that comes next, if it was read already.
    pub pending: Option<Entry>,
    /// Its cookie.
    pub next: u64,
}

/// A file, and where the guest reads and writes next.
pub struct PositionedFile {
    pub file: Arc<OpenFile>,
    pub position: u64,
    /// Writes go to the end, wherever the position is.
    pub append: bool,
    /// Kept for the guest to read; files do not wait for anybody.
    pub nonblocking: bool,
}

/// All that a guest has open, by number.
pub struct Descriptors {
    entries: Vec<Option<Descriptor>>,
    /// How many there may be at once.
    allowed: usize,
}

impl Descriptors {
    /// Standard input, output and error, and the granted folders. `handles` more may be opened.
    pub fn new(files: &Files, handles: usize) -> Self {
        let mut entries = vec![
            Some(Descriptor::Standard(Standard::Input)),
            Some(Descriptor::Standard(Standard::Output)),
            Some(Descriptor::Standard(Standard::Error)),
        ];
        for (opened, guest) in files.preopens() {
            if let Opened::Directory(directory) = opened {
                let preopen = Some(guest);
                let open = OpenDirectory { directory, preopen, listing: None };
                entries.push(Some(Descriptor::Directory(open)));
            }
        }
        let allowed = entries.len().saturating_add(handles);
        Descriptors { entries, allowed }
    }

    /// What a number stands for.
    pub fn get(&mut self, number: u32) -> Answer<&mut Descriptor> {
        let entry = self.entries.get_mut(number as usize).and_then(Option::as_mut);
        Ok(entry.ok_or(Errno::BADF)?)
    }

    /// The directory behind a number.
    pub fn directory(&mut self, number: u32) -> Answer<&mut OpenDirectory> {
        match self.get(number)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::BADF.into()),
        }
    }

    /// The file behind a number.
    pub fn file(&mut self, number: u32) -> Answer<&mut PositionedFile> {
        match self.get(number)? {
            Descriptor::File(file) => Ok(file),
            _ => Err(Errno::BADF.into()),
        }
    }

    /// The file behind a number, for what only files can do and streams cannot.
    pub fn seekable(&mut self, number: u32) -> Answer<&mut PositionedFile> {
        match self.get(number)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Standard(_) => Err(Errno::SPIPE.into()),
            Descriptor::Directory(_) => Err(Errno::BADF.into()),
        }
    }

    /// What a number stands for, to those who do not care whether it is a file or a directory.
    pub fn opened(&mut self, number: u32) -> Answer<Opened> {
        match self.get(number)? {
            Descriptor::File(file) => Ok(Opened::File(file.file.clone())),
            Descriptor::Directory(open) => Ok(Opened::Directory(open.directory.clone())),
            Descriptor::Standard(_) => Err(Errno::BADF.into()),
        }
    }

    /// Gives `descriptor` the lowest number that is free.
    pub fn push(&mut self, descriptor: Descriptor) -> Answer<u32> {
        let free = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        if free >= self.allowed {
            return Err(Errno::NOMEM.into());
        }
        let number = u32::try_from(free).map_err(|_| Errno::NOMEM)?;
        if free == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[free] = Some(descriptor);
        Ok(number)
    }

    /// Closes what a number stands for.
    pub fn close(&mut self, number: u32) -> Answer<()> {
        self.get(number)?;
        self.entries[number as usize] = None;
        Ok(())
    }

    /// Moves what `from` stands for to the number `to`, whose own is closed.
    pub fn renumber(&mut self, from: u32, to: u32) -> Answer<()> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            self.entries[to as usize] = self.entries[from as usize].take();
        }
        Ok(())
    }
}

/// The descriptors of a store, which are made when they are first asked for.
pub fn of(state: &mut State) -> &mut Descriptors {
    let descriptors = state.wasi01.descriptors.take().unwrap_or_else(|| {
        let files = state.file_operations();
        Box::new(Descriptors::new(&files, files.allowed()))
    });
    state.wasi01.descriptors.insert(descriptors)
}
