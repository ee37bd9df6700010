//! The journal: every group of records that was acknowledged, in segments. It is the truth; the
//! index follows it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Ids, damaged, files,
    segment::{self, Group, HEADER, Segment},
};
use crate::store::{
    Error, Lack, Record, Result, Revision,
    io::{File, Io},
};

/// Name of the folder.
pub(super) const FOLDER: &str = "journal";

/// Bytes of zeros that are written at a time, and behind a last group that is not torn.
const ZEROS: usize = 1 << 20;

/// The journal, open for writing.
#[derive(Debug)]
pub(super) struct Journal {
    io: Arc<dyn Io>,
    dir: PathBuf,
    ids: Ids,
    /// Length of a segment that holds more than one group.
    segment_bytes: u64,
    /// Revisions after which the segments begin.
    segments: Vec<Revision>,
    current: Option<Current>,
    /// Whether the name of a segment may not last.
    unsynced: bool,
}

/// The segment that is written.
#[derive(Debug)]
struct Current {
    file: Box<dyn File>,
    at: u64,
    len: u64,
}

/// What a look at the journal found; nothing was changed by it.
#[derive(Debug)]
pub(super) struct Scan {
    /// Revisions after which all segments begin.
    segments: Vec<Revision>,
    /// The lowest revision that records can be replayed above.
    pub(super) from: Revision,
    /// The revision above which records are needed, which lies in the first segment.
    needed: Revision,
    /// The last revision.
    pub(super) end: Revision,
    /// Bytes of the groups above a revision.
    pub(super) sizes: Vec<(Revision, usize)>,
    tail: Option<Tail>,
}

/// Segments that are missing between others.
#[derive(Debug)]
struct Gap {
    error: Error,
    /// The revision after which the segments go on.
    until: Revision,
}

/// The end of the last segment.
#[derive(Debug)]
struct Tail {
    /// The last group, which may be in the memory of the machine only.
    group: Option<(usize, Vec<u8>)>,
    end: usize,
    len: usize,
    torn: bool,
}

// === impl Scan ===

impl Scan {
    /// Reads the segments that are needed to go on from the first of these revisions, rising, behind
    /// which no segment is missing.
    ///
    /// That released segments are removed is not made durable. After a loss of power some of them may
    /// be there again, and others not: then a later revision lies behind the gaps.
    pub(super) fn read_by(io: &dyn Io, dir: &Path, ids: Ids, ways: &[Revision]) -> Result<Self> {
        let (mut from, mut others) = match ways.split_first() {
            Some((first, others)) => (*first, others),
            None => (0, ways),
        };
        loop {
            match Self::read_or_gap(io, dir, ids, from)? {
                Ok(scan) => return Ok(scan),
                Err(Gap { error, until }) => {
                    let behind = others.partition_point(|way| *way < until);
                    let Some((way, rest)) = others[behind..].split_first() else {
                        return Err(error);
                    };
                    tracing::info!(from = way, "segments that were released are there again");
                    (from, others) = (*way, rest);
                }
            }
        }
    }

    /// Reads the segments that are needed to go on from a revision.
    ///
    /// Segments wholly below it are left alone: some of them may be gone already.
    pub(super) fn read(io: &dyn Io, dir: &Path, ids: Ids, from: Revision) -> Result<Self> {
        Self::read_by(io, dir, ids, &[from])
    }

    fn read_or_gap(
        io: &dyn Io,
        dir: &Path,
        ids: Ids,
        from: Revision,
    ) -> Result<std::result::Result<Self, Gap>> {
        let segments = list(io, dir)?;
        let start = segments.partition_point(|after| *after <= from).saturating_sub(1);
        let (sizes, tail) = (Vec::new(), None);
        let mut scan = Self { segments, from, needed: from, end: from, sizes, tail };
        match scan.segments.get(start) {
            Some(&after) if after <= from => scan.end = after,
            None if from == 0 => {}
            _ => {
                return Err(damaged(
                    dir,
                    0,
                    &format!("revisions from {} on are missing", from + 1),
                ));
            }
        }
        scan.from = scan.end;
        for (at, &after) in scan.segments.iter().enumerate().skip(start) {
            let segment = Segment::read(io, &segment::path(dir, after), ids)?;
            if segment.after != scan.end {
                let what =
                    format!("a gap: revisions {} to {} are missing", scan.end + 1, segment.after);
                let error = damaged(&segment.path, 0, &what);
                return Ok(Err(Gap { error, until: segment.after }));
            }
            if segment.torn && at + 1 < scan.segments.len() {
                return Err(damaged(
                    &segment.path,
                    segment.end,
                    "a bad frame, though a segment follows",
                ));
            }
            scan.end = segment.last();
            scan.sizes.extend(segment.groups.iter().map(|group| (group.revision, group.at.len())));
            let bytes = |group: &Group| (group.at.start, segment.bytes(group).to_vec());
            scan.tail = Some(Tail {
                group: segment.groups.last().map(bytes),
                end: segment.end,
                len: segment.len(),
                torn: segment.torn,
            });
        }
        Ok(Ok(scan))
    }

    /// Whether a group that nobody was answered for ends the journal.
    pub(super) fn torn(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.torn)
    }

    /// The end of a group above which a replay hands on all that is needed above a revision.
    pub(super) fn start(&self, above: Revision) -> Revision {
        let above = self.needed.min(above);
        let ends = self.sizes.iter().map(|(end, _)| *end);
        ends.take_while(|end| *end <= above).last().unwrap_or(self.from)
    }

    /// Bytes of the groups above a revision.
    pub(super) fn bytes_above(&self, revision: Revision) -> u64 {
        let above = self.sizes.iter().filter(|(at, _)| *at > revision);
        above.map(|(_, size)| *size as u64).sum()
    }
}

// === impl Journal ===

impl Journal {
    /// Opens the journal for writing, as the scan found it.
    ///
    /// After anything but a clean stop, what a dead process wrote is made durable before anybody
    /// sees it, and a torn group is cut. A sync may have failed, and then the memory of the machine
    /// calls clean what never reached the disk: so the last group and the zeros behind it are
    /// written once more, and a segment without a group is made once more.
    pub(super) fn open(
        io: Arc<dyn Io>,
        dir: PathBuf,
        ids: Ids,
        segment_bytes: u64,
        scan: &Scan,
        clean: bool,
    ) -> Result<Self> {
        for path in files::list(&*io, &dir, files::UNFINISHED)? {
            io.remove(&path)?;
        }
        let segments = scan.segments.clone();
        let mut journal =
            Self { io, dir, ids, segment_bytes, segments, current: None, unsynced: false };
        let (Some(tail), Some(&after)) = (&scan.tail, scan.segments.last()) else {
            return Ok(journal);
        };
        let path = segment::path(&journal.dir, after);
        if tail.torn {
            tracing::warn!(
                segment = %path.display(), offset = tail.end,
                "cutting a group that was being written when the store was left"
            );
        }
        let file = match &tail.group {
            None if !clean => {
                match segment::create(&*journal.io, &journal.dir, ids, after, tail.len as u64) {
                    // The next group makes it.
                    Err(error) if Lack::of(&error) == Some(Lack::Full) => return Ok(journal),
                    created => created?,
                }
            }
            Some((at, bytes)) if !clean => {
                let mut file = journal.io.open(&path)?;
                file.write_at(*at as u64, bytes)?;
                let until = if tail.torn { tail.len } else { tail.len.min(tail.end + ZEROS) };
                let zeros = vec![0; ZEROS.min(until - tail.end)];
                for at in (tail.end..until).step_by(ZEROS) {
                    file.write_at(at as u64, &zeros[..ZEROS.min(until - at)])?;
                }
                file.sync()?;
                journal.io.sync_dir(&journal.dir)?;
                file
            }
            _ => journal.io.open(&path)?,
        };
        journal.current = Some(Current { file, at: tail.end as u64, len: tail.len as u64 });
        Ok(journal)
    }

    /// Bytes that must be reserved before a group of that length can be written.
    pub(super) fn lacks(&self, group: usize) -> u64 {
        match &self.current {
            Some(current) if current.at + group as u64 <= current.len => 0,
            _ => self.segment_bytes.max((HEADER + group) as u64),
        }
    }

    /// Sees to it that a group of that length has its place on the disk. When that fails for want of
    /// something ([`Lack`]) nothing is written, and it may be tried again.
    pub(super) fn make_room(&mut self, after: Revision, group: usize) -> io::Result<()> {
        let len = self.lacks(group);
        if len == 0 {
            return Ok(());
        }
        let file = segment::make(&*self.io, &self.dir, self.ids, after, len)?;
        // If this fails the next group makes the segment: nothing goes to the old one any more.
        self.current = None;
        self.unsynced = true;
        segment::name(&*self.io, &self.dir, after)?;
        self.unsynced = false;
        // An empty segment that is too small has the same name and is replaced.
        if self.segments.last() != Some(&after) {
            self.segments.push(after);
        }
        self.current = Some(Current { file, at: HEADER as u64, len });
        Ok(())
    }

    /// Writes a group, for which there is room, durably. After an error nothing may be written.
    pub(super) fn write(&mut self, group: &[u8]) -> io::Result<()> {
        let current = self.current.as_mut().ok_or(io::ErrorKind::StorageFull)?;
        current.file.write_at(current.at, group)?;
        current.file.sync()?;
        current.at += group.len() as u64;
        Ok(())
    }

    /// Makes sure that every name lasts: after a clean stop the next start asks no more.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        if self.unsynced { self.io.sync_dir(&self.dir) } else { Ok(()) }
    }

    /// Begins another segment after the last group, so that the one before can be released.
    pub(super) fn roll(&mut self, head: Revision) -> io::Result<()> {
        // If this fails the next group makes the segment: nothing goes to the old one any more.
        self.current = None;
        self.make_room(head, 0)
    }

    /// The first revision that each segment may hold, less one; rising.
    pub(super) fn segments(&self) -> &[Revision] {
        &self.segments
    }

    /// Where the groups of the segment that is written end; none before it is made.
    pub(super) fn end(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.at)
    }

    /// Takes off the list the segments that lie wholly at or below a revision; the last one stays.
    pub(super) fn release(&mut self, revision: Revision) -> Vec<PathBuf> {
        let needed = self.segments.partition_point(|after| *after <= revision).saturating_sub(1);
        self.segments.drain(..needed).map(|after| segment::path(&self.dir, after)).collect()
    }
}

/// Revisions after which the segments begin, rising.
pub(super) fn list(io: &dyn Io, dir: &Path) -> Result<Vec<Revision>> {
    let named = files::list(io, dir, segment::ENDING)?;
    let after = |path: &PathBuf| match files::number(path) {
        Some(first) if first > 0 => Ok(first - 1),
        _ => Err(damaged(path, 0, "the name of the segment is no revision")),
    };
    named.iter().map(after).collect()
}

/// Hands on the records above a revision, group by group.
pub(super) fn replay(
    io: &dyn Io,
    dir: &Path,
    ids: Ids,
    scan: &Scan,
    above: Revision,
    mut each: impl FnMut(Vec<(Record, Vec<u8>)>) -> Result<()>,
) -> Result<()> {
    let mut at = above;
    let start = scan.segments.partition_point(|after| *after <= above).saturating_sub(1);
    for &after in &scan.segments[start..] {
        if at == scan.end {
            break;
        }
        let segment = Segment::read(io, &segment::path(dir, after), ids)?;
        // Behind the end of the scan a store at work may be writing.
        let needed = |group: &&Group| group.revision > above && group.revision <= scan.end;
        for group in segment.groups.iter().filter(needed) {
            if group.after != at {
                let what = format!("revision {at} is no end of a group");
                return Err(damaged(&segment.path, group.at.start, &what));
            }
            each(segment.records(group)?)?;
            at = group.revision;
        }
    }
    if at == scan.end {
        return Ok(());
    }
    Err(Error::Damaged(format!("{}: revisions above {at} are missing", dir.display())))
}
