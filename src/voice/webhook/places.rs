//! Places for the work on webhooks of one provider: a plug-in that hangs while it verifies holds up
//! its own webhooks and no others.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Webhooks of a provider that are worked on at a time.
const AT_WORK: usize = 32;
/// Webhooks of a provider that are worked on or wait for that.
const PRESENT: usize = 128;
/// Longest wait for a place; vendors give up after some 15 s.
const WAIT: Duration = Duration::from_secs(5);

/// The places of a provider.
#[derive(Debug)]
pub(in crate::voice) struct Places {
    present: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _present: OwnedSemaphorePermit,
    _at_work: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            present: Arc::new(Semaphore::new(PRESENT)),
            at_work: Arc::new(Semaphore::new(AT_WORK)),
        }
    }
}

impl Places {
    /// A place for one webhook; none when too many are there before it.
    pub(super) async fn take(&self) -> Option<Place> {
        let present = Arc::clone(&self.present).try_acquire_owned().ok()?;
        let at_work = timeout(WAIT, Arc::clone(&self.at_work).acquire_owned()).await.ok()?.ok()?;
        Some(Place { _present: present, _at_work: at_work })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_are_worked_on_some_wait_and_the_rest_is_turned_away() {
        let places = Places::default();
        let taken = join_all((0..AT_WORK).map(|_| places.take())).await;
        assert!(taken.iter().all(Option::is_some));
        let mut waiting: Vec<_> = (AT_WORK..PRESENT).map(|_| Box::pin(places.take())).collect();
        assert!(waiting.iter_mut().all(|place| place.now_or_never().is_none()));
        assert!(places.take().now_or_never().unwrap().is_none(), "at once");
        drop(taken);
        assert!(waiting.remove(0).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let places = Places::default();
        let _taken = join_all((0..AT_WORK).map(|_| places.take())).await;
        assert!(places.take().await.is_none());
        assert_eq!(places.present.available_permits(), PRESENT - AT_WORK);
    }
}
