//! Secrets in the tenant's answers, and how they leave them.
//!
//! [`rules`] says which members of an answer are secrets. An answer that may have one is gone through while it streams
//! ([`mask`]), and each secret is replaced by its handle before the guest gets it ([`answer`]). One that the tenant has
//! made just now goes into the tenant's sink; one that it merely shows (it can be shown again) is left out and goes
//! nowhere. What that costs is the call's ([`charge`]).
//!
//! A request that makes a secret runs in a task of its own from the moment that it is on a connection: the call may be
//! dropped, stopped or out of time before the answer is there, and the secret is in force all the same. Where the
//! answer cannot be read, the call's error says that a secret is in force that nobody has. What was read of such an
//! answer is not kept: the next attempt would put it into the sink as the secret, and another rotation mends more than
//! that.

mod answer;
mod charge;
mod lexer;
mod mask;
mod pattern;
mod rules;
mod search;
mod wiped;
mod written;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Response;
use tokio::sync::oneshot;

use self::answer::{Withheld, broken, set_length, whole_body};
pub(crate) use self::pattern::Pattern;
pub use self::pattern::Progress;
pub(super) use self::{
    answer::Guard,
    charge::Charges,
    rules::{Expected, brought_in, members_below, named},
    search::across,
    written::writes_handle,
};
use super::{Answer, Outgoing, SendError, body::AnswerBody, transmission::Transmission};
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

/// A request that makes a secret, with all that it needs to outlive its call.
struct Sending {
    transmission: Transmission,
    response_limit: u64,
    subject: String,
    answer: Guard,
    deliveries: Arc<Deliveries>,
    made: Arc<MadeSecrets>,
    guard: DeliveryGuard,
}

impl Sending {
    /// Sends, reads and delivers. Stops where the caller goes before the request is on a connection.
    async fn run(self, gone: oneshot::Receiver<Infallible>) -> Answer {
        let Self { transmission, subject, mut answer, deliveries, made, guard, .. } = self;
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
                made.missed(&subject);
            }
            error.to_send_error()
        })?;
        let (mut head, body) = response.into_parts();
        let mut body = AnswerBody::new(body, entry, None, self.response_limit.max(LEAST_ROOM));
        // One time for head and body: an answer that drips must not hold the lock.
        let left = timeouts.answer.saturating_sub(begun.elapsed());
        if !head.status.is_success() {
            let until = tokio::time::Instant::now() + left;
            return answer.hand_on(Response::from_parts(head, body), until).await;
        }
        let read = tokio::time::timeout(left, answer.take(&head.headers, &mut body)).await;
        let read = read.unwrap_or_else(|_| {
            body.failed("stalled", "the answer broke off: it took too long");
            Err(SendError::ConnectionReadTimeout)
        });
        let taken = match read {
            Ok(Ok(taken)) => taken,
            Ok(Err(why)) => {
                made.missed(&subject);
                return Ok(answer.withhold(head, &body, why));
            }
            Err(error) => {
                made.missed(&subject);
                return Ok(broken(head, error));
            }
        };
        let limit = self.response_limit;
        let length: usize = taken.clean.iter().map(Bytes::len).sum();
        let answer = if length as u64 > limit {
            body.failed("too-long", &format!("the answer has more than {limit} bytes"));
            broken(head, SendError::HttpResponseBodySize(Some(limit)))
        } else if answer.is_echo(&head.headers, &taken.clean) {
            answer.withhold(head, &body, Withheld::Echo)
        } else {
            set_length(&mut head, &taken.clean);
            Response::from_parts(head, whole_body(taken.clean))
        };
        // The request ends here; what the sink takes is not its time.
        drop(body);
        // Said beforehand: the call may end while the sink is at it.
        taken.made.iter().for_each(|(name, _)| made.under_way(name));
        for (name, secret) in taken.made {
            match deliveries.deliver(name.clone(), secret, &guard).await {
                Ok(()) => made.delivered(&name),
                Err(source) => made.refused(&name, source),
            }
        }
        Ok(answer)
    }
}

impl Outgoing<'_> {
    /// Sends a request that makes a secret, and answers when the sink has the secret or has refused it.
    pub(super) async fn send_and_deliver(
        &self,
        mut transmission: Transmission,
        subject: String,
        answer: Guard,
        guard: DeliveryGuard,
    ) -> Answer {
        let made = &self.call.made;
        let answer_timeout = transmission.timeouts.answer;
        transmission.timeouts.answer = answer_timeout.max(LATE_ANSWER);
        let sending = Sending {
            transmission,
            response_limit: self.egress.limits.response_body_bytes,
            subject: subject.clone(),
            answer,
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

/// Masks a body that comes in pieces of a size.
#[cfg(feature = "test-support")]
pub(crate) fn mask_in_pieces(
    method: &http::Method,
    path: &str,
    body: &[u8],
    size: usize,
    deliveries: Arc<Deliveries>,
    time: Duration,
) -> Option<Vec<u8>> {
    let charge = charge::Charge::new(Arc::default(), time);
    let mut mask = mask::Mask::new(Expected::of(method, path)?, deliveries, charge);
    let mut clean = Vec::new();
    for piece in body.chunks(size.max(1)) {
        mask.push(&Bytes::copy_from_slice(piece)).ok()?;
        clean.extend(mask.ready().concat());
    }
    mask.finish().ok()?;
    clean.extend(mask.ready().concat());
    Some(clean)
}

#[cfg(test)]
mod tests;
