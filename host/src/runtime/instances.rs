//! The instances that are alive: as many as the pool has room for, and the warm ones that wait for their next call.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use auth0_contract::wasmtime::Plugin;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};
use wasmtime::Store;

use super::Guest;
use crate::{
    error::{BusyScope, Error},
    telemetry::LiveInstance,
};

/// How long an instance lives.
///
/// ```
/// use std::time::Duration;
///
/// use auth0_host::{InstancePolicy, Settings};
///
/// // Calls of workflows that trust each other: a warm instance for up to 100 of them.
/// let policy = InstancePolicy::Warm { max_calls: 100, max_age: Duration::from_secs(60) };
/// let settings = Settings::new("acme.eu.auth0.com".parse()?).instances(policy);
/// # Ok::<(), auth0_host::DomainError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstancePolicy {
    /// For one call. Nothing that a call leaves behind can reach another.
    #[default]
    PerCall,
    /// For several calls of the same tenant, one after the other. What a call leaves in the instance's memory is
    /// there for the next one, so this is for workflows that trust each other. An instance that did not end a call
    /// cleanly is thrown away.
    Warm {
        /// Calls after which an instance is thrown away.
        max_calls: u32,
        /// Age at which an instance is thrown away.
        max_age: Duration,
    },
}

impl InstancePolicy {
    /// Keeps instances for 1,000 calls or one minute: long enough that making one is lost in the noise, short enough
    /// that what leaks in one does not add up.
    pub fn warm() -> Self {
        Self::Warm { max_calls: 1000, max_age: Duration::from_secs(60) }
    }
}

/// Whose instances are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse {
    pub(crate) tenant: u64,
    pub(crate) instances: InstancePolicy,
}

/// How often instances that nobody asks for any more are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// An instance in use.
pub(super) struct Instance {
    // Dropped before the slot is given back: the pool must have room when the next one asks.
    pub(super) store: Store<Guest>,
    pub(super) plugin: Plugin,
    born: Instant,
    /// When it is thrown away, where it is kept.
    until: Option<Instant>,
    calls: u32,
    _slot: OwnedSemaphorePermit,
    _counted: LiveInstance,
}

impl Instance {
    pub(super) fn new(store: Store<Guest>, plugin: Plugin, slot: OwnedSemaphorePermit) -> Self {
        let (born, counted) = (Instant::now(), LiveInstance::begin());
        Self { store, plugin, born, until: None, calls: 0, _slot: slot, _counted: counted }
    }
}

/// All instances of a host.
pub(super) struct Alive {
    slots: Arc<Semaphore>,
    room: u32,
    /// Calls that wait for a slot.
    waiting: AtomicUsize,
    idle: Arc<Mutex<Idle>>,
}

/// The warm instances that wait for a call.
#[derive(Default)]
struct Idle {
    /// By tenant, the one that was used last at the end.
    by_tenant: BTreeMap<u64, Vec<Instance>>,
    /// The task that throws away those that have grown old, as long as there are any.
    sweeper: Option<AbortHandle>,
}

impl Idle {
    /// Takes those out that have grown old.
    fn expired(&mut self) -> Vec<Instance> {
        let now = Instant::now();
        let mut gone = Vec::new();
        self.by_tenant.retain(|_, mine| {
            gone.extend(mine.extract_if(.., |instance| instance.until.is_some_and(|until| until <= now)));
            !mine.is_empty()
        });
        gone
    }

    /// Takes the instance that was made first.
    fn oldest(&mut self) -> Option<Instance> {
        let all = self.by_tenant.iter();
        let (&tenant, _) = all.min_by_key(|(_, mine)| mine.first().map(|instance| instance.born))?;
        self.take(tenant, |mine| (!mine.is_empty()).then(|| mine.remove(0)))
    }

    fn take(
        &mut self,
        tenant: u64,
        choose: impl FnOnce(&mut Vec<Instance>) -> Option<Instance>,
    ) -> Option<Instance> {
        let mine = self.by_tenant.get_mut(&tenant)?;
        let found = choose(mine);
        if mine.is_empty() {
            self.by_tenant.remove(&tenant);
        }
        found
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    // Nothing in here is left half-written by a panic elsewhere.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with the idle instances that are not too old.
fn with_idle<T>(idle: &Mutex<Idle>, work: impl FnOnce(&mut Idle) -> T) -> T {
    let mut idle = lock(idle);
    let gone = idle.expired();
    let result = work(&mut idle);
    drop(idle);
    // Unmapping memory takes its time; not under the lock.
    drop(gone);
    result
}

/// Throws instances away that have grown old while nobody called, until there is none.
async fn sweep(idle: Weak<Mutex<Idle>>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(idle) = idle.upgrade() else { return };
        let none_left = with_idle(&idle, |idle| {
            let none_left = idle.by_tenant.is_empty();
            if none_left {
                idle.sweeper = None;
            }
            none_left
        });
        if none_left {
            return;
        }
    }
}

/// Counts a call that waits for a slot, as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Alive {
    pub(super) fn new(room: u32) -> Self {
        let slots = Arc::new(Semaphore::new(room as usize));
        Self { slots, room, waiting: AtomicUsize::new(0), idle: Arc::default() }
    }

    /// Waits for room for one more. The pool itself answers an error when it is used up.
    pub(super) async fn slot(&self, wait: Duration) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        // Before it looks for one that waits for nothing, so that none comes after: `keep` looks for who waits.
        let _waiting = Waiting::begin(&self.waiting);
        drop(with_idle(&self.idle, Idle::oldest));
        match tokio::time::timeout(wait, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => {
                Err(Error::Busy { scope: BusyScope::Host, limit: self.room as usize, waited: wait })
            }
        }
    }

    /// Takes a warm instance of a tenant.
    pub(super) fn take(&self, reuse: Reuse) -> Option<Instance> {
        if reuse.instances == InstancePolicy::PerCall {
            return None;
        }
        with_idle(&self.idle, |idle| idle.take(reuse.tenant, Vec::pop))
    }

    /// Keeps an instance whose call ended cleanly for the tenant's next one, unless somebody waits for its room.
    pub(super) fn keep(&self, reuse: Reuse, mut instance: Instance) {
        let InstancePolicy::Warm { max_calls, max_age } = reuse.instances else { return };
        instance.calls = instance.calls.saturating_add(1);
        instance.until = instance.born.checked_add(max_age);
        // What a guest still holds belongs to the call that is over: a request in flight, a body half read.
        let spent = instance.calls >= max_calls || instance.born.elapsed() >= max_age;
        if spent || instance.store.data_mut().holds_handles() {
            return;
        }
        instance.store.data_mut().seal();
        let gives_way = with_idle(&self.idle, |idle| {
            if self.waiting.load(Ordering::SeqCst) > 0 {
                return Some(instance);
            }
            idle.by_tenant.entry(reuse.tenant).or_default().push(instance);
            if idle.sweeper.as_ref().is_none_or(AbortHandle::is_finished) {
                let runtime = Handle::try_current().ok();
                idle.sweeper =
                    runtime.map(|runtime| runtime.spawn(sweep(Arc::downgrade(&self.idle))).abort_handle());
            }
            None
        });
        drop(gives_way);
    }

    /// Throws away what was kept for a tenant.
    pub(super) fn forget(&self, tenant: u64) {
        drop(with_idle(&self.idle, |idle| idle.by_tenant.remove(&tenant)));
    }

    /// Counts the instances alive, and those of them that wait for a call.
    pub(super) fn count(&self) -> (usize, usize) {
        let idle = lock(&self.idle).by_tenant.values().map(Vec::len).sum();
        ((self.room as usize).saturating_sub(self.slots.available_permits()), idle)
    }
}
