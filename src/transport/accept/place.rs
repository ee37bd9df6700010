//! A place below the caps of open connections.

use tokio::sync::OwnedSemaphorePermit;

use super::addresses::OfAddress;
use crate::transport::ConnectionMeters;

/// A place below the caps, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) meters: ConnectionMeters,
    _permit: OwnedSemaphorePermit,
    _of_address: Option<OfAddress>,
}

impl Place {
    pub(super) fn new(
        permit: OwnedSemaphorePermit,
        of_address: Option<OfAddress>,
        meters: ConnectionMeters,
    ) -> Self {
        meters.open.increment(1);
        Self { meters, _permit: permit, _of_address: of_address }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.meters.open.decrement(1);
    }
}
