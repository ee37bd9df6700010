//! Where the parts of a store lie.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{checkpoint, history, journal};
use crate::store::io::Io;

/// Where Linux says which boot of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Where a store is kept.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The file system of journal, checkpoints, history and marks.
    pub(super) io: Arc<dyn Io>,
    /// Their folder.
    pub(super) folder: PathBuf,
    /// Folder of lock and index, on the file system of the machine.
    pub(super) local: PathBuf,
    /// Which boot of the machine this is; none when it does not say.
    pub(super) boot_id: Option<String>,
}

// === impl Layout ===

impl Layout {
    pub(super) fn new(
        io: Arc<dyn Io>,
        folder: &Path,
        local: &Path,
        boot_id: Option<String>,
    ) -> Self {
        Self { io, folder: folder.to_owned(), local: local.to_owned(), boot_id }
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.folder.join(journal::FOLDER)
    }

    pub(super) fn checkpoints(&self) -> PathBuf {
        self.folder.join(checkpoint::FOLDER)
    }

    pub(super) fn history(&self) -> PathBuf {
        self.folder.join(history::FOLDER)
    }

    /// The logs that no commit waits for.
    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.local.join("index")
    }

    /// Where an index is built before it takes the place of the old one.
    pub(super) fn fresh_index(&self) -> PathBuf {
        self.local.join("index.fresh")
    }
}

/// Which boot of the machine this is.
pub(super) fn boot_id() -> Option<String> {
    std::fs::read_to_string(BOOT_ID).ok().map(|id| id.trim().to_owned())
}
