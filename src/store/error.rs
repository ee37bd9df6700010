//! Why a store could not answer.

use std::path::PathBuf;

use tokio::task::JoinError;

use super::{Lack, Revision};

/// What most calls of a store answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The records after the asked revision are gone.
    #[error("changes are kept from revision {oldest} on; load the store afresh")]
    Compacted {
        /// The oldest revision that is still there.
        oldest: Revision,
    },
    /// The batch is empty, or its revisions do not rise.
    #[error("malformed batch: {0}")]
    Malformed(&'static str),
    /// A newer program wrote the record or store.
    #[error("{what} has format {found}, this program knows formats up to {known}: use a newer one")]
    NewerFormat {
        /// What was read.
        what: String,
        /// Its format.
        found: u32,
        /// The newest format this program reads.
        known: u32,
    },
    /// Stored bytes are not what was written.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// Another process, or another store of this one, has the folder open.
    #[error("{} is in use: stop the other server, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// A commit failed before, so nothing more is written until the store is opened again.
    #[error("a write failed earlier; open the store again")]
    Broken,
    /// Something is lacking for the moment: nothing was written, and writes are taken again when it
    /// is there.
    #[error("read-only: {0}")]
    ReadOnly(Lack),
    /// What history and past changes are read from cannot be built at present, for that reason.
    #[error("history cannot be read at present: {0}")]
    Unindexed(String),
    /// What was asked makes no sense with what is there; nothing was touched.
    #[error("{0}")]
    Refused(String),
    /// The engine failed.
    #[error("the store's engine failed: {0}")]
    Engine(String),
}

// === impl Error ===

impl Error {
    /// Whether the same call may succeed later without anybody's help.
    pub fn retryable(&self) -> bool {
        match self {
            Self::InUse(_) | Self::ReadOnly(_) | Self::Unindexed(_) => true,
            Self::Compacted { .. }
            | Self::Malformed(_)
            | Self::NewerFormat { .. }
            | Self::Damaged(_)
            | Self::Broken
            | Self::Refused(_)
            | Self::Engine(_) => false,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        Self::Engine(error.to_string())
    }
}
