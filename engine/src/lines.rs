//! Lines in which work waits that a file system may keep for ever.
//!
//! Such work runs on threads that all calls share. Each granted folder, and each file system with
//! open files, has a line of its own that takes a few of them: one that hangs costs itself.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Operations at once in one line.
const FOLDER_WIDTH: usize = 16;
const DEVICE_WIDTH: usize = 32;
/// Lines that are known before those are forgotten that nobody uses.
const KNOWN: usize = 1_024;

/// What a line is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Folder(u64),
    Device(u64),
}

/// The lines of a machine.
pub struct Lines {
    handle: Handle,
    known: Mutex<HashMap<Key, Weak<Semaphore>>>,
}

impl Lines {
    /// Work runs on the blocking threads of this runtime.
    pub fn new(handle: Handle) -> Self {
        Lines { handle, known: Mutex::default() }
    }

    /// The line of a granted folder.
    pub fn folder(&self, folder: u64) -> Line {
        self.line(Key::Folder(folder), FOLDER_WIDTH)
    }

    /// The line of a file system.
    pub fn device(&self, device: u64) -> Line {
        self.line(Key::Device(device), DEVICE_WIDTH)
    }

    fn line(&self, key: Key, width: usize) -> Line {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let places = match known.get(&key).and_then(Weak::upgrade) {
            Some(places) => places,
            None => {
                if known.len() >= KNOWN {
                    known.retain(|_, places| places.strong_count() > 0);
                }
                let places = Arc::new(Semaphore::new(width));
                known.insert(key, Arc::downgrade(&places));
                places
            }
        };
        Line { handle: self.handle.clone(), places }
    }
}

/// One line. A place in it is taken until the work has ended, also if nobody waits for it any more.
#[derive(Clone)]
pub struct Line {
    handle: Handle,
    places: Arc<Semaphore>,
}

impl Line {
    /// Runs work that may block, once there is a place.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let interrupted = || io::Error::from(io::ErrorKind::Interrupted);
        let place = self.places.clone().acquire_owned().await.map_err(|_| interrupted())?;
        let running = self.handle.spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        running.await.map_err(|_| interrupted())
    }

    /// Runs work whose end nobody waits for.
    pub fn later(&self, work: impl FnOnce() + Send + 'static) {
        let line = self.clone();
        self.handle.spawn(async move { line.run(work).await });
    }
}
