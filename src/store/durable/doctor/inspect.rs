//! The files of a store, for the doctor: marks, checkpoints, history files and segments, each read to
//! its end.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Examined, Found, Kept, OK};
use crate::store::{
    Error, Result, Revision,
    durable::{
        CURE, Ids, Layout, checkpoint, files, frame, history,
        index::keys,
        mark::{self, Mark},
        segment::{self, Segment},
        sorted,
    },
    io::File,
};

impl Found {
    pub(super) fn mark<M: Mark>(
        &mut self,
        layout: &Layout,
        ours: impl Fn(&M) -> bool,
    ) -> Result<Option<M>> {
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

    pub(super) fn checkpoint(
        &mut self,
        layout: &Layout,
        ids: Ids,
        path: PathBuf,
        at: Revision,
    ) -> Result<()> {
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

    pub(super) fn history(&mut self, layout: &Layout, ids: Ids) -> Result<()> {
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

    pub(super) fn segment(
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
}

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

fn gap(end: Revision, begin: Revision) -> String {
    format!("gap: revisions {} to {begin} are missing before it", end + 1)
}

/// The first bytes of a file, as many as a header may have.
fn header(file: &dyn File) -> Result<Vec<u8>> {
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
