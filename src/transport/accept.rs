//! Admission of connections on the main port.
//!
//! Connections cost file handles, and files need some: so they are capped, a failed accept backs
//! off, and a connection that says nothing is closed after a deadline, or at once when the cap is
//! reached and another client asks.

mod addresses;
mod connection;
mod greeting;
mod place;
mod silent;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{
    ConnectionMeters, Limits,
    listen::{Accepted, Listeners},
    socket::Socket,
    tls::Tls,
};

pub(super) use self::connection::Connection;
use self::{
    addresses::{Addresses, OfAddress},
    greeting::Greeting,
    place::Place,
    silent::{Silent, Ticket},
};

/// Longest wait for the place of a silent connection that gives way.
const PLACE: Duration = Duration::from_secs(1);
/// Rest after a failed accept, doubled each time up to the second value.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// One refusal in so many is logged.
const LOGGED: u64 = 1_000;

/// Admits the connections of all listeners.
pub(super) struct Admission {
    listeners: Listeners,
    tls: Option<Tls>,
    cap: usize,
    /// Time for the handshake of TLS and the greeting.
    greeting: Duration,
    places: Arc<Semaphore>,
    addresses: Addresses,
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
    accepted: Accepted,
    /// The TLS that it is to speak.
    tls: Option<Tls>,
    greeting: Duration,
    ticket: Ticket,
    place: Place,
}

/// Which limit leaves a connection no place.
#[derive(Debug, Clone, Copy)]
enum Full {
    /// That of all connections.
    All,
    /// That of its address.
    Address,
}

impl Admission {
    /// The admission to listeners. Connections of TCP speak TLS if there is one.
    pub(super) fn new(
        listeners: Listeners,
        tls: Option<Tls>,
        limits: &Limits,
        meters: ConnectionMeters,
    ) -> Self {
        let cap = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            listeners,
            tls,
            cap,
            greeting: limits.greeting,
            places: Arc::new(Semaphore::new(cap)),
            addresses: Addresses::new(limits.connections_per_address),
            silent: Silent::default(),
            meters,
            back_off: BACK_OFF.0,
            refused: 0,
        }
    }

    /// The next connection that has a place.
    pub(super) async fn next(&mut self) -> Admitted {
        loop {
            let accepted = self.accept().await;
            let site = match &accepted {
                Accepted::Tcp(_, peer) => Some(addresses::site(peer.ip())),
                Accepted::Unix(_) => None,
            };
            let place = match self.place(site).await {
                Ok(place) => place,
                Err(full) => {
                    self.note_refused(full);
                    continue;
                }
            };
            let tls = match &accepted {
                Accepted::Tcp(..) => self.tls.clone(),
                // What stays on this machine needs none.
                Accepted::Unix(_) => None,
            };
            let (ticket, greeting) = (self.silent.enter(site), self.greeting);
            return Admitted { accepted, tls, greeting, ticket, place };
        }
    }

    /// Accepts, with back-off after errors of the server's own: when handles or memory run out, the
    /// same error comes at once again.
    async fn accept(&mut self) -> Accepted {
        loop {
            match self.listeners.accept().await {
                Ok(accepted) => {
                    self.back_off = BACK_OFF.0;
                    return accepted;
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

    /// A place below the caps. At a cap a silent connection gives way, the oldest first, at that of an
    /// address one of its own; without one there is no place, and the client had better try again
    /// than wait in a queue.
    async fn place(&self, site: Option<IpAddr>) -> Result<Place, Full> {
        let of_address = match site {
            Some(site) => Some(self.place_of(site).ok_or(Full::Address)?),
            None => None,
        };
        let permit = self.permit().await.ok_or(Full::All)?;
        Ok(Place::new(permit, of_address, self.meters.clone()))
    }

    fn place_of(&self, site: IpAddr) -> Option<OfAddress> {
        if let Some(place) = self.addresses.enter(site) {
            return Some(place);
        }
        if !self.silent.displace_of(site) {
            return None;
        }
        self.meters.displaced.increment(1);
        Some(self.addresses.replace(site))
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
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

    fn note_refused(&mut self, full: Full) {
        let (counter, cap) = match full {
            Full::All => (&self.meters.refused, self.cap),
            Full::Address => (&self.meters.refused_of_address, self.addresses.cap()),
        };
        counter.increment(1);
        if self.refused.is_multiple_of(LOGGED) {
            let so_far = self.refused + 1;
            tracing::warn!(?full, cap, so_far, "a connection was closed: the cap is reached");
        }
        self.refused += 1;
    }
}

impl Admitted {
    /// The connection, on the executor of the caller, behind the handshake of TLS where there is
    /// one.
    pub(super) async fn open(self) -> io::Result<Connection> {
        let Self { accepted, tls, greeting, ticket, place } = self;
        let (socket, greeting) = (Socket::new(accepted)?, Greeting::new(ticket, greeting));
        match tls {
            None => Ok(Connection::plain(socket, greeting, place)),
            Some(tls) => Connection::secured(tls.acceptor(), socket, greeting, place).await,
        }
    }
}

/// Whether the error is the connection's own: the peer was gone before it was accepted.
pub(crate) fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | PermissionDenied)
}

#[cfg(test)]
mod tests;
