//! What one call may use.

/// What the requests of one call may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    /// Requests in one call.
    pub(crate) requests: u64,
    /// Bytes of one request's body. Auth0 takes 1 MB at most; the rest is room for a mail with its recipients.
    pub(crate) request_body_bytes: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { requests: 1000, request_body_bytes: 1_100_000 }
    }
}
