//! Paths of the Management API: segments that are encoded by us, and the whole paths of `custom-request`.
//!
//! The failure this prevents: an id that is spliced into a path and changes which resource is meant. `""` in
//! `/users/{id}` lists all users (auth0/node-auth0#419); `../clients` deletes something else. So ids are checked and
//! then encoded byte by byte, and a path from outside is refused where any decoding of it could walk.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters: `|`, `/`, `@` and blanks in an id must all be encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a segment of a path from outside may not hold as it is (RFC 3986 `pchar` is what remains, with `%` left alone
/// because such a path is already encoded).
const RAW_SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// How often a path is decoded in search of dot segments. Two rounds are what proxies have been seen to do; one more
/// costs nothing. A segment that still changes after that is refused.
const DECODING_ROUNDS: usize = 3;

/// Encodes one segment or query part so that it means itself.
pub fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, SEGMENT).into()
}

/// Returns why a text cannot be one segment of a path, or that it can.
///
/// # Errors
/// A phrase for empty texts, control characters and dot segments, the latter also as pieces between slashes: a proxy
/// that decodes `%2F` before it normalises would walk.
pub fn check_segment(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    // What is encoded already is encoded once more, and means itself; a gateway that decodes twice would walk.
    let mut reading = Cow::Borrowed(text);
    for _ in 0..DECODING_ROUNDS {
        if has_dot_segment(&reading) {
            return Err("it holds a dot segment ('.' or '..'), plain or encoded");
        }
        if !reading.contains('%') {
            break;
        }
        reading = Cow::Owned(percent_decode_str(&reading).decode_utf8_lossy().into_owned());
    }
    Ok(())
}

/// A pipe separates too: `auth0|../x` walks nowhere once encoded, and is nobody's id.
fn has_dot_segment(text: &str) -> bool {
    text.split(['/', '\\', '|']).any(|piece| matches!(piece.split(';').next(), Some("." | "..")))
}

/// A path within the Management API, encoded and safe to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath(String);

impl ApiPath {
    /// Joins fixed parts and ids below `/api/v2`; each is encoded. Ids must have passed [`check_segment`].
    pub fn of(segments: &[&str]) -> Self {
        let mut path = String::from("/api/v2");
        for segment in segments {
            path.push('/');
            path.push_str(&encode(segment));
        }
        Self(path)
    }

    /// Returns the encoded path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a path from outside was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not below `/api/v2/`.
    #[error("it must begin with '/api/v2/' and name no host")]
    Outside,
    /// Holds a query.
    #[error("it holds '?': give query parameters in `query`")]
    Query,
    /// Holds a fragment.
    #[error("it holds '#': a fragment is never sent; encode it as %23 if it is part of an id")]
    Fragment,
    /// Holds a backslash.
    #[error("it holds a backslash, plain or encoded")]
    Backslash,
    /// Holds a control character.
    #[error("it holds a control character, plain or encoded")]
    Control,
    /// Holds a dot segment.
    #[error("it holds a dot segment ('.' or '..'), plain or encoded")]
    Dots,
    /// Holds an empty segment.
    #[error("it holds an empty segment ('//' or a slash at the end)")]
    Empty,
    /// Decodes to something that is no UTF-8.
    #[error("it decodes to bytes that are no UTF-8")]
    Utf8,
    /// Holds a `%` that encodes nothing.
    #[error("it holds a '%' that is not followed by two hexadecimal digits: write '%25' for a percent sign")]
    Percent,
}

impl FromStr for ApiPath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        if path.contains('\\') {
            return Err(PathError::Backslash);
        }
        if path.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        if path.contains('?') {
            return Err(PathError::Query);
        }
        if path.contains('#') {
            return Err(PathError::Fragment);
        }
        let rest = path.strip_prefix("/api/v2/").ok_or(PathError::Outside)?;
        let mut encoded = String::from("/api/v2");
        for segment in rest.split('/') {
            check_encoded(segment)?;
            encoded.push('/');
            encoded.extend(utf8_percent_encode(segment, RAW_SEGMENT));
        }
        Ok(Self(encoded))
    }
}

fn check_encoded(segment: &str) -> Result<(), PathError> {
    if segment.is_empty() {
        return Err(PathError::Empty);
    }
    let well_formed = segment.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        digits.next().is_some_and(|d| d.is_ascii_hexdigit())
            && digits.next().is_some_and(|d| d.is_ascii_hexdigit())
    });
    if !well_formed {
        return Err(PathError::Percent);
    }
    let mut text = segment.to_owned();
    for _ in 0..=DECODING_ROUNDS {
        if has_dot_segment(&text) {
            return Err(PathError::Dots);
        }
        if text.contains('\\') {
            return Err(PathError::Backslash);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        // Overlong forms of '.' and '/' (%c0%ae) are no UTF-8; some servers decode them all the same.
        let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| PathError::Utf8)?.into_owned();
        if decoded == text {
            return Ok(());
        }
        text = decoded;
    }
    Err(PathError::Dots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_encoded_byte_by_byte() {
        let path = ApiPath::of(&["users", "auth0|a b/c@d\u{e9}", "roles"]);
        assert_eq!(path.as_str(), "/api/v2/users/auth0%7Ca%20b%2Fc%40d%C3%A9/roles");
    }

    #[test]
    fn segments_that_could_walk_are_refused() {
        for bad in [
            "",
            ".",
            "..",
            "auth0|../x",
            "a/./b",
            "..\\x",
            "..;v=1/x",
            "a\u{0}b",
            "a\r\nb",
            "\u{7f}",
            "%2e%2e",
            "x%2F..%2fy",
            "x/%252e%252e",
        ] {
            assert!(check_segment(bad).is_err(), "{bad:?}");
        }
        for good in ["auth0|abc", "a..b", "...", "samlp|corp|ana@example.org", "waad|x.y", "a%2e"] {
            assert_eq!(check_segment(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn a_custom_path_stays_within_the_management_api() {
        let refused = [
            ("https://evil.example/api/v2/users", PathError::Outside),
            ("//evil.example/api/v2/users", PathError::Outside),
            ("/oauth/token", PathError::Outside),
            ("/api/v2", PathError::Outside),
            ("api/v2/users", PathError::Outside),
            ("/API/v2/users", PathError::Outside),
            ("/api/v2/../../oauth/token", PathError::Dots),
            ("/api/v2/users/%2e%2e/clients", PathError::Dots),
            ("/api/v2/users/%2E./clients", PathError::Dots),
            ("/api/v2/users/%252e%252e/clients", PathError::Dots),
            ("/api/v2/users/%25252e%25252e/clients", PathError::Dots),
            ("/api/v2/users/x%2f..%2fclients", PathError::Dots),
            ("/api/v2/users/..;/clients", PathError::Dots),
            ("/api/v2/users/.", PathError::Dots),
            ("/api/v2/users\\..\\clients", PathError::Backslash),
            ("/api/v2/users/x%5c..%5cy", PathError::Dots),
            ("/api/v2/users/x%5cy", PathError::Backslash),
            ("/api/v2/users/x%255cy", PathError::Backslash),
            ("/api/v2/users/a\nb", PathError::Control),
            ("/api/v2/users/a%0d%0ab", PathError::Control),
            ("/api/v2/users/a%00", PathError::Control),
            ("/api/v2/users?q=1", PathError::Query),
            ("/api/v2/users#x", PathError::Fragment),
            ("/api/v2//users", PathError::Empty),
            ("/api/v2/users/", PathError::Empty),
            ("/api/v2/", PathError::Empty),
            ("/api/v2/users/%c0%ae%c0%ae/x", PathError::Utf8),
            ("/api/v2/users/%e0%80%ae", PathError::Utf8),
            ("/api/v2/users/x%c0%af..", PathError::Utf8),
            ("/api/v2/users/%25c0%25ae", PathError::Utf8),
            ("/api/v2/users/100%", PathError::Percent),
            ("/api/v2/users/%zz", PathError::Percent),
        ];
        for (path, error) in refused {
            assert_eq!(path.parse::<ApiPath>(), Err(error), "{path:?}");
        }
    }

    #[test]
    fn a_custom_path_keeps_its_encoding_and_gets_what_is_missing() {
        let kept = [
            ("/api/v2/users/auth0%7Cabc", "/api/v2/users/auth0%7Cabc"),
            ("/api/v2/users/auth0|abc", "/api/v2/users/auth0%7Cabc"),
            ("/api/v2/users/a%2Fb", "/api/v2/users/a%2Fb"),
            ("/api/v2/users/a b", "/api/v2/users/a%20b"),
            ("/api/v2/users/\u{e9}@x:y", "/api/v2/users/%C3%A9@x:y"),
        ];
        for (path, sent) in kept {
            assert_eq!(path.parse::<ApiPath>().map(|p| p.0), Ok(sent.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn an_encoded_segment_decodes_to_itself_and_stays_one_segment(id in "\\PC{1,40}") {
            let encoded = encode(&id);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            prop_assert_eq!(percent_decode_str(&encoded).decode_utf8().unwrap(), id.as_str());
        }

        #[test]
        fn an_accepted_custom_path_never_decodes_to_a_walk(path in "/api/v2/[a-z./%25c\\\\;]{0,24}") {
            if let Ok(accepted) = path.parse::<ApiPath>() {
                let mut text = accepted.0;
                for _ in 0..DECODING_ROUNDS {
                    prop_assert!(!has_dot_segment(&text), "{}", text);
                    text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
                }
            }
        }
    }
}
