//! A place below the cap of open connections.

use tokio::sync::OwnedSemaphorePermit;

use super::meters::ConnectionMeters;

/// A place below the cap, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) meters: ConnectionMeters,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit, meters: ConnectionMeters) -> Self {
        meters.open.increment(1);
        Self { meters, _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.meters.open.decrement(1);
    }
}
