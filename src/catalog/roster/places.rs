//! A hash index over the ids of packed users: their positions, in an open-addressed table.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
};

use crate::domain::name::hash_folded;

/// A slot without a position.
const FREE: u32 = u32::MAX;

/// Positions by id. A slot holds a position in its low bits and a part of the hash above, so that
/// another id is read once in thousands of times. Ids come from outside: they are hashed with a
/// secret.
pub(super) struct Places {
    slots: Box<[u32]>,
    /// Low bits of a slot that are a position.
    bits: u32,
    state: RandomState,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl Places {
    /// The index of these ids, none of which is there twice; none for more than a slot can number.
    pub(super) fn of<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Option<Self> {
        let count = u32::try_from(ids.len()).ok().filter(|count| *count < FREE / 4)?;
        // Below three quarters full, runs of taken slots stay short. All ones are no position.
        let size = (count as usize + count as usize / 3 + 1).next_power_of_two();
        let mut places = Self {
            slots: vec![FREE; size].into(),
            bits: u32::BITS - count.leading_zeros(),
            state: RandomState::new(),
        };
        for (position, id) in (0..count).zip(ids) {
            let (mut at, tag) = places.start(id);
            while places.slots[at] != FREE {
                at = (at + 1) % size;
            }
            places.slots[at] = tag | position;
        }
        Some(places)
    }

    /// Where the run of an id begins, and the part of its hash that slots hold.
    fn start(&self, id: &str) -> (usize, u32) {
        let mut hasher = self.state.build_hasher();
        hash_folded(id, &mut hasher);
        let hash = hasher.finish();
        let [high, low] = [(hash >> 32) as u32, hash as u32];
        // There are at least as many slots as positions have bits, and a power of two.
        (low as usize & (self.slots.len() - 1), high & !self.mask())
    }

    fn mask(&self) -> u32 {
        (1 << self.bits) - 1
    }

    /// The positions where the id may stand: almost always one at most.
    pub(super) fn candidates(&self, id: &str) -> impl Iterator<Item = u32> {
        let (start, tag) = self.start(id);
        let mask = self.mask();
        let run = self.slots[start..].iter().chain(&self.slots[..start]);
        let run = run.take_while(|slot| **slot != FREE);
        run.filter(move |slot| **slot & !mask == tag).map(move |slot| slot & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_in_any_case_and_few_others_are_read() {
        for count in [0_u32, 1, 2, 3, 4, 63, 64, 65, 10_000] {
            let ids: Vec<_> = (0..count).map(|number| format!("user-{number}")).collect();
            let places = Places::of(ids.iter().map(String::as_str)).unwrap();
            let mut others = 0;
            for (position, id) in (0..count).zip(&ids) {
                let found: Vec<_> = places.candidates(&id.to_uppercase()).collect();
                assert!(found.contains(&position), "{count}: {id}");
                others += found.len() - 1;
            }
            let absent = (0..count).map(|number| format!("nobody-{number}"));
            others += absent.map(|id| places.candidates(&id).count()).sum::<usize>();
            assert!(others <= 50, "{count}: {others} other ids");
        }
    }
}
