//! Which requests a rule is about: methods and a pattern of paths, written as `GET,PATCH /api/v2/users/{id}`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use http::Method;

use super::{
    path_pattern::{Case, PathPattern, PathPatternError},
    request_path::RequestPath,
};
use crate::denial::{Denial, Malformed};

/// The methods that Auth0's API has. `HEAD` reads what `GET` reads and goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ApiMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl ApiMethod {
    pub(super) const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Reads a request's method, and refuses one that the API has not.
    pub(super) fn read(method: &Method) -> Result<Self, Denial> {
        Self::of(method).ok_or_else(|| Denial::malformed(Malformed::Method(method.to_string())))
    }

    /// Knows a request's method. Methods are case-sensitive (RFC 9110, section 9.1).
    pub(super) fn of(method: &Method) -> Option<Self> {
        let name = if method == Method::HEAD { "GET" } else { method.as_str() };
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// One rule about requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestRule {
    pub(super) methods: BTreeSet<ApiMethod>,
    pub(super) path: PathPattern,
}

impl RequestRule {
    /// Returns whether it allows a request: in every reading of the path.
    pub(super) fn allows(&self, method: ApiMethod, path: &[String]) -> bool {
        self.methods.contains(&method) && self.path.matches(path, Case::Exact)
    }

    /// Returns whether it restricts a request: in any reading of the path.
    pub(super) fn restricts(&self, method: ApiMethod, path: &RequestPath) -> bool {
        let mut readings = path.readings.iter().chain(&path.loose_readings);
        self.methods.contains(&method) && readings.any(|path| self.path.matches(path, Case::Ignored))
    }

    /// Returns whether each request of another rule is one of this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.methods.is_superset(&other.methods) && self.path.covers(&other.path)
    }

    /// Returns whether a request can be one of both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        !self.methods.is_disjoint(&other.methods) && self.path.overlaps(&other.path)
    }
}

impl fmt::Display for RequestRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.methods.len() == ApiMethod::ALL.len() {
            return write!(f, "* {}", self.path);
        }
        let methods: Vec<&str> = self.methods.iter().map(|method| method.name()).collect();
        write!(f, "{} {}", methods.join(","), self.path)
    }
}

/// Why a text is not a rule about requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestRuleError {
    #[error(
        "`{0}` is not a rule: write methods, one space and a path, such as `GET,PATCH /api/v2/users/{{id}}`"
    )]
    Form(String),
    #[error(
        "`{rule}` is not a rule: there is no method `{method}`; GET (HEAD goes with it), POST, PUT, PATCH, DELETE \
         and `*` can be given"
    )]
    Method { rule: String, method: String },
    #[error("`{rule}` is not a rule: it lists a method twice")]
    Twice { rule: String },
    #[error("`{rule}` is not a rule: {problem}")]
    Path { rule: String, problem: PathPatternError },
    #[error("`{rule}` can never match: the request for a password reset email is a POST")]
    Never { rule: String },
}

impl FromStr for RequestRule {
    type Err = RequestRuleError;

    fn from_str(text: &str) -> Result<Self, RequestRuleError> {
        let rule = || text.to_owned();
        let (names, path) = text.split_once(' ').ok_or_else(|| RequestRuleError::Form(rule()))?;
        let mut methods = BTreeSet::new();
        if names == "*" {
            methods.extend(ApiMethod::ALL);
        } else {
            for name in names.split(',') {
                let known = ApiMethod::ALL.into_iter().find(|method| method.name() == name);
                let unknown = || RequestRuleError::Method { rule: rule(), method: name.to_owned() };
                if !methods.insert(known.ok_or_else(unknown)?) {
                    return Err(RequestRuleError::Twice { rule: rule() });
                }
            }
        }
        let path: PathPattern =
            path.parse().map_err(|problem| RequestRuleError::Path { rule: rule(), problem })?;
        if path.is_change_password() && !methods.contains(&ApiMethod::Post) {
            return Err(RequestRuleError::Never { rule: rule() });
        }
        Ok(Self { methods, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_printed_as_it_is_written() {
        for (text, expected) in [
            ("GET /api/v2/users", "GET /api/v2/users"),
            ("PATCH,GET /api/v2/users/{id}", "GET,PATCH /api/v2/users/{id}"),
            ("* /api/v2/**", "* /api/v2/**"),
            ("GET,POST,PUT,PATCH,DELETE /api/v2/**", "* /api/v2/**"),
            ("POST /dbconnections/change_password", "POST /dbconnections/change_password"),
        ] {
            assert_eq!(text.parse::<RequestRule>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_rule_that_is_not_understood_is_refused_and_says_what_is() {
        for (text, hint) in [
            ("/api/v2/users", "methods, one space"),
            ("GET", "methods, one space"),
            ("get /api/v2/users", "no method `get`"),
            ("HEAD /api/v2/users", "HEAD goes with it"),
            ("OPTIONS /api/v2/users", "no method `OPTIONS`"),
            ("GET, POST /api/v2/users", "no method ``"),
            ("*,GET /api/v2/users", "no method `*`"),
            ("GET,GET /api/v2/users", "twice"),
            ("GET  /api/v2/users", "`GET  /api/v2/users`"),
            ("GET /api/v2/users DELETE", "`GET /api/v2/users DELETE`"),
            ("GET /oauth/token", "/api/v2/"),
            ("GET /dbconnections/change_password", "is a POST"),
        ] {
            let error = text.parse::<RequestRule>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
