//! Frames: how a group of records lies in a segment.
//!
//! A frame is one record:
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | length of the payload |
//! | 4 | CRC32C of everything else, padding too |
//! | 16 | incarnation of the store |
//! | 8 | revision after which the group was planned, the same in each of its frames |
//! | 8 | revision of the record |
//! | 4 | 1 in the last frame of a group, else 0 |
//! | 4 | 0 |
//! | … | payload, filled up with zeros to a multiple of 8 |
//!
//! Numbers are big endian. A group counts only with its last frame; what follows a group is the
//! next one, planned on its last revision, or zeros.

use uuid::Uuid;

use crate::store::Revision;

/// Bytes before the payload.
pub(super) const HEAD: usize = 48;
/// Every frame begins at a multiple of this.
pub(super) const ALIGN: usize = 8;
/// Where the incarnation stands.
const INCARNATION: usize = 8;

/// A frame whose sum is right.
#[derive(Debug, PartialEq)]
pub(super) struct Frame<'a> {
    pub(super) incarnation: Uuid,
    pub(super) after: Revision,
    pub(super) revision: Revision,
    /// Whether the group ends here.
    pub(super) last: bool,
    pub(super) payload: &'a [u8],
}

// === impl Frame ===

impl Frame<'_> {
    /// Bytes that the frame takes.
    pub(super) fn size(&self) -> usize {
        size(self.payload.len())
    }
}

fn size(payload: usize) -> usize {
    (HEAD + payload).next_multiple_of(ALIGN)
}

/// The frames of a group planned after a revision.
pub(super) fn encode(incarnation: Uuid, after: Revision, group: &[(Revision, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(group.iter().map(|(_, payload)| size(payload.len())).sum());
    for (at, (revision, payload)) in group.iter().enumerate() {
        let start = bytes.len();
        let last = u32::from(at + 1 == group.len());
        // A batch is smaller than 4 GiB.
        bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(incarnation.as_bytes());
        bytes.extend_from_slice(&after.to_be_bytes());
        bytes.extend_from_slice(&revision.to_be_bytes());
        bytes.extend_from_slice(&last.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(payload);
        bytes.resize(start + size(payload.len()), 0);
        let crc = sum(&bytes[start..]);
        bytes[start + 4..start + 8].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// The frame at the beginning of the bytes, if there is a good one.
pub(super) fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    let length = usize::try_from(number(bytes, 0)?).ok()?;
    let frame = bytes.get(..size(length))?;
    if number(frame, 4)? != sum(frame) {
        return None;
    }
    Some(Frame {
        incarnation: Uuid::from_slice(&frame[INCARNATION..INCARNATION + 16]).ok()?,
        after: revision(frame, 24)?,
        revision: revision(frame, 32)?,
        last: number(frame, 40)? == 1,
        payload: &frame[HEAD..HEAD + length],
    })
}

/// The first good frame at or behind an offset, and where it begins, among those that the test
/// takes. Lengths of bad frames count for nothing: every place is tried.
pub(super) fn find<'a>(
    bytes: &'a [u8],
    from: usize,
    incarnation: Uuid,
    takes: impl Fn(&Frame<'a>) -> bool,
) -> Option<usize> {
    (from.next_multiple_of(ALIGN)..bytes.len().saturating_sub(HEAD - 1)).step_by(ALIGN).find(
        |&at| {
            let ours = &bytes[at + INCARNATION..at + INCARNATION + 16] == incarnation.as_bytes();
            ours && parse(&bytes[at..]).is_some_and(|frame| takes(&frame))
        },
    )
}

fn sum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn revision(bytes: &[u8], at: usize) -> Option<Revision> {
    Some(Revision::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Uuid = Uuid::from_u128(7);

    fn group() -> Vec<u8> {
        encode(OURS, 4, &[(5, b"five".to_vec()), (9, vec![9; 64]), (10, Vec::new())])
    }

    #[test]
    fn a_group_is_read_as_it_was_written() {
        let bytes = group();
        let (mut at, mut seen) = (0, Vec::new());
        while let Some(frame) = parse(&bytes[at..]) {
            assert_eq!((frame.incarnation, frame.after), (OURS, 4));
            seen.push((frame.revision, frame.last, frame.payload.to_vec()));
            at += frame.size();
        }
        assert_eq!(at, bytes.len());
        let expected =
            [(5, false, b"five".to_vec()), (9, false, vec![9; 64]), (10, true, Vec::new())];
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = group();
        let first = parse(&good).unwrap().size();
        for bit in 0..first * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&bytes), None, "bit {bit}");
        }
        for length in 0..first {
            assert_eq!(parse(&good[..length]), None, "{length} bytes");
        }
        assert_eq!(parse(&[0; 256]), None);
    }

    #[test]
    fn good_frames_are_found_behind_bad_bytes() {
        let mut bytes = group();
        let second = parse(&bytes).unwrap().size();
        assert_eq!(find(&bytes, 0, OURS, |_| true), Some(0));
        bytes[3] ^= 0x40;
        assert_eq!(find(&bytes, 0, OURS, |_| true), Some(second));
        assert_eq!(find(&bytes, 0, OURS, |frame| frame.after > 4), None);
        assert_eq!(find(&bytes, 0, Uuid::from_u128(8), |_| true), None);
    }
}
