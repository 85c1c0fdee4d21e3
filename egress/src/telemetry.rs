//! What the host reports through `tracing`: spans, events and metrics.
//!
//! Names and attributes are those of OpenTelemetry's semantic conventions for HTTP clients where there are any. A
//! request's span carries `url.template` instead of `url.full`, which would hold ids and search terms, and a host only
//! where it is one of the tenant's own. So nothing here carries a text that a component chose; of the engine's there
//! are the tenant's name and the action that was asked for. The library has no exporter and no subscriber: an engine
//! brings its own, and without one each of these lines costs an atomic read.
//!
//! Metrics are events with the target `auth0_host::metrics`, in the form that the `MetricsLayer` of
//! `tracing-opentelemetry` reads. So a counter needs no handle that would have to be passed through the whole host.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tracing::{Level, Span};

use crate::private_path;

/// Target of spans and events.
macro_rules! target {
    () => {
        "auth0_host"
    };
}

/// Target of metrics.
macro_rules! metrics {
    () => {
        "auth0_host::metrics"
    };
}

/// Names one call: unique among all hosts, and in the order of the calls of one tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallId {
    series: u64,
    number: u64,
}

impl CallId {
    /// Numbers a call of a tenant.
    pub fn new(series: u64, number: u64) -> Self {
        Self { series, number }
    }

    /// Draws the first half of the ids of one tenant.
    pub fn draw_series() -> u64 {
        let mut bytes = [0; 8];
        // Without randomness ids are unique within the tenant only, and no secret depends on them.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// Returns its number within its tenant.
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.series, self.number)
    }
}

/// Begins the span of a call. `action` has been looked at: it is a name that an action can have.
pub fn call_span(id: CallId, action: &str, domain: &str, tenant: Option<&str>) -> Span {
    tracing::info_span!(
        target: target!(),
        "auth0.call",
        otel.name = action,
        otel.status_code = tracing::field::Empty,
        auth0.action = action,
        auth0.call.id = %id,
        auth0.tenant = tenant,
        auth0.domain = domain,
        auth0.outcome = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// Ends it.
pub fn call_ended(span: &Span, action: &str, outcome: &str, error: Option<&str>, elapsed: Duration) {
    if !span.is_disabled() {
        span.record("auth0.outcome", outcome);
        if let Some(error) = error {
            span.record("error.type", error);
            span.record("otel.status_code", "ERROR");
        }
    }
    tracing::event!(
        target: metrics!(),
        Level::TRACE,
        monotonic_counter.auth0.calls = 1_u64,
        histogram.auth0.call.duration = elapsed.as_secs_f64(),
        auth0.action = action,
        auth0.outcome = outcome,
        error.type = error,
    );
}

/// Begins the span of a request, as a child of its call's. `server` is absent where it is none of the tenant's.
pub fn request_span(call: &Span, method: &http::Method, uri: &http::Uri, server: Option<&http::Uri>) -> Span {
    tracing::info_span!(
        target: target!(),
        parent: call,
        "http.request",
        otel.name = %RequestName(method, uri),
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        http.request.method = known_method(method.as_str()),
        url.template = %private_path::template(uri.path()),
        url.scheme = server.and_then(http::Uri::scheme_str),
        server.address = server.map_or(Some(private_path::MASK), http::Uri::host),
        server.port = server.and_then(port),
        http.request.body.size = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
        http.response.body.size = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct RequestEnd<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<&'static str>,
    pub(crate) sent: Option<u64>,
    pub(crate) received: u64,
    pub(crate) elapsed: Duration,
}

impl RequestEnd<'_> {
    /// Ends its span, and counts it where it was sent.
    pub(crate) fn record(&self, span: &Span) {
        // As the conventions want it: the status of an answer that is an error is its type.
        let status = self.status.filter(|status| *status >= 400).map(|status| status.to_string());
        let error = self.error.or(status.as_deref());
        if !span.is_disabled() {
            if let Some(status) = self.status {
                span.record("http.response.status_code", status);
                span.record("http.response.body.size", self.received);
            }
            if let Some(bytes) = self.sent {
                span.record("http.request.body.size", bytes);
            }
            if let Some(error) = error {
                span.record("error.type", error);
                span.record("otel.status_code", "ERROR");
            }
        }
        if self.sent.is_some() {
            tracing::event!(
                target: metrics!(),
                Level::TRACE,
                histogram.http.client.request.duration = self.elapsed.as_secs_f64(),
                http.request.method = self.method,
                http.response.status_code = self.status,
                server.address = self.host,
                url.template = %private_path::template(self.path),
                error.type = error,
            );
        }
    }
}

/// Reports a fetch of a token.
pub fn token_fetched(begun: Instant, result: &'static str) {
    let elapsed = begun.elapsed();
    tracing::debug!(target: target!(), result, elapsed_ms = elapsed.as_secs_f64() * 1e3, "token fetch");
    tracing::event!(target: metrics!(), Level::TRACE, monotonic_counter.auth0.token.fetches = 1_u64, auth0.token.result = result);
}

/// Reports that the tenant refused a token and the request is sent again with another.
pub fn another_token(call: &Span) {
    tracing::info!(target: target!(), parent: call, "the tenant refused the token; trying another");
}

/// Reports that a connection was opened.
pub fn connection_opened(begun: Instant) {
    let elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
    tracing::debug!(target: target!(), elapsed_ms, "connection opened");
    tracing::event!(target: metrics!(), Level::TRACE, monotonic_counter.auth0.connections.opened = 1_u64);
}

/// Reports how long a request waited for the rate limit, where it did.
pub fn rate_limit_waited(call: &Span, begun: Instant, admitted: bool) {
    /// Less than that is no wait but the way there and back.
    const NOTHING: Duration = Duration::from_millis(1);
    let waited = begun.elapsed();
    if admitted && waited < NOTHING {
        return;
    }
    let waited_ms = waited.as_secs_f64() * 1e3;
    if admitted {
        tracing::debug!(target: target!(), parent: call, waited_ms, "waited for the rate limit");
    } else {
        tracing::info!(target: target!(), parent: call, waited_ms, "rate-limited");
    }
    tracing::event!(
        target: metrics!(),
        Level::TRACE,
        histogram.auth0.rate_limit.wait = waited.as_secs_f64(),
        auth0.rate_limit.admitted = admitted,
    );
}

/// Counts an instance until it is dropped.
#[derive(Debug)]
pub struct LiveInstance(());

impl LiveInstance {
    /// Begins to count.
    pub fn begin() -> Self {
        tracing::event!(target: metrics!(), Level::TRACE, counter.auth0.instances = 1_i64);
        Self(())
    }
}

impl Drop for LiveInstance {
    fn drop(&mut self) {
        tracing::event!(target: metrics!(), Level::TRACE, counter.auth0.instances = -1_i64);
    }
}

struct RequestName<'a>(&'a http::Method, &'a http::Uri);

impl fmt::Display for RequestName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", known_method(self.0.as_str()), private_path::template(self.1.path()))
    }
}

/// A component can make up methods; the conventions call those `_OTHER`.
pub fn known_method(method: &str) -> &str {
    match method {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT") => {
            known
        }
        _ => "_OTHER",
    }
}

fn port(uri: &http::Uri) -> Option<u16> {
    uri.port_u16().or_else(|| match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    })
}
