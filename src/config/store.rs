//! Settings of the embedded store.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::range::{HOUR_S, range};
use crate::store::durable;

/// Settings of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// MiB of a segment of the journal.
    pub segment_mib: u64,
    /// MiB of the journal after which a checkpoint is made.
    pub checkpoint_mib: u64,
    /// Free MiB of the disk below which the server is read-only.
    pub min_free_mib: u64,
    /// Records that the feed of changes goes back.
    pub keep_records: u64,
    /// Hours in which every file is read again to see whether it is sound; 0 reads none.
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
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let mut sizes = |key: &str, value: u64, least: u64, most: u64| {
            range(mistakes, &format!("store.{key}"), value, least, most);
        };
        sizes("segment_mib", self.segment_mib, 1, 1 << 10);
        sizes("checkpoint_mib", self.checkpoint_mib, 1, 1 << 20);
        sizes("min_free_mib", self.min_free_mib, 0, 1 << 20);
        sizes("keep_records", self.keep_records, 1, 1 << 40);
        sizes("verify_hours", self.verify_hours, 0, 366 * 24);
    }

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
