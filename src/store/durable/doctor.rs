//! The doctor: looks at every file of a store that no server uses, says what the next start would
//! do, and repairs only when told.

mod logs;
mod repair;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use uuid::Uuid;

use super::{
    CURE, Ids, Layout, Settings,
    boot::{self, Recovery},
    boot_id, checkpoint, damaged, files, folder, frame,
    history::{self, Span},
    index::keys,
    journal,
    mark::{self, Boot, Mark, State},
    segment::{self, Segment},
    sorted,
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

    fn mark<M: Mark>(&mut self, layout: &Layout, ours: impl Fn(&M) -> bool) -> Result<Option<M>> {
        let path = layout.folder.join(M::NAME);
        let bytes = files::read(&*layout.io, &path)?.map_or(0, |bytes| bytes.len() as u64);
        let (mark, state) = match mark::read::<M>(&*layout.io, &layout.folder) {
            Ok(Some(mark)) if ours(&mark) => (Some(mark), OK.to_owned()),
            Ok(Some(_)) => (None, "foreign".to_owned()),
            Ok(None) => (None, "missing".to_owned()),
            Err(error) => (None, self.state(&path, error, None)?),
        };
        let wrong = state != OK && (M::NAME == Ids::NAME || state != "missing");
        self.list(layout, &path, bytes, state, wrong);
        Ok(mark)
    }

    fn checkpoint(&mut self, layout: &Layout, ids: Ids, path: PathBuf, at: Revision) -> Result<()> {
        let file = layout.io.open(&path)?;
        let bytes = file.len()?;
        let read = sorted::read_file(&*file, &path, checkpoint::KIND, ids, |_| Ok(()));
        let (head, state) = match read {
            Ok(head) => (Some(head), OK.to_owned()),
            Err(error) => (None, self.state(&path, error, Some((ids, &header(&*file)?)))?),
        };
        self.list(layout, &path, bytes, state, head.is_none());
        if let (Some(head), Some(row)) = (head, self.files.last_mut()) {
            row.revisions = Some((head.trimmed + 1, head.revision)).filter(|_| head.records > 0);
            row.records = u64::try_from(head.records).ok();
        }
        let last = head.map(|head| head.revision);
        let whole = head.is_some();
        self.checkpoints.push(Kept { path, at, last, end: 0, whole, records: 0, highest: at });
        Ok(())
    }

    fn history(&mut self, layout: &Layout, ids: Ids) -> Result<()> {
        let dir = layout.history();
        let mut end = 0;
        for span in history::Files::list(&*layout.io, &dir)?.spans {
            let path = history::path(&dir, span);
            let file = layout.io.open(&path)?;
            let mut records = BTreeSet::new();
            let read = history::read_file(&*file, &path, ids, |(key, _)| {
                records.extend(keys::record_of(key));
                Ok(())
            });
            let mut state = match &read {
                Ok(_) => OK.to_owned(),
                Err(_) => String::new(),
            };
            let whole = read.is_ok();
            if let Err(error) = read {
                state = self.state(&path, error, Some((ids, &header(&*file)?)))?;
            } else if span.after != end {
                state = gap(end, span.after);
            }
            let wrong = state != OK;
            self.list(layout, &path, file.len()?, state, wrong);
            if whole && let Some(row) = self.files.last_mut() {
                row.revisions = records.first().copied().zip(records.last().copied());
                row.records = Some(records.len() as u64);
            }
            end = span.last;
            self.history.push((span, whole));
        }
        Ok(())
    }

    fn segment(
        &mut self,
        layout: &Layout,
        ids: Ids,
        path: PathBuf,
        at: Revision,
        is_last: bool,
    ) -> Result<()> {
        let bytes = files::read(&*layout.io, &path)?.unwrap_or_default();
        let (len, head) = (bytes.len() as u64, bytes[..bytes.len().min(64)].to_vec());
        let judged = Segment::judge(&path, bytes, ids);
        let mut kept = Kept { path, at, last: None, end: 0, whole: false, records: 0, highest: at };
        let mut state = OK.to_owned();
        let mut wrong = true;
        match judged {
            Err(error) => state = self.state(&kept.path, error, Some((ids, &head)))?,
            Ok((segment, error)) => {
                let bad = kept.take(&segment, ids);
                let torn = segment.torn && error.is_none();
                if let Some(error) = bad.or(error) {
                    state = self.state(&kept.path, error, Some((ids, &head)))?;
                } else if torn && !is_last {
                    state = format!("damaged at byte {}: a segment follows", kept.end);
                } else {
                    kept.whole = true;
                    wrong = false;
                    if torn {
                        state = format!("torn tail at byte {}", kept.end);
                    }
                }
            }
        }
        if let Some(before) = self.segments.last()
            && let Some(end) = before.last.filter(|_| before.whole)
            && end != at
            && !wrong
        {
            state = gap(end, at);
            wrong = true;
        }
        self.list(layout, &kept.path, len, state, wrong);
        if let (Some(last), Some(row)) = (kept.last, self.files.last_mut()) {
            row.revisions = Some((at + 1, last)).filter(|_| last > at);
            row.records = Some(kept.records);
        }
        self.segments.push(kept);
        Ok(())
    }

    /// What is wrong with a file, in few words; failures to read it go on.
    fn state(&mut self, path: &Path, error: Error, head: Option<(Ids, &[u8])>) -> Result<String> {
        let prefix = format!("{}, byte ", path.display());
        match error {
            Error::NewerFormat { found, .. } => {
                self.hopeless.get_or_insert_with(|| error.to_string());
                Ok(format!("newer format {found}"))
            }
            Error::Damaged(_) if head.is_some_and(|(ids, head)| is_foreign(ids, head)) => {
                Ok("foreign: of another store or incarnation".to_owned())
            }
            Error::Damaged(what) => {
                let what = what.strip_suffix(CURE).unwrap_or(&what);
                let what = what.strip_prefix(&prefix).unwrap_or(what);
                Ok(format!("damaged at byte {what}"))
            }
            other => Err(other),
        }
    }

    fn list(&mut self, layout: &Layout, path: &Path, bytes: u64, state: String, wrong: bool) {
        let file = path.strip_prefix(&layout.folder).unwrap_or(path).display().to_string();
        self.files.push(Examined { file, revisions: None, records: None, bytes, state, wrong });
    }

    fn report(&self, layout: &Layout) -> Report {
        let foreseen = match (&self.hopeless, self.ids) {
            (None, Some(ids)) => self.foresee(layout, ids),
            (why, _) => Err(Error::Refused(why.clone().unwrap_or_default())),
        };
        let wrong = self.files.iter().any(|file| file.wrong);
        let (health, next_start) = match foreseen {
            Ok(start) if wrong => (Health::NeedsAttention, start),
            Ok(start) => (Health::Healthy, start),
            Err(why) => {
                let why = why.to_string();
                let why = why.strip_suffix(CURE).unwrap_or(&why);
                (Health::RefusesToStart, format!("refused: {why}"))
            }
        };
        Report {
            folder: layout.folder.clone(),
            store: self.ids.map(|ids| ids.store),
            incarnation: self.ids.map(|ids| ids.incarnation),
            files: self.files.clone(),
            health,
            next_start,
            advice: self.advice(health),
            repaired: Vec::new(),
        }
    }

    /// What the next start does, as far as can be told without opening the index.
    fn foresee(&self, layout: &Layout, ids: Ids) -> Result<String> {
        let settings = Settings::default();
        let recovery = Recovery::inspect(layout, &settings, ids)?;
        let scan = recovery.scan()?;
        let torn = match scan.torn() {
            true => "cuts a group that was being written and was never answered, ",
            false => "",
        };
        if let Some(at) = recovery.closed_at {
            let index =
                if recovery.indexed { "" } else { "; the index catches up behind the start" };
            return Ok(format!("clean: the store was closed at revision {at}{index}"));
        }
        if recovery.same_boot {
            let end = scan.end;
            return Ok(format!("{torn}opens the index, which replays the journal up to {end}"));
        }
        let good = self.checkpoints.iter().filter(|kept| kept.whole && kept.at >= scan.from);
        let base = good.map(|kept| kept.at).max().or((scan.from == 0).then_some(0));
        let base = base
            .ok_or_else(|| damaged(&layout.checkpoints(), 0, "no checkpoint fits the journal"))?;
        let above = scan.sizes.iter().filter(|(at, _)| *at > base).count();
        Ok(format!(
            "{torn}reads the state from {}, replays {above} groups up to revision {}, and builds the \
             index behind the start",
            if base == 0 { "nothing".to_owned() } else { format!("the checkpoint of {base}") },
            scan.end
        ))
    }

    fn advice(&self, health: Health) -> Vec<String> {
        match (health, self.plan()) {
            (Health::Healthy, _) => Vec::new(),
            (Health::NeedsAttention, _) => {
                vec![
                    "make a backup now: the next start does not need what is wrong".to_owned(),
                    "`deskplane doctor --repair` puts aside what is wrong".to_owned(),
                ]
            }
            (Health::RefusesToStart, Some(plan)) => {
                let backup = "restore a backup, if it has more than the repair leaves".to_owned();
                vec![backup, format!("or `deskplane doctor --repair`, which {}", plan.says())]
            }
            (Health::RefusesToStart, None) if self.files.iter().any(Examined::is_newer) => {
                vec!["use the newer program that wrote it".to_owned()]
            }
            (Health::RefusesToStart, None) => vec!["restore a backup".to_owned()],
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Notes what of a segment can be used; what is wrong with its first bad record.
    fn take(&mut self, segment: &Segment, ids: Ids) -> Option<Error> {
        (self.last, self.end) = (Some(segment.after), segment::HEADER);
        let mut bad = None;
        for group in &segment.groups {
            match segment.records(group) {
                Ok(records) => self.records += records.len() as u64,
                Err(error) => {
                    bad = Some(error);
                    break;
                }
            }
            (self.last, self.end) = (Some(group.revision), group.at.end);
        }
        self.highest = segment.last();
        let (rest, mut at) = (segment.rest(), 0);
        while let Some(good) = frame::find(rest, at, ids.incarnation, |_| true) {
            let Some(frame) = frame::parse(&rest[good..]) else { break };
            self.highest = self.highest.max(frame.revision);
            at = good + frame.size();
        }
        bad
    }
}

// === impl Examined ===

impl Examined {
    fn is_newer(&self) -> bool {
        self.state.starts_with("newer format")
    }
}

fn gap(end: Revision, begin: Revision) -> String {
    format!("gap: revisions {} to {begin} are missing before it", end + 1)
}

/// The first bytes of a file, as many as a header may have.
fn header(file: &dyn crate::store::io::File) -> Result<Vec<u8>> {
    let mut head = vec![0; usize::try_from(file.len()?.min(64)).unwrap_or(0)];
    file.read_at(0, &mut head)?;
    Ok(head)
}

/// Whether a checkpoint, history file or segment begins as one of another store or incarnation.
fn is_foreign(ids: Ids, head: &[u8]) -> bool {
    let magics = [b"DPJRNL\r\n", &checkpoint::KIND.magic, &history::KIND.magic];
    let known = magics.iter().any(|magic| head.starts_with(*magic));
    let ours = [*ids.store.as_bytes(), *ids.incarnation.as_bytes()].concat();
    known && head.get(16..48).is_some_and(|theirs| theirs != ours)
}
