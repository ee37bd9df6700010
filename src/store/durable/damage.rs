//! Damaged files: what is said of them, and what is to be healed.

use std::path::Path;

use super::history::Span;
use crate::store::{Error, Result, Revision};

/// What helps against damage.
pub(super) const CURE: &str = "; restore a backup, or see what `deskplane doctor` finds";

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

/// Damage that is to be healed.
#[derive(Debug)]
pub(super) struct Hurt {
    pub(super) damages: Vec<Damage>,
    /// Last revision that lies in a damaged segment: index and state must have it, and no way to a
    /// start may begin before it.
    pub(super) last: Revision,
}

/// Stored bytes are not what was written: says where, and what helps.
pub(super) fn damaged(path: &Path, offset: usize, what: &str) -> Error {
    Error::Damaged(format!("{}, byte {offset}: {what}{CURE}", path.display()))
}

/// Refuses the format of a newer program.
pub(super) fn known_format(path: &Path, found: u32, known: u32) -> Result<()> {
    if found <= known {
        return Ok(());
    }
    Err(Error::NewerFormat { what: path.display().to_string(), found, known })
}
