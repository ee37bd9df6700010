//! Records in the index, compressed: they are many, alike and seldom read.
//!
//! A record is cut into chunks, and each chunk is a mark, its length and its content as LZ4. A chunk
//! without the mark is as it was written, by an older layout. No text in UTF-8 begins with the mark,
//! and no stored record does.

use crate::store::{Error, Result};

/// The first byte of a chunk that is compressed.
const MARK: u8 = 0xff;
/// Bytes of a record in a chunk.
pub(super) const CHUNK: usize = 64 << 10;

/// The chunks of a record.
pub(super) fn chunks(record: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    record.chunks(CHUNK).map(|chunk| {
        let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[MARK], &length[..], &lz4_flex::block::compress(chunk)].concat()
    })
}

/// Adds the content of a stored chunk to a record.
pub(super) fn unpack(stored: &[u8], record: &mut Vec<u8>) -> Result<()> {
    let Some((&MARK, rest)) = stored.split_first() else {
        record.extend_from_slice(stored);
        return Ok(());
    };
    let damaged = || Error::Damaged("a record in the index cannot be unpacked".to_owned());
    let (length, packed) = rest.split_first_chunk().ok_or_else(damaged)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > CHUNK {
        return Err(damaged());
    }
    let chunk = lz4_flex::block::decompress(packed, length).map_err(|_| damaged())?;
    record.extend_from_slice(&chunk);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>> {
        let mut record = Vec::new();
        chunks.into_iter().try_for_each(|chunk| unpack(chunk, &mut record))?;
        Ok(record)
    }

    #[test]
    fn a_record_of_any_length_comes_back() {
        let mut random = fastrand::Rng::with_seed(5);
        for length in [1, 5, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let text: Vec<u8> = (0..length).map(|_| random.u8(0..4)).collect();
            let noise: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            for record in [text, noise] {
                let packed: Vec<_> = chunks(&record).collect();
                assert_eq!(unpacked(packed.iter().map(Vec::as_slice)).unwrap(), record);
            }
        }
    }

    #[test]
    fn chunks_of_an_older_layout_are_read() {
        let record =
            [&[2][..], "{\"reason\":\"\u{fc}\u{40000}\"".repeat(9_000).as_bytes()].concat();
        let old: Vec<_> = record.chunks(CHUNK).collect();
        assert_eq!(unpacked(old.iter().copied()).unwrap(), record);
    }

    #[test]
    fn damage_is_an_error() {
        let chunk = chunks(b"something").next().unwrap();
        for bad in [&chunk[..3], &chunk[..chunk.len() - 1], &[MARK, 255, 255, 255, 255, 0]] {
            assert!(matches!(unpacked([bad]), Err(Error::Damaged(_))), "{bad:?}");
        }
    }
}
