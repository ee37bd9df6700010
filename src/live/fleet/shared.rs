//! What all handles of a fleet and its streams share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{Client, index::Index, mark::Changes};
use crate::{
    clock::Clock,
    domain::{DeliveryLog, DeliveryRef},
    read::Resolved,
};

/// All clients, and what is noted of them beside.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    log: Arc<dyn DeliveryLog>,
    index: Mutex<Index>,
    pub(super) changes: Changes,
}

impl Shared {
    pub(super) fn new(clock: Clock, log: Arc<dyn DeliveryLog>) -> Self {
        let changes = Changes::new(clock.uid());
        Self { clock, log, index: Mutex::default(), changes }
    }

    /// Takes note of what goes out to a client, and hands it to the log if the client did not hold it;
    /// `whole` is false where the client shows that it holds it already.
    pub(super) fn deliver(&self, client: Option<&Arc<Client>>, resolved: &Resolved, whole: bool) {
        let now = self.clock.now();
        let differs = client.is_none_or(|client| {
            self.changes.note_delivery(now);
            client.deliver(&resolved.content.id, resolved.revision, now)
        });
        if differs && whole {
            let mut buffer = Uuid::encode_buffer();
            self.log.delivered(DeliveryRef {
                user: &resolved.user,
                app: resolved.app,
                client_id: client.map(|client| client.id.text(&mut buffer)).unwrap_or_default(),
                time: now,
                revision: resolved.revision,
                digest: &resolved.content.digest,
                profile: &resolved.resolution.profile,
                method: resolved.resolution.method,
            });
        }
    }

    pub(super) fn disconnect(&self, client: &Arc<Client>) {
        let now = self.clock.now();
        self.index().disconnect(client, now);
        self.changes.note();
    }

    /// Forgets clients that have been away for too long.
    pub(super) fn expire(&self) {
        if self.index().expire(self.clock.now()) {
            self.changes.note();
        }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
