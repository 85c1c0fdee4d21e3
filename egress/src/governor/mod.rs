//! The pace of a tenant: requests to its Management API leave no faster than it takes them.
//!
//! A 429 costs a round trip, counts against the tenant's own log-ins, and is written to its log. So the host keeps the
//! tenant's buckets itself, one set for all instances and calls of a tenant, and lets a request leave when there is a
//! token for it. A request that cannot wait so long is refused at once, with the time to come back: an engine has a
//! durable timer for that, and a sandbox that sleeps costs memory.
//!
//! The state (`pace`) knows no clock and no lock, so that it can be tested by simulation, and so that a store which
//! many hosts share can take its place. A lock is held for some map operations and never over a wait.

mod bucket;
mod endpoint;
mod headers;
mod pace;
mod plan;

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::time::Instant;

pub use self::plan::{CustomRate, RatePlan, UnknownRatePlan};
use self::{
    endpoint::Endpoint,
    headers::LimitReport,
    pace::{Admittance, Lane, Pace, QueueDecision, Ticket, Tokens},
};

/// The part of each bucket that is left to others where nothing else is said: the tenant's log-in Actions and back ends
/// draw from the same buckets, and a tenth lets them through while a bulk job runs. Whole tokens only, so buckets of
/// less than 10 keep none.
pub const RESERVE_PERCENT: u32 = 10;

/// What a tenant may take of the Authentication API: in any minute less than a quarter of the least that Auth0 gives a
/// tenant (free plan: 300 per minute; facts, section 3). A person asks for a password reset email now and then; who
/// sends many has a workflow's time.
const AUTHENTICATION: CustomRate =
    CustomRate { burst: NonZeroU32::MIN.saturating_add(9), per_minute: NonZeroU32::MIN.saturating_add(59) };

/// Whether somebody waits for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// A person or a workflow step waits for it.
    #[default]
    Interactive,
    /// A bulk job that may give way.
    Background,
}

/// Keeps the requests of a tenant within its rate limits. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Governor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pace: Mutex<Pace>,
    waits: AtomicU64,
    waited_us: AtomicU64,
    rate_limited: AtomicU64,
    refused: AtomicU64,
}

/// What a governor has done so far.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Requests that had to wait.
    pub waits: u64,
    /// How long, all together.
    pub waited: Duration,
    /// Requests that could not wait so long.
    pub rate_limited: u64,
    /// Answers with status 429.
    pub refused: u64,
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            waits: self.waits + other.waits,
            waited: self.waited + other.waited,
            rate_limited: self.rate_limited + other.rate_limited,
            refused: self.refused + other.refused,
        }
    }
}

/// The request would have to wait for longer than its call has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimited {
    /// When to come back.
    pub retry_after: Duration,
    /// Which bucket is empty, in words.
    pub message: String,
}

/// A request's leave to go. Dropped without an answer, the request counts as sent and over.
#[derive(Debug)]
pub struct Admission {
    shared: Arc<Shared>,
    endpoint: Option<Endpoint>,
    tokens: Tokens,
}

/// A position in the queue; given back when its request is given up.
struct QueueTicket<'a> {
    shared: &'a Shared,
    lane: Lane,
    ticket: Ticket,
    entered: Instant,
}

impl Default for Governor {
    fn default() -> Self {
        Self::new(RatePlan::default(), RESERVE_PERCENT)
    }
}

impl Governor {
    /// Paces what goes to the tenant's Authentication API, whose limits are others and shared with every log-in. The
    /// same for all plans: no header of that API tells one. Nothing where something else keeps the pace.
    pub fn of_authentication(plan: RatePlan) -> Self {
        let plan = if plan == RatePlan::Unlimited { plan } else { RatePlan::Custom(AUTHENTICATION) };
        Self::new(plan, 0)
    }

    /// Keeps the rate limits of a plan, and leaves so much of each bucket to others.
    pub fn new(plan: RatePlan, reserve_percent: u32) -> Self {
        Self(Arc::new(Shared {
            pace: Mutex::new(Pace::new(plan, reserve_percent)),
            waits: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// Waits until a request to the Management API may go; at once with an error where that would take longer than
    /// `max_wait`.
    ///
    /// The position in the queue is given back when the future is dropped.
    pub async fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        priority: Priority,
        max_wait: Duration,
    ) -> Result<Admission, RateLimited> {
        let lane = Lane { priority, endpoint: Endpoint::of(method, uri) };
        let entered = Instant::now();
        let until = entered.checked_add(max_wait);
        let admission = |tokens| Admission { shared: Arc::clone(&self.0), endpoint: lane.endpoint, tokens };
        // Bound first: the lock must not live on into the waiting.
        let entry = self.0.pace().enter(lane, max_wait, entered);
        let (ticket, wake) = match entry {
            Admittance::Goes(tokens) => return Ok(admission(tokens)),
            Admittance::TooLong(wait) => return Err(self.0.rate_limited(lane, wait, entered)),
            Admittance::Waits(ticket, wake) => (ticket, wake),
        };
        self.0.waits.fetch_add(1, Ordering::Relaxed);
        let queued = QueueTicket { shared: &self.0, lane, ticket, entered };
        loop {
            let now = Instant::now();
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
            let decision = self.0.pace().look(lane, ticket, left, now);
            let alarm = match decision {
                QueueDecision::Go(tokens) => return Ok(admission(tokens)),
                QueueDecision::TooLong(wait) => {
                    drop(queued);
                    return Err(self.0.rate_limited(lane, wait, now));
                }
                QueueDecision::Wait(alarm) => alarm,
            };
            match [alarm, until].into_iter().flatten().min() {
                // Late or woken: either way it is time to look.
                Some(alarm) => drop(tokio::time::timeout_at(alarm, wake.notified()).await),
                None => wake.notified().await,
            }
        }
    }

    /// Learns from an answer.
    pub fn observe(&self, admission: Admission, status: StatusCode, headers: &HeaderMap) {
        let report = LimitReport::of(status, headers);
        if report.refused.is_some() {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
        }
        admission.answered(report);
    }

    /// The plan that is kept to by now.
    pub fn plan(&self) -> RatePlan {
        self.0.pace().plan()
    }

    /// Returns what keeping the pace has cost so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            waits: read(&self.0.waits),
            waited: Duration::from_micros(read(&self.0.waited_us)),
            rate_limited: read(&self.0.rate_limited),
            refused: read(&self.0.refused),
        }
    }
}

impl Shared {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Nothing in here is left half-written by a panic elsewhere.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rate_limited(&self, lane: Lane, wait: Duration, now: Instant) -> RateLimited {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
        let mut pace = self.pace();
        let bucket = pace.describe(lane, now);
        let waiting = pace.waiting();
        // In tenths: more would be untrue of a queue.
        let seconds = wait.as_secs_f64();
        let message = format!(
            "not sent: {bucket} is used up and {waiting} requests wait for it; this one could be sent in \
             {seconds:.1} s, after the call's deadline"
        );
        RateLimited { retry_after: wait, message }
    }
}

impl Admission {
    fn answered(mut self, report: LimitReport) {
        let tokens = std::mem::take(&mut self.tokens);
        let now = Instant::now();
        let mut pace = self.shared.pace();
        pace.answered(self.endpoint, &tokens, report, now);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.tokens.is_empty() {
            self.shared.pace().give_up(&self.tokens, Instant::now());
        }
    }
}

impl Drop for QueueTicket<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let waited = now.saturating_duration_since(self.entered).as_micros();
        self.shared.waited_us.fetch_add(u64::try_from(waited).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.shared.pace().leave(self.lane, self.ticket, now);
    }
}

#[cfg(test)]
mod tests;
