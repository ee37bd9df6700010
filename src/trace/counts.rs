//! What became of spans.

use std::sync::atomic::{AtomicU64, Ordering};

/// Spans by what became of them, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// What may become of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The collector has it.
    Exported,
    /// Too many waited, or the server ended.
    Dropped,
    /// The collector did not take it.
    Failed,
}

impl Counter {
    /// All, with the names that figures have for them.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Exported, "exported"), (Self::Dropped, "dropped"), (Self::Failed, "failed")];
}

impl Counts {
    /// Adds to one of the counts.
    pub fn add(&self, counter: Counter, count: u64) {
        self.of(counter).fetch_add(count, Ordering::Relaxed);
    }

    /// One of the counts.
    pub fn get(&self, counter: Counter) -> u64 {
        self.of(counter).load(Ordering::Relaxed)
    }

    /// All counts, with the names that figures have for them.
    pub fn all(&self) -> [(&'static str, u64); Counter::ALL.len()] {
        Counter::ALL.map(|(counter, name)| (name, self.get(counter)))
    }

    fn of(&self, counter: Counter) -> &AtomicU64 {
        match counter {
            Counter::Exported => &self.exported,
            Counter::Dropped => &self.dropped,
            Counter::Failed => &self.failed,
        }
    }
}
