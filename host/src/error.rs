//! How a call can fail.
//!
//! Two families that an engine treats differently: the action answered an error (branch on its disposition), or the host
//! could not run it (tell an operator).

use std::{fmt, path::PathBuf, time::Duration};

pub use auth0_egress::settings_error::SettingsError;

pub use crate::{
    action_error::ActionError,
    disposition::Disposition,
    error_code::{ErrorCode, InvalidErrorCode, OtherCode},
};
use crate::{
    denial::Denial, engine_error::EngineError, json::JsonError, limits::Limit, secrets::SecretUndelivered,
};

/// Why something failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The action answered an error.
    #[error(transparent)]
    Action(Box<ActionError>),

    /// The settings of a tenant conflict, or one of them cannot be used.
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

    /// The component is not trusted, so it is not compiled here, and its code is not in the code cache.
    #[error(
        "the component's compiled code is not in the code cache, and a component that is not trusted is not compiled \
         here{}; precompile it in a process with limits",
        problem.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default()
    )]
    NotPrecompiled {
        /// What is wrong with the cache, where something is.
        problem: Option<String>,
    },

    /// The code cache could not be used by a call that needs it.
    #[error("the code cache could not be used: {problem}")]
    CodeCache {
        /// Why, with what to do.
        problem: String,
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

/// Boxes it: an error is returned by value through an engine's own functions, and most calls have none.
impl From<ActionError> for Error {
    fn from(error: ActionError) -> Self {
        Self::Action(Box::new(error))
    }
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

impl Error {
    /// Returns by which rule the host refused the call or a request of it, where it did.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Action(error) => error.denial.as_deref(),
            _ => None,
        }
    }

    /// Returns what a caller can do about it, for the host's own errors too: what was stopped on its way is
    /// [`Disposition::VerifyFirst`], since its requests may have been served.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Action(error) => error.disposition,
            Self::Settings(_) => Disposition::FixInput,
            Self::Busy { .. } | Self::Instantiation(_) => Disposition::RetryLater,
            // A secret that the sink did not take is in force: whatever made it was done.
            Self::Trap(_)
            | Self::Limit { .. }
            | Self::Timeout { .. }
            | Self::Closed
            | Self::Contract { .. }
            | Self::SecretUndelivered(_) => Disposition::VerifyFirst,
            Self::ComponentFile { .. }
            | Self::InvalidComponent { .. }
            | Self::NotPrecompiled { .. }
            | Self::CodeCache { .. }
            | Self::Engine(_) => Disposition::GiveUp,
        }
    }
}
