//! A stream's hold on its client: connected until it is dropped.

use std::sync::Arc;

use super::{Client, shared::Shared};
use crate::read::Resolved;

/// Reports the deliveries of a stream to the fleet.
#[derive(Debug)]
pub(in crate::live) struct Presence {
    fleet: Arc<Shared>,
    /// None of a stream without a client id.
    client: Option<Arc<Client>>,
}

impl Presence {
    pub(super) fn of(fleet: Arc<Shared>, client: Arc<Client>) -> Self {
        Self { fleet, client: Some(client) }
    }

    pub(super) fn nameless(fleet: Arc<Shared>) -> Self {
        Self { fleet, client: None }
    }

    /// Notes that content of this revision waits to be sent.
    pub(in crate::live) fn offered(&self, revision: i64) {
        if let Some(client) = &self.client {
            client.wait(revision);
        }
    }

    /// Notes that nothing waits any more, for the client holds what is current.
    pub(in crate::live) fn withdrawn(&self) {
        if let Some(client) = &self.client {
            client.clear_waiting();
        }
    }

    /// Notes that a snapshot goes out.
    pub(in crate::live) fn sends(&self, resolved: &Resolved) {
        self.fleet.deliver(self.client.as_ref(), resolved, true);
    }

    /// Notes that the client gets `in_sync`: it holds the current content.
    pub(in crate::live) fn confirms(&self, resolved: &Resolved) {
        self.fleet.deliver(self.client.as_ref(), resolved, false);
    }

    /// Ends the connection of the client; what goes out later is logged alone.
    pub(in crate::live) fn end(&mut self) {
        if let Some(client) = self.client.take() {
            self.fleet.disconnect(&client);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.end();
    }
}
