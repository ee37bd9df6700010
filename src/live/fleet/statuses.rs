//! Listing clients without holding up those that come and go.

use std::{collections::VecDeque, sync::Arc};

use super::{Client, ClientStatus, Place, shared::Shared};
use crate::domain::Time;

/// Clients that are taken at once, under the lock of the index.
const CHUNK: usize = 256;

/// Clients in order, taken in chunks: no lock is held while their states are read.
#[derive(Debug)]
pub struct Statuses {
    fleet: Arc<Shared>,
    after: Option<Place>,
    now: Time,
    compared: i64,
    ready: VecDeque<Arc<Client>>,
}

impl Statuses {
    pub(super) fn new(fleet: Arc<Shared>, after: Option<Place>, now: Time, compared: i64) -> Self {
        Self { fleet, after, now, compared, ready: VecDeque::new() }
    }
}

impl Iterator for Statuses {
    type Item = ClientStatus;

    fn next(&mut self) -> Option<ClientStatus> {
        if self.ready.is_empty() {
            self.ready = self.fleet.index().after(self.after.as_ref(), CHUNK).into();
        }
        let client = self.ready.pop_front()?;
        let status = ClientStatus::of(&client, self.now, self.compared);
        if self.ready.is_empty() {
            self.after = Some(status.place());
        }
        Some(status)
    }
}
