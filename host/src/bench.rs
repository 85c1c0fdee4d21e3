//! What the benchmark compares with: the host's own transport and token, and no sandbox.
//!
//! Not part of the interface that a version promises. It lives here because the comparison has to use the very
//! transport that calls use; a client that is rebuilt elsewhere would measure the difference between two clients.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};

use crate::{Host, egress::Egress, error::Error, tenant::Tenant};

/// A client with a tenant's sockets and token. What it sends passes no policy, pace or limit.
#[derive(Clone, Debug)]
pub struct NativeClient(Arc<Egress>);

impl NativeClient {
    /// Uses the sockets and the token of this tenant.
    pub fn new(tenant: &Tenant) -> Self {
        Self(Arc::clone(tenant.egress()))
    }

    /// Sends a request and reads the answer's body.
    ///
    /// # Errors
    ///
    /// Why there is no answer, in words.
    pub async fn send(&self, method: Method, uri: Uri, body: Bytes) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        let json = header::HeaderValue::from_static("application/json");
        if request.method() == Method::POST {
            request.headers_mut().insert(header::CONTENT_TYPE, json.clone());
        }
        request.headers_mut().insert(header::ACCEPT, json);
        let response = self.0.send_native(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

/// Makes an instance as a call does, and throws it away.
///
/// # Errors
///
/// [`Error::Instantiation`] and [`Error::Busy`].
pub async fn instantiate(host: &Host) -> Result<(), Error> {
    host.runtime().instantiate().await
}
