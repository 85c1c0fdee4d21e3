//! What an action answered instead of a result.

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{denial::Denial, disposition::Disposition, error_code::ErrorCode, json::Json};

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
    /// Of `insufficient-scope`: scopes to grant. With all of them the call is not refused for lack of scopes; where the
    /// tenant names several, one can be enough. Otherwise empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// How long to wait before the call can succeed, in milliseconds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What else is known: a JSON object, of a component one of at most 64 KiB. Its members are documented with the code
    /// that has them; today none has. Text, and not a tree of values, for the reasons that [`Json`] gives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object")]
    pub details: Option<Json>,
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

/// Reads details, which are an object.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    let details = Option::<Json>::deserialize(deserializer)?;
    match details {
        Some(other) if !other.is_object() => Err(de::Error::custom("`details` is not an object")),
        details => Ok(details),
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
        assert_eq!(serde_json::from_value::<ActionError>(written).unwrap(), error);
    }

    #[test]
    fn details_keep_their_digits_and_are_an_object() {
        let text = |details: &str| {
            format!(
                r#"{{"disposition":"retry-later","code":"rate-limited","message":"m","details":{details}}}"#
            )
        };
        let written = text(r#"{"n":1e400,"id":12345678901234567890123}"#);
        let error: ActionError = serde_json::from_str(&written).unwrap();
        assert_eq!(error.details.as_ref().unwrap().get("/n").unwrap().as_str(), "1e400");
        assert_eq!(serde_json::to_string(&error).unwrap(), written);
        let without: ActionError = serde_json::from_str(&text("null")).unwrap();
        assert_eq!(without.details, None);
        for details in ["[]", "7", "\"{}\""] {
            assert!(serde_json::from_str::<ActionError>(&text(details)).is_err(), "{details}");
        }
    }
}
