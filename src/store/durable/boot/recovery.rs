//! What a start finds, before it changes anything: marks, names, the journal, and whether the index can
//! be used.

use std::io;

use super::marks::{ignore_damaged_mark, note_boot};
use crate::store::{
    Error, Result, Revision,
    durable::{
        Ids, Layout, Settings, checkpoint, damaged, folder, history,
        index::Index,
        journal::{self, Scan},
        mark::{self, Boot, State},
        sorted::{self, WITH_HISTORY},
    },
};

/// The index at a start.
#[derive(Debug)]
pub(in crate::store::durable) enum Found {
    /// It is open, and whole up to the end of the journal.
    Whole(Index),
    /// It is open, and whole up to that revision.
    Behind(Index, Revision),
    /// It is to be built.
    Lost,
}

/// What is known before anything is changed.
pub(in crate::store::durable) struct Recovery<'a> {
    pub(super) layout: &'a Layout,
    settings: &'a Settings,
    pub(super) ids: Ids,
    /// Where the store was closed; none if it was not.
    pub(in crate::store::durable) closed_at: Option<Revision>,
    /// Whether it was closed with a whole index on the disk.
    pub(in crate::store::durable) indexed: bool,
    /// Whether the machine is up since the index was whole.
    pub(in crate::store::durable) same_boot: bool,
    pub(super) checkpoints: Vec<Revision>,
    pub(super) history: history::Files,
    /// Whether history is in checkpoints alone.
    pub(super) unadopted: bool,
}

/// Whether one of the checkpoints is of a format that holds history. One whose header cannot be read
/// says nothing.
pub(in crate::store::durable) fn hold_history(
    layout: &Layout,
    ids: Ids,
    checkpoints: &[Revision],
) -> Result<bool> {
    for at in checkpoints {
        let path = checkpoint::path(&layout.checkpoints(), *at);
        let format = sorted::format(&*layout.io, &path, checkpoint::KIND, ids)?;
        if format.is_some_and(|format| format <= WITH_HISTORY) {
            return Ok(true);
        }
    }
    Ok(false)
}

// === impl Recovery ===

impl<'a> Recovery<'a> {
    /// Looks at marks and names.
    pub(in crate::store::durable) fn inspect(
        layout: &'a Layout,
        settings: &'a Settings,
        ids: Ids,
    ) -> Result<Self> {
        let (io, dir) = (&*layout.io, layout.folder.as_path());
        let checkpoints = checkpoint::list(io, &layout.checkpoints())?;
        let state = ignore_damaged_mark(mark::read::<State>(io, dir))?;
        let state = state.filter(|state| state.incarnation == ids.incarnation);
        let indexed = state.as_ref().is_some_and(|state| !state.unindexed);
        let closed_at = state.and_then(|state| state.closed_at);
        let indexed = indexed && closed_at.is_some();
        let noted = ignore_damaged_mark(mark::read::<Boot>(io, dir))?.map(|boot| boot.boot_id);
        let same_boot = noted.is_some() && noted == layout.boot_id;
        let history = history::Files::list(io, &layout.history())?;
        let unadopted = history.spans.is_empty() && hold_history(layout, ids, &checkpoints)?;
        Ok(Self {
            layout,
            settings,
            ids,
            closed_at,
            indexed,
            same_boot,
            checkpoints,
            history,
            unadopted,
        })
    }

    /// The revision from which on the journal holds what history files do not; none while
    /// checkpoints hold history.
    fn unwritten_from(&self) -> Option<Revision> {
        (!self.unadopted).then(|| self.history.end())
    }

    /// The revisions that ways to the state, and to an index, begin at, rising: nothing, or a
    /// checkpoint, and the journal above it.
    fn ways(&self) -> Result<Vec<Revision>> {
        let kept = self.checkpoints.iter().rev().take(checkpoint::KEPT).rev().copied();
        let nothing = (self.checkpoints.len() < checkpoint::KEPT).then_some(0);
        let segments = journal::list(&*self.layout.io, &self.layout.journal())?;
        let first = segments.first().copied().unwrap_or(0);
        let states = nothing.into_iter().chain(kept).filter(|way| *way >= first);
        let from = |state| self.unwritten_from().map_or(state, |from: Revision| from.min(state));
        let mut ways: Vec<_> = states.map(from).collect();
        ways.dedup();
        if ways.is_empty() {
            ways.push(from(0));
        }
        Ok(ways)
    }

    /// The journal from the first of these ways on that has no gap behind it.
    fn scan_from(&self, ways: &[Revision]) -> Result<Scan> {
        Scan::read_by(&*self.layout.io, &self.layout.journal(), self.ids, ways)
    }

    /// The revision that a start begins at after a clean stop that waited for the index.
    fn usual(&self, closed_at: Revision) -> Revision {
        let newest = self.checkpoints.last().copied().unwrap_or(0);
        self.unwritten_from().map_or(closed_at, |from| from.min(closed_at)).min(newest)
    }

    /// Looks at the journal as far as it is needed, and checks it against the marks.
    pub(in crate::store::durable) fn scan(&self) -> Result<Scan> {
        let dir = self.layout.journal();
        self.history.check(&self.layout.history())?;
        let scan = match self.closed_at {
            Some(closed_at) if self.indexed => {
                Scan::read(&*self.layout.io, &dir, self.ids, self.usual(closed_at))?
            }
            _ => self.scan_from(&self.ways()?)?,
        };
        let ends = |known: &str, at: Revision| {
            let what =
                format!("the journal ends at revision {}, but {known} revision {at}", scan.end);
            Err(damaged(&dir, 0, &what))
        };
        match (self.closed_at, self.checkpoints.last()) {
            (Some(closed_at), _) if closed_at != scan.end || scan.torn() => {
                ends("the store was closed at", closed_at)
            }
            (_, Some(&newest)) if newest > scan.end => ends("a checkpoint is of", newest),
            _ if self.history.end() > scan.end => ends("history goes up to", self.history.end()),
            _ => Ok(scan),
        }
    }

    /// The journal as far as any way to the state needs it.
    pub(super) fn lower(&self, scan: Scan) -> Result<Scan> {
        let ways = self.ways()?;
        if ways.first().is_some_and(|lowest| scan.from <= *lowest) {
            return Ok(scan);
        }
        let lower = self.scan_from(&ways)?;
        Ok(if lower.from < scan.from { lower } else { scan })
    }

    /// The index, if it can be used; and the journal as far as the start needs it.
    pub(super) fn index(&mut self, scan: Scan) -> Result<(Option<Index>, Scan)> {
        if let Some(index) = self.open_index(&scan)? {
            return Ok((Some(index), scan));
        }
        Ok((None, self.lower(scan)?))
    }

    /// Opens the index, if it can be relied on and the journal can be replayed above it.
    fn open_index(&self, scan: &Scan) -> Result<Option<Index>> {
        if !self.indexed && !self.same_boot {
            return Ok(None);
        }
        let index = match Index::open(&self.layout.index(), self.ids, self.settings.retention) {
            Ok(index) => index,
            Err(Error::Damaged(what) | Error::Engine(what)) => {
                tracing::warn!(what, "the index cannot be used");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let head = index.head()?.revision;
        if head > scan.end {
            let what = format!(
                "the journal ends at revision {}, but the index has seen revision {head}",
                scan.end
            );
            return Err(damaged(&self.layout.journal(), 0, &what));
        }
        let closed_at_it = self.closed_at.is_none_or(|closed_at| closed_at == head);
        if (closed_at_it || !self.indexed) && head >= scan.from {
            return Ok(Some(index));
        }
        drop(index);
        folder::make_ready(&self.layout.index())?;
        Ok(None)
    }

    /// How far an index is that can be used.
    pub(super) fn found(&self, index: Index, scan: &Scan) -> Result<Found> {
        let head = index.head()?.revision;
        if head < scan.end {
            return Ok(Found::Behind(index, head));
        }
        if !self.same_boot {
            note_boot(self.layout);
        }
        Ok(Found::Whole(index))
    }

    /// Removes history files in whose place others were written. What stays is removed next time.
    pub(super) fn remove_superseded(&self) {
        for span in &self.history.superseded {
            self.layout.io.remove(&history::path(&self.layout.history(), *span)).ok();
        }
    }

    /// After a refusal: marks the store again as it was found.
    pub(super) fn restore_marks(&self, error: &Error) {
        if !matches!(error, Error::Damaged(_) | Error::NewerFormat { .. }) {
            return;
        }
        let left = || {
            folder::remove(&self.layout.fresh_index())?;
            let Some(closed_at) = self.closed_at else {
                return Ok(());
            };
            // The mark says that everything is on the disk, also what sled did while it was opened.
            folder::sync(&self.layout.local)?;
            let state = State::closed(self.ids.incarnation, closed_at, self.indexed);
            mark::write(&*self.layout.io, &self.layout.folder, &state)
        };
        let left: io::Result<()> = left();
        if let Err(error) = left {
            // The next start finds a store that was killed, and judges no worse.
            tracing::warn!(%error, "the marks are not as they were found");
        }
    }
}
