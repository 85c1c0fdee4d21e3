//! What an answer's headers report of the tenant's limits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::fmt::rfc2822;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The longest wait that is taken over from a 429; after it one request asks again. Some buckets refill once a day, and
/// a clock that is wrong must not close a tenant for longer than a deadline can be.
const LONGEST_CLOSED: Duration = Duration::from_secs(3600);
/// The longest where only this machine's clock can tell how far a reset is: the cap of Auth0's SDKs.
const LONGEST_GUESS: Duration = Duration::from_secs(60);
/// Where a 429 names no time. The header's unit, and the first wait of Auth0's SDKs.
const UNNAMED: Duration = Duration::from_secs(1);

/// What one answer reports of the limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LimitReport {
    /// Size and content of the bucket that the tenant chose to show.
    pub(super) level: Option<BucketLevel>,
    /// Of a 429: how long to wait.
    pub(super) refused: Option<Duration>,
    pub(super) success: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BucketLevel {
    pub(super) limit: f64,
    pub(super) remaining: f64,
}

impl LimitReport {
    pub(super) fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok().map(f64::from);
        let level = match (number(LIMIT), number(REMAINING)) {
            // What is not the size of a bucket is ignored.
            (Some(limit), Some(remaining)) if limit >= 1.0 => {
                Some(BucketLevel { limit, remaining: remaining.min(limit) })
            }
            _ => None,
        };
        let refused = (status == StatusCode::TOO_MANY_REQUESTS).then(|| wait(headers, SystemTime::now()));
        Self { level, refused, success: status.is_success() }
    }
}

/// Reads when to come back. `Retry-After` needs no clock; a reset is compared with the tenant's own `Date`, and only
/// where there is none with the clock of this machine.
fn wait(headers: &HeaderMap, now: SystemTime) -> Duration {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text: &str| rfc2822::parse(text).ok().map(|date| date.timestamp().as_second());
    let local =
        i64::try_from(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
    let tenant = text(&header::DATE).and_then(date);
    let until = |second: i64| {
        let seconds = second.saturating_sub(tenant.unwrap_or(local));
        let wait = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        wait.clamp(UNNAMED, if tenant.is_some() { LONGEST_CLOSED } else { LONGEST_GUESS })
    };
    if let Some(after) = text(&header::RETRY_AFTER) {
        if let Ok(seconds) = after.parse() {
            return Duration::from_secs(seconds).min(LONGEST_CLOSED);
        }
        if let Some(second) = date(after) {
            return until(second);
        }
    }
    text(&RESET).and_then(|text| text.parse().ok()).map_or(UNNAMED, until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_refusal_is_timed_by_the_tenants_clock_where_it_shows_one() {
        let local = UNIX_EPOCH + Duration::from_secs(NOW);
        for (pairs, seconds) in [
            (&[][..], 1),
            (&[("retry-after", "7"), ("x-ratelimit-reset", "1700000003")], 7),
            (&[("retry-after", "0")], 0),
            (&[("retry-after", "999999999")], 3600),
            (&[("x-ratelimit-reset", "1700000003")], 3),
            // In the past, or absurdly far: a clock is wrong.
            (&[("x-ratelimit-reset", "1600000000")], 1),
            (&[("x-ratelimit-reset", "1800000000")], 60),
            (&[("x-ratelimit-reset", "tomorrow")], 1),
            // An hour ahead of this machine, and it does not matter.
            (&[("x-ratelimit-reset", "1700003602"), ("date", "Tue, 14 Nov 2023 23:13:20 GMT")], 2),
            (
                &[
                    ("retry-after", "Tue, 14 Nov 2023 23:13:25 GMT"),
                    ("date", "Tue, 14 Nov 2023 23:13:20 GMT"),
                ],
                5,
            ),
        ] {
            assert_eq!(wait(&headers(pairs), local), Duration::from_secs(seconds), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_bucket_is_ignored() {
        for (limit, remaining, expected) in [
            ("50", "49", Some((50.0, 49.0))),
            ("50", "99", Some((50.0, 50.0))),
            ("0", "0", None),
            ("-1", "1", None),
            ("many", "1", None),
        ] {
            let mut given = headers(&[]);
            given.insert(LIMIT, limit.parse().unwrap());
            given.insert(REMAINING, remaining.parse().unwrap());
            let level = LimitReport::of(StatusCode::OK, &given).level;
            assert_eq!(level.map(|level| (level.limit, level.remaining)), expected, "{limit} {remaining}");
        }
    }
}
