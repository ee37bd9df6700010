//! Logs beside the records: what is worth keeping and no commit waits for, the audit of reads and
//! refusals and the resolution log (SPEC §11.3).
//!
//! An entry is a time and bytes that the store does not look into. Entries of one kind have rising
//! sequence numbers, with gaps, and times that never go back. Every call blocks.

mod memory;

use std::{fmt, ops::ControlFlow};

use bytes::Bytes;

pub use self::memory::MemoryLog;
use super::Result;
use crate::domain::Time;

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// Audited reads, and refusals by scope.
    Audit,
    /// The resolution log: what clients were sent.
    Deliveries,
}

/// An entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When it happened. One before the last entry's is written as that.
    pub time: Time,
    /// Its stored form.
    pub bytes: Bytes,
}

/// An entry that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged<'a> {
    /// Its number among the entries of its kind.
    pub sequence: u64,
    /// When it happened.
    pub time: Time,
    /// Its stored form.
    pub bytes: &'a [u8],
}

/// Which entries are asked for; the newest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// Only entries with a lower number.
    pub below: Option<u64>,
    /// Only entries at or after this time.
    pub since: Option<Time>,
    /// Only entries before this time.
    pub until: Option<Time>,
    /// Bytes that may be read; a little more is, so that every call gets on.
    pub budget: usize,
}

/// Takes an entry, or breaks off before it.
pub type Visit<'a> = &'a mut dyn FnMut(Logged<'_>) -> ControlFlow<()>;

/// Logs that last as long as their store.
pub trait Log: fmt::Debug + Send + Sync + 'static {
    /// Appends entries in their order; they are durable when it returns.
    ///
    /// # Errors
    /// When they cannot be written: some of them may be. The store takes writes as before, and a later
    /// call begins afresh.
    fn append(&self, kind: LogKind, entries: &[LogEntry]) -> Result<()>;

    /// The number that no entry reaches yet: those to come have this one or a higher one.
    fn next(&self, kind: LogKind) -> Result<u64>;

    /// Hands on entries, the newest first. Answers the number below which there may be further ones:
    /// where the visit broke off, or where the budget ended; none after the last.
    ///
    /// Entries that cannot be read are passed over, with a warning.
    fn visit(&self, kind: LogKind, query: &LogQuery, visit: Visit<'_>) -> Result<Option<u64>>;

    /// Removes entries that are older than a time, and the oldest ones beyond a number of bytes, both
    /// by whole files; the newest file stays.
    fn retain(&self, kind: LogKind, since: Time, bytes: u64) -> Result<()>;
}

// === impl LogKind ===

impl LogKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Audit, Self::Deliveries];

    /// Its name, as files and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Deliveries => "resolution",
        }
    }
}

// === impl LogQuery ===

impl LogQuery {
    /// Whether the query asks for entries of that time.
    pub(super) fn takes(&self, sequence: u64, time: Time) -> bool {
        self.below.is_none_or(|below| sequence < below)
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
    }
}
