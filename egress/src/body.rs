//! Bodies on their way through.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::{sync::OwnedSemaphorePermit, time::Sleep};
use zeroize::Zeroizing;

use super::{SendError, transport::body_error};
use crate::call::RequestEntry;

/// A request's body from the guest, or an answer's to it.
pub type HttpBody = UnsyncBoxBody<Bytes, SendError>;

/// When a request's body is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// With so many bytes, which the guest announced: it may write no more.
    At(u64),
    /// At once where nothing is written: a `GET` or `HEAD`, of which a body means nothing (RFC 9110, section 9.3.1).
    AtOnce,
    /// When the guest finishes it.
    AtEnd,
}

impl Whole {
    /// Returns what holds for a request.
    pub(crate) fn of(head: &Parts) -> Self {
        let announced = head.headers.get(header::CONTENT_LENGTH);
        // Digits alone: `parse` takes a sign too.
        let number = |length: &HeaderValue| {
            length
                .to_str()
                .ok()
                .filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))?
                .parse()
                .ok()
        };
        match announced.map(number) {
            Some(Some(length)) => Self::At(length),
            None if matches!(head.method, Method::GET | Method::HEAD)
                && !head.headers.contains_key(header::TRANSFER_ENCODING) =>
            {
                Self::AtOnce
            }
            _ => Self::AtEnd,
        }
    }
}

/// Reads a request's body from the guest, as a whole, so that the request can be repeated with a new token. A body that
/// the guest leaves unfinished is an error: the request must not be sent.
pub(crate) async fn collect(mut body: HttpBody, limit: usize, whole: Whole) -> Result<Bytes, SendError> {
    let mut read = Vec::new();
    let mut length = 0;
    while whole != Whole::At(length as u64) {
        let frame = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
            Poll::Pending if whole == Whole::AtOnce && length == 0 => Poll::Ready(None),
            frame => frame,
        });
        let Some(frame) = frame.await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(SendError::HttpRequestBodySize(Some(limit as u64)));
        }
        read.push(data);
    }
    Ok(match read.as_slice() {
        [only] => only.clone(),
        many => many.concat().into(),
    })
}

/// Reads an answer with a secret in it, into memory that is wiped. `fits` is asked with each length that it gets to.
pub(crate) async fn read_wiped<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    fits: impl Fn(usize) -> Result<(), B::Error>,
) -> Result<Zeroizing<Vec<u8>>, B::Error> {
    /// Room for what the tenant usually answers: an application, or a token, which is some 12 KB with all scopes.
    const USUAL_BYTES: usize = 16 * 1024;
    /// A page of users is some 100 KB; room for more is made when it comes.
    const MOST_BYTES_AT_ONCE: u64 = 1024 * 1024;
    let announced = body.size_hint().lower().min(MOST_BYTES_AT_ONCE) as usize;
    let mut answer = Zeroizing::new(Vec::with_capacity(announced.max(USUAL_BYTES)));
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        let length = answer.len() + data.len();
        fits(length)?;
        if length > answer.capacity() {
            // By hand, since a vector that grows by itself leaves its old copy behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(&answer);
            answer = larger;
        }
        answer.extend_from_slice(&data);
    }
    Ok(answer)
}

/// An answer's body that keeps the request's permit until it is read to its end or dropped. What
/// nobody reads waits in the host's memory, so it counts as long as it is there.
pub(crate) struct InFlightBody {
    inner: HttpBody,
    permit: Option<OwnedSemaphorePermit>,
}

impl InFlightBody {
    pub(crate) fn new(inner: HttpBody, permit: Option<OwnedSemaphorePermit>) -> Self {
        let permit = permit.filter(|_| !inner.is_end_stream());
        Self { inner, permit }
    }
}

impl Body for InFlightBody {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.inner.is_end_stream() {
            self.permit = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body: counted, given up when it stalls, and when it is too long.
pub(crate) struct AnswerBody {
    inner: Incoming,
    entry: RequestEntry,
    between_bytes: Option<Duration>,
    stall: Option<Pin<Box<Sleep>>>,
    /// Bytes that may still come.
    left: u64,
    limit: u64,
}

impl AnswerBody {
    pub(crate) fn new(
        inner: Incoming,
        entry: RequestEntry,
        between_bytes: Option<Duration>,
        limit: u64,
    ) -> Self {
        Self { inner, entry, between_bytes, stall: None, left: limit, limit }
    }
}

impl AnswerBody {
    /// Writes down that the answer is not handed on.
    pub(crate) fn failed(&self, code: &'static str, reason: &str) {
        self.entry.failed(code, reason);
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.stall = None;
                Poll::Ready(frame.map(|frame| match frame {
                    Ok(frame) => {
                        let bytes = frame.data_ref().map_or(0, Bytes::len);
                        this.entry.received(bytes);
                        match this.left.checked_sub(bytes as u64) {
                            Some(left) => {
                                this.left = left;
                                Ok(frame)
                            }
                            None => {
                                this.entry.failed(
                                    "too-long",
                                    format!("the answer has more than {} bytes", this.limit),
                                );
                                Err(SendError::HttpResponseBodySize(Some(this.limit)))
                            }
                        }
                    }
                    Err(error) => {
                        let error = body_error(&error);
                        this.entry.failed(error.code(), format!("the answer broke off: {error}"));
                        Err(error.to_send_error())
                    }
                }))
            }
            Poll::Pending => {
                let Some(limit) = this.between_bytes else { return Poll::Pending };
                let stall = this.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                if stall.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.entry.failed("stalled", "the answer broke off: nothing came for too long");
                Poll::Ready(Some(Err(SendError::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// A body that is never finished, of these pieces.
    struct Unfinished(std::slice::Iter<'static, &'static str>);

    impl Body for Unfinished {
        type Data = Bytes;
        type Error = SendError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
            let piece = self.0.next().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
            piece.map_or(Poll::Pending, |frame| Poll::Ready(Some(frame)))
        }
    }

    fn unfinished(pieces: &'static [&'static str]) -> HttpBody {
        Unfinished(pieces.iter()).boxed_unsync()
    }

    fn whole(method: &str, headers: &[(&str, &str)]) -> Whole {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Whole::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_body_is_whole_when_the_request_says_so() {
        let chunked = ("transfer-encoding", "chunked");
        for (method, headers, expected) in [
            ("POST", &[("content-length", "3")][..], Whole::At(3)),
            ("GET", &[("content-length", "3")], Whole::At(3)),
            ("GET", &[], Whole::AtOnce),
            ("HEAD", &[], Whole::AtOnce),
            ("GET", &[chunked], Whole::AtEnd),
            ("POST", &[], Whole::AtEnd),
            ("DELETE", &[], Whole::AtEnd),
            ("POST", &[("content-length", "+3")], Whole::AtEnd),
        ] {
            assert_eq!(whole(method, headers), expected, "{method} {headers:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_all_there_need_not_be_finished() {
        let read = |pieces, whole| collect(unfinished(pieces), 10, whole);
        assert_eq!(read(&["a", "bc"], Whole::At(3)).await.unwrap(), "abc");
        assert_eq!(read(&[], Whole::At(0)).await.unwrap(), "");
        assert_eq!(read(&[], Whole::AtOnce).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_that_may_go_on_is_waited_for_and_one_that_is_too_long_is_refused() {
        for (pieces, whole) in
            [(&["a"][..], Whole::At(2)), (&["a"], Whole::AtEnd), (&["a"], Whole::AtOnce), (&[], Whole::AtEnd)]
        {
            let mut reading = std::pin::pin!(collect(unfinished(pieces), 10, whole));
            let mut context = Context::from_waker(std::task::Waker::noop());
            assert!(reading.as_mut().poll(&mut context).is_pending(), "{pieces:?} {whole:?}");
        }
        for whole in [Whole::At(12), Whole::AtEnd] {
            let refused = collect(unfinished(&["123456", "789012"]), 10, whole).await;
            assert!(matches!(refused, Err(SendError::HttpRequestBodySize(Some(10)))), "{refused:?}");
        }
    }
}
