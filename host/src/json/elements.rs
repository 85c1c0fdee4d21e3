//! How many elements a JSON text has, so that it is read only where it does not become many times its size.
//!
//! A parsed element takes some hundreds of bytes, and a text of `[[0],[0],…]` one for each four of its own: 32 MiB of it,
//! which a call may hand over, would become some gigabytes. So the elements are counted first, in one pass without
//! parsing.

use super::{JsonError, error::Problem};

/// Most elements of one document: twice what the connector reads of an answer (500,000). Below 200 MB, at the worst.
pub(super) const MOST_ELEMENTS: usize = 1_000_000;

/// Refuses a text that would take too much memory once it is read.
pub(super) fn check(text: &str) -> Result<(), JsonError> {
    match count(text.as_bytes()) {
        0..=MOST_ELEMENTS => Ok(()),
        elements => Err(JsonError(Problem::TooManyElements { elements })),
    }
}

/// Counts what becomes an element: one per list and object, one more per comma, outside of strings.
fn count(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in text {
        match (in_string, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{' | b',') => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_outside_of_strings() {
        for (text, elements) in [
            (r#"{"a":[1,2,"x,y[\",{"],"b\\":{}}"#, 6),
            (r#""a,b""#, 0),
            (r#"["\\",1]"#, 2),
            ("[[0],[0]]", 4),
            ("", 0),
        ] {
            assert_eq!(count(text.as_bytes()), elements, "{text}");
        }
    }

    #[test]
    fn a_document_of_too_many_elements_is_refused() {
        let error = check(&"[".repeat(MOST_ELEMENTS + 1)).unwrap_err();
        assert_eq!(error.to_string(), "it has 1000001 elements, and at most 1000000 are read");
        check(&"[".repeat(MOST_ELEMENTS)).unwrap();
    }
}
