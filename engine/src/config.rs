//! The one place that decides how Wasmtime is configured.
//!
//! The compiler helper and the process that runs the code link this same function, so that code
//! compiled by the one is accepted by the other; a test compares their fingerprints.

use std::hash::{DefaultHasher, Hash, Hasher};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Core instances that one pooled component may be made of; beyond that it runs on demand. A JavaScript
/// component has 13. Each part can have a stack of its own while it waits, and what one component can
/// take of the pool's is bounded by this.
const CORE_INSTANCES_PER_COMPONENT: u32 = 32;
/// Memories and tables that one pooled component may have; beyond that it runs on demand.
const MEMORIES_PER_COMPONENT: u32 = 8;
const TABLES_PER_COMPONENT: u32 = 32;
/// Elements of one pooled table.
const TABLE_ELEMENTS: usize = 20_000;
/// Bytes of an idle slot that stay resident, so that the next user pays no page faults for them.
const RESIDENT_MEMORY: usize = 64 << 10;
const RESIDENT_TABLE: usize = 16 << 10;
const RESIDENT_STACK: usize = 16 << 10;
/// Native stack that wasm frames may use. Exceeding it is the limit `stack`.
pub const WASM_STACK: usize = 512 << 10;
/// The whole fiber: wasm frames and the host functions below them.
const FIBER_STACK: usize = 2 << 20;

/// Where instances live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// In a pool of this many slots: instantiation is a few microseconds.
    Pooled(u32),
    /// In fresh mappings: for components that do not fit a slot, and for compiling.
    OnDemand,
}

/// Builds the configuration that every engine of Belljar shares.
///
/// `fuel` is engine-wide and slows CPU-bound code down, so it makes an engine of its own. The
/// allocation is no part of what code is compiled for: the same code runs on both.
pub fn engine_config(fuel: bool, allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .wasm_component_model_map(true)
        // Proposals that are not taken yet. What they need is compiled in all the same: builds
        // without it fail worse than by an error where a module comes near them.
        .wasm_gc(false)
        .wasm_exceptions(false)
        .wasm_threads(false)
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable)
        .epoch_interruption(true)
        .consume_fuel(fuel)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .parallel_compilation(true);
    if let Allocation::Pooled(instances) = allocation {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(16))
            .total_memories(instances.saturating_mul(2))
            .total_tables(instances.saturating_mul(4))
            .total_stacks(instances)
            .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
            .max_memories_per_component(MEMORIES_PER_COMPONENT)
            .max_tables_per_component(TABLES_PER_COMPONENT)
            .max_tables_per_module(TABLES_PER_COMPONENT)
            .max_memories_per_module(MEMORIES_PER_COMPONENT)
            .table_elements(TABLE_ELEMENTS)
            .linear_memory_keep_resident(RESIDENT_MEMORY)
            .table_keep_resident(RESIDENT_TABLE)
            .async_stack_keep_resident(RESIDENT_STACK)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Opens the kernel's map of this process's pages, for engines made later: by it they find what a
/// sandbox has written, and clean that alone. False where the kernel has no such thing.
pub fn open_page_map() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

/// Raised where the same component is described in another way than before.
const DESCRIPTION_FORMAT: u32 = 2;

/// Names everything that compiled code and what is kept with it depend on: Wasmtime's version, its
/// settings, the CPU, and how components are described.
pub fn fingerprint(fuel: bool) -> wasmtime::Result<String> {
    let engine = Engine::new(&engine_config(fuel, Allocation::OnDemand))?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    DESCRIPTION_FORMAT.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}
