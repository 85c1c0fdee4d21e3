//! JSON from outside, read only where there is memory for it.
//!
//! A parsed element takes some fifty bytes of the guest's memory, twice that while a list grows: a megabyte of `[0,0,…]`
//! becomes a hundred. An allocation that fails is a trap, and a trap after a write loses what is known of it. So the
//! elements are counted first, in one pass without parsing.

mod document;

use serde_json::Value;
use serde_json::error::Category;

/// Most elements of one document. Measured on wasm32, the text included: lists of 500,000 take 53 to 69 MB while they are
/// read, of which the digits of numbers are 4 at most, one object of as many members 129; a full page of Auth0 (100 users
/// at the soft limit of 10 KB) has some 20,000.
const MOST_ELEMENTS: usize = 500_000;

/// Deepest nesting that is read: what serde_json's own guard of the stack leaves. A tenant's objects have some ten levels.
const DEEPEST: usize = 127;

/// Why a text was not read. None of it repeats the text, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It ends before it is whole.
    #[error("it is not JSON: it ends too early")]
    Cut,
    /// It is not JSON from somewhere on.
    #[error("it is not JSON: see line {line}, column {column}")]
    Syntax {
        /// Where it stops being JSON, from 1.
        line: usize,
        /// The byte in that line, from 1.
        column: usize,
    },
    /// Its lists and objects are nested deeper than is read.
    #[error("its lists and objects are nested deeper than {DEEPEST} levels")]
    TooDeep,
    /// It would not fit into the guest's memory.
    #[error("it has {0} elements; at most {MOST_ELEMENTS} are read")]
    TooMany(usize),
}

/// Reads a document.
///
/// # Errors
/// For what is no JSON, and for a document that would not fit.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let Size { elements, depth } = Size::of(text);
    if elements > MOST_ELEMENTS {
        return Err(JsonError::TooMany(elements));
    }
    if depth > DEEPEST {
        return Err(JsonError::TooDeep);
    }
    document::read(text).map_err(|error| match error.classify() {
        Category::Eof => JsonError::Cut,
        _ => JsonError::Syntax { line: error.line(), column: error.column() },
    })
}

/// Makes an object of the members that are there. They are moved, where `json!` would copy them.
pub(crate) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// What a document takes to be read.
#[derive(Debug, PartialEq, Eq)]
struct Size {
    /// What becomes an element: one per list and object, one more per comma, outside of strings.
    elements: usize,
    /// Levels of lists and objects.
    depth: usize,
}

impl Size {
    fn of(text: &[u8]) -> Self {
        let (mut elements, mut depth, mut open) = (0, 0, 0_usize);
        let mut in_string = false;
        let mut escaped = false;
        for byte in text {
            match (in_string, *byte) {
                (true, b'\\') if !escaped => {
                    escaped = true;
                    continue;
                }
                (true, b'"') if !escaped => in_string = false,
                (false, b'"') => in_string = true,
                (false, b',') => elements += 1,
                (false, b'[' | b'{') => {
                    elements += 1;
                    open += 1;
                    depth = depth.max(open);
                }
                (false, b']' | b'}') => open = open.saturating_sub(1),
                _ => {}
            }
            escaped = false;
        }
        Self { elements, depth }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_outside_of_strings() {
        assert_eq!(Size::of(br#"{"a":[1,2,"x,y[\",{"],"b\\":{}}"#), Size { elements: 6, depth: 2 });
        assert_eq!(Size::of(br#""a,b""#), Size { elements: 0, depth: 0 });
    }

    #[test]
    fn a_document_that_would_not_fit_is_refused_before_it_is_read() {
        let dense = format!("[{}0]", "0,".repeat(MOST_ELEMENTS));
        assert!(matches!(parse(dense.as_bytes()), Err(JsonError::TooMany(_))));
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place_and_not_repeated() {
        for (text, told) in [
            ("[1", "it is not JSON: it ends too early"),
            ("", "it is not JSON: it ends too early"),
            ("{\n  hunter2}", "it is not JSON: see line 2, column 3"),
            ("[\"hunter2\"] x", "it is not JSON: see line 1, column 13"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), told, "{text}");
        }
    }

    #[test]
    fn nesting_has_a_bound_and_up_to_it_all_is_read() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEEPEST).as_bytes()).is_ok());
        assert!(matches!(parse(nested(DEEPEST + 1).as_bytes()), Err(JsonError::TooDeep)));
    }
}
