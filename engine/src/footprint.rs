//! Mappings and addresses: what the kernel gives a process a number of, whatever the memory.
//!
//! A component that fits a slot of the pool takes what the pool has reserved. Any other makes its
//! own: each of its memories reserves 4 GiB of addresses and some mappings. What one instance takes
//! follows from the component's shape, so it is known when the component is loaded, and is charged
//! before it is instantiated: to a share of the component's, and to a budget of all components. A
//! part of both is kept for the process itself, which ends where it can make no thread and no stack.

use crate::ledger::{Account, LimitReached};
use crate::limits::INSTANCES;
use std::sync::Arc;
use wasmtime::{Engine, ResourcesRequired, Result, bail};

/// Mappings of one memory outside the pool: its guards before and behind, what it has, its data,
/// what it may grow to.
const FOR_MEMORY: u64 = 5;
/// A table's elements, as large as they may get.
const FOR_TABLE: u64 = 1;
/// A stack and its guard for each part that may wait, and what the allocator takes for the parts.
const FOR_INSTANCE: u64 = 2 * INSTANCES as u64 + 6;
/// Compiled code: its sections, each with other rights, and the data that memories begin with.
pub const FOR_CODE: u64 = 8;
/// Mappings of one slot of the pool once it was used: two memories, two stacks.
const FOR_SLOT: u64 = 12;
/// Engines with a pool: with fuel and without.
const POOLS: u64 = 2;
/// Kept for the process: libraries, threads, what the allocator makes.
const KEPT_MAPPINGS: u64 = 8_192;
/// What Linux allows where it does not say (`vm.max_map_count`).
const DEFAULT_MAPPINGS: u64 = 65_530;
/// Addresses of a process on x86-64: the lower half of 48 bits.
const ADDRESSES: u64 = 1 << 47;
/// Kept for the process: pools, and room between what has to be in one piece.
const KEPT_ADDRESSES: u64 = ADDRESSES / 2;
/// Of both budgets, what one component may have: `1 / SHARE`.
const SHARE: u64 = 2;

/// Bytes of a page of linear memory.
const PAGE: u64 = 64 << 10;

/// What one instance of a component takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub mappings: u64,
    /// Bytes.
    pub addresses: u64,
}

impl Footprint {
    /// What an instance of these parts takes that is made outside the pool.
    pub fn on_demand(parts: &ResourcesRequired, engine: &Engine) -> Self {
        let (memories, tables) = (u64::from(parts.num_memories), u64::from(parts.num_tables));
        // Only pages of 64 KiB are left on, and no memory is that large: it is not instantiated.
        let largest = parts.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE);
        // What a memory may grow to without moving, and a guard on either side.
        let memory = engine.get_memory_reservation().max(largest);
        let memory = memory.saturating_add(2 * engine.get_memory_guard_size());
        Footprint {
            mappings: memories * FOR_MEMORY + tables * FOR_TABLE + FOR_INSTANCE,
            addresses: memories.saturating_mul(memory),
        }
    }
}

/// Mappings and addresses that can be taken, and given back.
pub struct Room {
    mappings: Account,
    addresses: Account,
    /// What this is a part of.
    whole: Option<Arc<Room>>,
}

impl Room {
    /// What the kernel leaves to components outside the pool, of `slots` slots.
    pub fn of_process(slots: u32) -> Arc<Self> {
        let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count")
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(DEFAULT_MAPPINGS);
        let pools = u64::from(slots) * FOR_SLOT * POOLS;
        // A pool that could take all of them leaves an eighth: not every slot is used at once.
        let left = allowed.saturating_sub(pools + KEPT_MAPPINGS).max(allowed / 8);
        Room::new(left, ADDRESSES - KEPT_ADDRESSES)
    }

    /// Room of this size.
    pub fn new(mappings: u64, addresses: u64) -> Arc<Self> {
        Arc::new(Room {
            mappings: Account::new(mappings),
            addresses: Account::new(addresses),
            whole: None,
        })
    }

    /// What one component may have of this.
    pub fn share(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Room {
            mappings: Account::new(self.mappings.allowed() / SHARE),
            addresses: Account::new(self.addresses.allowed() / SHARE),
            whole: Some(self.clone()),
        })
    }

    /// Refuses a component of which not one instance would fit, ever.
    pub fn check(&self, need: Footprint) -> Result<()> {
        let (mappings, addresses) = (self.mappings.allowed(), self.addresses.allowed());
        if need.mappings > mappings {
            bail!(
                "an instance of it needs {} memory mappings for its memories and tables, of which \
                 one component may have {mappings} here (see vm.max_map_count)",
                need.mappings
            );
        }
        if need.addresses > addresses {
            bail!(
                "an instance of it reserves {} GiB of addresses for its memories, of which one \
                 component may have {} GiB",
                need.addresses >> 30,
                addresses >> 30
            );
        }
        Ok(())
    }

    /// Takes what an instance needs, until what is returned is dropped.
    pub fn take(self: &Arc<Self>, need: Footprint) -> Result<Occupied, LimitReached> {
        self.enter(need)?;
        Ok(Occupied { room: self.clone(), need })
    }

    fn enter(&self, need: Footprint) -> Result<(), LimitReached> {
        let reached = |key| move |(used, allowed)| LimitReached { key, used, allowed };
        self.mappings.take(need.mappings).map_err(reached("mappings"))?;
        let taken = self.addresses.take(need.addresses).map_err(reached("addresses"));
        let taken = taken.and_then(|()| {
            let entered = self.whole.as_ref().map_or(Ok(()), |whole| whole.enter(need));
            entered.inspect_err(|_| self.addresses.give_back(need.addresses))
        });
        taken.inspect_err(|_| self.mappings.give_back(need.mappings))
    }

    fn leave(&self, need: Footprint) {
        self.mappings.give_back(need.mappings);
        self.addresses.give_back(need.addresses);
        if let Some(whole) = &self.whole {
            whole.leave(need);
        }
    }
}

/// Room that is taken. Dropping it gives it back: to be kept until the mappings are gone.
pub struct Occupied {
    room: Arc<Room>,
    need: Footprint,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.room.leave(self.need);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Footprint = Footprint { mappings: 10, addresses: 1 << 32 };

    #[test]
    fn one_component_leaves_room_for_others() {
        let process = Room::new(100, 1 << 40);
        let (one, other) = (process.share(), process.share());
        let held: Vec<_> = (0..5).map(|_| one.take(SMALL).ok().unwrap()).collect();
        let reached = one.take(SMALL).err().unwrap();
        assert_eq!(reached, LimitReached { key: "mappings", used: 60, allowed: 50 });
        let more: Vec<_> = (0..5).map(|_| other.take(SMALL).ok().unwrap()).collect();
        assert_eq!(process.share().take(SMALL).err().unwrap().used, 110);
        drop(more);
        drop(held);
        assert!(one.take(Footprint { mappings: 50, addresses: 0 }).is_ok());
    }

    #[test]
    fn addresses_are_counted_as_mappings_are_and_nothing_of_a_refusal_stays() {
        let process = Room::new(1_000, 1 << 34);
        let share = process.share();
        let _two = (share.take(SMALL).ok().unwrap(), share.take(SMALL).ok().unwrap());
        for _ in 0..200 {
            assert_eq!(share.take(SMALL).err().unwrap().key, "addresses");
        }
    }

    #[test]
    fn what_never_fits_is_refused_with_its_number() {
        let share = Room::new(100, 1 << 40).share();
        assert!(share.check(SMALL).is_ok());
        let many = share.check(Footprint { mappings: 51, addresses: 0 }).unwrap_err();
        assert!(many.to_string().contains("51 memory mappings"), "{many}");
        let large = share.check(Footprint { mappings: 1, addresses: 1 << 41 }).unwrap_err();
        assert!(large.to_string().contains("2048 GiB"), "{large}");
    }
}
