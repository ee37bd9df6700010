//! Scans that take longer than an executor's thread may be held up: on threads of their own, and few
//! at a time.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    domain::{Reason, Refusal},
    trace::carry,
};

/// Scans at a time; further ones wait.
const AT_A_TIME: usize = 2;

/// Runs scans.
#[derive(Debug, Clone)]
pub(super) struct Scans(Arc<Semaphore>);

impl Default for Scans {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Scans {
    /// What a scan answers, once it has had its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        scan: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let failed = |_| Refusal::new(Reason::Internal, "The server could not read the list.");
        let turn = Arc::clone(&self.0).acquire_owned().await.map_err(|_| failed(()))?;
        let scan = move || {
            let _turn = turn;
            scan()
        };
        spawn_blocking(carry(scan)).await.map_err(|_| failed(()))
    }
}
