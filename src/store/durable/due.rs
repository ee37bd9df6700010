//! When the next checkpoint is due: once the journal has grown enough since the newest one. Enough is
//! what the settings say, or a share of the newest checkpoint where that is more: checkpoints then
//! write a bounded multiple of what the journal takes, however large the store is.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The newest checkpoint is so many times as long as the journal after which the next one is due, at
/// most.
const LENGTHS: u64 = 2;

/// Bytes of the journal that no checkpoint has.
#[derive(Debug)]
pub(super) struct Due {
    /// Bytes after which one is due, however short the newest is.
    least: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    uncovered: u64,
    /// Bytes after which one is due.
    enough: u64,
    closed: bool,
}

// === impl Due ===

impl Due {
    pub(super) fn new(least: u64, uncovered: u64) -> Self {
        let state = State { uncovered, enough: least, closed: false };
        Self { least, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Notes the length of the newest checkpoint.
    pub(super) fn measure(&self, checkpoint: u64) {
        self.lock().enough = self.least.max(checkpoint / LENGTHS);
        self.changed.notify_all();
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

    /// Waits until one is due; false at the end.
    pub(super) fn wait(&self) -> bool {
        let waited = self
            .changed
            .wait_while(self.lock(), |state| state.uncovered < state.enough && !state.closed)
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

    /// After a failure: it is tried again soon.
    pub(super) fn retry(&self) {
        let mut state = self.lock();
        state.uncovered = state.enough - state.enough / 8;
        self.changed.notify_all();
    }

    /// Waits until none is due.
    #[cfg(test)]
    pub(super) fn rested(&self) {
        let due = |state: &mut State| state.uncovered >= state.enough && !state.closed;
        drop(self.changed.wait_while(self.lock(), due));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_after_half_of_the_newest_or_what_the_settings_say() {
        for (newest, enough) in [(0, 100), (200, 100), (201, 100), (300, 150), (10_000, 5_000)] {
            let due = Due::new(100, 0);
            due.measure(newest);
            assert_eq!(due.lock().enough, enough, "{newest}");
            due.add(enough as usize - 1);
            due.rested();
            due.add(1);
            assert!(due.wait());
            due.retry();
            due.rested();
            assert_eq!(due.count(), enough - enough / 8);
        }
    }
}
