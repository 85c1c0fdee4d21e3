//! What the path of a request may mean.
//!
//! A policy and a server that decode a path differently are the oldest way around a policy. So a path with encodings
//! that can be read in more than one way has several readings here: a rule that allows must allow every one of them,
//! a rule that restricts holds where it meets any one.

use crate::destination::percent_decode;

/// The rounds of decoding that are looked at. What still changes after them is refused before
/// ([`crate::destination`]), and no proxy is known that does more than two.
const ROUNDS: usize = 4;

/// The readings of one path, each in decoded segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestPath {
    /// As a server may read it that follows RFC 3986, or decodes `%2F` too early, or decodes twice.
    pub(crate) readings: Vec<Vec<String>>,
    /// The same with backslashes as slashes, and as a server may read it that decodes before it cuts off parameters,
    /// query and fragment (`clients%3Bx`, `clients%3Fx`), or drops blanks and dots at the edges (`clients%20`). Ids may
    /// have any of these (`ad|CORP\ana`), so what allows does not ask for this.
    pub(crate) loose_readings: Vec<Vec<String>>,
    /// As RFC 3986 has it: each segment decoded once.
    pub(crate) plain: Vec<String>,
}

impl RequestPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// A phrase for a path that no operation of the API has.
    pub(crate) fn read(path: &str) -> Result<Self, &'static str> {
        let Some(below_root) = path.strip_prefix('/') else { return Err("does not begin with a slash") };
        let mut raw: Vec<Vec<u8>> = Vec::new();
        for segment in below_root.split('/') {
            if segment.is_empty() {
                return Err("has an empty segment");
            }
            // Path parameters (`/users;x/…`): some servers drop them before they route.
            if segment.contains(';') {
                return Err("has a semicolon that is not encoded");
            }
            if !percent_signs_encode(segment) {
                return Err("has a `%` that encodes nothing");
            }
            raw.push(segment.as_bytes().to_vec());
        }
        let mut read = Self { readings: Vec::new(), loose_readings: Vec::new(), plain: Vec::new() };
        for _ in 0..ROUNDS {
            let decoded: Vec<Vec<u8>> = raw.iter().map(|segment| percent_decode(segment)).collect();
            if decoded == raw && !read.readings.is_empty() {
                break;
            }
            let texts = decoded
                .iter()
                .map(|segment| match std::str::from_utf8(segment) {
                    Ok(text) if text.chars().any(char::is_control) => Err("has a control character"),
                    Ok(text) => Ok(text.to_owned()),
                    Err(_) => Err("decodes to what is no UTF-8"),
                })
                .collect::<Result<Vec<_>, _>>()?;
            if read.readings.is_empty() && texts.iter().all(|text| is_plain(text)) {
                return Ok(Self {
                    loose_readings: vec![texts.clone()],
                    readings: vec![texts.clone()],
                    plain: texts,
                });
            }
            let (slashed, backslashed) = (split(&texts, &['/']), split(&texts, &['/', '\\']));
            for loose in [trimmed(&texts), trimmed(&slashed), trimmed(&backslashed), backslashed] {
                if !read.loose_readings.contains(&loose) {
                    read.loose_readings.push(loose);
                }
            }
            if read.plain.is_empty() {
                read.plain.clone_from(&texts);
            }
            read.readings.push(slashed);
            read.readings.push(texts);
            raw = decoded;
        }
        read.readings.dedup();
        Ok(read)
    }
}

/// Every reading of a path in decoded segments, of one too that `RequestPath::read` refuses: empty segments, path
/// parameters (`/users;x`) and what is no text do not hide it. The plain reading comes first.
pub fn all_readings(path: &str) -> Vec<Vec<String>> {
    let mut readings: Vec<Vec<String>> = Vec::new();
    let parts = path.split('/').filter(|segment| !segment.is_empty());
    let mut raw: Vec<Vec<u8>> = parts.map(|segment| segment.as_bytes().to_vec()).collect();
    for _ in 0..ROUNDS {
        let decoded: Vec<Vec<u8>> = raw.iter().map(|segment| percent_decode(segment)).collect();
        let texts: Vec<String> =
            decoded.iter().map(|segment| String::from_utf8_lossy(segment).into_owned()).collect();
        if readings.is_empty() && texts.iter().all(|text| is_plain(text)) {
            return vec![texts];
        }
        let split = [split(&texts, &['/']), split(&texts, &['/', '\\'])];
        for reading in std::iter::once(texts).chain(split) {
            let (bare, trimmed) = (without_parameters(&reading), trimmed(&reading));
            for reading in [reading, bare, trimmed] {
                if !readings.contains(&reading) {
                    readings.push(reading);
                }
            }
        }
        if decoded == raw {
            break;
        }
        raw = decoded;
    }
    readings
}

/// Returns whether a decoded segment has one reading: nothing in it separates, is cut off, or can be decoded once more.
/// Replacement characters, in the place of what was no text, cannot either.
fn is_plain(segment: &str) -> bool {
    let edge = |letter: char| letter.is_whitespace() || letter == '.';
    !segment.is_empty()
        && !segment.contains(['%', '/', '\\', ';', '?', '#'])
        && !segment.starts_with(edge)
        && !segment.ends_with(edge)
}

fn split(segments: &[String], separators: &[char]) -> Vec<String> {
    let pieces = segments.iter().flat_map(|segment| segment.split(separators));
    pieces.filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

/// As servers read that drop path parameters before they route.
fn without_parameters(segments: &[String]) -> Vec<String> {
    let bare = segments.iter().filter_map(|segment| segment.split(';').next());
    bare.filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// As servers read that cut off parameters, query and fragment, and drop blanks and dots, after they have decoded.
fn trimmed(segments: &[String]) -> Vec<String> {
    let mut read = Vec::with_capacity(segments.len());
    for segment in segments {
        let (kept, ends) = match segment.split_once(['?', '#']) {
            Some((kept, _)) => (kept, true),
            None => (segment.as_str(), false),
        };
        let kept = kept.split(';').next().unwrap_or_default();
        let kept = kept.trim_matches(|letter: char| letter.is_whitespace() || letter == '.');
        if !kept.is_empty() {
            read.push(kept.to_owned());
        }
        if ends {
            break;
        }
    }
    read
}

fn percent_signs_encode(segment: &str) -> bool {
    segment.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        digits.next().is_some_and(|digit| digit.is_ascii_hexdigit())
            && digits.next().is_some_and(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_has_one_reading() {
        for (path, expected) in [
            ("/api/v2/users", &["api", "v2", "users"][..]),
            ("/api/v2/users/auth0%7C1", &["api", "v2", "users", "auth0|1"]),
            ("/api/v2/users/%C3%A9@x:y", &["api", "v2", "users", "é@x:y"]),
        ] {
            assert_eq!(RequestPath::read(path).unwrap().readings, [expected], "{path}");
        }
    }

    #[test]
    fn an_encoding_that_can_be_read_twice_is_read_twice() {
        let read = RequestPath::read("/api/v2/users/a%2Froles").unwrap();
        assert!(read.readings.contains(&["api", "v2", "users", "a/roles"].map(str::to_owned).to_vec()));
        assert!(read.readings.contains(&["api", "v2", "users", "a", "roles"].map(str::to_owned).to_vec()));
        let read = RequestPath::read("/api/v2/users/a%252Froles").unwrap();
        assert!(read.readings.contains(&["api", "v2", "users", "a", "roles"].map(str::to_owned).to_vec()));
        let read = RequestPath::read("/api/v2/users/ad%7CCORP%5Cana").unwrap();
        assert_eq!(read.readings, [["api", "v2", "users", "ad|CORP\\ana"]]);
        let reads = |wanted: &[&str]| read.loose_readings.iter().any(|reading| reading == wanted);
        assert!(reads(&["api", "v2", "users", "ad|CORP", "ana"]), "{:?}", read.loose_readings);
    }

    #[test]
    fn all_readings_are_those_of_the_policy_and_more() {
        let one = |path| request_path_of(path, &["api", "v2", "clients", "x", "rotate-secret"]);
        fn request_path_of(path: &str, wanted: &[&str]) -> bool {
            all_readings(path).iter().any(|reading| reading == wanted)
        }
        for path in [
            "/api/v2/clients/x/rotate-secret",
            "/api/v2//clients/x/rotate-secret/",
            "/api/v2/clients/x/rotate%2Dsecret",
            "/api/v2/clients/x/rotate%252Dsecret",
            "/api/v2/clients/x%2Frotate-secret",
            "/api/v2/clients/x%25252Frotate-secret",
            "/api/v2/clients/x%5Crotate-secret",
            "/api/v2/clients/x/rotate-secret;a=b",
            "/api/v2/clients;a/x;b=c%2Frotate-secret%3Bd",
            "/api/v2/;a/clients/x%5Crotate-secret%253Ba",
            "/api/v2/clients/x/rotate-secret%3Fa",
            "/api/v2/clients/x/rotate-secret%2523a/b",
            "/api/v2/clients%20/x/rotate-secret.",
        ] {
            assert!(one(path), "{path}: {:?}", all_readings(path));
        }
        assert!(request_path_of(
            "/api/v2/clients/a%2Fb/rotate-secret",
            &["api", "v2", "clients", "a/b", "rotate-secret"]
        ));
        assert_eq!(all_readings("/api/v2/users").len(), 1);
        for path in ["/api/v2/users/auth0%7C1", "/api/v2/users/a%252Froles", "/api/v2/users/ad%7CCORP%5Cana"]
        {
            let read = RequestPath::read(path).unwrap();
            let all = all_readings(path);
            assert!(
                read.readings.iter().chain(&read.loose_readings).all(|reading| all.contains(reading)),
                "{path}"
            );
        }
    }

    #[test]
    fn a_path_that_no_operation_has_is_refused() {
        for path in [
            "",
            "*",
            "/",
            "/api/v2/",
            "/api/v2//users",
            "/api/v2/users/",
            "/api/v2/users;a=b/x",
            "/api/v2/users/%zz",
            "/api/v2/users/%",
            "/api/v2/users/%0d%0ax",
            "/api/v2/users/%2500",
            "/api/v2/users/%c0%ae",
            "/api/v2/users/%25c0",
        ] {
            assert!(RequestPath::read(path).is_err(), "{path} was taken");
        }
    }
}
