//! The concurrency limit of one provider's webhooks: a plug-in that hangs while it verifies holds up
//! its own webhooks and no others.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Webhooks of a provider that are processed at a time.
const MAX_RUNNING: usize = 32;
/// Webhooks of a provider that are processed or wait for a permit.
const MAX_ADMITTED: usize = 128;
/// Longest wait for a permit; vendors give up after some 15 s.
const WAIT: Duration = Duration::from_secs(5);

/// The limit of a provider.
#[derive(Debug)]
pub(in crate::voice) struct WebhookLimit {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// The permit to process one webhook, given back when it is dropped.
#[derive(Debug)]
pub(super) struct WebhookPermit {
    _admitted: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Default for WebhookLimit {
    fn default() -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(MAX_ADMITTED)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
        }
    }
}

impl WebhookLimit {
    /// A permit for one webhook; none when too many wait already, or when none comes free in time.
    pub(super) async fn acquire(&self) -> Option<WebhookPermit> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().ok()?;
        let running = timeout(WAIT, Arc::clone(&self.running).acquire_owned()).await.ok()?.ok()?;
        Some(WebhookPermit { _admitted: admitted, _running: running })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_run_some_wait_and_the_rest_is_refused() {
        let limit = WebhookLimit::default();
        let taken = join_all((0..MAX_RUNNING).map(|_| limit.acquire())).await;
        assert!(taken.iter().all(Option::is_some));
        let mut waiting: Vec<_> =
            (MAX_RUNNING..MAX_ADMITTED).map(|_| Box::pin(limit.acquire())).collect();
        assert!(waiting.iter_mut().all(|permit| permit.now_or_never().is_none()));
        assert!(limit.acquire().now_or_never().unwrap().is_none(), "at once");
        drop(taken);
        assert!(waiting.remove(0).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_permit_has_a_deadline() {
        let limit = WebhookLimit::default();
        let _taken = join_all((0..MAX_RUNNING).map(|_| limit.acquire())).await;
        assert!(limit.acquire().await.is_none());
        assert_eq!(limit.admitted.available_permits(), MAX_ADMITTED - MAX_RUNNING);
    }
}
