//! A tenant, as one engine sees it.
//!
//! Nothing is shared between two [`Tenant`]s but the compiled component: tokens, sockets, TLS sessions and counters
//! are each tenant's own, so that one customer's credential can never end up on another's request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::RootCertStore;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use crate::{
    audit::{AuditUnavailable, Facts, Journal},
    base_url::BaseUrl,
    call::{CallContext, CallOptions},
    component::ComponentInfo,
    denial::{Denial, DeniedBy, Remedy},
    domain::Domain,
    egress::{
        Egress, governor::RatePlan, limits::RequestLimits, settings::EgressSettings, token::TokenError,
    },
    error::{ActionError, BusyScope, Error, ErrorCode},
    json::Json,
    limits::Limits,
    outcome::Outcome,
    policy::PermittedActions,
    runtime::{Environment, Guest, GuestHttp, InstancePolicy, Reuse, SharedRuntime},
    secrets::{PendingSecret, SecretSink},
    settings::{DEADLINE_VARIABLE, Settings},
    telemetry::CallId,
    verdict::verdict,
};

/// The component keeps the deadline by itself and then makes a good error of it. Only a component that does not is
/// stopped, this much later.
const GRACE: Duration = Duration::from_secs(2);

/// A tenant with its settings, credentials and sockets. Cheap to clone; clones are the same tenant.
///
/// ```
/// use std::time::Duration;
///
/// use auth0_emulator::{Emulator, Seed};
/// use auth0_host::{CallOptions, Credentials, Error, ErrorCode, Host, Settings};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let offline = Emulator::builder().seed(Seed::demo()).start().await?;
/// # let settings = Settings::new(offline.domain().parse()?)
/// #     .base_url(offline.base_url().parse()?)
/// #     .credentials(Credentials::client_secret(offline.client_id(), offline.client_secret()));
/// let tenant = Host::builder().build_async().await?.tenant(settings).await?;
/// let options = CallOptions::new().deadline(Duration::from_secs(20)).caller("execution 4711").read_only();
/// let outcome = tenant.call_with("get-user", json!({"user_id": "auth0|000000000000000000000000"}), options).await;
/// match outcome.result {
///     Err(Error::Action(error)) => assert_eq!(error.code, ErrorCode::NotFound),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(outcome.requests.len(), 1);
/// tenant.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tenant(Arc<Inner>);

struct Inner {
    runtime: SharedRuntime,
    domain: Domain,
    environment: Arc<[(String, String)]>,
    actions: PermittedActions,
    limits: Limits,
    instances: InstancePolicy,
    /// Calls that may be under way.
    call_permits: Semaphore,
    /// No other tenant of the host has it.
    number: u64,
    egress: Arc<Egress>,
    deadline: Duration,
    calls: AtomicU64,
    /// Names this tenant in the ids of its calls.
    series: u64,
    journal: Journal,
}

/// What a tenant has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Calls begun.
    pub calls: u64,
    /// Requests sent for them, to the tenant and to email providers.
    pub requests: u64,
    /// TCP connections opened, those for tokens included.
    pub connections_opened: u64,
    /// Tokens fetched.
    pub tokens_fetched: u64,
    /// Requests that had to wait, to keep the tenant's rate limits.
    pub rate_waits: u64,
    /// How long they waited, in milliseconds, all taken together.
    pub rate_waited_ms: u64,
    /// Requests that were not sent since the rate limit would have let them go only after the call's deadline.
    pub rate_limited: u64,
    /// Answers of the tenant with status 429.
    pub rate_refused: u64,
}

impl Tenant {
    pub(crate) fn open(
        runtime: SharedRuntime,
        roots: RootCertStore,
        component: &ComponentInfo,
        actions: PermittedActions,
        settings: Settings,
    ) -> Result<Self, Error> {
        settings.check()?;
        let environment = settings.environment().into();
        let application = settings.application().map(str::to_owned);
        let Settings {
            domain,
            credentials,
            audience,
            base_url,
            email_credentials,
            email_base_url,
            ca_pem,
            deadline,
            policy,
            limits,
            instances,
            audit,
            name,
            secret_sink,
            rate_plan,
            rate_headroom,
            ..
        } = settings;
        let facts = Facts {
            domain: domain.to_string(),
            tenant: name,
            component: component.digest.clone(),
            sink: audit,
        };
        let egress = Egress::open(EgressSettings {
            tenant: base_url.unwrap_or_else(|| BaseUrl::of_domain(&domain)),
            audience: audience.unwrap_or_else(|| format!("https://{domain}/api/v2/")),
            application,
            credentials,
            email_credentials,
            email_base_url,
            ca_pem,
            roots,
            policy,
            limits: RequestLimits::from(&limits),
            header_bytes: limits.header_bytes,
            secret_sink,
            rate_plan,
            rate_headroom,
            deadline,
            domain: domain.clone(),
        })?;
        Ok(Self(Arc::new(Inner {
            number: runtime.next_tenant(),
            call_permits: Semaphore::new(limits.concurrent_calls),
            runtime,
            domain,
            environment,
            actions,
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

    /// Checks whether the policy lets an action run, before anybody tries. Rules about requests are not asked: they need
    /// the request.
    ///
    /// # Errors
    ///
    /// [`Denial`], with the rule that refuses it.
    pub fn permits(&self, action: &str) -> Result<(), Denial> {
        self.0.actions.check(action)
    }

    /// Runs an action and returns its result.
    ///
    /// # Errors
    ///
    /// [`Error::Action`] where the action answered an error; the other cases where the host could not run it.
    pub async fn run(&self, action: &str, input: impl Into<Json>) -> Result<Json, Error> {
        self.call(action, input).await.result
    }

    /// Runs an action and returns its result with the requests that it made. Dropping the future stops the call at
    /// once; a write that was under way may or may not have happened.
    pub async fn call(&self, action: &str, input: impl Into<Json>) -> Outcome {
        self.call_with(action, input, CallOptions::default()).await
    }

    /// As [`Tenant::call`], with options for this call.
    pub async fn call_with(&self, action: &str, input: impl Into<Json>, options: CallOptions) -> Outcome {
        self.call_json(action, input.into(), options).await
    }

    async fn call_json(&self, action: &str, input: Json, options: CallOptions) -> Outcome {
        let started = Instant::now();
        let id = CallId::new(self.0.series, self.0.calls.fetch_add(1, Ordering::Relaxed) + 1);
        let time = options.time(self.0.deadline);
        let span = self.0.journal.span(id, action);
        let context = Arc::new(CallContext::new(started + time, options).traced(id, span.clone()));
        let mut record = self.0.journal.open(action, &context);
        let work = record.unless_closed(self.run_in_context(action, &input, &context));
        let answer = work.instrument(span).await;
        let facts = context.facts();
        let result = verdict(action, answer, &facts);
        record.end(&result, facts.undelivered.as_ref());
        Outcome {
            action: action.to_owned(),
            result,
            undelivered: facts.undelivered,
            requests: context.log().records(),
            elapsed: started.elapsed(),
        }
    }

    /// Ends the tenant: calls that are under way are stopped, each gets its audit record, and the audit sink gets the
    /// time that it needs to keep them. Later calls end with [`Error::Closed`]. Takes some seconds at most, where a
    /// component computes without end or a disk does not answer.
    pub async fn close(&self) {
        self.0.journal.close().await;
    }

    async fn run_in_context(
        &self,
        action: &str,
        input: &Json,
        context: &Arc<CallContext>,
    ) -> Result<Json, Error> {
        let inner = &self.0;
        let denied = |denial: Denial| {
            context.denied(denial.clone());
            Error::from(ActionError::denied(denial))
        };
        inner.journal.reserve(context).map_err(|AuditUnavailable { reason }| {
            denied(Denial::new(DeniedBy::Audit { reason }).or(Remedy::FixAudit))
        })?;
        inner.actions.check(action).map_err(denied)?;
        let _permit = self.call_permit(context).await?;
        if inner.egress.has_credentials()
            && let Some(needs) = inner.runtime.needs(action, context.left()).await
        {
            context.needs(needs);
        }
        let limit = context.left().saturating_add(GRACE);
        let wait = inner.limits.queue_timeout.min(context.left());
        let guest = || {
            let http = GuestHttp::new(Arc::clone(&inner.egress), Arc::clone(context));
            let time = context.left().as_millis().max(1).to_string();
            let environment = Environment {
                tenant: Arc::clone(&inner.environment),
                call: Some((DEADLINE_VARIABLE.to_owned(), time)),
            };
            Guest::new(environment, http, &inner.limits)
        };
        let reuse = Reuse { tenant: inner.number, instances: inner.instances };
        let running = inner.runtime.run(guest, reuse, wait, action, input);
        let ended = tokio::time::timeout(limit, running).await;
        ended.unwrap_or(Err(Error::Timeout { after: limit }))
    }

    /// Lists the secrets that the tenant has made and the secret sink does not have: those that it did not take, and those
    /// that are on their way to it.
    pub fn pending_secrets(&self) -> Vec<PendingSecret> {
        self.0.egress.deliveries().pending()
    }

    /// Puts the secrets that wait into the tenant's secret sink. They wait in memory: what is still here when the last
    /// clone of this is dropped is lost, and has to be made anew, as by another rotation.
    ///
    /// # Errors
    ///
    /// [`Error::SecretUndelivered`] where the sink does not take all of them.
    pub async fn retry_secrets(&self) -> Result<(), Error> {
        self.retry(None).await
    }

    /// Puts the secrets that wait into another sink, where the tenant's own cannot be fixed.
    ///
    /// # Errors
    ///
    /// [`Error::SecretUndelivered`] where the sink does not take all of them.
    pub async fn retry_secrets_with(&self, sink: &dyn SecretSink) -> Result<(), Error> {
        self.retry(Some(sink)).await
    }

    async fn retry(&self, sink: Option<&dyn SecretSink>) -> Result<(), Error> {
        self.0.egress.deliveries().retry(sink).await.map_err(Error::from)
    }

    /// Waits until no secret is on its way. A call that was dropped or stopped may have left one: its request was sent, and
    /// a task of its own waits for the whole answer (60 s from the request on, or the call's own time where that is longer)
    /// and gives the secret to the sink (60 s at most). Wait for it before the process or its tokio runtime ends.
    pub async fn flush_secrets(&self) {
        self.0.egress.deliveries().wait_until_idle().await;
    }

    /// Waits until the tenant has fewer calls than it may have.
    async fn call_permit(&self, context: &CallContext) -> Result<SemaphorePermit<'_>, Error> {
        let limits = &self.0.limits;
        let waited = limits.queue_timeout.min(context.left());
        match tokio::time::timeout(waited, self.0.call_permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => {
                Err(Error::Busy { scope: BusyScope::Tenant, limit: limits.concurrent_calls, waited })
            }
        }
    }

    /// Returns what the tenant's token may do, after fetching one where there is none; `None` where the token does not
    /// say.
    ///
    /// # Errors
    ///
    /// [`Error::Action`]: `unauthenticated` where there are no credentials or the tenant refuses them, `unreachable` where
    /// the token endpoint cannot be asked.
    pub async fn granted_scopes(&self) -> Result<Option<Vec<String>>, Error> {
        let failed = |code, message: String| Error::from(ActionError::new(code, message));
        let token = self.0.egress.token().await.ok_or_else(|| {
            failed(ErrorCode::Unauthenticated, "no credentials are configured for the tenant".to_owned())
        })?;
        let token = token.map_err(|error| {
            let code = match &error {
                TokenError::NoCredential(_) | TokenError::Refused(_) => ErrorCode::Unauthenticated,
                TokenError::NotReached(_) | TokenError::Late => ErrorCode::Unreachable,
            };
            failed(code, error.to_string())
        })?;
        Ok(token.scope().map(|text| text.split_ascii_whitespace().map(str::to_owned).collect()))
    }

    /// Returns the plan whose rate limits are kept by now: the one that was set, or that the tenant's answers told.
    pub fn rate_plan(&self) -> RatePlan {
        self.0.egress.governor().plan()
    }

    /// Returns the way out, for whoever examines it.
    pub(crate) fn egress(&self) -> &Arc<Egress> {
        &self.0.egress
    }

    /// Returns the component's side.
    pub(crate) fn runtime(&self) -> &SharedRuntime {
        &self.0.runtime
    }

    /// Returns what the tenant has done so far.
    pub fn stats(&self) -> Stats {
        let pace = self.0.egress.pace_counts();
        Stats {
            calls: self.0.calls.load(Ordering::Relaxed),
            requests: self.0.egress.requests(),
            connections_opened: self.0.egress.connections_opened(),
            tokens_fetched: self.0.egress.tokens_fetched(),
            rate_waits: pace.waits,
            rate_waited_ms: u64::try_from(pace.waited.as_millis()).unwrap_or(u64::MAX),
            rate_limited: pace.rate_limited,
            rate_refused: pace.refused,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.runtime.forget(self.number);
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").field("domain", &self.0.domain).finish_non_exhaustive()
    }
}
