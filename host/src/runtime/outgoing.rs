//! A guest's requests, as part of the guest's own task.
//!
//! wasmtime-wasi-http 48 gives each request two tasks, one that waits for the answer and one for the socket: two more
//! wakes, often on another thread, before the guest hears of it. Here the connection wakes the guest itself.
//!
//! A request that is not on a connection has a task all the same: it may be first in a queue that other calls stand in –
//! for the tenant's rate limit, for a connection that is being opened –, and a guest that turns to something else must not
//! hold them up.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::{Request, Response, Uri, header, uri};
use tokio::task::unconstrained;
use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::{
    async_trait,
    p2::{DynPollable, Pollable, subscribe},
    runtime::{AbortOnDropJoinHandle, spawn},
};
use wasmtime_wasi_http::{
    FieldMap, RequestOptions, WasiBody,
    p2::{
        bindings::http::types::{ErrorCode, Scheme},
        body::{HostIncomingBody, HyperOutgoingBody},
        http_request_error,
        types::{HostIncomingResponse, HostOutgoingRequest},
    },
};

use super::{Guest, TYPES};
use crate::call::CallContext;

/// What became of a request.
pub(super) type Answer = Result<Response<WasiBody>, ErrorCode>;
/// A request under way.
pub(super) type Sending = Pin<Box<dyn Future<Output = Answer> + Send>>;

const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// What stands behind a guest's `future-incoming-response`.
enum FutureResponse {
    /// Goes on whenever the guest waits for it.
    Here(Sending, Arc<CallContext>),
    /// Goes on by itself.
    Spawned(AbortOnDropJoinHandle<Answer>),
    Ready(Answer),
    Consumed,
}

impl FutureResponse {
    /// Begins at once: a guest need not wait for a request to have it sent.
    fn begin(mut sending: Sending, call: Option<Arc<CallContext>>) -> Self {
        // Without a budget, which the guest's task may have used up.
        let first = Pin::new(&mut unconstrained(&mut sending)).poll(&mut Context::from_waker(Waker::noop()));
        match (first, call) {
            (Poll::Ready(answer), _) => Self::Ready(answer),
            (Poll::Pending, Some(call)) if call.log().all_on_connections() => Self::Here(sending, call),
            (Poll::Pending, _) => Self::Spawned(spawn(sending)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let answer = match self {
            Self::Here(sending, call) => match sending.as_mut().poll(cx) {
                Poll::Ready(answer) => answer,
                Poll::Pending if call.log().all_on_connections() => return Poll::Pending,
                // It waits for something again, such as another token.
                Poll::Pending => {
                    if let Self::Here(sending, _) = std::mem::replace(self, Self::Consumed) {
                        *self = Self::Spawned(spawn(sending));
                    }
                    return self.poll(cx);
                }
            },
            Self::Spawned(task) => match Pin::new(task).poll(cx) {
                Poll::Ready(answer) => answer,
                Poll::Pending => return Poll::Pending,
            },
            Self::Ready(_) | Self::Consumed => return Poll::Ready(()),
        };
        *self = Self::Ready(answer);
        Poll::Ready(())
    }
}

#[async_trait]
impl Pollable for FutureResponse {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Offers `outgoing-handler`, and `future-incoming-response` in the place of wasmtime-wasi-http's.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type Store<'a> = StoreContextMut<'a, Guest>;

    linker.instance(HANDLER)?.func_wrap("handle", |mut store: Store<'_>, (request, options)| {
        handle(store.data_mut(), &request, options).map(|result| (result,))
    })?;
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    let future = ResourceType::host::<FutureResponse>();
    types.resource("future-incoming-response", future, |mut store, number| {
        store.data_mut().table.delete(Resource::<FutureResponse>::new_own(number))?;
        Ok(())
    })?;
    types.func_wrap("[method]future-incoming-response.subscribe", |mut store: Store<'_>, (future,)| {
        let pollable: Resource<DynPollable> =
            subscribe::<FutureResponse>(&mut store.data_mut().table, future)?;
        Ok((pollable,))
    })?;
    types.func_wrap("[method]future-incoming-response.get", |mut store: Store<'_>, (future,)| {
        get(store.data_mut(), &future).map(|result| (result,))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn handle(
    guest: &mut Guest,
    request: &Resource<HostOutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> wasmtime::Result<Result<Resource<FutureResponse>, ErrorCode>> {
    let options = options.map(|options| guest.table.delete(options)).transpose()?;
    let request = guest.table.delete(Resource::<HostOutgoingRequest>::new_own(request.rep()))?;
    let request = match convert(request) {
        Ok(request) => request,
        Err(code) => return Ok(Err(code)),
    };
    let (sending, call) = guest.http.send(request, options);
    Ok(Ok(guest.table.push(FutureResponse::begin(sending, call))?))
}

/// Makes a request of what the guest put together; in WASI's words where it is none.
fn convert(request: HostOutgoingRequest) -> Result<Request<Option<HyperOutgoingBody>>, ErrorCode> {
    let HostOutgoingRequest { method, scheme, authority, path_with_query, headers, body } = request;
    let headers = http::HeaderMap::from(headers);
    // With a body, wasmtime-wasi-http holds what is written to it against the length.
    if body.is_none() && headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return Err(ErrorCode::HttpRequestBodySize(Some(0)));
    }
    let scheme = match scheme {
        Some(Scheme::Https) | None => uri::Scheme::HTTPS,
        Some(Scheme::Http) => uri::Scheme::HTTP,
        Some(Scheme::Other(_)) => return Err(ErrorCode::HttpProtocolError),
    };
    let mut address = Uri::builder().scheme(scheme).authority(authority.unwrap_or_default());
    if let Some(path) = path_with_query {
        address = address.path_and_query(path);
    }
    let mut request = Request::new(body);
    *request.method_mut() = method.try_into().map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    *request.uri_mut() = address.build().map_err(http_request_error)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// What `get` answers: nothing yet, the answer, or that it was taken before.
type Got = Option<Result<Result<Resource<HostIncomingResponse>, ErrorCode>, ()>>;

fn get(guest: &mut Guest, future: &Resource<FutureResponse>) -> wasmtime::Result<Got> {
    let state = guest.table.get_mut(future)?;
    let answer = match std::mem::replace(state, FutureResponse::Consumed) {
        FutureResponse::Ready(answer) => answer,
        FutureResponse::Consumed => return Ok(Some(Err(()))),
        pending => {
            *state = pending;
            return Ok(None);
        }
    };
    let (head, body) = match answer {
        Ok(response) => response.into_parts(),
        Err(code) => return Ok(Some(Ok(Err(code)))),
    };
    let response = HostIncomingResponse {
        status: head.status.as_u16(),
        headers: FieldMap::new_immutable(&mut guest.http, head.headers),
        body: Some(HostIncomingBody::new(body)),
    };
    Ok(Some(Ok(Ok(guest.table.push(response)?))))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use http::Method;
    use tokio::sync::oneshot;

    use super::*;
    use crate::call::{CallContext, CallOptions};

    fn call() -> Arc<CallContext> {
        Arc::new(CallContext::new(Instant::now() + Duration::from_secs(60), CallOptions::default()))
    }

    /// A request that goes on when it is told to; the last says that it did.
    fn sending() -> (Sending, oneshot::Sender<()>, oneshot::Receiver<()>) {
        let ((go, wait), (done, gone_on)) = (oneshot::channel(), oneshot::channel());
        let sending = async move {
            wait.await.unwrap();
            done.send(()).unwrap();
            Err(ErrorCode::ConnectionTerminated)
        };
        (Box::pin(sending), go, gone_on)
    }

    fn poll(future: &mut FutureResponse) -> Poll<()> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Guards other calls against a guest that asks for something and turns to something else.
    #[tokio::test]
    async fn a_request_that_others_may_wait_behind_goes_on_without_its_guest() {
        let call = call();
        let _waits = call.log().open(&Method::GET, &"https://a.example/x".parse().unwrap());
        let (sending, go, gone_on) = sending();
        let future = FutureResponse::begin(sending, Some(call));
        assert!(matches!(future, FutureResponse::Spawned(_)));
        go.send(()).unwrap();
        gone_on.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_on_a_connection_is_its_guest_s_until_it_waits_again() {
        let call = call();
        let open = || call.log().open(&Method::GET, &"https://a.example/x".parse().unwrap());
        let sent = open();
        sent.sent(0);
        let (sending, go, gone_on) = sending();
        let mut future = FutureResponse::begin(sending, Some(Arc::clone(&call)));
        assert!(matches!(future, FutureResponse::Here(..)));
        assert!(poll(&mut future).is_pending() && matches!(future, FutureResponse::Here(..)));
        // As when the tenant refused the token.
        let _again = open();
        assert!(poll(&mut future).is_pending() && matches!(future, FutureResponse::Spawned(_)));
        go.send(()).unwrap();
        gone_on.await.unwrap();
        future.ready().await;
        assert!(matches!(future, FutureResponse::Ready(Err(ErrorCode::ConnectionTerminated))));
    }

    #[tokio::test]
    async fn what_is_answered_at_once_has_no_task() {
        let denied = || Box::pin(std::future::ready(Err(ErrorCode::HttpRequestDenied)));
        let future = FutureResponse::begin(denied(), None);
        assert!(matches!(future, FutureResponse::Ready(Err(ErrorCode::HttpRequestDenied))));
    }
}
