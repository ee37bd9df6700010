//! What the thread of the index is to do: groups that are durable and wait for it, bounded so that a
//! slow index slows the writers, and damage that it is to repair.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{index::Stored, pending::Damage};

/// Bytes that may wait, one group more or less.
const WAITING: usize = 64 << 20;
/// Bytes from which groups are no longer taken together.
const TOGETHER: usize = 1 << 20;

/// Groups on their way from the journal to the index.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    groups: VecDeque<(usize, Vec<Stored>)>,
    bytes: usize,
    damages: Vec<Damage>,
    /// Damages that were reported and are not repaired.
    unrepaired: usize,
    closed: bool,
    /// Whether those that wait are dropped.
    abandoned: bool,
    /// Whether groups pass by, because there is no index that could take them.
    passing: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Work {
    /// Add these records, which took that many bytes.
    Apply(usize, Vec<Stored>),
    /// Make superfluous what is damaged.
    Repair(Vec<Damage>),
}

// === impl Queue ===

impl Queue {
    /// Waits until there is room; false when nothing is taken any more.
    pub(super) fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        while state.bytes >= WAITING && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    /// Adds a group of that many bytes.
    pub(super) fn push(&self, bytes: usize, group: Vec<Stored>) {
        let mut state = self.lock();
        if state.passing {
            return;
        }
        state.bytes += bytes;
        state.groups.push_back((bytes, group));
        self.changed.notify_all();
    }

    /// Lets groups pass by, those that wait as well, or keeps them from now on.
    pub(super) fn pass(&self, passing: bool) {
        let mut state = self.lock();
        state.passing = passing;
        if passing {
            state.groups.clear();
            state.bytes = 0;
        }
        self.changed.notify_all();
    }

    /// Waits so long; false once nothing is taken any more.
    pub(super) fn rest(&self, time: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Adds damage that is to be repaired.
    pub(super) fn repair(&self, damage: Damage) {
        let mut state = self.lock();
        state.damages.push(damage);
        state.unrepaired += 1;
        self.changed.notify_all();
    }

    /// Notes that so many damages were repaired, or cannot be.
    pub(super) fn done(&self, damages: usize) {
        let mut state = self.lock();
        state.unrepaired = state.unrepaired.saturating_sub(damages);
    }

    /// Whether nothing waits to be repaired.
    pub(super) fn is_calm(&self) -> bool {
        self.lock().unrepaired == 0
    }

    /// Waits for work: damage, or the records of some groups. None at the end.
    pub(super) fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        while state.groups.is_empty() && state.damages.is_empty() && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.abandoned {
            return None;
        }
        if !state.damages.is_empty() {
            return Some(Work::Repair(std::mem::take(&mut state.damages)));
        }
        let (mut bytes, mut records) = state.groups.pop_front()?;
        while bytes < TOGETHER
            && let Some((more, group)) = state.groups.pop_front()
        {
            bytes += more;
            records.extend(group);
        }
        state.bytes -= bytes;
        self.changed.notify_all();
        Some(Work::Apply(bytes, records))
    }

    /// Takes no more groups; those that wait are seen through.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Drops what waits: the journal has it.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole at once, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
