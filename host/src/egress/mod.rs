//! The way out of the sandbox.
//!
//! Every request of a guest passes here, in this order: may it go there ([`destination`]), does the connection's policy
//! allow it ([`crate::policy`]), is it its turn ([`governor`]), what may it carry ([`credentials`], [`token`]), and then
//! out ([`transport`]). Nothing in here knows what an action is: the rules hold
//! for whatever a component builds, its own mistakes and those of a hostile one included.

mod body;
pub(crate) mod credentials;
pub(crate) mod destination;
pub(crate) mod governor;
mod native;
pub(crate) mod token;
pub(crate) mod transport;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as WasiError, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use self::{
    body::AnswerBody,
    credentials::{Keyring, OwnAnswer},
    destination::{Destination, Destinations},
    governor::{Admission, Governor, Throttled},
    token::{Token, TokenError, TokenSource},
    transport::{CONNECT_TIMEOUT, Timeouts, Transport, TransportError, Whereabouts},
};
use crate::{
    call::{CallContext, CallOptions, DENIED, RequestEntry},
    limits::RequestLimits,
    policy::Policy,
    telemetry,
};

/// Auth0's errors are some hundred bytes; what is longer is dropped with its connection.
const MAX_REFUSAL_BODY: usize = 64 * 1024;

/// Everything that one connection sends goes through one of these.
#[derive(Debug)]
pub(crate) struct Egress {
    destinations: Destinations,
    policy: Policy,
    governor: Governor,
    limits: RequestLimits,
    keyring: Keyring,
    transport: Transport,
    /// How long to wait for an answer where the guest does not say.
    patience: Duration,
    requests: AtomicU64,
}

type Answer = Result<Response<WasiBody>, WasiError>;

impl Egress {
    pub(crate) fn new(
        destinations: Destinations,
        keyring: Keyring,
        transport: Transport,
        patience: Duration,
    ) -> Self {
        Self {
            destinations,
            policy: Policy::default(),
            governor: Governor::default(),
            limits: RequestLimits::default(),
            keyring,
            transport,
            patience,
            requests: AtomicU64::new(0),
        }
    }

    /// Holds the requests to a policy, a pace and limits.
    pub(crate) fn govern(mut self, policy: Policy, governor: Governor, limits: RequestLimits) -> Self {
        (self.policy, self.governor, self.limits) = (policy, governor, limits);
        self
    }

    /// Counts the requests sent so far, token requests not included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts the tokens fetched so far.
    pub(crate) fn tokens_fetched(&self) -> u64 {
        self.keyring.tenant().map_or(0, TokenSource::fetched)
    }

    /// Counts the connections opened so far.
    pub(crate) fn connections_opened(&self) -> u64 {
        self.transport.connections_opened()
    }

    /// Sends one request of a guest.
    async fn send(&self, request: Request<WasiBody>, options: RequestOptions, call: &CallContext) -> Answer {
        let patience = Patience::begin(options.first_byte_timeout.unwrap_or(self.patience).min(call.left()));
        if call.count_request() > self.limits.requests {
            let reason = format!(
                "denied: a call may make {} requests; to allow more, raise the limit `requests`",
                self.limits.requests
            );
            // Not written down one by one: a flood would fill the host's memory instead of the tenant's.
            call.denied(reason);
            return Err(WasiError::HttpRequestDenied);
        }
        let _place = patience.before_sending(call.place()).await.ok_or(WasiError::ConnectionTimeout)?;
        let (mut head, body) = request.into_parts();
        let destination = match self.destinations.classify(&head.method, &head.uri) {
            Ok(route) => {
                head.uri = route.uri(&head.uri).map_err(|_| WasiError::HttpRequestUriInvalid)?;
                route.destination
            }
            Err(denial) => return deny(call, call.log.open(&head.method, &head.uri), denial.to_string()),
        };
        let tenant = self.keyring.tenant();
        if let (Destination::TokenEndpoint, Some(source)) = (destination, tenant) {
            let limit = self.limits.request_body_bytes;
            patience
                .before_sending(body::collect(body, limit))
                .await
                .ok_or(WasiError::ConnectionTimeout)??;
            return broker(source, patience).await;
        }
        let entry = call.log.open(&head.method, &head.uri);
        let mut body =
            match patience.before_sending(body::collect(body, self.limits.request_body_bytes)).await {
                Some(Ok(body)) => body,
                Some(Err(error)) => {
                    entry.failed("body", format!("not sent: its body was refused: {error}"));
                    return Err(error);
                }
                None => {
                    entry.failed("body", "not sent: its body did not come in time");
                    return Err(WasiError::ConnectionTimeout);
                }
            };
        if let Err(denial) = self.policy.check_request(destination, &head.method, &head.uri, &body) {
            return deny(call, entry, format!("denied: {denial}"));
        }
        // The length is counted anew from what is really sent.
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        if self.keyring.holds_any() {
            head.headers.remove(header::AUTHORIZATION);
        }
        let outgoing = Outgoing { egress: self, options, patience, call, destination };
        match (destination, tenant) {
            (Destination::ManagementApi, Some(source)) => {
                outgoing.with_token(source, entry, head, &body).await
            }
            (Destination::Mail(provider), _) => {
                self.keyring.apply_mail_key(provider, &mut head.headers, &mut body);
                outgoing.once(entry, &head, &body).await
            }
            (Destination::ManagementApi | Destination::TokenEndpoint | Destination::TenantOther, _) => {
                outgoing.once(entry, &head, &body).await
            }
        }
    }
}

/// Refuses a request, and keeps the reason for the call's error.
fn deny(call: &CallContext, entry: RequestEntry, reason: String) -> Answer {
    entry.failed(DENIED, reason.clone());
    call.denied(reason);
    Err(WasiError::HttpRequestDenied)
}

/// Answers a guest that asks for a token: it learns what the token may do and how long, and never has it.
async fn broker(source: &TokenSource, patience: Patience) -> Answer {
    match patience.for_token(source.token()).await {
        Ok(token) => Ok(own(credentials::describe_token(&token))),
        Err(TokenError::NoCredential(error)) => Ok(own(credentials::lacking_oauth(error))),
        Err(TokenError::Refused(refusal)) => Ok(own(credentials::refused_oauth(&refusal))),
        Err(TokenError::NotReached(error)) => Err(not_sent(&error)),
        Err(TokenError::Late) => Err(WasiError::ConnectionTimeout),
    }
}

/// The time that a guest gives to one request.
///
/// The guest's own clock runs from before ours, and when it ends the guest can only say "sent, no answer". So what comes
/// before sending ends a little earlier than the whole: the host, which knows that nothing was sent, speaks first.
#[derive(Clone, Copy, Debug)]
struct Patience {
    begun: Instant,
    whole: Duration,
}

/// What the guest needs to hear of it and to end its call: twice the worst that a timer came late on two cores with six
/// busy processes (median 3 ms, 99th percentile 29 ms, worst of 836 53 ms).
const LEAST_MARGIN: Duration = Duration::from_millis(100);
/// The part of a long time that is kept for it: one in twenty.
const MARGIN_PART: u32 = 20;

impl Patience {
    fn begin(whole: Duration) -> Self {
        Self { begun: Instant::now(), whole }
    }

    /// Returns what is left for a request that is not sent yet.
    fn to_send(self) -> Duration {
        // Of a time so short that it is all margin, half.
        let margin = (self.whole / MARGIN_PART).max(LEAST_MARGIN).min(self.whole / 2);
        self.whole.saturating_sub(margin).saturating_sub(self.begun.elapsed())
    }

    /// Returns what is left for the answer.
    fn to_answer(self) -> Duration {
        self.whole.saturating_sub(self.begun.elapsed())
    }

    /// Waits for something without which the request is not sent; `None` where it takes too long.
    async fn before_sending<T>(self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.to_send(), work).await.ok()
    }

    async fn for_token(
        self,
        fetch: impl Future<Output = Result<Arc<Token>, TokenError>>,
    ) -> Result<Arc<Token>, TokenError> {
        self.before_sending(fetch).await.unwrap_or(Err(TokenError::Late))
    }
}

/// One request on its way.
struct Outgoing<'a> {
    egress: &'a Egress,
    options: RequestOptions,
    patience: Patience,
    call: &'a CallContext,
    destination: Destination,
}

impl Outgoing<'_> {
    /// Sends with the tenant's token, and once more with another where the tenant refuses that.
    async fn with_token(
        &self,
        source: &TokenSource,
        entry: RequestEntry,
        mut head: Parts,
        body: &Bytes,
    ) -> Answer {
        let token = match self.patience.for_token(source.token()).await {
            Ok(token) => token,
            Err(error) => return without_token(&entry, &error),
        };
        authorize(&mut head, &token);
        let answer = self.once(entry, &head, body).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // A refused token did nothing, so the request can be repeated whatever its method.
        let Some(another) = source.another(&token) else { return Ok(answer) };
        telemetry::another_token(self.call.span());
        // Read to its end, so that the connection can carry the repetition.
        let _ = Limited::new(answer.into_body(), MAX_REFUSAL_BODY).collect().await;
        let entry = self.call.log.open(&head.method, &head.uri);
        match self.patience.for_token(another).await {
            Ok(token) => {
                authorize(&mut head, &token);
                self.once(entry, &head, body).await
            }
            Err(error) => without_token(&entry, &error),
        }
    }

    /// Sends as it is when it is its turn, and writes down where it got to.
    async fn once(&self, entry: RequestEntry, head: &Parts, body: &Bytes) -> Answer {
        let admission = match self.turn(head).await {
            Ok(admission) => admission,
            Err(throttled) => {
                entry.failed("throttled", format!("not sent: {}", throttled.bucket));
                return Ok(own(credentials::throttled(&throttled)));
            }
        };
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        let connect = self.options.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT);
        let timeouts =
            Timeouts { connect: connect.min(self.patience.to_send()), answer: self.patience.to_answer() };
        let follow = |whereabouts| match whereabouts {
            Whereabouts::OnConnection => {
                entry.sent(body.len());
                self.egress.requests.fetch_add(1, Ordering::Relaxed);
            }
            Whereabouts::HandedBack => {
                entry.handed_back();
                self.egress.requests.fetch_sub(1, Ordering::Relaxed);
            }
        };
        match self.egress.transport.send(request, timeouts, follow).await {
            Ok(response) => {
                entry.answered(response.status());
                if let Some(admission) = admission {
                    self.egress.governor.observe(admission, response.status(), response.headers());
                }
                let between_bytes = self.options.between_bytes_timeout.unwrap_or(self.egress.patience);
                let limit = self.egress.limits.response_body_bytes;
                let wrap = |body| AnswerBody::new(body, entry, Some(between_bytes), limit).boxed_unsync();
                Ok(response.map(wrap))
            }
            Err(error) => {
                entry.failed(error.code(), error.to_string());
                Err(error.to_wasi())
            }
        }
    }
}

impl Outgoing<'_> {
    /// Waits for the request's turn. Only the Management API has a pace.
    async fn turn(&self, head: &Parts) -> Result<Option<Admission>, Throttled> {
        if self.destination != Destination::ManagementApi {
            return Ok(None);
        }
        let until = Instant::now() + self.patience.to_send();
        let priority = self.call.options.priority;
        let begun = Instant::now();
        let admission = self.egress.governor.admit(&head.method, &head.uri, priority, until).await;
        telemetry::waited_for_turn(self.call.span(), begun, admission.is_ok());
        admission.map(Some)
    }
}

/// Says why a request was not sent, in a form that the guest makes a good error of.
fn without_token(entry: &RequestEntry, error: &TokenError) -> Answer {
    entry.failed("no-token", error.to_string());
    match error {
        TokenError::NoCredential(error) => Ok(own(credentials::lacking_management(*error))),
        TokenError::Refused(refusal) => Ok(own(credentials::refused_management(refusal))),
        TokenError::NotReached(error) => Err(not_sent(error)),
        TokenError::Late => Err(WasiError::ConnectionTimeout),
    }
}

fn authorize(head: &mut Parts, token: &Token) {
    if let Some(value) = token.authorization() {
        head.headers.insert(header::AUTHORIZATION, value);
    }
}

/// A token request that was lost says nothing about the guest's request, which was not sent. A code that reads as
/// "sent, no answer" would turn a create into `outcome-unknown`.
fn not_sent(error: &TransportError) -> WasiError {
    if error.may_have_been_sent() { WasiError::ConnectionTimeout } else { error.to_wasi() }
}

fn own(answer: OwnAnswer) -> Response<WasiBody> {
    answer.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

/// The hooks that wasmtime calls for a guest's HTTP.
pub(crate) struct GuestHttp {
    egress: Option<Arc<Egress>>,
    call: Arc<CallContext>,
    handed_over: u64,
}

impl GuestHttp {
    /// Gives a call its way out.
    pub(crate) fn new(egress: Arc<Egress>, call: Arc<CallContext>) -> Self {
        Self { egress: Some(egress), call, handed_over: 0 }
    }

    /// Gives no way out.
    pub(crate) fn sealed() -> Self {
        let call = CallContext::new(Instant::now(), CallOptions::default());
        Self { egress: None, call: Arc::new(call), handed_over: 0 }
    }

    /// Counts the requests that the guest has handed over, those past the limit of a call not included.
    pub(crate) fn handed_over(&self) -> usize {
        let most = self.egress.as_ref().map_or(0, |egress| egress.limits.requests);
        usize::try_from(self.handed_over.min(most)).unwrap_or(usize::MAX)
    }
}

type Driver = Box<dyn Future<Output = Result<(), WasiError>> + Send>;
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Driver), WasiError>> + Send>;

impl WasiHttpHooks for GuestHttp {
    /// Forbids `Authorization` where the host authenticates. This hook covers trailers too, which
    /// `is_forbidden_header` does not (GHSA-jxcf-8qw5-5c33).
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        let authenticates = self.egress.as_ref().is_none_or(|egress| egress.keyring.holds_any());
        Arc::new(move |name: &HeaderName| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name) || (authenticates && *name == header::AUTHORIZATION)
        })
    }

    /// The pooled client sets `Host` itself, and leaves it out for HTTP/2.
    fn set_host_header(&mut self) -> bool {
        false
    }

    /// What the host holds of a body that the guest has begun: two of these at most. A guest may begin many.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 * 1024
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Sending {
        self.handed_over = self.handed_over.saturating_add(1);
        let egress = self.egress.clone();
        let call = Arc::clone(&self.call);
        Box::new(async move {
            let Some(egress) = egress else { return Err(WasiError::HttpRequestDenied) };
            let response = egress.send(request, options.unwrap_or_default(), &call).await?;
            // The pool drives the sockets.
            let driver: Driver = Box::new(async { Ok(()) });
            Ok((response, driver))
        })
    }
}

#[cfg(test)]
mod tests;
