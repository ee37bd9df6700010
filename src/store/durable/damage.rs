//! Damaged files: what is said of them.

use std::path::Path;

use crate::store::{Error, Result};

/// What helps against damage.
pub(super) const CURE: &str = "; restore a backup, or see what `deskplane doctor` finds";

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
