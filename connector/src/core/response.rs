//! Reading an answer: the body of a success, the error of a failure.
//!
//! Auth0 documents many statuses loosely (POST /roles answers 200, DELETE of permissions 204 or 200): any 2xx is a
//! success. Failures are told apart by status first, then `errorCode`, never by message.

use std::fmt;

use serde_json::Value;

use super::error::{Code, Error};
use super::json::{self, JsonError};
use super::retry::Attempt;
use super::timestamp::parse_ms;

/// Longest message of the tenant that is passed on. Auth0's own are below 400 characters.
const LONGEST_MESSAGE: usize = 1000;

/// An answer as it came.
#[derive(Clone, Default)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Shows neither headers nor body, since either may hold a secret.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

impl Response {
    /// Returns the first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns whether there is a body.
    pub fn is_empty(&self) -> bool {
        self.body.iter().all(u8::is_ascii_whitespace)
    }

    /// Reads the body as JSON; `null` where there is none.
    ///
    /// # Errors
    /// Where the body is no JSON, or more than there is memory for.
    pub fn json(&self) -> Result<Value, JsonError> {
        if self.is_empty() { Ok(Value::Null) } else { json::parse(&self.body) }
    }

    /// How long the tenant asks to wait: `Retry-After` in seconds or as a date, else until `x-ratelimit-reset`. Auth0
    /// documents no `Retry-After` for Management 429s, but its SDKs honour one.
    pub fn wait_ms(&self, now_unix_ms: i64) -> Option<u64> {
        let until = |unix_ms: i64| u64::try_from(unix_ms.saturating_sub(now_unix_ms)).unwrap_or(0);
        if let Some(text) = self.header("retry-after") {
            if let Ok(seconds) = text.trim().parse::<u64>() {
                return Some(seconds.saturating_mul(1000));
            }
            if let Some(unix_ms) = parse_ms(text.trim()) {
                return Some(until(unix_ms));
            }
        }
        let reset: i64 = self.header("x-ratelimit-reset")?.trim().parse().ok()?;
        Some(until(reset.saturating_mul(1000)))
    }

    /// Sorts the failure for the retry decision; `None` for failures that no repetition mends.
    pub fn attempt(&self, now_unix_ms: i64) -> Option<Attempt> {
        match self.status {
            429 => Some(Attempt::Throttled { wait_ms: self.wait_ms(now_unix_ms) }),
            408 | 500..=599 => Some(Attempt::ServerError),
            _ => None,
        }
    }

    /// Turns a failure into the error of the contract. `scopes` are those of the action, for refusals that name none;
    /// `safe` tells whether the request only reads.
    pub fn error(&self, scopes: &[&str], safe: bool, now_unix_ms: i64) -> Error {
        let body = self.json().unwrap_or_default();
        let error_code = body.get("errorCode").or_else(|| body.get("code")).and_then(Value::as_str);
        let message = ["message", "error_description", "error"]
            .iter()
            .find_map(|key| body.get(key).and_then(Value::as_str))
            .map_or_else(|| format!("the tenant answered {}", self.status), shorten);
        let error = Error {
            status: Some(self.status),
            error_code: error_code.map(shorten),
            request_id: self.header("x-auth0-requestid").map(shorten),
            ..Error::new(Code::UnexpectedAnswer, message)
        };
        let coded = |code| Error { code, ..error.clone() };
        match (self.status, error_code) {
            // Auth0 says "Bearer" here, literally, for a header that is not a token.
            (401, _) | (400, Some("Bearer")) => coded(Code::Unauthenticated),
            (400, Some("invalid_body" | "invalid_uri" | "invalid_query_string" | "invalid_paging"))
            | (413 | 414, _) => coded(Code::InvalidInput),
            (403, code) => match (named_scopes(&error.message), code) {
                (Some(scopes), None | Some("insufficient_scope")) => {
                    Error { scopes, ..coded(Code::InsufficientScope) }
                }
                (None, Some("insufficient_scope")) => {
                    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
                    Error { scopes, ..coded(Code::InsufficientScope) }
                }
                // A plan, or a proxy before the tenant.
                _ => coded(Code::Forbidden),
            },
            (404, _) => coded(Code::NotFound),
            (409, _) => coded(Code::Conflict),
            (429, _) => {
                // A reset that has passed already says nothing of when to come back.
                let retry_after_ms = self.wait_ms(now_unix_ms).filter(|ms| *ms > 0);
                Error { retry_after_ms, ..coded(Code::RateLimited) }
            }
            // 503 says that the request was not taken up (RFC 9110, section 15.6.4). Any other 5xx may come after a write
            // was done, or from a gateway that got no answer and knows no more than we do.
            (408 | 500..=502 | 504..=599, _) if !safe => {
                let message =
                    format!("{}; it may have been done all the same: verify before retrying", error.message);
                error.told(Code::OutcomeUnknown, message)
            }
            (408 | 500..=599, _) => coded(Code::Unavailable),
            (400..=499, _) => coded(Code::Rejected),
            (300..=399, _) => {
                let message =
                    format!("the tenant answered {} (a redirect, which is never followed)", self.status);
                error.told(Code::UnexpectedAnswer, message)
            }
            _ => error,
        }
    }
}

/// Reads the scopes out of `Insufficient scope, expected any of: read:users,read:roles`. The only place where a
/// message is read: nothing else names them, and where it does not match the action's own scopes are told.
fn named_scopes(message: &str) -> Option<Vec<String>> {
    let (_, list) = message.split_once("expected any of:")?;
    // A remark may follow: "read:client_keys (needed for: client_secret)".
    let list = list.split('(').next().unwrap_or_default();
    let scopes: Vec<_> = list
        .split([',', ' '])
        .map(|scope| scope.trim_matches(['.', '"', '\'']))
        .filter(|scope| scope.contains(':'))
        .map(str::to_owned)
        .collect();
    (!scopes.is_empty()).then_some(scopes)
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn failures_are_told_apart_by_status_then_code() {
        let cases = [
            (400, r#"{"errorCode":"invalid_body","message":"m"}"#, "invalid-input"),
            (400, r#"{"errorCode":"invalid_uri","message":"m"}"#, "invalid-input"),
            (400, r#"{"errorCode":"Bearer","message":"m"}"#, "unauthenticated"),
            (400, r#"{"errorCode":"auth0_idp_error","message":"m"}"#, "rejected"),
            (400, r#"{"message":"PasswordStrengthError: Password is too weak"}"#, "rejected"),
            (401, r#"{"message":"Invalid token"}"#, "unauthenticated"),
            (403, r#"{"errorCode":"insufficient_scope","message":"m"}"#, "insufficient-scope"),
            (403, r#"{"errorCode":"insufficient_entitlement","message":"m"}"#, "forbidden"),
            (403, "<html>blocked by a proxy</html>", "forbidden"),
            (403, r#"{"message":"Insufficient scope, expected any of: read:users"}"#, "insufficient-scope"),
            (404, r#"{"message":"The role does not exist."}"#, "not-found"),
            (409, r#"{"errorCode":"auth0_idp_error","message":"The user already exists."}"#, "conflict"),
            (413, "", "invalid-input"),
            (414, "<html>", "invalid-input"),
            (422, "{}", "rejected"),
            (429, "{}", "rate-limited"),
            (500, "oops", "unavailable"),
            (503, "{}", "unavailable"),
            (504, "{}", "unavailable"),
            (408, "", "unavailable"),
            (302, "", "unexpected-answer"),
        ];
        for (status, body, kind) in cases {
            assert_eq!(response(status, body).error(&[], true, 0).code.as_str(), kind, "{status} {body}");
        }
        for status in [408, 500, 502, 504, 524] {
            assert_eq!(
                response(status, "").error(&[], false, 0).code.as_str(),
                "outcome-unknown",
                "{status}"
            );
        }
        assert_eq!(response(503, "").error(&[], false, 0).code.as_str(), "unavailable");
    }

    #[test]
    fn a_refusal_for_scopes_names_those_of_the_tenant_else_of_the_action() {
        let named = response(
            403,
            r#"{"errorCode":"insufficient_scope","message":"Insufficient scope, expected any of: read:users, read:roles"}"#,
        );
        let Error { code: Code::InsufficientScope, scopes, .. } = named.error(&["x:y"], true, 0) else {
            panic!("forbidden")
        };
        assert_eq!(scopes, ["read:users", "read:roles"]);
        let remarked = response(
            403,
            r#"{"errorCode":"insufficient_scope","message":"Insufficient scope, expected any of: read:client_keys (needed for: client_secret)"}"#,
        );
        let Error { code: Code::InsufficientScope, scopes, .. } = remarked.error(&["x:y"], true, 0) else {
            panic!("forbidden")
        };
        assert_eq!(scopes, ["read:client_keys"]);
        let unnamed = response(403, r#"{"errorCode":"insufficient_scope","message":"no"}"#);
        let Error { code: Code::InsufficientScope, scopes, .. } = unnamed.error(&["x:y"], true, 0) else {
            panic!("forbidden")
        };
        assert_eq!(scopes, ["x:y"]);
        let plan = response(403, r#"{"errorCode":"insufficient_entitlement","message":"upgrade"}"#);
        let Error { code: Code::Forbidden, scopes, .. } = plan.error(&["x:y"], true, 0) else {
            panic!("forbidden")
        };
        assert!(scopes.is_empty());
    }

    #[test]
    fn retry_after_wins_over_the_reset_time() {
        let now = 1_740_823_200_000;
        let with = |headers: &[(&str, &str)]| Response {
            status: 429,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: Vec::new(),
        };
        assert_eq!(
            with(&[("retry-after", "3"), ("x-ratelimit-reset", "1740823260")]).wait_ms(now),
            Some(3000)
        );
        assert_eq!(with(&[("retry-after", "Sat, 01 Mar 2025 10:00:05 GMT")]).wait_ms(now), Some(5000));
        assert_eq!(with(&[("x-ratelimit-reset", "1740823202")]).wait_ms(now), Some(2000));
        assert_eq!(with(&[("x-ratelimit-reset", "1740000000")]).wait_ms(now), Some(0));
        assert_eq!(with(&[]).wait_ms(now), None);
    }
}
