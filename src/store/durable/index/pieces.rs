//! Long values, in pieces of their own.
//!
//! sled puts a page of more than 256 KiB into a file of its own, and a page has up to sixteen values.
//! With long values it would open a file at any moment: a process without handles then loses its
//! index, and sled does not even notice that it does. So no value is longer than a piece.
//!
//! A longer one is a zero byte and the number of its pieces; these are the values of `p/`, its key,
//! two zeros and their number. Nothing that is stored begins with a zero byte: a chunk of a record
//! has a mark, an object and a request the version of its format.

use ::sled::{Batch as Writes, Db, IVec};

use crate::store::{Error, Result};

/// Bytes of a value.
pub(super) const PIECE: usize = 8 << 10;
/// Pieces, and nothing else, have keys that begin so.
pub(super) const PIECES: &[u8] = b"p/";

/// Puts a value in the place of one that has so many pieces; how many it has itself.
pub(super) fn insert(writes: &mut Writes, key: &[u8], value: &[u8], before: u32) -> u32 {
    if value.len() <= PIECE {
        remove_pieces(writes, key, 0..before);
        writes.insert(key, value);
        return 0;
    }
    let mut count = 0;
    for piece in value.chunks(PIECE) {
        writes.insert(piece_key(key, count), piece);
        count += 1;
    }
    remove_pieces(writes, key, count..before);
    writes.insert(key, stand_in(count));
    count
}

/// Removes a value that has so many pieces.
pub(super) fn remove(writes: &mut Writes, key: &[u8], count: u32) {
    remove_pieces(writes, key, 0..count);
    writes.remove(key);
}

/// How many pieces a value has, as it was found under its key.
pub(super) fn count(found: &[u8]) -> u32 {
    match found {
        [0, count @ ..] => count.try_into().map_or(0, u32::from_be_bytes),
        _ => 0,
    }
}

/// The whole of a value that was found under a key.
pub(super) fn whole(db: &Db, key: &[u8], found: IVec) -> Result<IVec> {
    let count = count(&found);
    if count == 0 {
        return Ok(found);
    }
    let mut value = Vec::with_capacity(count as usize * PIECE);
    for nth in 0..count {
        let piece = db.get(piece_key(key, nth))?;
        let piece = piece.ok_or_else(|| Error::Damaged("a piece of a value is gone".to_owned()))?;
        value.extend_from_slice(&piece);
    }
    Ok(value.into())
}

fn remove_pieces(writes: &mut Writes, key: &[u8], which: std::ops::Range<u32>) {
    for nth in which {
        writes.remove(piece_key(key, nth));
    }
}

fn piece_key(key: &[u8], nth: u32) -> Vec<u8> {
    [PIECES, key, &[0, 0], &nth.to_be_bytes()].concat()
}

fn stand_in(count: u32) -> Vec<u8> {
    [&[0][..], &count.to_be_bytes()].concat()
}
