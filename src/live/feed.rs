//! Commits on their way from the ledger to the hub: a bounded queue that never holds up a writer.
//!
//! While the hub falls behind, the oldest commits that wait are united: what is kept of them is that
//! every stream must be compared, and which kinds of changes there were. Their records and the
//! catalogs between them go. Streams are sent the newest state only, so nothing is lost but the
//! precision of `causes` (SPEC §10.1 rule 6 unites them anyway).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use super::cause::Changes;
use crate::{catalog::Catalog, ledger::Committed};

/// Most commits that wait whole.
pub(super) const MAX_WAITING: usize = 1_024;
/// Most commits that are looked at together.
const BATCH: usize = 256;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Feed {
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    united: Option<United>,
    commits: VecDeque<Committed>,
    /// When each of them was committed.
    times: VecDeque<Instant>,
    closed: bool,
}

/// Commits that waited too long to be kept one by one.
#[derive(Debug)]
pub(super) struct United {
    pub(super) changes: Changes,
    /// The catalog after the last of them.
    pub(super) after: Arc<Catalog>,
    /// When the first of them was committed.
    first: Instant,
}

/// What the hub looks at together, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) united: Option<United>,
    pub(super) commits: Vec<Committed>,
    /// When each commit was made; of those that were united, the first.
    pub(super) times: Vec<Instant>,
}

impl Feed {
    /// Adds a commit.
    pub(super) fn push(&self, committed: Committed) {
        let mut queue = self.queue();
        queue.commits.push_back(committed);
        queue.times.push_back(Instant::now());
        if queue.commits.len() > MAX_WAITING {
            queue.unite_oldest();
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// Waits for commits; none once the feed is closed.
    pub(super) async fn next(&self) -> Option<Batch> {
        loop {
            {
                let mut queue = self.queue();
                if queue.closed {
                    return None;
                }
                if queue.united.is_some() || !queue.commits.is_empty() {
                    let count = queue.commits.len().min(BATCH);
                    let commits = queue.commits.drain(..count).collect();
                    let united = queue.united.take();
                    let first = united.as_ref().map(|united| united.first);
                    let times = first.into_iter().chain(queue.times.drain(..count)).collect();
                    return Some(Batch { united, commits, times });
                }
            }
            self.ready.notified().await;
        }
    }

    /// Ends the feed; what waits is dropped.
    pub(super) fn close(&self) {
        self.queue().closed = true;
        self.ready.notify_one();
    }

    /// How many commits wait whole.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue().commits.len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn unite_oldest(&mut self) {
        let (Some(oldest), Some(time)) = (self.commits.pop_front(), self.times.pop_front()) else {
            return;
        };
        let (mut changes, first) = match self.united.take() {
            Some(united) => (united.changes, united.first),
            None => (Changes::default(), time),
        };
        changes.add(&oldest);
        changes.unite();
        self.united = Some(United { changes, after: oldest.after, first });
    }
}

impl Batch {
    /// The newest catalog, unless the batch is empty.
    pub(super) fn after(&self) -> Option<&Arc<Catalog>> {
        let united = self.united.as_ref().map(|united| &united.after);
        self.commits.last().map(|committed| &committed.after).or(united)
    }

    /// What the commits changed.
    pub(super) fn changes(&mut self) -> Changes {
        let mut changes = self.united.take().map(|united| united.changes).unwrap_or_default();
        self.commits.iter().for_each(|committed| changes.add(committed));
        changes
    }
}
