//! Bound listeners of TCP and of Unix domain sockets, one queue of connections for all.

mod inherited;
mod own;

use std::{
    future::poll_fn,
    io,
    net::{self, SocketAddr},
    os::unix::net::UnixStream,
    task::{Context, Poll},
};

use tokio::net::{TcpListener, UnixListener};

use self::{inherited::Inherited, own::OwnSocket};
use super::endpoint::Endpoint;

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    endpoint: Endpoint,
    /// The file of the socket, if this process made it.
    _file: Option<OwnSocket>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The listeners of a server.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<Listener>,
    /// The one that is asked first; after an accept the next, so that none keeps the others waiting.
    first: usize,
}

/// Why a listener cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct BindError {
    endpoint: Endpoint,
    #[source]
    why: io::Error,
}

impl BindError {
    /// Where it would have listened.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// A connection as it was accepted, of no executor.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(net::TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Listener {
    /// Where it listens: with the port that the operating system chose, or the path of the socket.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A connection, if one waits.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        // A connection leaves the executor of the listener.
        match &self.socket {
            Socket::Tcp(listener) => listener.poll_accept(cx).map(|accepted| {
                let (stream, peer) = accepted?;
                // Without it answers may wait for acknowledgements; a peer that is gone sees none.
                let _ = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream.into_std()?, peer))
            }),
            Socket::Unix(listener) => {
                listener.poll_accept(cx).map(|accepted| Ok(Accepted::Unix(accepted?.0.into_std()?)))
            }
        }
    }
}

impl Listeners {
    /// Binds all endpoints, or none.
    ///
    /// # Errors
    /// With the first endpoint that cannot be bound.
    pub async fn bind(endpoints: &[Endpoint]) -> Result<Self, BindError> {
        let mut all = Vec::new();
        for endpoint in endpoints {
            let failed = |why| BindError { endpoint: endpoint.clone(), why };
            match endpoint {
                Endpoint::Tcp(address) => {
                    all.push(tcp(TcpListener::bind(address).await.map_err(failed)?));
                }
                Endpoint::Unix(path) => {
                    let (listener, file) = OwnSocket::bind(path).map_err(failed)?;
                    let (socket, endpoint) = (Socket::Unix(listener), endpoint.clone());
                    all.push(Listener { socket, endpoint, _file: Some(file) });
                }
                Endpoint::Systemd => {
                    let sockets = inherited::sockets().map_err(failed)?;
                    all.extend(sockets.into_iter().map(Listener::from));
                }
            }
        }
        Ok(Self { all, first: 0 })
    }

    /// The listeners.
    pub fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.all.iter()
    }

    /// The next connection of any of them.
    pub(super) async fn accept(&mut self) -> io::Result<Accepted> {
        poll_fn(|cx| {
            for turn in 0..self.all.len() {
                let place = (self.first + turn) % self.all.len();
                if let Poll::Ready(accepted) = self.all[place].poll_accept(cx) {
                    self.first = place + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        Self { all: vec![tcp(listener)], first: 0 }
    }
}

impl From<Inherited> for Listener {
    fn from(inherited: Inherited) -> Self {
        match inherited {
            Inherited::Tcp(listener) => tcp(listener),
            // Its file is the service manager's.
            Inherited::Unix(listener, path) => {
                let (socket, endpoint) = (Socket::Unix(listener), Endpoint::Unix(path));
                Self { socket, endpoint, _file: None }
            }
        }
    }
}

fn tcp(listener: TcpListener) -> Listener {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    Listener { socket: Socket::Tcp(listener), endpoint: Endpoint::Tcp(address), _file: None }
}

#[cfg(test)]
mod tests;
