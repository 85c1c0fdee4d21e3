//! What the requests of one call may use.

use std::time::Duration;

/// What the requests of one call may use.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Requests, those that are refused included.
    pub requests: u64,
    /// Bytes of one request's body.
    pub request_body_bytes: usize,
    /// Bytes of one answer's body.
    pub response_body_bytes: u64,
    /// Processor time for looking for secrets in all answers.
    pub cpu: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            // The longest curated action, find-stale-secrets, asks once for each application of a list.
            requests: 1000,
            // Auth0 takes 1 MB at most; the rest is room for an email with its recipients.
            request_body_bytes: 1_100_000,
            // What the connector reads at most, and an error of its own beyond that.
            response_body_bytes: 10_000_000,
            // What a component may compute at most; the longest answer takes a tenth of a second.
            cpu: Duration::from_secs(5),
        }
    }
}
