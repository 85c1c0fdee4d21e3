//! Bodies that can misbehave: whole, cut off, or slow.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The body of an answer.
pub(crate) struct Reply {
    rest: Bytes,
    manner: Manner,
    length: u64,
}

enum Manner {
    Whole,
    /// Sends half of what it promised, then breaks.
    CutOff(Cut),
    /// Sends eight chunks with a pause before each.
    Slow {
        chunk: usize,
        pause: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    },
}

/// How far an answer is that is cut off.
enum Cut {
    Whole,
    /// The first half is on its way. Broken off at once, the server would throw it away with the head of the answer, and
    /// the client would see no answer at all.
    Flushing,
    Broken,
}

impl Reply {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::new(bytes.into(), Manner::Whole)
    }

    pub(crate) fn cut_off(bytes: Bytes) -> Self {
        // A body of nothing cannot break off in the middle.
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        Self::new(bytes, Manner::CutOff(Cut::Whole))
    }

    pub(crate) fn slow(bytes: Bytes, pause: Duration) -> Self {
        let chunk = bytes.len().div_ceil(8).max(1);
        Self::new(bytes, Manner::Slow { chunk, pause, timer: None })
    }

    fn new(rest: Bytes, manner: Manner) -> Self {
        let length = rest.len() as u64;
        Self { rest, manner, length }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        let chunk = match &mut this.manner {
            Manner::Whole => std::mem::take(&mut this.rest),
            Manner::CutOff(cut @ Cut::Whole) => {
                *cut = Cut::Flushing;
                let half = this.rest.len() / 2;
                this.rest.split_to(half.max(1).min(this.rest.len()))
            }
            Manner::CutOff(cut @ Cut::Flushing) => {
                *cut = Cut::Broken;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Manner::CutOff(Cut::Broken) => {
                return Poll::Ready(Some(Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "cut off on purpose",
                ))));
            }
            Manner::Slow { chunk, pause, timer } => {
                let sleeping = timer.get_or_insert_with(|| Box::pin(sleep(*pause)));
                ready!(sleeping.as_mut().poll(cx));
                *timer = None;
                this.rest.split_to((*chunk).min(this.rest.len()))
            }
        };
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        // Before the first frame this becomes the content length: the promise that a cut-off body breaks.
        match self.manner {
            Manner::Whole => SizeHint::with_exact(self.rest.len() as u64),
            _ => SizeHint::with_exact(self.length),
        }
    }
}
