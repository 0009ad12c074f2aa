//! A store, and the room that its instance takes.

use crate::footprint::Occupied;
use crate::state::State;
use std::ops::{Deref, DerefMut};
use wasmtime::Store;

/// What a call runs in. It stands for its store.
pub struct Sandbox {
    store: Store<State>,
    /// Given back after the store is gone, with the mappings that it had.
    _occupied: Option<Occupied>,
}

impl Sandbox {
    /// A sandbox outside the pool has its room taken; one of the pool has none.
    pub fn new(store: Store<State>, occupied: Option<Occupied>) -> Self {
        Sandbox { store, _occupied: occupied }
    }
}

impl Deref for Sandbox {
    type Target = Store<State>;

    fn deref(&self) -> &Store<State> {
        &self.store
    }
}

impl DerefMut for Sandbox {
    fn deref_mut(&mut self) -> &mut Store<State> {
        &mut self.store
    }
}
