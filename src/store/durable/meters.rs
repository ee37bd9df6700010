//! What the store tells a collector of metrics. The names are promises; `docs/operations.md` lists
//! them.

use metrics::{Counter, Gauge, Histogram, Recorder, with_local_recorder};

use crate::store::Condition;

/// Histograms, with the upper bounds of their buckets.
pub const BUCKETS: &[(&str, &[f64])] = &[
    (
        "deskplane_store_commit_seconds",
        &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0],
    ),
    ("deskplane_store_group_records", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
    (
        "deskplane_store_checkpoint_seconds",
        &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
    ),
];

macro_rules! meters {
    ($($field:ident: $kind:ident = $make:ident, $describe:ident, $name:literal, $what:literal;)+) => {
        /// Where the figures of a store go; nowhere unless a recorder is given.
        #[derive(Debug, Clone)]
        pub struct Meters {
            $(pub(super) $field: $kind,)+
        }

        impl Default for Meters {
            fn default() -> Self {
                Self { $($field: $kind::noop(),)+ }
            }
        }

        impl Meters {
            /// Figures that go to a recorder.
            pub fn new(recorder: &dyn Recorder) -> Self {
                with_local_recorder(recorder, || {
                    $(metrics::$describe!($name, $what);)+
                    Self { $($field: metrics::$make!($name),)+ }
                })
            }
        }
    };
}

meters! {
    read_only: Gauge = gauge, describe_gauge, "deskplane_store_read_only",
        "1 while the store takes no writes, else 0";
    damaged: Gauge = gauge, describe_gauge, "deskplane_store_damaged",
        "1 from the moment damage was found until every file was found sound, else 0";
    free_bytes: Gauge = gauge, describe_gauge, "deskplane_store_free_bytes",
        "Bytes that can still be written to the disk of the store";
    commits: Counter = counter, describe_counter, "deskplane_store_commits_total",
        "Groups of writes that became durable";
    commit_seconds: Histogram = histogram, describe_histogram, "deskplane_store_commit_seconds",
        "Time to write a group to the journal and sync it";
    group_records: Histogram = histogram, describe_histogram, "deskplane_store_group_records",
        "Records of a group";
    journal_bytes: Gauge = gauge, describe_gauge, "deskplane_store_journal_bytes",
        "Bytes of all segments of the journal, with what is reserved";
    checkpoint_seconds: Histogram = histogram, describe_histogram,
        "deskplane_store_checkpoint_seconds", "Time to write a checkpoint";
    checkpoint_failures: Counter = counter, describe_counter,
        "deskplane_store_checkpoint_failures_total",
        "Checkpoints that could not be written; each is tried again";
    archive_failures: Counter = counter, describe_counter,
        "deskplane_store_archive_failures_total",
        "History files that could not be written; each is tried again";
    verified_bytes: Counter = counter, describe_counter, "deskplane_store_verified_bytes_total",
        "Bytes that were read again to see whether they are sound";
    index_lag: Gauge = gauge, describe_gauge, "deskplane_store_index_lag_revisions",
        "Revisions that are durable and not in the index yet";
}

// === impl Meters ===

impl Meters {
    /// Notes the condition of the store.
    pub(super) fn condition(&self, condition: &Condition) {
        self.read_only.set(f64::from(u8::from(!condition.writable())));
        self.damaged.set(f64::from(u8::from(condition.damaged.is_some())));
    }
}
