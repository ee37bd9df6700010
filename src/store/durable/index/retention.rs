//! What leaves the index. History has two bounds: the feed goes back a number of records, and the
//! history of each object a number of its own revisions, whichever reaches further. An import of
//! a million users therefore evicts nothing of a profile's past.
//!
//! A record below the feed stays as long as the history of an object needs it, which `c/` counts,
//! or its request is remembered. An object that is deleted has no history below the feed: names that
//! come and go leave nothing behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use ::sled::Batch as Writes;

use super::{
    Head, Index,
    keys::{
        REQUESTS, history_key, history_of, lookup_key, needed_key, oldest_request, record_key,
        request_key, revision_of,
    },
    pieces,
};
use crate::{
    domain::Change,
    store::{Error, Header, Record, Result, Revision},
};

/// What one batch of writes removes.
///
/// The index is read as it is before the batch, so what the batch itself adds and removes is kept
/// here.
pub(super) struct Trim<'a> {
    index: &'a Index,
    /// Objects that the batch changes.
    changed: BTreeMap<Vec<u8>, Changed>,
    /// Entries of the history of an object that are removed.
    removed: BTreeSet<Vec<u8>>,
    /// How many objects need each record below the feed, where the batch changes that.
    needed: BTreeMap<Revision, u32>,
    /// Records whose request is not remembered any more, or that have none.
    unasked: BTreeSet<Revision>,
}

/// An object that a batch or record changes.
#[derive(Clone, Copy)]
struct Changed {
    /// Revisions that the batch adds.
    added: usize,
    /// Revisions that its history goes back.
    limit: usize,
    /// Whether the last change is its end.
    deleted: bool,
}

// === impl Trim ===

impl<'a> Trim<'a> {
    pub(super) fn new(index: &'a Index) -> Self {
        Self {
            index,
            changed: BTreeMap::new(),
            removed: BTreeSet::new(),
            needed: BTreeMap::new(),
            unasked: BTreeSet::new(),
        }
    }

    /// Notes a record that the batch adds.
    pub(super) fn add(&mut self, record: &Record) {
        for (history, change) in self.changes(record) {
            let known = self.changed.entry(history).or_insert(Changed { added: 0, ..change });
            known.added += 1;
        }
    }

    /// Removes requests that are older than they need be, a bounded number each time.
    pub(super) fn forget_requests(
        &mut self,
        head: &Head,
        most: usize,
        writes: &mut Writes,
    ) -> Result<()> {
        let db = &self.index.db;
        for item in db.range(REQUESTS.to_vec()..oldest_request(head.time)).take(most) {
            let (key, value) = item?;
            let lookup = lookup_key(&Header::decode(&value)?.key);
            // The id may have been used again since.
            if db.get(&lookup)?.as_deref() == Some(&key[REQUESTS.len()..]) {
                writes.remove(lookup);
            }
            self.unasked.insert(revision_of(&key, REQUESTS.len() + 8)?);
            writes.remove(key);
        }
        Ok(())
    }

    /// Moves the oldest records beyond those of the feed out of it, and those up to the revision
    /// `leaving`, until they have so many objects, and removes what nobody needs any more.
    pub(super) fn finish(
        mut self,
        head: &mut Head,
        most: usize,
        leaving: Revision,
        writes: &mut Writes,
    ) -> Result<()> {
        self.shorten_feed(head, most, leaving)?;
        self.shorten_histories(head.trimmed)?;
        self.remove_records(head)?.into_iter().try_for_each(|revision| {
            let records = record_key(revision, 0)..=record_key(revision, u32::MAX);
            for item in self.index.db.range(records) {
                let (key, found) = item?;
                pieces::remove(writes, &key, pieces::count(&found));
            }
            Ok::<_, Error>(())
        })?;
        self.removed.into_iter().for_each(|key| writes.remove(key));
        for (revision, needed) in self.needed {
            match needed {
                0 => writes.remove(needed_key(revision)),
                needed => writes.insert(needed_key(revision), &needed.to_be_bytes()),
            }
        }
        // A reader that misses a record must find the reason.
        self.index.trimmed.store(head.trimmed, Ordering::SeqCst);
        Ok(())
    }

    fn shorten_feed(&mut self, head: &mut Head, most: usize, leaving: Revision) -> Result<()> {
        let mut left = most;
        while left > 0 {
            let oldest = record_key(head.trimmed.saturating_add(1), 0)..b"r0".to_vec();
            let Some(item) = self.index.db.range(oldest).next() else {
                break;
            };
            let revision = revision_of(&item?.0, b"r/".len())?;
            if head.records <= self.index.keep && revision > leaving {
                break;
            }
            let (record, _) = self.index.record(revision)?;
            self.leave_feed(&record)?;
            if !is_remembered(&record, head) {
                self.unasked.insert(revision);
            }
            head.records -= 1;
            head.trimmed = revision;
            left = left.saturating_sub(record.changes.len().max(1));
        }
        Ok(())
    }

    /// Counts whose history goes back to a record that leaves the feed.
    fn leave_feed(&mut self, record: &Record) -> Result<()> {
        let mut needed = 0;
        for (history, change) in self.changes(record) {
            let newer = self.newer(&history, record.revision, change.limit)?;
            let ended = change.deleted && newer == 0;
            if ended {
                for revision in self.entries(&history, record.revision - 1)? {
                    self.remove_entry(&history, revision)?;
                }
            }
            if ended || newer >= change.limit {
                self.removed.insert(history_key(&history, record.revision));
            } else {
                needed += 1;
            }
        }
        self.needed.insert(record.revision, needed);
        Ok(())
    }

    /// Removes what the histories of the objects that the batch changes hold below the feed and
    /// beyond their limit.
    fn shorten_histories(&mut self, trimmed: Revision) -> Result<()> {
        if trimmed == 0 {
            return Ok(());
        }
        for (history, change) in self.changed.clone() {
            let below = self.entries(&history, trimmed)?;
            if below.is_empty() {
                continue;
            }
            let kept = change.limit.saturating_sub(self.newer(&history, trimmed, change.limit)?);
            for revision in &below[..below.len().saturating_sub(kept)] {
                self.remove_entry(&history, *revision)?;
            }
        }
        Ok(())
    }

    /// The records that neither a history nor a request needs any more.
    fn remove_records(&self, head: &Head) -> Result<Vec<Revision>> {
        let below = self.unasked.range(..=head.trimmed).chain(self.needed.keys());
        let mut free = Vec::new();
        for revision in below.copied().collect::<BTreeSet<_>>() {
            if self.needed(revision)? > 0 {
                continue;
            }
            let asked = !self.unasked.contains(&revision)
                && is_remembered(&self.index.record(revision)?.0, head);
            if !asked {
                free.push(revision);
            }
        }
        Ok(free)
    }

    /// The objects of a record with their histories.
    fn changes(&self, record: &Record) -> BTreeMap<Vec<u8>, Changed> {
        let changes = record.changes.iter().map(|change| {
            let (key, deleted) = (change.key(), matches!(change, Change::Delete(_)));
            let limit = self.index.retention.revisions_of(key.kind);
            (history_of(&key), Changed { added: 1, limit, deleted })
        });
        changes.collect()
    }

    /// How many revisions of an object are newer, counted up to a limit.
    fn newer(&self, history: &[u8], than: Revision, limit: usize) -> Result<usize> {
        let added = self.changed.get(history).map_or(0, |change| change.added);
        let newer = history_key(history, than + 1)..=history_key(history, Revision::MAX);
        let mut count = added.min(limit);
        for item in self.index.db.range(newer).take(limit - count) {
            item?;
            count += 1;
        }
        Ok(count)
    }

    /// The revisions of an object up to one, less those that are removed; oldest first.
    fn entries(&self, history: &[u8], until: Revision) -> Result<Vec<Revision>> {
        let mut revisions = Vec::new();
        let range = history_key(history, 0)..=history_key(history, until.max(0));
        for item in self.index.db.range(range) {
            let (key, _) = item?;
            if !self.removed.contains(&*key) {
                revisions.push(revision_of(&key, history.len())?);
            }
        }
        Ok(revisions)
    }

    /// Removes an entry below the feed.
    fn remove_entry(&mut self, history: &[u8], revision: Revision) -> Result<()> {
        self.removed.insert(history_key(history, revision));
        let needed = self.needed(revision)?.saturating_sub(1);
        self.needed.insert(revision, needed);
        Ok(())
    }

    /// How many objects need a record below the feed.
    fn needed(&self, revision: Revision) -> Result<u32> {
        if let Some(needed) = self.needed.get(&revision) {
            return Ok(*needed);
        }
        let found = self.index.db.get(needed_key(revision))?;
        let number = found.and_then(|found| found.as_ref().try_into().ok());
        Ok(number.map_or(0, u32::from_be_bytes))
    }
}

// === impl Index ===

impl Index {
    /// Removes a record that no object needs, unless its request is remembered.
    pub(super) fn remove_unasked(&self, revision: Revision) -> Result<()> {
        let Ok((record, _)) = self.record(revision) else { return Ok(()) };
        if is_remembered(&record, &self.head()?) {
            return Ok(());
        }
        let mut writes = Writes::default();
        for item in self.db.range(record_key(revision, 0)..=record_key(revision, u32::MAX)) {
            let (key, found) = item?;
            pieces::remove(&mut writes, &key, pieces::count(&found));
        }
        Ok(self.db.note(self.db.apply_batch(writes))?)
    }
}

/// Whether a repetition of its request is still answered from the record.
fn is_remembered(record: &Record, head: &Head) -> bool {
    let asked = record.header().map(|header| request_key(header.time, header.revision));
    asked.is_some_and(|asked| asked >= oldest_request(head.time))
}

#[cfg(test)]
mod tests;
