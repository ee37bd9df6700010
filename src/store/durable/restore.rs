//! From a backup to a folder that a server starts on, as a new incarnation of the same store.
//!
//! The mark of the store is written last. Until then there is something in the folder of the
//! journal, so a start refuses what an interrupted restore left.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    CURE, Ids, Layout, aside, checkpoint, damaged, files, folder, frame,
    history::{self, Span},
    index::keys,
    manifest::{self, Manifest, Part},
    mark::{self, Mark as _},
    segment::{self, HEADER, Segment},
    sorted::{self, Outline, WITH_HISTORY},
};
use crate::store::{
    Error, Result, Revision,
    io::{Disk, File, Io, ReadOnly},
};

/// Folder within that of the journal that is there until a restore is done; holds a backup that came
/// as a stream.
const UNDERWAY: &str = "restoring";

/// Where a backup comes from.
pub enum Source<'a> {
    /// A folder.
    Folder(&'a Path),
    /// A stream. It takes the room of the backup a second time until the end.
    Stream(&'a mut (dyn Read + Send)),
}

/// A store that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// The new incarnation.
    pub incarnation: Uuid,
}

/// Makes a store in a folder from a backup, and calls back after each file.
///
/// # Errors
/// When the folder is not empty or lies in the backup, the backup is damaged or of a newer program, or the folder cannot be
/// written. Nothing is left behind then.
pub fn restore(
    source: Source<'_>,
    folder: &Path,
    report: &mut dyn FnMut(&Part),
) -> Result<Restored> {
    let layout = Layout::new(Arc::new(Disk), folder, folder, None);
    match source {
        Source::Folder(dir) => {
            aside::outside_backup(folder, dir)?;
            restore_at(&layout, Origin::Folder(&ReadOnly, dir), report)
        }
        Source::Stream(input) => restore_at(&layout, Origin::Stream(input), report),
    }
}

/// A folder of a file system, or a stream.
pub(super) enum Origin<'a> {
    Folder(&'a dyn Io, &'a Path),
    Stream(&'a mut (dyn Read + Send)),
}

pub(super) fn restore_at(
    layout: &Layout,
    origin: Origin<'_>,
    report: &mut dyn FnMut(&Part),
) -> Result<Restored> {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    let existed = layout.local.exists();
    if !is_empty(layout)? {
        let dir = dir.display();
        return Err(Error::Refused(format!("{dir} is not empty: choose another folder")));
    }
    if let Origin::Folder(from, backup) = &origin {
        // Nothing is made for a backup that is none.
        Manifest::read(*from, backup).map_err(other_cure)?;
    }
    io.make_dir(dir)?;
    let lock = folder::take(&layout.local)?;
    if !folder::holds_nothing_else(&layout.local)? {
        // Another restore was faster.
        let dir = dir.display();
        return Err(Error::Refused(format!("{dir} is not empty: choose another folder")));
    }
    let result = fill(layout, origin, report);
    if result.is_err() {
        // The error that counts is the first one. The mark goes first, so that nothing is a store.
        mark::remove::<Ids>(io, dir).ok();
        files::remove(io, &dir.join(Ids::NAME).with_extension(files::UNFINISHED)).ok();
        for part in [underway(layout), layout.journal(), layout.checkpoints(), layout.history()] {
            for path in files::list_all(io, &part).unwrap_or_default() {
                files::remove(io, &path).ok();
            }
            std::fs::remove_dir(layout.local.join(part.strip_prefix(dir).unwrap_or(&part))).ok();
        }
        folder::give_up(&layout.local);
        if !existed {
            std::fs::remove_dir(&layout.local).ok();
        }
    }
    drop(lock);
    result.map_err(other_cure)
}

fn is_empty(layout: &Layout) -> Result<bool> {
    let mut found = files::list_all(&*layout.io, &layout.folder)?;
    found.extend(files::list_all(&Disk, &layout.local)?);
    Ok(found.is_empty())
}

fn underway(layout: &Layout) -> PathBuf {
    layout.journal().join(UNDERWAY)
}

fn fill(layout: &Layout, origin: Origin<'_>, report: &mut dyn FnMut(&Part)) -> Result<Restored> {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    let underway = underway(layout);
    io.make_dir(&underway)?;
    io.make_dir(&layout.checkpoints())?;
    io.make_dir(&layout.history())?;
    io.sync_dir(&layout.journal())?;
    io.sync_dir(dir)?;
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        io.sync_dir(above)?;
    }
    let (from, backup) = match origin {
        Origin::Folder(from, backup) => (from, backup.to_owned()),
        Origin::Stream(input) => {
            manifest::unpack(input, io, &underway)?;
            (io, underway.clone())
        }
    };
    let manifest = Manifest::read(from, &backup)?;
    let new = Ids { store: manifest.store, incarnation: Uuid::new_v4() };
    let mut writer = Writer {
        from,
        backup,
        layout,
        old: manifest.ids(),
        new,
        base: None,
        past: None,
        end: None,
    };
    for part in &manifest.files {
        writer.part(part)?;
        report(part);
    }
    if writer.end.or(writer.base).unwrap_or(0) != manifest.revision {
        let what = format!("the files do not end at revision {}", manifest.revision);
        return Err(damaged(&writer.backup.join(manifest::NAME), 0, &what));
    }
    for path in files::list_all(io, &underway)? {
        files::remove(io, &path)?;
    }
    io.sync_dir(&layout.journal())?;
    mark::write(io, dir, &new)?;
    // Without content it harms nobody.
    std::fs::remove_dir(layout.local.join(super::journal::FOLDER).join(UNDERWAY)).ok();
    Ok(Restored { manifest, incarnation: new.incarnation })
}

/// Checks file after file of a backup and writes it again.
struct Writer<'a> {
    from: &'a dyn Io,
    backup: PathBuf,
    layout: &'a Layout,
    old: Ids,
    new: Ids,
    /// Revision of the checkpoint.
    base: Option<Revision>,
    /// Last revision of history so far.
    past: Option<Revision>,
    /// Last revision of the segments so far.
    end: Option<Revision>,
}

// === impl Writer ===

impl Writer<'_> {
    fn part(&mut self, part: &Part) -> Result<()> {
        let path = self.backup.join(&part.name);
        let file = match self.from.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged(&path, 0, "the file is gone"));
            }
            opened => opened?,
        };
        let len = file.len()?;
        if len != part.size {
            let at = usize::try_from(len.min(part.size)).unwrap_or(usize::MAX);
            let what = format!("it has {len} bytes, but had {}", part.size);
            return Err(damaged(&path, at, &what));
        }
        let sum = || -> Result<()> {
            match manifest::chunks(&*file, |_| Ok(()))? == part.sha256 {
                true => Ok(()),
                false => Err(damaged(&path, 0, "its SHA-256 is not that of the manifest")),
            }
        };
        if manifest::is_checkpoint(&part.name) {
            if self.base.is_some() || self.end.is_some() {
                return Err(damaged(&path, 0, "a checkpoint that is not the first file"));
            }
            // Frames and blocks tell where, so they are looked at first.
            checkpoint::check(&*file, &path, self.old, |_| Ok(()))?;
            sum()?;
            return self.checkpoint(&*file, &path);
        }
        if manifest::is_history(&part.name) {
            let span = Span::named(&path).filter(|_| self.end.is_none());
            let follows = span.filter(|span| span.after == self.past.unwrap_or(0));
            let Some(span) = follows else {
                return Err(damaged(&path, 0, "revisions before it are missing"));
            };
            let head = history::read_file(&*file, &path, self.old, |_| Ok(()))?;
            sum()?;
            let (io, dir) = (&*self.layout.io, self.layout.history());
            let mut writer = history::Writer::new(io, &dir, self.new, span, head)?;
            history::read_file(&*file, &path, self.old, |entry| Ok(writer.add(entry)?))?;
            writer.finish()?;
            self.past = Some(span.last);
            return Ok(());
        }
        let segment = match Segment::judge(&path, files::content(&*file)?, self.old)? {
            (segment, None) if segment.end == segment.len() => segment,
            (segment, None) => return Err(damaged(&path, segment.end, "a bad frame")),
            (_, Some(error)) => return Err(error),
        };
        sum()?;
        let follows = match self.end {
            Some(end) => end == segment.after,
            None => segment.after <= self.base.unwrap_or(0).min(self.past.unwrap_or(0)),
        };
        if !follows {
            return Err(damaged(&path, 0, "revisions before it are missing"));
        }
        self.end = Some(segment.last());
        self.segment(&segment)
    }

    /// Writes a sound checkpoint as one of the new incarnation; what it holds of history, when it is of
    /// an older format, as a file of that.
    fn checkpoint(&mut self, file: &dyn File, path: &Path) -> Result<()> {
        let io = &*self.layout.io;
        let outline = Outline::of(file, path, checkpoint::KIND, self.old)?;
        let (head, at) = (outline.head, outline.head.revision);
        let name = checkpoint::path(&self.layout.checkpoints(), at);
        let mut writer = sorted::Writer::new(io, name, checkpoint::KIND, self.new, head)?;
        checkpoint::check(file, path, self.old, |entry| {
            if entry.0.starts_with(keys::STATES) { Ok(writer.add(entry)?) } else { Ok(()) }
        })?;
        writer.finish()?;
        self.base = Some(at);
        if outline.format <= WITH_HISTORY && at > 0 {
            let ids = (self.old, self.new);
            let span = Span { after: 0, last: at };
            history::from_checkpoint(io, &self.layout.history(), ids, file, path, span)?;
            self.past = Some(at);
        }
        Ok(())
    }

    /// Writes the groups of a segment as those of the new incarnation.
    fn segment(&self, segment: &Segment) -> Result<()> {
        let (io, dir) = (&*self.layout.io, self.layout.journal());
        let mut bytes = Vec::with_capacity(segment.len());
        for group in &segment.groups {
            let records = segment.records(group)?;
            let records: Vec<_> =
                records.into_iter().map(|(record, bytes)| (record.revision, bytes)).collect();
            bytes.extend(frame::encode(self.new.incarnation, group.after, &records));
        }
        let len = (HEADER + bytes.len()) as u64;
        let mut file = segment::create(io, &dir, self.new, segment.after, len)?;
        file.write_at(HEADER as u64, &bytes)?;
        Ok(file.sync()?)
    }
}

/// What helps against damage of a backup is not what helps against damage of a store.
fn other_cure(error: Error) -> Error {
    match error {
        Error::Damaged(what) => {
            let what = what.strip_suffix(CURE).unwrap_or(&what);
            Error::Refused(format!("the backup is damaged: {what}; use another backup"))
        }
        other => other,
    }
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(dir) => f.debug_tuple("Folder").field(dir).finish(),
            Self::Stream(_) => f.debug_tuple("Stream").finish_non_exhaustive(),
        }
    }
}
