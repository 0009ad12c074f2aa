//! Clocks: the machine's, coarser on request, or deterministic.

use crate::bridge::ffi::CallInput;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// What each look at a seeded clock moves it on by.
const SEEDED_STEP: u64 = 1_000;

/// How a call sees time.
pub struct Clocks {
    seed: Option<u64>,
    start: u64,
    resolution: u64,
}

impl Clocks {
    /// Reads the settings of a call.
    pub fn new(input: &CallInput) -> Self {
        Clocks {
            seed: input.seeded.then_some(input.seed),
            start: input.start_nanoseconds,
            resolution: input.clock_resolution_nanoseconds,
        }
    }

    /// The seed of a deterministic call.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Gives the clocks to a guest.
    pub fn install(&self, builder: &mut WasiCtxBuilder) {
        if self.seed.is_some() {
            let passed = Arc::new(AtomicU64::new(0));
            builder.wall_clock(Seeded { start: self.start, passed: passed.clone() });
            builder.monotonic_clock(Seeded { start: 0, passed });
        } else if self.resolution > 0 {
            builder.wall_clock(Coarse { resolution: self.resolution, began: Instant::now() });
            builder.monotonic_clock(Coarse { resolution: self.resolution, began: Instant::now() });
        }
    }
}

/// Time that passes by being looked at.
struct Seeded {
    start: u64,
    passed: Arc<AtomicU64>,
}

impl Seeded {
    fn look(&self) -> u64 {
        self.start + self.passed.fetch_add(SEEDED_STEP, Ordering::Relaxed)
    }
}

impl HostWallClock for Seeded {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(SEEDED_STEP)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.look())
    }
}

impl HostMonotonicClock for Seeded {
    fn resolution(&self) -> u64 {
        SEEDED_STEP
    }

    fn now(&self) -> u64 {
        self.look()
    }
}

/// The machine's time, rounded down.
struct Coarse {
    resolution: u64,
    began: Instant,
}

impl Coarse {
    fn round(&self, nanoseconds: u128) -> u64 {
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
        nanoseconds - nanoseconds % self.resolution
    }
}

impl HostWallClock for Coarse {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(self.resolution)
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_nanos(self.round(now.as_nanos()))
    }
}

impl HostMonotonicClock for Coarse {
    fn resolution(&self) -> u64 {
        self.resolution
    }

    fn now(&self) -> u64 {
        self.round(self.began.elapsed().as_nanos())
    }
}
