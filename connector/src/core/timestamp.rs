//! Points in time, as numbers: milliseconds since the Unix epoch. Asked of no clock here; `std::time` traps on the
//! guest's target.

use auth0_liquid::calendar::{self, Moment};

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Writes a time as Auth0 does: ISO 8601, UTC, milliseconds.
pub(crate) fn format_ms(unix_ms: i64) -> String {
    let Some(at) = Moment::new(unix_ms, None) else { return unix_ms.to_string() };
    let Moment { year, month, day, hour, minute, second, millisecond, .. } = at;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Reads a date or time: ISO 8601 as Auth0 writes it, or RFC 9110 as headers have it
/// (`Sat, 21 Nov 2026 07:00:00 GMT`).
pub(crate) fn parse_ms(text: &str) -> Option<i64> {
    calendar::read(text)
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
        assert_eq!(parse_ms("Sat, 01 Mar 2025 10:00:00 GMT"), Some(1_740_823_200_000));
    }
}
