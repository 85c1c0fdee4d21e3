//! The guest's HTTP: what wasmtime asks of the host, and what of it is the egress's.
//!
//! wasmtime's types end here. The egress gets a request, its options and the call it belongs to, and answers in the terms
//! of `http` and of its own errors.

use std::{sync::Arc, time::Instant};

use http::{HeaderName, Request, Response, header};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as WasiError, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use crate::{
    call::{CallContext, CallOptions},
    egress::{self, Egress, SendError},
};

/// The hooks that wasmtime calls for a guest's HTTP.
pub(crate) struct GuestHttp {
    egress: Option<Arc<Egress>>,
    call: Arc<CallContext>,
    options_left: u64,
}

impl GuestHttp {
    /// Gives a call its way out.
    pub(crate) fn new(egress: Arc<Egress>, call: Arc<CallContext>) -> Self {
        Self { egress: Some(egress), call, options_left: 0 }
    }

    /// Gives no way out.
    pub(crate) fn sealed() -> Self {
        let call = CallContext::new(Instant::now(), CallOptions::default());
        Self { egress: None, call: Arc::new(call), options_left: 0 }
    }

    /// Counts the options that came with the guest's requests, those past the limit of a call not included.
    pub(crate) fn options_left(&self) -> usize {
        let most = self.egress.as_ref().map_or(0, |egress| egress.most_requests());
        usize::try_from(self.options_left.min(most)).unwrap_or(usize::MAX)
    }
}

type Driver = Box<dyn Future<Output = Result<(), WasiError>> + Send>;
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Driver), WasiError>> + Send>;

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

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Sending {
        self.options_left = self.options_left.saturating_add(u64::from(options.is_some()));
        let egress = self.egress.clone();
        let call = Arc::clone(&self.call);
        let permit = call.in_flight_permit();
        Box::new(async move {
            let Some(egress) = egress else { return Err(WasiError::HttpRequestDenied) };
            let request =
                request.map(|body| body.map_err(|error| SendError::RequestBody(error.into())).boxed_unsync());
            let options = options.map(request_options).unwrap_or_default();
            let response = egress.send(request, options, &call, permit).await.map_err(to_wasi)?;
            let response = response.map(|body| body.map_err(to_wasi).boxed_unsync());
            // The pool drives the sockets.
            let driver: Driver = Box::new(async { Ok(()) });
            Ok((response, driver))
        })
    }
}

fn request_options(options: RequestOptions) -> egress::RequestOptions {
    let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } = options;
    egress::RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout }
}

/// Returns the error code that the guest knows.
fn to_wasi(error: SendError) -> WasiError {
    match error {
        SendError::HttpRequestDenied => WasiError::HttpRequestDenied,
        SendError::HttpRequestUriInvalid => WasiError::HttpRequestUriInvalid,
        SendError::HttpRequestBodySize(limit) => WasiError::HttpRequestBodySize(limit),
        SendError::RequestBody(error) => match error.downcast::<WasiError>() {
            Ok(error) => *error,
            Err(error) => WasiError::InternalError(Some(error.to_string())),
        },
        SendError::DnsError { rcode } => WasiError::DnsError { rcode, info_code: None },
        SendError::DestinationIpProhibited => WasiError::DestinationIpProhibited,
        SendError::DestinationIpUnroutable => WasiError::DestinationIpUnroutable,
        SendError::DestinationUnavailable => WasiError::DestinationUnavailable,
        SendError::ConnectionRefused => WasiError::ConnectionRefused,
        SendError::ConnectionTimeout => WasiError::ConnectionTimeout,
        SendError::ConnectionTerminated => WasiError::ConnectionTerminated,
        SendError::ConnectionReadTimeout => WasiError::ConnectionReadTimeout,
        SendError::TlsCertificateError => WasiError::TlsCertificateError,
        SendError::TlsProtocolError => WasiError::TlsProtocolError,
        SendError::HttpResponseTimeout => WasiError::HttpResponseTimeout,
        SendError::HttpResponseBodySize(limit) => WasiError::HttpResponseBodySize(limit),
        SendError::HttpProtocolError => WasiError::HttpProtocolError,
        SendError::InternalError(problem) => WasiError::InternalError(problem),
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
