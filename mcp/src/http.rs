//! Clients of this machine over HTTP (MCP's "streamable HTTP").
//!
//! Whatever runs on the machine can reach a port of it, web pages included: a page can send requests to 127.0.0.1, and
//! under a name that its owner lets resolve to that address (DNS rebinding) read the answers too. So every request needs
//! the token, a `Host` that names this machine, and no `Origin`, which only browsers send; and no other address than
//! loopback is served at all. The bytes are not encrypted: they do not leave the machine.

use std::{convert::Infallible, fmt, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService,
    streamable_http_server::{
        SessionId, SessionManager as _,
        session::local::{LocalSessionManager, SessionConfig},
    },
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use super::{
    access::{AccessToken, LoopbackAddress},
    server::Server,
    session::Session,
    strangers::{Strangers, Visitor, unless_expelled},
};

/// Where the server is.
const PATH: &str = "/mcp";
/// By it a request belongs to a session.
const SESSION_ID: &str = "mcp-session-id";

/// Sessions at once: some more than a person has windows with an agent. Each can keep 16 MiB of results, and 32 of a large
/// one. Many clients leave without ending theirs, so a further one takes the place of the one that was silent longest.
const MOST_SESSIONS: usize = 16;
/// Open TCP connections of clients that have the token: each session has one that listens, and one for each call that is
/// under way. Others have places of their own, see [`super::strangers`].
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
/// How long an answer that was sent can be asked for again by a client whose connection broke. On one machine that takes no
/// time; each answer has up to 1 MB, and `rmcp` would keep it for a minute.
const RESUME_TIME: Duration = Duration::from_secs(5);
/// Time for answers that are on their way when the server is told to end.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// A server that listens already.
pub struct HttpServer {
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
    pub async fn bind(LoopbackAddress(address): LoopbackAddress) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves until `stop`. What is under way then is stopped, and answered if that takes no longer than a moment.
    pub async fn serve(self, server: Arc<Server>, token: AccessToken, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let tenant = server.tenant().clone();
        let door = Arc::new(Door::new(server, token));
        let strangers = Strangers::default();
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = open.join_next() => continue,
                () = &mut stop => break,
            };
            // Out of file descriptors, or a client that left while it waited: neither concerns the others.
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (door, visitor) = (Arc::clone(&door), strangers.admit());
            open.spawn(async move {
                let service = service_fn(|request| {
                    let (door, visitor) = (Arc::clone(&door), Arc::clone(&visitor));
                    async move { Ok::<_, Infallible>(door.answer(request, &visitor).await) }
                });
                // A client that breaks off has nobody to tell.
                let serving = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIME)
                    .serve_connection(TokioIo::new(stream), service);
                unless_expelled(&visitor, serving).await;
            });
        }
        tenant.close().await;
        door.mcp.config.cancellation_token.cancel();
        let _ =
            tokio::time::timeout(SHUTDOWN_GRACE, async { while open.join_next().await.is_some() {} }).await;
    }
}

/// Who gets in.
struct Door {
    token: AccessToken,
    /// Of connections.
    places: Arc<Semaphore>,
    mcp: StreamableHttpService<Session, LocalSessionManager>,
    manager: Arc<LocalSessionManager>,
    /// The sessions, those that were silent longest first.
    sessions: Mutex<Vec<SessionId>>,
}

impl Door {
    fn new(server: Arc<Server>, token: AccessToken) -> Self {
        let mut session = SessionConfig::default();
        session.keep_alive = Some(IDLE_TIME);
        session.completed_cache_ttl = RESUME_TIME;
        let mut manager = LocalSessionManager::default();
        manager.session_config = session;
        let manager = Arc::new(manager);
        // `Host` is held to loopback names by default. An `Origin` is sent by browsers, and no page has business here.
        let config = StreamableHttpServerConfig::default()
            .enforce_origin_validation()
            .with_max_request_body_bytes(MOST_BODY_BYTES);
        let begin = move || Ok(Session::new(Arc::clone(&server)));
        let mcp = StreamableHttpService::new(begin, Arc::clone(&manager), config);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Self { token, places, mcp, manager, sessions: Mutex::default() }
    }

    async fn answer(&self, request: Request<Incoming>, visitor: &Visitor) -> Response<Body> {
        if !self.token.is_shown_by(request.headers().get(header::AUTHORIZATION)) {
            let mut refusal = plain(
                StatusCode::UNAUTHORIZED,
                "this server needs the bearer token that `auth0-host mcp` printed or was given\n",
            );
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            refusal.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return refusal;
        }
        if !visitor.recognise(&self.places) {
            let text = "too many connections: close some, or try again when a call has ended\n";
            let mut refusal = plain(StatusCode::SERVICE_UNAVAILABLE, text);
            refusal.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return refusal;
        }
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND, "there is nothing here: the server is at /mcp\n");
        }
        match session_id(request.headers()) {
            Some(id) => {
                let mut sessions = self.sessions.lock().await;
                if let Some(place) = sessions.iter().position(|known| *known == id) {
                    let id = sessions.remove(place);
                    sessions.push(id);
                }
                drop(sessions);
                self.mcp.handle(request).await
            }
            None => self.begin(request).await,
        }
    }

    /// Answers a request that belongs to no session, and makes room for the one that it may begin. One after the other, so
    /// that they are counted.
    async fn begin(&self, request: Request<Incoming>) -> Response<Body> {
        let mut sessions = self.sessions.lock().await;
        let open = self.manager.sessions.read().await;
        sessions.retain(|id| open.contains_key(id));
        drop(open);
        while sessions.len() >= MOST_SESSIONS {
            // One that has ended by itself meanwhile is no trouble.
            let _ = self.manager.close_session(&sessions.remove(0)).await;
        }
        let response = self.mcp.handle(request).await;
        sessions.extend(session_id(response.headers()));
        response
    }
}

fn session_id(headers: &HeaderMap) -> Option<SessionId> {
    Some(headers.get(SESSION_ID)?.to_str().ok()?.into())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
