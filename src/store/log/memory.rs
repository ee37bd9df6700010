//! Logs that last as long as the process.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Log, LogEntry, LogKind, LogQuery, Logged, Visit};
use crate::{domain::Time, store::Result};

/// Logs in memory: the model that those on the disk are compared with.
#[derive(Debug, Default)]
pub struct MemoryLog([Mutex<Kept>; LogKind::ALL.len()]);

/// The entries of one kind.
#[derive(Debug, Default)]
struct Kept {
    /// Number of the first entry, less one.
    before: u64,
    entries: VecDeque<LogEntry>,
    bytes: u64,
}

impl MemoryLog {
    fn kept(&self, kind: LogKind) -> MutexGuard<'_, Kept> {
        self.0[kind as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn append(&self, kind: LogKind, entries: &[LogEntry]) -> Result<()> {
        let mut kept = self.kept(kind);
        for entry in entries {
            let last = kept.entries.back().map_or(entry.time, |last| last.time);
            kept.bytes += entry.bytes.len() as u64;
            kept.entries.push_back(LogEntry { time: entry.time.max(last), ..entry.clone() });
        }
        Ok(())
    }

    fn next(&self, kind: LogKind) -> Result<u64> {
        let kept = self.kept(kind);
        Ok(kept.before + kept.entries.len() as u64 + 1)
    }

    fn visit(&self, kind: LogKind, query: &LogQuery, visit: Visit<'_>) -> Result<Option<u64>> {
        let kept = self.kept(kind);
        let mut read = 0;
        let end = kept.before + kept.entries.len() as u64;
        for (entry, sequence) in kept.entries.iter().rev().zip((kept.before + 1..=end).rev()) {
            if query.since.is_some_and(|since| entry.time < since) {
                break;
            }
            if !query.takes(sequence, entry.time) {
                continue;
            }
            let logged = Logged { sequence, time: entry.time, bytes: &entry.bytes };
            if read > query.budget || visit(logged).is_break() {
                return Ok(Some(sequence + 1));
            }
            read += entry.bytes.len();
        }
        Ok(None)
    }

    fn retain(&self, kind: LogKind, since: Time, bytes: u64) -> Result<()> {
        let mut kept = self.kept(kind);
        while kept.entries.front().is_some_and(|first| first.time < since || kept.bytes > bytes) {
            let gone = kept.entries.pop_front().map_or(0, |gone| gone.bytes.len() as u64);
            kept.bytes -= gone;
            kept.before += 1;
        }
        Ok(())
    }
}
