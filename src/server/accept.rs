//! Admission of connections on the main port.
//!
//! Connections cost file handles, and files need some: so they are capped, a failed accept backs
//! off, and a connection that says nothing is closed after a deadline, or at once when the cap is
//! reached and another client asks.

mod connection;
mod meters;
mod silent;

use std::{io, sync::Arc, time::Duration};

use futures_core::Stream;
use futures_util::stream;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

pub(super) use self::meters::ConnectionMeters;
use self::{connection::Connection, silent::Silent};

/// Time in which a new connection must send the preface of HTTP/2 or begin a request of HTTP/1.1.
const GREETING: Duration = Duration::from_secs(10);
/// Longest wait for the place of a silent connection that gives way.
const PLACE: Duration = Duration::from_secs(1);
/// Rest after a failed accept, doubled each time up to the second value.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// One refusal in so many is logged.
const LOGGED: u64 = 1_000;

/// The connections of a listener, as they are admitted. At most `cap` are open at a time.
pub(super) fn connections(
    listener: TcpListener,
    cap: usize,
    meters: ConnectionMeters,
) -> impl Stream<Item = io::Result<Connection>> {
    let cap = cap.clamp(1, Semaphore::MAX_PERMITS);
    let admission = Admission {
        listener,
        cap,
        places: Arc::new(Semaphore::new(cap)),
        silent: Silent::default(),
        meters,
        back_off: BACK_OFF.0,
        refused: 0,
    };
    stream::unfold(admission, |mut admission| async {
        let connection = admission.next().await;
        Some((Ok(connection), admission))
    })
}

struct Admission {
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

impl Admission {
    /// The next connection that has a place.
    async fn next(&mut self) -> Connection {
        loop {
            let stream = self.accept().await;
            if let Some(place) = self.place().await {
                // Without it answers may wait for acknowledgements; a peer that is gone sees none.
                let _ = stream.set_nodelay(true);
                return Connection::new(stream, place, &self.silent, GREETING, &self.meters);
            }
            self.note_refused();
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

/// Whether the error is the connection's own: the peer was gone before it was accepted.
pub(super) fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | PermissionDenied)
}

#[cfg(test)]
mod tests;
