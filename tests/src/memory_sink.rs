//! A secret sink that a test can look into, and break.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth0_host::{Secret, SecretName, SecretSink, SinkError, SinkFuture};

/// Keeps secrets in memory. Clones are the same sink.
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    broken: AtomicBool,
    taken: Mutex<HashMap<String, String>>,
}

impl MemorySink {
    /// Refuses everything from now on, or takes it again.
    pub fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Ordering::Relaxed);
    }

    /// The secret under this handle.
    pub fn get(&self, handle: &str) -> Option<String> {
        self.taken().get(handle).cloned()
    }

    /// Everything that it has.
    pub fn all(&self) -> Vec<String> {
        self.taken().values().cloned().collect()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretSink for MemorySink {
    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
        Box::pin(async move {
            if self.0.broken.load(Ordering::Relaxed) {
                return Err(SinkError::engine("the sink is broken"));
            }
            self.taken().insert(name.to_string(), secret.expose().to_owned());
            Ok(())
        })
    }
}
