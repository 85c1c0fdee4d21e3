//! What masking costs, and whom.
//!
//! Whoever can write into an answer can make it expensive: a secret of three bytes gets a handle of a hundred. So
//! handles are counted and measured, of one answer and of a whole call, and the time is the call's.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Handles in one answer. A page of 100 applications with each addon there is has 1100 secrets, one of 100 users with
/// five accounts each has 1500.
const MAX_HANDLES: u64 = 10_000;
/// Bytes of the handles of one answer: as many as those have, of 200 bytes each.
const MAX_BYTES: u64 = 2_000_000;
/// What all answers of a call may have, in answers: a call makes 1000 requests at most, and the longest lists of
/// applications have 100 pages.
const ANSWERS: u64 = 10;

/// What the answers of one call have cost so far.
#[derive(Debug, Default)]
pub(crate) struct Charges {
    handles: AtomicU64,
    bytes: AtomicU64,
    /// Time in which answers were gone through.
    nanos: AtomicU64,
    /// Why one of them was not handed on.
    withheld: OnceLock<&'static str>,
}

impl Charges {
    /// Writes down that an answer was not handed on. The first reason is the call's.
    pub(super) fn withhold(&self, reason: &'static str) {
        let _ = self.withheld.set(reason);
    }

    /// Returns why an answer was not handed on.
    pub(crate) fn withheld(&self) -> Option<&'static str> {
        self.withheld.get().copied()
    }

    /// Returns the time in which answers were gone through.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charged {
    /// Handles.
    Handles,
    /// The call's processor time.
    Time,
}

/// Charges one answer.
#[derive(Debug)]
pub(super) struct Charge {
    call: Arc<Charges>,
    /// What all answers of the call may take.
    most: Duration,
    begun: Option<Instant>,
    handles: u64,
    bytes: u64,
}

impl Charge {
    pub(super) fn new(call: Arc<Charges>, most: Duration) -> Self {
        Self { call, most, begun: None, handles: 0, bytes: 0 }
    }

    /// Begins to go through a piece of the answer.
    pub(super) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// Ends it.
    pub(super) fn end(&mut self) -> Result<(), Charged> {
        let nanos = self.begun.take().map_or(0, |begun| begun.elapsed().as_nanos());
        self.call.nanos.fetch_add(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
        if self.call.time() > self.most { Err(Charged::Time) } else { Ok(()) }
    }

    /// Counts a handle of so many bytes.
    pub(super) fn handle(&mut self, bytes: usize) -> Result<(), Charged> {
        let bytes = bytes as u64;
        self.handles += 1;
        self.bytes += bytes;
        let handles = self.call.handles.fetch_add(1, Ordering::Relaxed) + 1;
        let all_bytes = self.call.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let answer = self.handles <= MAX_HANDLES && self.bytes <= MAX_BYTES;
        let call = handles <= ANSWERS * MAX_HANDLES && all_bytes <= ANSWERS * MAX_BYTES;
        if answer && call { Ok(()) } else { Err(Charged::Handles) }
    }
}
