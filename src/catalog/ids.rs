//! Numbers that stand for what many users have in common.

use smallvec::SmallVec;

/// Number of a role class in its catalog, and in all that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClassId(pub(super) u64);

/// Number of a root that some class holds, in one catalog and in those after it while a class does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootId(pub(super) u32);

/// The numbers of the roots of a class, in no order. Most have a few, and to read those of hundreds of
/// classes takes no miss of the machine's caches for each.
pub type Roots = SmallVec<[RootId; 6]>;
