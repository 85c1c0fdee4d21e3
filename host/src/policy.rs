//! What a connection may do, beyond what its credentials allow.

use http::{Method, Uri};

use crate::egress::destination::Destination;

/// What a connection may do.
#[derive(Clone, Debug, Default)]
pub struct Policy {}

/// Why a policy refuses, and how to allow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}; to allow it, {allow}")]
pub(crate) struct PolicyDenial {
    pub(crate) rule: String,
    pub(crate) allow: String,
}

impl Policy {
    /// Tells whether an action may be run.
    pub(crate) fn check_action(&self, _action: &str) -> Result<(), PolicyDenial> {
        Ok(())
    }

    /// Tells whether a request may leave. Asked for each one, whoever built it.
    pub(crate) fn check_request(
        &self,
        _destination: Destination,
        _method: &Method,
        _uri: &Uri,
        _body: &[u8],
    ) -> Result<(), PolicyDenial> {
        Ok(())
    }
}
