//! Building the index anew, behind a server that is at work already: from the checkpoint and the
//! journal that the state was read from.
//!
//! Until it is there, nothing else than history and past changes waits for it. It is built in a
//! folder of its own, which takes the place of the old one once it is whole; a process that ends
//! before leaves a store that builds it at the next start.

use std::fs;

use super::{
    boot::note_boot,
    checkpoint,
    engine::{Engine, Progress},
    folder,
    index::Index,
    journal::{self, Scan},
};
use crate::store::{Error, Result, Revision};

/// What an index is to be built from.
#[derive(Debug)]
pub(super) struct Plan {
    /// The checkpoint; none to begin with nothing.
    pub(super) base: Option<Revision>,
    /// The journal, as far as it went at the start.
    pub(super) scan: Scan,
}

// === impl Engine ===

impl Engine {
    /// Builds the index and puts it in its place. An abandoned store is [`Error::Broken`].
    pub(super) fn build(&self, plan: &Plan) -> Result<()> {
        tracing::info!(
            checkpoint = plan.base,
            journal = plan.scan.end,
            "building the index from checkpoint and journal"
        );
        let (folder, fresh) = (self.place.index(), self.place.fresh_index());
        folder::remove(&fresh)?;
        self.fill(&Index::open(&fresh, self.ids, self.settings.retention.records)?, plan)?;
        folder::make_ready(&fresh)?;
        folder::remove(&folder)?;
        fs::rename(&fresh, &folder)?;
        let index = Index::open(&folder, self.ids, self.settings.retention.records)?;
        note_boot(&self.place);
        if self.index.set(index).is_err() {
            return Err(Error::Engine("the index was there before it was built".to_owned()));
        }
        tracing::info!(revision = plan.scan.end, "the index is built");
        self.progress.send_replace(Progress { revision: plan.scan.end, ended: false });
        Ok(())
    }

    fn fill(&self, index: &Index, plan: &Plan) -> Result<()> {
        let io = &*self.place.io;
        let go_on = || if self.queue.abandoned() { Err(Error::Broken) } else { Ok(()) };
        if let Some(base) = plan.base {
            let path = checkpoint::path(&self.place.checkpoints(), base);
            index.import(|each| {
                checkpoint::read(io, &path, self.ids, |entry| go_on().and_then(|()| each(entry)))
            })?;
        }
        let (above, journal) = (index.head()?.revision, self.place.journal());
        journal::replay(io, &journal, self.ids, &plan.scan, above, |records| {
            go_on().and_then(|()| index.apply(&records))
        })?;
        index.flush()
    }
}
