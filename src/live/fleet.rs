//! The fleet: what every client was sent, and what it says of it (SPEC §10.7, §10.8).
//!
//! In memory, and rebuilt as clients come back. A stream holds the [`Client`] that it delivers to, so
//! a delivery takes the lock of that client alone; the lock over all clients is for those that come,
//! go, report or list.

mod client;
mod index;
mod mark;
mod presence;
mod report;
mod status;
mod summary;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use self::presence::Presence;
use self::{client::Client, index::Index, mark::Changes};
pub use self::{
    mark::Mark,
    report::{RejectReason, Report, ReportStatus},
    status::{ClientState, ClientStatus, Held, Place, Rejection, Statuses},
    summary::{Counts, Summary},
};
use crate::{
    clock::Clock,
    content::ContentId,
    domain::{App, Delivery, DeliveryLog, Refusal, UserId},
    read::Resolved,
};

/// The clients of all users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fleet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    log: Arc<dyn DeliveryLog>,
    index: Mutex<Index>,
    changes: Changes,
}

impl Fleet {
    /// A fleet without clients. `log` is given each delivery whose digest differs from the one
    /// delivered before to the same user, app and client.
    pub fn new(clock: Clock, log: Arc<dyn DeliveryLog>) -> Self {
        let changes = Changes::new(clock.uid());
        Self { shared: Arc::new(Shared { clock, log, index: Mutex::default(), changes }) }
    }

    /// Notes that a stream of a client opens; it is connected until the answer is dropped. A stream
    /// without a client id is no part of the fleet, its deliveries are logged all the same.
    pub(super) fn connect(&self, user: &UserId, app: App, client_id: Option<&str>) -> Presence {
        let Some(client_id) = client_id else { return Presence::nameless(self.clone()) };
        let now = self.shared.clock.now();
        let client = self.index().connect(Client::new(user.clone(), app, client_id), now);
        self.shared.changes.note();
        Presence::of(self.clone(), client)
    }

    /// Notes that the answer to a call of a client without a stream carries this profile.
    pub fn answered(&self, resolved: &Resolved, client_id: &str) {
        let now = self.shared.clock.now();
        let client = Client::new(resolved.user.clone(), resolved.app, client_id);
        let client = self.index().find_or_add(client, now);
        self.deliver(Some(&client), resolved, true);
    }

    /// Takes the report of a client; answers whether it was stale, which changes nothing. `newest`
    /// is the revision of the store, `current` the content that is the user's at that revision.
    ///
    /// # Errors
    /// NOT_SENT when the content was not delivered to the client (SPEC §10.7).
    pub fn report(
        &self,
        report: Report,
        newest: i64,
        current: Option<&Arc<ContentId>>,
    ) -> Result<bool, Refusal> {
        if report.revision > newest {
            return Err(report.not_sent());
        }
        let now = self.shared.clock.now();
        let probe = Client::new(report.user.clone(), report.app, &report.client_id);
        let client = self.index().find_or_add(probe, now);
        let stale = client.report(report, current)?;
        if !stale {
            self.shared.changes.note();
        }
        Ok(stale)
    }

    /// The clients behind a place, in the order of user, app and client id. `compared` is the
    /// revision up to which every stream was compared, as [`Hub::compared`](super::Hub::compared)
    /// answers it before.
    pub fn statuses(&self, after: Option<Place>, compared: i64) -> Statuses {
        let now = self.shared.clock.now();
        self.expire();
        Statuses::new(self.clone(), after, now, compared)
    }

    /// What an answer of now stands for.
    pub fn mark(&self, compared: i64) -> Mark {
        self.expire();
        self.shared.changes.mark(self.shared.clock.now(), compared)
    }

    /// Whether answers of now differ from those of a mark. It may say so of equal ones, never
    /// otherwise.
    pub fn changed_since(&self, mark: &Mark, compared: i64) -> bool {
        self.expire();
        self.shared.changes.since(mark, self.shared.clock.now(), compared)
    }

    /// Takes note of what goes out to a client, and hands it to the log if the client did not hold it;
    /// `whole` is false where the client shows that it holds it already.
    fn deliver(&self, client: Option<&Arc<Client>>, resolved: &Resolved, whole: bool) {
        let now = self.shared.clock.now();
        let differs = client.is_none_or(|client| {
            self.shared.changes.note_delivery(now);
            client.deliver(&resolved.content.id, resolved.revision, now)
        });
        if differs && whole {
            self.shared.log.delivered(Delivery {
                user: resolved.user.clone(),
                app: resolved.app,
                client_id: client.map(|client| client.client_id.to_string()).unwrap_or_default(),
                time: now,
                revision: resolved.revision,
                digest: resolved.content.digest.clone(),
                profile: resolved.resolution.profile.clone(),
                method: resolved.resolution.method,
            });
        }
    }

    fn disconnect(&self, client: &Arc<Client>) {
        let now = self.shared.clock.now();
        self.index().disconnect(client, now);
        self.shared.changes.note();
    }

    /// Forgets clients that have been away for too long.
    fn expire(&self) {
        if self.index().expire(self.shared.clock.now()) {
            self.shared.changes.note();
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.shared.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
