//! Sets of positions of packed users.

use std::sync::Arc;

use roaring::RoaringBitmap;

/// Most positions that are kept as a list. There are very many small sets, one for each seat, and users
/// of one seat stand far from each other: a bitmap of few has a container for nearly each of them.
const FEW: usize = 256;

/// Positions, ascending. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum PositionSet {
    Few(Arc<[u32]>),
    Many(Arc<RoaringBitmap>),
}

// === impl PositionSet ===

impl PositionSet {
    /// The set of these positions, which ascend.
    pub(super) fn of(positions: &[u32]) -> Self {
        if positions.len() <= FEW {
            return Self::Few(positions.into());
        }
        let set = RoaringBitmap::from_sorted_iter(positions.iter().copied());
        Self::Many(Arc::new(set.expect("positions ascend")))
    }

    /// Number of positions.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(positions) => positions.len(),
            Self::Many(set) => set.len() as usize,
        }
    }

    /// Those from one on.
    pub(super) fn from(&self, from: u32) -> impl Iterator<Item = u32> + use<'_> {
        let (few, many) = match self {
            Self::Few(positions) => {
                let behind = positions.partition_point(|at| *at < from);
                (Some(positions[behind..].iter().copied()), None)
            }
            Self::Many(set) => (None, Some(set.range(from..))),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }
}

impl Default for PositionSet {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_a_bitmap_hold_the_same() {
        for count in [0, 1, FEW, FEW + 1, 3 * FEW] {
            let positions: Vec<_> = (0..count as u32).map(|at| 7 * at + 3).collect();
            let set = PositionSet::of(&positions);
            assert_eq!(set.len(), count);
            assert_eq!(matches!(set, PositionSet::Few(_)), count <= FEW);
            for from in [0, 3, 4, 700, 7 * FEW as u32 + 3, u32::MAX] {
                let behind: Vec<_> = positions.iter().copied().filter(|at| *at >= from).collect();
                assert_eq!(set.from(from).collect::<Vec<_>>(), behind, "{count} from {from}");
            }
        }
    }
}
