//! Which request may go next: buckets and queues, without a clock or a lock of their own.
//!
//! A request needs a token of each bucket that counts it. Requests with the same needs and the same priority wait in
//! one lane, first in, first out. Over all lanes the oldest goes first as far as its buckets allow: one that lacks a
//! token of a bucket holds back those behind it that need that bucket too, and no others – a queue of template changes
//! does not hold up a reading of users.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    Priority,
    bucket::{Bucket, Mark},
    endpoint::Endpoint,
    headers::{BucketLevel, LimitReport},
    plan::{Evidence, Rate, RatePlan, same},
};

/// The part of a bucket that background work leaves to the others, besides the reserve: a quarter lets a person's
/// dozen of requests through at once on a bucket of 50, and takes nothing from buckets of less than 4.
const BACKGROUND_PERCENT: u32 = 25;

/// A bucket of the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BucketKey {
    Tenant,
    Endpoint(Endpoint),
}

/// Requests that wait for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) priority: Priority,
    pub(super) endpoint: Option<Endpoint>,
}

/// A position in a lane, in the order of arrival.
pub(super) type Ticket = u64;

/// The tokens of one request.
#[derive(Debug, Default)]
pub(super) struct Tokens(Vec<(BucketKey, Mark)>);

impl Tokens {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of a request that asked to go.
#[derive(Debug)]
pub(super) enum Admittance {
    Goes(Tokens),
    Waits(Ticket, Arc<Notify>),
    /// It would wait longer than it can.
    TooLong(Duration),
}

/// What a waiting request is to do.
#[derive(Debug)]
pub(super) enum QueueDecision {
    Go(Tokens),
    /// Look again when woken, or then.
    Wait(Option<Instant>),
    /// Give up: it could go only after so long, which is too late.
    TooLong(Duration),
}

/// The pace of one tenant.
#[derive(Debug)]
pub(super) struct Pace {
    plan: RatePlan,
    /// Whether an answer has borne the plan out.
    confirmed: bool,
    /// Whether the tenant answered without limits in its headers before it ever gave one.
    silent: bool,
    reserve_percent: u32,
    buckets: BTreeMap<BucketKey, Bucket>,
    lanes: BTreeMap<Lane, BTreeMap<Ticket, Arc<Notify>>>,
    granted: BTreeMap<Ticket, Tokens>,
    next: Ticket,
}

impl Pace {
    pub(super) fn new(plan: RatePlan, reserve_percent: u32) -> Self {
        Self {
            plan,
            confirmed: false,
            silent: false,
            reserve_percent,
            buckets: BTreeMap::new(),
            lanes: BTreeMap::new(),
            granted: BTreeMap::new(),
            next: 0,
        }
    }

    /// The plan that is kept to by now.
    pub(super) fn plan(&self) -> RatePlan {
        self.plan
    }

    /// Lets a request go, or queues it where it can wait for so long.
    pub(super) fn enter(&mut self, lane: Lane, max_wait: Duration, now: Instant) -> Admittance {
        if self.lanes.is_empty() && self.lacks(lane, now).is_empty() {
            return Admittance::Goes(self.take(lane, now));
        }
        let ticket = self.next;
        self.next += 1;
        if self.expected(lane, ticket, now) > max_wait {
            return Admittance::TooLong(self.wait(lane, ticket, now));
        }
        let wake = Arc::new(Notify::new());
        self.lanes.entry(lane).or_default().insert(ticket, Arc::clone(&wake));
        self.advance(now);
        match self.granted.remove(&ticket) {
            Some(tokens) => Admittance::Goes(tokens),
            None => Admittance::Waits(ticket, wake),
        }
    }

    /// Returns what a waiting request is to do now that can wait for so long.
    pub(super) fn look(
        &mut self,
        lane: Lane,
        ticket: Ticket,
        max_wait: Duration,
        now: Instant,
    ) -> QueueDecision {
        self.advance(now);
        if let Some(tokens) = self.granted.remove(&ticket) {
            return QueueDecision::Go(tokens);
        }
        // The plan turned out to be smaller, a refusal came, or the queue was slower than thought.
        if max_wait.is_zero() || self.expected(lane, ticket, now) > max_wait {
            return QueueDecision::TooLong(self.wait(lane, ticket, now));
        }
        let heads = self.lanes.get(&lane).is_some_and(|queue| queue.keys().next() == Some(&ticket));
        // Only the first of a lane keeps time; the others are woken when they are the first.
        let alarm = heads.then(|| now.checked_add(self.tokens_in(lane, |_| 0, now)));
        QueueDecision::Wait(alarm.flatten())
    }

    /// Leaves the queue, or gives tokens back that were not fetched.
    pub(super) fn leave(&mut self, lane: Lane, ticket: Ticket, now: Instant) {
        if let Some(tokens) = self.granted.remove(&ticket) {
            for (name, mark) in tokens.0 {
                if let Some(bucket) = self.buckets.get_mut(&name) {
                    bucket.put_back(mark, now);
                }
            }
        }
        self.dequeue(lane, ticket);
        self.advance(now);
    }

    /// As [`Pace::wait`]; as long as the plan is not known, the answer that is on its way may free all at once.
    fn expected(&mut self, lane: Lane, ticket: Ticket, now: Instant) -> Duration {
        if self.plan == RatePlan::Auto {
            return self.buckets.values().map(|bucket| bucket.opens_in(now)).max().unwrap_or_default();
        }
        self.wait(lane, ticket, now)
    }

    /// Returns how long a request with this ticket has to wait: until its buckets have refilled for those ahead and for
    /// it.
    pub(super) fn wait(&mut self, lane: Lane, ticket: Ticket, now: Instant) -> Duration {
        let ahead = |pace: &Self, name: BucketKey| -> usize {
            let of_bucket =
                pace.lanes.iter().filter(|(other, _)| pace.names(other.endpoint).any(|used| used == name));
            let ahead = of_bucket.map(|(other, queue)| match other.priority.cmp(&lane.priority) {
                Ordering::Greater => 0,
                Ordering::Equal if queue.keys().next_back().is_some_and(|last| *last >= ticket) => {
                    queue.range(..ticket).count()
                }
                Ordering::Less | Ordering::Equal => queue.len(),
            });
            ahead.sum()
        };
        let counts: Vec<(BucketKey, usize)> =
            self.names(lane.endpoint).map(|name| (name, ahead(self, name))).collect();
        let count = |name| counts.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
        self.tokens_in(lane, count, now)
    }

    /// Ends a request that was given up.
    pub(super) fn give_up(&mut self, tokens: &Tokens, now: Instant) {
        self.landed(tokens, now);
        self.advance(now);
    }

    /// Ends a request that was answered, and learns from the answer.
    pub(super) fn answered(
        &mut self,
        endpoint: Option<Endpoint>,
        tokens: &Tokens,
        report: LimitReport,
        now: Instant,
    ) {
        self.landed(tokens, now);
        if self.plan != RatePlan::Unlimited {
            self.learn(endpoint, tokens, report, now);
        }
        self.advance(now);
    }

    fn landed(&mut self, tokens: &Tokens, now: Instant) {
        for (name, mark) in &tokens.0 {
            if let Some(bucket) = self.buckets.get_mut(name) {
                bucket.landed(*mark, now);
            }
        }
    }

    fn learn(&mut self, endpoint: Option<Endpoint>, tokens: &Tokens, report: LimitReport, now: Instant) {
        match (report.level, report.refused) {
            (level, Some(wait)) => self.close(endpoint, level, wait, now),
            (Some(level), None) => self.correct(endpoint, tokens, level, now),
            // Only a success says that the endpoint is not limited: what is refused earlier carries no headers.
            (None, None) if report.success && self.plan == RatePlan::Auto && !self.silent => {
                self.silent = true;
                self.set_rates(now);
            }
            (None, None) => {}
        }
    }

    fn correct(&mut self, endpoint: Option<Endpoint>, tokens: &Tokens, level: BucketLevel, now: Instant) {
        self.recognize(endpoint, level.limit, now);
        let mut shown = self.shown(endpoint, level.limit, now);
        // Where a size fits two buckets, which of them it is cannot be told: none of them is corrected.
        if let (Some(name), None) = (shown.pop(), shown.pop())
            && let Some(bucket) = self.buckets.get_mut(&name)
        {
            let mark = tokens.0.iter().find(|(other, _)| *other == name).map(|(_, mark)| *mark);
            bucket.learn(mark, level.remaining, now);
        }
    }

    /// Closes the bucket that a 429 speaks of; where it cannot be told, each that counted the request.
    fn close(
        &mut self,
        endpoint: Option<Endpoint>,
        level: Option<BucketLevel>,
        wait: Duration,
        now: Instant,
    ) {
        let mut names = level.map_or_else(Vec::new, |level| self.shown(endpoint, level.limit, now));
        if names.is_empty() {
            names = self.names(endpoint).collect();
        }
        for name in names {
            self.bucket(name, now).close(now + wait, now);
        }
        self.wake_all();
    }

    /// Takes another plan where the size of a bucket shows one.
    fn recognize(&mut self, endpoint: Option<Endpoint>, limit: f64, now: Instant) {
        if std::mem::take(&mut self.silent) {
            self.set_rates(now);
        }
        let auto = self.plan == RatePlan::Auto;
        if !auto && !self.shown(endpoint, limit, now).is_empty() {
            self.confirmed = true;
            return;
        }
        let told = if self.plan.is_a_guess() { RatePlan::showing(endpoint, limit) } else { None };
        let rate = |plan: RatePlan| plan.tenant().map_or(f64::INFINITY, |rate| rate.per_second);
        match told {
            // A bucket that Auth0 does not publish can have the size of a faster plan.
            Some((plan, Evidence::Tenant)) if self.confirmed && rate(plan) > rate(self.plan) => {}
            Some((plan, _)) => {
                self.plan = plan;
                self.confirmed = true;
                self.set_rates(now);
            }
            None if !self.confirmed && self.plan.is_a_guess() => {
                let names: Vec<BucketKey> = self.names(endpoint).collect();
                if let Some(bucket) = names.last().map(|name| self.bucket(*name, now))
                    && let Some(rate) = bucket.rate().filter(|rate| limit < rate.burst)
                {
                    bucket.set_rate(Some(rate.resized(limit)), now);
                }
            }
            None => {}
        }
    }

    /// Gives every bucket the figures of the plan.
    fn set_rates(&mut self, now: Instant) {
        let rates: Vec<(BucketKey, Option<Rate>)> =
            self.buckets.keys().map(|name| (*name, self.rate(*name))).collect();
        for (name, rate) in rates {
            self.bucket(name, now).set_rate(rate, now);
        }
        self.wake_all();
    }

    /// Lets everyone who waits work out anew how long.
    fn wake_all(&self) {
        self.lanes.values().flat_map(BTreeMap::values).for_each(|wake| wake.notify_one());
    }

    /// Lets as many requests go as there are tokens for.
    fn advance(&mut self, now: Instant) {
        while let Some((ticket, lane)) = self.next_to_go(now) {
            let tokens = self.take(lane, now);
            self.granted.insert(ticket, tokens);
            if let Some(wake) = self.dequeue(lane, ticket) {
                wake.notify_one();
            }
        }
    }

    fn next_to_go(&mut self, now: Instant) -> Option<(Ticket, Lane)> {
        let mut lacking = BTreeSet::new();
        for priority in [Priority::Interactive, Priority::Background] {
            let of_priority = self.lanes.iter().filter(|(lane, _)| lane.priority == priority);
            let mut firsts: Vec<(Ticket, Lane)> =
                of_priority.filter_map(|(lane, queue)| Some((*queue.keys().next()?, *lane))).collect();
            firsts.sort_unstable_by_key(|(ticket, _)| *ticket);
            for (ticket, lane) in firsts {
                let held_back = self.names(lane.endpoint).any(|name| lacking.contains(&name));
                let lacks = self.lacks(lane, now);
                if lacks.is_empty() && !held_back {
                    return Some((ticket, lane));
                }
                lacking.extend(lacks);
            }
        }
        None
    }

    /// Takes a position out of its lane, and wakes the first one now.
    fn dequeue(&mut self, lane: Lane, ticket: Ticket) -> Option<Arc<Notify>> {
        let queue = self.lanes.get_mut(&lane)?;
        let wake = queue.remove(&ticket);
        match queue.first_key_value() {
            Some((first, next)) if *first > ticket => next.notify_one(),
            Some(_) => {}
            None => {
                self.lanes.remove(&lane);
            }
        }
        wake
    }

    fn take(&mut self, lane: Lane, now: Instant) -> Tokens {
        let names = self.names(lane.endpoint);
        Tokens(names.filter_map(|name| Some((name, self.buckets.get_mut(&name)?.take(now)))).collect())
    }

    /// The buckets of a request that have no token for it.
    fn lacks(&mut self, lane: Lane, now: Instant) -> Vec<BucketKey> {
        let mut names: Vec<BucketKey> = self.names(lane.endpoint).collect();
        names.retain(|name| {
            let floor = self.floor(*name, lane.priority);
            !self.bucket(*name, now).has(floor, now)
        });
        names
    }

    /// Returns when the buckets of a request have tokens for those ahead and for it.
    fn tokens_in(&mut self, lane: Lane, ahead: impl Fn(BucketKey) -> usize, now: Instant) -> Duration {
        let waits = self.names(lane.endpoint).map(|name| {
            let floor = self.floor(name, lane.priority);
            let ahead = u32::try_from(ahead(name)).unwrap_or(u32::MAX);
            self.bucket(name, now).wait(f64::from(ahead), floor, now)
        });
        waits.max().unwrap_or_default()
    }

    /// The whole tokens that a request must leave in a bucket. Of small buckets that is none: a reserve must not
    /// starve.
    fn floor(&self, name: BucketKey, priority: Priority) -> f64 {
        let burst = self
            .buckets
            .get(&name)
            .and_then(Bucket::rate)
            .or_else(|| self.rate(name))
            .map_or(0.0, |rate| rate.burst);
        let part = |percent: u32| (burst * f64::from(percent) / 100.0).floor();
        let reserve = part(self.reserve_percent);
        let background = if priority == Priority::Background { part(BACKGROUND_PERCENT) } else { 0.0 };
        (reserve + background).min((burst / 2.0).floor())
    }

    /// The buckets of a request that have this size.
    fn shown(&mut self, endpoint: Option<Endpoint>, limit: f64, now: Instant) -> Vec<BucketKey> {
        let mut names: Vec<BucketKey> = self.names(endpoint).collect();
        names.retain(|name| self.bucket(*name, now).rate().is_some_and(|rate| same(rate.burst, limit)));
        names
    }

    /// The buckets that count a request, the tenant's first.
    fn names(&self, endpoint: Option<Endpoint>) -> impl Iterator<Item = BucketKey> + use<> {
        let own = endpoint.filter(|endpoint| self.plan.endpoint(*endpoint).is_some());
        let tenant = (own.is_none() || self.plan.counts_all()).then_some(BucketKey::Tenant);
        tenant.into_iter().chain(own.map(BucketKey::Endpoint))
    }

    fn rate(&self, name: BucketKey) -> Option<Rate> {
        match name {
            BucketKey::Tenant if self.silent => None,
            BucketKey::Tenant => self.plan.tenant(),
            BucketKey::Endpoint(endpoint) => self.plan.endpoint(endpoint),
        }
    }

    fn bucket(&mut self, name: BucketKey, now: Instant) -> &mut Bucket {
        let rate = self.rate(name);
        self.buckets.entry(name).or_insert_with(|| Bucket::new(rate, now))
    }

    /// Describes the bucket that a request waits for the longest.
    pub(super) fn describe(&mut self, lane: Lane, now: Instant) -> String {
        let names: Vec<BucketKey> = self.names(lane.endpoint).collect();
        let slowest = names.into_iter().max_by_key(|name| {
            let floor = self.floor(*name, lane.priority);
            self.bucket(*name, now).wait(0.0, floor, now)
        });
        let what = match slowest {
            Some(BucketKey::Endpoint(endpoint)) => format!("the limit of {}", endpoint.name()),
            Some(BucketKey::Tenant) | None => "the tenant's rate limit".to_owned(),
        };
        format!("{what} (plan {})", self.plan)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.values().map(BTreeMap::len).sum()
    }
}
