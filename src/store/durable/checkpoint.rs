//! Checkpoints: the whole index at one revision, sorted by key. They bound the journal, and the
//! index is built anew from them.
//!
//! `<revision, 20 digits>.ckpt` is a header, blocks and a trailer. A block is its length, its
//! CRC32C and entries; an entry is length and bytes of the key, then of the value. The trailer
//! stands in a block behind one of length 0. Numbers are big endian.

use std::{
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Ids, damaged, files, index::Head, known_format};
use crate::{
    domain::Time,
    store::{
        Error, Result, Revision,
        io::{File, Io},
    },
};

/// Name of the folder.
pub(super) const FOLDER: &str = "checkpoint";
/// Checkpoints that are kept.
pub(super) const KEPT: usize = 2;
const ENDING: &str = "ckpt";
const MAGIC: [u8; 8] = *b"DPCKPT\r\n";
/// Format of checkpoints that this program writes.
const FORMAT: u32 = 1;
/// Bytes of the header: magic, format, CRC32C, store, incarnation, revision.
const HEADER: usize = 56;
/// Bytes of the trailer: count, revision, time, number of records, last removed one, hash.
const TRAILER: usize = 72;
/// Bytes of entries from which a block is closed.
const BLOCK: usize = 256 << 10;

/// A key of the index with its value.
pub(super) type Entry<'a> = (&'a [u8], &'a [u8]);

/// Revisions of the checkpoints, rising.
pub(super) fn list(io: &dyn Io, dir: &Path) -> Result<Vec<Revision>> {
    let named = files::list(io, dir, ENDING)?;
    Ok(named.iter().filter_map(|path| files::number(path)).collect())
}

/// Where the checkpoint of a revision lies.
pub(super) fn path(dir: &Path, revision: Revision) -> PathBuf {
    dir.join(format!("{revision:020}.{ENDING}"))
}

/// Writes a checkpoint; it gets its name once it is durable.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    io: &'a dyn Io,
    dir: &'a Path,
    unfinished: PathBuf,
    file: Box<dyn File>,
    at: u64,
    block: Vec<u8>,
    hash: Sha256,
    count: u64,
    head: Head,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// Begins a checkpoint of the index with that head.
    pub(super) fn new(io: &'a dyn Io, dir: &'a Path, ids: Ids, head: Head) -> io::Result<Self> {
        for left in files::list(io, dir, files::UNFINISHED)? {
            io.remove(&left)?;
        }
        let unfinished = path(dir, head.revision).with_extension(files::UNFINISHED);
        let mut file = io.create(&unfinished)?;
        file.write_at(0, &header(ids, head.revision))?;
        let (at, hash) = (HEADER as u64, Sha256::new());
        Ok(Self { io, dir, unfinished, file, at, block: Vec::new(), hash, count: 0, head })
    }

    /// Adds an entry; keys rise.
    pub(super) fn add(&mut self, (key, value): Entry<'_>) -> io::Result<()> {
        for part in [key, value] {
            let length = u32::try_from(part.len()).map_err(io::Error::other)?;
            self.block.extend_from_slice(&length.to_be_bytes());
            self.block.extend_from_slice(part);
        }
        self.count += 1;
        if self.block.len() < BLOCK { Ok(()) } else { self.close_block() }
    }

    /// Ends the checkpoint and makes it durable; its length.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if !self.block.is_empty() {
            self.close_block()?;
        }
        self.close_block()?;
        for number in [
            self.count.to_be_bytes(),
            self.head.revision.to_be_bytes(),
            self.head.time.micros().to_be_bytes(),
            self.head.records.to_be_bytes(),
            self.head.trimmed.to_be_bytes(),
        ] {
            self.block.extend_from_slice(&number);
        }
        let hash = self.hash.finalize_reset();
        self.block.extend_from_slice(&hash);
        self.close_block()?;
        self.file.sync()?;
        self.io.rename(&self.unfinished, &path(self.dir, self.head.revision))?;
        self.io.sync_dir(self.dir)?;
        Ok(self.at)
    }

    fn close_block(&mut self) -> io::Result<()> {
        self.hash.update(&self.block);
        let length = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        let crc = crc32c::crc32c(&self.block);
        let bytes = [&length.to_be_bytes()[..], &crc.to_be_bytes(), &self.block].concat();
        self.file.write_at(self.at, &bytes)?;
        self.at += bytes.len() as u64;
        self.block.clear();
        Ok(())
    }
}

/// Reads a checkpoint from its first byte to its last and hands on every entry; its head.
///
/// Nothing that was handed on may be believed before this has come to its end.
pub(super) fn read(
    io: &dyn Io,
    path: &Path,
    ids: Ids,
    each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<Head> {
    read_file(&*io.open(path)?, path, ids, each)
}

/// The same for a file that is open already.
pub(super) fn read_file(
    file: &dyn File,
    path: &Path,
    ids: Ids,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<Head> {
    let mut reader = Reader { file, path, at: 0 };
    reader.header(ids)?;
    let (mut hash, mut count) = (Sha256::new(), 0_u64);
    loop {
        let block = reader.block()?;
        if block.is_empty() {
            break;
        }
        hash.update(&block);
        let mut rest = &block[..];
        while !rest.is_empty() {
            let entry = take(&mut rest).zip(take(&mut rest));
            each(entry.ok_or_else(|| reader.bad("a block that ends within an entry"))?)?;
            count += 1;
        }
    }
    let trailer = reader.block()?;
    if reader.at != reader.file.len()? || trailer.len() != TRAILER {
        return Err(reader.bad("the trailer is not the end"));
    }
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&trailer[at * 8..at * 8 + 8]);
        i64::from_be_bytes(bytes)
    };
    let named = files::number(path) == Some(number(1));
    if !named || number(0) != count as i64 || trailer[40..] != hash.finalize()[..] {
        return Err(reader.bad("the trailer does not fit the content"));
    }
    Ok(Head {
        revision: number(1),
        time: Time::from_micros(number(2)),
        records: number(3),
        trimmed: number(4),
    })
}

struct Reader<'a> {
    file: &'a dyn File,
    path: &'a Path,
    at: u64,
}

// === impl Reader ===

impl Reader<'_> {
    fn header(&mut self, ids: Ids) -> Result<()> {
        let bytes = self.take(HEADER)?;
        let number = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if bytes[..8] != MAGIC || number(12) != seal(&bytes) {
            return Err(self.bad("the header is not what was written"));
        }
        known_format(self.path, number(8), FORMAT)?;
        if bytes[16..32] != ids.store.as_bytes()[..]
            || bytes[32..48] != ids.incarnation.as_bytes()[..]
        {
            return Err(self.bad("a checkpoint of another store or incarnation"));
        }
        let named = files::number(self.path).is_some_and(|at| bytes[48..] == at.to_be_bytes());
        if named { Ok(()) } else { Err(self.bad("the name is not that of the header")) }
    }

    fn block(&mut self) -> Result<Vec<u8>> {
        let (start, head) = (self.at, self.take(8)?);
        let number =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let block = self.take(number(0) as usize)?;
        if crc32c::crc32c(&block) == number(4) {
            return Ok(block);
        }
        self.at = start;
        Err(self.bad("a bad block"))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        if self.file.len()?.saturating_sub(self.at) < length as u64 {
            return Err(self.bad("the file is too short"));
        }
        let mut bytes = vec![0; length];
        self.file.read_at(self.at, &mut bytes)?;
        self.at += length as u64;
        Ok(bytes)
    }

    fn bad(&self, what: &str) -> Error {
        damaged(self.path, usize::try_from(self.at).unwrap_or(usize::MAX), what)
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (part, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = behind;
    Some(part)
}

fn header(ids: Ids, revision: Revision) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[16..32].copy_from_slice(ids.store.as_bytes());
    bytes[32..48].copy_from_slice(ids.incarnation.as_bytes());
    bytes[48..].copy_from_slice(&revision.to_be_bytes());
    let crc = seal(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn seal(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..HEADER])
}
