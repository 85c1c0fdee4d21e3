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
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use serde::{Deserialize, Deserializer};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{
    destination::percent_decode,
    transport::{CONNECT_TIMEOUT, Timeouts, Transport, TransportError, body_error},
};
use crate::secret::Secret;

/// A token is not used in its last seconds: it must live through the way to the tenant and a clock that is a little
/// ahead. One that expires all the same costs one 401 and one more fetch.
const RENEW_BEFORE: Duration = Duration::from_secs(10);
/// The endpoint answers in well under a second; Auth0's SDKs wait 10 s for it (node-auth0's default timeout).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A token of the Management API with all its scopes is some 12 KB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Room for such an answer from the start.
const USUAL_ANSWER_BYTES: usize = 16 * 1024;

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

impl TokenSource {
    /// Returns a token, waiting for a fetch where there is none.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, TokenError> {
        match self {
            Self::Static(token) => Ok(Arc::clone(token)),
            Self::Fetched(cache) => cache.token().await,
        }
    }

    /// Returns another token in place of one that the tenant refused; `None` where there is no way to get one.
    pub(crate) fn another(
        &self,
        refused: &Arc<Token>,
    ) -> Option<impl Future<Output = Result<Arc<Token>, TokenError>>> {
        match self {
            Self::Static(_) => None,
            Self::Fetched(cache) => {
                cache.drop_refused(refused);
                Some(cache.token())
            }
        }
    }

    /// Counts the tokens fetched so far.
    pub(crate) fn fetched(&self) -> u64 {
        match self {
            Self::Static(_) => 0,
            Self::Fetched(cache) => cache.fetched(),
        }
    }
}

/// Makes `Bearer …`, marked so that HTTP/2 does not index it and `Debug` does not print it.
pub(crate) fn bearer(secret: &Secret) -> Option<HeaderValue> {
    sensitive(&["Bearer ", secret.expose()])
}

/// Makes a header value of these parts: marked as sensitive, and wiped when its last clone is gone.
pub(crate) fn sensitive(parts: &[&str]) -> Option<HeaderValue> {
    // In one piece from the start: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    // `from_maybe_shared` takes any octet above 127; no credential has those.
    if !text.is_ascii() {
        return None;
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
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
    /// The endpoint did not answer in the time that the request has. Others may wait longer.
    Late,
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
            Self::Late => f.write_str("not sent: the token endpoint did not answer in time"),
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
        let mut request = Request::new(Full::new(self.form()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));

        let asked = Instant::now();
        let timeouts = Timeouts { connect: CONNECT_TIMEOUT, answer: ANSWER_TIMEOUT };
        let response =
            self.transport.send(request, timeouts, |_| ()).await.map_err(TokenError::NotReached)?;
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(ANSWER_TIMEOUT, read_answer(body))
            .await
            .unwrap_or(Err(TransportError::ResponseTimeout))
            .map_err(TokenError::NotReached)?;
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

    /// Writes the form that asks for a token. It is wiped when the last clone of its bytes is gone.
    fn form(&self) -> Bytes {
        let secret = self.client_secret.expose();
        // An octet takes three at most; the names and the grant take less than the rest. A text that grows leaves
        // copies behind.
        let room = 3 * (self.client_id.len() + secret.len() + self.audience.len()) + 128;
        let form = form_urlencoded::Serializer::new(String::with_capacity(room))
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", secret)
            .append_pair("audience", &self.audience)
            .finish();
        Bytes::from_owner(Zeroizing::new(form))
    }

    /// Makes a refusal. A gateway that echoes the request must not make it a leak.
    fn refusal(
        &self,
        status: StatusCode,
        code: String,
        description: String,
        headers: &HeaderMap,
    ) -> TokenError {
        let clean = |text: String| without_secret(&text, &self.client_secret);
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

/// Takes a secret out of what the token endpoint said.
///
/// Where it stands as it is, it is cut out and the rest is kept, since the rest is what helps. A text that repeats the
/// form, or that has the secret in it in another spelling, is withheld as a whole: there are more spellings (hex digits
/// in either case, `+` or `%20`, encoded twice) than a list of them would have.
fn without_secret(text: &str, secret: &Secret) -> String {
    let secret = secret.expose();
    if secret.is_empty() {
        return text.to_owned();
    }
    // A form has `+` for a space.
    let spaced = |text: &[u8]| -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.iter().map(|&octet| if octet == b'+' { b' ' } else { octet }).collect())
    };
    let needle = spaced(secret.as_bytes());
    let cut = Zeroizing::new(text.replace(secret, "[secret]"));
    let mut octets = Zeroizing::new(cut.as_bytes().to_vec());
    loop {
        let plain = spaced(&octets);
        let holds = |needle: &[u8]| plain.windows(needle.len()).any(|window| window == needle);
        if holds(b"client_secret") || holds(&needle) {
            return "[withheld: it repeats the request, and that holds the secret]".to_owned();
        }
        let decoded = Zeroizing::new(percent_decode(&octets));
        // Decoding only ever shortens, so this ends.
        if decoded.len() == octets.len() {
            return cut.as_str().to_owned();
        }
        octets = decoded;
    }
}

/// Reads the endpoint's answer into memory that is wiped.
async fn read_answer(mut body: Incoming) -> Result<Zeroizing<Vec<u8>>, TransportError> {
    let mut answer = Zeroizing::new(Vec::with_capacity(USUAL_ANSWER_BYTES));
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame.map_err(|error| body_error(&error))?.into_data() else { continue };
        let length = answer.len() + data.len();
        if length > MAX_ANSWER_BYTES {
            return Err(TransportError::Protocol(format!("a token of more than {MAX_ANSWER_BYTES} bytes")));
        }
        if length > answer.capacity() {
            // By hand, since a vector that grows by itself leaves its old copy behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(&answer);
            answer = larger;
        }
        answer.extend_from_slice(&data);
    }
    Ok(answer)
}

fn read_token(body: &[u8], asked: Instant) -> Option<Token> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "secret")]
        access_token: Secret,
        scope: Option<String>,
        expires_in: Option<u64>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let value = answer.access_token;
    bearer(&value).filter(|_| !value.is_empty())?;
    let end = answer.expires_in.and_then(|seconds| asked.checked_add(Duration::from_secs(seconds)));
    Some(Token { value, scope: answer.scope, life: end.map_or(Life::Unknown, Life::Until) })
}

/// Reads a text that is wiped even where what comes after it is refused.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
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
    fn a_secret_in_any_spelling_does_not_come_out_of_a_refusal() {
        let secret = Secret::new("can+ary/se cret=ü&\"%");
        for said in [
            "client_id=id&client_secret=can%2Bary%2Fse+cret%3D%C3%BC%26%22%25&audience=aud",
            "bad value can%2Bary%2Fse+cret%3D%C3%BC%26%22%25",
            "bad value can%2bary%2fse%20cret%3d%c3%bc%26%22%25",
            "bad value can%2Bary%2Fse%20cret%3D%C3%BC%26%22%25",
            "bad value can+ary/se%20cret=ü&\"%25",
            "bad value can+ary/se+cret=ü&\"%",
            "bad value can%252Bary%252Fse%2520cret%253D%25C3%25BC%2526%2522%2525",
            "bad value %63%61%6E%2Bary/se cret=ü&\"%25",
            "bad value client%5Fsecret=other",
            "client_id=id&client%5fsecret%3Dcan",
        ] {
            let clean = without_secret(said, &secret);
            assert!(clean.starts_with("[withheld"), "{said}: {clean}");
        }
        let clean = without_secret("Unauthorized can+ary/se cret=ü&\"% 100%", &secret);
        assert_eq!(clean, "Unauthorized [secret] 100%");
        for harmless in ["Unauthorized", "100% wrong", "a%20b", ""] {
            assert_eq!(without_secret(harmless, &secret), harmless);
        }
    }

    #[test]
    fn a_header_of_a_secret_takes_what_a_header_may_hold_and_nothing_else() {
        assert_eq!(bearer(&Secret::new("a.b")).unwrap(), "Bearer a.b");
        for unsendable in ["a\r\nx: y", "a\0", "ü"] {
            assert!(bearer(&Secret::new(unsendable)).is_none(), "{unsendable:?}");
        }
    }

    #[test]
    fn a_debug_print_of_a_token_shows_no_token() {
        let token = Token::of_unknown_origin(Secret::new("canary"));
        assert!(!format!("{token:?} {:?}", token.authorization()).contains("canary"));
    }
}
