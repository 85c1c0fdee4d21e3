//! The filter `date`: points in time by `strftime` formats, as LiquidJS reads and writes them.
//!
//! `now` is the time that the caller hands in: the guest has no clock of its own, and the same input must give the
//! same email.

use super::budget::Sink;
use super::error::Fault;
use super::filters::Call;
use super::number;
use super::value::Value;
use crate::calendar::{MONTHS, Moment, WEEKDAYS, read};

/// What LiquidJS writes when no format is given.
const DEFAULT_FORMAT: &str = "%A, %B %-e, %Y at %-l:%M %P %z";

/// Writes a date; what is no date stays as it is.
pub(super) fn date<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Fault> {
    // LiquidJS takes minutes west of UTC, as JavaScript's `getTimezoneOffset`.
    let offset = match call.given(1) {
        None => None,
        Some(Value::Number(west)) if west.abs() <= 1440.0 => Some(-(*west as i64)),
        Some(Value::Text(name)) if matches!(&**name, "UTC" | "Etc/UTC" | "GMT") => None,
        Some(_) => {
            return Err(
                call.refuse("knows no names of time zones here; give minutes west of UTC, such as 360")
            );
        }
    };
    if let Value::Text(text) = &call.input {
        call.budget.work(text.len())?;
    }
    let epoch_ms = match &call.input {
        Value::Number(seconds) => milliseconds(*seconds),
        Value::Text(text) if matches!(&**text, "now" | "today") => call.now.0.checked_mul(1000),
        Value::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            milliseconds(number::parse(text))
        }
        Value::Text(text) => read(text),
        _ => None,
    };
    let Some(moment) = epoch_ms.and_then(|epoch_ms| Moment::new(epoch_ms, offset)) else {
        return Ok(call.input.clone());
    };
    let format = match call.given(0) {
        Some(format) => format.to_text(call.budget)?,
        None => super::value::Text::Borrowed(DEFAULT_FORMAT),
    };
    let mut draft = call.draft();
    write(&moment, &format, &mut draft)?;
    Ok(draft.finish().into())
}

fn milliseconds(seconds: f64) -> Option<i64> {
    let milliseconds = (seconds * 1000.0).trunc();
    // Far beyond JavaScript's time, and exact in 64 bits.
    if milliseconds.abs() < 1e17 { Some(milliseconds as i64) } else { None }
}

/// What stands between `%` and the letter.
#[derive(Debug, Default)]
struct Directive<'f> {
    flags: &'f str,
    width: Option<usize>,
}

fn write(moment: &Moment, format: &str, sink: &mut dyn Sink) -> Result<(), Fault> {
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        sink.put(before)?;
        sink.budget().step()?;
        match directive(after) {
            Some((directive, letter, next)) => match conversion(moment, letter, &directive) {
                Some(text) => {
                    padded(&text, letter, &directive, sink)?;
                    rest = next;
                }
                // LiquidJS repeats what it does not know.
                None => {
                    sink.put("%")?;
                    let taken = after.len().saturating_sub(next.len());
                    sink.put(after.get(..taken).unwrap_or_default())?;
                    rest = next;
                }
            },
            None => {
                sink.put("%")?;
                rest = after;
            }
        }
    }
    sink.put(rest)
}

/// Reads flags, a width, a modifier that changes nothing, and the letter.
fn directive(text: &str) -> Option<(Directive<'_>, char, &str)> {
    let split = |text: &str, part: fn(char) -> bool| text.find(|char| !part(char)).unwrap_or(text.len());
    let (flags, rest) =
        text.split_at_checked(split(text, |char| matches!(char, '-' | '_' | '0' | '^' | '#' | ':')))?;
    let (width, rest) = rest.split_at_checked(split(rest, |char| char.is_ascii_digit()))?;
    let width = if width.is_empty() { None } else { Some(width.parse().unwrap_or(usize::MAX)) };
    let modified = rest.strip_prefix(['E', 'O']).filter(|rest| !rest.is_empty() && !rest.starts_with('\n'));
    let mut chars = modified.unwrap_or(rest).chars();
    let letter = chars.next().filter(|letter| *letter != '\n')?;
    Some((Directive { flags, width }, letter, chars.as_str()))
}

fn conversion(moment: &Moment, letter: char, directive: &Directive<'_>) -> Option<String> {
    let month = MONTHS.get(moment.month.saturating_sub(1) as usize).copied().unwrap_or_default();
    let weekday =
        usize::try_from(moment.weekday).ok().and_then(|day| WEEKDAYS.get(day)).copied().unwrap_or_default();
    let hour12 = match moment.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if moment.hour < 12 { "AM" } else { "PM" };
    let day = || format!("{}/{}/{}", moment.month, moment.day, moment.year);
    let time = || format!("{hour12}:{:02}:{:02} {half}", moment.minute, moment.second);
    Some(match letter {
        'a' => short(weekday),
        'A' => weekday.to_owned(),
        'b' | 'h' => short(month),
        'B' => month.to_owned(),
        'c' => format!("{}, {}", day(), time()),
        'C' => moment.year.div_euclid(100).to_string(),
        'd' | 'e' => moment.day.to_string(),
        'H' | 'k' => moment.hour.to_string(),
        'I' | 'l' => hour12.to_string(),
        'j' => moment.day_of_year.to_string(),
        'L' => moment.millisecond.to_string(),
        'm' => moment.month.to_string(),
        'M' => moment.minute.to_string(),
        'N' => format!("{:03}", moment.millisecond),
        'p' => half.to_owned(),
        'P' => half.to_ascii_lowercase(),
        'q' => match (moment.day, moment.day % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        }
        .to_owned(),
        's' => moment.epoch_ms.div_euclid(1000).to_string(),
        'S' => moment.second.to_string(),
        'u' => (if moment.weekday == 0 { 7 } else { moment.weekday }).to_string(),
        'U' => week(moment, 0),
        'w' => moment.weekday.to_string(),
        'W' => week(moment, 1),
        'x' => day(),
        'X' => time(),
        'y' => moment.year.rem_euclid(100).to_string(),
        'Y' => moment.year.to_string(),
        'Z' if moment.offset.is_none() => "UTC".to_owned(),
        'z' | 'Z' => {
            let offset = moment.offset.unwrap_or(0);
            let colon = if directive.flags.contains(':') { ":" } else { "" };
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}{colon}{:02}", offset.abs() / 60, offset.abs() % 60)
        }
        't' => "\t".to_owned(),
        'n' => "\n".to_owned(),
        '%' => "%".to_owned(),
        _ => return None,
    })
}

fn short(name: &str) -> String {
    name.chars().take(3).collect()
}

/// Counts the weeks; the days before the first Sunday or Monday are week 0.
fn week(moment: &Moment, first_day: i64) -> String {
    let since_first = (moment.weekday - first_day).rem_euclid(7);
    ((moment.day_of_year - 1 - since_first + 7).div_euclid(7)).to_string()
}

fn padded(text: &str, letter: char, directive: &Directive<'_>, sink: &mut dyn Sink) -> Result<(), Fault> {
    let has = |flag| directive.flags.contains(flag);
    if letter == 'N' {
        // A width is the number of decimals.
        let width = directive.width.filter(|width| *width > 0).unwrap_or(9);
        sink.put(text.get(..width.min(text.len())).unwrap_or(text))?;
        return fill('0', width.saturating_sub(text.len()), sink);
    }
    let usual = match letter {
        'j' | 'L' => 3,
        'Y' => 4,
        'C' | 'd' | 'e' | 'H' | 'I' | 'k' | 'l' | 'm' | 'M' | 'S' | 'U' | 'W' | 'y' => 2,
        _ => 0,
    };
    let width = if has('-') { 0 } else { directive.width.filter(|width| *width > 0).unwrap_or(usual) };
    let padding = match letter {
        _ if has('_') => ' ',
        _ if has('0') => '0',
        'a' | 'A' | 'b' | 'B' | 'c' | 'e' | 'k' | 'l' | 'p' | 'P' => ' ',
        _ => '0',
    };
    let missing = width.saturating_sub(text.len());
    let text = if has('^') {
        text.to_ascii_uppercase()
    } else if has('#') {
        // The opposite case.
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            text.to_ascii_uppercase()
        } else {
            text.to_ascii_lowercase()
        }
    } else {
        text.to_owned()
    };
    match text.strip_prefix('-').filter(|_| padding == '0') {
        Some(digits) => {
            sink.put("-")?;
            fill('0', missing, sink)?;
            sink.put(digits)
        }
        None => {
            fill(padding, missing, sink)?;
            sink.put(&text)
        }
    }
}

fn fill(padding: char, count: usize, sink: &mut dyn Sink) -> Result<(), Fault> {
    // Piece by piece, so that an absurd width meets its bound at once.
    (0..count).try_for_each(|_| sink.put_char(padding))
}
