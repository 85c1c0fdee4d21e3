//! How a call can fail.
//!
//! Two families that an engine treats differently: the action answered an error (branch on its kind), or the host
//! could not run it (tell an operator).

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use auth0_egress::settings_error::SettingsError;

use crate::{
    denial::Denial, engine_error::EngineError, json::JsonError, limits::Limit, secrets::SecretUndelivered,
};

/// Why something failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The action answered an error.
    #[error(transparent)]
    Action(#[from] ActionError),

    /// The settings of a tenant do not go together.
    #[error("settings: {0}")]
    Settings(#[from] SettingsError),

    /// The component's file could not be read.
    #[error("the component {path} could not be read", path = path.display())]
    ComponentFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The bytes are not the connector.
    #[error("not a usable component: {problem}")]
    InvalidComponent {
        /// Which rule they break.
        problem: String,
        /// What the engine said, where it was asked.
        source: Option<EngineError>,
    },

    /// The runtime could not be set up on this machine.
    #[error("the WebAssembly runtime could not be set up")]
    Engine(#[source] EngineError),

    /// No instance could be made: the pool or the memory is used up.
    #[error("no instance of the component could be made")]
    Instantiation(#[source] EngineError),

    /// The component broke off. Its instance is gone; the next call gets a fresh one.
    #[error("the component trapped; whether it changed anything is unknown")]
    Trap(#[source] EngineError),

    /// The component used more than a limit allows and was stopped. Its instance is gone.
    #[error("the component was stopped: it used too much {limit}; whether it changed anything is unknown")]
    Limit {
        /// Which limit.
        limit: Limit,
    },

    /// Too many calls at once: this one waited for its turn and was not begun. Nothing was sent.
    #[error(
        "busy: {limit} calls at once are allowed per {scope}, and none of them ended within {waited:?}; nothing was sent"
    )]
    Busy {
        /// Where the calls are counted.
        scope: BusyScope,
        /// How many are allowed.
        limit: usize,
        /// How long the call waited.
        waited: Duration,
    },

    /// The secret sink did not take secrets that wait for it, when it was asked again.
    #[error(transparent)]
    SecretUndelivered(#[from] SecretUndelivered),

    /// The call did not end in time and was stopped.
    #[error(
        "the call was stopped after {after:?}: it went on past its deadline; whether it changed anything is unknown"
    )]
    Timeout {
        /// How long it ran.
        after: Duration,
    },

    /// The tenant was closed while the call was under way, or before it.
    #[error("the tenant was closed; whether the call changed anything is unknown")]
    Closed,

    /// The component answered something that its contract does not allow.
    #[error("the component broke its contract: {problem}")]
    Contract {
        /// What it did.
        problem: String,
        /// What the parser said.
        source: Option<JsonError>,
    },
}

/// Where calls at once are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BusyScope {
    /// [`Limits::concurrent_calls`](crate::Limits::concurrent_calls).
    Tenant,
    /// [`HostBuilder::concurrent_calls`](crate::HostBuilder::concurrent_calls).
    Host,
}

impl fmt::Display for BusyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Host => "host",
        })
    }
}

/// What an action answered instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
#[non_exhaustive]
pub struct ActionError {
    /// What to branch on.
    pub kind: ErrorKind,
    /// What was refused or failed, and how to do it right, in words. Not for branching.
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
    /// Of `forbidden`: the scopes that would do, any one of those that the tenant names; all of those that the host names
    /// before anything is sent. Empty where the refusal is not about scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Of `throttled`: how long to wait before the call can succeed, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Where the host refused it: by which rule, and what would allow it, for programs that have words of their own.
    #[serde(skip)]
    pub denial: Option<Box<Denial>>,
}

impl ActionError {
    /// Makes an error that says nothing but its kind and a sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            error_code: None,
            request_id: None,
            scopes: Vec::new(),
            retry_after_ms: None,
            denial: None,
        }
    }

    /// Makes the error of what the host refused.
    pub(crate) fn denied(denial: Denial) -> Self {
        let message = denial.to_string();
        Self { denial: Some(Box::new(denial)), ..Self::new(ErrorKind::PolicyDenied, message) }
    }
}

/// The stable kinds of errors: the cases of the contract's `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input was refused, by the component or by the tenant's schema.
    InvalidInput,
    /// No credential, or one that the tenant does not accept.
    Unauthenticated,
    /// The credential lacks a scope, or the tenant's plan lacks the feature.
    Forbidden,
    /// What the input names does not exist.
    #[serde(rename = "missing")]
    NotFound,
    /// It exists already, or is in a state that excludes the change.
    Conflict,
    /// The rate limit is used up.
    #[serde(rename = "throttled")]
    RateLimited,
    /// Understood and refused for a reason of business.
    Rejected,
    /// The tenant cannot serve now; nothing is known to have changed.
    Unavailable,
    /// A write was sent and its answer was lost: look before trying again.
    OutcomeUnknown,
    /// No answer, and nothing was changed.
    Unreachable,
    /// The host's policy refused the request; it did not leave the host.
    #[serde(rename = "denied")]
    PolicyDenied,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Returns the name that the contract gives it: `outcome-unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid-input",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "missing",
            Self::Conflict => "conflict",
            Self::RateLimited => "throttled",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Unreachable => "unreachable",
            Self::PolicyDenied => "denied",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_display_name_a_kind_alike() {
        for kind in [
            ErrorKind::InvalidInput,
            ErrorKind::Unauthenticated,
            ErrorKind::Forbidden,
            ErrorKind::NotFound,
            ErrorKind::Conflict,
            ErrorKind::RateLimited,
            ErrorKind::Rejected,
            ErrorKind::Unavailable,
            ErrorKind::OutcomeUnknown,
            ErrorKind::Unreachable,
            ErrorKind::PolicyDenied,
            ErrorKind::Other,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
        }
    }
}
