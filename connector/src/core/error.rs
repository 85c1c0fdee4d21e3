//! The errors of all actions: the cases of the contract's `types.error`, in Rust.
//!
//! A case says what an engine can do about it (ask for scopes, wait, look before trying again); the text is for
//! people. Nothing here ever holds a token, a secret or a request body.

/// What is known about a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// What was refused or failed, and how to do it right.
    pub message: String,
    /// HTTP status of the answer, where there was one.
    pub status: Option<u16>,
    /// Auth0's `errorCode`, where the answer had one.
    pub error_code: Option<String>,
    /// Auth0's request id, where the answer had one.
    pub request_id: Option<String>,
    /// Whether it is a phrase about the action's input, before which the action's name is put where that is known.
    pub about_input: bool,
}

impl Problem {
    /// Makes a problem that no answer of the tenant stands behind.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

/// Why an action failed. See `wit/types.wit` for what each case promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input was refused, before any request or by the tenant's schema.
    #[error("{}", .0.message)]
    InvalidInput(Problem),
    /// No credential, or one that the tenant does not accept.
    #[error("{}", .0.message)]
    Unauthenticated(Problem),
    /// The credential lacks a scope, or the plan a feature.
    #[error("{}", .problem.message)]
    Forbidden {
        /// What was refused.
        problem: Problem,
        /// The scopes that would do.
        scopes: Vec<String>,
    },
    /// What the input names does not exist.
    #[error("{}", .0.message)]
    Missing(Problem),
    /// It exists already, or is in a state that excludes the change.
    #[error("{}", .0.message)]
    Conflict(Problem),
    /// The rate limit is used up.
    #[error("{}", .problem.message)]
    Throttled {
        /// What was refused.
        problem: Problem,
        /// How long to wait, in milliseconds, where the tenant said so.
        retry_after_ms: Option<u64>,
    },
    /// Understood and refused for a reason of business.
    #[error("{}", .0.message)]
    Rejected(Problem),
    /// The tenant cannot serve now.
    #[error("{}", .0.message)]
    Unavailable(Problem),
    /// A write was sent and its answer was lost.
    #[error("{}", .0.message)]
    OutcomeUnknown(Problem),
    /// No answer, and nothing was changed.
    #[error("{}", .0.message)]
    Unreachable(Problem),
    /// The host's policy refused the request.
    #[error("{}", .0.message)]
    Denied(Problem),
    /// Anything else.
    #[error("{}", .0.message)]
    Other(Problem),
}

impl Error {
    /// Refuses an input before any request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidInput(Problem::new(message))
    }

    /// Refuses something of an action's input, in a phrase: ``missing property `user_id` ``.
    pub fn refused(problem: impl Into<String>) -> Self {
        Self::InvalidInput(Problem { about_input: true, ..Problem::new(problem) })
    }

    /// Returns the case's name, as the contract has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid-input",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Forbidden { .. } => "forbidden",
            Self::Missing(_) => "missing",
            Self::Conflict(_) => "conflict",
            Self::Throttled { .. } => "throttled",
            Self::Rejected(_) => "rejected",
            Self::Unavailable(_) => "unavailable",
            Self::OutcomeUnknown(_) => "outcome-unknown",
            Self::Unreachable(_) => "unreachable",
            Self::Denied(_) => "denied",
            Self::Other(_) => "other",
        }
    }

    /// Returns what is known, whatever the case.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Forbidden { problem, .. } | Self::Throttled { problem, .. } => problem,
            Self::InvalidInput(problem)
            | Self::Unauthenticated(problem)
            | Self::Missing(problem)
            | Self::Conflict(problem)
            | Self::Rejected(problem)
            | Self::Unavailable(problem)
            | Self::OutcomeUnknown(problem)
            | Self::Unreachable(problem)
            | Self::Denied(problem)
            | Self::Other(problem) => problem,
        }
    }
}
