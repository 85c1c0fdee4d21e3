//! The instances that are alive: as many as the pool has room for, and the warm ones that wait for their next call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;

use super::Guest;
use crate::{
    bindings::Runner,
    error::{BusyScope, Error},
    telemetry::LiveInstance,
};

/// How long an instance lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instances {
    /// For one call. Nothing that a call leaves behind can reach another.
    #[default]
    Fresh,
    /// For several calls of the same connection, one after the other. What a call leaves in the instance's memory is
    /// there for the next one, so this is for workflows that trust each other. An instance that did not end a call
    /// cleanly is thrown away.
    Warm {
        /// Calls after which an instance is thrown away.
        max_calls: u32,
        /// Age at which an instance is thrown away.
        max_age: Duration,
    },
}

impl Instances {
    /// Keeps instances for 1,000 calls or one minute: long enough that making one is lost in the noise, short enough
    /// that what leaks in one does not add up.
    pub fn warm() -> Self {
        Self::Warm { max_calls: 1000, max_age: Duration::from_secs(60) }
    }
}

/// Whose instances are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse {
    pub(crate) connection: u64,
    pub(crate) instances: Instances,
}

/// An instance in use.
pub(super) struct Instance {
    // Dropped before the slot is given back: the pool must have room when the next one asks.
    pub(super) store: Store<Guest>,
    pub(super) runner: Runner,
    born: Instant,
    calls: u32,
    _slot: OwnedSemaphorePermit,
    _counted: LiveInstance,
}

impl Instance {
    pub(super) fn new(store: Store<Guest>, runner: Runner, slot: OwnedSemaphorePermit) -> Self {
        Self { store, runner, born: Instant::now(), calls: 0, _slot: slot, _counted: LiveInstance::begin() }
    }
}

/// All instances of a host.
pub(super) struct Alive {
    slots: Arc<Semaphore>,
    room: u32,
    /// By connection, the one that was used last at the end.
    idle: Mutex<BTreeMap<u64, Vec<Instance>>>,
}

impl Alive {
    pub(super) fn new(room: u32) -> Self {
        Self { slots: Arc::new(Semaphore::new(room as usize)), room, idle: Mutex::default() }
    }

    /// Waits for room for one more. The pool itself answers an error when it is used up.
    pub(super) async fn slot(&self, wait: Duration) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        // One that waits for nothing gives way.
        drop(self.oldest());
        match tokio::time::timeout(wait, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => {
                Err(Error::Busy { scope: BusyScope::Host, limit: self.room as usize, waited: wait })
            }
        }
    }

    /// Takes a warm instance of a connection.
    pub(super) fn take(&self, reuse: Reuse) -> Option<Instance> {
        let Instances::Warm { max_age, .. } = reuse.instances else { return None };
        let mut idle = self.lock();
        let mine = idle.get_mut(&reuse.connection)?;
        let found = mine.pop().filter(|instance| instance.born.elapsed() < max_age);
        if found.is_none() {
            // The others were used before this one, and may be older still.
            mine.retain(|instance| instance.born.elapsed() < max_age);
        }
        if mine.is_empty() {
            idle.remove(&reuse.connection);
        }
        found
    }

    /// Keeps an instance whose call ended cleanly for the connection's next one.
    pub(super) fn keep(&self, reuse: Reuse, mut instance: Instance) {
        let Instances::Warm { max_calls, max_age } = reuse.instances else { return };
        instance.calls = instance.calls.saturating_add(1);
        // What a guest still holds belongs to the call that is over: a request in flight, a body half read.
        let spent = instance.calls >= max_calls || instance.born.elapsed() >= max_age;
        if spent || instance.store.data_mut().holds_handles() {
            return;
        }
        instance.store.data_mut().seal();
        self.lock().entry(reuse.connection).or_default().push(instance);
    }

    /// Throws away what was kept for a connection.
    pub(super) fn forget(&self, connection: u64) {
        let gone = self.lock().remove(&connection);
        // Unmapping memory takes its time; not under the lock.
        drop(gone);
    }

    /// Counts the instances alive, and those of them that wait for a call.
    pub(super) fn count(&self) -> (usize, usize) {
        let alive = (self.room as usize).saturating_sub(self.slots.available_permits());
        (alive, self.lock().values().map(Vec::len).sum())
    }

    /// Takes the instance that was made first.
    fn oldest(&self) -> Option<Instance> {
        let mut idle = self.lock();
        let (&connection, mine) =
            idle.iter_mut().min_by_key(|(_, mine)| mine.first().map(|instance| instance.born))?;
        let found = (!mine.is_empty()).then(|| mine.remove(0));
        if mine.is_empty() {
            idle.remove(&connection);
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Instance>>> {
        // Nothing in here is left half-written by a panic elsewhere.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
