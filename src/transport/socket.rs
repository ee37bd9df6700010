//! The raw bytes of a connection, whatever kind its socket is of.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tonic::transport::server::{Connected as _, TcpConnectInfo, UdsConnectInfo};

use super::listen::Accepted;

/// A connected socket.
#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    /// Bytes that the operating system took.
    sent: u64,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Both ends of a connection, as tonic's own server describes them.
#[derive(Debug, Clone)]
pub(super) enum ConnectInfo {
    Tcp(TcpConnectInfo),
    Unix(UdsConnectInfo),
}

/// Runs the same expression for a socket of each kind.
macro_rules! each {
    ($socket:expr, $stream:ident => $run:expr) => {
        match &mut $socket.kind {
            Kind::Tcp($stream) => $run,
            Kind::Unix($stream) => $run,
        }
    };
}

impl Socket {
    /// The socket, on the executor of the caller.
    pub(super) fn new(accepted: Accepted) -> io::Result<Self> {
        let kind = match accepted {
            Accepted::Tcp(stream, _) => Kind::Tcp(TcpStream::from_std(stream)?),
            Accepted::Unix(stream) => Kind::Unix(UnixStream::from_std(stream)?),
        };
        Ok(Self { kind, sent: 0 })
    }

    /// Addresses of both ends, as far as they are still there.
    pub(super) fn info(&self) -> ConnectInfo {
        match &self.kind {
            Kind::Tcp(stream) => ConnectInfo::Tcp(stream.connect_info()),
            Kind::Unix(stream) => ConnectInfo::Unix(stream.connect_info()),
        }
    }

    /// Bytes that the operating system took.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    fn count(&mut self, taken: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &taken {
            self.sent += *bytes as u64;
        }
        taken
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = each!(self, stream => Pin::new(stream).poll_write(cx, buf));
        self.count(taken)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs));
        self.count(taken)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
