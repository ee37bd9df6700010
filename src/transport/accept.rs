//! Admission of connections on the main port.
//!
//! Connections cost file handles, and files need some: so they are capped, a failed accept backs
//! off, and a connection that says nothing is closed after a deadline, or at once when the cap is
//! reached and another client asks.

mod connection;
mod meters;
mod place;
mod silent;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

pub(super) use self::connection::Connection;
pub use self::meters::ConnectionMeters;
use self::{
    place::Place,
    silent::{Silent, Ticket},
};

/// Time in which a new connection must send the preface of HTTP/2 or begin a request of HTTP/1.1.
const GREETING: Duration = Duration::from_secs(10);
/// Longest wait for the place of a silent connection that gives way.
const PLACE: Duration = Duration::from_secs(1);
/// Rest after a failed accept, doubled each time up to the second value.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// One refusal in so many is logged.
const LOGGED: u64 = 1_000;

/// Admits the connections of a listener.
pub(super) struct Admission {
    listener: TcpListener,
    cap: usize,
    places: Arc<Semaphore>,
    /// Connections that have not greeted.
    silent: Silent,
    meters: ConnectionMeters,
    /// Rest after the next failed accept.
    back_off: Duration,
    /// Connections that found no place.
    refused: u64,
}

/// A connection that has a place, and no executor yet.
#[derive(Debug)]
pub(super) struct Admitted {
    stream: std::net::TcpStream,
    ticket: Ticket,
    place: Place,
}

impl Admission {
    /// The admission to a listener. At most `cap` of its connections are open at a time.
    pub(super) fn new(listener: TcpListener, cap: usize, meters: ConnectionMeters) -> Self {
        let cap = cap.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            listener,
            cap,
            places: Arc::new(Semaphore::new(cap)),
            silent: Silent::default(),
            meters,
            back_off: BACK_OFF.0,
            refused: 0,
        }
    }

    /// The next connection that has a place.
    pub(super) async fn next(&mut self) -> Admitted {
        loop {
            let stream = self.accept().await;
            let Some(permit) = self.place().await else {
                self.note_refused();
                continue;
            };
            // Without it answers may wait for acknowledgements; a peer that is gone sees none.
            let _ = stream.set_nodelay(true);
            // Leaves the executor of the listener.
            let Ok(stream) = stream.into_std() else { continue };
            let place = Place::new(permit, self.meters.clone());
            return Admitted { stream, ticket: self.silent.enter(), place };
        }
    }

    /// Accepts, with back-off after errors of the server's own: when handles or memory run out, the
    /// same error comes at once again.
    async fn accept(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    self.back_off = BACK_OFF.0;
                    return stream;
                }
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    self.meters.accept_errors.increment(1);
                    if self.back_off == BACK_OFF.0 {
                        tracing::warn!(%error, "connections cannot be accepted; backing off");
                    }
                    time::sleep(self.back_off).await;
                    self.back_off = (self.back_off * 2).min(BACK_OFF.1);
                }
            }
        }
    }

    /// A place below the cap. At the cap a silent connection gives way, the oldest first; without
    /// one there is no place, and the client had better try again than wait in a queue.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let places = || Arc::clone(&self.places);
        if let Ok(place) = places().try_acquire_owned() {
            return Some(place);
        }
        if !self.silent.displace() {
            return None;
        }
        self.meters.displaced.increment(1);
        time::timeout(PLACE, places().acquire_owned()).await.ok()?.ok()
    }

    fn note_refused(&mut self) {
        self.meters.refused.increment(1);
        if self.refused.is_multiple_of(LOGGED) {
            let (cap, so_far) = (self.cap, self.refused + 1);
            tracing::warn!(cap, so_far, "a connection was closed: the cap is reached");
        }
        self.refused += 1;
    }
}

impl Admitted {
    /// The connection, on the executor of the caller.
    pub(super) fn open(self) -> io::Result<Connection> {
        Ok(Connection::new(TcpStream::from_std(self.stream)?, self.place, self.ticket, GREETING))
    }
}

/// Whether the error is the connection's own: the peer was gone before it was accepted.
pub(crate) fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | PermissionDenied)
}

#[cfg(test)]
mod tests;
