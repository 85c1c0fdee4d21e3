//! One pooled client per connection.
//!
//! wasmtime's own transport opens a new TCP and TLS connection for each request, trusts only the roots it was built
//! with, waits 600 s by default and for a TLS handshake without limit. Against an API that is tens of milliseconds
//! away, the saved handshake is most of the time. A pool is never shared between two connections: what a server may
//! remember of a TLS session, or a proxy of a socket, stays with one tenant and one credential.
//!
//! Errors keep the one fact that a workflow engine needs: whether the request was sent. Redirects are not followed.

use std::{
    error::Error as StdError,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, capture_connection, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tower_service::Service;
use wasmtime_wasi_http::Error as WasiError;

use crate::error::{Error, SettingsError};

/// Name lookup, TCP and TLS together. A healthy connection to Auth0's edge takes well under a second; five leave room
/// for two lost packets.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed by us rather than under us: common servers and load balancers keep them for 60 s or
/// more (AWS ALB 60 s, nginx 75 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Idle connections that are kept. 3000 requests took 1625 connections with 4 and 31 with 32 (wash-runtime).
const MAX_IDLE: usize = 32;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For a connection.
    pub(crate) connect: Duration,
    /// From there to the head of the answer.
    pub(crate) first_byte: Duration,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransportError {
    /// The name does not resolve.
    Dns(String),
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
    /// Whether the server may have seen the request.
    pub(crate) fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::Terminated(_) | Self::ResponseTimeout | Self::Protocol(_))
    }

    /// Returns the code that the guest knows.
    pub(crate) fn to_wasi(&self) -> WasiError {
        match self {
            Self::Dns(reason) => WasiError::DnsError { rcode: Some(reason.clone()), info_code: None },
            Self::Refused => WasiError::ConnectionRefused,
            Self::Unroutable(_) => WasiError::DestinationIpUnroutable,
            Self::ConnectTimeout => WasiError::ConnectionTimeout,
            Self::Certificate(_) => WasiError::TlsCertificateError,
            Self::Tls(_) => WasiError::TlsProtocolError,
            Self::Connect(_) => WasiError::DestinationUnavailable,
            Self::Terminated(_) => WasiError::ConnectionTerminated,
            Self::ResponseTimeout => WasiError::HttpResponseTimeout,
            Self::Protocol(_) => WasiError::HttpProtocolError,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(reason) => write!(f, "the name does not resolve: {reason}"),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Unroutable(reason) => write!(f, "there is no route: {reason}"),
            Self::ConnectTimeout => f.write_str("the connection took too long"),
            Self::Certificate(reason) => write!(f, "the server's certificate is not trusted: {reason}"),
            Self::Tls(reason) => write!(f, "the TLS handshake failed: {reason}"),
            Self::Connect(reason) => write!(f, "no connection: {reason}"),
            Self::Terminated(reason) => {
                write!(f, "sent, but the connection ended before the answer: {reason}")
            }
            Self::ResponseTimeout => f.write_str("sent, but no answer came in time"),
            Self::Protocol(reason) => write!(f, "sent, but the answer is not HTTP: {reason}"),
        }
    }
}

/// A pooled HTTP client.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: Client<Connector, Full<Bytes>>,
    opened: Arc<AtomicU64>,
}

impl Transport {
    pub(crate) fn new(tls: ClientConfig) -> Self {
        let opened = Arc::new(AtomicU64::new(0));
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
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
            .build(Connector { https, opened: Arc::clone(&opened) });
        Self { client, opened }
    }

    /// Counts the connections opened so far.
    pub(crate) fn connections_opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        timeouts: Timeouts,
    ) -> Result<Response<Incoming>, TransportError> {
        let mut connection = capture_connection(&mut request);
        let mut response = std::pin::pin!(self.client.request(request));
        let connected = async { drop(connection.wait_for_connection_metadata().await) };
        // A connection in hand is where "not sent" ends.
        let answer = tokio::select! {
            biased;
            answer = &mut response => return answer.map_err(|error| classify(&error)),
            connected = tokio::time::timeout(timeouts.connect, connected) => match connected {
                Ok(()) => tokio::time::timeout(timeouts.first_byte, &mut response).await,
                Err(_) => return Err(TransportError::ConnectTimeout),
            },
        };
        match answer {
            Ok(answer) => answer.map_err(|error| classify(&error)),
            Err(_) => Err(TransportError::ResponseTimeout),
        }
    }
}

/// Finds what went wrong in a chain of errors.
fn classify(error: &hyper_util::client::legacy::Error) -> TransportError {
    let mut io_kind = None;
    let mut deepest = error.to_string();
    for cause in causes(error) {
        deepest = cause.to_string();
        if let Some(cause) = cause.downcast_ref::<ResolveError>() {
            return TransportError::Dns(cause.to_string());
        }
        if cause.is::<ConnectTimedOut>() {
            return TransportError::ConnectTimeout;
        }
        if let Some(cause) = cause.downcast_ref::<rustls::Error>() {
            return match cause {
                rustls::Error::InvalidCertificate(reason) => TransportError::Certificate(reason.to_string()),
                _ if error.is_connect() => TransportError::Tls(cause.to_string()),
                _ => TransportError::Terminated(cause.to_string()),
            };
        }
        if let Some(cause) = cause.downcast_ref::<hyper::Error>()
            && (cause.is_parse() || cause.is_parse_too_large())
        {
            return TransportError::Protocol(cause.to_string());
        }
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            io_kind = Some(cause.kind());
        }
    }
    if !error.is_connect() {
        return TransportError::Terminated(deepest);
    }
    match io_kind {
        Some(io::ErrorKind::ConnectionRefused) => TransportError::Refused,
        Some(io::ErrorKind::TimedOut) => TransportError::ConnectTimeout,
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            TransportError::Unroutable(deepest)
        }
        _ => TransportError::Connect(deepest),
    }
}

/// Walks down an error. `io::Error` hides the error that it wraps from `source()`, so it is opened by hand.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// Says why the body of an answer broke off.
pub(crate) fn body_error(error: &hyper::Error) -> TransportError {
    let deepest = causes(error).last().map(ToString::to_string).unwrap_or_default();
    TransportError::Terminated(deepest)
}

/// Connects within one deadline, and counts.
#[derive(Clone, Debug)]
struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    opened: Arc<AtomicU64>,
}

type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The whole of name lookup, TCP and TLS took longer than [`CONNECT_TIMEOUT`].
#[derive(Debug, thiserror::Error)]
#[error("the connection took longer than {CONNECT_TIMEOUT:?}")]
struct ConnectTimedOut;

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector<Resolver>> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        let opened = Arc::clone(&self.opened);
        Box::pin(async move {
            let stream =
                tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| ConnectTimedOut)??;
            opened.fetch_add(1, Ordering::Relaxed);
            Ok(stream)
        })
    }
}

/// Resolves names, and keeps `localhost` on this machine, since plain HTTP is allowed to it.
#[derive(Clone, Copy, Debug)]
struct Resolver;

#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error("{0}")]
    Lookup(#[from] io::Error),
    #[error("no usable address")]
    NoAddress,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = BoxFuture<Result<Self::Response, ResolveError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            // The port is the connector's to set.
            let mut found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if name.as_str() == "localhost" {
                found.retain(|address| address.ip().is_loopback());
            }
            if found.is_empty() { Err(ResolveError::NoAddress) } else { Ok(found.into_iter()) }
        })
    }
}

/// Loads the certificate authorities that this machine trusts.
///
/// The platform's store comes first: it is where an operator puts the authority of a company's proxy, and it is kept
/// up to date by the system. Where there is none (a container from scratch) the Mozilla set that this program was
/// built with takes its place.
pub(crate) fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Makes the TLS side of one connection: its own session store, no process-wide defaults.
pub(crate) fn tls_config(mut roots: RootCertStore, ca_pem: Option<&[u8]>) -> Result<ClientConfig, Error> {
    if let Some(pem) = ca_pem {
        let refuse = |problem: String| Error::Settings(SettingsError::Ca { problem });
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| refuse(format!("not PEM: {error}")))?;
        if certificates.is_empty() {
            return Err(refuse("no certificate in it".to_owned()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls { problem: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Transport {
        Transport::new(tls_config(RootCertStore::empty(), None).unwrap())
    }

    fn get(uri: &str) -> Request<Full<Bytes>> {
        Request::get(uri).body(Full::default()).unwrap()
    }

    const SHORT: Timeouts =
        Timeouts { connect: Duration::from_secs(2), first_byte: Duration::from_millis(100) };

    #[tokio::test]
    async fn errors_tell_whether_the_request_was_sent() {
        // Bound and dropped: nobody listens there.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = plain().send(get(&format!("http://{closed}/")), SHORT).await.unwrap_err();
        assert_eq!(error, TransportError::Refused);

        let error = plain().send(get("http://no-such-name.invalid/"), SHORT).await.unwrap_err();
        assert!(matches!(error, TransportError::Dns(_)), "{error:?}");
        assert!(!error.may_have_been_sent());

        // Accepts and stays silent.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let error = plain().send(get(&format!("http://{address}/")), SHORT).await.unwrap_err();
        assert_eq!(error, TransportError::ResponseTimeout);
        assert!(error.may_have_been_sent());

        // The handshake gets no answer either: nothing was sent.
        let brief = Timeouts { connect: Duration::from_millis(100), ..SHORT };
        let error = plain().send(get(&format!("https://{address}/")), brief).await.unwrap_err();
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
            let error = plain().send(get(&format!("http://{address}/")), SHORT).await.unwrap_err();
            assert_eq!(error.may_have_been_sent(), sent, "{error:?}");
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_tls_was_not_sent_the_request() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let error = plain().send(get(&format!("https://{address}/")), SHORT).await.unwrap_err();
        assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        for pem in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(tls_config(RootCertStore::empty(), Some(pem)).is_err());
        }
    }
}
