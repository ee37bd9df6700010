//! The state that a start reads, from a checkpoint and the journal above it.

use super::recovery::Recovery;
use crate::store::{
    Error, Loaded, Result, Revision,
    durable::{
        checkpoint, damaged,
        index::Index,
        journal::Scan,
        state::{self, Past},
    },
};

impl Recovery<'_> {
    /// The state. With an index only the blocks of the newest checkpoint that are needed are read;
    /// without one, or when they are damaged, checkpoints are read whole.
    pub(super) fn state(
        &mut self,
        mut scan: Scan,
        index: Option<&Index>,
    ) -> Result<(Loaded, Scan)> {
        let newest = self.checkpoints.last().copied();
        let indexed =
            index.map(Index::head).transpose()?.map_or(Revision::MAX, |head| head.revision);
        let quick = (index.is_some() && newest.unwrap_or(0) >= scan.from)
            .then(|| state::objects(self.layout, self.ids, &scan, newest, indexed));
        let objects = match quick {
            Some(Err(Error::Damaged(_))) | None => {
                scan = self.lower(scan)?;
                self.sound_state(&scan, indexed)?
            }
            Some(read) => read?,
        };
        let requests = |past| objects.requests(self.layout, self.ids, past);
        let found = match (requests(Past::Files(&self.history.spans)), index) {
            (Err(Error::Damaged(what)), Some(index)) => {
                tracing::warn!(what, "history is damaged; taking the requests from the index");
                requests(Past::Index(index))?
            }
            (found, _) => found?,
        };
        Ok((objects.with(found), scan))
    }

    /// The state from the newest good checkpoint and the journal.
    fn sound_state(&mut self, scan: &Scan, indexed: Revision) -> Result<state::Objects> {
        let (io, dir) = (&*self.layout.io, self.layout.checkpoints());
        let mut usable: Vec<Option<Revision>> =
            self.checkpoints.iter().filter(|at| **at >= scan.from).copied().map(Some).collect();
        if scan.from == 0 {
            usable.insert(0, None);
        }
        let mut result = Err(damaged(&dir, 0, "no checkpoint fits the journal"));
        let mut bad = Vec::new();
        for base in usable.into_iter().rev() {
            result = self.checked(scan, base, indexed);
            match (&result, base) {
                (Err(Error::Damaged(what)), Some(at)) => {
                    tracing::warn!(what, "a checkpoint is damaged; taking what lies before it");
                    bad.push(at);
                }
                _ => break,
            }
        }
        let found = result?;
        for at in bad {
            // Put aside, so that it counts as none.
            let path = checkpoint::path(&dir, at);
            io.rename(&path, &path.with_extension("damaged"))?;
            self.checkpoints.retain(|kept| *kept != at);
        }
        Ok(found)
    }

    /// The state from a checkpoint, or from nothing, and the journal, once every byte of the
    /// checkpoint was found good.
    fn checked(
        &self,
        scan: &Scan,
        base: Option<Revision>,
        indexed: Revision,
    ) -> Result<state::Objects> {
        if let Some(base) = base {
            let path = checkpoint::path(&self.layout.checkpoints(), base);
            checkpoint::read(&*self.layout.io, &path, self.ids, |_| Ok(()))?;
        }
        state::objects(self.layout, self.ids, scan, base, indexed)
    }
}
