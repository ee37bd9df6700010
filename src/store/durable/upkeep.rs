//! When checkpoints are written, and what they make superfluous. All of it is the work of the thread
//! of the index.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Instant,
};

use super::{checkpoint, engine::Engine, files, progress::Upkeep};
use crate::store::{Error, Result, Revision};

// === impl Engine ===

impl Engine {
    /// Writes a checkpoint and removes what it makes superfluous. When that fails the journal goes
    /// further back than it need, nothing else is lost, and it is tried again soon.
    pub(super) fn checkpoint(&self, upkeep: &mut Upkeep) {
        let Err(error) = self.try_checkpoint(upkeep) else {
            upkeep.uncovered = 0;
            return;
        };
        upkeep.uncovered = self.settings.checkpoint_bytes - self.settings.checkpoint_bytes / 8;
        if !self.queue.abandoned() {
            self.meters.checkpoint_failures.increment(1);
            tracing::error!(%error, "a checkpoint could not be written; the journal is kept instead");
        }
        self.sweep();
    }

    /// Removes what is no checkpoint of the list. The next one tries again, so what cannot be
    /// removed now is removed then.
    pub(super) fn sweep(&self) {
        if self.owned().is_err() {
            return;
        }
        let (io, dir) = (&*self.place.io, self.place.checkpoints());
        for path in files::list_all(io, &dir).unwrap_or_default() {
            if !files::number(&path).is_some_and(|at| self.checkpoints().contains(&at)) {
                io.remove(&path).ok();
            }
        }
    }

    fn try_checkpoint(&self, upkeep: &mut Upkeep) -> Result<()> {
        let head = self.index()?.head()?;
        if self.checkpoints().last().copied().unwrap_or(0) >= head.revision {
            return Ok(());
        }
        self.write_checkpoint(upkeep)?;
        self.retain_checkpoints(|_| true)?;
        if self.checkpoints().len() < checkpoint::KEPT { Ok(()) } else { self.release() }
    }

    /// Writes a checkpoint of the index as it is now; its revision.
    pub(super) fn write_checkpoint(&self, upkeep: &mut Upkeep) -> Result<Revision> {
        self.owned()?;
        let (io, dir, since) = (&*self.place.io, self.place.checkpoints(), Instant::now());
        let head = self.index()?.head()?;
        self.check_space(upkeep.length)?;
        let writer = self.index()?.export(
            |head| Ok(checkpoint::Writer::new(io, &dir, self.ids, head)?),
            |writer, entry| match self.queue.abandoned() {
                true => Err(Error::Broken),
                false => Ok(writer.add(entry)?),
            },
        )?;
        upkeep.length = writer.finish()?;
        self.meters.checkpoint_seconds.record(since.elapsed());
        tracing::debug!(revision = head.revision, bytes = upkeep.length, "wrote a checkpoint");
        let mut checkpoints = self.checkpoints();
        checkpoints.retain(|at| *at != head.revision);
        checkpoints.push(head.revision);
        Ok(head.revision)
    }

    /// Removes the checkpoints that the test does not keep, and of the others all but the newest.
    pub(super) fn retain_checkpoints(&self, keep: impl Fn(Revision) -> bool) -> Result<()> {
        let mut checkpoints = self.checkpoints();
        let before = checkpoints.clone();
        checkpoints.retain(|at| keep(*at));
        let beyond = checkpoints.len().saturating_sub(checkpoint::KEPT);
        checkpoints.drain(..beyond);
        let gone = before.iter().filter(|at| !checkpoints.contains(at));
        let gone: Vec<_> =
            gone.map(|at| checkpoint::path(&self.place.checkpoints(), *at)).collect();
        drop(checkpoints);
        self.owned()?;
        for path in gone {
            files::remove(&*self.place.io, &path)?;
        }
        Ok(())
    }

    /// Removes the segments that lie below the oldest checkpoint.
    pub(super) fn release(&self) -> Result<()> {
        self.owned()?;
        let Some(oldest) = self.checkpoints().first().copied() else {
            return Ok(());
        };
        // The index must not fall back behind the journal when the process is killed.
        self.index()?.flush()?;
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        let superfluous = writer.journal.release(oldest);
        drop(writer);
        let io = &*self.place.io;
        for path in &superfluous {
            io.remove(path)?;
        }
        if superfluous.is_empty() { Ok(()) } else { Ok(io.sync_dir(&self.place.journal())?) }
    }

    /// Revisions of the checkpoints, rising.
    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Vec<Revision>> {
        // Every change is whole at once.
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
