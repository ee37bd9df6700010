//! A hash index over the ids of packed users, in an open-addressed table.
//!
//! To find a user costs two misses of the machine's caches: the slot, and the record that it leads
//! to. So a slot has all that is needed of a user beside the record.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
};

use crate::{catalog::parted::Parted, domain::name::hash_folded};

/// A slot of the table, a quarter of a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(16))]
pub(super) struct Slot {
    /// A part of the hash, so that another id is read once in thousands of millions of times.
    tag: u32,
    /// Position of the user; [`FREE`] where there is none.
    pub(super) position: u32,
    /// What the caller keeps with it: where the record begins, and the seat.
    pub(super) kept: [u32; 2],
}

/// Slots of the part of a table that the machine's nearest caches hold while it is filled.
const PART: usize = 4_096;

/// What is to be put into a slot, at the first free one of its run.
#[derive(Debug, Clone, Copy)]
struct Unplaced {
    start: u32,
    tag: u32,
    position: u32,
    kept: [u32; 2],
}

/// Position of a slot without a user.
const FREE: u32 = u32::MAX;

/// Slots by id. Ids come from outside: they are hashed with a secret.
#[derive(Default)]
pub(super) struct Places {
    slots: Box<[Slot]>,
    state: RandomState,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl Places {
    /// The index of these ids, none of which is there twice, each with what is kept with it; their
    /// positions are their order.
    pub(super) fn of<'a>(ids: impl ExactSizeIterator<Item = (&'a str, [u32; 2])>) -> Self {
        // Three quarters full: runs of taken slots stay short.
        let size = ids.len() + ids.len() / 3 + 1;
        let free = Slot { tag: 0, position: FREE, kept: [0; 2] };
        let mut places = Self { slots: vec![free; size].into(), state: RandomState::new() };
        let starts = (0..).zip(ids).map(|(position, (id, kept))| {
            let (start, tag) = places.start(id);
            Unplaced { start: start as u32, tag, position, kept }
        });
        let unplaced: Vec<_> = starts.collect();
        let parted = Parted::of(&unplaced, size / PART + 1, |one| one.start as usize / PART);
        for &Unplaced { start, tag, position, kept } in parted.items() {
            let mut at = start as usize;
            while places.slots[at].position != FREE {
                at = if at + 1 == size { 0 } else { at + 1 };
            }
            places.slots[at] = Slot { tag, position, kept };
        }
        places
    }

    /// Where the run of an id begins, and the part of its hash that slots hold.
    fn start(&self, id: &str) -> (usize, u32) {
        let mut hasher = self.state.build_hasher();
        hash_folded(id, &mut hasher);
        let hash = hasher.finish();
        // The high bits, as a part of the size of the table.
        let at = (u128::from(hash) * self.slots.len() as u128) >> 64;
        (at as usize, hash as u32)
    }

    /// The slots where the id may stand: almost always one at most.
    pub(super) fn candidates(&self, id: &str) -> impl Iterator<Item = Slot> {
        let (start, tag) = if self.slots.is_empty() { (0, 0) } else { self.start(id) };
        let run = self.slots[start..].iter().chain(&self.slots[..start]);
        let run = run.take_while(|slot| slot.position != FREE);
        run.filter(move |slot| slot.tag == tag).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_in_any_case_and_few_others_are_read() {
        for count in [0_u32, 1, 2, 3, 4, 63, 64, 65, 10_000] {
            let ids: Vec<_> = (0..count).map(|number| format!("user-{number}")).collect();
            let kept = ids.iter().zip(0..count).map(|(id, number)| (id.as_str(), [number, 7]));
            let places = Places::of(kept);
            for (position, id) in (0..count).zip(&ids) {
                let found: Vec<_> = places.candidates(&id.to_uppercase()).collect();
                let found: Vec<_> = found.iter().map(|slot| (slot.position, slot.kept)).collect();
                assert_eq!(found, [(position, [position, 7])], "{count}: {id}");
            }
            let absent = (0..count).map(|number| format!("nobody-{number}"));
            assert_eq!(absent.map(|id| places.candidates(&id).count()).sum::<usize>(), 0);
        }
        assert_eq!(Places::default().candidates("user").count(), 0);
    }
}
