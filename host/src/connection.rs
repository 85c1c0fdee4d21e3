//! A tenant, as one engine sees it.
//!
//! Nothing is shared between two connections but the compiled component: tokens, sockets, TLS sessions and counters
//! are each connection's own, so that one customer's credential can never end up on another's request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::RootCertStore;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use crate::{
    audit::{Facts, Journal},
    base_url::BaseUrl,
    call::{CallContext, CallOptions, Outcome},
    component::ComponentInfo,
    domain::Domain,
    egress::{
        Egress, GuestHttp,
        credentials::Keyring,
        destination::Destinations,
        governor::Governor,
        token::{TokenEndpoint, TokenSource},
        transport::{Transport, tls_config},
    },
    error::{ActionError, BusyScope, Error, ErrorKind, SettingsError},
    limits::{Limits, RequestLimits},
    policy::Policy,
    runtime::{Guest, Instances, Reuse, SharedRuntime},
    settings::{DEADLINE_VARIABLE, Settings},
    telemetry::CallId,
};

/// The component keeps the deadline by itself and then makes a good error of it. Only a component that does not is
/// stopped, this much later.
const GRACE: Duration = Duration::from_secs(2);

/// A tenant with its settings, credentials and sockets. Cheap to clone; clones are the same connection.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    runtime: SharedRuntime,
    domain: Domain,
    environment: Vec<(String, String)>,
    policy: Policy,
    limits: Limits,
    instances: Instances,
    /// Calls that may be under way.
    turns: Semaphore,
    /// No other connection of the host has it.
    number: u64,
    egress: Arc<Egress>,
    deadline: Duration,
    calls: AtomicU64,
    /// Names this connection in the ids of its calls.
    series: u64,
    journal: Journal,
}

/// What a connection has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Calls begun.
    pub calls: u64,
    /// Requests sent for them, to the tenant and to mail providers.
    pub requests: u64,
    /// TCP connections opened, those for tokens included.
    pub connections_opened: u64,
    /// Tokens fetched.
    pub tokens_fetched: u64,
}

impl Connection {
    pub(crate) fn open(
        runtime: SharedRuntime,
        roots: impl FnOnce() -> RootCertStore,
        component: &ComponentInfo,
        settings: Settings,
    ) -> Result<Self, Error> {
        settings.check()?;
        let environment = settings.environment();
        let Settings {
            domain,
            credentials,
            audience,
            base_url,
            email_api_key,
            email_base_url,
            ca_pem,
            deadline,
            policy,
            limits,
            instances,
            audit,
            name,
            ..
        } = settings;
        let facts = Facts {
            domain: domain.to_string(),
            connection: name,
            component: component.digest.clone(),
            sink: audit,
        };
        let tenant = base_url.unwrap_or_else(|| BaseUrl::of_domain(&domain));
        // The machine's certificates take some milliseconds to read. Plain HTTP to this machine needs none.
        let plain = |url: &BaseUrl| url.scheme() == "http";
        let roots = if plain(&tenant) && email_base_url.as_ref().is_some_and(plain) {
            RootCertStore::empty()
        } else {
            roots()
        };
        let transport = Transport::new(tls_config(roots, ca_pem.as_deref())?, limits.header_bytes);
        let audience = audience.unwrap_or_else(|| format!("https://{domain}/api/v2/"));
        let endpoint = TokenEndpoint {
            uri: format!("{tenant}/oauth/token")
                .parse()
                .map_err(|_| SettingsError::Value { name: "the base URL" })?,
            resource: ("audience", audience),
            transport: transport.clone(),
        };
        let source = TokenSource::new(credentials, endpoint, &domain);
        let egress = Egress::new(
            Destinations::new(tenant, email_base_url),
            Keyring::new(source, email_api_key),
            transport,
            deadline,
        )
        .govern(policy.clone(), Governor::default(), RequestLimits::from(&limits));
        Ok(Self(Arc::new(Inner {
            number: runtime.next_connection(),
            turns: Semaphore::new(limits.concurrent_calls),
            runtime,
            domain,
            environment,
            policy,
            limits,
            instances,
            egress: Arc::new(egress),
            deadline,
            calls: AtomicU64::new(0),
            series: CallId::draw_series(),
            journal: Journal::new(facts),
        })))
    }

    /// Returns the tenant's domain.
    pub fn domain(&self) -> &Domain {
        &self.0.domain
    }

    /// Runs an action and returns its result.
    ///
    /// # Errors
    ///
    /// [`Error::Action`] where the action answered an error; the other cases where the host could not run it.
    pub async fn run(&self, action: &str, input: Value) -> Result<Value, Error> {
        self.call(action, input).await.result
    }

    /// Runs an action and returns its result with the requests that it made. Dropping the future stops the call at
    /// once; a write that was under way may or may not have happened.
    pub async fn call(&self, action: &str, input: Value) -> Outcome {
        self.call_with(action, input, CallOptions::default()).await
    }

    /// As [`Connection::call`], with options for this call.
    pub async fn call_with(&self, action: &str, input: Value, options: CallOptions) -> Outcome {
        let started = Instant::now();
        let id = CallId::new(self.0.series, self.0.calls.fetch_add(1, Ordering::Relaxed) + 1);
        let time = options.deadline.unwrap_or(self.0.deadline).min(self.0.deadline);
        let span = self.0.journal.span(id, action);
        let context = Arc::new(CallContext::new(started + time, options).traced(id, span.clone()));
        let mut record = self.0.journal.open(action, &context);
        let work = record.unless_closed(self.run_in_context(action, &input, &context));
        let result = work.instrument(span).await;
        record.end(&result);
        Outcome {
            action: action.to_owned(),
            result,
            requests: context.log.records(),
            elapsed: started.elapsed(),
        }
    }

    /// Ends the connection: calls that are under way are stopped, each gets its audit record, and the audit sink gets the
    /// time that it needs to keep them. Later calls end with [`Error::Closed`]. Takes some seconds at most, where a
    /// component computes without end or a disk does not answer.
    pub async fn close(&self) {
        self.0.journal.close().await;
    }

    async fn run_in_context(
        &self,
        action: &str,
        input: &Value,
        context: &Arc<CallContext>,
    ) -> Result<Value, Error> {
        let inner = &self.0;
        let denied = |reason: String| {
            context.denied(reason.clone());
            Error::Action(ActionError::new(ErrorKind::Denied, reason))
        };
        inner.journal.ready().map_err(|error| denied(format!("denied: {error}")))?;
        inner.policy.check_action(action).map_err(|denial| denied(format!("denied: {denial}")))?;
        let _turn = self.turn(context).await?;
        let limit = context.left().saturating_add(GRACE);
        let wait = inner.limits.queue.min(context.left());
        let guest = || {
            let http = GuestHttp::new(Arc::clone(&inner.egress), Arc::clone(context));
            Guest::new(&self.environment(context.left()), http, &inner.limits)
        };
        let reuse = Reuse { connection: inner.number, instances: inner.instances };
        let running = inner.runtime.run(guest, reuse, wait, action, input);
        let result = match tokio::time::timeout(limit, running).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { after: limit }),
        };
        // The component knows that it was denied; the rule is the host's.
        result.map_err(|error| match (error, context.denial()) {
            (Error::Action(mut error), Some(reason)) if error.kind == ErrorKind::Denied => {
                error.message = reason;
                Error::Action(error)
            }
            (error, _) => error,
        })
    }

    /// Waits until the connection has fewer calls than it may have.
    async fn turn(&self, context: &CallContext) -> Result<SemaphorePermit<'_>, Error> {
        let limits = &self.0.limits;
        let waited = limits.queue.min(context.left());
        match tokio::time::timeout(waited, self.0.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => {
                Err(Error::Busy { scope: BusyScope::Connection, limit: limits.concurrent_calls, waited })
            }
        }
    }

    /// Returns the guest's environment for a call of so much time.
    fn environment(&self, time: Duration) -> Vec<(String, String)> {
        let mut environment = self.0.environment.clone();
        environment.push((DEADLINE_VARIABLE.to_owned(), time.as_millis().max(1).to_string()));
        environment
    }

    pub(crate) fn egress(&self) -> &Arc<Egress> {
        &self.0.egress
    }

    /// Returns what the connection has done so far.
    pub fn stats(&self) -> Stats {
        Stats {
            calls: self.0.calls.load(Ordering::Relaxed),
            requests: self.0.egress.requests(),
            connections_opened: self.0.egress.connections_opened(),
            tokens_fetched: self.0.egress.tokens_fetched(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.runtime.forget(self.number);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("domain", &self.0.domain).finish_non_exhaustive()
    }
}
