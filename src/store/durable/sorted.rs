//! Sorted files: entries by rising key, in blocks that can be read alone. Checkpoints and history are
//! kept so.
//!
//! A file is a header, blocks and a trailer. A block is its length, its CRC32C and its content: length
//! and bytes of its first key, length of its entries, and these compressed with LZ4. An entry is
//! length and bytes of the key, then of the value. The trailer stands in a block behind one of length
//! 0, and its hash is that of all entries. Numbers are big endian.
//!
//! | Format | What differs |
//! |---|---|
//! | 1 | The content of a block is its entries, uncompressed. Checkpoints alone have it, and hold history |
//! | 2 | Checkpoints alone have it, and hold history |
//! | 3 | Checkpoints hold state alone, and history has files of its own |
//! | 4 | Checkpoints hold users in their compact form |

mod read;

use std::{
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

pub(super) use self::read::{Outline, Spot, format, read_file};

use super::{
    Ids, damaged, files,
    index::{Head, keys::Entry},
    known_format,
};
use crate::{
    domain::Time,
    store::{
        Error, Result, Revision,
        io::{File, Io},
    },
};

/// What tells a kind of sorted file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileKind {
    /// The first bytes.
    pub(super) magic: [u8; 8],
}

/// Format that this program writes.
const FORMAT: u32 = 4;
/// Newest format of checkpoints that hold history.
pub(super) const WITH_HISTORY: u32 = 2;
/// More than this LZ4 cannot make of one byte.
const MOST_FROM_A_BYTE: usize = 255;
/// Bytes of the header: magic, format, CRC32C, store, incarnation, revision.
const HEADER: usize = 56;
/// Bytes of the trailer before the hash: count, revision, time, number of records, last removed one.
const NUMBERS: usize = 40;
/// Bytes of entries from which a block is closed.
const BLOCK: usize = 256 << 10;

/// Writes a sorted file; it gets its name once it is durable.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    io: &'a dyn Io,
    path: PathBuf,
    file: Box<dyn File>,
    at: u64,
    block: Vec<u8>,
    hash: Sha256,
    count: u64,
    head: Head,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// Begins the file of that path, in whose name its revision stands. What an interrupted writer of
    /// the same folder left is removed.
    pub(super) fn new(
        io: &'a dyn Io,
        path: PathBuf,
        kind: FileKind,
        ids: Ids,
        head: Head,
    ) -> io::Result<Self> {
        for left in files::list(io, folder(&path), files::UNFINISHED)? {
            io.remove(&left)?;
        }
        let mut file = io.create(&path.with_extension(files::UNFINISHED))?;
        file.write_at(0, &header(kind, ids, head.revision))?;
        let (at, hash) = (HEADER as u64, Sha256::new());
        Ok(Self { io, path, file, at, block: Vec::new(), hash, count: 0, head })
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

    /// Ends the block, so that what was added can be read without what follows.
    pub(super) fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() { Ok(()) } else { self.close_entries() }
    }

    /// Ends the file and makes it durable; its length.
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
        self.io.rename(&self.path.with_extension(files::UNFINISHED), &self.path)?;
        self.io.sync_dir(folder(&self.path))?;
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

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn header(kind: FileKind, ids: Ids, revision: Revision) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&kind.magic);
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
