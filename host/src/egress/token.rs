//! Tokens of one connection: fetched once for any number of callers, renewed before they expire.
//!
//! The fetch runs in a task of its own. A caller who waits for it may be stopped at any moment; the others who wait
//! must not lose their token by that. A refusal reaches everyone who waited, and the next caller tries anew.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::Deserialize;
use tokio::sync::watch;

use super::transport::{CONNECT_TIMEOUT, Timeouts, Transport, TransportError};
use crate::secret::Secret;

/// A token is not used in its last seconds: it must live through the way to the tenant and a clock that is a little
/// ahead. One that expires all the same costs one 401 and one more fetch.
const RENEW_BEFORE: Duration = Duration::from_secs(10);
/// The endpoint answers in well under a second; Auth0's SDKs wait 10 s for it (node-auth0's default timeout).
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// A token of the Management API with all its scopes is some 12 KB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Where tokens come from.
#[derive(Debug)]
pub(crate) enum TokenSource {
    /// Someone else fetched it.
    Static(Arc<Token>),
    /// Fetched here.
    Fetched(Arc<TokenCache>),
}

/// An access token, with what is known of it.
#[derive(Debug)]
pub(crate) struct Token {
    value: Secret,
    pub(crate) scope: Option<String>,
    life: Life,
}

#[derive(Debug)]
enum Life {
    /// Counted on this machine, from before the request was sent.
    Until(Instant),
    /// As a JWT says it, in seconds since 1970.
    UntilUnix(u64),
    Unknown,
}

impl Token {
    /// Takes a token as it is. Where it is a JWT, scope and expiry are read from it. The signature is not verified:
    /// the tenant does that; here it is for display.
    pub(crate) fn of_unknown_origin(value: Secret) -> Self {
        #[derive(Deserialize)]
        struct Claims {
            scope: Option<String>,
            exp: Option<u64>,
        }
        let claims = value
            .expose()
            .split('.')
            .nth(1)
            .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
            .and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok());
        let (scope, exp) = claims.map_or((None, None), |claims| (claims.scope, claims.exp));
        Self { value, scope, life: exp.map_or(Life::Unknown, Life::UntilUnix) }
    }

    /// Returns the header that carries it.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        bearer(&self.value)
    }

    /// Returns how many seconds it has left, where that is known.
    pub(crate) fn expires_in(&self) -> Option<u64> {
        match self.life {
            Life::Until(end) => Some(end.saturating_duration_since(Instant::now()).as_secs()),
            Life::UntilUnix(end) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                Some(end.saturating_sub(now))
            }
            Life::Unknown => None,
        }
    }

    fn is_fresh(&self) -> bool {
        match self.life {
            Life::Until(end) => Instant::now() + RENEW_BEFORE < end,
            Life::UntilUnix(_) | Life::Unknown => true,
        }
    }
}

/// Makes `Bearer …`, marked so that HTTP/2 does not index it and `Debug` does not print it.
pub(crate) fn bearer(secret: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", secret.expose()))
}

/// Makes a header value that is marked as sensitive.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub(crate) enum TokenError {
    /// The endpoint said no.
    Refused(Arc<Refusal>),
    /// The endpoint was not reached, or its answer was lost. Either way the request that needed the token was not
    /// sent.
    NotReached(TransportError),
}

/// What the token endpoint said.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// OAuth's `error`.
    pub(crate) code: String,
    /// OAuth's `error_description`.
    pub(crate) description: String,
    /// `retry-after` and the `x-ratelimit-*` family.
    pub(crate) pacing: HeaderMap,
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "not sent: {}", refusal.message()),
            Self::NotReached(error) => write!(f, "not sent: the token endpoint could not be asked: {error}"),
        }
    }
}

impl Refusal {
    /// Says it in one sentence.
    pub(crate) fn message(&self) -> String {
        let what = match self.status {
            StatusCode::TOO_MANY_REQUESTS => "asks to wait",
            status if status.is_server_error() => "cannot serve",
            _ => "refused the host's credentials",
        };
        let status = self.status.as_u16();
        format!("the tenant's token endpoint {what} ({status}): {}: {}", self.code, self.description)
    }
}

/// Fetches tokens with a client secret, and keeps the last one.
#[derive(Debug)]
pub(crate) struct TokenCache {
    pub(crate) endpoint: http::Uri,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) audience: String,
    pub(crate) transport: Transport,
    state: Mutex<State>,
    fetched: AtomicU64,
}

type Flight = watch::Receiver<Option<Result<Arc<Token>, TokenError>>>;

#[derive(Debug)]
enum State {
    Empty,
    Fetching(Flight),
    Ready(Arc<Token>),
}

impl TokenCache {
    pub(crate) fn new(
        endpoint: http::Uri,
        client_id: String,
        client_secret: Secret,
        audience: String,
        transport: Transport,
    ) -> Arc<Self> {
        let state = Mutex::new(State::Empty);
        Arc::new(Self {
            endpoint,
            client_id,
            client_secret,
            audience,
            transport,
            state,
            fetched: AtomicU64::new(0),
        })
    }

    /// Counts the tokens fetched so far.
    pub(crate) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Returns a fresh token, waiting for a fetch where there is none.
    pub(crate) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, TokenError> {
        let mut flight = {
            let mut state = self.lock();
            match &*state {
                State::Ready(token) if token.is_fresh() => return Ok(Arc::clone(token)),
                // A flight whose task is gone without a word (its runtime was shut down) never lands.
                State::Fetching(flight) if flight.has_changed().is_ok() || flight.borrow().is_some() => {
                    flight.clone()
                }
                _ => {
                    let flight = self.take_off();
                    *state = State::Fetching(flight.clone());
                    flight
                }
            }
        };
        let landed = flight.wait_for(Option::is_some).await;
        match landed.ok().and_then(|result| result.clone()) {
            Some(result) => result,
            None => Err(TokenError::NotReached(TransportError::Connect("the fetch was given up".to_owned()))),
        }
    }

    /// Forgets a token that the tenant refused, unless it has been replaced already.
    pub(crate) fn drop_refused(&self, refused: &Arc<Token>) {
        let mut state = self.lock();
        if matches!(&*state, State::Ready(token) if Arc::ptr_eq(token, refused)) {
            *state = State::Empty;
        }
    }

    fn take_off(self: &Arc<Self>) -> Flight {
        let (land, flight) = watch::channel(None);
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            let result = cache.fetch().await.map(Arc::new);
            *cache.lock() = match &result {
                Ok(token) => State::Ready(Arc::clone(token)),
                Err(_) => State::Empty,
            };
            land.send_replace(Some(result));
        });
        flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<Token, TokenError> {
        match self.fetch_once().await {
            // A kept connection may have been closed just then. Asking for a token twice does no harm.
            Err(TokenError::NotReached(TransportError::Terminated(_))) => self.fetch_once().await,
            result => result,
        }
    }

    async fn fetch_once(&self) -> Result<Token, TokenError> {
        let form: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose())
            .append_pair("audience", &self.audience)
            .finish();
        let mut request = Request::new(Full::new(Bytes::from(form)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));

        let asked = Instant::now();
        let timeouts = Timeouts { connect: CONNECT_TIMEOUT, first_byte: FIRST_BYTE_TIMEOUT };
        let response = self.transport.send(request, timeouts).await.map_err(TokenError::NotReached)?;
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(FIRST_BYTE_TIMEOUT, Limited::new(body, MAX_ANSWER_BYTES).collect())
            .await
            .map_err(|_| TokenError::NotReached(TransportError::ResponseTimeout))?
            .map_err(|error| TokenError::NotReached(TransportError::Terminated(error.to_string())))?
            .to_bytes();
        if head.status == StatusCode::OK {
            self.fetched.fetch_add(1, Ordering::Relaxed);
            read_token(&body, asked).ok_or_else(|| {
                let description = "it answered 200 without a token that can be sent".to_owned();
                self.refusal(StatusCode::BAD_GATEWAY, "invalid_answer".to_owned(), description, &head.headers)
            })
        } else {
            let (code, description) = read_refusal(&body);
            Err(self.refusal(head.status, code, description, &head.headers))
        }
    }

    /// Makes a refusal. A gateway that echoes the request must not make it a leak.
    fn refusal(
        &self,
        status: StatusCode,
        code: String,
        description: String,
        headers: &HeaderMap,
    ) -> TokenError {
        let secret = self.client_secret.expose();
        let clean = |text: String| text.replace(secret, "[secret]");
        let pacing = headers
            .iter()
            .filter(|(name, _)| **name == header::RETRY_AFTER || name.as_str().starts_with("x-ratelimit-"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        TokenError::Refused(Arc::new(Refusal {
            status,
            code: clean(code),
            description: clean(description),
            pacing,
        }))
    }
}

fn read_token(body: &[u8], asked: Instant) -> Option<Token> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        scope: Option<String>,
        expires_in: Option<u64>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let value = Secret::new(answer.access_token);
    bearer(&value).filter(|_| !value.is_empty())?;
    let end = answer.expires_in.and_then(|seconds| asked.checked_add(Duration::from_secs(seconds)));
    Some(Token { value, scope: answer.scope, life: end.map_or(Life::Unknown, Life::Until) })
}

/// Reads OAuth's form of an error. Anything else is named by what it is, not repeated: it may be a page of HTML.
fn read_refusal(body: &[u8]) -> (String, String) {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<String>,
        error_description: Option<String>,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => (
            answer.error.unwrap_or_else(|| "error".to_owned()),
            answer.error_description.unwrap_or_else(|| "no description".to_owned()),
        ),
        Err(_) => ("error".to_owned(), "the answer is not in OAuth's form".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_and_expiry_of_a_foreign_token_are_read_where_it_has_them() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"scope":"read:users read:roles","exp":99999999999}"#);
        let token = Token::of_unknown_origin(Secret::new(format!("h.{payload}.s")));
        assert_eq!(token.scope.as_deref(), Some("read:users read:roles"));
        assert!(token.expires_in().unwrap() > 1_000_000);
        for opaque in ["opaque", "a.b.c", "a.e30.c", ""] {
            let token = Token::of_unknown_origin(Secret::new(opaque));
            assert_eq!((token.scope.as_deref(), token.expires_in()), (None, None), "{opaque}");
        }
    }

    #[test]
    fn a_token_is_renewed_ten_seconds_before_its_end() {
        let asked = Instant::now();
        let fresh = |seconds: u64| {
            let body = format!(r#"{{"access_token":"t","expires_in":{seconds}}}"#);
            read_token(body.as_bytes(), asked).unwrap().is_fresh()
        };
        assert!(fresh(86_400));
        assert!(fresh(12));
        assert!(!fresh(10));
        assert!(!fresh(0));
        assert!(read_token(br#"{"access_token":"t"}"#, asked).unwrap().is_fresh(), "no expiry: until a 401");
        assert!(read_token(br#"{"access_token":""}"#, asked).is_none());
        assert!(read_token(br#"{"access_token":"a\nb"}"#, asked).is_none());
    }

    #[test]
    fn a_debug_print_of_a_token_shows_no_token() {
        let token = Token::of_unknown_origin(Secret::new("canary"));
        assert!(!format!("{token:?} {:?}", token.authorization()).contains("canary"));
    }
}
