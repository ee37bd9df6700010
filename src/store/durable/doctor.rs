//! The doctor: looks at every file of a store that no server uses, says what the next start would
//! do, and repairs only when told.

mod forecast;
mod inspect;
mod logs;
mod repair;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use uuid::Uuid;

use super::{
    Ids, Layout, boot, boot_id, checkpoint, files, folder,
    history::Span,
    journal,
    mark::{Boot, Mark, State},
    segment,
};
use crate::store::{
    Error, Result, Revision,
    io::{Disk, Io, ReadOnly},
};

/// State of a file with nothing wrong.
const OK: &str = "ok";

/// How a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The next start needs no hand.
    Healthy,
    /// The next start works, but something is not as it should be.
    NeedsAttention,
    /// The next start would be refused.
    RefusesToStart,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The folder.
    pub folder: PathBuf,
    /// The store in it, if its mark says so.
    pub store: Option<Uuid>,
    /// The incarnation of the store.
    pub incarnation: Option<Uuid>,
    /// Its marks, checkpoints, history files, segments and logs.
    pub files: Vec<Examined>,
    /// How it is.
    pub health: Health,
    /// What the next start would do, or why it would be refused.
    pub next_start: String,
    /// What to do.
    pub advice: Vec<String>,
    /// What was repaired.
    pub repaired: Vec<String>,
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Its name within the folder.
    pub file: String,
    /// First and last revision of its records.
    pub revisions: Option<(Revision, Revision)>,
    /// Number of its records.
    pub records: Option<u64>,
    /// Its length.
    pub bytes: u64,
    /// `ok`, `torn tail …`, `damaged …`, `foreign …`, `newer format …`, `gap …`, `missing`.
    pub state: String,
    /// Whether somebody should look at it.
    pub wrong: bool,
}

/// Looks at the store in a folder, which no server may use, and changes nothing unless told to
/// repair.
///
/// # Errors
/// When a server uses the folder, there is no store in it, or it cannot be read or repaired.
pub fn examine(folder: &Path, repair: bool) -> Result<Report> {
    let _lock = folder::take_existing(folder)?;
    let layout = |io: Arc<dyn Io>| Layout::new(io, folder, folder, boot_id());
    examine_at(&layout(Arc::new(ReadOnly)), repair.then(|| layout(Arc::new(Disk))).as_ref())
}

/// Looks at a place, and repairs what is the same place open for writing.
pub(super) fn examine_at(layout: &Layout, writable: Option<&Layout>) -> Result<Report> {
    let mark = layout.folder.join(Ids::NAME);
    let parts = [layout.journal(), layout.checkpoints(), layout.history(), mark];
    let mut listed = files::list_all(&*layout.io, &layout.folder)?;
    listed.retain(|path| parts.contains(path));
    if listed.is_empty() {
        return Err(Error::Refused(format!("{}: there is no store", layout.folder.display())));
    }
    let found = Found::inspect(layout)?;
    let (Some(plan), Some(ids), Some(writable)) = (found.plan(), found.ids, writable) else {
        return Ok(found.report(layout));
    };
    if found.report(layout).health == Health::Healthy {
        return Ok(found.report(layout));
    }
    let repaired = plan.carry_out(&found, writable, ids)?;
    Ok(Report { repaired, ..Found::inspect(layout)?.report(layout) })
}

/// What lies in the folder.
struct Found {
    ids: Option<Ids>,
    files: Vec<Examined>,
    /// Rising.
    checkpoints: Vec<Kept>,
    /// Rising, and whether they are whole.
    history: Vec<(Span, bool)>,
    /// Whether history is in checkpoints of an older program alone.
    unadopted: bool,
    /// Rising.
    segments: Vec<Kept>,
    /// Why nothing can be done about it here.
    hopeless: Option<String>,
}

/// A checkpoint or segment.
struct Kept {
    path: PathBuf,
    /// Revision of the checkpoint, or the one before the segment.
    at: Revision,
    /// Last revision before the end, or before the damage; none when nothing of it can be used.
    last: Option<Revision>,
    /// Where that is.
    end: usize,
    /// Whether there is no damage.
    whole: bool,
    /// Records that can be used.
    records: u64,
    /// The highest revision that anything in it speaks of.
    highest: Revision,
}

// === impl Found ===

impl Found {
    fn inspect(layout: &Layout) -> Result<Self> {
        let mut found = Self {
            ids: None,
            files: Vec::new(),
            checkpoints: Vec::new(),
            history: Vec::new(),
            unadopted: false,
            segments: Vec::new(),
            hopeless: None,
        };
        found.ids = found.mark::<Ids>(layout, |_| true)?;
        let ours = found.ids.map(|ids| ids.incarnation);
        found.mark::<Boot>(layout, |_| true)?;
        found.mark::<State>(layout, |state| Some(state.incarnation) == ours)?;
        let Some(ids) = found.ids else {
            found.hopeless.get_or_insert_with(|| {
                format!("{}: it cannot be read", layout.folder.join(Ids::NAME).display())
            });
            return Ok(found);
        };
        let dir = layout.checkpoints();
        let checkpoints = checkpoint::list(&*layout.io, &dir)?;
        for at in &checkpoints {
            found.checkpoint(layout, ids, checkpoint::path(&dir, *at), *at)?;
        }
        found.history(layout, ids)?;
        found.unadopted = found.history.is_empty()
            && found.hopeless.is_none()
            && boot::hold_history(layout, ids, &checkpoints)?;
        let dir = layout.journal();
        let listed = journal::list(&*layout.io, &dir)?;
        for (nth, after) in listed.iter().enumerate() {
            let last = nth + 1 == listed.len();
            found.segment(layout, ids, segment::path(&dir, *after), *after, last)?;
        }
        found.logs(layout, ids)?;
        Ok(found)
    }
}
