//! Tokens of the tenant: what is known of one, where it comes from, and why there is none.
//!
//! `grant` asks the token endpoint, `vault` the engine; `cache` sees to it that they are asked once for any number
//! of callers.

mod assertion;
mod cache;
mod grant;
mod redact;
mod vault;

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use self::vault::FromSource;
pub(crate) use self::{
    cache::TokenCache,
    grant::{ClientCredentials, Proof, TokenEndpoint},
};
use super::transport::TransportError;
use crate::{
    credentials::{CredentialError, Credentials},
    domain::Domain,
    echo::Echo,
    secret::Secret,
};

/// A token is not used in its last seconds: it must live through the way to the tenant and a clock that is a little
/// ahead. One that expires all the same costs one 401 and one more fetch.
const RENEW_BEFORE: Duration = Duration::from_secs(10);

/// How old a token is at least that is given up for want of a scope. Whoever has just widened a grant waits no longer
/// than for a coffee, and a workflow that calls in vain all day costs twelve tokens an hour: they count against the
/// tenant's quota of machine-to-machine tokens.
const WIDER_AFTER: Duration = Duration::from_secs(300);

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
pub struct Token {
    value: Secret,
    /// When this machine got it.
    obtained: tokio::time::Instant,
    pub(crate) scope: Option<String>,
    life: Life,
    /// The scopes one by one, once somebody asks: a token with all of them has some 300, and each call asks.
    granted: OnceLock<HashSet<String>>,
    /// The header that carries it, made once: it is some 12 KB.
    header: OnceLock<Option<HeaderValue>>,
    /// The applications that it may be for: the one that fetched it, and those that it names itself.
    applications: Vec<String>,
    /// The secret that it was fetched with.
    proof: Option<Secret>,
    /// What is looked for in answers to requests that it was on, and in those that show secrets.
    echoes: [OnceLock<Option<Arc<Echo>>>; 2],
}

/// What a token says of itself.
#[derive(Default, Deserialize)]
struct Claims {
    scope: Option<String>,
    exp: Option<u64>,
    azp: Option<String>,
    client_id: Option<String>,
    sub: Option<String>,
}

impl Claims {
    fn of(token: &Secret) -> Self {
        let payload = token.expose().split('.').nth(1);
        payload
            .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
            .and_then(|payload| serde_json::from_slice(&payload).ok())
            .unwrap_or_default()
    }

    fn applications(self) -> Vec<String> {
        let subject = self.sub.and_then(|sub| sub.strip_suffix("@clients").map(str::to_owned));
        let mut named: Vec<String> = [self.azp, self.client_id, subject].into_iter().flatten().collect();
        named.dedup();
        named
    }
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
    pub fn of_unknown_origin(value: Secret) -> Self {
        let Claims { scope, exp, .. } = Claims::of(&value);
        Self::new(value, scope, exp.map_or(Life::Unknown, Life::UntilUnix))
    }

    fn new(value: Secret, scope: Option<String>, life: Life) -> Self {
        let applications = Claims::of(&value).applications();
        let obtained = tokio::time::Instant::now();
        let (granted, header, echoes) = Default::default();
        Self { value, obtained, scope, life, granted, header, applications, proof: None, echoes }
    }

    /// Says with what it was fetched.
    fn fetched_by(mut self, application: &str, proof: Option<&Secret>) -> Self {
        if !self.applications.iter().any(|other| other == application) {
            self.applications.push(application.to_owned());
        }
        self.proof = proof.cloned();
        self
    }

    /// Returns the applications that it may be for: the one that fetched it, and those that it names itself as a JWT
    /// of Auth0 (`azp`, and `sub` as `…@clients`: facts, section 1).
    pub fn applications(&self) -> &[String] {
        &self.applications
    }

    /// Returns what an answer must not repeat: the token, and, unless secrets are to be shown, what it was fetched with.
    pub(crate) fn echo(&self, shows_secrets: bool) -> Option<Arc<Echo>> {
        let make = || {
            let proof = self.proof.iter().filter(|_| !shows_secrets);
            let all: Vec<&str> = [&self.value].into_iter().chain(proof).map(Secret::expose).collect();
            Echo::of(&all)
        };
        self.echoes.get(usize::from(shows_secrets)).and_then(|echo| echo.get_or_init(make).clone())
    }

    /// Returns the header that carries it.
    pub fn authorization(&self) -> Option<HeaderValue> {
        self.header.get_or_init(|| bearer(&self.value)).clone()
    }

    /// Returns whether it has a scope; `None` where it does not say what it may do.
    pub(crate) fn grants(&self, scope: &str) -> Option<bool> {
        let all = self.scope.as_deref()?;
        let split = || all.split_ascii_whitespace().map(str::to_owned).collect();
        Some(self.granted.get_or_init(split).contains(scope))
    }

    /// Returns what it may do, where it says so.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Returns how many seconds it has left, where that is known.
    pub fn expires_in(&self) -> Option<u64> {
        match self.life {
            Life::Until(end) => Some(end.saturating_duration_since(Instant::now()).as_secs()),
            Life::UntilUnix(end) => Some(end.saturating_sub(unix_now().as_secs())),
            Life::Unknown => None,
        }
    }

    fn is_fresh(&self) -> bool {
        match self.life {
            Life::Until(end) => Instant::now() + RENEW_BEFORE < end,
            Life::UntilUnix(end) => (unix_now() + RENEW_BEFORE).as_secs() < end,
            Life::Unknown => true,
        }
    }
}

impl TokenSource {
    /// Sets up what the credentials of a tenant ask for; `None` where there are none.
    pub(crate) fn new(credentials: Credentials, endpoint: TokenEndpoint, tenant: &Domain) -> Option<Self> {
        let assertion_audience = assertion::audience(tenant);
        Some(match credentials {
            Credentials::None => return None,
            Credentials::Token(token) => Self::Static(Arc::new(Token::of_unknown_origin(token))),
            Credentials::ClientSecret { client_id, client_secret } => {
                let proof = Proof::Secret(client_secret);
                Self::Fetched(TokenCache::new(ClientCredentials { endpoint, client_id, proof }))
            }
            Credentials::PrivateKey { client_id, key } => {
                let proof = Proof::Key { key, audience: assertion_audience };
                Self::Fetched(TokenCache::new(ClientCredentials { endpoint, client_id, proof }))
            }
            Credentials::Source(source) => {
                Self::Fetched(TokenCache::new(FromSource { source, endpoint, assertion_audience }))
            }
        })
    }

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

    /// Returns another token in place of one that lacks a scope, since the application's grant may have been widened
    /// after it was made; `None` where it is too young for that, or there is no way to get another.
    pub(crate) fn wider(
        &self,
        token: &Arc<Token>,
    ) -> Option<impl Future<Output = Result<Arc<Token>, TokenError>>> {
        if token.obtained.elapsed() < WIDER_AFTER { None } else { self.another(token) }
    }

    /// Counts the tokens fetched so far.
    pub(crate) fn fetched(&self) -> u64 {
        match self {
            Self::Static(_) => 0,
            Self::Fetched(cache) => cache.fetched(),
        }
    }
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Makes `Bearer …`, marked so that HTTP/2 does not index it and `Debug` does not print it.
pub fn bearer(secret: &Secret) -> Option<HeaderValue> {
    sensitive(&["Bearer ", secret.expose()])
}

/// Makes a header value of these parts: marked as sensitive, and wiped when its last clone is gone.
pub fn sensitive(parts: &[&str]) -> Option<HeaderValue> {
    // In one piece from the start: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    // `from_maybe_shared` takes any byte above 127; no credential has those.
    if !text.is_ascii() {
        return None;
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub enum TokenError {
    /// The host itself has nothing to prove who it is.
    NoCredential(CredentialError),
    /// The endpoint refused.
    Refused(Arc<Refusal>),
    /// The endpoint was not reached, or its answer was lost. Either way the request that needed the token was not
    /// sent.
    NotReached(TransportError),
    /// The endpoint did not answer in the time that the request has. Others may wait longer.
    Late,
}

/// The token endpoint's refusal.
#[derive(Debug)]
pub struct Refusal {
    /// Status of its answer.
    pub status: StatusCode,
    /// OAuth's `error`.
    pub code: String,
    /// OAuth's `error_description`.
    pub description: String,
    /// `retry-after` and the `x-ratelimit-*` family.
    pub pacing: HeaderMap,
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoCredential(error) => write!(f, "not sent: the host has no credentials: {error}"),
            Self::Refused(refusal) => write!(f, "not sent: {}", refusal.message()),
            Self::NotReached(error) => write!(f, "not sent: the token endpoint could not be asked: {error}"),
            Self::Late => f.write_str("not sent: the token endpoint did not answer in time"),
        }
    }
}

impl TokenError {
    /// Returns the word for it in traces.
    fn code(&self) -> &'static str {
        match self {
            Self::NoCredential(_) => "no-credential",
            Self::Refused(_) => "refused",
            Self::NotReached(error) => error.code(),
            Self::Late => "late",
        }
    }
}

impl Refusal {
    /// Returns it as one sentence.
    pub fn message(&self) -> String {
        let what = match self.status {
            StatusCode::TOO_MANY_REQUESTS => "asks to wait",
            status if status.is_server_error() => "cannot serve",
            _ => "refused the host's credentials",
        };
        let status = self.status.as_u16();
        format!("the tenant's token endpoint {what} ({status}): {}: {}", self.code, self.description)
    }
}

impl From<CredentialError> for TokenError {
    fn from(error: CredentialError) -> Self {
        Self::NoCredential(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

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

    /// A source of tokens that counts them.
    #[derive(Debug)]
    struct Counting(Arc<AtomicU64>);

    impl cache::Fetch for Counting {
        fn fetch(&self) -> cache::Fetching<'_> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(Token::of_unknown_origin(Secret::new("opaque"))) })
        }
    }

    /// Guards the tenant's quota of tokens against a workflow that calls in vain, and a workflow against a grant that
    /// was widened while its token lived.
    #[tokio::test(start_paused = true)]
    async fn for_want_of_a_scope_a_token_is_replaced_once_in_five_minutes_and_not_by_each_call() {
        let fetched = Arc::new(AtomicU64::new(0));
        let source = TokenSource::Fetched(TokenCache::new(Counting(Arc::clone(&fetched))));
        let mut token = source.token().await.unwrap();
        for round in 1..=3 {
            tokio::time::advance(WIDER_AFTER - Duration::from_millis(1)).await;
            assert!(source.wider(&token).is_none(), "round {round}");
            tokio::time::advance(Duration::from_millis(1)).await;
            let old = Arc::clone(&token);
            token = source.wider(&old).unwrap().await.unwrap();
            // Who comes later with the same old token gets the new one.
            assert!(Arc::ptr_eq(&source.wider(&old).unwrap().await.unwrap(), &token));
            assert_eq!(fetched.load(Ordering::Relaxed), round + 1);
        }
        let given = TokenSource::Static(Arc::new(Token::of_unknown_origin(Secret::new("opaque"))));
        let token = given.token().await.unwrap();
        tokio::time::advance(WIDER_AFTER).await;
        assert!(given.wider(&token).is_none(), "nobody can fetch another");
    }
}
