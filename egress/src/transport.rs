//! One pooled client per tenant.
//!
//! wasmtime's own transport opens a new TCP and TLS connection for each request, trusts only the roots it was built
//! with, waits 600 s by default and for a TLS handshake without limit. Against an API that is tens of milliseconds
//! away, the saved handshake is most of the time. A pool is never shared between two tenants: what a server may
//! remember of a TLS session, or a proxy of a socket, stays with one tenant and one credential.
//!
//! Errors keep the one fact that a workflow engine needs: whether the request was sent. Redirects are not followed.

use std::{
    error::Error as StdError,
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tower_service::Service;

use super::{
    SendError,
    address::Prohibited,
    resolver::{ResolveError, Resolver},
};
use crate::{call::DENIED, flood::Metered, settings_error::SettingsError, telemetry};

/// Name lookup, TCP and TLS together. A healthy connection to Auth0's edge takes well under a second; five leave room
/// for two lost packets.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed by us rather than under us: common servers and load balancers keep them for 60 s or
/// more (AWS ALB 60 s, nginx 75 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Idle connections that are kept. 3000 requests took 1625 connections with 4 and 31 with 32 (wash-runtime).
const MAX_IDLE: usize = 32;
/// How often HTTP/2 asks the server whether it is still there. A path that died in silence keeps accepting requests
/// until Linux gives up sending (`net.ipv4.tcp_retries2` = 15: 15 minutes), and HTTP/2 would put every call on it. With
/// [`PING_TIMEOUT`] it is found out within 25 s, before the second call of the default deadline (30 s), and the idle
/// time of a pooled connection sees two pings at most.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long the answer to that may take: what is given to a whole new connection, [`CONNECT_TIMEOUT`].
const PING_TIMEOUT: Duration = CONNECT_TIMEOUT;
/// What HTTP/2 lets a server send of one answer before it is read: 10 MB/s at 50 ms, so that the longest answer takes
/// less than a second.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The same for all answers of a connection together: the most that HTTP/2 has (RFC 9113, section 6.9.1), so that each
/// stream's own window is the only one. hyper's 5 MB would be used up by ten answers that a guest does not read, and
/// every other call of the tenant would stand still.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// How often a request is put on a connection that closes before it takes the request. The pool passes over
/// connections that it knows to be closed, so each of these is a race lost by microseconds; a server that closes
/// every connection at once must not be asked for ever.
const MAX_HANDED_BACK: usize = 3;

/// How long to wait for what, from the call of [`Transport::send`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For a connection. What takes longer was not sent.
    pub(crate) connect: Duration,
    /// For the head of the answer.
    pub(crate) answer: Duration,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransmitState {
    /// Given to a connection: from here on the server may see it.
    OnConnection,
    /// Given back by a connection that had not begun to write it.
    HandedBack,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// The name does not resolve.
    Dns(String),
    /// The name leads where no connection may be opened to. Nothing was sent.
    Prohibited(Prohibited),
    /// Nobody listens there.
    Refused,
    /// No way to there.
    Unroutable(String),
    /// The connection took too long. Nothing was sent.
    ConnectTimeout,
    /// The server's certificate is not trusted.
    Certificate(String),
    /// The TLS handshake failed.
    Tls(String),
    /// No connection, for another reason. Nothing was sent.
    Connect(String),
    /// The connection ended before the answer. It was sent.
    Terminated(String),
    /// No answer in time. It was sent.
    ResponseTimeout,
    /// The answer is not HTTP. It was sent.
    Protocol(String),
}

impl TransportError {
    /// Returns whether the server may have seen the request.
    pub fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::Terminated(_) | Self::ResponseTimeout | Self::Protocol(_))
    }

    /// Returns the word for it in audit records and traces.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Prohibited(_) => DENIED,
            Self::Refused => "refused",
            Self::Unroutable(_) => "unroutable",
            Self::ConnectTimeout => "connect-timeout",
            Self::Certificate(_) => "certificate",
            Self::Tls(_) => "tls",
            Self::Connect(_) => "connect",
            Self::Terminated(_) => "terminated",
            Self::ResponseTimeout => "response-timeout",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Returns the error that the caller of the egress gets.
    pub fn to_send_error(&self) -> SendError {
        match self {
            Self::Dns(reason) => SendError::DnsError { rcode: Some(reason.clone()) },
            Self::Prohibited(_) => SendError::DestinationIpProhibited,
            Self::Refused => SendError::ConnectionRefused,
            Self::Unroutable(_) => SendError::DestinationIpUnroutable,
            Self::ConnectTimeout => SendError::ConnectionTimeout,
            Self::Certificate(_) => SendError::TlsCertificateError,
            Self::Tls(_) => SendError::TlsProtocolError,
            Self::Connect(_) => SendError::DestinationUnavailable,
            Self::Terminated(_) => SendError::ConnectionTerminated,
            Self::ResponseTimeout => SendError::HttpResponseTimeout,
            Self::Protocol(_) => SendError::HttpProtocolError,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(reason) => write!(f, "the name does not resolve: {reason}"),
            Self::Prohibited(prohibited) => write!(f, "denied: {prohibited}"),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Unroutable(reason) => write!(f, "there is no route: {reason}"),
            Self::ConnectTimeout => f.write_str("the connection took too long"),
            Self::Certificate(reason) => write!(f, "the server's certificate is not trusted: {reason}"),
            Self::Tls(reason) => write!(f, "the TLS handshake failed: {reason}"),
            Self::Connect(reason) => write!(f, "could not connect: {reason}"),
            Self::Terminated(reason) => {
                write!(f, "sent, but the connection ended before the answer: {reason}")
            }
            Self::ResponseTimeout => f.write_str("sent, but no answer came in time"),
            Self::Protocol(reason) => write!(f, "sent, but the answer is not HTTP: {reason}"),
        }
    }
}

/// How HTTP/2 finds out that a connection is dead.
#[derive(Clone, Copy, Debug)]
struct Ping {
    interval: Duration,
    timeout: Duration,
}

/// A pooled HTTP client.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: Client<Connector, Full<Bytes>>,
    resolver: Resolver,
    opened: Arc<AtomicU64>,
}

impl Transport {
    /// Connects to what the resolver lets through.
    pub(crate) fn new(tls: ClientConfig, resolver: Resolver, header_bytes: usize) -> Self {
        Self::with_ping(tls, resolver, header_bytes, Ping { interval: PING_INTERVAL, timeout: PING_TIMEOUT })
    }

    fn with_ping(tls: ClientConfig, resolver: Resolver, header_bytes: usize, ping: Ping) -> Self {
        let opened = Arc::new(AtomicU64::new(0));
        let mut tcp = HttpConnector::new_with_resolver(resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            // What does not fit is an error of the connection, and never in the host's memory as a whole.
            .http1_max_buf_size(header_bytes)
            .http2_max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(ping.interval)
            .http2_keep_alive_timeout(ping.timeout)
            // In silence too: the next call would find the dead connection and be lost on it.
            .http2_keep_alive_while_idle(true)
            // Repeated in `send`, which must know on which connection a request is.
            .retry_canceled_requests(false)
            .build(Connector { https, resolver: resolver.clone(), opened: Arc::clone(&opened) });
        Self { client, resolver, opened }
    }

    /// Looks names up, and keeps back what is not connected to.
    pub(crate) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Counts the connections opened so far.
    pub(crate) fn connections_opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for the head of the answer. `follow` is called when the request goes on a connection
    /// and when it comes back from one, so that a caller who is stopped in between knows.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        timeouts: Timeouts,
        mut follow: impl FnMut(TransmitState),
    ) -> Result<Response<Incoming>, TransportError> {
        let begun = Instant::now();
        let mut handed_back = 0;
        loop {
            let left = |whole: Duration| whole.saturating_sub(begun.elapsed());
            let (connect, answer) = (left(timeouts.connect), left(timeouts.answer));
            if connect.is_zero() {
                return Err(TransportError::ConnectTimeout);
            }
            match self.attempt(request.clone(), connect, answer, &mut follow).await {
                Err(Failure::HandedBack(reason)) => {
                    follow(TransmitState::HandedBack);
                    handed_back += 1;
                    if handed_back == MAX_HANDED_BACK {
                        return Err(TransportError::Connect(reason));
                    }
                }
                Err(Failure::Final(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
    }

    async fn attempt(
        &self,
        mut request: Request<Full<Bytes>>,
        connect: Duration,
        answer: Duration,
        follow: &mut impl FnMut(TransmitState),
    ) -> Result<Response<Incoming>, Failure> {
        let begun = Instant::now();
        let connection = capture_connection(&mut request);
        let mut watched = connection.clone();
        let mut response = std::pin::pin!(self.client.request(request));
        let connected = async { drop(watched.wait_for_connection_metadata().await) };
        // A connection in hand is where "not sent" ends.
        let result = tokio::select! {
            biased;
            result = &mut response => {
                if connection.connection_metadata().is_some() {
                    follow(TransmitState::OnConnection);
                }
                Ok(result)
            }
            connected = tokio::time::timeout(connect, connected) => match connected {
                Ok(()) => {
                    follow(TransmitState::OnConnection);
                    tokio::time::timeout(answer.saturating_sub(begun.elapsed()), &mut response).await
                }
                Err(_) => return Err(Failure::Final(TransportError::ConnectTimeout)),
            },
        };
        match result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let on_connection = connection.connection_metadata().is_some();
                Err(Failure::of(&error, on_connection))
            }
            Err(_) => Err(Failure::Final(TransportError::ResponseTimeout)),
        }
    }
}

/// How one attempt failed.
#[derive(Debug)]
enum Failure {
    /// The connection closed before it took the request.
    HandedBack(String),
    Final(TransportError),
}

impl Failure {
    /// Finds what went wrong in a chain of errors.
    ///
    /// hyper makes an error `canceled` only where it gives the request back: queued for a connection that closed before
    /// its task took it (hyper 1.12: `Envelope::drop` and `recv_msg` of client/dispatch.rs and proto/h1/dispatch.rs,
    /// `try_send_request` of client/conn). What has been taken is lost with another kind of error; a test holds hyper
    /// to that.
    fn of(error: &hyper_util::client::legacy::Error, on_connection: bool) -> Self {
        let canceled = causes(error)
            .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
            .find(|cause| cause.is_canceled());
        match canceled {
            Some(canceled) => Self::HandedBack(deepest(canceled)),
            None => Self::Final(classify(error, on_connection)),
        }
    }
}

fn classify(error: &hyper_util::client::legacy::Error, on_connection: bool) -> TransportError {
    // Without a connection nothing was sent, whatever the client calls it: a handshake of HTTP/2 that fails is a
    // `SendRequest` to it.
    let connecting = error.is_connect() || !on_connection;
    let mut io_kind = None;
    for cause in causes(error) {
        if let Some(cause) = cause.downcast_ref::<ResolveError>() {
            return match cause {
                ResolveError::Prohibited(prohibited) => TransportError::Prohibited(prohibited.clone()),
                _ => TransportError::Dns(cause.to_string()),
            };
        }
        if cause.is::<ConnectTimedOut>() {
            return TransportError::ConnectTimeout;
        }
        if let Some(cause) = cause.downcast_ref::<rustls::Error>() {
            return match cause {
                rustls::Error::InvalidCertificate(reason) => TransportError::Certificate(reason.to_string()),
                _ if connecting => TransportError::Tls(cause.to_string()),
                _ => TransportError::Terminated(cause.to_string()),
            };
        }
        if let Some(cause) = cause.downcast_ref::<hyper::Error>()
            && !connecting
            && (cause.is_parse() || cause.is_parse_too_large())
        {
            return TransportError::Protocol(cause.to_string());
        }
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            io_kind = Some(cause.kind());
        }
    }
    let reason = deepest(error);
    if !connecting {
        return TransportError::Terminated(reason);
    }
    match io_kind {
        Some(io::ErrorKind::ConnectionRefused) => TransportError::Refused,
        Some(io::ErrorKind::TimedOut) => TransportError::ConnectTimeout,
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            TransportError::Unroutable(reason)
        }
        _ => TransportError::Connect(reason),
    }
}

fn deepest(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Walks down an error. `io::Error` hides the error that it wraps from `source()`, so it is opened by hand.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// Returns why the body of an answer broke off.
pub(crate) fn body_error(error: &hyper::Error) -> TransportError {
    TransportError::Terminated(deepest(error))
}

/// Connects within one deadline, and counts.
#[derive(Clone, Debug)]
struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    resolver: Resolver,
    opened: Arc<AtomicU64>,
}

type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The whole of name lookup, TCP and TLS took longer than [`CONNECT_TIMEOUT`].
#[derive(Debug, thiserror::Error)]
#[error("the connection took longer than {CONNECT_TIMEOUT:?}")]
struct ConnectTimedOut;

impl Service<Uri> for Connector {
    type Response = Metered<<HttpsConnector<HttpConnector<Resolver>> as Service<Uri>>::Response>;
    type Error = BoxError;
    type Future = BoxFuture<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // An address in the URL is connected to without a lookup.
        if let Err(prohibited) = self.resolver.check_literal(uri.host().unwrap_or_default()) {
            return Box::pin(async { Err(ResolveError::from(prohibited).into()) });
        }
        let connecting = self.https.call(uri);
        let opened = Arc::clone(&self.opened);
        let begun = Instant::now();
        Box::pin(async move {
            let stream =
                tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| ConnectTimedOut)??;
            opened.fetch_add(1, Ordering::Relaxed);
            telemetry::connection_opened(begun);
            Ok(Metered::new(stream))
        })
    }
}

/// Loads the certificate authorities that this machine trusts.
///
/// The platform's store comes first: it is where an operator puts the authority of a company's proxy, and it is kept
/// up to date by the system. Where there is none (a container from scratch) the Mozilla set that this program was
/// built with takes its place.
pub fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Adds certificate authorities (PEM) to the machine's.
pub fn trusted(mut roots: RootCertStore, ca_pem: Option<&[u8]>) -> Result<RootCertStore, SettingsError> {
    if let Some(pem) = ca_pem {
        let refuse = |problem: String| SettingsError::Ca { problem };
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| refuse(format!("not PEM: {error}")))?;
        if certificates.is_empty() {
            return Err(refuse("it has no certificate".to_owned()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
    }
    Ok(roots)
}

/// Makes the TLS side of one connection: its own session store, no process-wide defaults.
pub(crate) fn tls_config(roots: RootCertStore, ca_pem: Option<&[u8]>) -> Result<ClientConfig, SettingsError> {
    let roots = trusted(roots, ca_pem)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls { problem: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_BYTES: usize = 32 * 1024;

    /// Takes public addresses, and this machine where a URL says so.
    fn resolver() -> Resolver {
        Resolver::new(super::super::address::AddressRules::default())
    }

    fn plain() -> Transport {
        Transport::new(tls_config(RootCertStore::empty(), None).unwrap(), resolver(), HEADER_BYTES)
    }

    fn get(uri: &str) -> Request<Full<Bytes>> {
        Request::get(uri).body(Full::default()).unwrap()
    }

    /// For what is answered, also by a machine that stands still now and then.
    const ROOMY: Timeouts = Timeouts { connect: Duration::from_secs(60), answer: Duration::from_secs(60) };
    /// For what is never answered.
    const SHORT: Timeouts = Timeouts { answer: Duration::from_millis(100), ..ROOMY };

    #[tokio::test]
    async fn each_connection_is_opened_from_one_lookup_to_an_address_that_passed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            }
        });
        for (loopback, expected) in [(true, Ok(204)), (false, Err(()))] {
            let lookups = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&lookups);
            // A name that is rebound: the second answer would be another.
            let answer = move |_: &str| match counted.fetch_add(1, Ordering::Relaxed) {
                0 => vec!["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()],
                _ => vec!["169.254.169.254".parse().unwrap()],
            };
            let rules = crate::address::AddressRules { loopback, networks: Vec::new() };
            let tls = tls_config(RootCertStore::empty(), None).unwrap();
            let transport = Transport::new(tls, Resolver::fake(rules, answer), HEADER_BYTES);
            let send = || {
                let request = Request::get(format!("http://rebound.example:{port}/")).body(Full::default());
                transport.send(request.unwrap(), ROOMY, |_| {})
            };
            let first = send().await;
            assert_eq!(lookups.load(Ordering::Relaxed), 1);
            match expected {
                Ok(status) => assert_eq!(first.unwrap().status().as_u16(), status),
                Err(()) => assert!(matches!(first, Err(TransportError::Prohibited(_))), "{first:?}"),
            }
            let second = send().await;
            assert!(matches!(second, Err(TransportError::Prohibited(_))), "{second:?}");
            assert_eq!(transport.connections_opened(), u64::from(loopback));
        }
    }

    #[tokio::test]
    async fn errors_tell_whether_the_request_was_sent() {
        // Bound and dropped: nobody listens there.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = plain().send(get(&format!("http://{closed}/")), SHORT, |_| ()).await.unwrap_err();
        assert_eq!(error, TransportError::Refused);

        let tls = tls_config(RootCertStore::empty(), None).unwrap();
        let unknown = Resolver::fake(super::super::address::AddressRules::default(), |_| Vec::new());
        let transport = Transport::new(tls, unknown, HEADER_BYTES);
        let error = transport.send(get("http://acme.example/"), SHORT, |_| ()).await.unwrap_err();
        assert!(matches!(error, TransportError::Dns(_)), "{error:?}");
        assert!(!error.may_have_been_sent());
        // The machine's own name server, which may take its time.
        let error = plain().send(get("http://no-such-name.invalid/"), SHORT, |_| ()).await.unwrap_err();
        assert!(matches!(error, TransportError::Dns(_) | TransportError::ConnectTimeout), "{error:?}");
        assert!(!error.may_have_been_sent());

        // Accepts and stays silent.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let error = plain().send(get(&format!("http://{address}/")), SHORT, |_| ()).await.unwrap_err();
        assert_eq!(error, TransportError::ResponseTimeout);
        assert!(error.may_have_been_sent());

        // The handshake gets no answer either: nothing was sent.
        let brief = Timeouts { connect: Duration::from_millis(100), ..SHORT };
        let error = plain().send(get(&format!("https://{address}/")), brief, |_| ()).await.unwrap_err();
        assert_eq!(error, TransportError::ConnectTimeout);

        // Accepts, reads and hangs up, or answers something else.
        for (answer, sent) in [(&b""[..], true), (b"SSH-2.0-OpenSSH\r\n\r\n", true)] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                stream.write_all(answer).await.unwrap();
            });
            let error = plain().send(get(&format!("http://{address}/")), ROOMY, |_| ()).await.unwrap_err();
            assert_eq!(error.may_have_been_sent(), sent, "{error:?}");
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_tls_was_not_sent_the_request() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            // What is left unread when a socket is closed resets the connection, and the answer may be lost.
            let _ = stream.read(&mut [0; 16 * 1024]).await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let error = plain().send(get(&format!("https://{address}/")), SHORT, |_| ()).await.unwrap_err();
        assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
    }

    /// Reads one request without a body; `None` where the client has gone.
    fn read_head(stream: &mut std::net::TcpStream) -> Option<String> {
        use std::io::Read as _;
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        Some(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned())
    }

    const NOTHING: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    /// Guards against counting such a request as lost: a kept connection that closes just then is everyday life.
    #[tokio::test]
    async fn a_request_that_a_closing_connection_gave_back_goes_out_on_another() {
        use std::io::Write as _;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ((close, closing), (closes, closed)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let server = std::thread::spawn(move || {
            let mut seen = Vec::new();
            for last in [false, true] {
                let (mut stream, _) = listener.accept().unwrap();
                seen.push(read_head(&mut stream).unwrap());
                stream.write_all(NOTHING).unwrap();
                if !last {
                    closing.recv().unwrap();
                    drop(stream);
                    closes.send(()).unwrap();
                }
            }
            seen
        });
        let transport = plain();
        let post =
            |path: &str| Request::post(format!("http://{address}{path}")).body(Full::default()).unwrap();
        transport.send(post("/1"), ROOMY, |_| ()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        close.send(()).unwrap();
        // Holds the only thread, so that the client's task cannot see the end of the connection; then the event is
        // fetched, and the request is queued before the task looks at it. What was closed takes a moment to be told.
        closed.recv().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        tokio::task::yield_now().await;
        let mut way = Vec::new();
        transport.send(post("/2"), ROOMY, |state| way.push(state)).await.unwrap();
        assert_eq!(
            way,
            [TransmitState::OnConnection, TransmitState::HandedBack, TransmitState::OnConnection]
        );
        assert_eq!(server.join().unwrap(), ["POST /1 HTTP/1.1", "POST /2 HTTP/1.1"]);
    }

    /// Guards the proof that "handed back" rests on: a server that closes at any moment around the next request sees it
    /// once at most, and never where it is reported as not sent.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_reported_as_not_sent_or_is_sent_again_was_never_seen() {
        use std::{io::Write as _, net::Shutdown, sync::Mutex};
        const ROUNDS: u64 = 200;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::<String>::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for (round, stream) in listener.incoming().enumerate() {
                let (log, mut stream) = (Arc::clone(&log), stream.unwrap());
                std::thread::spawn(move || {
                    let Some(first) = read_head(&mut stream) else { return };
                    let closes = first.contains("/first");
                    log.lock().unwrap().push(first);
                    let _ = stream.write_all(NOTHING);
                    if closes && round % 4 == 0 {
                        // Takes the next request and hangs up on it: a loss in flight, the one thing that must never
                        // look like a request that was given back.
                        let Some(next) = read_head(&mut stream) else { return };
                        log.lock().unwrap().push(next);
                        let _ = stream.shutdown(Shutdown::Write);
                    } else if closes {
                        std::thread::sleep(Duration::from_micros(round as u64 * 37 % 400));
                        let _ = stream.shutdown(Shutdown::Write);
                    }
                    // Whatever still comes was sent.
                    while let Some(more) = read_head(&mut stream) {
                        log.lock().unwrap().push(more);
                    }
                });
            }
        });
        let mut outcomes = Vec::new();
        for round in 0..ROUNDS {
            let transport = plain();
            let post = |path: &str| {
                Request::post(format!("http://{address}/{path}/{round}")).body(Full::default()).unwrap()
            };
            transport.send(post("first"), ROOMY, |_| ()).await.unwrap();
            tokio::time::sleep(Duration::from_micros(round * 53 % 400)).await;
            outcomes.push(transport.send(post("second"), ROOMY, |_| ()).await.map(drop));
        }
        let lost = |outcome: &&Result<(), TransportError>| {
            outcome.as_ref().is_err_and(TransportError::may_have_been_sent)
        };
        assert!(outcomes.iter().filter(lost).count() > 0, "no request was lost, so nothing is shown");
        let seen = seen.lock().unwrap();
        for (round, outcome) in outcomes.iter().enumerate() {
            let line = format!("POST /second/{round} HTTP/1.1");
            let count = seen.iter().filter(|request| **request == line).count();
            assert!(count <= 1, "seen {count} times: {outcome:?}");
            if let Err(error) = outcome
                && !error.may_have_been_sent()
            {
                assert_eq!(count, 0, "{error:?}");
            }
        }
    }

    /// Passes everything on in both directions, until it is told to swallow what comes on the connections of that time.
    async fn relay(to: std::net::SocketAddr) -> (std::net::SocketAddr, tokio::sync::watch::Sender<bool>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (swallow, _) = tokio::sync::watch::channel(false);
        let swallowing = swallow.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
                let mut swallowing = swallowing.subscribe();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        // Both ends stay open, and nothing passes any more.
                        _ = swallowing.changed() => std::future::pending().await,
                    }
                });
            }
        });
        (address, swallow)
    }

    /// Guards against a path that died in silence: HTTP/2 would put every call on its connection.
    #[tokio::test]
    async fn an_http2_connection_that_died_in_silence_is_given_up() {
        let server = auth0_emulator::Emulator::builder().tls(true).start().await.unwrap();
        let origin: Uri = server.base_url().parse().unwrap();
        let (relay, swallow) = relay(([127, 0, 0, 1], origin.port_u16().unwrap()).into()).await;
        let tls = tls_config(RootCertStore::empty(), server.ca_pem().map(str::as_bytes)).unwrap();
        // A pong that is late by more, since the machine stood still, would end a connection that lives.
        let brief = Duration::from_secs(2);
        let ping = Ping { interval: brief, timeout: brief };
        let transport = Transport::with_ping(tls, resolver(), HEADER_BYTES, ping);
        let url = format!("https://127.0.0.1:{}/.well-known/jwks.json", relay.port());
        let answer = transport.send(get(&url), ROOMY, |_| ()).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        drop(answer);
        swallow.send_replace(true);

        // The first call after it is lost on it, at most. Those after that are not.
        let _ = transport.send(get(&url), ROOMY, |_| ()).await;
        let answer = transport.send(get(&url), ROOMY, |_| ()).await.unwrap();
        assert_eq!(answer.status(), http::StatusCode::OK);
        assert_eq!(transport.connections_opened(), 2);
        assert_eq!(server.control().requests().len(), 2, "the lost one never came");
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        for pem in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(tls_config(RootCertStore::empty(), Some(pem)).is_err());
        }
    }
}
