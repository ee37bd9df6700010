//! Settings of the embedded store.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::HOUR_S;
use crate::store::durable;

/// Settings of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// MiB of a segment of the journal, which are reserved ahead.
    #[schemars(range(min = 1, max = 1 << 10))]
    pub segment_mib: u64,
    /// MiB of the journal after which a checkpoint is written, and records are archived to history
    /// files. While the newest checkpoint has more than twice as many, the next is written after half
    /// of its length.
    #[schemars(range(min = 1, max = 1 << 20))]
    pub checkpoint_mib: u64,
    /// Free MiB of the disk below which the server is read-only.
    #[schemars(range(min = 0, max = 1 << 20))]
    pub min_free_mib: u64,
    /// Commits that the feed of changes goes back. The history of a resource that exists goes back at
    /// least 100 of its own revisions, and that of a user or team at least 10, whatever this says.
    #[schemars(range(min = 1, max = 1_u64 << 40))]
    pub keep_records: u64,
    /// Hours in which every file of the store is read again; 0 reads none.
    #[schemars(range(min = 0, max = 366 * 24))]
    pub verify_hours: u64,
}

impl Default for Store {
    fn default() -> Self {
        let store = durable::Settings::default();
        Self {
            segment_mib: store.segment_bytes >> 20,
            checkpoint_mib: store.checkpoint_bytes >> 20,
            min_free_mib: store.min_free_bytes >> 20,
            keep_records: store.retention.records,
            verify_hours: 24,
        }
    }
}

impl Store {
    /// The time in which every file is read again, if it is to be.
    pub fn verify(&self) -> Option<Duration> {
        (self.verify_hours > 0).then(|| Duration::from_secs(self.verify_hours * HOUR_S))
    }

    /// The sizes, for the store.
    pub fn settings(&self) -> durable::Settings {
        durable::Settings {
            segment_bytes: self.segment_mib << 20,
            checkpoint_bytes: self.checkpoint_mib << 20,
            min_free_bytes: self.min_free_mib << 20,
            retention: durable::Retention {
                records: self.keep_records,
                ..durable::Retention::default()
            },
        }
    }
}
