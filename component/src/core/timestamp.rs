//! Points in time, as numbers: milliseconds since the Unix epoch. Asked of no clock here; `std::time` and
//! `jiff::Timestamp::now` trap on the guest's target.

use jiff::Timestamp;
use jiff::civil::Date;

/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Writes a time as Auth0 does: ISO 8601, UTC, milliseconds.
pub fn format_ms(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map_or_else(|_| unix_ms.to_string(), |time| format!("{time:.3}"))
}

/// Reads an ISO 8601 time or date.
pub fn parse_ms(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let date: Date = text.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Reads a time of an HTTP header (RFC 9110, `Sat, 21 Nov 2026 07:00:00 GMT`).
pub fn parse_http_ms(text: &str) -> Option<i64> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_auth0_writes_them() {
        assert_eq!(format_ms(1_740_823_200_123), "2025-03-01T10:00:00.123Z");
        assert_eq!(parse_ms("2025-03-01T10:00:00.123Z"), Some(1_740_823_200_123));
        assert_eq!(parse_ms("2025-03-01"), Some(1_740_787_200_000));
        assert_eq!(parse_ms("last week"), None);
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(parse_http_ms("Sat, 01 Mar 2025 10:00:00 GMT"), Some(1_740_823_200_000));
    }
}
