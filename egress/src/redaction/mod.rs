//! Secrets in the tenant's answers, and how they leave them.
//!
//! [`rules`] says which answers hold one. Such an answer is read as a whole and each secret replaced by its handle, before
//! the guest gets any of it ([`answer`]). One that the tenant has made just now goes into the tenant's sink; one that
//! it merely shows (it can be shown again) is left out and goes nowhere.
//!
//! A request that makes a secret runs in a task of its own from the moment that it is on a connection: the call may be
//! dropped, stopped or out of time before the answer is there, and the secret is in force all the same. Where the
//! answer cannot be read, the call's error says that a secret is in force that nobody has. What was read of such an
//! answer is not kept: the next attempt would put it into the sink as the secret, and another rotation mends more than
//! that.

mod answer;
mod document;
mod pattern;
mod rules;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Response, header, response::Parts};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;

pub(crate) use self::pattern::Pattern;
pub use self::pattern::Progress;
pub(super) use self::{
    answer::writes_handle,
    rules::{Expected, brought_in, members_below, named},
};
use super::{
    Answer, HttpBody, Outgoing, SendError,
    body::{AnswerBody, read_wiped},
    synthetic,
    transmission::Transmission,
};
use crate::secrets::{
    deliveries::{Deliveries, DeliveryGuard},
    made::MadeSecrets,
};

/// An answer that comes later than its call has time still brings the secret into the sink. The slowest recorded
/// answers took 6 s (facts, section 9); gateways give up after 60 s.
const LATE_ANSWER: Duration = Duration::from_secs(60);
/// What is read of an answer that holds a new secret even where the guest may have less. An application is some KB;
/// this leaves room for one with thousands of addresses.
const LEAST_ROOM: u64 = 2 * 1024 * 1024;

/// Hides the secrets that an answer shows.
pub(super) async fn hide(
    response: Response<AnswerBody>,
    expected: &Expected,
    deliveries: &Deliveries,
) -> Answer {
    let (head, mut body) = response.into_parts();
    if !head.status.is_success() {
        return Ok(Response::from_parts(head, body.boxed_unsync()));
    }
    Ok(match read_wiped(&mut body, |_| Ok(())).await {
        // Not packed, it says all that it has.
        Ok(mut answer) if unpacked(&head.headers) && expected.cannot_be_in(&answer) => {
            synthetic(with_length(Response::from_parts(head, Bytes::from(std::mem::take(&mut *answer)))))
        }
        Ok(answer) => {
            let clean = expected.hide(&answer, deliveries).unwrap_or_else(|| unreadable(&answer, &body));
            synthetic(with_length(Response::from_parts(head, clean)))
        }
        Err(error) => broken(head, error),
    })
}

fn unpacked(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Stands in for an answer that may hold a secret and is not what the tenant answers. The guest takes it for what it
/// is: no JSON.
fn unreadable(answer: &[u8], body: &AnswerBody) -> Bytes {
    const WITHHELD: &str =
        "the answer was withheld: it may contain a secret, and it is not the JSON that was expected";
    if answer.is_empty() {
        return Bytes::new();
    }
    body.failed("withheld", WITHHELD);
    Bytes::from_static(WITHHELD.as_bytes())
}

/// Hands on that a body broke off, where the guest would have met it: after the head.
fn broken(head: Parts, error: SendError) -> Response<HttpBody> {
    struct Broken(Option<SendError>);
    impl Body for Broken {
        type Data = Bytes;
        type Error = SendError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
            Poll::Ready(self.0.take().map(Err))
        }
    }
    Response::from_parts(head, Broken(Some(error)).boxed_unsync())
}

fn with_length(mut response: Response<Bytes>) -> Response<Bytes> {
    let length = response.body().len();
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// A request that makes a secret, with all that it needs to outlive its call.
struct Sending {
    transmission: Transmission,
    response_limit: u64,
    expected: Expected,
    deliveries: Arc<Deliveries>,
    made: Arc<MadeSecrets>,
    guard: DeliveryGuard,
}

impl Sending {
    /// Sends, reads and delivers. Stops where the caller goes before the request is on a connection.
    async fn run(self, gone: oneshot::Receiver<Infallible>) -> Answer {
        let Self { transmission, expected, deliveries, made, guard, .. } = self;
        let (begun, timeouts) = (Instant::now(), transmission.timeouts);
        let on_connection = AtomicBool::new(false);
        let sent = {
            let mut sending = std::pin::pin!(transmission.send(&on_connection));
            tokio::select! {
                biased;
                sent = &mut sending => sent,
                _ = gone => {
                    if !on_connection.load(Ordering::Relaxed) {
                        return Err(SendError::ConnectionTimeout);
                    }
                    sending.await
                }
            }
        };
        let (response, entry) = sent.map_err(|error| {
            if error.may_have_been_sent() {
                made.missed(&expected.subject());
            }
            error.to_send_error()
        })?;
        let (head, body) = response.into_parts();
        let mut body = AnswerBody::new(body, entry, None, self.response_limit.max(LEAST_ROOM));
        // One time for head and body: an answer that drips must not hold the lock.
        let left = timeouts.answer.saturating_sub(begun.elapsed());
        let read = tokio::time::timeout(left, read_wiped(&mut body, |_| Ok(()))).await;
        let read = read.unwrap_or_else(|_| {
            body.failed("stalled", "the answer broke off: it took too long");
            Err(SendError::ConnectionReadTimeout)
        });
        let success = head.status.is_success();
        let (clean, secrets) = match read {
            Err(error) => {
                if success {
                    made.missed(&expected.subject());
                }
                return Ok(broken(head, error));
            }
            Ok(answer) if !success => (Bytes::copy_from_slice(&answer), Vec::new()),
            Ok(answer) => match expected.take(&answer, &deliveries) {
                Some(taken) => (taken.clean, taken.made),
                None => {
                    made.missed(&expected.subject());
                    (unreadable(&answer, &body), Vec::new())
                }
            },
        };
        let limit = self.response_limit;
        let too_long = clean.len() as u64 > limit;
        if too_long {
            body.failed("too-long", &format!("the answer has more than {limit} bytes"));
        }
        // The request ends here; what the sink takes is not its time.
        drop(body);
        // Said beforehand: the call may end while the sink is at it.
        secrets.iter().for_each(|(name, _)| made.under_way(name));
        for (name, secret) in secrets {
            match deliveries.deliver(name.clone(), secret, &guard).await {
                Ok(()) => made.delivered(&name),
                Err(source) => made.refused(&name, source),
            }
        }
        Ok(if too_long {
            broken(head, SendError::HttpResponseBodySize(Some(limit)))
        } else {
            synthetic(with_length(Response::from_parts(head, clean)))
        })
    }
}

impl Outgoing<'_> {
    /// Sends a request that makes a secret, and answers when the sink has the secret or has refused it.
    pub(super) async fn send_and_deliver(
        &self,
        mut transmission: Transmission,
        expected: Expected,
        guard: DeliveryGuard,
    ) -> Answer {
        let made = &self.call.made;
        let subject = expected.subject();
        let answer_timeout = transmission.timeouts.answer;
        transmission.timeouts.answer = answer_timeout.max(LATE_ANSWER);
        let sending = Sending {
            transmission,
            response_limit: self.egress.limits.response_body_bytes,
            expected,
            deliveries: Arc::clone(&self.egress.deliveries),
            made: Arc::clone(made),
            guard,
        };
        // Dropped with this future: the task learns that nobody waits for it.
        let (here, gone) = oneshot::channel();
        let task = tokio::spawn(sending.run(gone));
        let ended = tokio::time::timeout(answer_timeout, task).await;
        drop(here);
        match ended {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                made.panicked(&subject);
                Err(SendError::ConnectionTerminated)
            }
            Err(_) => Err(SendError::HttpResponseTimeout),
        }
    }
}

#[cfg(test)]
mod tests;
