//! Rebuilding the index, or what it lacks, behind a server that is at work already: from history files
//! that are sound from their first byte to their last, and the journal above them.
//!
//! Until it is there, nothing else than history and past changes waits for it. It is built in a
//! folder of its own, which takes the place of the old one once it is whole; a process that ends
//! before leaves a store that builds it at the next start.

use std::{fs, path::Path};

use super::{
    archive::Archive,
    boot::note_boot,
    checkpoints::Checkpoints,
    context::Context,
    folder, history,
    index::Index,
    journal::{self, Scan},
    state,
};
use crate::store::{Error, Result};

/// How often the journal is read until it makes sense: a group may be written meanwhile.
const READS: u32 = 5;

/// Rebuilds an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rebuild<'a> {
    pub(super) context: &'a Context,
    pub(super) archive: &'a Archive,
    pub(super) checkpoints: &'a Checkpoints,
}

// === impl Rebuild ===

impl Rebuild<'_> {
    /// Puts an index in its place.
    pub(super) fn install(&self, index: Index, fresh: &Path) -> Result<Index> {
        let folder = self.context.layout.index();
        drop(index);
        folder::make_ready(fresh)?;
        self.context.owned()?;
        folder::remove(&folder)?;
        fs::rename(fresh, &folder)?;
        let index = Index::open(&folder, self.context.ids, self.context.settings.retention)?;
        note_boot(&self.context.layout);
        Ok(index)
    }

    /// A new index with what history files hold.
    pub(super) fn fill(&self, fresh: &Path) -> Result<Index> {
        self.archive.adopt(&self.checkpoints.kept().clone())?;
        let (io, dir) = (&*self.context.layout.io, self.context.layout.history());
        let spans = self.archive.spans().clone();
        for span in &spans {
            let path = history::path(&dir, *span);
            match history::read(io, &path, self.context.ids, |_| self.context.go_on()) {
                Err(Error::Damaged(what)) => self.archive.give_up(*span, &what)?,
                read => drop(read?),
            }
        }
        let index = Index::open(fresh, self.context.ids, self.context.settings.retention)?;
        let mut import = index.begin_import();
        for span in spans {
            let head = history::read(io, &history::path(&dir, span), self.context.ids, |entry| {
                self.context.go_on()?;
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
        let removed = state::keys(&self.context.layout, self.context.ids, newest)
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
    pub(super) fn replay(&self, index: &Index) -> Result<Scan> {
        let mut reads = 1;
        loop {
            match self.try_replay(index) {
                Err(Error::Damaged(_)) if reads < READS => reads += 1,
                replayed => return replayed,
            }
        }
    }

    fn try_replay(&self, index: &Index) -> Result<Scan> {
        let (io, journal) = (&*self.context.layout.io, self.context.layout.journal());
        let above = index.head()?.revision;
        let scan = Scan::read(io, &journal, self.context.ids, above)?;
        journal::replay(io, &journal, self.context.ids, &scan, above, |records| {
            self.context.go_on()?;
            index.apply(&records)
        })?;
        Ok(scan)
    }
}
