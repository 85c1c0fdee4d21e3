//! What an action answered instead of a result.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{denial::Denial, disposition::Disposition, error_code::ErrorCode};

/// What an action answered instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
#[non_exhaustive]
pub struct ActionError {
    /// What to branch on.
    pub disposition: Disposition,
    /// What happened, more exactly.
    pub code: ErrorCode,
    /// What was refused or failed, why, and how to fix it, in words. Not for branching.
    pub message: String,
    /// HTTP status of the answer, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Auth0's `errorCode`, where the answer had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Box<str>>,
    /// Auth0's request id, to quote to Auth0's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Box<str>>,
    /// Of `insufficient-scope`: any one of those that the tenant or the action's description names; all of those that the
    /// host names before anything is sent. Otherwise empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// How long to wait before the call can succeed, in milliseconds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What else is known. Its members are documented with the code that has them; today none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
    /// Where the host refused it: by which rule, and what would allow it, for programs that have words of their own.
    #[serde(skip)]
    pub denial: Option<Box<Denial>>,
}

impl ActionError {
    /// Makes an error that says nothing but its code, with the disposition that goes with it, and a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            disposition: code.disposition(),
            code,
            message: message.into(),
            status: None,
            error_code: None,
            request_id: None,
            scopes: Vec::new(),
            retry_after_ms: None,
            details: None,
            denial: None,
        }
    }

    /// Makes the error of what the host refused.
    pub(crate) fn denied(denial: Denial) -> Self {
        let message = denial.to_string();
        Self { denial: Some(Box::new(denial)), ..Self::new(ErrorCode::PolicyDenied, message) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_is_written_with_what_is_known_and_read_back() {
        let mut error = ActionError::new(ErrorCode::RateLimited, "the rate limit is used up");
        error.retry_after_ms = Some(7000);
        let written = json!({
            "disposition": "retry-later", "code": "rate-limited", "message": "the rate limit is used up",
            "retry_after_ms": 7000,
        });
        assert_eq!(serde_json::to_value(&error).unwrap(), written);
        assert_eq!(serde_json::from_str::<ActionError>(&written.to_string()).unwrap(), error);
    }
}
