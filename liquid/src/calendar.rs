//! Days, and dates as people and programs write them.
//!
//! Own arithmetic, since the date crates either ask the system for the time (which traps in the guest) or cannot read
//! what JavaScript's `Date` reads. Times are UTC, as on Auth0's servers; a text without a zone is read as UTC.

/// A point in time, taken apart at an offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970 in UTC.
    pub epoch_ms: i64,
    /// As people count, with 0 for the year before 1.
    pub year: i64,
    /// From January, 1.
    pub month: u32,
    /// Of the month, from 1.
    pub day: u32,
    /// From 1.
    pub day_of_year: i64,
    /// From Sunday, 0.
    pub weekday: i64,
    /// From 0 to 23.
    pub hour: i64,
    /// From 0.
    pub minute: i64,
    /// From 0; no leap seconds.
    pub second: i64,
    /// From 0.
    pub millisecond: i64,
    /// Minutes to add to UTC; `None` for UTC by default rather than by wish.
    pub offset: Option<i64>,
}

/// English names of the months, from January.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// English names of the days, from Sunday.
pub const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const DAY_MS: i64 = 86_400_000;

/// The furthest that JavaScript's `Date` goes from 1970 (ECMA-262, time values).
const MAX_EPOCH_MS: i64 = 8_640_000_000_000_000;

impl Moment {
    /// Takes a point in time apart; `None` where JavaScript's `Date` ends.
    pub fn new(epoch_ms: i64, offset: Option<i64>) -> Option<Self> {
        if epoch_ms.checked_abs()? > MAX_EPOCH_MS {
            return None;
        }
        let local = epoch_ms.checked_add(offset.unwrap_or(0).checked_mul(60_000)?)?;
        let (days, in_day) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
        let (year, month, day) = civil(days);
        Some(Self {
            epoch_ms,
            year,
            month,
            day,
            day_of_year: days - days_of(year, 1, 1) + 1,
            weekday: (days + 4).rem_euclid(7),
            hour: in_day / 3_600_000,
            minute: in_day / 60_000 % 60,
            second: in_day / 1000 % 60,
            millisecond: in_day % 1000,
            offset,
        })
    }
}

/// Counts the days from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The way back from [`days_of`].
fn civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// A date as it is being read.
#[derive(Debug, Default)]
struct Reading {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    time_ms: Option<i64>,
    offset: Option<i64>,
    afternoon: Option<bool>,
}

/// Reads a date as `new Date(text)` of V8 does, for the forms that occur: ISO 8601, RFC 2822, and those of
/// `Date.toString` and of English prose. Answers milliseconds since 1970; `None` for what is no date.
pub fn read(text: &str) -> Option<i64> {
    /// Longer than any date; V8 reads comments of any length.
    const MAX_BYTES: usize = 128;

    let text = text.trim();
    if text.len() > MAX_BYTES || text.is_empty() {
        return None;
    }
    let mut reading = Reading::default();
    let rest = reading.iso_date(text).unwrap_or(text);
    reading.words(rest)?;
    reading.epoch_ms()
}

impl Reading {
    /// Reads `2024-03-14`, `2024-03` or `+002024-03-14`, and the `T` behind it.
    fn iso_date<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (sign, rest) = match text.strip_prefix(['+', '-']) {
            Some(rest) => (if text.starts_with('-') { -1 } else { 1 }, rest),
            None => (0, text),
        };
        let (year, digits, rest) = digits(rest)?;
        if digits != if sign == 0 { 4 } else { 6 } {
            return None;
        }
        let year = if sign < 0 { -year } else { year };
        let (month, digits_of_month, rest) = digits_after(rest, '-')?;
        let (day, rest) = match digits_after(rest, '-') {
            Some((day, digits, rest)) if digits <= 2 => (day, rest),
            _ => (1, rest),
        };
        if digits_of_month > 2 {
            return None;
        }
        (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
        Some(rest.strip_prefix(['T', 't']).unwrap_or(rest))
    }

    /// Reads everything else, word by word.
    fn words(&mut self, mut text: &str) -> Option<()> {
        loop {
            text = text.trim_start_matches([',', ' ', '\u{202f}']);
            let Some(first) = text.chars().next() else { return Some(()) };
            text = match first {
                '(' => text.split_once(')')?.1,
                '0'..='9' => self.number(text)?,
                '+' | '-' if self.time_ms.is_some() => self.zone(text)?,
                // As in `14-Mar-2016`.
                '-' if self.month.is_none() || self.year.is_none() => text.strip_prefix('-')?,
                _ if first.is_ascii_alphabetic() => self.word(text)?,
                _ => return None,
            };
        }
    }

    fn word<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let end = text.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "z" | "utc" | "gmt" | "ut" if self.offset.is_none() => self.offset = Some(0),
            "am" | "pm" if self.time_ms.is_some() => self.afternoon = Some(lower == "pm"),
            // Only the first three letters count.
            _ => {
                let names = |name: &str| {
                    lower.get(..3).is_some_and(|start| name.to_ascii_lowercase().starts_with(start))
                };
                match MONTHS.iter().position(|month| names(month)) {
                    Some(index) if self.month.is_none() => self.month = Some(i64::try_from(index).ok()? + 1),
                    None if WEEKDAYS.iter().any(|day| names(day)) => {}
                    _ => return None,
                }
            }
        }
        Some(rest)
    }

    fn number<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (number, count, rest) = digits(text)?;
        if rest.starts_with(':') && self.time_ms.is_none() {
            return self.time(text);
        }
        if let Some((second, _, after)) = digits_after(rest, '/') {
            let (third, digits, after) = digits_after(after, '/')?;
            let (year, month, day) = if count > 2 {
                (number, second, third)
            } else {
                // American order.
                (full_year(third, digits), number, second)
            };
            (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
            return Some(after);
        }
        if self.day.is_none() && count <= 2 {
            self.day = Some(number);
        } else if self.year.is_none() {
            self.year = Some(full_year(number, count));
        } else {
            return None;
        }
        Some(rest)
    }

    fn time<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (hour, _, rest) = digits(text)?;
        let (minute, _, mut rest) = digits_after(rest, ':')?;
        let (mut second, mut millisecond) = (0, 0);
        if let Some((number, _, after)) = digits_after(rest, ':') {
            (second, rest) = (number, after);
            if let Some(fraction) = rest.strip_prefix('.') {
                // Any number of digits, of which three count: programs write nanoseconds and more.
                rest = fraction.trim_start_matches(|char: char| char.is_ascii_digit());
                let digits =
                    fraction.get(..fraction.len() - rest.len()).filter(|digits| !digits.is_empty())?;
                millisecond = format!("{digits:0<3}").get(..3)?.parse().ok()?;
            }
        }
        let whole_day = hour == 24 && minute == 0 && second == 0 && millisecond == 0;
        if (hour > 23 && !whole_day) || minute > 59 || second > 59 {
            return None;
        }
        self.time_ms = Some(((hour * 60 + minute) * 60 + second) * 1000 + millisecond);
        Some(rest)
    }

    /// Reads `+02:00`, `-0530` or `+2`.
    fn zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let (number, count, rest) = digits(text.strip_prefix(['+', '-'])?)?;
        let (minutes, rest) = match digits_after(rest, ':') {
            Some((minutes, _, rest)) => (number * 60 + minutes, rest),
            None if count <= 2 => (number * 60, rest),
            None => (number / 100 * 60 + number % 100, rest),
        };
        self.offset = Some(sign * minutes);
        Some(rest)
    }

    fn epoch_ms(&self) -> Option<i64> {
        let (month, day) = (self.month?, self.day?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let mut time = self.time_ms.unwrap_or(0);
        if let Some(afternoon) = self.afternoon {
            let hour = time / 3_600_000;
            if !(1..=12).contains(&hour) {
                return None;
            }
            time += (i64::from(afternoon) * 12 - i64::from(hour == 12) * 12) * 3_600_000;
        }
        // Nine digits of a year are far past the end of JavaScript's time, and far from overflowing.
        let days = days_of(self.year?, month, day);
        days.checked_mul(DAY_MS)?
            .checked_add(time)?
            .checked_sub(self.offset.unwrap_or(0).checked_mul(60_000)?)
    }
}

/// Two digits mean 1950 to 2049.
fn full_year(year: i64, digits: usize) -> i64 {
    match (year, digits) {
        (0..=49, 1..=2) => 2000 + year,
        (50..=99, 1..=2) => 1900 + year,
        _ => year,
    }
}

/// Reads a whole number of at most nine digits: the number, how many digits, and what follows.
fn digits(text: &str) -> Option<(i64, usize, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 || count > 9 {
        return None;
    }
    let (number, rest) = text.split_at_checked(count)?;
    Some((number.parse().ok()?, count, rest))
}

fn digits_after(text: &str, mark: char) -> Option<(i64, usize, &str)> {
    digits(text.strip_prefix(mark)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A comment says where V8 answers otherwise; all other lines are what `Date.parse` of V8 (Node 20) answers with
    /// `TZ=UTC`.
    #[test]
    fn dates_are_read_as_v8_reads_them() {
        let table: &[(&str, Option<&str>)] = &[
            ("2024-03-05T14:07:09.1Z", Some("2024-03-05T14:07:09.100")),
            ("2024-03-05T14:07:09.12Z", Some("2024-03-05T14:07:09.120")),
            ("2024-03-05T14:07:09.042Z", Some("2024-03-05T14:07:09.042")),
            ("2024-03-05T14:07:09.123999999Z", Some("2024-03-05T14:07:09.123")),
            ("2024-03-05T14:07:09.1234567890Z", Some("2024-03-05T14:07:09.123")),
            ("2024-03-05 14:07:09.12399999999999999999", Some("2024-03-05T14:07:09.123")),
            ("2024-03-05T14:07:09.Z", None),
            ("2024-03-05T14:07:09,123Z", None),
            ("2024-02-29", Some("2024-02-29T00:00:00.000")),
            ("2024-02-31", Some("2024-03-02T00:00:00.000")),
            ("2023-02-29", Some("2023-03-01T00:00:00.000")),
            ("2024-04-31", Some("2024-05-01T00:00:00.000")),
            ("31 Feb 2024", Some("2024-03-02T00:00:00.000")),
            ("2024-02-32", None),
            ("2024-13-01", None),
            ("2024-01-01T24:00:00Z", Some("2024-01-02T00:00:00.000")),
            ("2024-01-01T24:00:01Z", None),
            ("2024-01-01T24:00:00.001Z", None),
            ("2024-01-01T25:00:00Z", None),
            ("2024-12-31T23:59:60Z", None),
            ("2024-03-05T14:07:09+02:00", Some("2024-03-05T12:07:09.000")),
            ("2024-03-05T14:07:09-0530", Some("2024-03-05T19:37:09.000")),
            ("2024-03-05T14:07:09-00:00", Some("2024-03-05T14:07:09.000")),
            ("2024-01-01T00:30:00+01:00", Some("2023-12-31T23:30:00.000")),
            // V8 refuses hours alone behind `T`; Postgres writes them.
            ("2024-03-05T14:07:09+05", Some("2024-03-05T09:07:09.000")),
            ("Tue, 05 Mar 2024 14:07:09 GMT", Some("2024-03-05T14:07:09.000")),
            ("05 Mar 2024 14:07:09 GMT", Some("2024-03-05T14:07:09.000")),
            ("Tue, 05 Mar 24 14:07:09 GMT", Some("2024-03-05T14:07:09.000")),
            ("Tue, 05 Mar 2024 14:07:09 +0200", Some("2024-03-05T12:07:09.000")),
            ("5 Mar 2024 14:07 -0530", Some("2024-03-05T19:37:00.000")),
            ("Tue Mar 05 2024 14:07:09 GMT+0100 (CET)", Some("2024-03-05T13:07:09.000")),
            ("Mar 5, 2024 2:07 PM", Some("2024-03-05T14:07:00.000")),
            ("Mar 5, 2024 12:07 am", Some("2024-03-05T00:07:00.000")),
            // V8 takes any word for a weekday, and drops the second 60 here.
            ("Xyz, 05 Mar 2024 14:07:09 GMT", None),
            ("Tue, 05 Mar 2024 23:59:60 GMT", None),
            ("", None),
            ("tomorrow", None),
        ];
        for (text, expected) in table {
            let found = read(text).and_then(|epoch_ms| Moment::new(epoch_ms, None)).map(|moment| {
                let Moment { year, month, day, hour, minute, second, millisecond, .. } = moment;
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}")
            });
            assert_eq!(found.as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn days_and_dates_turn_into_each_other() {
        for day in (-800_000..800_000).step_by(7) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days_of(year, month.into(), of_month.into()), day);
        }
        assert_eq!((civil(0), days_of(2000, 2, 29)), ((1970, 1, 1), 11_016));
    }

    #[test]
    fn a_moment_shows_its_own_offset_and_ends_where_javascript_does() {
        let new_year = Moment::new(1_704_065_400_000, Some(60)).unwrap();
        assert_eq!((new_year.year, new_year.day_of_year, new_year.weekday), (2024, 1, 1));
        assert_eq!((new_year.hour, new_year.minute), (0, 30));
        assert!(Moment::new(MAX_EPOCH_MS, Some(1440)).is_some());
        assert!(Moment::new(MAX_EPOCH_MS + 1, None).is_none() && Moment::new(i64::MIN, None).is_none());
    }
}
