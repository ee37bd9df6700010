//! What is awaited of a new connection, and how long.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use super::silent::Ticket;
use crate::transport::{ConnectionMeters, frames::PREFACE};

/// What is awaited of a new connection: the handshake of TLS where it is spoken, then the whole
/// preface of HTTP/2, or a first byte that differs from it, and so begins a request of HTTP/1.1,
/// whose head has a deadline of its own.
#[derive(Debug)]
pub(super) struct Greeting {
    /// Bytes of the preface that have arrived.
    received: usize,
    deadline: Pin<Box<Sleep>>,
    ticket: Ticket,
}

impl Greeting {
    /// A greeting that must be complete within a time.
    pub(super) fn new(ticket: Ticket, within: Duration) -> Self {
        Self { received: 0, deadline: Box::pin(sleep(within)), ticket }
    }

    /// Takes bytes that arrived; true when no more are awaited.
    pub(super) fn complete(&mut self, bytes: &[u8]) -> bool {
        let rest = &PREFACE[self.received..];
        let shared = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        self.received += shared;
        self.received == PREFACE.len() || shared < bytes.len()
    }

    /// Why the connection ends without one: it is silent for too long, or has to give way.
    pub(super) fn poll_missed(
        &mut self,
        cx: &mut Context<'_>,
        meters: &ConnectionMeters,
    ) -> Poll<io::Error> {
        if self.ticket.is_displaced(cx.waker()) {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        self.deadline.as_mut().poll(cx).map(|()| {
            meters.silent.increment(1);
            io::ErrorKind::TimedOut.into()
        })
    }
}
