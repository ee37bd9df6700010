//! When the next checkpoint is due: once the journal has grown enough since the newest one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of the journal that no checkpoint has.
#[derive(Debug)]
pub(super) struct Due {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    uncovered: u64,
    closed: bool,
}

// === impl Due ===

impl Due {
    pub(super) fn new(uncovered: u64) -> Self {
        Self { state: Mutex::new(State { uncovered, closed: false }), changed: Condvar::new() }
    }

    /// Counts a group of the journal.
    pub(super) fn add(&self, bytes: usize) {
        self.lock().uncovered += bytes as u64;
        self.changed.notify_all();
    }

    /// Ends all waiting.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until there are so many bytes; false at the end.
    pub(super) fn wait(&self, bytes: u64) -> bool {
        let waited = self
            .changed
            .wait_while(self.lock(), |state| state.uncovered < bytes && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.closed
    }

    /// The bytes so far.
    pub(super) fn count(&self) -> u64 {
        self.lock().uncovered
    }

    /// Takes so many off.
    pub(super) fn cover(&self, bytes: u64) {
        self.lock().uncovered -= bytes;
        self.changed.notify_all();
    }

    /// Counts from that many on: after a failure, so that it is tried again soon.
    pub(super) fn reset(&self, bytes: u64) {
        self.lock().uncovered = bytes;
        self.changed.notify_all();
    }

    /// Waits until there are fewer bytes than that.
    #[cfg(test)]
    pub(super) fn rested(&self, bytes: u64) {
        drop(
            self.changed.wait_while(self.lock(), |state| state.uncovered >= bytes && !state.closed),
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
