//! Damage that is to be repaired.

use super::history::Span;
use crate::store::Revision;

/// A file that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    /// The checkpoint of that revision.
    Checkpoint(Revision),
    /// The segment after that revision.
    Segment(Revision),
    /// The history file of that span.
    History(Span),
}

/// Damage that is to be repaired.
#[derive(Debug)]
pub(super) struct PendingRepair {
    pub(super) damages: Vec<Damage>,
    /// Last revision that lies in a damaged segment: index and state must have it, and no way to a
    /// start may begin before it.
    pub(super) last: Revision,
}
