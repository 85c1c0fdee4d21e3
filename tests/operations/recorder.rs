//! A server that writes down each request as it came, and answers what it is told.

use std::sync::{Arc, Mutex};

use auth0_host::{Credentials, Domain, Policy, RatePlan, Secret, Settings, Tenant};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The domain that links of mails and tickets are to have.
pub(crate) const CUSTOM_DOMAIN: &str = "login.acme.example";

/// The token of every request; no JWT, so that the host knows nothing of its scopes.
pub(crate) const TOKEN: &str = "opaque-management-token";

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// As it was in the request line, encoded.
    pub(crate) path: String,
    /// Decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case, sorted.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Recorded {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

#[derive(Default)]
struct State {
    seen: Vec<Recorded>,
    reply: Option<Reply>,
}

/// The server and a connection to it. Dropping it stops it.
pub(crate) struct Recorder {
    pub(crate) connection: Tenant,
    /// Where it listens.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        let domain: Domain = "acme.eu.auth0.com".parse().unwrap();
        let url = format!("http://{address}");
        let settings = Settings::new(domain)
            .base_url(url.parse().unwrap())
            .credentials(Credentials::token(Secret::new(TOKEN)))
            .custom_domain(CUSTOM_DOMAIN.parse().unwrap())
            .rate_plan(RatePlan::PrivateCloud10000)
            // What is denied by default is tested apart.
            .policy(Policy::unrestricted());
        let connection = auth0_tests::host().tenant(settings).await.unwrap();
        Self { connection, url, state, serving }
    }

    /// Says what the next requests are answered.
    pub(crate) fn answer(&self, status: u16, content_type: &'static str, body: impl Into<String>) {
        self.state.lock().unwrap().reply = Some(Reply { status, content_type, body: body.into() });
    }

    /// Takes what was recorded.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| record(request, Arc::clone(&state)));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn record(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let recorded = Recorded {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: query.map(|(name, value)| (decoded(name), decoded(value))).collect(),
        headers,
        body,
    };
    let mut state = state.lock().unwrap();
    state.seen.push(recorded);
    let reply = state.reply.clone().expect("the test said what to answer");
    let mut answer = Response::new(Full::new(Bytes::from(reply.body)));
    *answer.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap();
    answer.headers_mut().insert("content-type", reply.content_type.parse().unwrap());
    Ok(answer)
}
