//! The ledger of an instance: what it makes the host hold, charged where it is made.
//!
//! Whatever a guest can have many of is charged here before it exists: descriptors and sockets,
//! bytes that wait for the guest, values under way. The ledger belongs to the instance and lives as
//! long, over all calls of a live one. It allows each kind up to a limit of the policy, and adds to
//! one [`HostBudget`] that all instances share. What does not fit is refused to the one who asked,
//! with the name of the limit. Mappings and addresses are in `footprint.rs`: they are known before
//! there is an instance.
//!
//! ```text
//! let charge = ledger.charge(Kind::Handles, 1)?;   // before the descriptor is opened
//! Open { descriptor, _charge: charge }             // given back when this is dropped
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A limit that was reached. It travels as the error that stops the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReached {
    /// The policy key; for what all instances share one of the keys in [`HostBudget`].
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

/// A guest that is told of a limit in the terms of its own interface is told of too little memory.
impl From<LimitReached> for std::io::Error {
    fn from(_: LimitReached) -> Self {
        std::io::Error::from_raw_os_error(rustix::io::Errno::NOMEM.raw_os_error())
    }
}

/// What is counted, each kind by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of linear memory: the limit `memory`.
    Memory,
    /// Bytes that the host keeps for the guest: read ahead, received and not taken, written and not
    /// yet out, arguments and results under way. As many as `memory` again, at least
    /// [`LEAST_HELD`]; their limit is called `memory` as well.
    Held,
    /// Descriptors of the process: files, folders being listed, sockets. The limit `handles`.
    Handles,
}

/// What the host keeps for a guest may come to this, however small its memory: a few streams and
/// responses, each with a buffer of 256 KiB.
pub const LEAST_HELD: u64 = 8 << 20;

const KINDS: usize = 3;

/// One number with a bound.
pub(crate) struct Account {
    used: AtomicU64,
    allowed: AtomicU64,
}

impl Account {
    pub(crate) const fn new(allowed: u64) -> Self {
        Account { used: AtomicU64::new(0), allowed: AtomicU64::new(allowed) }
    }

    /// Takes all of `amount`, or says what it would have come to, and what is allowed.
    pub(crate) fn take(&self, amount: u64) -> Result<(), (u64, u64)> {
        let allowed = self.allowed.load(Ordering::Relaxed);
        let fits = |used: u64| used.checked_add(amount).filter(|total| *total <= allowed);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(used) => Err((used.saturating_add(amount), allowed)),
        }
    }

    pub(crate) fn give_back(&self, amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(crate) fn allowed(&self) -> u64 {
        self.allowed.load(Ordering::Relaxed)
    }

    fn left(&self) -> u64 {
        let used = self.used.load(Ordering::Relaxed);
        self.allowed.load(Ordering::Relaxed).saturating_sub(used)
    }
}

/// What all instances of the process may have together.
pub struct HostBudget {
    /// `host-memory`: linear memory and what is held for guests, in bytes.
    memory: Account,
    /// `host-handles`
    handles: Account,
}

impl HostBudget {
    /// A budget of this many bytes and descriptors.
    pub fn new(memory: u64, handles: u64) -> Arc<Self> {
        Arc::new(HostBudget { memory: Account::new(memory), handles: Account::new(handles) })
    }

    fn account(&self, kind: Kind) -> (&Account, &'static str) {
        match kind {
            Kind::Memory | Kind::Held => (&self.memory, "host-memory"),
            Kind::Handles => (&self.handles, "host-handles"),
        }
    }
}

/// What a policy allows an instance.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    pub memory: u64,
    pub handles: u64,
}

/// What one instance has. Any thread: what it began may end after it.
pub struct Ledger {
    host: Arc<HostBudget>,
    accounts: [Account; KINDS],
    refused: Mutex<Option<LimitReached>>,
}

impl Ledger {
    /// The ledger of a fresh instance.
    pub fn new(host: Arc<HostBudget>, allowance: Allowance) -> Arc<Self> {
        let ledger = Ledger {
            host,
            accounts: [const { Account::new(0) }; KINDS],
            refused: Mutex::new(None),
        };
        ledger.allow(allowance);
        Arc::new(ledger)
    }

    /// Begins another call on the same instance: other limits, perhaps, and all that it has.
    pub fn renew(&self, allowance: Allowance) {
        self.allow(allowance);
        *self.lock() = None;
    }

    fn allow(&self, allowance: Allowance) {
        let set = |kind, allowed| self.own(kind).allowed.store(allowed, Ordering::Relaxed);
        set(Kind::Memory, allowance.memory);
        set(Kind::Held, allowance.memory.max(LEAST_HELD));
        set(Kind::Handles, allowance.handles);
    }

    fn own(&self, kind: Kind) -> &Account {
        &self.accounts[kind as usize]
    }

    fn lock(&self) -> MutexGuard<'_, Option<LimitReached>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, kind: Kind, amount: u64) -> Result<(), LimitReached> {
        let key = match kind {
            Kind::Memory | Kind::Held => "memory",
            Kind::Handles => "handles",
        };
        let own = self.own(kind);
        own.take(amount)
            .map_err(|(used, allowed)| self.note(LimitReached { key, used, allowed }))?;
        let (host, key) = self.host.account(kind);
        host.take(amount).map_err(|(used, allowed)| {
            own.give_back(amount);
            self.note(LimitReached { key, used, allowed })
        })
    }

    fn give_back(&self, kind: Kind, amount: u64) {
        self.own(kind).give_back(amount);
        self.host.account(kind).0.give_back(amount);
    }

    /// Charges `amount`, until what is returned is dropped. A refusal is kept as well: a guest that
    /// fails because of it is told to have failed of this limit.
    pub fn charge(self: &Arc<Self>, kind: Kind, amount: u64) -> Result<Charge, LimitReached> {
        self.take(kind, amount)?;
        Ok(Charge { ledger: self.clone(), kind, amount })
    }

    /// A charge of nothing, to be resized.
    pub fn open(self: &Arc<Self>, kind: Kind) -> Charge {
        Charge { ledger: self.clone(), kind, amount: 0 }
    }

    /// What the instance has of a kind.
    pub fn used(&self, kind: Kind) -> u64 {
        self.own(kind).used.load(Ordering::Relaxed)
    }

    /// What there is room for of a kind, here and in the budget of all.
    pub fn left(&self, kind: Kind) -> u64 {
        self.own(kind).left().min(self.host.account(kind).0.left())
    }

    /// What the policy allows of a kind.
    pub fn allowed(&self, kind: Kind) -> u64 {
        self.own(kind).allowed.load(Ordering::Relaxed)
    }

    /// Keeps a refusal that was not this ledger's own, and returns it.
    pub fn note(&self, reached: LimitReached) -> LimitReached {
        self.lock().get_or_insert_with(|| reached.clone());
        reached
    }

    /// The first refusal of this call. The guest decides what to do about one; if it gives up, this
    /// is why.
    pub fn refused(&self) -> Option<LimitReached> {
        self.lock().clone()
    }
}

/// Something that is charged. Dropping it gives it back.
pub struct Charge {
    ledger: Arc<Ledger>,
    kind: Kind,
    amount: u64,
}

impl Charge {
    /// How much is charged.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Charges another amount instead. A refusal leaves it as it was.
    pub fn resize(&mut self, amount: u64) -> Result<(), LimitReached> {
        if amount > self.amount {
            self.ledger.take(self.kind, amount - self.amount)?;
        } else {
            self.ledger.give_back(self.kind, self.amount - amount);
        }
        self.amount = amount;
        Ok(())
    }

    /// Charges more. A refusal leaves it as it was.
    pub fn grow(&mut self, more: u64) -> Result<(), LimitReached> {
        self.resize(self.amount.saturating_add(more))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.ledger.give_back(self.kind, self.amount);
        }
    }
}

impl std::fmt::Debug for Charge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{} of {:?}", self.amount, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(memory: u64, handles: u64) -> Allowance {
        Allowance { memory, handles }
    }

    #[test]
    fn what_is_dropped_is_given_back_to_the_instance_and_to_the_host() {
        let host = HostBudget::new(1 << 30, 4);
        let one = Ledger::new(host.clone(), allowance(1 << 20, 3));
        let other = Ledger::new(host, allowance(1 << 20, 3));
        let held: Vec<_> = (0..3).map(|_| one.charge(Kind::Handles, 1).unwrap()).collect();
        let reached = one.charge(Kind::Handles, 1).unwrap_err();
        assert_eq!(reached, LimitReached { key: "handles", used: 4, allowed: 3 });
        let _last = other.charge(Kind::Handles, 1).unwrap();
        assert_eq!(other.charge(Kind::Handles, 1).unwrap_err().key, "host-handles");
        drop(held);
        assert_eq!(one.used(Kind::Handles), 0);
        assert!(other.charge(Kind::Handles, 2).is_ok());
    }

    #[test]
    fn the_next_call_of_a_live_instance_finds_all_that_it_has_counted() {
        let ledger = Ledger::new(HostBudget::new(1 << 30, 10), allowance(1 << 20, 2));
        let _held = ledger.charge(Kind::Handles, 2).unwrap();
        assert!(ledger.charge(Kind::Handles, 1).is_err());
        assert!(ledger.refused().is_some());
        ledger.renew(allowance(1 << 20, 2));
        assert!(ledger.refused().is_none());
        assert!(ledger.charge(Kind::Handles, 1).is_err());
        ledger.renew(allowance(1 << 20, 3));
        assert!(ledger.charge(Kind::Handles, 1).is_ok());
    }

    #[test]
    fn what_the_host_holds_has_a_floor_and_shares_the_memory_of_the_host() {
        let ledger = Ledger::new(HostBudget::new(LEAST_HELD, 1), allowance(65_536, 1));
        assert_eq!(ledger.charge(Kind::Memory, 65_537).unwrap_err().key, "memory");
        let mut held = ledger.charge(Kind::Held, LEAST_HELD).unwrap();
        assert_eq!(held.grow(1).unwrap_err().key, "memory");
        assert_eq!(ledger.charge(Kind::Memory, 1).unwrap_err().key, "host-memory");
        held.resize(LEAST_HELD - 1).unwrap();
        assert!(ledger.charge(Kind::Memory, 1).is_ok());
    }
}
