//! Which paths a rule is about.
//!
//! A pattern is a list of segments, compared with the percent-decoded segments of a request one by one. Globs over the
//! whole text, which other products use, let `*` run over slashes and are fooled by `%2F`.

use std::{fmt, str::FromStr};

/// The one path outside the Management API that an action uses: it asks the tenant to send a password reset email.
pub const CHANGE_PASSWORD: &str = "/dbconnections/change_password";

/// A pattern of paths: `/api/v2/users/{id}/roles`, `/api/v2/logs/**`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern {
    segments: Vec<Segment>,
    /// Ends with `**`: everything below matches too.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// Any one segment, as it was written.
    Any(String),
}

/// How literals are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// For rules that allow: letter by letter.
    Exact,
    /// For rules that restrict: some servers route `/USERS` as `/users`.
    Ignored,
}

impl PathPattern {
    /// Returns whether a path, given in decoded segments, is one of those that are meant.
    pub(super) fn matches(&self, path: &[String], case: Case) -> bool {
        let length =
            if self.open { path.len() >= self.segments.len() } else { path.len() == self.segments.len() };
        length
            && self.segments.iter().zip(path).all(|(segment, text)| match segment {
                Segment::Any(_) => !text.is_empty(),
                Segment::Literal(literal) => match case {
                    Case::Exact => literal == text,
                    Case::Ignored => literal.eq_ignore_ascii_case(text),
                },
            })
    }

    /// Returns whether each path of another pattern is one of this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let (own, others) = (self.segments.len(), other.segments.len());
        let length = if self.open { own <= others } else { own == others && !other.open };
        length
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Any(_), _) => true,
                (Segment::Literal(own), Segment::Literal(other)) => own == other,
                (Segment::Literal(_), Segment::Any(_)) => false,
            })
    }

    /// Returns whether a path can be one of both patterns.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (own, others) = (self.segments.len(), other.segments.len());
        (own == others || (own < others && self.open) || (own > others && other.open))
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(own), Segment::Literal(other)) => own == other,
                _ => true,
            })
    }

    /// Returns whether it stands for one path and no other.
    pub(super) fn is_one_path(&self) -> bool {
        !self.open && self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// Returns whether it is the path of the password reset email.
    pub(super) fn is_change_password(&self) -> bool {
        self.to_string() == CHANGE_PASSWORD
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) | Segment::Any(text) => write!(f, "/{text}")?,
            }
        }
        if self.open { f.write_str("/**") } else { Ok(()) }
    }
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathPatternError {
    #[error("path not allowed; it must begin with /api/v2/, or be {CHANGE_PASSWORD}")]
    Outside,
    #[error("its path has an empty segment (`//`, or a slash at the end), and such requests are refused")]
    Empty,
    #[error("its path has a dot segment, and such requests are refused")]
    Dots,
    #[error(
        "its path has a `%`: write segments decoded, such as auth0|507f, since they are compared decoded"
    )]
    Percent,
    #[error(
        "its path has `**` before its end: `**` stands for all the rest, `*` or `{{id}}` for one segment"
    )]
    OpenInside,
    #[error("its path has `*`, `{{` or `}}` within a segment: `*` and `{{id}}` stand for a whole one")]
    PartOfSegment,
    #[error("its path has `{0}`, which no request path has: rules match paths, not queries")]
    Character(char),
}

impl FromStr for PathPattern {
    type Err = PathPatternError;

    fn from_str(text: &str) -> Result<Self, PathPatternError> {
        if let Some(character) =
            text.chars().find(|c| c.is_control() || c.is_whitespace() || "?#\\;".contains(*c))
        {
            return Err(PathPatternError::Character(character));
        }
        if text.contains('%') {
            return Err(PathPatternError::Percent);
        }
        if !text.starts_with("/api/v2/") && text != CHANGE_PASSWORD {
            return Err(PathPatternError::Outside);
        }
        let mut words: Vec<&str> = text.split('/').skip(1).collect();
        let open = words.last() == Some(&"**");
        if open {
            words.pop();
        }
        let segments = words.into_iter().map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, open })
    }
}

fn segment(text: &str) -> Result<Segment, PathPatternError> {
    let named = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    match text {
        "" => Err(PathPatternError::Empty),
        "." | ".." => Err(PathPatternError::Dots),
        "**" => Err(PathPatternError::OpenInside),
        "*" => Ok(Segment::Any(text.to_owned())),
        _ if named.is_some_and(is_name) => Ok(Segment::Any(text.to_owned())),
        _ if text.contains(['*', '{', '}']) => Err(PathPatternError::PartOfSegment),
        _ => Ok(Segment::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        text.parse().unwrap()
    }

    fn segments(path: &str) -> Vec<String> {
        path.split('/').skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn a_pattern_matches_segment_by_segment() {
        for (text, path, expected) in [
            ("/api/v2/users", "/api/v2/users", true),
            ("/api/v2/users", "/api/v2/users/x", false),
            ("/api/v2/users/{id}", "/api/v2/users/auth0|1", true),
            ("/api/v2/users/*", "/api/v2/users/a/b", false),
            ("/api/v2/users/{id}", "/api/v2/users", false),
            ("/api/v2/users/{id}/roles", "/api/v2/users/x/roles", true),
            ("/api/v2/users/auth0|1", "/api/v2/users/auth0|1", true),
            ("/api/v2/users/**", "/api/v2/users", true),
            ("/api/v2/users/**", "/api/v2/users/a/b/c", true),
            ("/api/v2/users/**", "/api/v2/users-by-email", false),
            ("/api/v2/**", "/api/v2/anything", true),
            ("/api/v2/users", "/api/v2/Users", false),
        ] {
            assert_eq!(pattern(text).matches(&segments(path), Case::Exact), expected, "{text} {path}");
            assert_eq!(pattern(text).to_string(), text);
        }
        assert!(pattern("/api/v2/users").matches(&segments("/api/v2/Users"), Case::Ignored));
    }

    #[test]
    fn a_pattern_that_is_not_understood_is_refused() {
        for text in [
            "",
            "/",
            "/api/v2",
            "/API/v2/users",
            "/api/v2users",
            "api/v2/users",
            "/oauth/token",
            "/dbconnections/signup",
            "/dbconnections/*",
            "https://acme.auth0.com/api/v2/users",
            "/api/v2/",
            "/api/v2/users/",
            "/api/v2//users",
            "/api/v2/../users",
            "/api/v2/users/./x",
            "/api/v2/users/auth0%7C1",
            "/api/v2/**/roles",
            "/api/v2/users/auth0|*",
            "/api/v2/{id",
            "/api/v2/{}",
            "/api/v2/{a b}",
            "/api/v2/{a}{b}",
            "/api/v2/***",
            "/api/v2/users?q=1",
            "/api/v2/users#x",
            "/api/v2/users;x",
            "/api/v2/a\\b",
            "/api/v2/a\nb",
        ] {
            assert!(text.parse::<PathPattern>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn covering_and_overlapping_follow_the_paths() {
        for (one, other, covers, overlaps) in [
            ("/api/v2/**", "/api/v2/users/{id}", true, true),
            ("/api/v2/users/{id}", "/api/v2/**", false, true),
            ("/api/v2/users/{id}", "/api/v2/users/me", true, true),
            ("/api/v2/users/me", "/api/v2/users/{id}", false, true),
            ("/api/v2/users/{id}", "/api/v2/users/{x}/roles", false, false),
            ("/api/v2/users/**", "/api/v2/users", true, true),
            ("/api/v2/users", "/api/v2/users/**", false, true),
            ("/api/v2/{a}/x", "/api/v2/y/{b}", false, true),
            ("/api/v2/users/**", "/api/v2/clients/**", false, false),
        ] {
            assert_eq!(pattern(one).covers(&pattern(other)), covers, "{one} covers {other}");
            assert_eq!(pattern(one).overlaps(&pattern(other)), overlaps, "{one} overlaps {other}");
            assert_eq!(pattern(other).overlaps(&pattern(one)), overlaps, "{other} overlaps {one}");
        }
    }
}
