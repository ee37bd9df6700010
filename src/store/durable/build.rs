//! Rebuilding the index, or what it lacks, behind a server that is at work already: from the newest checkpoint that
//! is good from its first byte to its last, and the journal above it.
//!
//! Until it is there, nothing else than history and past changes waits for it. It is built in a
//! folder of its own, which takes the place of the old one once it is whole; a process that ends
//! before leaves a store that builds it at the next start.

use std::{fs, path::Path, sync::Arc};

use super::{
    boot::note_boot,
    checkpoint,
    engine::Engine,
    folder,
    index::Index,
    journal::{self, Scan},
    progress::Upkeep,
};
use crate::store::{Error, Result, Revision};

/// How often the journal is read until it makes sense: a group may be written meanwhile.
const READS: u32 = 5;

// === impl Engine ===

impl Engine {
    /// Builds the index and puts it in its place. An abandoned store is [`Error::Broken`].
    pub(super) fn build(&self, upkeep: &mut Upkeep) -> Result<()> {
        self.owned()?;
        self.queue.pass(true);
        tracing::info!("building the index from checkpoint and journal");
        let fresh = self.place.fresh_index();
        folder::remove(&fresh)?;
        let index = self.fill(&fresh)?;
        let before = self.replay(&index)?;
        // From here on what becomes durable waits in the queue, and the journal has all before it.
        {
            let _writer = self.writer.lock().map_err(|_| Error::Broken)?;
            self.queue.pass(false);
        }
        let after = self.replay(&index)?;
        index.flush()?;
        let index = self.install(index, &fresh)?;
        let (revision, newest) = (index.head()?.revision, self.newest_checkpoint());
        upkeep.uncovered = before.bytes_above(newest) + after.bytes_above(before.end.max(newest));
        tracing::info!(revision, "the index is built");
        self.index.store(Some(Arc::new(index)));
        self.note_progress(upkeep, revision);
        Ok(())
    }

    /// Brings an index that was found at the start to the end of the journal.
    pub(super) fn catch_up(&self, upkeep: &mut Upkeep) -> Result<()> {
        let (index, start) = (self.index()?, upkeep.counted);
        let before = self.replay(&index)?;
        {
            let _writer = self.writer.lock().map_err(|_| Error::Broken)?;
            self.queue.pass(false);
        }
        let after = self.replay(&index)?;
        upkeep.uncovered += before.bytes_above(start) + after.bytes_above(before.end);
        let revision = index.head()?.revision;
        tracing::info!(revision, "the index has caught up with the journal");
        self.note_progress(upkeep, revision);
        Ok(())
    }

    /// Puts an index in its place.
    fn install(&self, index: Index, fresh: &Path) -> Result<Index> {
        let folder = self.place.index();
        drop(index);
        folder::make_ready(fresh)?;
        self.owned()?;
        folder::remove(&folder)?;
        fs::rename(fresh, &folder)?;
        let index = Index::open(&folder, self.ids, self.settings.retention)?;
        note_boot(&self.place);
        Ok(index)
    }

    /// A new index with the content of the newest good checkpoint.
    fn fill(&self, fresh: &Path) -> Result<Index> {
        let keep = self.settings.retention;
        let bases: Vec<_> = self.checkpoints().iter().rev().copied().collect();
        for base in bases {
            let index = Index::open(fresh, self.ids, keep)?;
            match self.import(&index, base) {
                Ok(()) => return Ok(index),
                Err(Error::Damaged(what)) => {
                    tracing::warn!(what, "a checkpoint is damaged; taking what lies before it");
                }
                Err(error) => return Err(error),
            }
            drop(index);
            folder::make_ready(fresh)?;
            folder::remove(fresh)?;
        }
        Index::open(fresh, self.ids, keep)
    }

    fn import(&self, index: &Index, base: Revision) -> Result<()> {
        let path = checkpoint::path(&self.place.checkpoints(), base);
        index.import(|each| {
            checkpoint::read(&*self.place.io, &path, self.ids, |entry| {
                self.go_on()?;
                each(entry)
            })
        })
    }

    /// Adds what the journal holds above the index.
    fn replay(&self, index: &Index) -> Result<Scan> {
        let mut reads = 1;
        loop {
            match self.try_replay(index) {
                Err(Error::Damaged(_)) if reads < READS => reads += 1,
                replayed => return replayed,
            }
        }
    }

    fn try_replay(&self, index: &Index) -> Result<Scan> {
        let (io, journal) = (&*self.place.io, self.place.journal());
        let above = index.head()?.revision;
        let scan = Scan::read(io, &journal, self.ids, above)?;
        journal::replay(io, &journal, self.ids, &scan, above, |records| {
            self.go_on()?;
            index.apply(&records)
        })?;
        Ok(scan)
    }

    fn go_on(&self) -> Result<()> {
        if self.queue.abandoned() { Err(Error::Broken) } else { Ok(()) }
    }

    /// Revision of the newest checkpoint; 0 without one.
    pub(super) fn newest_checkpoint(&self) -> Revision {
        self.checkpoints().last().copied().unwrap_or(0)
    }
}
