//! Reading sorted files: whole, or those blocks alone that hold some keys.

use super::*;

/// Reads a file from its first byte to its last and hands on every entry; its head.
///
/// Nothing that was handed on may be relied on before this has come to its end.
pub(in super::super) fn read_file(
    file: &dyn File,
    path: &Path,
    kind: FileKind,
    ids: Ids,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<Head> {
    let mut reader = Reader::new(file, path, kind, ids)?;
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

/// The format of a file; none when its header is damaged.
pub(in super::super) fn format(
    io: &dyn Io,
    path: &Path,
    kind: FileKind,
    ids: Ids,
) -> Result<Option<u32>> {
    match Reader::new(&*io.open(path)?, path, kind, ids) {
        Ok(reader) => Ok(Some(reader.format)),
        Err(Error::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the blocks of a file lie, found without reading what is in them.
#[derive(Debug)]
pub(in super::super) struct Outline {
    pub(in super::super) head: Head,
    pub(in super::super) format: u32,
    blocks: Vec<Spot>,
}

/// Where a block lies.
#[derive(Debug)]
pub(in super::super) struct Spot {
    first: Vec<u8>,
    at: u64,
}

/// The end of a file.
struct Trailer {
    head: Head,
    count: u64,
    hash: [u8; 32],
}

// === impl Outline ===

impl Outline {
    /// Goes through a file from block to block.
    pub(in super::super) fn read(
        io: &dyn Io,
        path: &Path,
        kind: FileKind,
        ids: Ids,
    ) -> Result<Self> {
        Self::of(&*io.open(path)?, path, kind, ids)
    }

    /// The same of a file that is open already.
    pub(in super::super) fn of(
        file: &dyn File,
        path: &Path,
        kind: FileKind,
        ids: Ids,
    ) -> Result<Self> {
        let mut reader = Reader::new(file, path, kind, ids)?;
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
    pub(in super::super) fn within(&self, from: &[u8], until: &[u8]) -> &[Spot] {
        let start = self.blocks.partition_point(|block| block.first.as_slice() <= from);
        let end = self.blocks.partition_point(|block| block.first.as_slice() < until);
        &self.blocks[start.saturating_sub(1)..end]
    }

    /// The blocks that may hold keys from this one on.
    pub(in super::super) fn from(&self, key: &[u8]) -> &[Spot] {
        let start = self.blocks.partition_point(|block| block.first.as_slice() <= key);
        &self.blocks[start.saturating_sub(1)..]
    }

    /// All blocks.
    pub(in super::super) fn blocks(&self) -> &[Spot] {
        &self.blocks
    }

    /// Reads one block of the file and hands on its entries.
    pub(in super::super) fn block(
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
    pub(in super::super) fn first(&self) -> &[u8] {
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
    fn new(file: &'a dyn File, path: &'a Path, kind: FileKind, ids: Ids) -> Result<Self> {
        let mut reader = Self { file, path, format: FORMAT, at: 0 };
        reader.header(kind, ids)?;
        Ok(reader)
    }

    fn header(&mut self, kind: FileKind, ids: Ids) -> Result<()> {
        let bytes = self.take(HEADER)?;
        let number = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if bytes[..8] != kind.magic || number(12) != seal(&bytes) {
            return Err(self.bad("the header is not what was written"));
        }
        self.format = number(8);
        known_format(self.path, self.format, FORMAT)?;
        if bytes[16..32] != ids.store.as_bytes()[..]
            || bytes[32..48] != ids.incarnation.as_bytes()[..]
        {
            return Err(self.bad("a file of another store or incarnation"));
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
