//! What one call of an action came to.

use std::time::Duration;

use crate::{call::RequestRecord, error::Error, json::Json};

/// What one call of an action came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The action.
    pub action: String,
    /// Its answer.
    pub result: Result<Json, Error>,
    /// The requests that it made, in order, the ones that were refused or broken off included. Token requests of the
    /// host are not among them: they belong to the tenant, not to a call.
    pub requests: Vec<RequestRecord>,
    /// How long it took, waiting for an instance included.
    pub elapsed: Duration,
}
