//! Builds a document just as it stands in the text.
//!
//! Not by serde_json's own way to a `Value`: with `arbitrary_precision`, a number reaches a visitor as an object with one
//! member of a reserved name, and an object of the text that has such a member is taken for a number. Whoever may write a
//! user's metadata could make every answer that has that user unreadable, or turn an object into a number on its way. The
//! two can be told apart: digits are handed over as an owned string, which a string of the text never is.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The name under which serde_json hands over a number's digits.
const DIGITS: &str = "$serde_json::private::Number";

/// Reads one document from a text.
///
/// # Errors
/// Where the text is no JSON, or more than one document.
pub(super) fn read(text: &[u8]) -> serde_json::Result<Value> {
    let (digits, exponents) = (Cell::new(None), Cell::new(Exponents { rest: text }));
    let mut text = serde_json::Deserializer::from_slice(text);
    let value = Document { digits: &digits, exponents: &exponents }.deserialize(&mut text)?;
    text.end()?;
    Ok(value)
}

/// The numbers of a text that have an exponent, in its order. serde_json spells them its own way: `1E400` would leave as
/// `1e+400`.
#[derive(Default)]
struct Exponents<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Exponents<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let in_number = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        loop {
            let (first, after) = self.rest.split_first()?;
            match first {
                b'"' => self.rest = behind_string(after),
                b'-' | b'0'..=b'9' => {
                    let length = self.rest.iter().take_while(|byte| in_number(byte)).count();
                    let (number, after) = self.rest.split_at_checked(length)?;
                    self.rest = after;
                    if number.iter().any(|byte| byte.eq_ignore_ascii_case(&b'e')) {
                        return str::from_utf8(number).ok();
                    }
                }
                _ => self.rest = after,
            }
        }
    }
}

/// Skips a string, of which the first quote has been read.
fn behind_string(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
            [] => return text,
        };
    }
}

/// Makes a value of whatever comes.
#[derive(Clone, Copy)]
struct Document<'a> {
    /// The digits that came last, until they are taken.
    digits: &'a Cell<Option<String>>,
    /// The numbers with an exponent that have not come yet.
    exponents: &'a Cell<Exponents<'a>>,
}

impl Document<'_> {
    /// Makes a number of digits, as they stand in the text.
    fn number(self, digits: String) -> serde_json::Result<Number> {
        if !digits.contains(['e', 'E']) {
            return digits.parse();
        }
        let mut exponents = self.exponents.take();
        let written = exponents.next().unwrap_or_default();
        self.exponents.set(exponents);
        // Should the two ever not walk side by side: the number is right, and only spelled otherwise.
        if as_parsed(written) == as_parsed(&digits) { exactly(written) } else { digits.parse() }
    }
}

/// Writes a number with an exponent as serde_json does.
fn as_parsed(number: &str) -> String {
    match number.split_once(['e', 'E']) {
        Some((head, exponent)) if exponent.starts_with(['+', '-']) => format!("{head}e{exponent}"),
        Some((head, exponent)) => format!("{head}e+{exponent}"),
        None => number.to_owned(),
    }
}

/// Makes a number of a text that is known to be one, without the spelling that parsing would give it. serde_json has
/// the function and does not document it; the lock file keeps its version, and a test its behaviour.
#[cfg(feature = "exact-numbers")]
fn exactly(number: &str) -> serde_json::Result<Number> {
    Ok(Number::from_string_unchecked(number.to_owned()))
}

#[cfg(not(feature = "exact-numbers"))]
fn exactly(number: &str) -> serde_json::Result<Number> {
    number.parse()
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, digits: String) -> Result<Value, E> {
        self.digits.set(Some(digits));
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rest: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = rest.next_element_seed(self)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut rest: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = rest.next_key::<String>()? {
            let value = rest.next_value_seed(self)?;
            if name == DIGITS
                && let Some(digits) = self.digits.take()
            {
                return self.number(digits).map(Value::from).map_err(A::Error::custom);
            }
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_what_serde_json_makes_of_it() {
        for text in [
            "null",
            "true",
            "0",
            "-17",
            "1.5",
            "18446744073709551615",
            r#""a\"\u00e4\ud83d\ude00""#,
            "[]",
            r#"[1, [2, {"a": [], "b": null}], "c"]"#,
            r#"{"a": 1, "b": {"c": [true]}, "a": 2}"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text.as_bytes()).unwrap().to_string(), expected.to_string(), "{text}");
        }
        for text in
            ["", "[1", "[1,]", "{\"a\" 1}", "1 2", "01", "nul", "\"\u{1}\"", "{1: 2}", "+1", "1.", ".5", "1e"]
        {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"\"\xff\"").is_err());
    }

    #[test]
    fn an_object_that_looks_like_serde_jsons_own_form_of_a_number_stays_an_object() {
        for text in [
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"$serde_json::private::Number":"no number"}"#,
            r#"{"$serde_json::private::Number":"\u0031"}"#,
            r#"{"$serde_json::private::Number":1}"#,
            r#"{"$serde_json::private::Number":{"$serde_json::private::Number":2}}"#,
            r#"{"$serde_json::private::Number":"1","a":2}"#,
            r#"{"a":2,"$serde_json::private::Number":"1"}"#,
            r#"{"$serde_json::private::RawValue":"[1]"}"#,
            r#"[{"$serde_json::private::Number":"1"},3]"#,
        ] {
            let escaped = text.replace("Number", "\\u004eumber");
            for given in [text, &escaped] {
                let read = read(given.as_bytes()).unwrap();
                assert!(!read.is_number(), "{given}");
                assert_eq!(read.to_string().replace("\\u0031", "1"), text.replace("\\u0031", "1"), "{given}");
            }
        }
    }

    #[cfg(feature = "exact-numbers")]
    #[test]
    fn a_number_keeps_its_digits() {
        for text in
            ["12345678901234567890123", "1e400", "-1E+5", "1.0", "-0", "0.10", "1e-7", "-0.0", "100e0"]
        {
            assert_eq!(read(text.as_bytes()).unwrap().to_string(), text);
            let listed = format!("[{text},{{\"a\":{text}}}]");
            assert_eq!(read(listed.as_bytes()).unwrap().to_string(), listed);
        }
        let all = r#"{"1e5":true,"a":"3e7 \" -1e2","b":[1e5,2,1e-5,false,1E5,{"c":1.5e+5}],"d\\":1e5}"#;
        assert_eq!(read(all.as_bytes()).unwrap().to_string(), all);
    }
}
