//! Tokens of one connection: fetched once for any number of callers, renewed before they expire.
//!
//! The fetch runs in a task of its own. A caller who waits for it may be stopped at any moment; the others who wait
//! must not lose their token by that. A refusal reaches everyone who waited, and the next caller tries anew.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;

use super::{Token, TokenError};
use crate::{egress::transport::TransportError, telemetry};

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

type Flight = watch::Receiver<Option<Result<Arc<Token>, TokenError>>>;

#[derive(Debug)]
enum State {
    Empty,
    Fetching(Flight),
    Ready(Arc<Token>),
}

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
            let begun = Instant::now();
            let result = cache.fetcher.fetch().await.map(Arc::new);
            telemetry::token_fetched(begun, result.as_ref().map_or_else(TokenError::code, |_| "fetched"));
            *cache.lock() = match &result {
                Ok(token) => {
                    cache.fetched.fetch_add(1, Ordering::Relaxed);
                    State::Ready(Arc::clone(token))
                }
                Err(_) => State::Empty,
            };
            land.send_replace(Some(result));
        });
        flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
