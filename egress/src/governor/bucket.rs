//! One bucket, as it is known from this side of the wire.
//!
//! The tenant's level is not known: requests are on their way, and refill is lost while a bucket is full. So the level here
//! is a lower bound. A request takes its token when it leaves, and as long as it is not answered the bucket is held to be
//! fuller by it than it can be refilled: the cap is the size less the requests in flight. With that the tenant has a
//! token for every request that is let go, however long it travels and in whatever order requests arrive – unless
//! somebody else draws from the bucket. A request that is not answered for long is held to have arrived: without that, as
//! many as the bucket holds that hang would stop all others for as long.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::plan::Rate;

/// Two clocks that are being corrected drift apart by at most 1000 ppm: NTP slews each by 500 at most.
const PACE: f64 = 0.999;
/// No request travels for longer; one that is not answered by then is being worked on.
const TRAVEL: Duration = Duration::from_secs(5);

/// A bucket of the tenant.
#[derive(Debug)]
pub(super) struct Bucket {
    /// No limit where absent; a 429 closes it all the same.
    rate: Option<Rate>,
    level: f64,
    at: Instant,
    /// The requests on their way: when they left, and their number.
    in_flight: VecDeque<(Instant, u64)>,
    next: u64,
    /// Tokens taken so far: own requests, and what others were seen to take.
    spent: f64,
    /// What was spent when the figures changed: a mark from before compares with nothing.
    changed: f64,
    closed_until: Option<Instant>,
}

/// What was known of a bucket when a request left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    number: u64,
    level: f64,
    spent: f64,
    /// Other requests on their way.
    in_flight: usize,
}

impl Bucket {
    pub(super) fn new(rate: Option<Rate>, now: Instant) -> Self {
        let mut bucket = Self {
            rate,
            level: 0.0,
            at: now,
            in_flight: VecDeque::new(),
            next: 0,
            spent: 0.0,
            changed: -1.0,
            closed_until: None,
        };
        bucket.level = bucket.cap();
        bucket
    }

    pub(super) fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Gives the bucket other figures. What it holds stays, since a plan's name fills no bucket.
    pub(super) fn set_rate(&mut self, rate: Option<Rate>, now: Instant) {
        self.refill(now);
        self.rate = rate;
        self.changed = self.spent;
        self.level = self.level.min(self.cap());
    }

    /// Returns whether a token can be taken that leaves `floor` tokens.
    pub(super) fn has(&mut self, floor: f64, now: Instant) -> bool {
        self.refill(now);
        let open = self.closed_until.is_none_or(|until| now >= until);
        open && (self.rate.is_none() || self.level >= 1.0 + floor)
    }

    /// Takes a token for a request that leaves now.
    pub(super) fn take(&mut self, now: Instant) -> Mark {
        let in_flight = self.in_flight.len();
        self.spent += 1.0;
        let number = self.next;
        self.next += 1;
        self.in_flight.push_back((now, number));
        if self.rate.is_some() {
            self.level -= 1.0;
        }
        Mark { number, level: self.level, spent: self.spent, in_flight }
    }

    /// Takes note that a request is answered or given up.
    pub(super) fn landed(&mut self, mark: Mark, now: Instant) {
        self.refill(now);
        self.in_flight.retain(|(_, number)| *number != mark.number);
    }

    /// Puts a token back whose request never left.
    pub(super) fn put_back(&mut self, mark: Mark, now: Instant) {
        self.landed(mark, now);
        if self.rate.is_some() {
            self.level = (self.level + 1.0).min(self.cap());
        }
    }

    /// Learns what the tenant had left after it had taken a request's token.
    ///
    /// Answers overtake each other, and what the tenant counted of the requests that were on their way with this one is
    /// not known. So both bounds are worked out: what it must have had if nobody else drew from it, and what it has for
    /// certain.
    pub(super) fn learn(&mut self, mark: Option<Mark>, remaining: f64, now: Instant) {
        self.refill(now);
        let Some(rate) = self.rate else { return };
        // A bucket that was not known when the request left: what is on its way may all have come later.
        let Some(mark) = mark else {
            self.level = self.level.min(remaining - count(self.in_flight.len()));
            return;
        };
        let since = self.spent - mark.spent;
        let certain = (remaining - count(mark.in_flight) - since - rate.step).min(self.cap());
        let least = (mark.level - since).floor();
        if mark.spent <= self.changed {
            self.level = certain;
        } else if remaining < least {
            let others = least - remaining;
            self.level -= others;
            self.spent += others;
        } else {
            self.level = self.level.max(certain);
        }
    }

    /// Lets nobody through before `until`: the tenant has refused a request.
    pub(super) fn close(&mut self, until: Instant, now: Instant) {
        self.refill(now);
        self.level = self.level.min(0.0);
        self.closed_until = Some(self.closed_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Returns how long it takes until `ahead` tokens and one more have come above the floor.
    pub(super) fn wait(&self, ahead: f64, floor: f64, now: Instant) -> Duration {
        let refilled = self.rate.map_or(Duration::ZERO, |rate| {
            let missing = (ahead + 1.0 + floor - self.level).max(0.0);
            let after = missing / (rate.per_second * PACE);
            let gone = now.saturating_duration_since(self.at);
            Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX).saturating_sub(gone)
        });
        refilled.max(self.opens_in(now))
    }

    /// Returns how long a refusal still closes it.
    pub(super) fn opens_in(&self, now: Instant) -> Duration {
        self.closed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// The most that can be had while requests are on their way.
    fn cap(&self) -> f64 {
        self.rate.map_or(0.0, |rate| (rate.burst - rate.step).max(1.0) - count(self.in_flight.len()))
    }

    fn refill(&mut self, now: Instant) {
        while let Some(arrived) =
            self.in_flight.front().map(|(left, _)| *left + TRAVEL).filter(|at| *at <= now)
        {
            self.refill_until(arrived);
            self.in_flight.pop_front();
        }
        self.refill_until(now);
    }

    fn refill_until(&mut self, now: Instant) {
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        if let Some(rate) = self.rate {
            self.level = (self.level + gone * rate.per_second * PACE).min(self.cap()).max(-rate.burst);
        }
    }
}

/// A number of requests as a number of tokens.
fn count(requests: usize) -> f64 {
    u32::try_from(requests).map_or(f64::INFINITY, f64::from)
}
