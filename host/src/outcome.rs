//! What one call of an action came to.

use std::time::Duration;

use crate::{call::RequestRecord, error::Error, json::Json, secrets::SecretUndelivered};

/// What one call of an action came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The action.
    pub action: String,
    /// Its answer.
    pub result: Result<Json, Error>,
    /// New secrets that are in force and that the secret sink did not take, or had not when the call ended. The action was
    /// done all the same: they wait in the tenant, and [`Tenant::retry_secrets`](crate::Tenant::retry_secrets) puts them
    /// there.
    pub undelivered: Option<SecretUndelivered>,
    /// The requests that it made, in order, the ones that were refused or broken off included. Token requests of the
    /// host are not among them: they belong to the tenant, not to a call.
    pub requests: Vec<RequestRecord>,
    /// How long it took, waiting for an instance included.
    pub elapsed: Duration,
}
