//! Arguments, variables, clocks, randomness, and the end of a WASI 0.1 guest.

use super::errno::{Answer, Errno};
use super::memory::{self, Address, Guest};
use crate::state::State;
use wasmtime::Error;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::cli::WasiCliView as _;
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::cli::environment::Host as _;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::random::Host as _;
use wasmtime_wasi::random::WasiRandomView as _;

/// Random bytes that are made at once.
const RANDOM_PIECE: u32 = 64 << 10;
/// The last signal that there is.
const LAST_SIGNAL: u32 = 30;

/// The clocks of WASI 0.1.
#[derive(Clone, Copy)]
pub enum Clock {
    Real,
    Monotonic,
    Process,
}

/// Reads the number of a clock.
pub fn clock(number: u32) -> Answer<Clock> {
    match number {
        0 => Ok(Clock::Real),
        1 => Ok(Clock::Monotonic),
        2 | 3 => Ok(Clock::Process),
        _ => Err(Errno::INVAL.into()),
    }
}

/// What a clock shows, in nanoseconds.
pub fn now(state: &mut State, clock: Clock) -> Answer<u64> {
    match clock {
        Clock::Real => nanoseconds(wall_clock::Host::now(&mut state.clocks())?),
        Clock::Monotonic => Ok(monotonic_clock::Host::now(&mut state.clocks())?),
        Clock::Process => Err(Errno::BADF.into()),
    }
}

fn nanoseconds(time: wall_clock::Datetime) -> Answer<u64> {
    let seconds = time.seconds.checked_mul(1_000_000_000);
    Ok(seconds.and_then(|s| s.checked_add(time.nanoseconds.into())).ok_or(Errno::OVERFLOW)?)
}

pub fn clock_res_get(guest: &mut Guest<'_>, id: u32, result: Address) -> Answer<()> {
    let mut clocks = guest.data_mut().clocks();
    let resolution = match clock(id)? {
        Clock::Real => nanoseconds(wall_clock::Host::resolution(&mut clocks)?)?,
        Clock::Monotonic => monotonic_clock::Host::resolution(&mut clocks)?,
        Clock::Process => return Err(Errno::BADF.into()),
    };
    memory::write_u64(guest, result, resolution)
}

pub fn clock_time_get(guest: &mut Guest<'_>, id: u32, result: Address) -> Answer<()> {
    let time = now(guest.data_mut(), clock(id)?)?;
    memory::write_u64(guest, result, time)
}

fn arguments(guest: &mut Guest<'_>) -> Answer<Vec<Vec<u8>>> {
    let arguments = guest.data_mut().cli().get_arguments()?;
    Ok(arguments.into_iter().map(String::into_bytes).collect())
}

fn variables(guest: &mut Guest<'_>) -> Answer<Vec<Vec<u8>>> {
    let variables = guest.data_mut().cli().get_environment()?;
    Ok(variables.into_iter().map(|(key, value)| format!("{key}={value}").into_bytes()).collect())
}

/// Writes how many texts there are, and their bytes with a zero behind each.
fn write_sizes(guest: &mut Guest<'_>, texts: &[Vec<u8>], at: (Address, Address)) -> Answer<()> {
    let bytes: usize = texts.iter().map(|text| text.len() + 1).sum();
    memory::write_u32(guest, at.0, u32::try_from(texts.len()).map_err(|_| Errno::OVERFLOW)?)?;
    memory::write_u32(guest, at.1, u32::try_from(bytes).map_err(|_| Errno::OVERFLOW)?)
}

/// Writes texts one behind the other, and the address of each.
fn write_texts(
    guest: &mut Guest<'_>,
    texts: Vec<Vec<u8>>,
    mut pointers: Address,
    mut buffer: Address,
) -> Answer<()> {
    for mut text in texts {
        text.push(0);
        memory::write_u32(guest, pointers, buffer)?;
        memory::write(guest, buffer, &text)?;
        pointers = memory::beyond(pointers, 4)?;
        buffer = memory::beyond(buffer, u32::try_from(text.len()).map_err(|_| Errno::OVERFLOW)?)?;
    }
    Ok(())
}

pub fn args_sizes_get(guest: &mut Guest<'_>, count: Address, size: Address) -> Answer<()> {
    let texts = arguments(guest)?;
    write_sizes(guest, &texts, (count, size))
}

pub fn args_get(guest: &mut Guest<'_>, pointers: Address, buffer: Address) -> Answer<()> {
    let texts = arguments(guest)?;
    write_texts(guest, texts, pointers, buffer)
}

pub fn environ_sizes_get(guest: &mut Guest<'_>, count: Address, size: Address) -> Answer<()> {
    let texts = variables(guest)?;
    write_sizes(guest, &texts, (count, size))
}

pub fn environ_get(guest: &mut Guest<'_>, pointers: Address, buffer: Address) -> Answer<()> {
    let texts = variables(guest)?;
    write_texts(guest, texts, pointers, buffer)
}

/// Fills memory with random bytes. Between its pieces the guest can be stopped.
pub async fn random_get(guest: &mut Guest<'_>, buffer: Address, length: u32) -> Answer<()> {
    memory::bytes(guest, memory::Part { at: buffer, length })?;
    let mut done = 0;
    while done < length {
        let piece = RANDOM_PIECE.min(length - done);
        let bytes = guest.data_mut().random().get_random_bytes(piece.into())?;
        memory::write(guest, buffer + done, &bytes)?;
        done += piece;
        if done < length {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Ends the guest. What a parent process sees of an exit code is eight bits.
pub fn proc_exit(code: u32) -> Error {
    I32Exit((code & 0xFF) as i32).into()
}

pub fn proc_raise(signal: u32) -> Answer<()> {
    if signal > LAST_SIGNAL {
        return Err(Errno::INVAL.into());
    }
    Err(Errno::NOTSUP.into())
}
