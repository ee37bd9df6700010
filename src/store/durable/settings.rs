//! What surrounds a store, its sizes, and what it keeps of the past.

use std::sync::Arc;

use super::meters::Meters;
use crate::{
    domain::Kind,
    store::io::{Disk, Io},
};

/// What surrounds a store.
#[derive(Debug, Clone)]
pub struct Host {
    /// The file system of journal, checkpoints and marks.
    pub io: Arc<dyn Io>,
    /// Where its figures go.
    pub meters: Meters,
}

/// Sizes of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a segment of the journal, and of the history files that are still merged with others.
    pub segment_bytes: u64,
    /// Bytes of the journal after which a checkpoint is written, and the records are archived. While
    /// the newest checkpoint has more than twice as many, the next is written after half of its length.
    pub checkpoint_bytes: u64,
    /// Free bytes of the disk below which nothing is written.
    pub min_free_bytes: u64,
    /// What is kept of the past.
    pub retention: Retention,
}

/// What is kept of the past (SPEC §11.2): the newest records, and of each object that exists its
/// newest revisions, also those in older records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records that the feed of changes goes back.
    pub records: u64,
    /// Revisions that the history of a resource goes back.
    pub revisions: usize,
    /// Revisions that the history of a user or team goes back.
    pub directory_revisions: usize,
}

impl Default for Host {
    /// The disk of the machine, without metrics.
    fn default() -> Self {
        Self { io: Arc::new(Disk), meters: Meters::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            checkpoint_bytes: 64 << 20,
            min_free_bytes: 256 << 20,
            retention: Retention::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { records: 100_000, revisions: 100, directory_revisions: 10 }
    }
}

// === impl Retention ===

impl Retention {
    /// Revisions that the history of an object of that kind goes back.
    pub(super) fn revisions_of(&self, kind: Kind) -> usize {
        match kind {
            Kind::User | Kind::Team => self.directory_revisions,
            _ => self.revisions,
        }
    }
}
