//! History files: the records that the journal has let go, and the requests of those that are still
//! remembered.
//!
//! `<first revision, 20 digits>-<last revision>.hist` is a sorted file. It never changes. A file of the
//! records above those of the newest one is written before the journal lets them go, and neighbours
//! of which little is left are written once more as one, so there are few of them. Together they lead
//! from revision 1 to where the journal goes on, without a gap: a revision that is in no file is
//! damage, and one whose record is not in its file is past keeping.
//!
//! | Key | Value |
//! |---|---|
//! | `after` | revision before the first one |
//! | `q/<time><revision>` | a request that was remembered when the file was written |
//! | `q0` | nothing: the requests end, and with them a block |
//! | `r/<revision><chunk>` | a record, as the index keeps it |
//!
//! The index holds what they hold, in the shape that reads want, and is rebuilt from them.

use std::{
    io as std_io,
    path::{Path, PathBuf},
};

use super::{
    Ids, checkpoint, damaged, files,
    index::{Head, keys},
    sorted::{self, FileKind, Outline},
};
use crate::store::{
    Header, Result, Revision,
    io::{File, Io},
};

/// Name of the folder.
pub(super) const FOLDER: &str = "history";
/// What the name of a file ends with.
pub(super) const ENDING: &str = "hist";
/// How the files begin.
pub(super) const KIND: FileKind = FileKind { magic: *b"DPHIST\r\n" };
/// Key of the revision before the first one.
const AFTER: &[u8] = b"after";

/// The revisions that a file stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// The revision before the first one.
    pub(super) after: Revision,
    /// The last revision.
    pub(super) last: Revision,
}

/// Files of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Those that count, rising.
    pub(super) spans: Vec<Span>,
    /// Those whose revisions another one has as well: it was written in their place.
    pub(super) superseded: Vec<Span>,
}

// === impl Span ===

impl Span {
    /// The span that a path names.
    pub(super) fn named(path: &Path) -> Option<Self> {
        let (first, last) = files::span(path)?;
        (first > 0 && first <= last).then_some(Self { after: first - 1, last })
    }

    /// Whether every revision of the other one is one of this.
    fn covers(self, other: Self) -> bool {
        self.after <= other.after && other.last <= self.last
    }
}

// === impl Files ===

impl Files {
    /// Looks at the names in a folder.
    pub(super) fn list(io: &dyn Io, dir: &Path) -> Result<Self> {
        let mut named = Vec::new();
        for path in files::list(io, dir, ENDING)? {
            match Span::named(&path) {
                Some(span) => named.push(span),
                None => return Err(damaged(&path, 0, "the name is no span of revisions")),
            }
        }
        // Of those that begin together, the one that reaches further comes first.
        named.sort_by_key(|span| (span.after, -span.last));
        let mut found = Self::default();
        for span in named {
            match found.spans.last() {
                Some(before) if before.covers(span) => found.superseded.push(span),
                _ => found.spans.push(span),
            }
        }
        Ok(found)
    }

    /// The last revision of all; 0 without a file.
    pub(super) fn end(&self) -> Revision {
        end(&self.spans)
    }

    /// Refuses a gap.
    pub(super) fn check(&self, dir: &Path) -> Result<()> {
        let mut at = 0;
        for span in &self.spans {
            if span.after != at {
                let what = format!("revisions {} to {} are missing before it", at + 1, span.after);
                return Err(damaged(&path(dir, *span), 0, &what));
            }
            at = span.last;
        }
        Ok(())
    }
}

/// The last revision of files in rising order; 0 without one.
pub(super) fn end(spans: &[Span]) -> Revision {
    spans.last().map_or(0, |span| span.last)
}

/// Where the file of a span lies.
pub(super) fn path(dir: &Path, span: Span) -> PathBuf {
    dir.join(format!("{:020}-{:020}.{ENDING}", span.after.saturating_add(1), span.last))
}

/// Writes a history file.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    file: sorted::Writer<'a>,
    /// Whether the requests have come to their end.
    ended: bool,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// Begins the file of a span; its records are those of an index, or of nothing, with that head.
    pub(super) fn new(
        io: &'a dyn Io,
        dir: &Path,
        ids: Ids,
        span: Span,
        head: Head,
    ) -> std_io::Result<Self> {
        let head = Head { revision: span.last, ..head };
        let mut file = sorted::Writer::new(io, path(dir, span), KIND, ids, head)?;
        file.add((AFTER, &span.after.to_be_bytes()))?;
        Ok(Self { file, ended: false })
    }

    /// Adds a request or a chunk of a record; keys rise.
    pub(super) fn add(&mut self, entry: keys::Entry<'_>) -> std_io::Result<()> {
        if entry.0.starts_with(keys::RECORDS) {
            self.end_requests()?;
        }
        self.file.add(entry)
    }

    /// Ends the file and makes it durable.
    pub(super) fn finish(mut self) -> std_io::Result<()> {
        self.end_requests()?;
        self.file.finish().map(drop)
    }

    /// Requests can be read without records: a start needs them, and no record.
    fn end_requests(&mut self) -> std_io::Result<()> {
        if !self.ended {
            self.ended = true;
            self.file.add((keys::REQUESTS_END, &[]))?;
            self.file.end_block()?;
        }
        Ok(())
    }
}

/// Reads a file from its first byte to its last and hands on what it holds of the index; its head.
///
/// Nothing that was handed on may be relied on before this has come to its end.
pub(super) fn read(
    io: &dyn Io,
    path: &Path,
    ids: Ids,
    each: impl FnMut(keys::Entry<'_>) -> Result<()>,
) -> Result<Head> {
    read_file(&*io.open(path)?, path, ids, each)
}

/// The same for a file that is open already.
pub(super) fn read_file(
    file: &dyn File,
    path: &Path,
    ids: Ids,
    mut each: impl FnMut(keys::Entry<'_>) -> Result<()>,
) -> Result<Head> {
    let (mut after, mut stray) = (None, false);
    let head = sorted::read_file(file, path, KIND, ids, |(key, value)| match key {
        AFTER => {
            after = value.try_into().ok().map(Revision::from_be_bytes);
            Ok(())
        }
        keys::REQUESTS_END => Ok(()),
        key if key.starts_with(keys::REQUESTS) || key.starts_with(keys::RECORDS) => {
            each((key, value))
        }
        _ => {
            stray = true;
            Ok(())
        }
    })?;
    let named = Span::named(path);
    if stray || after.is_none() || after != named.map(|span| span.after) {
        return Err(damaged(path, 0, "the name is not that of the content"));
    }
    Ok(head)
}

/// Hands on the requests that a file holds and that are no older than a key of theirs.
pub(super) fn requests(
    io: &dyn Io,
    path: &Path,
    ids: Ids,
    oldest: &[u8],
    mut each: impl FnMut(Header),
) -> Result<()> {
    let outline = Outline::read(io, path, KIND, ids)?;
    outline_requests(io, path, &outline, oldest, &mut each)
}

/// The same of any sorted file whose outline is known.
pub(super) fn outline_requests(
    io: &dyn Io,
    path: &Path,
    outline: &Outline,
    oldest: &[u8],
    each: &mut dyn FnMut(Header),
) -> Result<()> {
    let (file, mut beyond) = (io.open(path)?, false);
    // Where they end is seen in the blocks: a first key is checked with its block alone.
    for spot in outline.from(oldest) {
        outline.block(&*file, path, spot, |(key, value)| {
            if (oldest..keys::REQUESTS_END).contains(&key) {
                each(Header::decode(value)?);
            }
            beyond |= key >= keys::REQUESTS_END;
            Ok(())
        })?;
        if beyond {
            break;
        }
    }
    Ok(())
}

/// Writes the file of what a checkpoint holds of history, which an older program wrote; under other
/// ids than those of the checkpoint, if need be.
pub(super) fn from_checkpoint(
    io: &dyn Io,
    dir: &Path,
    (old, new): (Ids, Ids),
    file: &dyn File,
    at: &Path,
    span: Span,
) -> Result<Span> {
    // Its head comes last, and that of the file first.
    let head = Outline::of(file, at, checkpoint::KIND, old)?.head;
    let mut writer = Writer::new(io, dir, new, span, head)?;
    checkpoint::check(file, at, old, |entry| {
        let ours = [keys::REQUESTS, keys::RECORDS].iter().any(|own| entry.0.starts_with(own));
        if ours { Ok(writer.add(entry)?) } else { Ok(()) }
    })?;
    writer.finish()?;
    Ok(span)
}

/// Stands for revisions whose records are lost.
pub(super) fn write_lost(io: &dyn Io, dir: &Path, ids: Ids, span: Span) -> Result<()> {
    let head = Head { trimmed: span.last, ..Head::default() };
    Ok(Writer::new(io, dir, ids, span, head)?.finish()?)
}

#[cfg(test)]
mod tests;
