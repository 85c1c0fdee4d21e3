//! Clients of this machine over HTTP (MCP's "streamable HTTP").
//!
//! Whatever runs on the machine can reach a port of it, web pages included: a page can send requests to 127.0.0.1, and
//! under a name that its owner lets resolve to that address (DNS rebinding) read the answers too. So every request needs
//! the token, a `Host` that names this machine, and no `Origin`, which only browsers send; and no other address than
//! loopback is served at all. The bytes are not encrypted: they do not leave the machine.

use std::{
    convert::Infallible, fmt, future::Future, net::SocketAddr, pin::pin, str::FromStr, sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use auth0_host::Secret;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService,
    streamable_http_server::session::local::{LocalSessionManager, SessionConfig},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, TryAcquireError},
    task::JoinSet,
};

use super::{server::Server, session::Session};

/// Where the server is.
const PATH: &str = "/mcp";
/// By it a request belongs to a session.
const SESSION_ID: &str = "mcp-session-id";

/// Sessions at once: some more than a person has windows with an agent. Each can keep 16 MiB of results, and 32 of a large
/// one.
const MOST_SESSIONS: usize = 16;
/// Open TCP connections: each session has one that listens, and one for each call that is under way.
const MOST_CONNECTIONS: usize = 128;
/// Bytes of a message. The component takes inputs of 4 MB; the rest is what is around them.
const MOST_BODY_BYTES: usize = 4_200_000;
/// A client sends its headers at once, or is none.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Before the next client is looked at where one could not be taken: files are closed meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a session may be silent. `rmcp`'s five minutes are shorter than a person's coffee break, after which clients
/// report an error instead of beginning anew.
const IDLE_TIME: Duration = Duration::from_secs(60 * 60);
/// Time for answers that are on their way when the server is told to end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// An address of this machine that only this machine reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoopbackAddress(SocketAddr);

impl FromStr for LoopbackAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddr =
            text.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8765".to_owned())?;
        if !address.ip().is_loopback() {
            return Err(format!(
                "{} can be reached from other machines: only loopback addresses (127.0.0.1, [::1]) are served. For a client \
                 elsewhere, forward a port over SSH, or let it start this command itself",
                address.ip()
            ));
        }
        Ok(Self(address))
    }
}

/// What a client has to show.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken(Secret);

impl AccessToken {
    /// As many hexadecimal digits as 128 bits have.
    const SHORTEST: usize = 32;

    /// Takes one that somebody chose.
    ///
    /// # Errors
    ///
    /// Where it could be guessed, or does not fit a header.
    pub(crate) fn chosen(token: Secret) -> Result<Self, String> {
        let text = token.expose();
        if text.len() < Self::SHORTEST {
            return Err(format!(
                "the token has {} characters, and needs {} at least: `openssl rand -hex 32` makes one",
                text.len(),
                Self::SHORTEST
            ));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the token has characters that do not fit a header: use letters and digits".to_owned()
            );
        }
        Ok(Self(token))
    }

    /// Makes one for this run.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok().context("this machine has no randomness for a token")?;
        Ok(Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Shows it, once, to the person who started the server.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    fn is_shown_by(&self, header: Option<&HeaderValue>) -> bool {
        let Some((scheme, token)) = header.and_then(|value| value.to_str().ok()?.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && verify_slices_are_equal(token.trim().as_bytes(), self.0.expose().as_bytes()).is_ok()
    }
}

/// A server that listens already.
pub(crate) struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl fmt::Display for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{PATH}", self.address)
    }
}

type Body = BoxBody<Bytes, Infallible>;

impl HttpServer {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// Where the port is taken.
    pub(crate) async fn bind(LoopbackAddress(address): LoopbackAddress) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves until `stop`. What is under way then is stopped, and answered if that takes no longer than a moment.
    pub(crate) async fn serve(self, server: Arc<Server>, token: AccessToken, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let connection = server.connection().clone();
        let door = Arc::new(Door::new(server, token));
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut open = JoinSet::new();
        loop {
            // The semaphore is never closed.
            let next = async { (Arc::clone(&places).acquire_owned().await, self.listener.accept().await) };
            let (place, accepted) = tokio::select! {
                next = next => next,
                Some(_) = open.join_next() => continue,
                () = &mut stop => break,
            };
            // Out of file descriptors, or a client that left while it waited: neither concerns the others.
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let door = Arc::clone(&door);
            open.spawn(async move {
                let _place = place;
                let service = service_fn(move |request| {
                    let door = Arc::clone(&door);
                    async move { Ok::<_, Infallible>(door.answer(request).await) }
                });
                // A client that breaks off has nobody to tell.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIME)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
        connection.close().await;
        door.mcp.config.cancellation_token.cancel();
        let _ = tokio::time::timeout(LAST_WORDS, async { while open.join_next().await.is_some() {} }).await;
    }
}

/// Who gets in.
struct Door {
    token: AccessToken,
    sessions: Arc<Semaphore>,
    mcp: StreamableHttpService<Session, LocalSessionManager>,
}

impl Door {
    fn new(server: Arc<Server>, token: AccessToken) -> Self {
        let mut manager = LocalSessionManager::default();
        let mut session = SessionConfig::default();
        session.keep_alive = Some(IDLE_TIME);
        manager.session_config = session;
        // `Host` is held to loopback names by default. An `Origin` is sent by browsers, and no page has business here.
        let config = StreamableHttpServerConfig::default()
            .enforce_origin_validation()
            .with_max_request_body_bytes(MOST_BODY_BYTES);
        let sessions = Arc::new(Semaphore::new(MOST_SESSIONS));
        let places = Arc::clone(&sessions);
        let begin = move || match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => Ok(Session::new(Arc::clone(&server), Some(place))),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(std::io::Error::other(FULL)),
        };
        Self { token, sessions, mcp: StreamableHttpService::new(begin, Arc::new(manager), config) }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if !self.token.is_shown_by(request.headers().get(header::AUTHORIZATION)) {
            let mut refusal = plain(
                StatusCode::UNAUTHORIZED,
                "this server needs the bearer token that `auth0-host mcp` printed or was given\n",
            );
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refusal;
        }
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND, "there is nothing here: the server is at /mcp\n");
        }
        let begins = request.method() == Method::POST && !request.headers().contains_key(SESSION_ID);
        if begins && self.sessions.available_permits() == 0 {
            return plain(StatusCode::SERVICE_UNAVAILABLE, FULL);
        }
        self.mcp.handle(request).await
    }
}

const FULL: &str =
    "there are 16 sessions already: end one (HTTP DELETE with its id, or an hour of silence)\n";

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_served() {
        for (text, expected) in [
            ("127.0.0.1:0", true),
            ("127.8.9.1:8765", true),
            ("[::1]:8765", true),
            ("0.0.0.0:8765", false),
            ("[::]:8765", false),
            ("192.168.1.4:8765", false),
            ("[::ffff:127.0.0.1]:8765", false),
            ("localhost:8765", false),
            ("127.0.0.1", false),
            ("8765", false),
        ] {
            assert_eq!(text.parse::<LoopbackAddress>().is_ok(), expected, "{text}");
        }
        let problem = "0.0.0.0:1".parse::<LoopbackAddress>().unwrap_err();
        assert!(problem.contains("127.0.0.1") && problem.contains("SSH"), "{problem}");
    }

    #[test]
    fn the_token_is_taken_whole_or_not_at_all() {
        let text = "0123456789abcdef0123456789abcdef";
        let token = AccessToken::chosen(Secret::new(text)).unwrap();
        for (header, expected) in [
            (format!("Bearer {text}"), true),
            (format!("bearer {text}"), true),
            (format!("Bearer {text}0"), false),
            (format!("Bearer {}", &text[1..]), false),
            (format!("Basic {text}"), false),
            (text.to_owned(), false),
            ("Bearer ".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(
                token.is_shown_by(Some(&HeaderValue::from_str(&header).unwrap())),
                expected,
                "{header}"
            );
        }
        assert!(!token.is_shown_by(None));
        assert!(!format!("{token:?}").contains(text));
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused_and_generated_ones_differ() {
        for (text, hint) in
            [("hunter2", "openssl rand"), ("0123456789abcdef 0123456789abcdef", "header"), ("", "openssl")]
        {
            let problem = AccessToken::chosen(Secret::new(text)).unwrap_err();
            assert!(problem.contains(hint) && !problem.contains("hunter2"), "{problem}");
        }
        let [one, two] = [(); 2].map(|()| AccessToken::generate().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert!(AccessToken::chosen(Secret::new(one.expose())).is_ok());
    }
}
