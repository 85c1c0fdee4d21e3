//! The guest's HTTP: what wasmtime asks of the host, and what of it is the egress's.
//!
//! wasmtime's types end here. The egress gets a request, its options and the call it belongs to, and answers in the terms
//! of `http` and of its own errors.

use std::sync::Arc;

use http::{HeaderName, Request, Response, header};
use http_body_util::{BodyExt as _, Empty};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as WasiError, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
    p2::{
        bindings::http::types::{DnsErrorPayload, ErrorCode},
        body::HyperOutgoingBody,
    },
};

use super::outgoing::Sending;
use crate::{
    call::CallContext,
    egress::{self, Egress, SendError},
};

/// A guest's way out, and the hooks that wasmtime calls for its HTTP.
pub(crate) struct GuestHttp(Option<WayOut>);

#[derive(Clone)]
struct WayOut {
    egress: Arc<Egress>,
    call: Arc<CallContext>,
}

impl GuestHttp {
    /// Gives a call its way out.
    pub(crate) fn new(egress: Arc<Egress>, call: Arc<CallContext>) -> Self {
        Self(Some(WayOut { egress, call }))
    }

    /// Gives no way out.
    pub(crate) fn sealed() -> Self {
        Self(None)
    }

    /// Sends a request, as soon as it is polled; with the call that it belongs to.
    pub(super) fn send(
        &self,
        request: Request<Option<HyperOutgoingBody>>,
        options: Option<RequestOptions>,
    ) -> (Sending, Option<Arc<CallContext>>) {
        let Some(WayOut { egress, call }) = self.0.clone() else {
            return (Box::pin(std::future::ready(Err(ErrorCode::HttpRequestDenied))), None);
        };
        let permit = call.in_flight_permit();
        let request = request.map(|body| match body {
            Some(body) => body.map_err(|error| SendError::RequestBody(error.into())).boxed_unsync(),
            None => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        });
        let options = options.map(request_options).unwrap_or_default();
        let same_call = Arc::clone(&call);
        let sending = Box::pin(async move {
            let response = egress.send(request, options, &call, permit).await.map_err(error_code)?;
            Ok(response.map(|body| body.map_err(to_wasi).boxed_unsync()))
        });
        (sending, Some(same_call))
    }
}

impl WasiHttpHooks for GuestHttp {
    /// Forbids `Authorization`: who authenticates is the host, where anybody does. This hook covers trailers too, which
    /// `is_forbidden_header` does not (GHSA-jxcf-8qw5-5c33).
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name: &HeaderName| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name) || *name == header::AUTHORIZATION
        })
    }

    /// The pooled client sets `Host` itself, and leaves it out for HTTP/2.
    fn set_host_header(&mut self) -> bool {
        false
    }

    /// What the host holds of a body that the guest has begun: two of these at most. A guest may begin many.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 * 1024
    }

    /// Refuses: a guest's requests go through [`GuestHttp::send`], and nothing that would come here is linked.
    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), WasiError>> + Send>,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Driver), WasiError>> + Send> {
        Box::new(std::future::ready(Err(WasiError::HttpRequestDenied)))
    }
}

type Driver = Box<dyn Future<Output = Result<(), WasiError>> + Send>;

fn request_options(options: RequestOptions) -> egress::RequestOptions {
    let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } = options;
    egress::RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout }
}

/// Returns the error code that the guest gets in the place of an answer.
fn error_code(error: SendError) -> ErrorCode {
    match error {
        SendError::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        SendError::HttpRequestUriInvalid => ErrorCode::HttpRequestUriInvalid,
        SendError::HttpRequestBodySize(limit) => ErrorCode::HttpRequestBodySize(limit),
        SendError::RequestBody(error) => match error.downcast::<WasiError>().map(|error| *error) {
            Ok(WasiError::HttpProtocolError) => ErrorCode::HttpProtocolError,
            Ok(error) => ErrorCode::InternalError(Some(error.to_string())),
            Err(error) => ErrorCode::InternalError(Some(error.to_string())),
        },
        SendError::DnsError { rcode } => ErrorCode::DnsError(DnsErrorPayload { rcode, info_code: None }),
        SendError::DestinationIpProhibited => ErrorCode::DestinationIpProhibited,
        SendError::DestinationIpUnroutable => ErrorCode::DestinationIpUnroutable,
        SendError::DestinationUnavailable => ErrorCode::DestinationUnavailable,
        SendError::ConnectionRefused => ErrorCode::ConnectionRefused,
        SendError::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        SendError::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        SendError::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        SendError::TlsCertificateError => ErrorCode::TlsCertificateError,
        SendError::TlsProtocolError => ErrorCode::TlsProtocolError,
        SendError::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        SendError::HttpResponseBodySize(limit) => ErrorCode::HttpResponseBodySize(limit),
        SendError::HttpProtocolError => ErrorCode::HttpProtocolError,
        SendError::InternalError(problem) => ErrorCode::InternalError(problem),
    }
}

/// Returns the error that ends a guest's reading of an answer's body.
fn to_wasi(error: SendError) -> WasiError {
    match error {
        SendError::ConnectionTerminated => WasiError::ConnectionTerminated,
        SendError::ConnectionReadTimeout => WasiError::ConnectionReadTimeout,
        SendError::HttpResponseTimeout => WasiError::HttpResponseTimeout,
        SendError::HttpResponseBodySize(limit) => WasiError::HttpResponseBodySize(limit),
        SendError::HttpProtocolError => WasiError::HttpProtocolError,
        SendError::InternalError(problem) => WasiError::InternalError(problem),
        // Of a request and of its way to the tenant, which are over when there is an answer to read.
        other => WasiError::InternalError(Some(format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_authenticate_whatever_its_host_has() {
        let filter = GuestHttp::sealed().forbidden_header_filter();
        assert!(filter(&header::AUTHORIZATION));
        assert!(filter(&header::HOST) && !filter(&header::CONTENT_TYPE));
    }
}
