//! Backups of a store that may be at work: the newest whole checkpoint, history, and the journal from
//! where both end.
//!
//! Nothing is locked and nothing is written in the folder of the store. All files are opened before
//! the first is read, so the server may remove them meanwhile; when one goes before it is open, it
//! starts over. A group that is being written is left out.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    Ids, Layout, aside, checkpoint, damaged, files,
    history::{self, Span},
    journal,
    manifest::{self, Manifest, Part},
    mark,
    segment::{self, Segment},
    sorted::{Outline, WITH_HISTORY},
};
use crate::{
    domain::Time,
    store::{
        Error, Result, Revision,
        io::{Disk, File, Io, ReadOnly},
    },
};

/// How often it starts over when files go before they are open.
const ATTEMPTS: u32 = 100;
/// How often the segment that is being written is read until it makes sense.
const READS: u32 = 5;

/// Where a backup goes.
pub enum Target<'a> {
    /// A folder, which is made or empty.
    Folder(&'a Path),
    /// A stream.
    Stream(&'a mut (dyn Write + Send)),
}

/// Writes a backup of the store in a folder, and calls back after each file.
///
/// It holds everything that was acknowledged before the call.
///
/// # Errors
/// When there is no store, when a part of it that is needed is damaged, when the target is the folder
/// of a store, lies in one or holds this one, or when it cannot be written. A folder is then left
/// empty.
pub fn backup(
    folder: &Path,
    target: Target<'_>,
    time: Time,
    report: &mut dyn FnMut(&Part),
) -> Result<Manifest> {
    let layout = Layout::new(Arc::new(ReadOnly), folder, folder, None);
    match target {
        Target::Folder(dir) => {
            aside::outside(dir, folder)?;
            to_folder(&layout, &Disk, dir, time, report)
        }
        Target::Stream(out) => {
            let mut sink = Sink::Stream(out);
            copy(&layout, &mut sink, time, report)
        }
    }
}

/// Writes a backup into a folder of a file system.
pub(super) fn to_folder(
    layout: &Layout,
    io: &dyn Io,
    dir: &Path,
    time: Time,
    report: &mut dyn FnMut(&Part),
) -> Result<Manifest> {
    if !files::list_all(io, dir)?.is_empty() {
        return Err(Error::Refused(format!("{} is not empty", dir.display())));
    }
    io.make_dir(dir)?;
    let mut sink = Sink::Folder { io, dir, made: Vec::new() };
    let copied = copy(layout, &mut sink, time, report);
    if copied.is_err()
        && let Sink::Folder { made, .. } = &sink
    {
        for path in made {
            // The error that counts is the first one.
            files::remove(io, path).ok();
        }
    }
    copied
}

enum Sink<'a> {
    Folder { io: &'a dyn Io, dir: &'a Path, made: Vec<PathBuf> },
    Stream(&'a mut (dyn Write + Send)),
}

/// What a file is named by, and the file, open.
type Opened<T> = (T, PathBuf, Box<dyn File>);

/// The files of a store, open, so that they last.
struct Held {
    ids: Ids,
    /// Newest first.
    checkpoints: Vec<Opened<Revision>>,
    history: Vec<Opened<Span>>,
    segments: Vec<Opened<Revision>>,
}

fn copy(
    layout: &Layout,
    sink: &mut Sink<'_>,
    time: Time,
    report: &mut dyn FnMut(&Part),
) -> Result<Manifest> {
    let held = hold(layout)?;
    let mut parts = Vec::new();
    sink.begin()?;
    let base = match held.checkpoint()? {
        None => 0,
        Some((revision, path, file)) => {
            let part = sink.put(path, file.len()?, &mut |each| manifest::chunks(file, each))?;
            report(&part);
            parts.push(part);
            revision
        }
    };
    for (_, path, file) in &held.history {
        history::read_file(&**file, path, held.ids, |_| Ok(()))?;
        let part = sink.put(path, file.len()?, &mut |each| manifest::chunks(&**file, each))?;
        report(&part);
        parts.push(part);
    }
    let from = held.from(base)?;
    let start = held.start(from).ok_or_else(|| held.missing(layout, from))?;
    let mut end = None;
    for (at, (after, path, file)) in held.segments.iter().enumerate().skip(start) {
        let last = at + 1 == held.segments.len();
        let segment = read(path, &**file, held.ids, last)?;
        if end.is_some_and(|end| end != *after) {
            let what = format!("a gap: it begins after revision {after}, not {end:?}");
            return Err(damaged(path, 0, &what));
        }
        end = Some(segment.last());
        let bytes = segment.whole();
        let part = sink.put(path, bytes.len() as u64, &mut |each| {
            bytes.chunks(manifest::CHUNK).try_for_each(&mut *each)?;
            Ok(manifest::hex(&Sha256::digest(bytes)))
        })?;
        report(&part);
        parts.push(part);
    }
    let revision = end.unwrap_or(base);
    if revision < base {
        let what =
            format!("the journal ends at revision {revision}, but a checkpoint is of {base}");
        return Err(damaged(&layout.journal(), 0, &what));
    }
    let made = Manifest::new(held.ids, revision, time.to_string(), parts);
    sink.finish(&made.to_bytes()?)?;
    Ok(made)
}

/// Reads a segment and judges it; the one that is being written is read again when a group came
/// between.
fn read(path: &Path, file: &dyn File, ids: Ids, last: bool) -> Result<Segment> {
    let reads = if last { READS } else { 1 };
    let mut result = Err(damaged(path, 0, "the segment cannot be read"));
    for _ in 0..reads {
        result = match Segment::judge(path, files::content(file)?, ids)? {
            (_, Some(error)) => Err(error),
            (segment, None) if segment.torn && !last => {
                Err(damaged(path, segment.end, "a bad frame, though a segment follows"))
            }
            (segment, None) => {
                for group in &segment.groups {
                    segment.records(group)?;
                }
                return Ok(segment);
            }
        };
    }
    result
}

/// Opens everything that a backup may need, until nothing goes meanwhile.
fn hold(layout: &Layout) -> Result<Held> {
    let mut attempt = 1;
    loop {
        let held = try_hold(layout)?;
        match held {
            Some(held) if held.covered() || attempt >= ATTEMPTS => return Ok(held),
            None if attempt >= ATTEMPTS => {
                let folder = layout.folder.display();
                return Err(Error::Refused(format!("{folder}: files go faster than they open")));
            }
            _ => attempt += 1,
        }
    }
}

/// None when a file went before it was open.
fn try_hold(layout: &Layout) -> Result<Option<Held>> {
    let io = &*layout.io;
    let Some(ids) = mark::read::<Ids>(io, &layout.folder)? else {
        return Err(Error::Refused(format!("{}: there is no store", layout.folder.display())));
    };
    let (dir, past, journal) = (layout.checkpoints(), layout.history(), layout.journal());
    let mut named: Vec<_> = checkpoint::list(io, &dir)?;
    named.reverse();
    let found = history::Files::list(io, &past)?;
    found.check(&past)?;
    let held = open(io, named, |at| checkpoint::path(&dir, at)).and_then(|checkpoints| {
        let history = open(io, found.spans, |span| history::path(&past, span))?;
        let listed = journal::list(io, &journal).map_err(io::Error::other)?;
        let segments = open(io, listed, |after| segment::path(&journal, after))?;
        Ok(Held { ids, checkpoints, history, segments })
    });
    match held {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        held => Ok(Some(held?)),
    }
}

/// Opens files that have names.
fn open<T: Copy>(
    io: &dyn Io,
    named: Vec<T>,
    path: impl Fn(T) -> PathBuf,
) -> io::Result<Vec<Opened<T>>> {
    named.into_iter().map(|at| io.open(&path(at)).map(|file| (at, path(at), file))).collect()
}

// === impl Held ===

impl Held {
    /// The revision from which on the journal is needed, beside a checkpoint and history.
    fn from(&self, base: Revision) -> Result<Revision> {
        if let Some((span, ..)) = self.history.last() {
            return Ok(base.min(span.last));
        }
        let Some((_, path, file)) = self.checkpoints.iter().find(|(at, ..)| *at == base) else {
            return Ok(0);
        };
        // One of an older program holds history as well.
        let outline = Outline::of(&**file, path, checkpoint::KIND, self.ids)?;
        Ok(if outline.format <= WITH_HISTORY { base } else { 0 })
    }

    /// The segment from which on the journal goes on after a revision.
    fn start(&self, base: Revision) -> Option<usize> {
        match self.segments.partition_point(|(after, ..)| *after <= base) {
            0 if base == 0 && self.segments.is_empty() => Some(0),
            beyond => beyond.checked_sub(1),
        }
    }

    fn covered(&self) -> bool {
        let newest = self.checkpoints.first().map_or(0, |(at, ..)| *at);
        let from = self.history.last().map_or(newest, |(span, ..)| span.last.min(newest));
        self.start(from).is_some()
    }

    fn missing(&self, layout: &Layout, base: Revision) -> Error {
        damaged(&layout.journal(), 0, &format!("revisions from {} on are missing", base + 1))
    }

    /// The newest checkpoint that is whole.
    fn checkpoint(&self) -> Result<Option<(Revision, &Path, &dyn File)>> {
        for (revision, path, file) in &self.checkpoints {
            match checkpoint::check(&**file, path, self.ids, |_| Ok(())) {
                Ok(()) => return Ok(Some((*revision, path, &**file))),
                Err(Error::Damaged(what)) => {
                    tracing::warn!(what, "a checkpoint is damaged; taking what lies before it");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

// === impl Sink ===

/// Takes a chunk of a file.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

impl Sink<'_> {
    fn begin(&mut self) -> Result<()> {
        match self {
            Self::Folder { .. } => Ok(()),
            Self::Stream(out) => manifest::begin_stream(out),
        }
    }

    /// Writes the file that `content` hands on, and answers the SHA-256 of.
    fn put(
        &mut self,
        path: &Path,
        size: u64,
        content: &mut dyn FnMut(Take<'_>) -> Result<String>,
    ) -> Result<Part> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let sha256 = match self {
            Self::Stream(out) => {
                manifest::begin_part(out, &name, size)?;
                content(&mut |chunk| Ok(out.write_all(chunk)?))?
            }
            Self::Folder { io, dir, made } => {
                let path = dir.join(&name);
                let (mut file, mut at) = (io.create(&path)?, 0);
                made.push(path);
                let sha256 = content(&mut |chunk| {
                    file.write_at(at, chunk)?;
                    at += chunk.len() as u64;
                    Ok(())
                })?;
                file.sync()?;
                sha256
            }
        };
        Ok(Part { name, size, sha256 })
    }

    /// Writes the manifest, once everything else is durable.
    fn finish(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stream(out) => {
                manifest::begin_part(out, manifest::NAME, bytes.len() as u64)?;
                out.write_all(bytes)?;
                Ok(out.flush()?)
            }
            Self::Folder { io, dir, made } => {
                io.sync_dir(dir)?;
                if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
                    io.sync_dir(above)?;
                }
                made.push(dir.join(manifest::NAME));
                Ok(files::replace(*io, dir, manifest::NAME, bytes)?)
            }
        }
    }
}

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(dir) => f.debug_tuple("Folder").field(dir).finish(),
            Self::Stream(_) => f.debug_tuple("Stream").finish_non_exhaustive(),
        }
    }
}
