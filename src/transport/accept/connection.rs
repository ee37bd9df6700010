//! One admitted connection: its bytes, its place below the caps, and its greeting.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Greeting, place::Place};
use crate::{
    auth::ClientCertificates,
    transport::{
        ConnectionMeters,
        socket::{ConnectInfo, Socket},
    },
};

/// An admitted connection.
#[derive(Debug)]
pub(in crate::transport) struct Connection {
    channel: Channel,
    /// There until the connection has greeted.
    greeting: Option<Greeting>,
    place: Place,
}

#[derive(Debug)]
enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// Runs the same expression for a channel of each kind.
macro_rules! each {
    ($connection:expr, $channel:ident => $run:expr) => {
        match &mut $connection.channel {
            Channel::Plain($channel) => $run,
            Channel::Tls($channel) => $run,
        }
    };
}

impl Connection {
    /// A connection in clear text.
    pub(super) fn plain(socket: Socket, greeting: Greeting, place: Place) -> Self {
        Self { channel: Channel::Plain(socket), greeting: Some(greeting), place }
    }

    /// A connection behind the handshake of TLS, for which the time of the greeting counts.
    pub(super) async fn secured(
        acceptor: TlsAcceptor,
        socket: Socket,
        mut greeting: Greeting,
        place: Place,
    ) -> io::Result<Self> {
        let mut handshake = pin!(acceptor.accept(socket));
        let secured = poll_fn(|cx| match handshake.as_mut().poll(cx) {
            Poll::Pending => greeting.poll_missed(cx, &place.meters).map(Err),
            done => done,
        })
        .await;
        let outcome = match &secured {
            Ok(_) => &place.meters.handshakes,
            Err(_) => &place.meters.failed_handshakes,
        };
        outcome.increment(1);
        let channel = Channel::Tls(Box::new(secured?));
        Ok(Self { channel, greeting: Some(greeting), place })
    }

    fn socket(&self) -> &Socket {
        match &self.channel {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Addresses of both ends, as far as they are still there.
    pub(in crate::transport) fn info(&self) -> ConnectInfo {
        self.socket().info()
    }

    /// Bytes that the operating system took.
    pub(in crate::transport) fn sent(&self) -> u64 {
        self.socket().sent()
    }

    /// The certificates that the peer showed.
    pub(in crate::transport) fn certificates(&self) -> Option<ClientCertificates> {
        let Channel::Tls(stream) = &self.channel else { return None };
        let shown = stream.get_ref().1.peer_certificates()?;
        Some(ClientCertificates::new(shown.iter().map(|shown| shown.clone().into_owned())))
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
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = each!(this, channel => Pin::new(channel).poll_read(cx, buf));
        let Some(greeting) = &mut this.greeting else { return read };
        match read {
            Poll::Pending => greeting.poll_missed(cx, &this.place.meters).map(|missed| {
                this.greeting = None;
                Err(missed)
            }),
            Poll::Ready(Ok(())) => {
                if greeting.complete(&buf.filled()[before..]) {
                    this.greeting = None;
                }
                Poll::Ready(Ok(()))
            }
            failed => failed,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, channel => Pin::new(channel).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, channel => Pin::new(channel).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, channel => Pin::new(channel).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, channel => Pin::new(channel).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
