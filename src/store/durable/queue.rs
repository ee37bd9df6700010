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
/// Longest that groups are gathered while nobody waits for the index. Each write to sled wakes its
/// threads, however much it holds.
pub(super) const GATHER: Duration = Duration::from_millis(20);

/// Groups on their way from the journal to the index.
#[derive(Debug)]
pub(super) struct Queue {
    gather: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    groups: VecDeque<(usize, Vec<Stored>)>,
    bytes: usize,
    /// Whether somebody waits for what is here, or on its way here.
    awaited: bool,
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
    /// An empty queue, which gathers groups for so long.
    pub(super) fn new(gather: Duration) -> Self {
        Self { gather, state: Mutex::default(), changed: Condvar::new() }
    }

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
        // While groups are gathered, one more is no reason to wake.
        if state.groups.len() == 1 || !state.gathers() {
            self.changed.notify_all();
        }
    }

    /// Has all that waits taken at once: somebody waits for the index.
    pub(super) fn hurry(&self) {
        let mut state = self.lock();
        state.awaited = true;
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
        let idle = |state: &mut State| {
            state.groups.is_empty() && state.damages.is_empty() && !state.closed
        };
        let state = self.changed.wait_while(self.lock(), idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let gathered = self.changed.wait_timeout_while(state, self.gather, |state| state.gathers());
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
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
        state.awaited &= !state.groups.is_empty();
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

// === impl State ===

impl State {
    /// Whether the groups that wait may wait for others to come.
    fn gathers(&self) -> bool {
        let Self { groups, bytes, awaited, damages, closed, .. } = self;
        !groups.is_empty() && *bytes < TOGETHER && !awaited && damages.is_empty() && !closed
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// What is taken of two groups, of which the second comes while the first is gathered, when
    /// something ends that.
    fn taken(end: impl FnOnce(&Queue)) -> Option<usize> {
        let queue = Queue::new(HOUR);
        thread::scope(|threads| {
            let taker = threads.spawn(|| queue.take());
            for _ in 0..2 {
                queue.push(10, Vec::new());
                assert!(queue.lock().gathers());
            }
            end(&queue);
            assert!(!queue.lock().gathers());
            match taker.join().expect("the taker ends") {
                Some(Work::Apply(bytes, _)) => Some(bytes),
                Some(Work::Repair(_)) => Some(0),
                None => None,
            }
        })
    }

    #[test]
    fn groups_are_gathered_until_somebody_waits_or_there_is_other_work() {
        assert_eq!(taken(Queue::hurry), Some(20));
        assert_eq!(taken(Queue::close), Some(20));
        assert_eq!(taken(|queue| queue.push(TOGETHER, Vec::new())), Some(20 + TOGETHER));
        assert_eq!(taken(|queue| queue.repair(Damage::Checkpoint(1))), Some(0));
        assert_eq!(taken(Queue::abandon), None);
    }

    #[test]
    fn who_waits_hurries_all_that_is_there_and_no_more() {
        let queue = Queue::new(HOUR);
        queue.hurry();
        queue.push(TOGETHER, Vec::new());
        queue.push(10, Vec::new());
        for bytes in [TOGETHER, 10] {
            let taken = queue.take();
            assert!(matches!(taken, Some(Work::Apply(taken, _)) if taken == bytes), "{taken:?}");
        }
        assert!(!queue.lock().awaited);
    }
}
