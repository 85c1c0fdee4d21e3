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

use crate::{
    base_url::BaseUrl,
    call::{CallContext, CallOptions, Outcome},
    domain::Domain,
    egress::{
        Egress, GuestHttp,
        credentials::Keyring,
        destination::Destinations,
        governor::Governor,
        token::{Token, TokenCache, TokenSource},
        transport::{Transport, tls_config},
    },
    error::{ActionError, Error, ErrorKind, SettingsError},
    limits::RequestLimits,
    policy::Policy,
    runtime::{Guest, SharedRuntime},
    settings::{Credentials, DEADLINE_VARIABLE, Settings},
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
    egress: Arc<Egress>,
    deadline: Duration,
    calls: AtomicU64,
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
            ..
        } = settings;
        let tenant = base_url.unwrap_or_else(|| BaseUrl::of_domain(&domain));
        // The machine's certificates take some milliseconds to read. Plain HTTP to this machine needs none.
        let plain = |url: &BaseUrl| url.scheme() == "http";
        let roots = if plain(&tenant) && email_base_url.as_ref().is_some_and(plain) {
            RootCertStore::empty()
        } else {
            roots()
        };
        let transport = Transport::new(tls_config(roots, ca_pem.as_deref())?);
        let source = match credentials {
            Credentials::None => None,
            Credentials::Token(token) => Some(TokenSource::Static(Arc::new(Token::of_unknown_origin(token)))),
            Credentials::ClientSecret { client_id, client_secret } => {
                let audience = audience.unwrap_or_else(|| format!("https://{domain}/api/v2/"));
                let endpoint = format!("{tenant}/oauth/token")
                    .parse()
                    .map_err(|_| SettingsError::Value { name: "the base URL" })?;
                let cache = TokenCache::new(endpoint, client_id, client_secret, audience, transport.clone());
                Some(TokenSource::Fetched(cache))
            }
        };
        let egress = Egress::new(
            Destinations::new(tenant, email_base_url),
            Keyring::new(source, email_api_key),
            transport,
            deadline,
        )
        .govern(policy.clone(), Governor::default(), RequestLimits::default());
        Ok(Self(Arc::new(Inner {
            runtime,
            domain,
            environment,
            policy,
            egress: Arc::new(egress),
            deadline,
            calls: AtomicU64::new(0),
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
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let time = options.deadline.unwrap_or(self.0.deadline).min(self.0.deadline);
        let context = Arc::new(CallContext::new(started + time, options));
        let result = self.run_in_context(action, &input, time, &context).await;
        Outcome {
            action: action.to_owned(),
            result,
            requests: context.log.records(),
            elapsed: started.elapsed(),
        }
    }

    async fn run_in_context(
        &self,
        action: &str,
        input: &Value,
        time: Duration,
        context: &Arc<CallContext>,
    ) -> Result<Value, Error> {
        if let Err(denial) = self.0.policy.check_action(action) {
            return Err(Error::Action(ActionError::new(ErrorKind::Denied, format!("denied: {denial}"))));
        }
        let http = GuestHttp::new(Arc::clone(&self.0.egress), Arc::clone(context));
        let guest = Guest::new(&self.environment(time), http);
        let limit = time.saturating_add(GRACE);
        let result = match tokio::time::timeout(limit, self.0.runtime.run(guest, action, input)).await {
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

    /// Returns the guest's environment for a call of so much time.
    fn environment(&self, time: Duration) -> Vec<(String, String)> {
        let mut environment = self.0.environment.clone();
        environment.push((DEADLINE_VARIABLE.to_owned(), time.as_millis().to_string()));
        environment
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

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("domain", &self.0.domain).finish_non_exhaustive()
    }
}
