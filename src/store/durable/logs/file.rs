//! Files of a log.
//!
//! `<kind>-<number of its first entry, 20 digits>.log` holds a header, as a segment of the journal
//! does, and batches of entries. A batch is one frame:
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | `DPLF` |
//! | 4 | length of the payload |
//! | 4 | CRC32C of everything else |
//! | 4 | number of entries |
//! | 8 | number of the first one |
//! | 8 | its time |
//! | … | payload: for each entry its time in 8 bytes, its length in 4, its bytes |
//!
//! Numbers are big endian, times microseconds since 1970. A file is written by one process only: each
//! start begins another one, so what a cut left at its end is never written over.

use std::path::{Path, PathBuf};

use super::super::{Ids, damaged, files, known_format};
use crate::{
    domain::Time,
    store::{LogEntry, LogKind, Logged, Result},
};

/// Bytes before the first frame.
pub(in super::super) const HEADER: usize = 48;
/// What the name of a file ends with.
pub(in super::super) const ENDING: &str = "log";
/// Bytes of a frame before its payload.
pub(in super::super) const HEAD: usize = 32;
/// Bytes of payload after which a batch goes on in another frame.
const FRAME_BYTES: usize = 256 << 10;
const MAGIC: [u8; 8] = *b"DPLOG\x1a\r\n";
const FRAME_MAGIC: [u8; 4] = *b"DPLF";
/// Format of files that this program writes.
const FORMAT: u32 = 1;
/// Bytes of an entry beside its own.
const ENTRY: usize = 12;

/// A frame whose sum is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Frame<'a> {
    pub(in super::super) first: u64,
    pub(in super::super) count: u32,
    pub(in super::super) time: Time,
    payload: &'a [u8],
}

/// The good frames of a file, and what lies between or behind them.
#[derive(Debug, Default, PartialEq)]
pub(in super::super) struct Frames<'a> {
    pub(in super::super) good: Vec<Frame<'a>>,
    /// Where the first bad bytes begin that a good frame follows.
    pub(in super::super) damaged: Option<usize>,
    /// Where bytes begin that no good frame follows.
    pub(in super::super) torn: Option<usize>,
}

/// Name of the file that begins with that entry.
pub(in super::super) fn path(dir: &Path, kind: LogKind, first: u64) -> PathBuf {
    dir.join(format!("{}-{first:020}.{ENDING}", kind.as_str()))
}

/// The kind and the first number of a file, by its name.
pub(in super::super) fn named(path: &Path) -> Option<(LogKind, u64)> {
    let first = files::number(path)?;
    let kind = path.file_stem()?.to_str()?.rsplit_once('-')?.0;
    let kind = LogKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    Some((kind, u64::try_from(first).ok()?))
}

/// What a file begins with.
pub(super) fn header(ids: Ids, first: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[12..28].copy_from_slice(ids.store.as_bytes());
    bytes[28..36].copy_from_slice(&first.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[..HEADER - 4]);
    bytes[HEADER - 4..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Checks that a file is one of this store, in a format that is known.
pub(in super::super) fn check(path: &Path, bytes: &[u8], ids: Ids) -> Result<()> {
    let Some((head, _)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(damaged(path, 0, "the file is shorter than its header"));
    };
    if head[..8] != MAGIC || number(head, HEADER - 4) != Some(crc32c::crc32c(&head[..HEADER - 4])) {
        return Err(damaged(path, 0, "the header is not what was written"));
    }
    known_format(path, number(head, 8).unwrap_or_default(), FORMAT)?;
    match head[12..28] == *ids.store.as_bytes() {
        true => Ok(()),
        false => Err(damaged(path, 0, "the file is of another store")),
    }
}

/// The frames of a batch whose first entry gets that number. Times are those of the entries, but never
/// before `last`; the second value is the last one.
pub(super) fn encode(first: u64, last: Time, entries: &[LogEntry]) -> (Vec<u8>, Time) {
    let (mut bytes, mut last, mut rest, mut number) = (Vec::new(), last, entries, first);
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = rest.iter().take_while(|entry| {
            let begun = sum > 0;
            sum += ENTRY + entry.bytes.len();
            !begun || sum <= FRAME_BYTES
        });
        let (batch, others) = rest.split_at(fits.count());
        let start = bytes.len();
        bytes.resize(start + HEAD, 0);
        let time = batch.first().map_or(last, |entry| entry.time.max(last));
        for entry in batch {
            last = entry.time.max(last);
            bytes.extend_from_slice(&last.micros().to_be_bytes());
            // An entry is a few KiB at most.
            bytes.extend_from_slice(&(entry.bytes.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&entry.bytes);
        }
        let length = bytes.len() - start - HEAD;
        let head = &mut bytes[start..];
        head[..4].copy_from_slice(&FRAME_MAGIC);
        head[4..8].copy_from_slice(&(length as u32).to_be_bytes());
        head[12..16].copy_from_slice(&(batch.len() as u32).to_be_bytes());
        head[16..24].copy_from_slice(&number.to_be_bytes());
        head[24..32].copy_from_slice(&time.micros().to_be_bytes());
        let crc = sum_of(head);
        head[8..12].copy_from_slice(&crc.to_be_bytes());
        (rest, number) = (others, number + batch.len() as u64);
    }
    (bytes, last)
}

/// The frame at the beginning of the bytes, if there is a good one.
fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    if !bytes.starts_with(&FRAME_MAGIC) {
        return None;
    }
    let length = usize::try_from(number(bytes, 4)?).ok()?;
    let frame = bytes.get(..HEAD.checked_add(length)?)?;
    if number(frame, 8)? != sum_of(frame) {
        return None;
    }
    let (count, first, time) = (number(frame, 12)?, long(frame, 16)?, long(frame, 24)?);
    let time = Time::from_micros(i64::from_be_bytes(time.to_be_bytes()));
    Some(Frame { first, count, time, payload: &frame[HEAD..] })
}

/// The frames behind the header of a file. Lengths of bad frames count for nothing: the next good one
/// is looked for.
pub(in super::super) fn frames(bytes: &[u8]) -> Frames<'_> {
    let (mut found, mut at) = (Frames::default(), HEADER.min(bytes.len()));
    while at < bytes.len() {
        let Some(frame) = parse(&bytes[at..]) else {
            let begins = |next: &usize| parse(&bytes[*next..]).is_some();
            match (at + 1..bytes.len()).find(begins) {
                Some(next) => {
                    found.damaged.get_or_insert(at);
                    at = next;
                    continue;
                }
                None => {
                    found.torn = Some(at);
                    break;
                }
            }
        };
        at += HEAD + frame.payload.len();
        found.good.push(frame);
    }
    found
}

/// The number and time of the first entry, by the head of the first frame, whose sum is not checked.
pub(super) fn begin(head: &[u8]) -> Option<Time> {
    let time = head.starts_with(&FRAME_MAGIC).then(|| long(head, 24))??;
    Some(Time::from_micros(i64::from_be_bytes(time.to_be_bytes())))
}

// === impl Frame ===

impl<'a> Frame<'a> {
    /// The entries, oldest first.
    pub(in super::super) fn entries(&self) -> Vec<Logged<'a>> {
        let (mut rest, mut entries) = (self.payload, Vec::new());
        for sequence in self.first.. {
            let (Some(time), Some(length)) = (long(rest, 0), number(rest, 8)) else { break };
            let end = ENTRY.saturating_add(length as usize);
            let Some(bytes) = rest.get(ENTRY..end) else { break };
            let time = Time::from_micros(i64::from_be_bytes(time.to_be_bytes()));
            entries.push(Logged { sequence, time, bytes });
            rest = &rest[end..];
        }
        entries
    }

    /// The number behind that of its last entry.
    pub(in super::super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        HEAD + self.payload.len()
    }
}

fn sum_of(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..8]), &frame[12..])
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
