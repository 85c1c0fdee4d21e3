//! The pace of a connection.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode, Uri};

/// Whether somebody waits for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// A person or a workflow step waits for it.
    #[default]
    Interactive,
    /// A bulk job that may give way.
    Background,
}

/// Holds a connection to the tenant's rate limits.
#[derive(Debug, Default)]
pub(crate) struct Governor {}

/// The request would have to wait for longer than its call has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// When to come back.
    pub(crate) retry_after: Duration,
    /// Which bucket is empty, in words.
    pub(crate) bucket: String,
}

/// A request's leave to go.
#[derive(Debug)]
pub(crate) struct Admission {}

impl Governor {
    /// Waits until a request to the Management API may go; at once with an error where that would be after `until`.
    #[expect(clippy::unused_async, reason = "a placeholder")]
    pub(crate) async fn admit(
        &self,
        _method: &Method,
        _uri: &Uri,
        _priority: Priority,
        _until: Instant,
    ) -> Result<Admission, Throttled> {
        Ok(Admission {})
    }

    /// Learns from an answer.
    pub(crate) fn observe(&self, _admission: Admission, _status: StatusCode, _headers: &HeaderMap) {}
}
