//! The delivery of a tenant's new secrets to its sink.
//!
//! From the moment that a request may make a secret until the sink has it, one lock is held: two rotations of the same
//! application never overtake each other, so an older secret cannot end up over a newer one. A secret is written down
//! here before the sink is asked, and struck out when the sink has it; a sink that fails, hangs or panics leaves it
//! here.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::OwnedMutexGuard;

use super::{SecretName, SecretSink, Sink, SinkError};
use crate::{
    denial::{Denial, DeniedBy, Remedy},
    secret::Secret,
};

/// A sink of an engine may ask a vault across a network, with retries of its own.
const PUT_TIMEOUT: Duration = Duration::from_secs(60);
/// Secrets that wait for the sink. With so many the sink is broken, and no further one is made.
const MAX_KEPT: usize = 32;

/// The secrets of one tenant that are on their way.
#[derive(Debug)]
pub struct Deliveries {
    tenant: String,
    sink: Option<Sink>,
    serial: Arc<tokio::sync::Mutex<()>>,
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    name: SecretName,
    secret: Secret,
    problem: String,
}

/// Held while a secret may be under way to this sink.
#[derive(Debug)]
pub struct DeliveryGuard {
    sink: Sink,
    _serial: OwnedMutexGuard<()>,
}

/// A secret that the sink does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingSecret {
    /// Its name; the handle that stands in results.
    pub name: SecretName,
    /// Why it is not there.
    pub problem: String,
}

/// New secrets that are in force and that the secret sink does not have. They are not lost as long as the tenant's last
/// clone lives.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the secret sink rejected the new secrets ({}); retry with `retry_secrets`", list(names))]
#[non_exhaustive]
pub struct SecretUndelivered {
    /// Which secrets.
    pub names: Vec<SecretName>,
    /// Why the sink did not take the first of them.
    pub source: Arc<SinkError>,
}

impl SecretUndelivered {
    /// Returns what puts them there, for programs that have words of their own.
    pub fn remedy(&self) -> Remedy {
        Remedy::RetrySecrets
    }
}

fn list(names: &[SecretName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Deliveries {
    /// Begins with none.
    pub fn new(tenant: impl Into<String>, sink: Option<Sink>) -> Arc<Self> {
        Arc::new(Self { tenant: tenant.into(), sink, serial: Arc::default(), kept: Mutex::default() })
    }

    /// Names a secret of this tenant.
    pub fn name(&self, above: &[impl AsRef<str>], id: &str, member: &[impl AsRef<str>]) -> SecretName {
        SecretName::new(&self.tenant, above, id, member)
    }

    /// Waits until a request that makes a secret may be sent: one at a time, and only with a sink that is ready.
    pub async fn begin(&self) -> Result<DeliveryGuard, Denial> {
        let denied = |rule, remedy| Denial::new(rule).or(remedy);
        let sink = self.sink.as_ref().ok_or_else(|| denied(DeniedBy::NoSecretSink, Remedy::SetSecretSink))?;
        let serial = Arc::clone(&self.serial).lock_owned().await;
        let count = self.lock().len();
        if count >= MAX_KEPT {
            return Err(denied(DeniedBy::SecretsWaiting { count }, Remedy::RetrySecrets));
        }
        let ready = sink.0.ready().await;
        ready.map_err(|error| {
            denied(DeniedBy::SecretSink { problem: in_full(&error) }, Remedy::FixSecretSink)
        })?;
        Ok(DeliveryGuard { sink: sink.clone(), _serial: serial })
    }

    /// Puts a new secret into the sink, and keeps it where that fails.
    pub async fn deliver(
        &self,
        name: SecretName,
        secret: Secret,
        guard: &DeliveryGuard,
    ) -> Result<(), Arc<SinkError>> {
        {
            let mut kept = self.lock();
            // What waits under this name was replaced by this one.
            kept.retain(|other| other.name != name);
            let problem = "the sink has not answered yet".to_owned();
            kept.push(Kept { name: name.clone(), secret: secret.clone(), problem });
        }
        self.put(guard.sink.0.as_ref(), &name, &secret).await
    }

    async fn put(
        &self,
        sink: &dyn SecretSink,
        name: &SecretName,
        secret: &Secret,
    ) -> Result<(), Arc<SinkError>> {
        let put = tokio::time::timeout(PUT_TIMEOUT, sink.put(name, secret)).await;
        let mut kept = self.lock();
        match put.unwrap_or(Err(SinkError::Late { after: PUT_TIMEOUT })) {
            Ok(()) => {
                kept.retain(|other| other.name != *name);
                Ok(())
            }
            Err(error) => {
                if let Some(kept) = kept.iter_mut().find(|other| other.name == *name) {
                    kept.problem = in_full(&error);
                }
                Err(Arc::new(error))
            }
        }
    }

    /// Lists the secrets that the sink does not have, those included that it has been given just now.
    pub fn pending(&self) -> Vec<PendingSecret> {
        let kept = self.lock();
        kept.iter()
            .map(|kept| PendingSecret { name: kept.name.clone(), problem: kept.problem.clone() })
            .collect()
    }

    /// Puts the secrets that wait into a sink: the given one, else the tenant's.
    pub async fn retry(&self, sink: Option<&dyn SecretSink>) -> Result<(), SecretUndelivered> {
        let _guard = self.serial.lock().await;
        let Some(sink) = sink.or(self.sink.as_ref().map(|sink| sink.0.as_ref())) else { return Ok(()) };
        let waiting: Vec<(SecretName, Secret)> =
            self.lock().iter().map(|kept| (kept.name.clone(), kept.secret.clone())).collect();
        let mut undelivered: Option<SecretUndelivered> = None;
        for (name, secret) in waiting {
            if let Err(source) = self.put(sink, &name, &secret).await {
                undelivered
                    .get_or_insert_with(|| SecretUndelivered { names: Vec::new(), source })
                    .names
                    .push(name);
            }
        }
        undelivered.map_or(Ok(()), Err)
    }

    /// Waits until no secret is under way.
    pub async fn wait_until_idle(&self) {
        drop(self.serial.lock().await);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        // Nothing in here is left half-written by a panic elsewhere.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes in one line.
fn in_full(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::secrets::SinkFuture;

    /// Takes secrets while it works.
    #[derive(Default)]
    struct MemorySink {
        broken: AtomicBool,
        taken: Mutex<Vec<(String, String)>>,
    }

    impl SecretSink for MemorySink {
        fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
            Box::pin(async move {
                if self.broken.load(Ordering::Relaxed) {
                    return Err(SinkError::engine("the sink is broken"));
                }
                self.taken.lock().unwrap().push((name.id().to_owned(), secret.expose().to_owned()));
                Ok(())
            })
        }
    }

    fn with_sink() -> (Arc<Deliveries>, Arc<MemorySink>) {
        let sink = Arc::new(MemorySink::default());
        (Deliveries::new("acme.eu.auth0.com", Some(Sink(Arc::new(Arc::clone(&sink))))), sink)
    }

    async fn deliver(deliveries: &Deliveries, id: &str, secret: &str) -> Result<(), Arc<SinkError>> {
        let guard = deliveries.begin().await.unwrap();
        let name = deliveries.name(&["clients"], id, &["client_secret"]);
        deliveries.deliver(name, Secret::new(secret), &guard).await
    }

    #[tokio::test]
    async fn what_the_sink_refuses_is_kept_and_goes_into_it_later() {
        let (deliveries, sink) = with_sink();
        sink.broken.store(true, Ordering::Relaxed);
        deliver(&deliveries, "a", "canary-1").await.unwrap_err();
        deliver(&deliveries, "b", "canary-2").await.unwrap_err();
        let pending = deliveries.pending();
        assert_eq!((pending.len(), pending[0].problem.as_str()), (2, "the sink is broken"));
        assert!(!format!("{pending:?} {deliveries:?}").contains("canary"));
        assert_eq!(deliveries.retry(None).await.unwrap_err().names.len(), 2);
        sink.broken.store(false, Ordering::Relaxed);
        deliveries.retry(None).await.unwrap();
        assert_eq!(deliveries.pending(), []);
        let taken = sink.taken.lock().unwrap().clone();
        assert_eq!(taken, [("a".into(), "canary-1".into()), ("b".into(), "canary-2".into())]);
    }

    #[tokio::test]
    async fn a_newer_secret_takes_the_place_of_one_that_waits() {
        let (deliveries, sink) = with_sink();
        sink.broken.store(true, Ordering::Relaxed);
        deliver(&deliveries, "a", "old").await.unwrap_err();
        sink.broken.store(false, Ordering::Relaxed);
        deliver(&deliveries, "a", "new").await.unwrap();
        deliveries.retry(None).await.unwrap();
        assert_eq!(*sink.taken.lock().unwrap(), [("a".into(), "new".into())], "the old one is out of force");
    }

    #[tokio::test]
    async fn a_secret_can_go_into_another_sink_than_the_one_that_failed() {
        let (deliveries, sink) = with_sink();
        sink.broken.store(true, Ordering::Relaxed);
        deliver(&deliveries, "a", "s").await.unwrap_err();
        let other = Arc::new(MemorySink::default());
        deliveries.retry(Some(&Arc::clone(&other))).await.unwrap();
        assert_eq!((deliveries.pending().len(), other.taken.lock().unwrap().len()), (0, 1));
    }

    #[tokio::test]
    async fn no_secret_is_made_where_there_is_no_place_for_it() {
        let none = Deliveries::new("acme.eu.auth0.com", None);
        assert_eq!(none.begin().await.unwrap_err().remedy(), Some(&Remedy::SetSecretSink));
        let (deliveries, sink) = with_sink();
        sink.broken.store(true, Ordering::Relaxed);
        for number in 0..MAX_KEPT {
            deliver(&deliveries, &number.to_string(), "s").await.unwrap_err();
        }
        assert_eq!(
            deliveries.begin().await.unwrap_err().rule(),
            &DeniedBy::SecretsWaiting { count: MAX_KEPT }
        );
    }

    #[tokio::test]
    async fn a_sink_that_panics_does_not_take_the_secret_with_it() {
        struct PanickingSink;
        impl SecretSink for PanickingSink {
            fn put<'a>(&'a self, _: &'a SecretName, _: &'a Secret) -> SinkFuture<'a> {
                Box::pin(async { panic!("the sink panics") })
            }
        }
        let deliveries = Deliveries::new("acme.eu.auth0.com", Some(Sink(Arc::new(PanickingSink))));
        let task = Arc::clone(&deliveries);
        tokio::spawn(async move { deliver(&task, "a", "s").await }).await.unwrap_err();
        assert_eq!(deliveries.pending().len(), 1);
        deliveries.wait_until_idle().await;
    }
}
