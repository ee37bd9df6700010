//! Where a record stands in the order of the world.

/// Position of a commit in the order of the world; 0 is the empty store.
pub type Revision = i64;
