//! An answer as a tree whose numbers keep their digits.
//!
//! A tree of values reads a number into a float, and a parser that keeps digits is switched on for a whole program. Here
//! each number of the text is put aside before the text is parsed, with its index in its place, and put back when the tree
//! is written. So what surrounds a secret comes out as the tenant wrote it.

use serde::{
    Serialize, Serializer,
    de::IgnoredAny,
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_json::{Value, value::RawValue};
use zeroize::Zeroizing;

/// The numbers of a document, in its own spelling.
#[derive(Debug)]
pub(super) struct Numbers<'a>(Vec<&'a str>);

/// Room for the index of a number: an answer of 10 MB has fewer than ten million.
const INDEX_DIGITS: usize = 8;

/// Reads a document; its numbers are indices into those that come with it. `None` where it is not JSON.
pub(super) fn read(body: &[u8]) -> Option<(Value, Numbers<'_>)> {
    let text = std::str::from_utf8(body).ok()?;
    let (mut numbers, mut rest) = (Vec::new(), text);
    let mut kept = Vec::new();
    while let Some(at) = next_number(rest) {
        let (before, number) = rest.split_at_checked(at)?;
        let end = number.find(|letter| !is_of_a_number(letter)).unwrap_or(number.len());
        let (number, after) = number.split_at_checked(end)?;
        // What is no number must not become one.
        serde_json::from_str::<IgnoredAny>(number).ok()?;
        kept.push(before);
        numbers.push(number);
        rest = after;
    }
    // In one piece from the start, and wiped: it has the secrets in it.
    let mut indexed = Zeroizing::new(String::with_capacity(text.len() + INDEX_DIGITS * numbers.len()));
    for (index, before) in kept.into_iter().enumerate() {
        indexed.push_str(before);
        indexed.push_str(&index.to_string());
    }
    indexed.push_str(rest);
    Some((serde_json::from_str(&indexed).ok()?, Numbers(numbers)))
}

/// Finds the next number outside of strings.
fn next_number(text: &str) -> Option<usize> {
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => return Some(at),
            _ => {}
        }
    }
    None
}

fn is_of_a_number(letter: char) -> bool {
    matches!(letter, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')
}

impl Numbers<'_> {
    /// Writes a part of the document, with the digits that it had.
    pub(super) fn write(&self, value: &Value) -> String {
        // A tree of JSON always has a form in JSON.
        serde_json::to_string(&Exact { value, numbers: self }).unwrap_or_default()
    }
}

struct Exact<'a> {
    value: &'a Value,
    numbers: &'a Numbers<'a>,
}

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { numbers, .. } = *self;
        match self.value {
            Value::Number(index) => {
                let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
                let digits = index.and_then(|index| numbers.0.get(index));
                let raw = digits.and_then(|digits| serde_json::from_str::<&RawValue>(digits).ok());
                raw.serialize(serializer)
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Exact { value, numbers })?;
                }
                list.end()
            }
            Value::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    object.serialize_entry(name, &Exact { value, numbers })?;
                }
                object.end()
            }
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> Option<String> {
        read(text.as_bytes()).map(|(value, numbers)| numbers.write(&value))
    }

    #[test]
    fn numbers_come_out_as_they_went_in() {
        for text in [
            r#"{"big":12345678901234567890123,"exp":1e400,"dec":0.10,"neg":-0,"list":[1.0,2E-7,[3]]}"#,
            r#"{"text":"1 \" 2","9":"-1"}"#,
            "12345678901234567890123",
            r#"["\\",1,"a\\\"2",3]"#,
            "[]",
            r#""x""#,
        ] {
            assert_eq!(again(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_not_json_is_none() {
        for text in
            ["", "{", "01", "1.", "[1,]", "-", "1 2", "{\"a\":1}x", "1e", "--1", "[1-2]", "\"a", "NaN"]
        {
            assert_eq!(again(text), None, "{text}");
        }
        assert!(read(b"\"\xff\"").is_none());
    }
}
