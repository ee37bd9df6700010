//! How far the index is, and what its thread keeps meanwhile.

use std::sync::Arc;

use super::pending::PendingRepair;
use crate::store::{Error, Revision};

/// Below every revision.
pub(super) const UNBUILT: Revision = -1;

/// How far the index is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// [`UNBUILT`] until it is there.
    pub(super) revision: Revision,
    /// Why there is none, once building it has failed.
    pub(super) lost: Option<Arc<str>>,
    /// Whether it will come no further.
    pub(super) ended: bool,
}

/// What only the thread of the index needs.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Bytes of the journal that are not in history files.
    pub(super) unwritten: u64,
    /// Whether the index has yet to read what the journal had at the start.
    pub(super) behind: bool,
    /// Damage that is to be repaired once the index is far enough.
    pub(super) pending: Option<PendingRepair>,
    /// Revisions that the figure of the lag does not count any more.
    pub(super) counted: Revision,
}

// === impl Progress ===

impl Progress {
    /// Of an index that is there; none is still to be built.
    pub(super) fn new(index: Option<Revision>) -> Self {
        Self { revision: index.unwrap_or(UNBUILT), lost: None, ended: false }
    }

    /// Why the index cannot be read.
    pub(super) fn why(&self) -> Error {
        match &self.lost {
            Some(why) if !self.ended => Error::Unindexed(why.to_string()),
            _ => Error::Broken,
        }
    }
}

// === impl Upkeep ===

impl Upkeep {
    pub(super) fn new(unwritten: u64, revision: Revision, behind: bool) -> Self {
        Self { unwritten, behind, pending: None, counted: revision }
    }
}
