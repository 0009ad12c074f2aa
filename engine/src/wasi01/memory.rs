//! The guest's memory, where every pointer and length of a guest's is checked.
//!
//! A pointer that is not aligned as its type asks for, or that leads out of memory, ends the guest,
//! as the documents of WASI 0.1 have it ("Pointers" in legacy/tools/witx-docs.md).

use super::errno::{Answer, Errno, Failure};
use crate::state::State;
use wasmtime::{AsContextMut, Caller, Extern, Memory, format_err};

/// Parts of a vector that one read or write takes, as `IOV_MAX` of Linux.
const MAXIMUM_PARTS: u32 = 1_024;
/// The longest path that is read from a guest.
const MAXIMUM_PATH: u32 = 4_096;

/// An address in the guest's memory.
pub type Address = u32;

/// What a guest's call sees of its own instance and of its store.
pub type Guest<'a> = Caller<'a, State>;

/// A part of the guest's memory.
#[derive(Clone, Copy)]
pub struct Part {
    pub at: Address,
    pub length: u32,
}

fn memory(guest: &mut Guest<'_>) -> Answer<Memory> {
    if let Some(memory) = guest.data().wasi01.memory {
        return Ok(memory);
    }
    let Some(Extern::Memory(memory)) = guest.get_export("memory") else {
        return Err(format_err!("the module exports no memory for WASI 0.1 to work on").into());
    };
    guest.data_mut().wasi01.memory = Some(memory);
    Ok(memory)
}

/// An address `offset` bytes further on.
pub fn beyond(at: Address, offset: u32) -> Answer<Address> {
    at.checked_add(offset).ok_or_else(|| outside(at, u64::from(offset), u64::from(u32::MAX)))
}

fn outside(at: Address, length: u64, size: u64) -> Failure {
    format_err!("WASI 0.1 was given {length} bytes at {at:#x}, and the memory has {size:#x}").into()
}

/// Checks that an address is a multiple of its type's alignment.
pub fn aligned(at: Address, alignment: u32) -> Answer<()> {
    if at.is_multiple_of(alignment) {
        return Ok(());
    }
    Err(format_err!("WASI 0.1 was given the address {at:#x}, which is no multiple of {alignment}")
        .into())
}

/// The bytes of a part of memory.
pub fn bytes<'a>(guest: &'a mut Guest<'_>, part: Part) -> Answer<&'a mut [u8]> {
    let memory = memory(guest)?;
    let all = memory.data_mut(guest.as_context_mut());
    let size = all.len() as u64;
    let start = part.at as usize;
    let end = start.checked_add(part.length as usize);
    end.and_then(|end| all.get_mut(start..end))
        .ok_or_else(|| outside(part.at, part.length.into(), size))
}

/// Reads a value of `N` bytes, which is aligned to `alignment`.
pub fn read<const N: usize>(guest: &mut Guest<'_>, at: Address, alignment: u32) -> Answer<[u8; N]> {
    aligned(at, alignment)?;
    let mut value = [0; N];
    value.copy_from_slice(bytes(guest, Part { at, length: N as u32 })?);
    Ok(value)
}

/// Writes bytes.
pub fn write(guest: &mut Guest<'_>, at: Address, value: &[u8]) -> Answer<()> {
    let length = u32::try_from(value.len()).map_err(|_| Errno::OVERFLOW)?;
    bytes(guest, Part { at, length })?.copy_from_slice(value);
    Ok(())
}

/// Writes a number of four bytes.
pub fn write_u32(guest: &mut Guest<'_>, at: Address, value: u32) -> Answer<()> {
    aligned(at, 4)?;
    write(guest, at, &value.to_le_bytes())
}

/// Writes a number of eight bytes.
pub fn write_u64(guest: &mut Guest<'_>, at: Address, value: u64) -> Answer<()> {
    aligned(at, 8)?;
    write(guest, at, &value.to_le_bytes())
}

/// Reads a path. What is no UTF-8 is no path.
pub fn path(guest: &mut Guest<'_>, at: Address, length: u32) -> Answer<String> {
    if length > MAXIMUM_PATH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let text = std::str::from_utf8(bytes(guest, Part { at, length })?).map_err(|_| Errno::ILSEQ)?;
    Ok(text.to_owned())
}

/// The parts of a read or a write, up to `limit` bytes together. Each lies in memory.
pub fn parts(
    guest: &mut Guest<'_>,
    vector: Address,
    count: u32,
    limit: usize,
) -> Answer<Vec<Part>> {
    if count > MAXIMUM_PARTS {
        return Err(Errno::INVAL.into());
    }
    let mut parts = Vec::new();
    let mut left = u32::try_from(limit).unwrap_or(u32::MAX);
    for index in 0..count {
        let [a, b, c, d, e, f, g, h] = read(guest, beyond(vector, index * 8)?, 4)?;
        let at = u32::from_le_bytes([a, b, c, d]);
        let length = u32::from_le_bytes([e, f, g, h]);
        if length == 0 {
            continue;
        }
        bytes(guest, Part { at, length })?;
        let taken = length.min(left);
        if taken > 0 {
            parts.push(Part { at, length: taken });
            left -= taken;
        }
    }
    Ok(parts)
}

/// How many bytes the parts have.
pub fn length(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.length as usize).sum()
}

/// Copies what lies in the parts.
pub fn gather(guest: &mut Guest<'_>, parts: &[Part]) -> Answer<Vec<u8>> {
    let mut all = Vec::with_capacity(length(parts));
    for part in parts {
        all.extend_from_slice(bytes(guest, *part)?);
    }
    Ok(all)
}

/// Copies `data` into the parts, which have room for it.
pub fn scatter(guest: &mut Guest<'_>, parts: &[Part], data: &[u8]) -> Answer<()> {
    let mut rest = data;
    for part in parts {
        let (now, later) = rest.split_at(rest.len().min(part.length as usize));
        write(guest, part.at, now)?;
        rest = later;
    }
    Ok(())
}
