//! The boot protocol: from whatever the last process, or the power, left behind to a store that
//! holds exactly what was acknowledged, or to a refusal that names the cure.
//!
//! 1. Take the lock; look at the marks, the checkpoints and the journal. Then the store is marked as
//!    open, before anything writes to the index. A refusal leaves everything but the index as it
//!    was: up to here this only reads, and later the mark is put back.
//! 2. The index is used after a clean stop that waited for it, and while the machine is up that
//!    wrote it: a killed process loses nothing that it handed to the operating system. The thread of
//!    the index replays the journal above its revision, behind a server that is at work already.
//! 3. Otherwise, or when it cannot be opened, it is rebuilt from history files and journal; see
//!    `build.rs`.
//! 4. The state is read from the newest checkpoint that is sound and the journal above it; one that
//!    is not is put aside. The requests are read from history files and journal.
//! 5. A torn group at the end of the journal is cut.

use std::io;

use uuid::Uuid;

use super::{
    Ids, Layout, Settings, checkpoint, damaged, files,
    folder::{self, Lock},
    history::{self, Span},
    index::Index,
    journal::{self, Journal, Scan},
    mark::{self, Boot, State},
    sorted::{self, WITH_HISTORY},
    state::{self, Past},
};
use crate::store::{Error, Lack, Loaded, Result, Revision};

/// A store that is ready.
#[derive(Debug)]
pub(super) struct Booted {
    pub(super) ids: Ids,
    /// What is known of the index.
    pub(super) index: Found,
    pub(super) state: Loaded,
    pub(super) journal: Journal,
    /// Revision of the last group.
    pub(super) revision: Revision,
    /// Revisions of the checkpoints, rising.
    pub(super) checkpoints: Vec<Revision>,
    /// History files.
    pub(super) history: Vec<Span>,
    /// Whether the newest checkpoints hold history, and there are no files of it yet.
    pub(super) unadopted: bool,
    /// Bytes of the journal above the newest checkpoint.
    pub(super) uncovered: u64,
    /// Bytes of the journal above the history files.
    pub(super) unwritten: u64,
    pub(super) lock: Lock,
}

/// The index at a start.
#[derive(Debug)]
pub(super) enum Found {
    /// It is open, and whole up to the end of the journal.
    Whole(Index),
    /// It is open, and whole up to that revision.
    Behind(Index, Revision),
    /// It is to be built.
    Lost,
}

/// What is known before anything is changed.
pub(super) struct Recovery<'a> {
    layout: &'a Layout,
    settings: &'a Settings,
    ids: Ids,
    /// Where the store was closed; none if it was not.
    pub(super) closed_at: Option<Revision>,
    /// Whether it was closed with a whole index on the disk.
    pub(super) indexed: bool,
    /// Whether the machine is up since the index was whole.
    pub(super) same_boot: bool,
    checkpoints: Vec<Revision>,
    history: history::Files,
    /// Whether history is in checkpoints alone.
    unadopted: bool,
}

/// Opens the store, and makes it if there is none.
pub(super) fn boot(layout: &Layout, settings: &Settings) -> Result<Booted> {
    let lock = folder::take(&layout.local)?;
    folder::make_ready(&layout.index())?;
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    let ids = match mark::read::<Ids>(io, dir)? {
        Some(ids) => ids,
        None => make(layout)?,
    };
    let mut recovery = Recovery::inspect(layout, settings, ids)?;

    let scan = recovery.scan()?;
    mark_open(layout, ids)?;
    folder::remove(&layout.fresh_index())?;
    let (index, scan) = recovery.index(scan).inspect_err(|error| recovery.restore_marks(error))?;
    let read =
        recovery.state(scan, index.as_ref()).inspect_err(|error| recovery.restore_marks(error));
    let (state, scan) = read?;
    let (all, size, clean) =
        (layout.io.clone(), settings.segment_bytes, recovery.closed_at.is_some());
    let journal = Journal::open(all, layout.journal(), ids, size, &scan, clean)?;
    if !clean {
        // Whether the folder was made durable is not known either.
        mark::renew(io, dir, &ids)?;
    }
    recovery.remove_superseded();
    let (revision, newest) = (scan.end, recovery.checkpoints.last().copied().unwrap_or(0));
    let (uncovered, unwritten) =
        (scan.bytes_above(newest), scan.bytes_above(recovery.history.end()));
    let index = match index {
        Some(index) => recovery.found(index, &scan)?,
        None => Found::Lost,
    };
    let Recovery { checkpoints, history, unadopted, .. } = recovery;
    Ok(Booted {
        ids,
        index,
        state,
        journal,
        revision,
        checkpoints,
        history: history.spans,
        unadopted,
        uncovered,
        unwritten,
        lock,
    })
}

/// Marks the store as open, even if it says so already: whether that reached the disk is not known.
/// No mark says the same, and needs no room.
fn mark_open(layout: &Layout, ids: Ids) -> Result<()> {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    match mark::write(io, dir, &State::open(ids.incarnation)) {
        Err(error) if Lack::of(&error) == Some(Lack::Full) => {
            tracing::warn!("there is no room for a mark: starting on a full disk");
            Ok(mark::remove::<State>(io, dir)?)
        }
        written => Ok(written?),
    }
}

/// Makes a new store; anything that looks like part of one is not overwritten.
fn make(layout: &Layout) -> Result<Ids> {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    let parts = [layout.journal(), layout.checkpoints(), layout.history()];
    for part in &parts {
        if !files::list_all(io, part)?.is_empty() {
            return Err(damaged(part, 0, "it is there, but the mark of the store is gone"));
        }
    }
    for other in ["index", "db", "conf"] {
        let other = layout.local.join(other);
        if other.exists() {
            return Err(damaged(
                &other,
                0,
                "the folder is not empty, and no store of this program",
            ));
        }
    }
    io.make_dir(dir)?;
    for part in &parts {
        io.make_dir(part)?;
    }
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        io.sync_dir(above)?;
    }
    io.sync_dir(dir)?;
    let ids = Ids { store: Uuid::new_v4(), incarnation: Uuid::new_v4() };
    mark::write(io, dir, &ids)?;
    Ok(ids)
}

/// Notes the boot of the machine since which the index is whole. Without the note the next start
/// rebuilds the index, so nothing ends because of it.
pub(super) fn note_boot(layout: &Layout) {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    let noted = match &layout.boot_id {
        Some(boot_id) => mark::write(io, dir, &Boot { boot_id: boot_id.clone() }),
        None => mark::remove::<Boot>(io, dir),
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "the boot of the machine could not be noted");
    }
}

/// Whether one of the checkpoints is of a format that holds history. One whose header cannot be read
/// says nothing.
pub(super) fn hold_history(layout: &Layout, ids: Ids, checkpoints: &[Revision]) -> Result<bool> {
    for at in checkpoints {
        let path = checkpoint::path(&layout.checkpoints(), *at);
        let format = sorted::format(&*layout.io, &path, checkpoint::KIND, ids)?;
        if format.is_some_and(|format| format <= WITH_HISTORY) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A mark that cannot be read is none: what it would promise is then established the long way.
fn ignore_damaged_mark<M>(mark: Result<Option<M>>) -> Result<Option<M>> {
    match mark {
        Err(Error::Damaged(what)) => {
            tracing::warn!(what, "ignored a damaged mark");
            Ok(None)
        }
        read => read,
    }
}

// === impl Recovery ===

impl<'a> Recovery<'a> {
    /// Looks at marks and names.
    pub(super) fn inspect(layout: &'a Layout, settings: &'a Settings, ids: Ids) -> Result<Self> {
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
    pub(super) fn scan(&self) -> Result<Scan> {
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

    /// The index, if it can be used; and the journal as far as the start needs it.
    fn index(&mut self, scan: Scan) -> Result<(Option<Index>, Scan)> {
        if let Some(index) = self.open_index(&scan)? {
            return Ok((Some(index), scan));
        }
        Ok((None, self.lower(scan)?))
    }

    /// The journal as far as any way to the state needs it.
    fn lower(&self, scan: Scan) -> Result<Scan> {
        let ways = self.ways()?;
        if ways.first().is_some_and(|lowest| scan.from <= *lowest) {
            return Ok(scan);
        }
        let lower = self.scan_from(&ways)?;
        Ok(if lower.from < scan.from { lower } else { scan })
    }

    /// The state. With an index only the blocks of the newest checkpoint that are needed are read;
    /// without one, or when they are damaged, checkpoints are read whole.
    fn state(&mut self, mut scan: Scan, index: Option<&Index>) -> Result<(Loaded, Scan)> {
        let newest = self.checkpoints.last().copied();
        let quick = (index.is_some() && newest.unwrap_or(0) >= scan.from)
            .then(|| state::objects(self.layout, self.ids, &scan, newest));
        let objects = match quick {
            Some(Err(Error::Damaged(_))) | None => {
                scan = self.lower(scan)?;
                self.sound_state(&scan)?
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

    /// Removes history files in whose place others were written. What stays is removed next time.
    fn remove_superseded(&self) {
        for span in &self.history.superseded {
            self.layout.io.remove(&history::path(&self.layout.history(), *span)).ok();
        }
    }

    /// How far an index is that can be used.
    fn found(&self, index: Index, scan: &Scan) -> Result<Found> {
        let head = index.head()?.revision;
        if head < scan.end {
            return Ok(Found::Behind(index, head));
        }
        if !self.same_boot {
            note_boot(self.layout);
        }
        Ok(Found::Whole(index))
    }

    /// After a refusal: marks the store again as it was found.
    fn restore_marks(&self, error: &Error) {
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

    /// The state from the newest good checkpoint and the journal.
    fn sound_state(&mut self, scan: &Scan) -> Result<state::Objects> {
        let (io, dir) = (&*self.layout.io, self.layout.checkpoints());
        let mut usable: Vec<Option<Revision>> =
            self.checkpoints.iter().filter(|at| **at >= scan.from).copied().map(Some).collect();
        if scan.from == 0 {
            usable.insert(0, None);
        }
        let mut result = Err(damaged(&dir, 0, "no checkpoint fits the journal"));
        let mut bad = Vec::new();
        for base in usable.into_iter().rev() {
            result = self.checked(scan, base);
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
    fn checked(&self, scan: &Scan, base: Option<Revision>) -> Result<state::Objects> {
        if let Some(base) = base {
            let path = checkpoint::path(&self.layout.checkpoints(), base);
            checkpoint::read(&*self.layout.io, &path, self.ids, |_| Ok(()))?;
        }
        state::objects(self.layout, self.ids, scan, base)
    }
}
