//! Tokens of one tenant: fetched once for any number of callers, renewed before they expire.
//!
//! The fetch runs in a task of its own. A caller who waits for it may be stopped at any moment; the others who wait
//! must not lose their token by that. A refusal reaches everyone who waited, and for a while everyone who comes later:
//! the token endpoint has a limit of its own, which the tenant's log-ins share, and a component that is refused a token
//! can ask for one as often as it likes.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{StatusCode, header};
use tokio::{sync::watch, time::Instant};

use super::{Token, TokenError};
use crate::{telemetry, transport::TransportError};

/// A way to get a token.
pub(crate) trait Fetch: fmt::Debug + Send + Sync {
    /// Gets one.
    fn fetch(&self) -> Fetching<'_>;
}

pub(crate) type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send + 'a>>;

/// Fetches tokens, and keeps the last one.
#[derive(Debug)]
pub(crate) struct TokenCache {
    fetcher: Box<dyn Fetch>,
    state: Mutex<State>,
    fetched: AtomicU64,
}

type PendingFetch = watch::Receiver<Option<Result<Arc<Token>, TokenError>>>;

#[derive(Debug)]
enum State {
    Empty,
    Fetching(PendingFetch),
    Ready(Arc<Token>),
    /// The endpoint is not asked again until then.
    Refused(TokenError, Instant),
}

/// How long a refusal is kept that does not say how long: long enough that callers who come together, and one who comes
/// again and again, cost one request; short enough that nobody notices who has just fixed the credentials.
const KEEP_REFUSAL: Duration = Duration::from_secs(1);
/// How long one is kept at most: the limits of token endpoints are counted by the second or the minute (facts, section
/// 3), and what was fixed must not stay refused for an hour.
const KEEP_REFUSAL_AT_MOST: Duration = Duration::from_secs(60);

impl TokenCache {
    pub(crate) fn new(fetcher: impl Fetch + 'static) -> Arc<Self> {
        Arc::new(Self {
            fetcher: Box::new(fetcher),
            state: Mutex::new(State::Empty),
            fetched: AtomicU64::new(0),
        })
    }

    /// Counts the tokens fetched so far.
    pub(crate) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Returns a fresh token, waiting for a fetch where there is none.
    pub(crate) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, TokenError> {
        let mut pending = {
            let mut state = self.lock();
            match &*state {
                State::Ready(token) if token.is_fresh() => return Ok(Arc::clone(token)),
                State::Refused(error, until) if Instant::now() < *until => return Err(error.clone()),
                // A fetch whose task is gone without a word (its runtime was shut down) never ends.
                State::Fetching(pending) if pending.has_changed().is_ok() || pending.borrow().is_some() => {
                    pending.clone()
                }
                _ => {
                    let pending = self.start_fetch();
                    *state = State::Fetching(pending.clone());
                    pending
                }
            }
        };
        let result = pending.wait_for(Option::is_some).await;
        match result.ok().and_then(|result| result.clone()) {
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

    fn start_fetch(self: &Arc<Self>) -> PendingFetch {
        let (sender, pending) = watch::channel(None);
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            let begun = std::time::Instant::now();
            let result = cache.fetcher.fetch().await.map(Arc::new);
            telemetry::token_fetched(begun, result.as_ref().map_or_else(TokenError::code, |_| "fetched"));
            *cache.lock() = match &result {
                Ok(token) => {
                    cache.fetched.fetch_add(1, Ordering::Relaxed);
                    State::Ready(Arc::clone(token))
                }
                Err(error) => match kept_for(error) {
                    Some(time) => State::Refused(error.clone(), Instant::now() + time),
                    None => State::Empty,
                },
            };
            sender.send_replace(Some(result));
        });
        pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long an answer of the token endpoint stands: only where asking again at once would be answered the same.
fn kept_for(error: &TokenError) -> Option<Duration> {
    let TokenError::Refused(refusal) = error else { return None };
    if !matches!(
        refusal.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    ) {
        return None;
    }
    let said = refusal.pacing.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Some(said.map_or(KEEP_REFUSAL, Duration::from_secs).clamp(KEEP_REFUSAL, KEEP_REFUSAL_AT_MOST))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::token::Refusal;

    /// Refuses with this status and these seconds to wait.
    #[derive(Debug)]
    struct Refusing {
        status: u16,
        retry_after: Option<&'static str>,
        asked: Arc<AtomicU64>,
    }

    impl Fetch for Refusing {
        fn fetch(&self) -> Fetching<'_> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let value = self.retry_after.map(|text| (header::RETRY_AFTER, text.parse().unwrap()));
            let refusal = Refusal {
                status: StatusCode::from_u16(self.status).unwrap(),
                code: "access_denied".to_owned(),
                description: "Unauthorized".to_owned(),
                pacing: HeaderMap::from_iter(value),
            };
            Box::pin(async { Err(TokenError::Refused(Arc::new(refusal))) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_stands_until_its_time_and_the_endpoint_is_not_asked_before() {
        for (status, retry_after, kept_ms) in [
            (401, None, 1_000),
            (403, None, 1_000),
            (429, None, 1_000),
            (429, Some("7"), 7_000),
            (401, Some("0"), 1_000),
            (429, Some("3600"), 60_000),
            (429, Some("tomorrow"), 1_000),
            (400, None, 0),
            (500, Some("7"), 0),
            (503, None, 0),
        ] {
            let asked = Arc::new(AtomicU64::new(0));
            let cache = TokenCache::new(Refusing { status, retry_after, asked: Arc::clone(&asked) });
            let refused = || async { assert!(matches!(cache.token().await, Err(TokenError::Refused(_)))) };
            refused().await;
            if kept_ms > 0 {
                tokio::time::advance(Duration::from_millis(kept_ms - 1)).await;
                refused().await;
                refused().await;
                assert_eq!(asked.load(Ordering::Relaxed), 1, "{status} {retry_after:?}");
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            refused().await;
            assert_eq!(asked.load(Ordering::Relaxed), 2, "{status} {retry_after:?}");
        }
    }
}
