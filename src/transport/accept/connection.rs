//! One admitted connection: its bytes, its place below the cap, and its greeting.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tonic::transport::server::{Connected as _, TcpConnectInfo};

use super::{meters::ConnectionMeters, place::Place, silent::Ticket};

/// What a client of HTTP/2 sends first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An admitted connection.
#[derive(Debug)]
pub(in crate::transport) struct Connection {
    stream: TcpStream,
    /// There until the connection has greeted.
    greeting: Option<Greeting>,
    place: Place,
}

/// What is awaited of a new connection: the whole preface of HTTP/2, or a first byte that differs
/// from it, and so begins a request of HTTP/1.1, whose head has a deadline of its own.
#[derive(Debug)]
struct Greeting {
    /// Bytes of the preface that have arrived.
    received: usize,
    deadline: Pin<Box<Sleep>>,
    ticket: Ticket,
}

impl Greeting {
    /// Takes bytes that arrived; true when no more are awaited.
    fn complete(&mut self, bytes: &[u8]) -> bool {
        let rest = &PREFACE[self.received..];
        let shared = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        self.received += shared;
        self.received == PREFACE.len() || shared < bytes.len()
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream, place: Place, ticket: Ticket, within: Duration) -> Self {
        let deadline = Box::pin(sleep(within));
        let greeting = Greeting { received: 0, deadline, ticket };
        Self { stream, greeting: Some(greeting), place }
    }

    /// Addresses of both ends, as far as they are still there.
    pub(in crate::transport) fn info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }

    /// Figures of the connections of its listener.
    pub(in crate::transport) fn meters(&self) -> &ConnectionMeters {
        &self.place.meters
    }

    /// Whether the greeting is still awaited.
    #[cfg(test)]
    pub(super) fn is_silent(&self) -> bool {
        self.greeting.is_some()
    }

    /// Ends a connection that is silent for too long, or has to give way.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(greeting) = &mut self.greeting else { return Ok(()) };
        if greeting.ticket.is_displaced(cx.waker()) {
            self.greeting = None;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if greeting.deadline.as_mut().poll(cx).is_ready() {
            self.greeting = None;
            self.place.meters.silent.increment(1);
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_none() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            self.poll_silence(cx)?;
            return Poll::Pending;
        }
        let arrived = &buf.filled()[before..];
        if self.greeting.as_mut().is_some_and(|greeting| greeting.complete(arrived)) {
            self.greeting = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
