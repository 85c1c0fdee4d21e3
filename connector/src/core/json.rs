//! JSON from outside, read only where there is memory for it.
//!
//! A parsed element takes some fifty octets of the guest's memory, twice that while a list grows: a megabyte of `[0,0,…]`
//! becomes a hundred. An allocation that fails is a trap, and a trap after a write loses what is known of it. So the
//! elements are counted first, in one pass without parsing.

use serde_json::Value;

/// Most elements of one document. Measured on wasm32: 500,000 are below 64 MB while they are read; a full page of Auth0
/// (100 users at the soft limit of 10 KB) has some 20,000.
const MOST_ELEMENTS: usize = 500_000;

/// Why a text was not read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It would not fit into the guest's memory.
    #[error("it has {0} elements; at most {MOST_ELEMENTS} are read")]
    TooMany(usize),
}

/// Reads a document.
///
/// # Errors
/// For what is no JSON, and for a document that would not fit.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let elements = count_elements(text);
    if elements > MOST_ELEMENTS {
        return Err(JsonError::TooMany(elements));
    }
    Ok(serde_json::from_slice(text)?)
}

/// Counts what becomes an element: one per list and object, one more per comma, outside of strings.
fn count_elements(text: &[u8]) -> usize {
    let mut count = 0;
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
            (false, b'[' | b'{' | b',') => count += 1,
            _ => {}
        }
        escaped = false;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_outside_of_strings() {
        assert_eq!(count_elements(br#"{"a":[1,2,"x,y[\",{"],"b\\":{}}"#), 6);
        assert_eq!(count_elements(br#""a,b""#), 0);
    }

    #[test]
    fn a_document_that_would_not_fit_is_refused_before_it_is_read() {
        let dense = format!("[{}0]", "0,".repeat(MOST_ELEMENTS));
        assert!(matches!(parse(dense.as_bytes()), Err(JsonError::TooMany(_))));
        assert!(matches!(parse(b"[1"), Err(JsonError::Syntax(_))));
    }
}
