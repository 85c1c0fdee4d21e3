//! The error of all actions: the contract's `types.error`, in Rust.
//!
//! Its code says what happened and, by its disposition, what a caller can do about it; the text is for people. Nothing
//! here ever holds a token, a secret or a request body.

/// What happened. The names and what each promises are in `wit/types.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The input was refused, before any request or by the tenant's schema.
    InvalidInput,
    /// What the input names does not exist.
    NotFound,
    /// It exists already, or is in a state that excludes the change.
    Conflict,
    /// Understood and refused by a business rule.
    Rejected,
    /// No credential, or one that the tenant does not accept.
    Unauthenticated,
    /// The token lacks a scope.
    InsufficientScope,
    /// Not allowed for another reason, such as the tenant's plan.
    Forbidden,
    /// The host's policy refused the request.
    PolicyDenied,
    /// The rate limit is used up.
    RateLimited,
    /// The tenant cannot serve now.
    Unavailable,
    /// No answer, and nothing was changed.
    Unreachable,
    /// A write was sent and its answer was lost.
    OutcomeUnknown,
    /// An answer that the API does not document.
    UnexpectedAnswer,
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Change the input.
    FixInput,
    /// Change a credential, a grant, a policy or the plan.
    FixAccess,
    /// Come back later.
    RetryLater,
    /// Look before the call is repeated.
    VerifyFirst,
    /// Nothing.
    GiveUp,
}

impl Disposition {
    /// Returns its name, as the contract has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixInput => "fix-input",
            Self::FixAccess => "fix-access",
            Self::RetryLater => "retry-later",
            Self::VerifyFirst => "verify-first",
            Self::GiveUp => "give-up",
        }
    }
}

impl Code {
    /// Returns the code's name, as the contract has it.
    pub fn as_str(self) -> &'static str {
        match self {
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
        }
    }

    /// Returns what a caller can do.
    pub fn disposition(self) -> Disposition {
        match self {
            Self::InvalidInput | Self::NotFound | Self::Conflict | Self::Rejected => Disposition::FixInput,
            Self::Unauthenticated | Self::InsufficientScope | Self::Forbidden | Self::PolicyDenied => {
                Disposition::FixAccess
            }
            Self::RateLimited | Self::Unavailable | Self::Unreachable => Disposition::RetryLater,
            Self::OutcomeUnknown => Disposition::VerifyFirst,
            Self::UnexpectedAnswer => Disposition::GiveUp,
        }
    }
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What happened.
    pub code: Code,
    /// What was refused or failed, and how to do it right.
    pub message: String,
    /// HTTP status of the answer, where there was one.
    pub status: Option<u16>,
    /// Auth0's `errorCode`, where the answer had one.
    pub error_code: Option<String>,
    /// Auth0's request id, where the answer had one.
    pub request_id: Option<String>,
    /// How long to wait, in milliseconds, where the tenant said so.
    pub retry_after_ms: Option<u64>,
    /// Of [`Code::InsufficientScope`]: the scopes of which one is enough.
    pub scopes: Vec<String>,
    /// Whether the message is a phrase about the action's input, before which the action's name is put where that is
    /// known.
    pub about_input: bool,
}

impl Error {
    /// Makes an error that no answer of the tenant stands behind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: None,
            error_code: None,
            request_id: None,
            retry_after_ms: None,
            scopes: Vec::new(),
            about_input: false,
        }
    }

    /// Refuses an input before any request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// Refuses something of an action's input, in a phrase: ``missing property `user_id` ``.
    pub fn refused(problem: impl Into<String>) -> Self {
        Self { about_input: true, ..Self::invalid(problem) }
    }

    /// Returns it with the status of the answer behind it.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Returns it with another code and message; what is known of the answer stays.
    #[must_use]
    pub fn told(self, code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), ..self }
    }

    /// Returns whether the tenant did not let the token do it.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.code, Code::InsufficientScope | Code::Forbidden)
    }
}
