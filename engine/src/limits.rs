//! What a guest's own memories, tables and parts may come to.

use crate::ledger::{Charge, Kind, Ledger, LimitReached};
use std::sync::Arc;
use wasmtime::{ResourceLimiter, Store};

/// Table elements that one instance may have in all its tables: 8 bytes of the host's memory each.
const TABLE_ELEMENTS: usize = 1 << 20;
const ELEMENT_BYTES: u64 = 8;
/// Elements that are not worth counting for each call: 64 KiB.
const UNCOUNTED_ELEMENTS: usize = 8 << 10;
/// Memories and tables of one store.
pub const PARTS: usize = 1_024;
/// Core instances of one store, of which each can have a stack of its own while it waits.
pub const INSTANCES: usize = 256;

/// What an instance may have of the engine's own things, which each take some hundred bytes: so many
/// for a policy that allows no handle, and so many more for each that it allows. With the default of
/// 64 handles they come to 1,024 resources of the host, 20,480 handles of the component model and
/// 6,144 tasks, streams, futures and sets of them.
struct Things {
    least: usize,
    for_each_handle: usize,
}

const RESOURCES: Things = Things { least: 512, for_each_handle: 8 };
const COMPONENT_HANDLES: Things = Things { least: 16_384, for_each_handle: 64 };
const CONCURRENT: Things = Things { least: 4_096, for_each_handle: 32 };

impl Things {
    fn of(&self, handles: u32) -> usize {
        self.least + self.for_each_handle * handles as usize
    }
}

/// Resources of the host that a guest may hold, whatever their kind.
pub fn resources(handles: u32) -> usize {
    RESOURCES.of(handles)
}

/// Bounds what the engine makes for a guest without asking anybody.
pub fn bound_engine<T: 'static>(store: &mut Store<T>, handles: u32) {
    store.set_max_component_handles(COMPONENT_HANDLES.of(handles));
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(CONCURRENT.of(handles));
    }
}

/// Counts the memories and tables of one store.
pub struct Limiter {
    ledger: Arc<Ledger>,
    memory: Charge,
    elements: usize,
    /// Absent while they are too few to be counted.
    tables: Option<Charge>,
}

impl Limiter {
    /// Charges to this ledger.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        let memory = ledger.open(Kind::Memory);
        Limiter { ledger, memory, elements: 0, tables: None }
    }

    /// Bytes of linear memory; memories never shrink, so this is also the peak.
    pub fn used(&self) -> u64 {
        self.memory.amount()
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
        Ok(self.memory.grow((desired - current) as u64).is_ok())
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
            let (used, allowed) = (total as u64, TABLE_ELEMENTS as u64);
            let (used, allowed) = (used * ELEMENT_BYTES, allowed * ELEMENT_BYTES);
            self.ledger.note(LimitReached { key: "tables", used, allowed });
            return Ok(false);
        }
        if total > UNCOUNTED_ELEMENTS {
            let tables = self.tables.get_or_insert_with(|| self.ledger.open(Kind::Held));
            if tables.resize(total as u64 * ELEMENT_BYTES).is_err() {
                return Ok(false);
            }
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
