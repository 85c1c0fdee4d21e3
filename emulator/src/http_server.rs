//! Connections and requests: accept, read, meet the faults, answer, keep the record.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::{SignedDuration, Timestamp};
use rustls::HandshakeKind;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::call::{Answer, Body, Refusal};
use crate::control::{Listener, SeenRequest};
use crate::faults::FaultKind;
use crate::reply::Reply;
use crate::server::Shared;
use crate::{control_http, logs, mail, routes, time, tokens};

/// Auth0's largest request body.
const MAX_BODY: usize = 1024 * 1024;

/// Requests at once on a connection of HTTP/2: as many as a host lets go, so that the offline tenant is not what waits.
const MAX_STREAMS: u32 = 1024;

/// What replaces a secret in the record.
const MASK: &str = "[masked]";

/// Makes a connection end with a reset. HTTP/2 would only reset the stream of the request otherwise.
#[derive(Default)]
struct ResetSwitch {
    on: AtomicBool,
    turned: Notify,
}

impl ResetSwitch {
    fn turn_on(&self) {
        self.on.store(true, Ordering::Relaxed);
        self.turned.notify_one();
    }

    fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

/// A TCP stream that can end with a reset instead of a goodbye.
struct Wire {
    stream: TcpStream,
    reset: Arc<ResetSwitch>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.is_on() {
            // Zero linger turns the close into a reset; where that fails the peer still sees a close.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.is_on() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// One connection, as its requests see it.
#[derive(Clone)]
struct Connection {
    listener: Listener,
    shared: Arc<Shared>,
    /// Numbered at its first request that is not one for the control surface.
    number: Arc<std::sync::OnceLock<u64>>,
    reset: Arc<ResetSwitch>,
}

/// Accepts connections until it is stopped, then lets the open ones finish.
pub(crate) async fn accept(
    listener: TcpListener,
    kind: Listener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut stopping = stopped.clone();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let reset = Arc::<ResetSwitch>::default();
                let connection = Connection {
                    listener: kind,
                    shared: Arc::clone(&shared),
                    number: Arc::default(),
                    reset: Arc::clone(&reset),
                };
                connections.spawn(serve(Wire { stream, reset }, acceptor.clone(), connection, stopped.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    // Open requests get a moment; a client that holds its connection open does not hold the shutdown up.
    let _ = tokio::time::timeout(Duration::from_secs(2), async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn serve(
    wire: Wire,
    acceptor: Option<TlsAcceptor>,
    connection: Connection,
    stopped: watch::Receiver<bool>,
) {
    match acceptor {
        None => serve_io(wire, connection, stopped).await,
        Some(acceptor) => {
            // A failed handshake is the client's business.
            if let Ok(stream) = acceptor.accept(wire).await {
                if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
                    connection.shared.tenant().counts.tls_resumed += 1;
                }
                serve_io(stream, connection, stopped).await;
            }
        }
    }
}

async fn serve_io(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    mut stopped: watch::Receiver<bool>,
) {
    let reset = Arc::clone(&connection.reset);
    let service = service_fn(move |request| {
        let connection = connection.clone();
        async move { answer(request, &connection).await }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(MAX_STREAMS);
    let serving = server.serve_connection(TokioIo::new(io), service);
    tokio::pin!(serving);
    tokio::select! {
        // Errors here are the faults that were asked for, or clients that went away.
        _ = serving.as_mut() => return,
        () = reset.turned.notified() => return,
        _ = stopped.wait_for(|stop| *stop) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// Why a request gets no answer.
#[derive(Debug)]
enum Unanswered {
    /// The connection is to be reset.
    Reset,
    /// Its body did not come to its end.
    BrokenOff(hyper::Error),
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reset => f.write_str("reset on purpose"),
            Self::BrokenOff(error) => write!(f, "the request's body was broken off: {error}"),
        }
    }
}

impl std::error::Error for Unanswered {}

/// A request, read.
pub(crate) struct Incomer {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body is larger than the API takes.
    pub(crate) too_large: bool,
}

/// An answer, with what the record wants to know.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) route: Option<String>,
    pub(crate) authorized: bool,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { answer, route: None, authorized: false }
    }
}

async fn answer(request: Request<Incoming>, connection: &Connection) -> Result<Response<Reply>, Unanswered> {
    let shared = &connection.shared;
    let version = request.version();
    let (parts, body) = request.into_parts();
    let is_control = connection.listener == Listener::Tenant && parts.uri.path().starts_with("/__emulator/");
    if is_control && let Some(refusal) = control_http::refuse_stranger(shared, &parts.uri, &parts.headers) {
        return Ok(response(refusal, None));
    }
    let mut incomer = Incomer {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body: Bytes::new(),
        too_large: false,
    };
    if is_control {
        read(body, &mut incomer).await.map_err(Unanswered::BrokenOff)?;
        return Ok(response(control_http::answer(shared, &incomer), None));
    }
    let number = *connection.number.get_or_init(|| {
        let number = shared.next_connection();
        let counts = &mut shared.tenant().counts;
        match connection.listener {
            Listener::Tenant => counts.connections += 1,
            Listener::Mail => counts.mail_connections += 1,
        }
        number
    });
    let fault = shared.faults().take(incomer.method.as_str(), &incomer.path);
    let mut seen = SeenRequest {
        listener: connection.listener,
        connection: number,
        version: version_name(version).to_owned(),
        method: incomer.method.to_string(),
        path: incomer.path.clone(),
        query: incomer.query.clone(),
        route: routes::template(&incomer),
        headers: shown_headers(&incomer.headers),
        authorized: false,
        body: None,
        status: None,
        at: time::now_iso(),
    };
    if fault == Some(FaultKind::ResetBeforeRead) {
        shared.record(seen);
        return Err(reset(connection));
    }
    if let Err(error) = read(body, &mut incomer).await {
        // A part of a request is none.
        shared.record(seen);
        return Err(Unanswered::BrokenOff(error));
    }
    seen.body = shown_body(&incomer);
    if fault == Some(FaultKind::ResetAfterReadUnprocessed) {
        shared.record(seen);
        return Err(reset(connection));
    }
    let instead = fault.as_ref().and_then(|fault| unprocessed(fault, &incomer.path));
    let mut outcome = match instead {
        Some(answer) => Outcome { route: routes::template(&incomer), ..answer.into() },
        None => match connection.listener {
            Listener::Tenant => routes::answer(shared, &incomer),
            Listener::Mail => mail::answer(shared, &incomer),
        },
    };
    if let Some(FaultKind::Status { status, body, retry_after, .. }) = &fault {
        outcome.answer = other_status(*status, body.as_deref(), *retry_after, &incomer.path);
    }
    seen.route = outcome.route;
    seen.authorized = outcome.authorized;
    if fault == Some(FaultKind::ResetAfterRead) {
        shared.record(seen);
        return Err(reset(connection));
    }
    seen.status = Some(outcome.answer.status.as_u16());
    shared.record(seen);
    if let Some(FaultKind::Delay { ms }) = fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let mut response = response(outcome.answer, fault);
    let offset = shared.clock_offset.load(Ordering::Relaxed);
    if offset != 0 {
        // The server writes the header itself where there is none.
        let date = (Timestamp::now() + SignedDuration::from_secs(offset)).strftime("%a, %d %b %Y %T GMT");
        if let Ok(date) = date.to_string().parse() {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    Ok(response)
}

fn reset(connection: &Connection) -> Unanswered {
    connection.reset.turn_on();
    Unanswered::Reset
}

/// The answer of a fault that keeps the request from being processed.
fn unprocessed(fault: &FaultKind, path: &str) -> Option<Answer> {
    let unauthorized = |message: &str| Refusal::plain(StatusCode::UNAUTHORIZED, message).into_answer();
    match fault {
        FaultKind::Status { status, body, retry_after, after_processing: false } => {
            Some(other_status(*status, body.as_deref(), *retry_after, path))
        }
        FaultKind::TooManyRequests { retry_after, reset_in } => {
            let refusal = if path == tokens::PATH {
                tokens::too_many()
            } else {
                let message = "Global limit has been reached";
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).into_answer()
            };
            let reset = Timestamp::now().as_second() + i64::from(reset_in.unwrap_or(1));
            let mut answer = refusal
                .header("x-ratelimit-limit", "50")
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-reset", &reset.to_string());
            if let Some(seconds) = retry_after {
                answer = answer.header("retry-after", &seconds.to_string());
            }
            Some(answer)
        }
        FaultKind::ExpiredToken => Some(unauthorized("Expired token received for JSON Web Token validation")),
        FaultKind::RevokedToken => {
            Some(unauthorized("Invalid signature received for JSON Web Token validation"))
        }
        _ => None,
    }
}

fn other_status(status: u16, body: Option<&str>, retry_after: Option<u32>, path: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut answer = match body {
        Some(body) => Answer::text(status, "application/json; charset=utf-8", body),
        None if path == tokens::PATH => {
            let error = match status {
                StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "access_denied",
                status if status.is_server_error() => "server_error",
                _ => "invalid_request",
            };
            tokens::oauth(status, error, reason)
        }
        None => Refusal::plain(status, reason).into_answer(),
    };
    if let Some(seconds) = retry_after {
        answer = answer.header("retry-after", &seconds.to_string());
    }
    answer
}

async fn read(mut body: Incoming, incomer: &mut Incomer) -> hyper::Result<()> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            if bytes.len() + data.len() > MAX_BODY {
                // Read on and throw away, so that the client gets the answer instead of a reset.
                incomer.too_large = true;
                continue;
            }
            bytes.extend_from_slice(data);
        }
    }
    incomer.body = bytes.freeze();
    Ok(())
}

fn response(answer: Answer, fault: Option<FaultKind>) -> Response<Reply> {
    let (kind, bytes) = match answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(value) => (Some("application/json; charset=utf-8"), Bytes::from(value.to_string())),
        Body::Text(kind, text) => (Some(kind), Bytes::from(text)),
    };
    let reply = match fault {
        Some(FaultKind::Truncate) => Reply::cut_off(bytes),
        Some(FaultKind::Malformed) => Reply::whole("{\"statusCode\": <html>upstream</html>"),
        Some(FaultKind::SlowBody { ms_per_chunk }) => Reply::slow(bytes, Duration::from_millis(ms_per_chunk)),
        _ => Reply::whole(bytes),
    };
    let mut response = Response::new(reply);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if let Some(kind) = kind.and_then(|kind| kind.parse().ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    if let Ok(id) = crate::ids::secret(20).to_lowercase().parse() {
        response.headers_mut().insert("x-auth0-requestid", id);
    }
    response
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

fn shown_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let secret = ["authorization", "cookie", "x-api-key", "api-key"];
    headers
        .iter()
        .map(|(name, value)| {
            let shown = if secret.contains(&name.as_str()) {
                MASK.to_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            (name.as_str().to_owned(), shown)
        })
        .collect()
}

/// The body for the record: JSON or form as JSON, secrets masked, other text as a string.
fn shown_body(incomer: &Incomer) -> Option<Value> {
    if incomer.body.is_empty() {
        return None;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&incomer.body) {
        let mut value = logs::masked(&value, MASK);
        // Mandrill's key travels as `key` in the body.
        if let Some(key) = value.get_mut("key") {
            *key = json!(MASK);
        }
        return Some(value);
    }
    let kind =
        incomer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let form: serde_json::Map<String, Value> = form_urlencoded::parse(&incomer.body)
            .map(|(key, value)| (key.into_owned(), value.into_owned().into()))
            .collect();
        return Some(logs::masked(&Value::Object(form), MASK));
    }
    Some(String::from_utf8_lossy(&incomer.body).into_owned().into())
}
