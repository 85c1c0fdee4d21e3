//! Codes of errors that actions answer.
//!
//! The contract leaves them open: a component of a later version may answer codes that this host does not know. Such a
//! code is handed on, so that an engine can learn it before its host does; but it is the component's own text, and a
//! component is not trusted. So its shape is bounded, and whatever writes for operators (audit, telemetry) writes known
//! codes only.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::disposition::Disposition;

/// Most bytes of a code that this version does not know. The longest known one has 18.
const LONGEST: usize = 64;

/// Why an action failed: the codes of the contract's `error`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Refused before any request, or by the tenant's schema.
    InvalidInput,
    /// What the input names does not exist.
    NotFound,
    /// It exists already, or is in a state that excludes the change.
    Conflict,
    /// Rejected by a business rule, such as a weak password or a disabled connection.
    Rejected,
    /// No credential, or one that the tenant does not accept.
    Unauthenticated,
    /// The token lacks scopes; [`ActionError::scopes`](crate::ActionError::scopes) names those to grant.
    InsufficientScope,
    /// Forbidden for another reason, such as the tenant's plan.
    Forbidden,
    /// The host's policy refused the request; it was not sent.
    PolicyDenied,
    /// The rate limit is used up, and the wait is longer than the deadline or the retries allow.
    RateLimited,
    /// The tenant cannot serve now; nothing was changed.
    Unavailable,
    /// No answer, and nothing was changed.
    Unreachable,
    /// A write was sent and its answer was lost: verify before retrying.
    OutcomeUnknown,
    /// An answer that the API does not document, such as a page of a proxy.
    UnexpectedAnswer,
    /// A code of a later version of the component.
    Other(OtherCode),
}

/// A code that this version does not know. Only [`str::parse`] of an [`ErrorCode`] makes one: so it is never the name of
/// a known code, and never a text without bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OtherCode(Box<str>);

impl OtherCode {
    /// Returns the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Every code that this version knows.
const KNOWN: [ErrorCode; 13] = [
    ErrorCode::InvalidInput,
    ErrorCode::NotFound,
    ErrorCode::Conflict,
    ErrorCode::Rejected,
    ErrorCode::Unauthenticated,
    ErrorCode::InsufficientScope,
    ErrorCode::Forbidden,
    ErrorCode::PolicyDenied,
    ErrorCode::RateLimited,
    ErrorCode::Unavailable,
    ErrorCode::Unreachable,
    ErrorCode::OutcomeUnknown,
    ErrorCode::UnexpectedAnswer,
];

impl ErrorCode {
    /// Returns the name that the contract gives it: `outcome-unknown`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(code) => code.as_str(),
            known => known.known().unwrap_or_default(),
        }
    }

    /// Returns the name of a code that this version knows. What is written for operators is this one: the text of another
    /// code is the component's own.
    pub fn known(&self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidInput => "invalid-input",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Unauthenticated => "unauthenticated",
            Self::InsufficientScope => "insufficient-scope",
            Self::Forbidden => "forbidden",
            Self::PolicyDenied => "policy-denied",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::UnexpectedAnswer => "unexpected-answer",
            Self::Other(_) => return None,
        })
    }

    /// Returns what a caller can do about an error of this code. Of a code that this version does not know that is
    /// [`Disposition::GiveUp`]; the error itself has what the component says.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::InvalidInput | Self::NotFound | Self::Conflict | Self::Rejected => Disposition::FixInput,
            Self::Unauthenticated | Self::InsufficientScope | Self::Forbidden | Self::PolicyDenied => {
                Disposition::FixAccess
            }
            Self::RateLimited | Self::Unavailable | Self::Unreachable => Disposition::RetryLater,
            Self::OutcomeUnknown => Disposition::VerifyFirst,
            Self::UnexpectedAnswer | Self::Other(_) => Disposition::GiveUp,
        }
    }
}

/// A text that is no code of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code of an error has 1 to {LONGEST} lower-case letters, digits and hyphens")]
#[non_exhaustive]
pub struct InvalidErrorCode;

impl FromStr for ErrorCode {
    type Err = InvalidErrorCode;

    fn from_str(text: &str) -> Result<Self, InvalidErrorCode> {
        if let Some(known) = KNOWN.iter().find(|code| code.as_str() == text) {
            return Ok(known.clone());
        }
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self::Other(OtherCode(text.into())))
        } else {
            Err(InvalidErrorCode)
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes that the contract's text lists, with their dispositions.
    fn listed() -> Vec<(String, String)> {
        let (_, text) = auth0_contract::FILES.iter().find(|(name, _)| *name == "types.wit").unwrap();
        let list =
            text.split("Today's, by disposition:").nth(1).unwrap().split("code: string").next().unwrap();
        let mut listed = Vec::new();
        for line in list.split("/// - `").skip(1) {
            let (disposition, codes) = line.split_once("`: ").unwrap();
            // A code is followed by what it means, in brackets.
            for before in codes.split("` (").filter(|before| before.contains('`')) {
                let code = before.rsplit('`').next().unwrap();
                listed.push((code.to_owned(), disposition.to_owned()));
            }
        }
        listed
    }

    #[test]
    fn the_known_codes_are_those_of_the_contract_with_its_dispositions() {
        let known = KNOWN.map(|code| (code.to_string(), code.disposition().to_string()));
        assert_eq!(listed(), known);
    }

    #[test]
    fn a_code_has_one_form() {
        for code in KNOWN {
            let text = code.to_string();
            assert_eq!(serde_json::to_value(&code).unwrap(), text);
            assert_eq!(serde_json::from_value::<ErrorCode>(text.clone().into()).unwrap(), code);
            assert_eq!(code.known(), Some(text.as_str()));
        }
    }

    #[test]
    fn a_code_of_a_later_version_is_kept_and_known_to_nobody() {
        for text in ["quota-exceeded", "x", "409", &"x".repeat(LONGEST)] {
            let code: ErrorCode = text.parse().unwrap();
            assert!(matches!(&code, ErrorCode::Other(other) if other.as_str() == text));
            assert_eq!((code.as_str(), code.known()), (text, None));
            assert_eq!(code.disposition(), Disposition::GiveUp);
        }
    }

    #[test]
    fn what_a_component_could_hide_in_a_code_is_refused() {
        for text in [
            "",
            "Not-Found",
            "not found",
            "jane@acme.com",
            "not_found",
            "line\nfeed",
            "\u{1b}[31m",
            "größe",
            "a.b",
            &"x".repeat(LONGEST + 1),
        ] {
            assert_eq!(text.parse::<ErrorCode>(), Err(InvalidErrorCode), "{text:?}");
            assert!(serde_json::from_value::<ErrorCode>(text.into()).is_err(), "{text:?}");
        }
    }
}
