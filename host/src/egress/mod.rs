//! The way out of the sandbox.
//!
//! Every request of a guest passes here, in this order: may it go there ([`policy`]), what may it carry
//! ([`credentials`], [`token`]), and then out ([`transport`]). Nothing in here knows what an action is: the rules hold
//! for whatever a component builds, its own mistakes and those of a hostile one included.

mod body;
pub(crate) mod credentials;
pub(crate) mod policy;
pub(crate) mod token;
pub(crate) mod transport;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
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
    policy::{Destination, Destinations},
    token::{Token, TokenError},
    transport::{CONNECT_TIMEOUT, Timeouts, Transport, TransportError},
};
use crate::call::{RequestEntry, RequestLog};

/// Auth0's errors are some hundred bytes; what is longer is dropped with its connection.
const MAX_REFUSAL_BODY: usize = 64 * 1024;

/// Everything that one connection sends goes through one of these.
#[derive(Debug)]
pub(crate) struct Egress {
    destinations: Destinations,
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
        Self { destinations, keyring, transport, patience, requests: AtomicU64::new(0) }
    }

    /// Counts the requests sent so far, token requests not included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts the tokens fetched so far.
    pub(crate) fn tokens_fetched(&self) -> u64 {
        self.keyring.tokens_fetched()
    }

    /// Counts the connections opened so far.
    pub(crate) fn connections_opened(&self) -> u64 {
        self.transport.connections_opened()
    }

    /// Sends one request of a guest.
    async fn send(&self, request: Request<WasiBody>, options: RequestOptions, log: &RequestLog) -> Answer {
        let (mut head, body) = request.into_parts();
        let destination = match self.destinations.classify(&head.method, &head.uri) {
            Ok(destination) => destination,
            Err(denial) => {
                log.open(&head.method, &head.uri, 0).failed(denial.to_string());
                return Err(WasiError::HttpRequestDenied);
            }
        };
        let mut body = body::collect(body).await?;
        // The length is counted anew from what is really sent.
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        if self.keyring.holds_any() {
            head.headers.remove(header::AUTHORIZATION);
        }
        let outgoing = Outgoing { egress: self, options, log };
        match destination {
            Destination::ManagementApi => outgoing.with_token(head, body).await,
            Destination::TokenEndpoint if self.keyring.holds_tenant() => self.broker().await,
            Destination::TokenEndpoint | Destination::TenantOther => outgoing.once(&head, &body).await,
            Destination::Mail(provider) => {
                self.keyring.apply_mail_key(provider, &mut head.headers, &mut body);
                outgoing.once(&head, &body).await
            }
        }
    }

    /// Answers a guest that asks for a token: it learns what the token may do and how long, and never has it.
    async fn broker(&self) -> Answer {
        match self.keyring.token().await {
            Ok(Some(token)) => Ok(own(credentials::describe_token(&token))),
            Ok(None) => Err(WasiError::HttpRequestDenied),
            Err(TokenError::Refused(refusal)) => Ok(own(credentials::refused_oauth(&refusal))),
            Err(TokenError::NotReached(error)) => Err(not_sent(&error)),
        }
    }
}

/// One request on its way.
struct Outgoing<'a> {
    egress: &'a Egress,
    options: RequestOptions,
    log: &'a RequestLog,
}

impl Outgoing<'_> {
    /// Sends with the tenant's token, and once more with another where the tenant refuses that.
    async fn with_token(&self, mut head: Parts, body: Bytes) -> Answer {
        let token = match self.egress.keyring.token().await {
            Ok(Some(token)) => token,
            Ok(None) => return self.once(&head, &body).await,
            Err(error) => return self.without_token(&head, &error),
        };
        authorize(&mut head, &token);
        let answer = self.once(&head, &body).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // A refused token did nothing, so the request can be repeated whatever its method.
        match self.egress.keyring.another(&token).await {
            None => Ok(answer),
            Some(Ok(token)) => {
                // Read to its end, so that the connection can carry the repetition.
                let _ = Limited::new(answer.into_body(), MAX_REFUSAL_BODY).collect().await;
                authorize(&mut head, &token);
                self.once(&head, &body).await
            }
            Some(Err(error)) => self.without_token(&head, &error),
        }
    }

    /// Says why a request was not sent, in a form that the guest makes a good error of.
    fn without_token(&self, head: &Parts, error: &TokenError) -> Answer {
        self.log.open(&head.method, &head.uri, 0).failed(error.to_string());
        match error {
            TokenError::Refused(refusal) => Ok(own(credentials::refused_management(refusal))),
            TokenError::NotReached(error) => Err(not_sent(error)),
        }
    }

    /// Sends as it is, and writes it down.
    async fn once(&self, head: &Parts, body: &Bytes) -> Answer {
        let entry = self.log.open(&head.method, &head.uri, body.len() as u64);
        self.egress.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        let timeouts = Timeouts {
            connect: self.options.connect_timeout.map_or(CONNECT_TIMEOUT, |guest| guest.min(CONNECT_TIMEOUT)),
            first_byte: self.options.first_byte_timeout.unwrap_or(self.egress.patience),
        };
        match self.egress.transport.send(request, timeouts).await {
            Ok(response) => {
                entry.answered(response.status());
                let between_bytes = self.options.between_bytes_timeout.unwrap_or(self.egress.patience);
                Ok(response.map(|body| AnswerBody::new(body, entry, Some(between_bytes)).boxed_unsync()))
            }
            Err(error) => Err(fail(entry, &error)),
        }
    }
}

fn authorize(head: &mut Parts, token: &Token) {
    if let Some(value) = token.authorization() {
        head.headers.insert(header::AUTHORIZATION, value);
    }
}

fn fail(entry: RequestEntry, error: &TransportError) -> WasiError {
    entry.failed(error.to_string());
    error.to_wasi()
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
    log: Arc<RequestLog>,
}

impl GuestHttp {
    /// Gives a call its way out.
    pub(crate) fn new(egress: Arc<Egress>, log: Arc<RequestLog>) -> Self {
        Self { egress: Some(egress), log }
    }

    /// Gives no way out.
    pub(crate) fn sealed() -> Self {
        Self { egress: None, log: Arc::default() }
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

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Sending {
        let egress = self.egress.clone();
        let log = Arc::clone(&self.log);
        Box::new(async move {
            let Some(egress) = egress else { return Err(WasiError::HttpRequestDenied) };
            let response = egress.send(request, options.unwrap_or_default(), &log).await?;
            // The pool drives the sockets.
            let driver: Driver = Box::new(async { Ok(()) });
            Ok((response, driver))
        })
    }
}

#[cfg(test)]
mod tests;
