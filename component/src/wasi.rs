//! The one room that touches WASI: HTTP, clocks, randomness, environment. A build for WASI 0.3 replaces this file.
//!
//! The request's body is written and the answer read whole, in blocking calls, since the exports are synchronous. Every
//! wait has the deadline behind it: a host that ignores the timeouts given to it cannot hold the guest longer than its
//! own polls take.

use std::cell::RefCell;

use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{OutputStream, StreamError};

use serde_json::Value;

use auth0_connector::client::{Client, LARGEST_ANSWER, SendError, Transport, WireRequest};
use auth0_connector::core::error::Error;
use auth0_connector::core::events;
use auth0_connector::core::request::Method;
use auth0_connector::core::response::Response;
use auth0_connector::settings::Settings;
use auth0_connector::token::TokenCache;

const NS_PER_MS: u64 = 1_000_000;

/// Time to connect, of which the deadline is the upper bound. Recorded calls from another continent end within 1–4 s
/// (facts, section 9); a connection alone takes a fraction of that.
const CONNECT_MS: u64 = 10_000;

thread_local! {
    static TOKENS: RefCell<TokenCache> = const { RefCell::new(TokenCache::new()) };
}

/// What one call does with its client.
pub(crate) type Run<'a> = &'a mut dyn FnMut(&mut Client<'_>) -> Result<Value, Error>;

/// Runs one call: settings from the environment, a client over WASI, the instance's token. Not generic, so that its code
/// is in the component once and not once for each of the exports.
#[inline(never)]
pub(crate) fn call(run: Run<'_>) -> Result<Value, Error> {
    let variables = wasip2::cli::environment::get_environment();
    let settings = Settings::read(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    TOKENS.with_borrow_mut(|tokens| {
        let mut transport = Wasi;
        run(&mut Client::new(&mut transport, &settings, tokens))
    })
}

struct Wasi;

impl Transport for Wasi {
    fn send(&mut self, request: &WireRequest<'_>, timeout_ms: u64) -> Result<Response, SendError> {
        let ends_at = monotonic_clock::now().saturating_add(timeout_ms.saturating_mul(NS_PER_MS));
        let outgoing = outgoing_request(request)?;
        let mut upload = Upload::begin(&outgoing, request.body)?;
        // What is there before the host is asked to send, it need not wait for.
        let begun = upload.write();
        let future = outgoing_handler::handle(outgoing, Some(options(timeout_ms)))
            .map_err(|code| send_error(&code, &request.origin.authority))?;
        // A failure to write says less than the answer does, which is waited for in any case: a tenant may answer, and
        // close, before it has read the whole body.
        let deadline = monotonic_clock::subscribe_instant(ends_at);
        let _ = begun.and_then(|_| upload.finish(&deadline));
        let pollable = future.subscribe();
        if poll(&[&pollable, &deadline]).first() != Some(&0) {
            return Err(SendError::Lost(format!("no answer within {timeout_ms} ms")));
        }
        drop(pollable);
        let incoming = match future.get() {
            Some(Ok(Ok(incoming))) => incoming,
            Some(Ok(Err(code))) => return Err(send_error(&code, &request.origin.authority)),
            _ => return Err(SendError::Lost("the host gave no answer".to_owned())),
        };
        let response = read_response(incoming, &deadline, ends_at, request.events);
        drop(future);
        response
    }

    fn monotonic_ms(&mut self) -> u64 {
        monotonic_clock::now() / NS_PER_MS
    }

    fn unix_ms(&mut self) -> i64 {
        let now = wall_clock::now();
        let ms = now.seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds) / NS_PER_MS);
        i64::try_from(ms).unwrap_or(i64::MAX)
    }

    fn sleep_ms(&mut self, ms: u64) {
        monotonic_clock::subscribe_duration(ms.saturating_mul(NS_PER_MS)).block();
    }

    fn random(&mut self) -> u64 {
        wasip2::random::random::get_random_u64()
    }
}

fn malformed(what: &str) -> SendError {
    SendError::Malformed(what.to_owned())
}

fn outgoing_request(request: &WireRequest<'_>) -> Result<OutgoingRequest, SendError> {
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect();
    let mut headers = headers;
    // Without a length the body goes chunked, which HTTP/1.1 proxies have been seen to refuse on DELETE.
    if !request.body.is_empty() || matches!(request.method, Method::Post | Method::Put | Method::Patch) {
        headers.push(("content-length".to_owned(), request.body.len().to_string().into_bytes()));
    }
    let headers = Fields::from_list(&headers)
        .map_err(|error| SendError::Malformed(format!("the host refused a header: {error:?}")))?;
    let outgoing = OutgoingRequest::new(headers);
    let method = match request.method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Patch => WasiMethod::Patch,
        Method::Delete => WasiMethod::Delete,
    };
    let scheme = if request.origin.tls { Scheme::Https } else { Scheme::Http };
    outgoing
        .set_method(&method)
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(&request.origin.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&request.path_and_query)))
        .map_err(|()| malformed("the host refused the address of the request"))?;
    Ok(outgoing)
}

fn options(timeout_ms: u64) -> RequestOptions {
    let options = RequestOptions::new();
    let whole = timeout_ms.saturating_mul(NS_PER_MS);
    // A host may support none of these; the deadline holds all the same.
    let _ = options.set_connect_timeout(Some(whole.min(CONNECT_MS * NS_PER_MS)));
    let _ = options.set_first_byte_timeout(Some(whole));
    let _ = options.set_between_bytes_timeout(Some(whole));
    options
}

/// A request's body on its way to the host.
struct Upload<'a> {
    // Dropped before the body that it belongs to.
    stream: Option<OutputStream>,
    body: OutgoingBody,
    left: &'a [u8],
}

impl<'a> Upload<'a> {
    /// Begins a body, of an empty one too: jco's host takes no request that nobody asked for its body. It also takes none
    /// whose body is finished already.
    fn begin(outgoing: &OutgoingRequest, bytes: &'a [u8]) -> Result<Self, SendError> {
        let refused = |()| malformed("the host gave no body to write to");
        let body = outgoing.body().map_err(refused)?;
        let stream = if bytes.is_empty() { None } else { Some(body.write().map_err(refused)?) };
        Ok(Self { stream, body, left: bytes })
    }

    /// Writes what the host takes at once, and returns whether that was all.
    fn write(&mut self) -> Result<bool, ()> {
        let Some(stream) = &self.stream else { return Ok(true) };
        while !self.left.is_empty() {
            let room = usize::try_from(stream.check_write().map_err(drop)?).unwrap_or(usize::MAX);
            if room == 0 {
                return Ok(false);
            }
            let (chunk, rest) = self.left.split_at(room.min(self.left.len()));
            stream.write(chunk).map_err(drop)?;
            self.left = rest;
        }
        Ok(true)
    }

    /// Writes the rest as fast as the host takes it, until the deadline.
    fn finish(mut self, deadline: &Pollable) -> Result<(), ()> {
        while !self.write()? {
            let Some(stream) = &self.stream else { break };
            if poll(&[&stream.subscribe(), deadline]).first() != Some(&0) {
                return Err(());
            }
        }
        drop(self.stream);
        OutgoingBody::finish(self.body, None).map_err(drop)
    }
}

fn read_response(
    incoming: IncomingResponse,
    deadline: &Pollable,
    ends_at: u64,
    events: Option<usize>,
) -> Result<Response, SendError> {
    let status = incoming.status();
    let headers = incoming
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let mut response = Response { status, headers, body: Vec::new() };
    let Ok(body) = incoming.consume() else {
        return Err(SendError::Cut { head: response, message: "the host gave no body".to_owned() });
    };
    let read = match events.filter(|_| response.is_success()) {
        Some(most) => read_events(&body, ends_at, most).map(Some),
        None => read_body(&body, deadline),
    };
    match read {
        Ok(Some(bytes)) => response.body = bytes,
        Ok(None) => return Err(SendError::TooLarge { status }),
        Err(message) => return Err(SendError::Cut { head: response, message }),
    }
    Ok(response)
}

/// Reads a body whole; nothing where it is too large.
fn read_body(body: &IncomingBody, deadline: &Pollable) -> Result<Option<Vec<u8>>, String> {
    let stream = body.stream().map_err(|()| "the host gave no stream".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        // What came with the head is there already.
        match stream.read(64 * 1024) {
            Ok(chunk) if chunk.is_empty() => {
                if poll(&[&stream.subscribe(), deadline]).first() != Some(&0) {
                    return Err("the deadline passed".to_owned());
                }
            }
            Ok(chunk) if bytes.is_empty() => bytes = chunk,
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(Some(bytes)),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
        if bytes.len() > LARGEST_ANSWER {
            return Ok(None);
        }
    }
}

/// How long a stream of events may be silent after one has come: a tenant sends what it has one behind the other, and
/// then what happens when it happens.
const SILENCE_MS: u64 = 2_000;

/// Reads a stream of events until enough have come, it falls silent, or the time is over: it has no end of its own.
fn read_events(body: &IncomingBody, ends_at: u64, most: usize) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "the host gave no stream".to_owned())?;
    let (mut bytes, mut came, mut until) = (Vec::new(), 0, ends_at);
    while came < most && bytes.len() <= LARGEST_ANSWER {
        let readable = stream.subscribe();
        let deadline = monotonic_clock::subscribe_instant(until);
        if poll(&[&readable, &deadline]).first() != Some(&0) {
            break;
        }
        drop(readable);
        match stream.read(64 * 1024) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) if came == 0 => return Err(error.to_debug_string()),
            Err(StreamError::LastOperationFailed(_)) => break,
        }
        let count = events::count(&bytes);
        if count > came {
            came = count;
            until = ends_at.min(monotonic_clock::now().saturating_add(SILENCE_MS * NS_PER_MS));
        }
    }
    Ok(bytes)
}

/// Sorts WASI's error codes: what surely never reached the tenant, and what may have.
fn send_error(code: &ErrorCode, authority: &str) -> SendError {
    let what = describe(code);
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            SendError::Denied(format!("the host's policy refused the request: {what}"))
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsAlertReceived(_) => {
            SendError::NotSent(format!("{authority} could not be reached: {what}"))
        }
        ErrorCode::DestinationNotFound | ErrorCode::TlsCertificateError => {
            SendError::Unreachable(format!("{authority} could not be reached: {what}"))
        }
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::ConfigurationError => {
            SendError::Malformed(format!("the host refused the request: {what}"))
        }
        _ => SendError::Lost(what),
    }
}

fn describe(code: &ErrorCode) -> String {
    match code {
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => {
            "its name could not be resolved; check the name and the network".to_owned()
        }
        ErrorCode::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorCode::ConnectionTimeout => "the connection took too long".to_owned(),
        ErrorCode::ConnectionTerminated => "the connection was closed before the answer".to_owned(),
        ErrorCode::TlsCertificateError => "its certificate is not trusted".to_owned(),
        ErrorCode::HttpResponseTimeout => "no answer in time".to_owned(),
        ErrorCode::InternalError(Some(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}
