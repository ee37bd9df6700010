//! Rebuilding the index, or what it lacks, behind a server that is at work already: from history files
//! that are sound from their first byte to their last, and the journal above them.
//!
//! Until it is there, nothing else than history and past changes waits for it. It is built in a
//! folder of its own, which takes the place of the old one once it is whole; a process that ends
//! before leaves a store that builds it at the next start.

use std::{fs, path::Path, sync::Arc};

use super::{
    boot::note_boot,
    engine::Engine,
    folder, history,
    index::Index,
    journal::{self, Scan},
    progress::Upkeep,
    state,
};
use crate::store::{Error, Result};

/// How often the journal is read until it makes sense: a group may be written meanwhile.
const READS: u32 = 5;

// === impl Engine ===

impl Engine {
    /// Builds the index and puts it in its place. An abandoned store is [`Error::Broken`].
    pub(super) fn build(&self, upkeep: &mut Upkeep) -> Result<()> {
        self.owned()?;
        self.queue.pass(true);
        tracing::info!("building the index from history files and journal");
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
        let (revision, archived) = (index.head()?.revision, history::end(&self.history()));
        upkeep.unwritten =
            before.bytes_above(archived) + after.bytes_above(before.end.max(archived));
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
        upkeep.unwritten += before.bytes_above(start) + after.bytes_above(before.end);
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

    /// A new index with what history files hold.
    fn fill(&self, fresh: &Path) -> Result<Index> {
        self.adopt()?;
        let (io, dir) = (&*self.place.io, self.place.history());
        let spans = self.history().clone();
        for span in &spans {
            let path = history::path(&dir, *span);
            match history::read(io, &path, self.ids, |_| self.go_on()) {
                Err(Error::Damaged(what)) => self.give_up_history(*span, &what)?,
                read => drop(read?),
            }
        }
        let index = Index::open(fresh, self.ids, self.settings.retention)?;
        let mut import = index.begin_import();
        for span in spans {
            let head = history::read(io, &history::path(&dir, span), self.ids, |entry| {
                self.go_on()?;
                import.add(entry)
            })?;
            import.end_file(head)?;
        }
        import.finish()?;
        self.remove_ended(&index)?;
        Ok(index)
    }

    /// Removes the histories of objects whose end is past keeping, as the newest checkpoint has it.
    fn remove_ended(&self, index: &Index) -> Result<()> {
        let Some(newest) = self.checkpoints.kept().last().copied() else { return Ok(()) };
        let removed = state::keys(&self.place, self.ids, newest)
            .and_then(|mut keys| index.remove_ended(newest, &mut keys));
        match removed {
            // Verification sees to it; until then, some histories go back further than they need.
            Err(Error::Damaged(what)) => {
                tracing::warn!(what, "a checkpoint is damaged");
                Ok(())
            }
            removed => removed,
        }
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

    pub(super) fn go_on(&self) -> Result<()> {
        if self.queue.abandoned() { Err(Error::Broken) } else { Ok(()) }
    }
}
