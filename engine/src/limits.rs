//! What a guest may use up, counted where it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::ResourceLimiter;

/// Table elements that one call may have in all its tables: 8 bytes of the host's memory each.
const TABLE_ELEMENTS: usize = 1 << 20;
/// Core instances, memories and tables of one store.
const PARTS: usize = 1_024;

/// Linear memory of all guests together.
pub struct MemoryBudget {
    used: AtomicU64,
    allowed: u64,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn new(allowed: u64) -> Self {
        MemoryBudget { used: AtomicU64::new(0), allowed }
    }

    fn take(&self, bytes: u64) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|total| *total <= self.allowed)
        });
        taken.is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A limit that was reached. It travels as the error that stops the guest.
#[derive(Debug, Clone)]
pub struct LimitReached {
    /// The policy key, or `host-memory` for the budget of the whole host.
    pub key: &'static str,
    pub used: u64,
    pub allowed: u64,
}

impl std::fmt::Display for LimitReached {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "limit {}: {} of {}", self.key, self.used, self.allowed)
    }
}

impl std::error::Error for LimitReached {}

/// Counts the memory of one store.
pub struct Limiter {
    budget: Arc<MemoryBudget>,
    allowed: u64,
    used: u64,
    elements: usize,
    /// The first growth that was refused. The guest decides what to do about it; if it gives up,
    /// this is why.
    pub refused: Option<LimitReached>,
}

impl Limiter {
    /// Allows `allowed` bytes, within what the host has left.
    pub fn new(budget: Arc<MemoryBudget>, allowed: u64) -> Self {
        Limiter { budget, allowed, used: 0, elements: 0, refused: None }
    }

    /// Starts another call on the same instance, whose memory stays counted.
    pub fn renew(&mut self, allowed: u64) {
        self.allowed = allowed;
        self.refused = None;
    }

    /// Bytes of linear memory; memories never shrink, so this is also the peak.
    pub fn used(&self) -> u64 {
        self.used
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.give_back(self.used);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = (desired - current) as u64;
        let total = self.used.saturating_add(more);
        if total > self.allowed {
            let allowed = self.allowed;
            self.refused.get_or_insert(LimitReached { key: "memory", used: total, allowed });
            return Ok(false);
        }
        if !self.budget.take(more) {
            let allowed = self.budget.allowed;
            self.refused.get_or_insert(LimitReached { key: "host-memory", used: total, allowed });
            return Ok(false);
        }
        self.used = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.elements.saturating_add(desired - current);
        if total > TABLE_ELEMENTS {
            let (used, allowed) = (total as u64 * 8, TABLE_ELEMENTS as u64 * 8);
            self.refused.get_or_insert(LimitReached { key: "tables", used, allowed });
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
