//! A request of the process itself, for the benchmark: the same token and the same sockets as a guest's, and nothing
//! between.

use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;

use super::{CONNECT_TIMEOUT, Egress, Timeouts};

impl Egress {
    /// Sends with the tenant's token.
    pub async fn send_native(
        &self,
        mut request: Request<Full<bytes::Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        let tenant = format!("{}/", self.destinations.tenant());
        if !request.uri().to_string().starts_with(&tenant) {
            return Err(format!("not sent: {} is not at {tenant}", request.uri()));
        }
        if let Some(source) = self.keyring.tenant() {
            let token = source.token().await.map_err(|error| error.to_string())?;
            if let Some(value) = token.authorization() {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
        }
        let timeouts = Timeouts { connect: CONNECT_TIMEOUT, answer: self.deadline };
        self.transport.send(request, timeouts, |_| ()).await.map_err(|error| error.to_string())
    }
}
