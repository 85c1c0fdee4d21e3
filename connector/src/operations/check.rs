//! Whether a value is what the table says. Says the same as the JSON Schema in `schema.rs`, which a test compares; values are
//! never repeated, since one may be a password.

use serde_json::Value;

use super::operation::{Format, Kind, Member};

/// Most texts that a refusal lists.
const MOST_LISTED: usize = 20;

/// Checks a value of a member.
///
/// # Errors
/// What was expected, in a phrase.
pub(super) fn member(member: &Member, value: &Value) -> Result<(), String> {
    match value {
        Value::Null if member.null => Ok(()),
        Value::Null => Err(format!("expected {}, found null: leave it out", expected(&member.kind))),
        value => kind(&member.kind, value),
    }
}

/// Checks a value of a kind.
///
/// # Errors
/// What was expected, in a phrase.
pub(super) fn kind(kind: &Kind, value: &Value) -> Result<(), String> {
    let fits = match (kind, value) {
        (Kind::Any, _)
        | (Kind::Number, Value::Number(_))
        | (Kind::Flag, Value::Bool(_))
        | (Kind::Object, Value::Object(_))
        | (Kind::OneOfMany(_) | Kind::TextOrInteger | Kind::File, Value::String(_))
        | (Kind::File, Value::Array(_)) => true,
        (Kind::Text(format, longest), Value::String(text)) => return self::text(*format, *longest, text),
        (Kind::OneOf(texts), Value::String(text)) => texts.contains(&text.as_str()),
        (Kind::Names(names, longest), Value::String(text)) => {
            within(*longest, text)?;
            text.split(',').all(|name| names.contains(&name))
        }
        (Kind::Names(names, longest), Value::Array(items)) => {
            let given: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            // They are sent as one text.
            within(*longest, &given.join(","))?;
            !items.is_empty() && given.len() == items.len() && given.iter().all(|name| names.contains(name))
        }
        (Kind::Integer(least, most), Value::Number(_)) => match integer(value) {
            Some(number) => {
                least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
            }
            None => false,
        },
        (Kind::TextOrInteger, Value::Number(_)) => integer(value).is_some(),
        (Kind::List(of), Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                self::kind(of, item).map_err(|problem| format!("item {at}: {problem}"))?;
            }
            true
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(misfit(kind, value)) }
}

/// Returns what was expected instead of a value that is not of a kind, and of which type it is.
pub(crate) fn misfit(kind: &Kind, value: &Value) -> String {
    format!("expected {}, found {}", expected(kind), instead(kind, value))
}

fn text(format: Format, longest: Option<usize>, text: &str) -> Result<(), String> {
    within(longest, text)?;
    let sort = || {
        let (field, direction) = text.rsplit_once(':').unwrap_or_default();
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        !field.is_empty() && field.bytes().all(letter) && matches!(direction, "1" | "-1")
    };
    let day = || {
        let part = |range| text.get(range).and_then(|digits: &str| digits.parse::<u8>().ok());
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            && text.starts_with('2')
            && part(4..6).is_some_and(|month| (1..=12).contains(&month))
            && part(6..8).is_some_and(|day| (1..=31).contains(&day))
    };
    let problem = match format {
        Format::Sort if !sort() => "expected a field and a direction, such as name:1 or name:-1",
        Format::Day if !day() => "expected a day without dashes, such as 20260131",
        Format::Ascii if text.is_empty() || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => {
            "expected printable ASCII"
        }
        // What an address, a time or an id of the tenant may look like is for the tenant to say.
        _ => return Ok(()),
    };
    Err(problem.to_owned())
}

fn within(longest: Option<usize>, text: &str) -> Result<(), String> {
    match longest {
        Some(longest) if text.chars().count() > longest => Err(format!("at most {longest} characters")),
        _ => Ok(()),
    }
}

/// Reads a whole number; `1.0` is one too (JSON Schema 2020-12, section 6.1.1).
pub(crate) fn integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the float it came from")]
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

fn expected(kind: &Kind) -> String {
    let listed = |texts: &[&str]| {
        let shown: Vec<_> = texts.iter().copied().take(MOST_LISTED).collect();
        let more = if texts.len() > MOST_LISTED { ", … (describe-action lists all)" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    match kind {
        Kind::Any => "any value".to_owned(),
        Kind::Text(..) | Kind::OneOfMany(_) => "a string".to_owned(),
        Kind::OneOf(texts) => format!("one of {}", listed(texts)),
        Kind::Names(names, _) => format!("a list of names, or names between commas, of {}", listed(names)),
        Kind::Integer(least, most) => match (least, most) {
            (Some(least), Some(most)) => format!("an integer from {least} to {most}"),
            (Some(least), None) => format!("an integer from {least}"),
            (None, Some(most)) => format!("an integer up to {most}"),
            (None, None) => "an integer".to_owned(),
        },
        Kind::Number => "a number".to_owned(),
        Kind::Flag => "a boolean".to_owned(),
        Kind::Object => "an object".to_owned(),
        Kind::TextOrInteger => "a string or an integer".to_owned(),
        Kind::List(of) => format!("a list, each item {}", expected(of)),
        Kind::File => "a list, or the text of a file".to_owned(),
    }
}

/// Returns what was found instead of a kind: a value of the right type is the wrong one.
fn instead(kind: &Kind, value: &Value) -> &'static str {
    match (kind, value) {
        (Kind::OneOf(_) | Kind::Names(..), Value::String(_)) => "another string",
        (Kind::Integer(..), value) if integer(value).is_some() => "a number outside that range",
        _ => found(value),
    }
}

/// Returns the name of a value's type, and nothing of the value.
pub(crate) fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
