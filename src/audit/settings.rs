//! What is recorded, and for how long.

use std::time::Duration;

/// Settings of the recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Audited reads and refusals by scope. Writes are audited whatever this says.
    pub reads: Keep,
    /// The resolution log.
    pub deliveries: Keep,
}

/// Whether entries of one kind are kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Whether there are any.
    pub enabled: bool,
    /// Age after which they are removed.
    pub age: Duration,
    /// Bytes beyond which the oldest are removed.
    pub bytes: u64,
}

/// Seconds of a day.
const DAY_S: u64 = 24 * 3_600;

impl Default for Settings {
    fn default() -> Self {
        let keep = |days: u64, bytes| Keep {
            enabled: true,
            age: Duration::from_secs(days * DAY_S),
            bytes,
        };
        Self { reads: keep(90, 1 << 30), deliveries: keep(30, 4 << 30) }
    }
}
