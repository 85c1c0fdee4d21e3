//! The open calls of a tenant, and the moment at which each gets its record.
//!
//! The record of a call that is dropped is written by a destructor. That is not enough for a host that stops: a guest
//! that computes keeps its thread, and a process that ends runs no destructors of other threads. So the journal knows
//! the calls that are open and can write for them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;
use tracing::Span;

use super::{
    AuditOutcome, AuditRecord, AuditReservation, AuditSink, AuditUnavailable, Decision, StopReason,
    record::{self, MOST_REQUESTS},
};
use crate::{
    call::CallContext,
    error::Error,
    secrets::SecretUndelivered,
    telemetry::{self, CallId},
};

/// How long closing waits for calls to end by themselves. They end at their next wait or at the next tick of the engine;
/// a component that does neither is written down as stopped.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);
/// How often it looks whether they have.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What every record of a tenant says.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) domain: String,
    pub(crate) tenant: Option<String>,
    pub(crate) component: String,
    pub(crate) sink: Option<Arc<dyn AuditSink>>,
}

/// The calls of one tenant.
#[derive(Debug)]
pub(crate) struct Journal {
    facts: Arc<Facts>,
    open: Arc<OpenCalls>,
    /// Whether the tenant is closed, and for those who wait for it.
    closed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct OpenCalls(Mutex<BTreeMap<u64, Arc<Call>>>);

impl OpenCalls {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Call>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call that has no record yet.
#[derive(Debug)]
struct Call {
    facts: Arc<Facts>,
    time: SystemTime,
    begun: Instant,
    action: String,
    context: Arc<CallContext>,
    written: AtomicBool,
    /// For its record.
    room: Mutex<Option<AuditReservation>>,
}

/// Writes the record of one call. Dropped without a word, the call was dropped.
#[derive(Debug)]
pub(crate) struct OpenCall {
    call: Arc<Call>,
    open: Arc<OpenCalls>,
    closed: watch::Receiver<bool>,
}

impl Journal {
    pub(crate) fn new(facts: Facts) -> Self {
        Self { facts: Arc::new(facts), open: Arc::default(), closed: watch::Sender::new(false) }
    }

    /// Begins the span of a call.
    pub(crate) fn span(&self, id: CallId, action: &str) -> Span {
        let Facts { domain, tenant, .. } = &*self.facts;
        telemetry::call_span(id, record::action(action), domain, tenant.as_deref())
    }

    /// Takes room for the record of a call that is open.
    pub(crate) fn reserve(&self, context: &CallContext) -> Result<(), AuditUnavailable> {
        let Some(sink) = &self.facts.sink else { return Ok(()) };
        let room = sink.reserve()?;
        if let Some(call) = self.open.lock().get(&context.id().number()) {
            *call.room.lock().unwrap_or_else(PoisonError::into_inner) = Some(room);
        }
        Ok(())
    }

    /// Opens the record of a call.
    pub(crate) fn open(&self, action: &str, context: &Arc<CallContext>) -> OpenCall {
        let call = Arc::new(Call {
            facts: Arc::clone(&self.facts),
            time: SystemTime::now(),
            begun: Instant::now(),
            action: record::action(action).to_owned(),
            context: Arc::clone(context),
            written: AtomicBool::new(false),
            room: Mutex::default(),
        });
        self.open.lock().insert(context.id().number(), Arc::clone(&call));
        OpenCall { call, open: Arc::clone(&self.open), closed: self.closed.subscribe() }
    }

    /// Stops the calls that are open, writes for those that do not stop, and waits until the sink has kept all records.
    pub(crate) async fn close(&self) {
        self.closed.send_replace(true);
        let end = Instant::now() + SHUTDOWN_GRACE;
        // Looked at again and again: the calls end in destructors, which do not tell.
        while !self.open.lock().is_empty() && Instant::now() < end {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let left = std::mem::take(&mut *self.open.lock());
        for call in left.into_values() {
            call.write(&AuditOutcome::stopped(StopReason::Closed), 0);
        }
        if let Some(sink) = &self.facts.sink {
            sink.flush().await;
        }
    }
}

impl OpenCall {
    /// Does the work of the call unless the tenant is closed before it is done.
    pub(crate) async fn unless_closed<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            // The sender is gone with the tenant only, which this call holds.
            Ok(_) = self.closed.wait_for(|closed| *closed) => Err(Error::Closed),
            result = work => result,
        }
    }

    /// Writes the record of a call that came to an end.
    pub(crate) fn end<T>(self, result: &Result<T, Error>, undelivered: Option<&SecretUndelivered>) {
        self.call
            .write(&AuditOutcome::of(result), undelivered.map_or(0, |undelivered| undelivered.names.len()));
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let stopped = if std::thread::panicking() {
            StopReason::Panic
        } else if *self.closed.borrow() {
            StopReason::Closed
        } else {
            StopReason::Dropped
        };
        self.call.write(&AuditOutcome::stopped(stopped), 0);
        self.open.lock().remove(&self.call.context.id().number());
    }
}

impl Call {
    /// Writes the record, unless that was done already.
    fn write(&self, outcome: &AuditOutcome, secrets_undelivered: usize) {
        if self.written.swap(true, Ordering::Relaxed) {
            return;
        }
        let elapsed = self.begun.elapsed();
        telemetry::call_ended(self.context.span(), &self.action, outcome.word(), outcome.reason(), elapsed);
        let Some(sink) = &self.facts.sink else { return };
        let (requests, requests_omitted) = self.context.log().audit(self.begun, MOST_REQUESTS);
        // Not by the requests: of a flood most are not written down, and a refused call may make none.
        let denial = self.context.denial();
        let denied = outcome.is_denied() || denial.is_some();
        sink.record(&AuditRecord {
            time: self.time,
            call: self.context.id().to_string(),
            caller: self.context.caller().map(record::caller),
            domain: self.facts.domain.clone(),
            tenant: self.facts.tenant.clone(),
            component: self.facts.component.clone(),
            action: self.action.clone(),
            decision: if denied { Decision::Denied } else { Decision::Allowed },
            rule: denial.map(|denial| format!("denied: {}", denial.masked())),
            outcome: outcome.clone(),
            elapsed,
            requests,
            requests_omitted,
            secrets_undelivered,
        });
        drop(self.room.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::{Denial, DeniedBy};

    /// Counts the reservations that are held when a record comes.
    #[derive(Debug, Default)]
    struct Reserving {
        held: Arc<()>,
        seen: Mutex<Vec<usize>>,
    }

    impl AuditSink for Reserving {
        fn record(&self, _: &AuditRecord) {
            self.seen.lock().unwrap().push(Arc::strong_count(&self.held) - 1);
        }

        fn reserve(&self) -> Result<AuditReservation, AuditUnavailable> {
            Ok(AuditReservation::new(Arc::clone(&self.held)))
        }
    }

    #[test]
    fn room_for_a_record_is_held_until_the_record_was_taken_however_the_call_ends() {
        let sink = Arc::new(Reserving::default());
        let facts = Facts {
            domain: "acme.eu.auth0.com".to_owned(),
            tenant: None,
            component: String::new(),
            sink: Some(Arc::clone(&sink) as Arc<dyn AuditSink>),
        };
        let journal = Journal::new(facts);
        for ends in [true, false] {
            let context = Arc::<CallContext>::default();
            let call = journal.open("list-users", &context);
            journal.reserve(&context).unwrap();
            if ends {
                call.end(&Ok(()), None);
            } else {
                drop(call);
            }
            assert_eq!(Arc::strong_count(&sink.held), 1, "it was given back");
        }
        assert_eq!(*sink.seen.lock().unwrap(), [1, 1]);
    }

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<(Decision, Option<String>)>>);

    impl AuditSink for Kept {
        fn record(&self, record: &AuditRecord) {
            self.0.lock().unwrap().push((record.decision, record.rule.clone()));
        }
    }

    #[test]
    fn a_call_that_was_refused_something_is_on_record_as_denied_though_it_made_no_request_and_ended_well() {
        let kept = Arc::new(Kept::default());
        let facts = Facts {
            domain: "acme.eu.auth0.com".to_owned(),
            tenant: None,
            component: String::new(),
            sink: Some(Arc::clone(&kept) as Arc<dyn AuditSink>),
        };
        let journal = Journal::new(facts);
        for denial in [None, Some(Denial::new(DeniedBy::RequestLimit { limit: 100 }))] {
            let context = Arc::<CallContext>::default();
            let call = journal.open("list-users", &context);
            if let Some(reason) = denial {
                context.denied(reason);
            }
            call.end(&Ok(()), None);
        }
        let records = kept.0.lock().unwrap();
        assert_eq!(records[0], (Decision::Allowed, None));
        assert_eq!(records[1].0, Decision::Denied);
        assert!(records[1].1.as_ref().unwrap().contains("a call may make 100"), "{records:?}");
    }
}
