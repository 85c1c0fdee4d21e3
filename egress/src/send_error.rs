//! The error that the caller of the egress gets where no answer came.
//!
//! The cases are those of WASI's `error-code` that the egress has, so that a host of WebAssembly hands them on one by
//! one; the egress itself knows no WebAssembly. The one fact that matters to whoever repeats requests is in the case:
//! what was sent and not answered is [`SendError::HttpResponseTimeout`], [`SendError::ConnectionTerminated`],
//! [`SendError::ConnectionReadTimeout`] or [`SendError::HttpProtocolError`], and every other case means that the request
//! did not leave.

use std::{error::Error as StdError, time::Duration};

/// How long a guest gives to each part of one request; the host's own times where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// For a connection.
    pub connect_timeout: Option<Duration>,
    /// For the head of the answer.
    pub first_byte_timeout: Option<Duration>,
    /// Between two parts of the answer's body.
    pub between_bytes_timeout: Option<Duration>,
}

/// Why no answer came, or why its body broke off.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The host's rules refused the request.
    #[error("the request was refused")]
    HttpRequestDenied,
    /// The URI to send to cannot be written.
    #[error("the request has no usable URI")]
    HttpRequestUriInvalid,
    /// The request's body is larger than the limit, which is given.
    #[error("the request's body is too large")]
    HttpRequestBodySize(Option<u64>),
    /// The guest's own body ended in an error, which is handed back to it.
    #[error("the request's body broke off")]
    RequestBody(#[source] Box<dyn StdError + Send + Sync>),
    /// The name does not resolve.
    #[error("the name does not resolve")]
    DnsError {
        /// The resolver's answer.
        rcode: Option<String>,
    },
    /// The name leads where no connection may be opened to.
    #[error("the address is prohibited")]
    DestinationIpProhibited,
    /// No way to there.
    #[error("there is no route to the address")]
    DestinationIpUnroutable,
    /// No connection, for another reason.
    #[error("the destination is unavailable")]
    DestinationUnavailable,
    /// Nobody listens there.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// The time was over before the request was sent.
    #[error("the connection took too long")]
    ConnectionTimeout,
    /// The connection ended before the answer.
    #[error("the connection ended before the answer")]
    ConnectionTerminated,
    /// The answer's body stalled.
    #[error("the answer stalled")]
    ConnectionReadTimeout,
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted")]
    TlsCertificateError,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    TlsProtocolError,
    /// No answer in time.
    #[error("no answer came in time")]
    HttpResponseTimeout,
    /// The answer's body is larger than the limit, which is given.
    #[error("the answer's body is too large")]
    HttpResponseBodySize(Option<u64>),
    /// The answer is not HTTP.
    #[error("the answer is not HTTP")]
    HttpProtocolError,
    /// The host failed; the request was not sent.
    #[error("the host failed")]
    InternalError(Option<String>),
}
