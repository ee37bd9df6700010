//! The fleet: what every client was sent, and what it says of it (SPEC §10.7, §10.8).
//!
//! In memory, and rebuilt as clients come back. A stream holds the [`Client`] that it delivers to, so
//! a delivery takes the lock of that client alone; the lock over all clients is for those that come,
//! go, report or list.

mod app_client_id;
mod client;
mod index;
mod mark;
mod place;
mod presence;
mod report;
mod shared;
mod status;
mod statuses;
mod summary;

use std::sync::Arc;

pub(super) use self::presence::Presence;
use self::{
    client::{Client, PENDING},
    shared::Shared,
};
pub use self::{
    mark::Mark,
    place::Place,
    report::{RejectReason, Report, ReportStatus},
    status::{ClientState, ClientStatus, Held, Rejection},
    statuses::Statuses,
    summary::{Counts, Summary},
};
use crate::{
    clock::Clock,
    content::ContentId,
    domain::{App, DeliveryLog, Refusal, UserId},
    read::Resolved,
};

/// The clients of all users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fleet {
    shared: Arc<Shared>,
}

impl Fleet {
    /// A fleet without clients. `log` is given each delivery whose digest differs from the one
    /// delivered before to the same user, app and client.
    pub fn new(clock: Clock, log: Arc<dyn DeliveryLog>) -> Self {
        Self { shared: Arc::new(Shared::new(clock, log)) }
    }

    /// Notes that a stream of a client opens; it is connected until the answer is dropped. A stream
    /// without a client id is no part of the fleet, its deliveries are logged all the same.
    pub(super) fn connect(&self, user: &UserId, app: App, client_id: Option<&str>) -> Presence {
        let Some(client_id) = client_id else {
            return Presence::nameless(Arc::clone(&self.shared));
        };
        let now = self.shared.clock.now();
        let client = self.shared.index().connect(Client::new(user.clone(), app, client_id), now);
        self.shared.changes.note();
        Presence::of(Arc::clone(&self.shared), client)
    }

    /// Notes that the answer to a call of a client without a stream carries this profile.
    pub fn answered(&self, resolved: &Resolved, client_id: &str) {
        let now = self.shared.clock.now();
        let client = Client::new(resolved.user.clone(), resolved.app, client_id);
        let client = self.shared.index().find_or_add(client, now);
        self.shared.deliver(Some(&client), resolved, true);
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
        let client = self.shared.index().find_or_add(probe, now);
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
        self.shared.expire();
        Statuses::new(Arc::clone(&self.shared), after, now, compared)
    }

    /// What an answer of now stands for.
    pub fn mark(&self, compared: i64) -> Mark {
        self.shared.expire();
        self.shared.changes.mark(self.shared.clock.now(), compared)
    }

    /// Whether answers of now differ from those of a mark. It may say so of equal ones, never
    /// otherwise.
    pub fn changed_since(&self, mark: &Mark, compared: i64) -> bool {
        self.shared.expire();
        self.shared.changes.since(mark, self.shared.clock.now(), compared)
    }
}

#[cfg(test)]
mod tests;
