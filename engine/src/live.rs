//! Instances that outlive a call, because handles to their resources are out.

use crate::arguments::Resources;
use crate::bridge::ffi::Outcome;
use crate::ledger::Ledger;
use crate::outcome::refused;
use crate::program::ProgramInner;
use crate::results::Handles;
use crate::sandbox::Sandbox;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wasmtime::component::{Instance, ResourceAny, Val};

/// Handles are this many random bytes, which nobody guesses.
const HANDLE_BYTES: usize = 16;

/// The live instances of a machine, by number.
#[derive(Default)]
pub struct LiveTable {
    next: AtomicU64,
    instances: Mutex<HashMap<u64, LiveInstance>>,
}

struct LiveInstance {
    program: Weak<ProgramInner>,
    /// Absent while a call runs in it.
    parts: Option<(Sandbox, Instance, LiveResources)>,
}

impl LiveTable {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, LiveInstance>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an instance for a call. Another call on it has to wait for this one's end.
    pub fn take(&self, number: u64, program: &Arc<ProgramInner>) -> Result<LiveCall, Outcome> {
        let mut instances = self.lock();
        let known = instances
            .get_mut(&number)
            .filter(|live| live.program.upgrade().is_some_and(|p| Arc::ptr_eq(&p, program)));
        let Some(live) = known else {
            return Err(refused("the instance behind this handle has ended".into()));
        };
        let Some((sandbox, instance, resources)) = live.parts.take() else {
            let mut outcome = refused(
                "another call is running on the instance behind this handle; wait for its answer"
                    .into(),
            );
            outcome.live = number;
            return Err(outcome);
        };
        let program = program.clone();
        Ok(LiveCall {
            program,
            number,
            sandbox: Some(sandbox),
            instance: Some(instance),
            resources,
        })
    }

    /// Ends an instance that no call runs in.
    pub fn drop_live(&self, number: u64) -> bool {
        // The store is dropped after the lock is given back.
        let removed = self.lock().remove(&number);
        removed.is_some()
    }
}

/// A live instance in the hands of a call. Dropping it ends the instance.
pub struct LiveCall {
    program: Arc<ProgramInner>,
    /// Zero once the table has the instance back.
    number: u64,
    sandbox: Option<Sandbox>,
    instance: Option<Instance>,
    pub resources: LiveResources,
}

impl LiveCall {
    /// A place for what a fresh instance gives out.
    pub fn fresh(program: &Arc<ProgramInner>) -> Self {
        let table = &program.machine.live;
        let number = table.next.fetch_add(1, Ordering::Relaxed) + 1;
        table.lock().insert(number, LiveInstance { program: Arc::downgrade(program), parts: None });
        let resources = LiveResources::default();
        LiveCall { program: program.clone(), number, sandbox: None, instance: None, resources }
    }

    /// The ledger of the instance; `None` for one that is not there yet.
    pub fn ledger(&self) -> Option<Arc<Ledger>> {
        self.sandbox.as_ref().map(|sandbox| sandbox.data().ledger.clone())
    }

    pub fn take_sandbox(&mut self) -> Option<Sandbox> {
        self.sandbox.take()
    }

    pub fn instance(&self) -> Option<Instance> {
        self.instance
    }

    pub fn set_instance(&mut self, instance: Instance) {
        self.instance = Some(instance);
    }

    /// Keeps the instance for later calls if handles are out; gives its number, or zero.
    pub fn keep(mut self, sandbox: Sandbox) -> u64 {
        let Some(instance) = self.instance else { return 0 };
        if self.resources.known.is_empty() {
            return 0;
        }
        let mut instances = self.program.machine.live.lock();
        // It may have been ended meanwhile. The store is dropped after the lock is given back.
        let Some(live) = instances.get_mut(&self.number) else { return 0 };
        live.parts = Some((sandbox, instance, std::mem::take(&mut self.resources)));
        drop(instances);
        std::mem::take(&mut self.number)
    }

    /// Puts an instance back in which nothing was run.
    pub fn put_back(mut self) -> u64 {
        self.resources.taken.clear();
        match self.sandbox.take() {
            Some(sandbox) => self.keep(sandbox),
            None => 0,
        }
    }
}

impl Drop for LiveCall {
    fn drop(&mut self) {
        if self.number != 0 {
            self.program.machine.live.drop_live(self.number);
        }
    }
}

/// The resources of one instance, by handle.
#[derive(Default)]
pub struct LiveResources {
    known: HashMap<String, ResourceAny>,
    /// Owned handles that the arguments being read give away.
    taken: Vec<String>,
    /// Handles made for the result being written.
    given: Vec<String>,
}

impl LiveResources {
    /// Makes the gifts of the arguments final.
    pub fn settle(&mut self) {
        for handle in self.taken.drain(..) {
            self.known.remove(&handle);
        }
    }

    /// Takes a resource out, to drop it.
    pub fn forget(&mut self, handle: &str) -> Option<ResourceAny> {
        self.known.remove(handle)
    }

    /// The handles made since this was last asked.
    pub fn take_given(&mut self) -> Vec<String> {
        std::mem::take(&mut self.given)
    }
}

impl Resources for LiveResources {
    fn take(&mut self, handle: &str, owned: bool) -> Option<Val> {
        let resource = *self.known.get(handle)?;
        if self.taken.iter().any(|taken| taken == handle) {
            return None;
        }
        if owned {
            self.taken.push(handle.to_owned());
        }
        Some(Val::Resource(resource))
    }
}

impl Handles for LiveResources {
    fn give(&mut self, value: &Val) -> String {
        let bytes: [u8; HANDLE_BYTES] = rand::random();
        let handle: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let handle = format!("handle-{handle}");
        if let Val::Resource(resource) = value {
            self.known.insert(handle.clone(), *resource);
            self.given.push(handle.clone());
        }
        handle
    }
}
