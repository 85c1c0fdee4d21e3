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

use auth0_policy::destination::Destinations;
use rustls::RootCertStore;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use crate::{
    audit::{Facts, Journal},
    base_url::BaseUrl,
    call::{CallContext, CallOptions},
    component::ComponentInfo,
    domain::Domain,
    egress::{
        Egress,
        governor::{Governor, RatePlan},
        keyring::Keyring,
        limits::RequestLimits,
        mail::{self, MailContext, Mailer},
        resolver::Resolver,
        token::{TokenEndpoint, TokenError, TokenSource},
        transport::{Transport, tls_config},
    },
    error::{ActionError, BusyScope, Error, ErrorKind, SettingsError},
    json::Json,
    limits::Limits,
    outcome::Outcome,
    policy::{PermittedActions, PolicyDenial},
    runtime::{Guest, GuestHttp, InstancePolicy, Reuse, SharedRuntime},
    secrets::{
        PendingSecret, SecretSink,
        deliveries::{Deliveries, Undelivered},
    },
    settings::{DEADLINE_VARIABLE, Settings},
    telemetry::CallId,
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
/// use auth0_host::{CallOptions, Credentials, Error, ErrorKind, Host, Settings};
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
///     Err(Error::Action(error)) => assert_eq!(error.kind, ErrorKind::NotFound),
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
    environment: Vec<(String, String)>,
    actions: PermittedActions,
    limits: Limits,
    instances: InstancePolicy,
    /// Calls that may be under way.
    turns: Semaphore,
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
    /// Requests sent for them, to the tenant and to mail providers.
    pub requests: u64,
    /// TCP connections opened, those for tokens included.
    pub connections_opened: u64,
    /// Tokens fetched.
    pub tokens_fetched: u64,
    /// Requests that had to wait for their turn, to keep the tenant's rate limits.
    pub rate_waits: u64,
    /// How long they waited, in milliseconds, all taken together.
    pub rate_waited_ms: u64,
    /// Requests that were not sent since their turn would have come after the call's deadline.
    pub rate_throttled: u64,
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
        let environment = settings.environment();
        let own_application = settings.application().map(str::to_owned);
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
            connection: name,
            component: component.digest.clone(),
            sink: audit,
        };
        let tenant = base_url.unwrap_or_else(|| BaseUrl::of_domain(&domain));
        let resolver = Resolver::new(policy.addresses().clone());
        let tls = tls_config(roots, ca_pem.as_deref())?;
        let transport = Transport::new(tls, resolver.clone(), limits.header_bytes);
        let audience = audience.unwrap_or_else(|| format!("https://{domain}/api/v2/"));
        let endpoint = TokenEndpoint {
            uri: format!("{tenant}/oauth/token")
                .parse()
                .map_err(|_| SettingsError::Value { name: "the base URL" })?,
            resource: ("audience", audience),
            transport: transport.clone(),
        };
        let source = TokenSource::new(credentials, endpoint, &domain);
        let surroundings = MailContext {
            transport: &transport,
            resolver: &resolver,
            stand_in: email_base_url.as_ref(),
            ca_pem: ca_pem.as_deref(),
            tenant: &domain,
        };
        let (mail_key, mailer) = Mailer::open(email_credentials, surroundings)?;
        let mail_access = mail::access(mail_key.as_ref(), mailer.as_ref());
        let egress = Egress::new(
            Destinations::new(tenant, email_base_url).mail(mail_access),
            Keyring::new(source, mail_key),
            transport,
            deadline,
        )
        .mailer(mailer)
        .acting_as(own_application)
        .govern(policy, Governor::new(rate_plan, rate_headroom), RequestLimits::from(&limits))
        .deliver_to(Deliveries::new(domain.as_str(), secret_sink));
        Ok(Self(Arc::new(Inner {
            number: runtime.next_tenant(),
            turns: Semaphore::new(limits.concurrent_calls),
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

    /// Tells whether the policy lets an action run, before anybody tries. Rules about requests are not asked: they need
    /// the request.
    ///
    /// # Errors
    ///
    /// [`PolicyDenial`], with the rule that refuses it.
    pub fn permits(&self, action: &str) -> Result<(), PolicyDenial> {
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
        let denied = |reason: String| {
            let message = without_kind(&reason);
            context.denied(reason);
            Error::Action(ActionError::new(ErrorKind::PolicyDenied, message))
        };
        inner.journal.ready().map_err(|error| denied(format!("denied: {error}")))?;
        inner.actions.check(action).map_err(|denial| denied(format!("denied: {denial}")))?;
        let _turn = self.turn(context).await?;
        if inner.egress.token_source().is_some()
            && let Some(needs) = inner.runtime.needs(action, context.left()).await
        {
            context.needs(needs);
        }
        let limit = context.left().saturating_add(GRACE);
        let wait = inner.limits.queue_timeout.min(context.left());
        let guest = || {
            let http = GuestHttp::new(Arc::clone(&inner.egress), Arc::clone(context));
            Guest::new(&self.environment(context.left()), http, &inner.limits)
        };
        let reuse = Reuse { tenant: inner.number, instances: inner.instances };
        let running = inner.runtime.run(guest, reuse, wait, action, input);
        let result = match tokio::time::timeout(limit, running).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { after: limit }),
        };
        // The component knows that it was denied; the rule is the host's.
        let result = result.map_err(|error| match (error, context.denial()) {
            (Error::Action(mut error), Some(reason)) if error.kind == ErrorKind::PolicyDenied => {
                error.message = without_kind(&reason);
                Error::Action(error)
            }
            (error, _) => error,
        });
        // So it was not sent, and what is lacking is the host's to say, too.
        let result = match (result, context.lacked()) {
            (Err(Error::Action(error)), scopes) if !scopes.is_empty() => {
                let message = format!(
                    "the token lacks {} for `{action}`, so nothing was sent; to allow it, widen the application's grant \
                     (`auth0-host scopes {action} --grant` prints it)",
                    scopes.join(", ")
                );
                Err(ActionError { kind: ErrorKind::Forbidden, message, scopes, ..error }.into())
            }
            (result, _) => result,
        };
        // A guest need not tell what it heard, or understand it.
        let result = match (context.made.missing(), result) {
            (Some(problem), Ok(_)) => Err(ActionError::new(ErrorKind::OutcomeUnknown, problem).into()),
            (Some(problem), Err(Error::Action(error))) => {
                let kind = ErrorKind::OutcomeUnknown;
                Err(ActionError { kind, message: problem, retry_after_ms: None, ..error }.into())
            }
            (_, result) => result,
        };
        match context.made.undelivered() {
            Some(Undelivered { names, source }) => {
                Err(Error::SecretUndelivered { names, source, outcome: Box::new(result) })
            }
            None => result,
        }
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

    /// Puts the secrets that wait into another sink, where the tenant's own cannot be mended.
    ///
    /// # Errors
    ///
    /// [`Error::SecretUndelivered`] where the sink does not take all of them.
    pub async fn retry_secrets_with(&self, sink: &dyn SecretSink) -> Result<(), Error> {
        self.retry(Some(sink)).await
    }

    async fn retry(&self, sink: Option<&dyn SecretSink>) -> Result<(), Error> {
        self.0.egress.deliveries().retry(sink).await.map_err(|Undelivered { names, source }| {
            Error::SecretUndelivered { names, source, outcome: Box::new(Ok(Json::null())) }
        })
    }

    /// Waits until no secret is on its way. A call that was dropped or stopped may have left one: its request was sent, and
    /// a task of its own waits for the whole answer (60 s from the request on, or the call's own time where that is longer)
    /// and gives the secret to the sink (60 s at most). Wait for it before the process or its tokio runtime ends.
    pub async fn flush_secrets(&self) {
        self.0.egress.deliveries().settled().await;
    }

    /// Waits until the tenant has fewer calls than it may have.
    async fn turn(&self, context: &CallContext) -> Result<SemaphorePermit<'_>, Error> {
        let limits = &self.0.limits;
        let waited = limits.queue_timeout.min(context.left());
        match tokio::time::timeout(waited, self.0.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => {
                Err(Error::Busy { scope: BusyScope::Tenant, limit: limits.concurrent_calls, waited })
            }
        }
    }

    /// Returns the guest's environment for a call of so much time.
    fn environment(&self, time: Duration) -> Vec<(String, String)> {
        let mut environment = self.0.environment.clone();
        environment.push((DEADLINE_VARIABLE.to_owned(), time.as_millis().max(1).to_string()));
        environment
    }

    /// Returns what the tenant's token may do, after fetching one where there is none; `None` where the token does not
    /// say.
    ///
    /// # Errors
    ///
    /// [`Error::Action`]: `unauthenticated` where there are no credentials or the tenant refuses them, `unreachable` where
    /// the token endpoint cannot be asked.
    pub async fn granted_scopes(&self) -> Result<Option<Vec<String>>, Error> {
        let failed = |kind, message: String| Error::Action(ActionError::new(kind, message));
        let source = self.0.egress.token_source().ok_or_else(|| {
            failed(ErrorKind::Unauthenticated, "the connection has no credentials".to_owned())
        })?;
        let token = source.token().await.map_err(|error| {
            let kind = match &error {
                TokenError::NoCredential(_) | TokenError::Refused(_) => ErrorKind::Unauthenticated,
                TokenError::NotReached(_) | TokenError::Late => ErrorKind::Unreachable,
            };
            failed(kind, error.to_string())
        })?;
        let scopes = |text: &String| text.split_ascii_whitespace().map(str::to_owned).collect();
        Ok(token.scope.as_ref().map(scopes))
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
            rate_throttled: pace.throttled,
            rate_refused: pace.refused,
        }
    }
}

/// Takes the word off the reason of a refusal that the error's kind says already; records have no kind.
fn without_kind(reason: &str) -> String {
    reason.strip_prefix("denied: ").unwrap_or(reason).to_owned()
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
