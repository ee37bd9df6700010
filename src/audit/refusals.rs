//! The rate limit of entries for refusals: a caller who is refused all day gets a few entries, and one
//! that counts the rest. Where nobody is authenticated, as by a webhook, the limit is of what is
//! called.

use std::collections::HashMap;

use super::Entry;
use crate::domain::Time;

/// Entries that a caller, or what is called without one, gets within a window.
pub(super) const LIMIT: u32 = 10;
/// Microseconds of a window: one minute.
pub(super) const WINDOW: i64 = 60 * 1_000_000;
/// Callers with a window of their own; further ones share one.
pub(super) const CALLERS: usize = 4_096;

/// Windows by the name of who was refused, or of what refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<String, Window>);

#[derive(Debug)]
struct Window {
    begun: Time,
    written: u32,
    /// The last refusal that was not written, which counts all of them.
    suppressed: Option<Entry>,
}

impl Refusals {
    /// The entry, if it is to be written within the limit of that name; none when it is counted
    /// instead.
    pub(super) fn admit(&mut self, name: String, entry: Entry) -> Option<Entry> {
        let known = self.0.contains_key(&name) || self.0.len() < CALLERS;
        let window = self
            .0
            .entry(if known { name } else { String::new() })
            .or_insert_with(|| Window { begun: entry.time, written: 0, suppressed: None });
        if window.written < LIMIT {
            window.written += 1;
            return Some(entry);
        }
        let counted = window.suppressed.as_ref().map_or(0, |last| last.repeats.saturating_add(1));
        window.suppressed = Some(Entry { repeats: counted, ..entry });
        None
    }

    /// Ends the windows that are over; the entries that count what was not written in them.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Entry> {
        let over = |window: &mut Window| now.micros() - window.begun.micros() >= WINDOW;
        let ended = self.0.extract_if(|_, window| over(window));
        ended
            .filter_map(|(_, window)| window.suppressed)
            .map(|last| Entry { time: now, ..last })
            .collect()
    }

    /// Ends every window.
    pub(super) fn close(&mut self, now: Time) -> Vec<Entry> {
        let ended = std::mem::take(&mut self.0).into_values();
        ended
            .filter_map(|window| window.suppressed)
            .map(|last| Entry { time: now, ..last })
            .collect()
    }

    /// Whether no caller has a window.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
