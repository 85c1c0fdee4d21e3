//! What became of one call.
//!
//! The requests of a call are written down as they begin, not when they end: a call that is stopped half-way must
//! still be able to say what it had sent.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use serde::{Serialize, Serializer};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    task::unconstrained,
};
use tracing::Span;

use crate::{
    action::ScopeRequirement,
    bounded_text::{LONGEST_KEPT, cut},
    denial::Denial,
    governor::Priority,
    private_path,
    reach::ReachSet,
    redaction::Charges,
    request_observer::{Observer, RequestObserver},
    scopes,
    secrets::{deliveries::SecretUndelivered, made::MadeSecrets},
    telemetry::{self, CallId, RequestEnd},
    token::Token,
};

/// One request that a call made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Method.
    pub method: String,
    /// Path; of a query only the names, since the values may be about persons: `/api/v2/users?q&page`.
    pub path: String,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
    /// Status of the answer, where there was one.
    pub status: Option<u16>,
    /// Time from the guest's request to the end of the answer's body, or to the failure. The host's waiting for a token
    /// and a connection is in it. In JSON: `elapsed_ms`.
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub elapsed: Duration,
    /// Whether the server may have seen the request: it was given to a connection. What was denied, had no token or
    /// found no connection was not.
    pub sent: bool,
    /// Bytes of the request's body; 0 where it was not sent.
    pub bytes_sent: u64,
    /// Bytes of the answer's body that were read.
    pub bytes_received: u64,
    /// What went wrong, where no answer came.
    pub error: Option<String>,
}

/// One request of a call.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditRequest {
    /// Method; `_OTHER` where it is none of HTTP's.
    pub method: String,
    /// Host, and port where it is not the scheme's own; `*` where it is neither the tenant nor an email provider.
    pub authority: String,
    /// Path without what may be about a person, and the names of the query: `/api/v2/users/samlp%7C*?fields`.
    pub path: String,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Whether the server may have seen it.
    pub sent: bool,
    /// When it began, counted from the beginning of the call. In JSON: `start_ms`.
    #[serde(rename = "start_ms", serialize_with = "milliseconds")]
    pub start: Duration,
    /// How long it took. In JSON: `elapsed_ms`.
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub elapsed: Duration,
    /// Bytes of its body.
    pub bytes_sent: u64,
    /// Bytes of the answer's body that were read.
    pub bytes_received: u64,
    /// What went wrong, as a word: `policy-denied`, `rate-limited`, `no-token`, `insufficient-scope`, `broken-off`,
    /// `connect-timeout`, ….
    pub error: Option<&'static str>,
}

/// A component can make methods up. The longest that HTTP's registry has is 17 letters long.
pub const LONGEST_METHOD: usize = 20;
/// The longest name that DNS has is 253 letters long, and a port has five digits.
pub const LONGEST_AUTHORITY: usize = 260;
fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// Requests of one call that may be under way at once; more wait. The connector makes one after the other.
const REQUESTS_AT_ONCE: usize = 8;

/// How one call is to be run.
///
/// ```
/// # use std::time::Duration;
/// # use auth0_egress::{call::CallOptions, governor::Priority};
/// // A call of a nightly job, which reads and gives way to persons.
/// let options = CallOptions::new()
///     .deadline(Duration::from_secs(20))
///     .priority(Priority::Background)
///     .caller("execution 4711")
///     .read_only();
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    pub(crate) deadline: Option<Duration>,
    pub(crate) priority: Priority,
    pub(crate) caller: Option<String>,
    pub(crate) reveal_secrets: bool,
    pub(crate) read_only: bool,
    pub(crate) agreed_reach: Option<ReachSet>,
    pub(crate) observer: Observer,
}

impl CallOptions {
    /// Begins with the tenant's deadline, for somebody who waits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long this call may take, at most the tenant's deadline, which holds where absent.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets whether somebody waits for it.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Names on whose behalf it is run: an id of the engine's own, for the audit record.
    #[must_use]
    pub fn caller(mut self, caller: impl Into<String>) -> Self {
        self.caller = Some(caller.into());
        self
    }

    /// Sets an observer of the call's requests while it runs.
    #[must_use]
    pub fn observer(mut self, observer: impl RequestObserver + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Returns how long the call may take where a call may take so long at most.
    pub fn time(&self, most: Duration) -> Duration {
        self.deadline.unwrap_or(most).min(most)
    }

    /// Leaves secrets that the tenant generates in the result, instead of putting them into the tenant's secret
    /// sink.
    #[must_use]
    pub fn reveal_secrets(mut self) -> Self {
        self.reveal_secrets = true;
        self
    }

    /// Lets no request leave that could write: of the tenant's API `GET` and `HEAD` only, and no email, whatever the
    /// policy allows and whatever the component says of the action.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Lets no request leave that can do more than this, whatever the policy allows and whatever the component says of
    /// the action: what somebody has agreed to for this call. Where absent, the policy alone decides.
    #[must_use]
    pub fn agreed_reach(mut self, reach: ReachSet) -> Self {
        self.agreed_reach = Some(reach);
        self
    }
}

/// What the egress knows of the call that its requests belong to.
#[derive(Debug)]
pub struct CallContext {
    id: CallId,
    /// When the call's time is over.
    deadline: Instant,
    pub(crate) options: CallOptions,
    pub(crate) log: RequestLog,
    /// Requests that were asked for so far.
    requests: AtomicU64,
    /// Permits for requests in flight: each holds a body, its own or its answer's, in the host's memory.
    in_flight: Arc<Semaphore>,
    /// Why the last refused request was refused.
    denial: Mutex<Option<Denial>>,
    /// What the token has to be allowed for the action, where that is known.
    needs: OnceLock<Arc<[ScopeRequirement]>>,
    /// What came of holding a token against it: a token that is good for it, or the scopes that are lacking.
    checked: OnceCell<Result<Arc<Token>, Vec<String>>>,
    /// What became of the secrets that its requests made.
    pub(crate) made: Arc<MadeSecrets>,
    /// What looking for secrets in its answers has cost.
    pub(crate) charges: Arc<Charges>,
}

/// What the host knows of a call when its guest has answered.
#[derive(Debug, Default)]
pub struct CallFacts {
    /// The last refusal.
    pub denial: Option<Denial>,
    /// The scopes for want of which nothing was sent to the Management API.
    pub lacking: Vec<String>,
    /// What a secret belongs to that may be in force and that nobody has: `clients/abc`.
    pub lost_secret: Option<String>,
    /// New secrets that the sink does not have.
    pub undelivered: Option<SecretUndelivered>,
    /// Why an answer was not handed on to the guest.
    pub withheld: Option<&'static str>,
}

/// Waits for a permit to have one more request under way.
pub type InFlightPermit = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

impl CallContext {
    /// Begins a call that is to end by then.
    pub fn new(deadline: Instant, options: CallOptions) -> Self {
        Self {
            id: CallId::default(),
            deadline,
            log: RequestLog { observer: options.observer.clone(), ..RequestLog::default() },
            options,
            requests: AtomicU64::new(0),
            in_flight: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
            denial: Mutex::default(),
            needs: OnceLock::new(),
            checked: OnceCell::new(),
            made: Arc::default(),
            charges: Arc::default(),
        }
    }

    /// Names the call, and lets the spans of its requests hang below its own.
    pub fn traced(mut self, id: CallId, span: Span) -> Self {
        self.id = id;
        self.log.span = span;
        self
    }

    /// Returns the call's span.
    pub fn span(&self) -> &Span {
        &self.log.span
    }

    /// Returns the call's name.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Returns on whose behalf it is run.
    pub fn caller(&self) -> Option<&str> {
        self.options.caller.as_deref()
    }

    /// Returns the requests that it made, so far.
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// Counts a request, and returns how many there are with it.
    pub fn count_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Queues for a permit among the requests in flight, at once: a guest that reads its answers in the order of its
    /// requests must not wait for one behind those that it reads later.
    pub fn in_flight_permit(&self) -> InFlightPermit {
        // Without a budget: a task that has used its own up would not get in line.
        let mut waiting = Box::pin(unconstrained(Arc::clone(&self.in_flight).acquire_owned()));
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            // The semaphore is never closed.
            Poll::Ready(permit) => Box::pin(std::future::ready(permit.ok())),
            Poll::Pending => Box::pin(async { waiting.await.ok() }),
        }
    }

    /// Keeps a refusal for the call's error.
    pub fn denied(&self, denial: Denial) {
        *lock(&self.denial) = Some(denial);
    }

    /// Returns the last refusal.
    pub fn denial(&self) -> Option<Denial> {
        lock(&self.denial).clone()
    }

    /// Returns what the host knows of the call whatever the guest reports.
    pub fn facts(&self) -> CallFacts {
        CallFacts {
            denial: self.denial(),
            lacking: self
                .checked
                .get()
                .and_then(|checked| checked.as_ref().err())
                .cloned()
                .unwrap_or_default(),
            lost_secret: self.made.lost(),
            undelivered: self.made.undelivered(),
            withheld: self.charges.withheld(),
        }
    }

    /// Sets what the token has to be allowed.
    pub fn needs(&self, needs: Arc<[ScopeRequirement]>) {
        // A call has one action.
        let _ = self.needs.set(needs);
    }

    /// Holds a token against what the action needs, before the call's first request to the Management API; the others
    /// wait for that, and share what came of it. A guest that goes on after a refusal must not get its second request
    /// sent, of an action that cannot be done as a whole.
    ///
    /// # Errors
    ///
    /// The scopes that are lacking.
    pub async fn check_scopes(
        &self,
        check: impl Future<Output = Result<Arc<Token>, Vec<String>>>,
    ) -> Result<Arc<Token>, Vec<String>> {
        self.checked.get_or_init(|| check).await.clone()
    }

    /// Returns the scopes that a token is known to lack.
    pub fn lacking(&self, token: &Token) -> Vec<String> {
        let needs = self.needs.get().filter(|_| token.scope.is_some());
        needs.map_or_else(Vec::new, |needs| {
            scopes::lacking(needs, |scope| token.grants(scope).unwrap_or_default())
        })
    }

    /// Returns what is left of the call's time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

#[cfg(any(test, feature = "test-support"))]
impl Default for CallContext {
    fn default() -> Self {
        Self::new(Instant::now() + Duration::from_secs(60), CallOptions::default())
    }
}

/// The word for a request that the host's rules refused.
pub const DENIED: &str = "policy-denied";

/// The requests of one call, shared with the requests in flight.
#[derive(Debug)]
pub struct RequestLog {
    entries: Mutex<Vec<Arc<Entry>>>,
    span: Span,
    observer: Observer,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { entries: Mutex::default(), span: Span::none(), observer: Observer::default() }
    }
}

#[derive(Debug)]
struct Entry {
    method: String,
    path: String,
    authority: String,
    /// Whether its destination is neither the tenant nor its email provider.
    unknown_destination: bool,
    started: Instant,
    received: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of the body that was given to a connection; `None` as long as nothing was.
    sent: Option<u64>,
    status: Option<u16>,
    error: Option<String>,
    /// The same as a word.
    error_code: Option<&'static str>,
    /// Set at the end of the body or the failure; until then the request is in flight.
    ended: Option<Duration>,
}

/// Writes down what becomes of one request. Dropped without a word, the request counts as broken off.
#[derive(Debug)]
pub struct RequestEntry {
    entry: Arc<Entry>,
    /// Closed with this handle, not with the log, which lives as long as the call.
    span: Span,
    observer: Observer,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is left half-written by a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RequestLog {
    /// Writes down that a guest asks for a request. It is not sent yet.
    pub fn open(&self, method: &http::Method, uri: &http::Uri) -> RequestEntry {
        self.enter(method, uri, false)
    }

    /// Writes down that a guest asks for a request to neither the tenant nor an email provider. Audit records
    /// and traces do not repeat what the guest calls it.
    pub fn open_unknown_destination(&self, method: &http::Method, uri: &http::Uri) -> RequestEntry {
        self.enter(method, uri, true)
    }

    /// Returns whether each of the requests is on a connection, or has ended: none waits for its turn, for a token or for
    /// a connection.
    pub fn all_on_connections(&self) -> bool {
        lock(&self.entries).iter().all(|entry| {
            let state = lock(&entry.state);
            state.sent.is_some() || state.ended.is_some()
        })
    }

    fn enter(&self, method: &http::Method, uri: &http::Uri, unknown_destination: bool) -> RequestEntry {
        let span = telemetry::request_span(&self.span, method, uri, (!unknown_destination).then_some(uri));
        let entry = Arc::new(Entry {
            method: cut(method.to_string(), LONGEST_METHOD),
            path: cut(path_without_values(uri), LONGEST_KEPT),
            authority: cut(uri.authority().map(host_and_port).unwrap_or_default(), LONGEST_AUTHORITY),
            unknown_destination,
            started: Instant::now(),
            received: AtomicU64::new(0),
            state: Mutex::default(),
        });
        lock(&self.entries).push(Arc::clone(&entry));
        self.observer.begun(|| entry.begun());
        RequestEntry { entry, span, observer: self.observer.clone() }
    }

    /// Returns what is known by now.
    pub fn records(&self) -> Vec<RequestRecord> {
        lock(&self.entries).iter().map(|entry| entry.record()).collect()
    }

    /// Returns the first requests for the audit record of a call that began at `begun`, and how many more there are.
    pub fn audit(&self, begun: Instant, most: usize) -> (Vec<AuditRequest>, usize) {
        let entries = lock(&self.entries);
        let requests = entries.iter().take(most).map(|entry| entry.audit(begun)).collect();
        (requests, entries.len().saturating_sub(most))
    }
}

impl Entry {
    /// As [`Entry::record`], of a request that has only begun.
    fn begun(&self) -> RequestRecord {
        RequestRecord { error: None, ..self.record() }
    }

    fn record(&self) -> RequestRecord {
        let state = lock(&self.state);
        let no_answer = state.status.is_none() && state.error.is_none();
        RequestRecord {
            method: self.method.clone(),
            path: self.path.clone(),
            authority: self.authority.clone(),
            status: state.status,
            elapsed: state.ended.unwrap_or_else(|| self.started.elapsed()),
            sent: state.sent.is_some(),
            bytes_sent: state.sent.unwrap_or(0),
            bytes_received: self.received.load(Ordering::Relaxed),
            error: match state.sent {
                Some(_) if no_answer => Some("broken off: the call ended before the answer came".to_owned()),
                None if no_answer => Some("broken off: the call ended before it was sent".to_owned()),
                _ => state.error.clone(),
            },
        }
    }
}

impl Entry {
    /// Leaves out what a person or a component chose: methods and hosts that nobody knows, values of paths and queries,
    /// texts of errors.
    fn audit(&self, begun: Instant) -> AuditRequest {
        let record = self.record();
        let broken_off = || record.error.is_some().then_some("broken-off");
        AuditRequest {
            path: private_path::path(&record.path),
            method: telemetry::known_method(&record.method).to_owned(),
            authority: if self.unknown_destination {
                private_path::MASK.to_owned()
            } else {
                record.authority
            },
            status: record.status,
            sent: record.sent,
            start: self.started.saturating_duration_since(begun),
            elapsed: record.elapsed,
            bytes_sent: record.bytes_sent,
            bytes_received: record.bytes_received,
            error: lock(&self.state).error_code.or_else(broken_off),
        }
    }
}

impl RequestEntry {
    /// Writes down that a connection has the request, with so many bytes of body.
    pub fn sent(&self, bytes: usize) {
        lock(&self.entry.state).sent = Some(bytes as u64);
    }

    /// Writes down that the connection gave it back before it wrote any of it.
    pub fn handed_back(&self) {
        lock(&self.entry.state).sent = None;
    }

    /// Writes down the status of the answer.
    pub fn answered(&self, status: http::StatusCode) {
        lock(&self.entry.state).status = Some(status.as_u16());
    }

    /// Counts bytes of the answer's body.
    pub fn received(&self, bytes: usize) {
        self.entry.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Writes down a failure, and the word for it in audit records and traces.
    pub fn failed(&self, code: &'static str, error: impl Into<String>) {
        let mut state = lock(&self.entry.state);
        state.error = Some(cut(error.into(), LONGEST_KEPT));
        state.error_code = Some(code);
    }
}

impl Drop for RequestEntry {
    fn drop(&mut self) {
        let entry = &self.entry;
        let mut state = lock(&entry.state);
        let elapsed = *state.ended.get_or_insert_with(|| entry.started.elapsed());
        let answered = state.status.is_some();
        RequestEnd {
            method: &entry.method,
            path: &entry.path,
            host: entry.authority.split(':').next().unwrap_or_default(),
            status: state.status,
            error: state.error_code.or((!answered).then_some("broken-off")),
            sent: state.sent,
            received: entry.received.load(Ordering::Relaxed),
            elapsed,
        }
        .record(&self.span);
        drop(state);
        self.observer.ended(|| entry.record());
    }
}

/// Leaves the values of a query out.
fn path_without_values(uri: &http::Uri) -> String {
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else { return uri.path().to_owned() };
    let names: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    format!("{}?{}", uri.path(), names.join("&"))
}

/// Leaves user information out.
fn host_and_port(authority: &http::uri::Authority) -> String {
    match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> http::Uri {
        text.parse().unwrap()
    }

    #[test]
    fn a_record_keeps_the_names_of_a_query_and_no_values() {
        for (text, expected) in [
            ("https://a.example/x", "/x"),
            ("https://a.example/x?", "/x"),
            ("https://a.example/x?q=email%3Ajane%40acme.com&page=0", "/x?q&page"),
            ("https://a.example/x?flag&b=", "/x?flag&b"),
        ] {
            assert_eq!(path_without_values(&uri(text)), expected);
        }
    }

    /// Guards against a guest that fills the host's memory, and its audit trail, with what it asks for in vain.
    #[test]
    fn of_a_request_out_of_all_proportion_the_log_keeps_little() {
        let log = RequestLog::default();
        let method = http::Method::from_bytes(&[b'X'; 1 << 20]).unwrap();
        let authority: http::uri::Authority = "x".repeat(1 << 20).parse().unwrap();
        let path = format!("/{}", "x".repeat(60_000));
        let uri = http::Uri::builder().scheme("https").authority(authority).path_and_query(path);
        let entry = log.open(&method, &uri.build().unwrap());
        entry.failed(DENIED, "ä".repeat(1 << 20));
        let record = log.records().remove(0);
        assert_eq!(record.method, format!("{}…", "X".repeat(LONGEST_METHOD)));
        assert_eq!(record.authority.len(), LONGEST_AUTHORITY + '…'.len_utf8());
        assert_eq!(record.path.len(), LONGEST_KEPT + '…'.len_utf8());
        assert_eq!(record.error.unwrap().len(), LONGEST_KEPT + '…'.len_utf8());
    }

    #[test]
    fn an_audit_record_repeats_neither_a_host_nor_a_method_that_a_component_made_up() {
        let (log, begun) = (RequestLog::default(), Instant::now());
        log.open(&http::Method::GET, &uri("https://acme.auth0.com/api/v2/users"));
        let method = http::Method::from_bytes(b"MIRA-OLSEN").unwrap();
        log.open_unknown_destination(&method, &uri("https://mira-olsen.example:1985/mira"));
        let (requests, _) = log.audit(begun, 2);
        let shown = |request: &AuditRequest| {
            [&request.method, &request.authority, &request.path].map(|text| text.clone())
        };
        assert_eq!(shown(&requests[0]), ["GET", "acme.auth0.com", "/api/v2/users"]);
        assert_eq!(shown(&requests[1]), ["_OTHER", "*", "/*"]);
        assert_eq!(log.records()[1].authority, "mira-olsen.example:1985", "the engine itself is told");
    }

    #[test]
    fn a_request_that_was_broken_off_is_in_the_log_and_says_so() {
        let log = RequestLog::default();
        let entry = log.open(&http::Method::POST, &uri("https://u:p@a.example:8443/x"));
        let record = log.records().remove(0);
        assert_eq!(record.authority, "a.example:8443");
        assert_eq!((record.sent, record.bytes_sent), (false, 0));
        assert_eq!(record.error.unwrap(), "broken off: the call ended before it was sent");
        entry.sent(3);
        let record = log.records().remove(0);
        assert_eq!((record.sent, record.bytes_sent), (true, 3));
        assert_eq!(record.error.unwrap(), "broken off: the call ended before the answer came");
        entry.handed_back();
        assert!(!log.records().remove(0).sent);
        entry.sent(3);
        entry.answered(http::StatusCode::CREATED);
        entry.received(5);
        drop(entry);
        let record = log.records().remove(0);
        assert_eq!((record.status, record.error, record.bytes_received), (Some(201), None, 5));
    }
}
