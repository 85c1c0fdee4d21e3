//! One record, and how it is written.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{AuditRequest, error_code};
use crate::error::{Error, ErrorCode};

/// The longest caller that is kept: two UUIDs and words around them.
const LONGEST_CALLER: usize = 128;
/// Requests that are written out; the rest is counted. A component may make a thousand, and the longest run of a curated
/// action makes some forty.
pub(super) const MOST_REQUESTS: usize = 100;
/// Stands for the code of an error that this version does not know: its text is the component's own.
const OTHER: &str = "other";

/// One call of an action. In JSON: an object on a line of its own, with `event` set to `call`; docs/running.md lists
/// its members.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename = "call")]
#[non_exhaustive]
pub struct AuditRecord {
    /// When the call began, in UTC. In JSON: RFC 3339 with milliseconds.
    #[serde(serialize_with = "milliseconds")]
    pub time: SystemTime,
    /// Names the call; the trace has the same.
    pub call: String,
    /// On whose behalf: what the engine gave to [`CallOptions::caller`](crate::CallOptions::caller).
    pub caller: Option<String>,
    /// The tenant.
    pub domain: String,
    /// The engine's name for the tenant, where it has one.
    pub tenant: Option<String>,
    /// Digest of the component that ran: `sha256:…`.
    pub component: String,
    /// The action; `(invalid)` where the name that was asked for cannot be one.
    pub action: String,
    /// Whether the host's rules let it pass.
    pub decision: Decision,
    /// Of a denied call: the rule.
    pub rule: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: AuditOutcome,
    /// How long it took. In JSON: `elapsed_ms`.
    #[serde(rename = "elapsed_ms", serialize_with = "fraction")]
    pub elapsed: Duration,
    /// The requests that it made, in order, those included that were refused or broken off; 100 at most.
    pub requests: Vec<AuditRequest>,
    /// Requests that are not written out.
    pub requests_omitted: usize,
    /// New secrets that the secret sink did not have when the call ended.
    pub secrets_undelivered: usize,
}

/// What the host's rules said of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// Nothing was refused.
    Allowed,
    /// The call, or a request of it, was refused.
    Denied,
}

/// How a call ended. In JSON: `outcome`, and with it `code` or `stopped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditOutcome {
    /// The action was done.
    Done,
    /// The action answered an error, or the host could not run it.
    Error {
        /// The code of an action's error, `other` for one that this version does not know, `busy`, or `host` where the host
        /// failed.
        code: String,
        /// HTTP status of the answer behind it.
        status: Option<u16>,
        /// Auth0's `errorCode`, where it is one of those that are known.
        error_code: Option<String>,
        /// Auth0's id of the request, where it looks like one.
        request_id: Option<String>,
    },
    /// The call did not come to its end: what was under way may or may not have happened.
    Stopped {
        /// What stopped it.
        stopped: StopReason,
        /// Of `limit`: which one.
        limit: Option<String>,
    },
}

/// What stopped a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StopReason {
    /// It went on past its deadline.
    Timeout,
    /// The component broke off.
    Trap,
    /// A limit of the host was reached.
    Limit,
    /// Its caller dropped it.
    Dropped,
    /// The tenant was closed: the host was told to stop.
    Closed,
    /// The host itself broke off.
    Panic,
}

impl StopReason {
    /// Returns the word that the record has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Trap => "trap",
            Self::Limit => "limit",
            Self::Dropped => "dropped",
            Self::Closed => "closed",
            Self::Panic => "panic",
        }
    }
}

impl AuditRecord {
    /// Writes the record as one line of JSON, without the line feed.
    pub fn to_json(&self) -> String {
        // Names and numbers only: nothing in it can fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl AuditOutcome {
    /// Returns how a call ended. A component chooses among words that are known and numbers; the one text that it could make up
    /// is the id of a request, which is held to the shape of Auth0's.
    pub(super) fn of<T>(result: &Result<T, Error>) -> Self {
        let plain = |code: &str| Self::Error {
            code: code.to_owned(),
            status: None,
            error_code: None,
            request_id: None,
        };
        match result {
            Ok(_) => Self::Done,
            Err(Error::Action(error)) => Self::Error {
                code: error.code.known().unwrap_or(OTHER).to_owned(),
                status: error.status,
                error_code: error.error_code.as_deref().and_then(error_code::known).map(str::to_owned),
                request_id: error.request_id.as_deref().filter(|id| is_request_id(id)).map(str::to_owned),
            },
            Err(Error::Busy { .. }) => plain("busy"),
            Err(Error::SecretUndelivered(_)) => plain("secret-undelivered"),
            Err(Error::Limit { limit }) => {
                Self::Stopped { stopped: StopReason::Limit, limit: Some(limit.to_string()) }
            }
            Err(Error::Timeout { .. }) => Self::stopped(StopReason::Timeout),
            Err(Error::Trap(_)) => Self::stopped(StopReason::Trap),
            Err(Error::Closed) => Self::stopped(StopReason::Closed),
            Err(
                Error::Settings(_)
                | Error::ComponentFile { .. }
                | Error::InvalidComponent { .. }
                | Error::NotPrecompiled { .. }
                | Error::CodeCache { .. }
                | Error::Engine(_)
                | Error::Instantiation(_)
                | Error::Contract { .. },
            ) => plain("host"),
        }
    }

    pub(super) fn stopped(stopped: StopReason) -> Self {
        Self::Stopped { stopped, limit: None }
    }

    /// Returns the word for it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Error { .. } => "error",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Returns the code of the error, or what stopped it.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Error { code, .. } => Some(code),
            Self::Stopped { stopped, .. } => Some(stopped.as_str()),
        }
    }

    /// Whether the host's rules refused the call.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Error { code, .. } if code == ErrorCode::PolicyDenied.as_str())
    }
}

/// Knows Auth0's ids of requests (`x-auth0-requestid`): some 20 lower-case letters and digits.
fn is_request_id(text: &str) -> bool {
    (16..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Keeps what an engine says of its caller, up to a length.
pub(super) fn caller(text: &str) -> String {
    text.chars().take(LONGEST_CALLER).collect()
}

/// Keeps a name that an action can have: `get-user`, or an operation's, `organizations.members.list`. What an engine runs may
/// be a text that a person typed.
pub(super) fn action(text: &str) -> &str {
    /// The longest operation's has 58 letters.
    const LONGEST: usize = 64;
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let plain = text.split('.').all(part);
    if plain && (1..=LONGEST).contains(&text.len()) { text } else { "(invalid)" }
}

fn milliseconds<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    // A clock outside the years that RFC 3339 has is no reason to lose a record.
    let time = Timestamp::try_from(*time).unwrap_or(Timestamp::UNIX_EPOCH);
    serializer.collect_str(&format_args!("{time:.3}"))
}

fn fraction<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine_error::EngineError,
        error::{ActionError, BusyScope},
        limits::Limit,
    };

    #[test]
    fn each_end_of_a_call_has_its_words() {
        let action = |code| Error::from(ActionError::new(code, "text"));
        for (error, word, reason) in [
            (action("jane-doe-1985".parse().unwrap()), "error", "other"),
            (action(ErrorCode::OutcomeUnknown), "error", "outcome-unknown"),
            (action(ErrorCode::InvalidInput), "error", "invalid-input"),
            (Error::Trap(EngineError::new(wasmtime::Error::msg("unreachable"))), "stopped", "trap"),
            (Error::Limit { limit: Limit::Cpu }, "stopped", "limit"),
            (Error::Timeout { after: Duration::ZERO }, "stopped", "timeout"),
            (Error::Closed, "stopped", "closed"),
            (Error::Busy { scope: BusyScope::Host, limit: 1, waited: Duration::ZERO }, "error", "busy"),
            (Error::Instantiation(EngineError::new(wasmtime::Error::msg("memory"))), "error", "host"),
        ] {
            let outcome = AuditOutcome::of::<()>(&Err(error));
            assert_eq!((outcome.word(), outcome.reason()), (word, Some(reason)));
        }
        assert_eq!(AuditOutcome::of(&Ok(())).word(), "done");
    }

    #[test]
    fn what_a_component_says_gets_into_a_record_only_where_it_is_a_code() {
        let written = |code: &str, id: &str| {
            let mut error = ActionError::new(ErrorCode::NotFound, "jane@acme.com");
            (error.error_code, error.request_id) = (Some(code.into()), Some(id.into()));
            serde_json::to_string(&AuditOutcome::of::<()>(&Err(error.into()))).unwrap()
        };
        let text = written("inexistent_user", "uqtivf64dyeksrgh8jer");
        assert!(text.contains("\"inexistent_user\"") && text.contains("uqtivf64dyeksrgh8jer"), "{text}");
        for made_up in
            ["jane@acme.com", "Jane_Doe_1985", "jane_doe", "jane-doe-1985", "JaneDoe1985JaneDoe19", ""]
        {
            let text = written(made_up, made_up);
            assert!(text.contains("\"error_code\":null,\"request_id\":null"), "{made_up}: {text}");
        }
        for known in ["get-user", "users.get", "attackProtection.bruteForceProtection.update"] {
            assert_eq!(action(known), known);
        }
        for made_up in
            ["", "Jane Doe", "Jane.Doe", "jane@acme.com", ".", "users.", "get_user", &"x".repeat(65)]
        {
            assert_eq!(action(made_up), "(invalid)", "{made_up}");
        }
        assert_eq!(caller(&"x".repeat(1000)).len(), LONGEST_CALLER);
    }
}
