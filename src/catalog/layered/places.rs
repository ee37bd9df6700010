//! A hash index over keys in a sorted vector: their positions, in an open-addressed table.

use std::{
    fmt,
    hash::{BuildHasher as _, Hash, RandomState},
};

/// A slot without a position.
const FREE: u32 = u32::MAX;

/// Positions by key. A slot holds a position in its low bits and a part of the hash above, so that
/// another key is looked at once in thousands of times. Keys come from outside: they are hashed with
/// a secret.
pub(super) struct Places<K> {
    slots: Box<[u32]>,
    /// Low bits of a slot that are a position.
    bits: u32,
    state: RandomState,
    hash: fn(&RandomState, &K) -> u64,
}

impl<K> fmt::Debug for Places<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl<K: Hash> Places<K> {
    /// The index of these keys, none of which is there twice; none for more than a slot can number.
    pub(super) fn of<'a>(keys: impl ExactSizeIterator<Item = &'a K>) -> Option<Self>
    where
        K: 'a,
    {
        let count = u32::try_from(keys.len()).ok().filter(|count| *count < FREE / 4)?;
        // Below three quarters full, runs of taken slots stay short. All ones are no position.
        let size = (count as usize + count as usize / 3 + 1).next_power_of_two();
        let mut places = Self {
            slots: vec![FREE; size].into(),
            bits: u32::BITS - count.leading_zeros(),
            state: RandomState::new(),
            hash: |state, key| state.hash_one(key),
        };
        for (position, key) in (0..count).zip(keys) {
            let (mut at, tag) = places.start(key);
            while places.slots[at] != FREE {
                at = (at + 1) % size;
            }
            places.slots[at] = tag | position;
        }
        Some(places)
    }
}

impl<K> Places<K> {
    /// Where the run of a key begins, and the part of its hash that slots hold.
    fn start(&self, key: &K) -> (usize, u32) {
        let hash = (self.hash)(&self.state, key);
        let [high, low] = [(hash >> 32) as u32, hash as u32];
        // There are at least as many slots as positions have bits, and a power of two.
        (low as usize & (self.slots.len() - 1), high & !self.mask())
    }

    fn mask(&self) -> u32 {
        (1 << self.bits) - 1
    }

    /// The positions where the key may stand: almost always one at most.
    pub(super) fn candidates(&self, key: &K) -> impl Iterator<Item = usize> {
        let (start, tag) = self.start(key);
        let mask = self.mask();
        let run = self.slots[start..].iter().chain(&self.slots[..start]);
        let run = run.take_while(|slot| **slot != FREE);
        run.filter(move |slot| **slot & !mask == tag).map(move |slot| (slot & mask) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_few_others_are_looked_at() {
        for count in [0_u32, 1, 2, 3, 4, 63, 64, 65, 10_000] {
            let keys: Vec<_> = (0..count).map(|number| format!("user-{number}")).collect();
            let places = Places::of(keys.iter()).unwrap();
            let mut others = 0;
            for (position, key) in keys.iter().enumerate() {
                let found: Vec<_> = places.candidates(key).collect();
                assert!(found.contains(&position), "{count}: {key}");
                others += found.len() - 1;
            }
            let absent = (0..count).map(|number| format!("nobody-{number}"));
            others += absent.map(|key| places.candidates(&key).count()).sum::<usize>();
            assert!(others <= 50, "{count}: {others} other keys");
        }
    }
}
