//! JSON from the component, read only where it does not become many times its size.
//!
//! A parsed element takes some hundreds of bytes, and a text of `[[0],[0],…]` one for each four of its own: 32 MiB of it,
//! which a call may hand over, would become some gigabytes. So the elements are counted first, in one pass without
//! parsing.

use serde_json::Value;

use crate::error::Error;

/// Most elements of one document: twice what the connector reads of an answer (500,000). Below 200 MB, at the worst.
const MOST_ELEMENTS: usize = 1_000_000;

/// Reads what the component says, or says what is wrong with it.
pub(super) fn parse(text: &str, what: &str) -> Result<Value, Error> {
    let elements = count_elements(text.as_bytes());
    if elements > MOST_ELEMENTS {
        let problem = format!("{what} has {elements} elements, and at most {MOST_ELEMENTS} are read");
        return Err(Error::Contract { problem, source: None });
    }
    serde_json::from_str(text)
        .map_err(|source| Error::Contract { problem: format!("{what} is not JSON"), source: Some(source) })
}

/// Counts what becomes an element: one per list and object, one more per comma, outside of strings.
fn count_elements(text: &[u8]) -> usize {
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
            assert_eq!(count_elements(text.as_bytes()), elements, "{text}");
        }
    }

    #[test]
    fn a_document_of_too_many_elements_is_refused_before_it_is_read() {
        // Not JSON either, which nobody finds out.
        let dense = "[".repeat(MOST_ELEMENTS + 1);
        let Err(Error::Contract { problem, source: None }) = parse(&dense, "it") else {
            panic!("it was read")
        };
        assert_eq!(problem, "it has 1000001 elements, and at most 1000000 are read");
        let most = format!("[{}0]", "0,".repeat(MOST_ELEMENTS - 1));
        assert!(parse(&most, "it").is_ok());
        assert!(matches!(parse("[1", "it"), Err(Error::Contract { source: Some(_), .. })));
    }
}
