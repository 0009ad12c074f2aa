//! Waiting for a time or for standard input: `poll_oneoff`.

use super::descriptors::{self, Descriptor};
use super::errno::{Answer, Errno};
use super::layout;
use super::memory::{self, Address, Guest};
use super::process::{self, Clock};
use super::standard::{self, Standard};
use crate::files::OpenFile;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime_wasi::p2::Pollable;

/// Subscriptions of one call.
const MAXIMUM_SUBSCRIPTIONS: u32 = 4_096;
/// Bytes of a `subscription`, and of an `event`.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;
/// The bit of `subclockflags`: the time is one of the clock, and not a span from now.
const ABSOLUTE: u16 = 1;
/// The bit of `eventrwflags`: nothing comes any more.
const HANGUP: u16 = 1;
/// What a descriptor that can be read or written is said to have or take, if nobody knows more.
const SOME_BYTES: u64 = 1;
/// The longest wait; deadlines of calls are shorter.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What a guest waits for.
enum Wanted {
    Time(Instant),
    Stream(Standard),
    /// A file can always be read and written. This many bytes are left of it.
    Read(Arc<OpenFile>, u64),
    Write,
}

struct Subscription {
    userdata: u64,
    /// The `eventtype`.
    tag: u8,
    wanted: Wanted,
}

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

pub async fn poll_oneoff(
    guest: &mut Guest<'_>,
    subscriptions: Address,
    events: Address,
    count: u32,
    result: Address,
) -> Answer<()> {
    if count == 0 || count > MAXIMUM_SUBSCRIPTIONS {
        return Err(Errno::INVAL.into());
    }
    memory::aligned(events, 8)?;
    let mut wanted = Vec::with_capacity(count as usize);
    for index in 0..count {
        let at = memory::beyond(subscriptions, index * SUBSCRIPTION)?;
        wanted.push(subscription(guest, at)?);
    }
    let ready = wait(guest, &wanted).await;
    let mut written = 0;
    for subscription in &wanted {
        let Some((bytes, flags)) = happened(subscription, ready).await? else { continue };
        let mut record = [0; EVENT as usize];
        record[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        record[10] = subscription.tag;
        record[16..24].copy_from_slice(&bytes.to_le_bytes());
        record[24..26].copy_from_slice(&flags.to_le_bytes());
        memory::write(guest, memory::beyond(events, written * EVENT)?, &record)?;
        written += 1;
    }
    memory::write_u32(guest, result, written)
}

fn subscription(guest: &mut Guest<'_>, at: Address) -> Answer<Subscription> {
    let record: [u8; SUBSCRIPTION as usize] = memory::read(guest, at, 8)?;
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let tag = record[8];
    let wanted = match tag {
        CLOCK => {
            let flags = u16::from_le_bytes([record[40], record[41]]);
            layout::only(flags.into(), ABSOLUTE.into())?;
            let clock = process::clock(number(16) as u32)?;
            Wanted::Time(moment(guest, clock, number(24), flags & ABSOLUTE != 0)?)
        }
        FD_READ => match descriptors::of(guest.data_mut()).get(number(16) as u32)? {
            Descriptor::Standard(Standard::Input) => Wanted::Stream(Standard::Input),
            Descriptor::File(open) if open.file.flags().0 => {
                Wanted::Read(open.file.clone(), open.position)
            }
            _ => return Err(Errno::BADF.into()),
        },
        FD_WRITE => match descriptors::of(guest.data_mut()).get(number(16) as u32)? {
            Descriptor::Standard(standard @ (Standard::Output | Standard::Error)) => {
                Wanted::Stream(*standard)
            }
            Descriptor::File(open) if open.file.flags().1 => Wanted::Write,
            _ => return Err(Errno::BADF.into()),
        },
        _ => return Err(Errno::INVAL.into()),
    };
    if let Wanted::Stream(standard) = wanted {
        standard::open(guest.data_mut(), standard)?;
    }
    Ok(Subscription { userdata: number(0), tag, wanted })
}

/// When a clock shows what the guest waits for.
fn moment(guest: &mut Guest<'_>, clock: Clock, time: u64, absolute: bool) -> Answer<Instant> {
    let span = match (clock, absolute) {
        (Clock::Process, _) => return Err(Errno::INVAL.into()),
        (_, false) => time,
        (_, true) => time.saturating_sub(process::now(guest.data_mut(), clock)?),
    };
    Ok(Instant::now() + Duration::from_nanos(span).min(LONGEST))
}

/// The streams that something can be done with.
#[derive(Clone, Copy, Default)]
struct Ready {
    input: bool,
    output: bool,
    error: bool,
}

impl Ready {
    fn of(self, standard: Standard) -> bool {
        match standard {
            Standard::Input => self.input,
            Standard::Output => self.output,
            Standard::Error => self.error,
        }
    }
}

/// Waits for the first of what is wanted. The call's deadline and its end interrupt it.
async fn wait(guest: &mut Guest<'_>, wanted: &[Subscription]) -> Ready {
    let waits_for = |standard| {
        wanted.iter().any(|one| matches!(one.wanted, Wanted::Stream(other) if other == standard))
    };
    let files = wanted.iter().any(|one| matches!(one.wanted, Wanted::Read(..) | Wanted::Write));
    let first = wanted.iter().filter_map(|one| match one.wanted {
        Wanted::Time(moment) => Some(moment),
        _ => None,
    });
    let first = first.min();
    let (input, output, error) = guest.data_mut().wasi01.streams.all();
    let mut input = pin!(ready(input.filter(|_| waits_for(Standard::Input))));
    let mut output = pin!(ready(output.filter(|_| waits_for(Standard::Output))));
    let mut error = pin!(ready(error.filter(|_| waits_for(Standard::Error))));
    let mut timer = pin!(async {
        match first {
            Some(moment) => tokio::time::sleep_until(moment).await,
            None => std::future::pending().await,
        }
    });
    std::future::poll_fn(|context| {
        let ready = Ready {
            input: input.as_mut().poll(context).is_ready(),
            output: output.as_mut().poll(context).is_ready(),
            error: error.as_mut().poll(context).is_ready(),
        };
        let time = first.is_some_and(|moment| moment <= Instant::now())
            || timer.as_mut().poll(context).is_ready();
        if files || time || ready.input || ready.output || ready.error {
            Poll::Ready(ready)
        } else {
            Poll::Pending
        }
    })
    .await
}

async fn ready<S: Pollable + ?Sized>(stream: Option<&mut Box<S>>) {
    match stream {
        Some(stream) => stream.ready().await,
        None => std::future::pending().await,
    }
}

/// How many bytes can be read or written and whether that is the end, if anything has happened.
async fn happened(subscription: &Subscription, ready: Ready) -> Answer<Option<(u64, u16)>> {
    Ok(match &subscription.wanted {
        Wanted::Time(moment) => (*moment <= Instant::now()).then_some((0, 0)),
        Wanted::Stream(standard) => ready.of(*standard).then_some((SOME_BYTES, 0)),
        Wanted::Read(file, position) => {
            let left = file.status().await?.size.saturating_sub(*position);
            Some((left, if left == 0 { HANGUP } else { 0 }))
        }
        Wanted::Write => Some((SOME_BYTES, 0)),
    })
}
