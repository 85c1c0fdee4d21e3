//! One request on a connection, and what is written down of it.
//!
//! There is one way to put a guest's request on a connection, whoever waits for the answer, and one to write down where
//! it is ([`record_state`]), over HTTP and over SMTP: the record is `sent` from the moment that the server may see the
//! request, and is not where the connection gave the request back unwritten.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};

use crate::{
    call::RequestEntry,
    transport::{Timeouts, TransmitState, Transport, TransportError},
};

/// A request that is ready to be sent, with all that it needs to outlive its call.
pub(crate) struct Transmission {
    pub(crate) transport: Transport,
    pub(crate) request: Request<Full<Bytes>>,
    pub(crate) timeouts: Timeouts,
    pub(crate) entry: RequestEntry,
    /// Counts the requests of the tenant.
    pub(crate) requests: Arc<AtomicU64>,
}

impl Transmission {
    /// Sends, and waits for the head of the answer. `on_connection` is true as long as the server may have the request.
    pub(crate) async fn send(
        self,
        on_connection: &AtomicBool,
    ) -> Result<(Response<Incoming>, RequestEntry), TransportError> {
        let Self { transport, request, timeouts, entry, requests } = self;
        let bytes = request.body().size_hint().lower() as usize;
        let follow = |state| {
            record_state(state, bytes, &entry, &requests);
            on_connection.store(state == TransmitState::OnConnection, Ordering::Relaxed);
        };
        match transport.send(request, timeouts, follow).await {
            Ok(response) => {
                entry.answered(response.status());
                Ok((response, entry))
            }
            Err(error) => {
                entry.failed(error.code(), error.to_string());
                Err(error)
            }
        }
    }
}

/// Writes down where a request is now: in its own record, and in the tenant's count of requests. `bytes` is the size of
/// its body.
pub(crate) fn record_state(state: TransmitState, bytes: usize, entry: &RequestEntry, requests: &AtomicU64) {
    match state {
        TransmitState::OnConnection => {
            entry.sent(bytes);
            requests.fetch_add(1, Ordering::Relaxed);
        }
        TransmitState::HandedBack => {
            entry.handed_back();
            requests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
