//! How many bundles are under way at a time.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::domain::{Reason, Refusal};

/// Bundles that are written or taken in at the same time, each.
const PLACES: usize = 2;
/// Longest time that a caller waits for a place.
const WAIT: Duration = Duration::from_secs(10);

/// The places for bundles. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) exports: Arc<Semaphore>,
    pub(super) imports: Arc<Semaphore>,
}

impl Places {
    /// All of them free.
    pub(super) fn new() -> Self {
        let places = || Arc::new(Semaphore::new(PLACES));
        Self { exports: places(), imports: places() }
    }
}

pub(super) async fn place(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    match timeout(WAIT, Arc::clone(of).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => {
            let message = format!("{PLACES} other bundles are under way; try again later.");
            Err(Refusal::new(Reason::ServerBusy, message))
        }
    }
}
