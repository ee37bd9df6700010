//! The thread of checkpoints: it writes the newest state that was committed, once the journal has
//! grown enough, and removes what that makes superfluous. Commits, reads and the index go on
//! meanwhile.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    checkpoint,
    engine::Engine,
    files, history,
    journal::Scan,
    state::{self, Past},
};
use crate::store::{Error, Loaded, Result, Revision, State, States};

/// How often the files of a store at work are read until they make sense: a group may be written
/// meanwhile, and files may go.
const READS: u32 = 5;

/// The checkpoints that there are, and when the next one is due.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Their revisions, rising.
    kept: Mutex<Vec<Revision>>,
    /// Length of the last one that was written here, held by whoever writes one.
    writing: Mutex<u64>,
    due: Mutex<Due>,
    changed: Condvar,
    /// Where the newest state is found; none reads it from the files.
    states: Mutex<Option<Arc<dyn States>>>,
}

#[derive(Debug)]
struct Due {
    /// Bytes of the journal since the newest checkpoint.
    uncovered: u64,
    closed: bool,
}

// === impl Checkpoints ===

impl Checkpoints {
    pub(super) fn new(kept: Vec<Revision>, uncovered: u64) -> Self {
        Self {
            kept: Mutex::new(kept),
            writing: Mutex::default(),
            due: Mutex::new(Due { uncovered, closed: false }),
            changed: Condvar::new(),
            states: Mutex::default(),
        }
    }

    pub(super) fn attach(&self, states: Arc<dyn States>) {
        *lock(&self.states) = Some(states);
    }

    /// Counts a group of the journal.
    pub(super) fn add(&self, bytes: usize) {
        lock(&self.due).uncovered += bytes as u64;
        self.changed.notify_all();
    }

    /// Ends the thread, which may write a last one.
    pub(super) fn close(&self) {
        lock(&self.due).closed = true;
        self.changed.notify_all();
    }

    /// Notes after a try how many bytes count from then on.
    fn rest(&self, uncovered: impl FnOnce(&Due) -> u64) {
        let mut due = lock(&self.due);
        due.uncovered = uncovered(&due);
        self.changed.notify_all();
    }

    /// Waits until none is due.
    #[cfg(test)]
    pub(super) fn rested(&self, bytes: u64) {
        let due = lock(&self.due);
        drop(self.changed.wait_while(due, |due| due.uncovered >= bytes && !due.closed));
    }

    /// Waits until one is due; false at the end.
    fn wait(&self, bytes: u64) -> bool {
        let due = self
            .changed
            .wait_while(lock(&self.due), |due| due.uncovered < bytes && !due.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !due.closed
    }

    /// Revisions of the checkpoints, rising.
    pub(super) fn kept(&self) -> MutexGuard<'_, Vec<Revision>> {
        lock(&self.kept)
    }

    /// Revision of the newest one; 0 without one.
    pub(super) fn newest(&self) -> Revision {
        self.kept().last().copied().unwrap_or(0)
    }
}

/// Every change of what these hold is whole at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Engine ===

impl Engine {
    /// Writes checkpoints until the store is closed, and at a clean end a last one.
    pub(super) fn write_checkpoints(&self) {
        let bytes = self.settings.checkpoint_bytes;
        while self.checkpoints.wait(bytes) {
            self.checkpoint(bytes);
        }
        if !self.queue.abandoned() && !self.failed() {
            self.checkpoint(bytes);
        }
    }

    /// Writes a checkpoint and removes what it makes superfluous. When that fails the journal goes
    /// further back than it need, nothing else is lost, and it is tried again soon.
    fn checkpoint(&self, bytes: u64) {
        let counted = lock(&self.checkpoints.due).uncovered;
        let Err(error) = self.try_checkpoint() else {
            self.checkpoints.rest(|due| due.uncovered - counted);
            return;
        };
        self.checkpoints.rest(|_| bytes - bytes / 8);
        if !self.queue.abandoned() {
            self.meters.checkpoint_failures.increment(1);
            tracing::error!(%error, "a checkpoint could not be written; the journal is kept instead");
        }
        let _writing = lock(&self.checkpoints.writing);
        self.sweep();
    }

    /// Removes what is no checkpoint of the list. The next one tries again, so what cannot be
    /// removed now is removed then.
    fn sweep(&self) {
        if self.owned().is_err() {
            return;
        }
        let (io, dir) = (&*self.place.io, self.place.checkpoints());
        for path in files::list_all(io, &dir).unwrap_or_default() {
            if !files::number(&path).is_some_and(|at| self.checkpoints.kept().contains(&at)) {
                io.remove(&path).ok();
            }
        }
    }

    fn try_checkpoint(&self) -> Result<()> {
        if self.write_newest(|revision, newest| revision > newest)?.is_none() {
            return Ok(());
        }
        self.retain_checkpoints(|_| true)?;
        if self.checkpoints.kept().len() < checkpoint::KEPT { Ok(()) } else { self.release() }
    }

    /// Writes a checkpoint of the newest state, if the test wants one of its revision; it also gets
    /// that of the newest checkpoint. Answers its revision.
    pub(super) fn write_newest(
        &self,
        wanted: impl FnOnce(Revision, Revision) -> bool,
    ) -> Result<Option<Revision>> {
        let mut length = lock(&self.checkpoints.writing);
        self.owned()?;
        let (io, dir, since) = (&*self.place.io, self.place.checkpoints(), Instant::now());
        let state = self.newest_state()?;
        let revision = state.revision();
        if !wanted(revision, self.checkpoints.newest()) {
            return Ok(None);
        }
        self.check_space(*length)?;
        let go_on = || if self.queue.abandoned() { Err(Error::Broken) } else { Ok(()) };
        *length = checkpoint::write(io, &dir, self.ids, &*state, go_on)?;
        self.meters.checkpoint_seconds.record(since.elapsed());
        tracing::debug!(revision, bytes = *length, "wrote a checkpoint");
        let mut kept = self.checkpoints.kept();
        kept.retain(|at| *at != revision);
        kept.push(revision);
        kept.sort_unstable();
        Ok(Some(revision))
    }

    /// The newest state that was committed.
    pub(super) fn newest_state(&self) -> Result<Arc<dyn State>> {
        let states = lock(&self.checkpoints.states).clone();
        match states {
            Some(states) => Ok(states.newest()),
            None => Ok(Arc::new(self.read_state()?)),
        }
    }

    /// The state as the files have it, which may be read while a group is written.
    pub(super) fn read_state(&self) -> Result<Loaded> {
        let mut reads = 1;
        loop {
            match self.try_read_state() {
                Err(Error::Damaged(_) | Error::Engine(_)) if reads < READS => reads += 1,
                read => return read,
            }
        }
    }

    fn try_read_state(&self) -> Result<Loaded> {
        let kept = self.checkpoints.kept().clone();
        let spans = self.history().clone();
        let mut refused = None;
        // A damaged one is left to verification.
        for base in kept.iter().rev().copied().map(Some).chain([None]) {
            let from = match self.unadopted() {
                true => base.unwrap_or(0),
                false => base.unwrap_or(0).min(history::end(&spans)),
            };
            let scan = Scan::read(&*self.place.io, &self.place.journal(), self.ids, from);
            let read = scan.and_then(|scan| {
                let objects = state::objects(&self.place, self.ids, &scan, base)?;
                let requests = objects.requests(&self.place, self.ids, Past::Files(&spans))?;
                Ok(objects.with(requests))
            });
            match read {
                Err(error @ Error::Damaged(_)) => drop(refused.get_or_insert(error)),
                read => return read,
            }
        }
        Err(refused.unwrap_or(Error::Broken))
    }

    /// Removes the checkpoints that the test does not keep, and of the others all but the newest.
    pub(super) fn retain_checkpoints(&self, keep: impl Fn(Revision) -> bool) -> Result<()> {
        // Those that hold history stay until it has files of its own.
        if self.unadopted() {
            return Ok(());
        }
        let mut kept = self.checkpoints.kept();
        let before = kept.clone();
        kept.retain(|at| keep(*at));
        let beyond = kept.len().saturating_sub(checkpoint::KEPT);
        kept.drain(..beyond);
        let gone = before.iter().filter(|at| !kept.contains(at));
        let gone: Vec<_> =
            gone.map(|at| checkpoint::path(&self.place.checkpoints(), *at)).collect();
        drop(kept);
        self.owned()?;
        for path in gone {
            files::remove(&*self.place.io, &path)?;
        }
        Ok(())
    }

    /// Removes the segments that lie below the oldest checkpoint, and whose records have gone to
    /// history files.
    pub(super) fn release(&self) -> Result<()> {
        self.owned()?;
        let oldest = self.checkpoints.kept().first().copied().unwrap_or(0);
        let superfluous = oldest.min(history::end(&self.history()));
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        let superfluous = writer.journal.release(superfluous);
        drop(writer);
        let io = &*self.place.io;
        for path in &superfluous {
            io.remove(path)?;
        }
        if superfluous.is_empty() { Ok(()) } else { Ok(io.sync_dir(&self.place.journal())?) }
    }
}
