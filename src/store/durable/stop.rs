//! How work in the background is told to end.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Tells a thread that rests to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    told: Mutex<bool>,
    changed: Condvar,
}

// === impl Stop ===

impl Stop {
    pub(super) fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits so long; false when told to end.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(told, time, |told| !*told);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
