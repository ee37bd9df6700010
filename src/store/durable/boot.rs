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

mod load;
mod marks;
mod recovery;

use uuid::Uuid;

use self::marks::mark_open;
pub(super) use self::{
    marks::note_boot,
    recovery::{Found, Recovery, hold_history},
};
use super::{
    Ids, Layout, Settings, damaged, files,
    folder::{self, Lock},
    history::Span,
    journal::Journal,
    mark,
};
use crate::store::{Loaded, Result, Revision};

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
