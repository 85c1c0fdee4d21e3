//! Time as the API writes it: ISO-8601 in UTC with milliseconds.

use jiff::{SignedDuration, Timestamp};

/// Formats a moment as Auth0 does, e.g. `2025-03-01T10:00:00.000Z`.
pub(crate) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The present moment, formatted.
pub(crate) fn now_iso() -> String {
    iso(Timestamp::now())
}

/// The moment `days` days before now; clamped to what a timestamp can hold.
pub(crate) fn days_ago(days: i64) -> Timestamp {
    shift(Timestamp::now(), -days.saturating_mul(86_400))
}

/// `at` moved by `seconds`; stays where it is when the result would not fit.
pub(crate) fn shift(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}
