//! Control frames without end.
//!
//! A server of HTTP/2 can send WINDOW_UPDATE, SETTINGS, PING and frames of unknown kinds for ever, nine bytes each: the
//! protocol sets no limit, `h2` answers or applies each, and the whole of a tenant's calls shares the connection's task.
//! So frames are counted as they come. An answer and what is sent to the server earn some; who sends many more has its
//! connection closed.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// Control frames that a server may be ahead. A healthy one sends two WINDOW_UPDATE for 16 KB of a body that it receives,
/// and some at the beginning.
const MOST_AHEAD: u32 = 1000;
/// What a frame of an answer earns.
const PER_FRAME: u32 = 2;
/// Bytes sent that earn one: fewer than a window update has ever been seen for.
const BYTES_PER_CREDIT: u32 = 512;
/// Bytes that are read at once: a frame of the usual size with its header.
const SCRATCH: usize = 16 * 1024 + HEADER;
/// Bytes of a frame's header (RFC 9113, section 4.1).
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// A connection whose frames are counted where it speaks HTTP/2.
pub(crate) struct Metered<T> {
    inner: T,
    frames: Option<Box<Frames>>,
}

struct Frames {
    meter: Meter,
    scratch: [u8; SCRATCH],
}

/// Counts frames.
#[derive(Debug)]
struct Meter {
    header: [u8; HEADER],
    /// How many of its bytes have come.
    come: usize,
    /// Bytes of the frame's payload that are still to come.
    payload: usize,
    credit: u32,
    sent: u32,
}

/// The server sends more control frames than any use of the protocol needs.
#[derive(Debug, thiserror::Error)]
#[error("the server floods the connection with control frames")]
struct Flood;

impl Meter {
    fn new() -> Self {
        Self { header: [0; HEADER], come: 0, payload: 0, credit: MOST_AHEAD, sent: 0 }
    }

    fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = self.payload.min(bytes.len());
                self.payload -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let (Some((first, rest)), Some(place)) = (bytes.split_first(), self.header.get_mut(self.come))
            else {
                return Ok(());
            };
            *place = *first;
            self.come += 1;
            bytes = rest;
            if self.come == HEADER {
                self.come = 0;
                let [high, middle, low, kind, ..] = self.header;
                self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.frame(kind)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, kind: u8) -> Result<(), Flood> {
        // A DATA frame without data carries nothing either.
        let carries = matches!(kind, HEADERS | CONTINUATION) || kind == DATA && self.payload > 0;
        self.credit = if carries {
            (self.credit + PER_FRAME).min(MOST_AHEAD)
        } else {
            self.credit.checked_sub(1).ok_or(Flood)?
        };
        Ok(())
    }

    fn send(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.credit = self.credit.saturating_add(self.sent / BYTES_PER_CREDIT).min(MOST_AHEAD);
        self.sent %= BYTES_PER_CREDIT;
    }
}

impl<T: Connection> Metered<T> {
    pub(crate) fn new(inner: T) -> Self {
        let frames = inner.connected().is_negotiated_h2();
        let frames = frames.then(|| Box::new(Frames { meter: Meter::new(), scratch: [0; SCRATCH] }));
        Self { inner, frames }
    }
}

impl<T: Connection> Connection for Metered<T> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

impl<T: Read + Unpin> Read for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, frames } = &mut *self;
        let Some(frames) = frames else { return Pin::new(inner).poll_read(cx, into) };
        let Frames { meter, scratch } = &mut **frames;
        let room = into.remaining().min(scratch.len());
        let mut read = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(inner).poll_read(cx, read.unfilled()))?;
        meter.receive(read.filled()).map_err(io::Error::other)?;
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        if let (Ok(count), Some(frames)) = (&written, &mut self.frames) {
            frames.meter.send(*count);
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, parts));
        if let (Ok(count), Some(frames)) = (&written, &mut self.frames) {
            frames.meter.send(*count);
        }
        Poll::Ready(written)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use super::*;

    const WINDOW_UPDATE: [u8; 13] = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const UNKNOWN: [u8; 10] = [0, 0, 1, 0xbe, 0, 0, 0, 0, 0, 7];
    const EMPTY_DATA: [u8; 9] = [0, 0, 0, 0, 0, 0, 0, 0, 1];
    const SOME_DATA: [u8; 12] = [0, 0, 3, 0, 0, 0, 0, 0, 1, 8, 8, 8];

    /// A server that has sent this.
    struct Sent(Vec<u8>, usize);

    impl Connection for Sent {
        fn connected(&self) -> Connected {
            Connected::new().negotiated_h2()
        }
    }

    impl Read for Sent {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut into: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            let rest = &self.0[self.1..];
            // In pieces that cut headers.
            let count = rest.len().min(into.remaining()).min(101);
            into.put_slice(&rest[..count]);
            self.1 += count;
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Sent {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn read_all(connection: &mut Metered<Sent>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut room = [0; 4096];
            let mut read = ReadBuf::new(&mut room);
            poll_fn(|cx| Pin::new(&mut *connection).poll_read(cx, read.unfilled())).await?;
            if read.filled().is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(read.filled());
        }
    }

    #[tokio::test]
    async fn a_flood_of_window_updates_or_other_control_frames_ends_the_connection() {
        for frame in [&WINDOW_UPDATE[..], &SETTINGS, &UNKNOWN, &EMPTY_DATA] {
            let flood = frame.repeat(MOST_AHEAD as usize + 100);
            let error = read_all(&mut Metered::new(Sent(flood, 0))).await.unwrap_err();
            assert!(error.to_string().contains("floods the connection"), "{error}");
        }
    }

    #[tokio::test]
    async fn what_a_server_sends_for_answers_and_uploads_passes_byte_for_byte() {
        let busy = [&SOME_DATA[..], &WINDOW_UPDATE, &WINDOW_UPDATE].concat().repeat(5000);
        assert_eq!(read_all(&mut Metered::new(Sent(busy.clone(), 0))).await.unwrap(), busy);
        // Two updates for each 16 KB of an upload.
        let mut connection = Metered::new(Sent(Vec::new(), 0));
        for _ in 0..5000 {
            connection.inner = Sent(WINDOW_UPDATE.repeat(2), 0);
            read_all(&mut connection).await.unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut connection).poll_write(&mut cx, &[0; 16 * 1024]).is_ready());
        }
    }
}
