//! Segments: files of the journal, of a length that is reserved before anything is written.
//!
//! `<first revision that it may hold, 20 digits>.seg` holds a header and groups, then zeros:
//!
//! | Bytes | What |
//! |---|---|
//! | 8 | `DPJRNL` CR LF |
//! | 4 | format version |
//! | 4 | 0 |
//! | 16 | id of the store |
//! | 16 | incarnation of the store |
//! | 8 | first revision that it may hold: the one after the last of the segment before |
//! | 4 | CRC32C of all that |
//! | 4 | 0 |

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{Ids, damaged, files, frame, known_format};
use crate::store::{
    Error, Lack, Record, Result, Revision,
    io::{File, Io, before_zeros},
};

/// Bytes before the first group.
pub(super) const HEADER: usize = 64;
/// What the name of a segment ends with.
pub(super) const ENDING: &str = "seg";
const MAGIC: [u8; 8] = *b"DPJRNL\r\n";
/// Format of segments that this program writes.
const FORMAT: u32 = 1;

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Last revision of the segment before.
    pub(super) after: Revision,
    pub(super) groups: Vec<Group>,
    /// Where the groups end.
    pub(super) end: usize,
    /// Whether something else than zeros follows the last group: one that was being written.
    pub(super) torn: bool,
    bytes: Vec<u8>,
}

/// A whole group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// Last revision before the group.
    pub(super) after: Revision,
    /// Its own last revision.
    pub(super) revision: Revision,
    /// Where it lies.
    pub(super) at: Range<usize>,
}

/// Name of the segment that begins after a revision.
pub(super) fn path(dir: &Path, after: Revision) -> PathBuf {
    dir.join(format!("{:020}.{ENDING}", after.saturating_add(1)))
}

/// Makes a segment after a revision, with room for so many bytes. It gets its name once the header
/// is durable, so a segment without a header is damaged.
pub(super) fn create(
    io: &dyn Io,
    dir: &Path,
    ids: Ids,
    after: Revision,
    len: u64,
) -> io::Result<Box<dyn File>> {
    let file = make(io, dir, ids, after, len)?;
    name(io, dir, after)?;
    Ok(file)
}

/// Makes a segment that has no name yet: whatever fails, the journal is as it was.
pub(super) fn make(
    io: &dyn Io,
    dir: &Path,
    ids: Ids,
    after: Revision,
    len: u64,
) -> io::Result<Box<dyn File>> {
    let unfinished = path(dir, after).with_extension(files::UNFINISHED);
    files::remove(io, &unfinished)?;
    let mut file = io.create(&unfinished)?;
    let made = file
        .reserve(len)
        .and_then(|()| file.write_at(0, &header(ids, after)))
        .and_then(|()| file.sync());
    if let Err(error) = made {
        drop(file);
        // What cannot be removed now is removed when the name is needed again.
        files::remove(io, &unfinished).ok();
        return Err(error);
    }
    Ok(file)
}

/// Gives a segment its name. It says where the segment before ends: from here on, and whatever
/// fails, that one may not be written any further.
pub(super) fn name(io: &dyn Io, dir: &Path, after: Revision) -> io::Result<()> {
    let path = path(dir, after);
    io.rename(&path.with_extension(files::UNFINISHED), &path)?;
    match io.sync_dir(dir) {
        // The folder could not be opened: nothing was synced, so nothing is lost, and the segment
        // may be made once more.
        Err(error) if Lack::of(&error) == Some(Lack::Handles) => Err(error),
        // A sync that failed is never taken for a mere lack of room.
        synced => synced.map_err(io::Error::other),
    }
}

fn header(ids: Ids, after: Revision) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[16..32].copy_from_slice(ids.store.as_bytes());
    bytes[32..48].copy_from_slice(ids.incarnation.as_bytes());
    bytes[48..56].copy_from_slice(&after.saturating_add(1).to_be_bytes());
    let crc = crc32c::crc32c(&bytes[..56]);
    bytes[56..60].copy_from_slice(&crc.to_be_bytes());
    bytes
}

// === impl Segment ===

impl Segment {
    /// Reads a segment and judges every byte of it; changes nothing.
    pub(super) fn read(io: &dyn Io, path: &Path, ids: Ids) -> Result<Self> {
        let bytes =
            files::read(io, path)?.ok_or_else(|| damaged(path, 0, "the segment is gone"))?;
        match Self::judge(path, bytes, ids)? {
            (segment, None) => Ok(segment),
            (_, Some(error)) => Err(error),
        }
    }

    /// The groups up to the first damage, and what that is. An error is a header that does not
    /// belong here.
    pub(super) fn judge(path: &Path, bytes: Vec<u8>, ids: Ids) -> Result<(Self, Option<Error>)> {
        let after = read_header(path, &bytes, ids)?;
        let mut segment = Self {
            path: path.to_owned(),
            after,
            groups: Vec::new(),
            end: HEADER,
            torn: false,
            bytes,
        };
        loop {
            match segment.group(segment.end, segment.last(), ids) {
                Ok(Some(group)) => {
                    segment.end = group.at.end;
                    segment.groups.push(group);
                }
                Ok(None) => break,
                Err(error) => return Ok((segment, Some(error))),
            }
        }
        let last = segment.last();
        segment.torn = !before_zeros(&segment.bytes[segment.end..]).is_empty();
        // The frames of one group are written together, so a torn one may have good frames behind
        // bad ones. A group planned on a later head was written after this one was acknowledged.
        let later = |frame: &frame::Frame<'_>| frame.after > last;
        if segment.torn
            && let Some(good) = frame::find(&segment.bytes, segment.end, ids.incarnation, later)
        {
            let what = format!("a bad frame, though a good one follows at byte {good}");
            let error = damaged(path, segment.end, &what);
            return Ok((segment, Some(error)));
        }
        Ok((segment, None))
    }

    /// The last revision in it, or before it.
    pub(super) fn last(&self) -> Revision {
        self.groups.last().map_or(self.after, |group| group.revision)
    }

    /// The header and all whole groups, as they lie there.
    pub(super) fn whole(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// What follows the groups.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.end..]
    }

    /// The stored form of a group.
    pub(super) fn bytes(&self, group: &Group) -> &[u8] {
        &self.bytes[group.at.clone()]
    }

    /// Length of the file.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The records of a group.
    pub(super) fn records(&self, group: &Group) -> Result<Vec<(Record, Vec<u8>)>> {
        let (mut at, mut records) = (group.at.start, Vec::new());
        while at < group.at.end {
            let bad = |what: &str| damaged(&self.path, at, what);
            let frame =
                frame::parse(&self.bytes[at..group.at.end]).ok_or_else(|| bad("a bad frame"))?;
            let record = Record::decode(frame.payload).map_err(|error| match error {
                Error::Damaged(what) => bad(&what),
                other => other,
            })?;
            if record.revision != frame.revision {
                return Err(bad("a frame with the record of another revision"));
            }
            records.push((record, frame.payload.to_vec()));
            at += frame.size();
        }
        Ok(records)
    }

    /// The whole group at an offset; none where nothing, or a torn one, is.
    fn group(&self, start: usize, after: Revision, ids: Ids) -> Result<Option<Group>> {
        let (mut at, mut revision) = (start, after);
        while let Some(frame) = self.bytes.get(at..).and_then(frame::parse) {
            let bad = |what: &str| Err(damaged(&self.path, at, what));
            if frame.incarnation != ids.incarnation {
                return bad(&foreign("frame", frame.incarnation));
            }
            if frame.after < after {
                // What is left of a torn group, behind one that was written over its begin.
                return Ok(None);
            }
            if frame.after != after {
                return bad(&format!(
                    "a gap: revision {after} is followed by a group planned on {}",
                    frame.after
                ));
            }
            if frame.revision <= revision {
                return bad("revisions do not rise");
            }
            revision = frame.revision;
            at += frame.size();
            if frame.last {
                return Ok(Some(Group { after, revision, at: start..at }));
            }
        }
        Ok(None)
    }
}

fn read_header(path: &Path, bytes: &[u8], ids: Ids) -> Result<Revision> {
    let bad = |what: &str| Err(damaged(path, 0, what));
    let Some((head, _)) = bytes.split_first_chunk::<HEADER>() else {
        return bad("the segment is shorter than its header");
    };
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..8] != MAGIC || number(56) != crc32c::crc32c(&head[..56]) || number(60) != 0 {
        return bad("the header is not what was written");
    }
    known_format(path, number(8), FORMAT)?;
    let id = |at: usize| Uuid::from_slice(&head[at..at + 16]).unwrap_or_default();
    if id(16) != ids.store {
        return bad(&foreign("segment", id(16)));
    }
    if id(32) != ids.incarnation {
        return bad(&foreign("segment", id(32)));
    }
    match files::number(path) {
        Some(first) if head[48..56] == first.to_be_bytes() => Ok(first - 1),
        _ => bad("the name of the segment is not that of its header"),
    }
}

fn foreign(what: &str, id: Uuid) -> String {
    format!("a {what} of another store or incarnation, {id}")
}
