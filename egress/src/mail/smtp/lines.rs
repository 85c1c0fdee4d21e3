//! A socket that is read a line at a time.
//!
//! Whoever sits between us and the server can put more lines behind the reply to STARTTLS. A client that has read them
//! already takes them for what the server said after the handshake (<https://nostarttls.secvuln.info>). lettre reads as much as there is, so it gets no more than the line that it waits
//! for: what follows the reply is then read by TLS, which it breaks.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncBufRead as _, AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};

#[derive(Debug)]
pub(super) struct LineByLine(BufReader<TcpStream>);

impl LineByLine {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }
}

impl AsyncRead for LineByLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let there = ready!(Pin::new(&mut self.0).poll_fill_buf(cx))?;
        let line = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |end| end + 1);
        let taken = line.min(into.remaining());
        into.put_slice(there.get(..taken).unwrap_or_default());
        Pin::new(&mut self.0).consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineByLine {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for LineByLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }
}
