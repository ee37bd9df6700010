//! Checkpoints: the whole index at one revision, sorted by key. They bound the journal, and the
//! index is built anew from them.
//!
//! `<revision, 20 digits>.ckpt` is a header, blocks and a trailer. A block is its length, its
//! CRC32C and its content: length and bytes of its first key, length of its entries, and these
//! compressed with LZ4. An entry is length and bytes of the key, then of the value. The trailer
//! stands in a block behind one of length 0, and its hash is that of all entries. Numbers are big
//! endian. In format 1 the content of a block is the entries as they are.

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
const FORMAT: u32 = 2;
/// More than this LZ4 cannot make of one byte.
const MOST_FROM_A_BYTE: usize = 255;
/// Bytes of the header: magic, format, CRC32C, store, incarnation, revision.
const HEADER: usize = 56;
/// Bytes of the trailer before the hash: count, revision, time, number of records, last removed one.
const NUMBERS: usize = 40;
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
        if self.block.len() < BLOCK { Ok(()) } else { self.close_entries() }
    }

    /// Ends the checkpoint and makes it durable; its length.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if !self.block.is_empty() {
            self.close_entries()?;
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

    /// Writes the entries that were added since the last block.
    fn close_entries(&mut self) -> io::Result<()> {
        self.hash.update(&self.block);
        let length = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        let key = self.block.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)) as usize;
        let compressed = lz4_flex::block::compress(&self.block);
        let first = self.block.get(..4 + key).unwrap_or_default();
        self.block = [first, &length.to_be_bytes(), &compressed].concat();
        self.close_block()
    }

    fn close_block(&mut self) -> io::Result<()> {
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
    let mut reader = Reader::new(file, path, ids)?;
    let (mut hash, mut count) = (Sha256::new(), 0_u64);
    loop {
        let block = reader.block()?;
        if block.is_empty() {
            break;
        }
        let block = reader.unpack(block)?;
        hash.update(&block);
        reader.entries(&block, |entry| {
            count += 1;
            each(entry)
        })?;
    }
    let trailer = reader.trailer()?;
    if trailer.count != count || trailer.hash != hash.finalize()[..] {
        return Err(reader.bad("the trailer does not fit the content"));
    }
    Ok(trailer.head)
}

/// Where the blocks of a checkpoint lie, found without reading what is in them.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) head: Head,
    format: u32,
    blocks: Vec<Spot>,
}

/// Where a block lies.
#[derive(Debug)]
pub(super) struct Spot {
    first: Vec<u8>,
    at: u64,
}

/// The end of a checkpoint.
struct Trailer {
    head: Head,
    count: u64,
    hash: [u8; 32],
}

// === impl Outline ===

impl Outline {
    /// Goes through a checkpoint from block to block.
    pub(super) fn read(io: &dyn Io, path: &Path, ids: Ids) -> Result<Self> {
        let file = io.open(path)?;
        let mut reader = Reader::new(&*file, path, ids)?;
        let mut blocks: Vec<Spot> = Vec::new();
        while let Some(spot) = reader.skip()? {
            if blocks.last().is_some_and(|before| before.first >= spot.first) {
                return Err(reader.bad("the keys do not rise"));
            }
            blocks.push(spot);
        }
        Ok(Self { head: reader.trailer()?.head, format: reader.format, blocks })
    }

    /// The blocks that may hold keys from the first up to the second.
    pub(super) fn within(&self, from: &[u8], until: &[u8]) -> &[Spot] {
        let start = self.blocks.partition_point(|block| block.first.as_slice() <= from);
        let end = self.blocks.partition_point(|block| block.first.as_slice() < until);
        &self.blocks[start.saturating_sub(1)..end]
    }

    /// Reads one block of the file and hands on its entries.
    pub(super) fn block(
        &self,
        file: &dyn File,
        path: &Path,
        spot: &Spot,
        each: impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut reader = Reader { file, path, format: self.format, at: spot.at };
        let block = reader.block()?;
        reader.entries(&reader.unpack(block)?, each)
    }
}

// === impl Spot ===

impl Spot {
    /// The first key.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }
}

struct Reader<'a> {
    file: &'a dyn File,
    path: &'a Path,
    format: u32,
    at: u64,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Begins behind the header.
    fn new(file: &'a dyn File, path: &'a Path, ids: Ids) -> Result<Self> {
        let mut reader = Self { file, path, format: FORMAT, at: 0 };
        reader.header(ids)?;
        Ok(reader)
    }

    fn header(&mut self, ids: Ids) -> Result<()> {
        let bytes = self.take(HEADER)?;
        let number = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if bytes[..8] != MAGIC || number(12) != seal(&bytes) {
            return Err(self.bad("the header is not what was written"));
        }
        self.format = number(8);
        known_format(self.path, self.format, FORMAT)?;
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

    /// Goes behind a block; where it lies, or none for the one that ends them.
    fn skip(&mut self) -> Result<Option<Spot>> {
        let (at, head) = (self.at, self.take(8)?);
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if length == 0 {
            self.at = at;
            return self.block().map(|_| None);
        }
        let key = self.take(4)?;
        let key = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
        if key > length {
            return Err(self.bad("a bad block"));
        }
        let first = self.take(key as usize)?;
        self.at = at + 8 + u64::from(length);
        Ok(Some(Spot { first, at }))
    }

    /// The entries of a block, whose sum is right.
    fn unpack(&self, block: Vec<u8>) -> Result<Vec<u8>> {
        if self.format == 1 {
            return Ok(block);
        }
        let mut rest = &block[..];
        take(&mut rest)
            .and_then(|_| rest.split_first_chunk())
            .map(|(length, packed)| (u32::from_be_bytes(*length) as usize, packed))
            .filter(|(length, packed)| *length <= packed.len().saturating_mul(MOST_FROM_A_BYTE))
            .and_then(|(length, packed)| lz4_flex::block::decompress(packed, length).ok())
            .ok_or_else(|| self.bad("a block that cannot be unpacked"))
    }

    fn entries(&self, block: &[u8], mut each: impl FnMut(Entry<'_>) -> Result<()>) -> Result<()> {
        let mut rest = block;
        while !rest.is_empty() {
            let entry = take(&mut rest).zip(take(&mut rest));
            each(entry.ok_or_else(|| self.bad("a block that ends within an entry"))?)?;
        }
        Ok(())
    }

    /// Reads the end of the file.
    fn trailer(&mut self) -> Result<Trailer> {
        let bytes = self.block()?;
        let (numbers, hash) = bytes.split_at_checked(NUMBERS).unwrap_or_default();
        let hash = <[u8; 32]>::try_from(hash);
        let (Ok(hash), true) = (hash, self.at == self.file.len()?) else {
            return Err(self.bad("the trailer is not the end"));
        };
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&numbers[at * 8..at * 8 + 8]);
            i64::from_be_bytes(bytes)
        };
        let head = Head {
            revision: number(1),
            time: Time::from_micros(number(2)),
            records: number(3),
            trimmed: number(4),
        };
        if files::number(self.path) != Some(head.revision) {
            return Err(self.bad("the name is not that of the trailer"));
        }
        Ok(Trailer { head, count: number(0).cast_unsigned(), hash })
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
