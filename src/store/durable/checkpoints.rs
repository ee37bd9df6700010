//! The thread of checkpoints: it writes the newest state that was committed, once the journal has
//! grown enough, and removes what that makes superfluous. Commits, reads and the index go on
//! meanwhile.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    appender::Appender,
    archive::Archive,
    checkpoint,
    context::Context,
    due::Due,
    files, history,
    journal::Scan,
    state::{self, Past},
};
use crate::store::{Error, Loaded, Result, Revision, State, States};

/// How often the files of a store at work are read until they make sense: a group may be written
/// meanwhile, and files may go.
const READS: u32 = 5;

/// The checkpoints that there are.
#[derive(Debug)]
pub(super) struct Checkpoints {
    context: Arc<Context>,
    appender: Arc<Appender>,
    archive: Arc<Archive>,
    /// Their revisions, rising.
    kept: Mutex<Vec<Revision>>,
    /// Length of the newest one, held by whoever writes one.
    writing: Mutex<u64>,
    due: Arc<Due>,
    /// Where the newest state is found; none reads it from the files.
    states: Mutex<Option<Arc<dyn States>>>,
}

// === impl Checkpoints ===

impl Checkpoints {
    pub(super) fn new(
        context: Arc<Context>,
        appender: Arc<Appender>,
        archive: Arc<Archive>,
        due: Arc<Due>,
        kept: Vec<Revision>,
    ) -> Self {
        // One that cannot be read counts as none: the next is due the sooner.
        let (io, dir) = (&*context.layout.io, context.layout.checkpoints());
        let newest = kept.last().and_then(|at| checkpoint::length(io, &dir, *at).ok());
        let length = newest.unwrap_or(0);
        due.measure(length);
        let (kept, writing, states) = (Mutex::new(kept), Mutex::new(length), Mutex::default());
        Self { context, appender, archive, kept, writing, due, states }
    }

    /// Says where the newest state is found.
    pub(super) fn attach(&self, states: Arc<dyn States>) {
        *lock(&self.states) = Some(states);
    }

    /// Revisions of the checkpoints, rising.
    pub(super) fn kept(&self) -> MutexGuard<'_, Vec<Revision>> {
        lock(&self.kept)
    }

    /// Revision of the newest one; 0 without one.
    pub(super) fn newest(&self) -> Revision {
        self.kept().last().copied().unwrap_or(0)
    }

    /// Writes checkpoints until the store is closed, and at a clean end a last one.
    pub(super) fn run(&self) {
        while self.due.wait() {
            self.checkpoint();
        }
        if !self.context.abandoned() && !self.context.failed() {
            self.checkpoint();
        }
    }

    /// Writes a checkpoint and removes what it makes superfluous. When that fails the journal goes
    /// further back than it need, nothing else is lost, and it is tried again soon.
    fn checkpoint(&self) {
        let counted = self.due.count();
        let Err(error) = self.try_checkpoint() else {
            self.due.cover(counted);
            return;
        };
        self.due.retry();
        if !self.context.abandoned() {
            self.context.meters.checkpoint_failures.increment(1);
            tracing::error!(%error, "a checkpoint could not be written; the journal is kept instead");
        }
        let _writing = lock(&self.writing);
        self.sweep();
    }

    /// Removes what is no checkpoint of the list. The next one tries again, so what cannot be
    /// removed now is removed then.
    fn sweep(&self) {
        if self.context.owned().is_err() {
            return;
        }
        let (io, dir) = (&*self.context.layout.io, self.context.layout.checkpoints());
        for path in files::list_all(io, &dir).unwrap_or_default() {
            if !files::number(&path).is_some_and(|at| self.kept().contains(&at)) {
                io.remove(&path).ok();
            }
        }
    }

    fn try_checkpoint(&self) -> Result<()> {
        if self.write(|revision, newest| revision > newest)?.is_none() {
            return Ok(());
        }
        self.retain(|_| true)?;
        self.release()
    }

    /// Writes a checkpoint of the newest state, if the test wants one of its revision; it also gets
    /// that of the newest checkpoint. Answers its revision.
    pub(super) fn write(
        &self,
        wanted: impl FnOnce(Revision, Revision) -> bool,
    ) -> Result<Option<Revision>> {
        let mut length = lock(&self.writing);
        self.context.owned()?;
        let (io, dir, since) =
            (&*self.context.layout.io, self.context.layout.checkpoints(), Instant::now());
        let state = self.newest_state()?;
        let revision = state.revision();
        if !wanted(revision, self.newest()) {
            return Ok(None);
        }
        self.context.check_space(*length)?;
        *length = checkpoint::write(io, &dir, self.context.ids, &*state, || self.context.go_on())?;
        self.due.measure(*length);
        self.context.meters.checkpoint_seconds.record(since.elapsed());
        tracing::debug!(revision, bytes = *length, "wrote a checkpoint");
        let mut kept = self.kept();
        kept.retain(|at| *at != revision);
        kept.push(revision);
        kept.sort_unstable();
        Ok(Some(revision))
    }

    /// The newest state that was committed.
    pub(super) fn newest_state(&self) -> Result<Arc<dyn State>> {
        let states = lock(&self.states).clone();
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
        let kept = self.kept().clone();
        let spans = self.archive.spans().clone();
        let mut refused = None;
        // A damaged one is left to verification.
        for base in kept.iter().rev().copied().map(Some).chain([None]) {
            let from = match self.archive.unadopted() {
                true => base.unwrap_or(0),
                false => base.unwrap_or(0).min(history::end(&spans)),
            };
            let scan = Scan::read(
                &*self.context.layout.io,
                &self.context.layout.journal(),
                self.context.ids,
                from,
            );
            let read = scan.and_then(|scan| {
                let (layout, ids) = (&self.context.layout, self.context.ids);
                let objects = state::objects(layout, ids, &scan, base, Revision::MAX)?;
                let requests = objects.requests(layout, ids, Past::Files(&spans))?;
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
    pub(super) fn retain(&self, keep: impl Fn(Revision) -> bool) -> Result<()> {
        // Those that hold history stay until it has files of its own.
        if self.archive.unadopted() {
            return Ok(());
        }
        let mut kept = self.kept();
        let before = kept.clone();
        kept.retain(|at| keep(*at));
        let beyond = kept.len().saturating_sub(checkpoint::KEPT);
        kept.drain(..beyond);
        let gone = before.iter().filter(|at| !kept.contains(at));
        let gone: Vec<_> =
            gone.map(|at| checkpoint::path(&self.context.layout.checkpoints(), *at)).collect();
        drop(kept);
        self.context.owned()?;
        for path in gone {
            files::remove(&*self.context.layout.io, &path)?;
        }
        Ok(())
    }

    /// Removes the segments that lie below the oldest checkpoint, and whose records have gone to
    /// history files. While there is one checkpoint alone the journal stays: it is the other way to
    /// the state.
    pub(super) fn release(&self) -> Result<()> {
        if self.kept().len() < checkpoint::KEPT { Ok(()) } else { self.release_damaged() }
    }

    /// The same, where what is released is damaged, and no other way.
    pub(super) fn release_damaged(&self) -> Result<()> {
        let oldest = self.kept().first().copied().unwrap_or(0);
        self.appender.release(oldest.min(self.archive.end()))
    }
}

/// Every change of what these hold is whole at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
