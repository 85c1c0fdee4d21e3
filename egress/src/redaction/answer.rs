//! What a guest gets of an answer.
//!
//! Most answers come whole within [`WINDOW`] and have none of the names of secrets in them: they are handed on as they
//! came. One that may have a secret is masked ([`super::mask`]), as a whole where it is short, else while it streams
//! through. Last, whoever the answer is of, it is searched for what the host had added to the request
//! ([`crate::echo`]).

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Response, header, response::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use super::{
    charge::{Charge, Charged, Charges},
    mask::{Mask, Problem, Taken},
    rules::Expected,
    search::has_nothing,
};
use crate::{
    Answer, HttpBody, SendError,
    body::AnswerBody,
    echo::{Echo, EchoStream},
    secrets::deliveries::Deliveries,
};

/// What is held of an answer before it is handed on: a page of 100 users has some 150 KB. Longer ones stream, so that
/// answers which nobody reads take no more than this each.
const WINDOW: usize = 256 * 1024;
/// How much is gone through before others have their turn: less than a millisecond.
const PART: usize = 64 * 1024;
/// Pieces that are shorter are joined: each takes 32 bytes of its own, and a server chooses how many it sends.
const SHORT: usize = 1024;
/// The longest line of a stream of events that may have a secret in it; events have up to some 100 KB.
const MAX_LINE: usize = WINDOW;

/// Why an answer is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// It may have a secret, and is not what was expected.
    NotJson,
    /// It cannot be looked into.
    Packed,
    /// It has too many secrets.
    TooMany,
    /// Going through it takes too long.
    TooLong,
    /// It repeats a credential.
    Echo,
}

impl Withheld {
    /// Returns the reason as a sentence, which begins as all of them do.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NotJson => {
                "the answer was withheld: it may contain a secret, and it is not the JSON that was expected"
            }
            Self::Packed => {
                "the answer was withheld: it may contain a secret, and it is compressed, which was not asked for"
            }
            Self::TooMany => {
                "the answer was withheld: it contains more secrets than one answer or one call may have handles"
            }
            Self::TooLong => {
                "the answer was withheld: looking for secrets in it took the processor time of the call"
            }
            Self::Echo => {
                "the answer was withheld: it repeats a credential that the host had added to the request"
            }
        }
    }

    /// Returns the word for it in audit records and traces.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            _ => "withheld",
        }
    }
}

impl From<Problem> for Withheld {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::NotJson => Self::NotJson,
            Problem::Charged(Charged::Handles) => Self::TooMany,
            Problem::Charged(Charged::Time) => Self::TooLong,
        }
    }
}

/// What an answer is held to.
pub(crate) struct Guard {
    pub(crate) expected: Option<Expected>,
    pub(crate) echo: Option<Arc<Echo>>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) charges: Arc<Charges>,
    /// The processor time that a call's answers may take.
    pub(crate) cpu: Duration,
}

impl Guard {
    fn mask(&self, expected: Expected) -> Mask {
        let charge = Charge::new(Arc::clone(&self.charges), self.cpu);
        Mask::new(expected, Arc::clone(&self.deliveries), charge)
    }

    /// Hands an answer on, without the secrets that it shows. What has not come by then is told to the guest while it can
    /// still hear it, with the head that did come.
    pub(crate) async fn hand_on(mut self, response: Response<AnswerBody>, until: Instant) -> Answer {
        let (head, mut body) = response.into_parts();
        if self.echo.as_ref().is_some_and(|echo| echo.is_in_head(&head.headers)) {
            return Ok(self.withhold(head, &body, Withheld::Echo));
        }
        let success = head.status.is_success();
        let expected = self.expected.take();
        let expected = if success { expected } else { expected.map(Expected::of_refusal) };
        if expected.is_none() && self.echo.is_none() {
            return Ok(Response::from_parts(head, body.boxed_unsync()));
        }
        let packed = !unpacked(&head.headers);
        let documented = expected.as_ref().is_some_and(|expected| success && expected.documented());
        if is_events(&head.headers) && !documented && !packed {
            let lines = Lines { expected, line: Vec::new() };
            let work = if lines.expected.is_some() { Work::Lines(lines) } else { Work::Pass };
            return Ok(Response::from_parts(head, Stream::body(self, VecDeque::new(), body, work)));
        }
        let (mut pieces, mut joined, mut length) = (Vec::new(), Vec::new(), 0);
        while !body.is_end_stream() && length <= WINDOW {
            match tokio::time::timeout_at(until, body.frame()).await {
                Err(_) => {
                    body.failed("stalled", "the answer broke off: it took too long");
                    return Ok(broken(head, SendError::ConnectionReadTimeout));
                }
                Ok(None) => break,
                Ok(Some(Err(error))) => return Ok(broken(head, error)),
                // Trailers are handed on to nobody.
                Ok(Some(Ok(frame))) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    length += piece.len();
                    if piece.len() >= SHORT || pieces.is_empty() {
                        flush(&mut joined, &mut pieces);
                        pieces.extend(Some(piece).filter(|piece| !piece.is_empty()));
                    } else {
                        joined.extend_from_slice(&piece);
                    }
                }
            }
        }
        flush(&mut joined, &mut pieces);
        if packed && !pieces.is_empty() {
            return Ok(self.withhold(head, &body, Withheld::Packed));
        }
        let whole = length <= WINDOW;
        let may_have =
            |expected: &Expected| !whole || !has_nothing(&pieces, &expected.searches(), documented);
        let expected = expected.filter(|expected| !pieces.is_empty() && may_have(expected));
        if !whole {
            let mut head = head;
            let work = match expected {
                Some(expected) => {
                    head.headers.remove(header::CONTENT_LENGTH);
                    Work::Mask(Box::new(self.mask(expected)))
                }
                None => Work::Pass,
            };
            return Ok(Response::from_parts(head, Stream::body(self, pieces.into(), body, work)));
        }
        let masked = match expected {
            None => None,
            Some(expected) => match mask_whole(self.mask(expected), &pieces).await {
                Ok(clean) => Some(clean),
                // A gateway's page, say: what the tenant refuses with is JSON.
                Err(Problem::NotJson) if !success => None,
                Err(problem) => return Ok(self.withhold(head, &body, problem.into())),
            },
        };
        let (mut head, changed) = (head, masked.is_some());
        let clean = masked.unwrap_or(pieces);
        if self.echo.as_ref().is_some_and(|echo| echo.is_in_pieces(&clean)) {
            return Ok(self.withhold(head, &body, Withheld::Echo));
        }
        if changed {
            set_length(&mut head, &clean);
        }
        Ok(Response::from_parts(head, whole_body(clean)))
    }

    /// Stands in for an answer that is not handed on. The guest takes it for what it is: no JSON.
    pub(super) fn withhold(&self, mut head: Parts, body: &AnswerBody, why: Withheld) -> Response<HttpBody> {
        body.failed(why.code(), why.reason());
        self.charges.withhold(why.reason());
        // What the head says of the body is not true of this, and an echo may be anywhere in it.
        head.headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
        let text = vec![Bytes::from_static(why.reason().as_bytes())];
        set_length(&mut head, &text);
        Response::from_parts(head, whole_body(text))
    }

    /// Returns whether an answer repeats a credential.
    pub(super) fn is_echo(&self, headers: &HeaderMap, body: &[Bytes]) -> bool {
        self.echo.as_ref().is_some_and(|echo| echo.is_in_head(headers) || echo.is_in_pieces(body))
    }

    /// Takes the new secrets out of an answer, as it comes.
    pub(super) async fn take(
        &mut self,
        headers: &HeaderMap,
        body: &mut AnswerBody,
    ) -> Result<Result<Taken, Withheld>, SendError> {
        if !unpacked(headers) {
            return Ok(Err(Withheld::Packed));
        }
        let Some(expected) = self.expected.take() else { return Ok(Err(Withheld::NotJson)) };
        let mut mask = self.mask(expected).taking();
        while !body.is_end_stream() {
            let Some(frame) = body.frame().await else { break };
            let Ok(piece) = frame?.into_data() else { continue };
            if let Err(problem) = push_all(&mut mask, piece).await {
                return Ok(Err(problem.into()));
            }
        }
        if let Err(problem) = mask.finish() {
            return Ok(Err(problem.into()));
        }
        Ok(mask.taken().ok_or(Withheld::NotJson))
    }
}

/// Goes through a piece in parts, and lets others have their turn in between.
async fn push_all(mask: &mut Mask, mut piece: Bytes) -> Result<(), Problem> {
    while piece.len() > PART {
        mask.push(&piece.split_to(PART))?;
        tokio::task::yield_now().await;
    }
    mask.push(&piece)
}

async fn mask_whole(mut mask: Mask, pieces: &[Bytes]) -> Result<Vec<Bytes>, Problem> {
    let mut clean = Vec::new();
    for piece in pieces {
        push_all(&mut mask, piece.clone()).await?;
        clean.extend(mask.ready());
    }
    mask.finish()?;
    clean.extend(mask.ready());
    Ok(clean)
}

fn flush(joined: &mut Vec<u8>, pieces: &mut Vec<Bytes>) {
    if !joined.is_empty() {
        pieces.push(Bytes::from(std::mem::take(joined)));
    }
}

fn unpacked(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONTENT_ENCODING);
    values.iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Returns whether an answer has no end: events, one behind the other.
fn is_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// Hands on that a body broke off, where the guest would have met it: after the head.
pub(super) fn broken(head: Parts, error: SendError) -> Response<HttpBody> {
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

pub(super) fn set_length(head: &mut Parts, body: &[Bytes]) {
    let length: usize = body.iter().map(Bytes::len).sum();
    head.headers.remove(header::TRANSFER_ENCODING);
    head.headers.insert(header::CONTENT_LENGTH, length.into());
}

/// A body that is there as a whole.
pub(super) fn whole_body(pieces: Vec<Bytes>) -> HttpBody {
    struct Whole(VecDeque<Bytes>);
    impl Body for Whole {
        type Data = Bytes;
        type Error = SendError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0.iter().map(|piece| piece.remaining() as u64).sum())
        }
    }
    Whole(pieces.into()).boxed_unsync()
}

/// What is done with the pieces of a body that streams through.
enum Work {
    /// They are searched for credentials alone.
    Pass,
    Mask(Box<Mask>),
    Lines(Lines),
}

/// The lines of a stream of events, each handed on when it is there.
struct Lines {
    expected: Option<Expected>,
    line: Vec<u8>,
}

/// A body that is gone through while it streams.
struct Stream {
    guard: Guard,
    pieces: VecDeque<Bytes>,
    inner: AnswerBody,
    work: Work,
    echo: Option<EchoStream>,
    out: VecDeque<Bytes>,
    ended: bool,
}

impl Stream {
    fn body(guard: Guard, pieces: VecDeque<Bytes>, inner: AnswerBody, work: Work) -> HttpBody {
        let echo = guard.echo.clone().map(EchoStream::new);
        let (out, ended) = (VecDeque::new(), false);
        Self { guard, pieces, inner, work, echo, out, ended }.boxed_unsync()
    }

    /// Goes through a piece, or ends.
    fn go_through(&mut self, piece: Option<Bytes>) -> Result<(), Withheld> {
        let clean = match (&mut self.work, &piece) {
            (Work::Pass, Some(piece)) => vec![piece.clone()],
            (Work::Pass, None) => Vec::new(),
            (Work::Mask(mask), Some(piece)) => {
                mask.push(piece)?;
                mask.ready()
            }
            (Work::Mask(mask), None) => {
                mask.finish()?;
                mask.ready()
            }
            (Work::Lines(lines), piece) => lines.push(piece.as_ref(), &self.guard)?,
        };
        let Some(echo) = &mut self.echo else {
            self.out.extend(clean);
            return Ok(());
        };
        for piece in clean {
            if !echo.push(piece, &mut self.out) {
                return Err(Withheld::Echo);
            }
        }
        if piece.is_none() {
            self.out.extend(echo.finish());
        }
        Ok(())
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = this.out.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let mut piece = match this.pieces.pop_front() {
                Some(piece) => Some(piece),
                None => match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                    None => None,
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) => Some(piece),
                        Err(_) => continue,
                    },
                    Some(Err(error)) => {
                        this.ended = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
            };
            if let Some(piece) = &mut piece
                && piece.len() > PART
            {
                let rest = piece.split_off(PART);
                this.pieces.push_front(rest);
            }
            this.ended = piece.is_none();
            if let Err(why) = this.go_through(piece) {
                this.ended = true;
                this.out.clear();
                this.inner.failed(why.code(), why.reason());
                this.guard.charges.withhold(why.reason());
                return Poll::Ready(Some(Err(SendError::InternalError(Some(why.reason().to_owned())))));
            }
            if this.out.is_empty() && !this.ended {
                // Others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl Lines {
    /// Goes through a piece, or ends, and returns the lines that are whole.
    fn push(&mut self, piece: Option<&Bytes>, guard: &Guard) -> Result<Vec<Bytes>, Withheld> {
        let Some(piece) = piece else {
            return if self.line.is_empty() { Ok(Vec::new()) } else { Ok(vec![self.end_line(guard)?]) };
        };
        let mut clean = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > MAX_LINE {
                return Err(Withheld::NotJson);
            }
            if part.ends_with(b"\n") {
                clean.push(self.end_line(guard)?);
            }
        }
        Ok(clean)
    }

    /// Masks what stands behind `data:`. Other lines say which event it is.
    fn end_line(&mut self, guard: &Guard) -> Result<Bytes, Withheld> {
        let line = Bytes::from(std::mem::take(&mut self.line));
        let Some(expected) = &self.expected else { return Ok(line) };
        if has_nothing(std::slice::from_ref(&line), &expected.searches(), false) {
            return Ok(line);
        }
        let data = line.strip_prefix(b"data:").ok_or(Withheld::NotJson)?;
        let mut clean = b"data:".to_vec();
        let mut mask = guard.mask(expected.clone());
        mask.push(&line.slice_ref(data))?;
        mask.finish()?;
        mask.ready().iter().for_each(|piece| clean.extend_from_slice(piece));
        Ok(Bytes::from(clean))
    }
}
