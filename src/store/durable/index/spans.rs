//! What history files hold of the index: written from it, and read into an empty one.

use std::sync::atomic::Ordering;

use super::{
    Head, Index, Stored, head_value,
    keys::{
        Entry, HISTORIES, HISTORIES_END, RECORDS, REQUESTS, REQUESTS_END, history_key, needed_key,
        oldest_request, record_key, request_key, revision_of,
    },
    packed, pieces,
    write::LEAVING,
};
use crate::store::{Error, Record, Result, Revision};

/// Bytes of records that are added together.
const TOGETHER: usize = 1 << 20;

/// Reads what history files hold into an empty index.
#[derive(Debug)]
pub(in super::super) struct Import<'a> {
    index: &'a Index,
    /// The record whose chunks are being read.
    record: Option<(Revision, Vec<u8>)>,
    waiting: Vec<Stored>,
    bytes: usize,
    head: Head,
}

// === impl Index ===

impl Index {
    /// Hands on the requests and records of the revisions above the first up to the second, in order
    /// of their keys.
    pub(in super::super) fn export(
        &self,
        (after, last): (Revision, Revision),
        mut each: impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        let records = record_key(after + 1, 0)..=record_key(last, u32::MAX);
        let Some(first) = self.db.range(records.clone()).next() else {
            return Ok(());
        };
        let (first, _) = self.record(revision_of(&first?.0, RECORDS.len())?)?;
        let oldest = oldest_request(self.head()?.time).max(request_key(first.time, 0));
        for item in self.db.range(oldest..REQUESTS_END.to_vec()) {
            let (key, value) = self.db.note(item)?;
            let revision = revision_of(&key, REQUESTS.len() + 8)?;
            if revision > after && revision <= last {
                each((&key, &value))?;
            }
        }
        for item in self.db.range(records) {
            let (key, value) = self.db.note(item)?;
            each((&key, &self.whole((key.clone(), value))?))?;
        }
        Ok(())
    }

    /// Bytes of the records of the revisions above the first up to the second, about; once they are
    /// more than the most that matters, they are not counted further.
    pub(in super::super) fn bytes_of(
        &self,
        (after, last): (Revision, Revision),
        most: u64,
    ) -> Result<u64> {
        let mut bytes = 0;
        for item in self.db.range(record_key(after + 1, 0)..=record_key(last, u32::MAX)) {
            let (_, found) = self.db.note(item)?;
            let pieces = pieces::count(&found) as usize * pieces::PIECE;
            bytes += pieces.max(found.len()) as u64;
            if bytes > most {
                break;
            }
        }
        Ok(bytes)
    }

    /// Begins to fill an empty index. It is not to be used when that fails.
    pub(in super::super) fn begin_import(&self) -> Import<'_> {
        let (waiting, head) = (Vec::new(), Head::default());
        Import { index: self, record: None, waiting, bytes: 0, head }
    }

    /// Moves every record up to a revision out of the feed.
    fn shorten_feed_to(&self, trimmed: Revision) -> Result<()> {
        while self.head()?.trimmed < trimmed {
            let oldest = record_key(self.head()?.trimmed + 1, 0)..=record_key(trimmed, u32::MAX);
            if self.db.range(oldest).next().is_none() {
                break;
            }
            self.apply_within(&[], LEAVING, trimmed)?;
        }
        let mut head = self.lock()?;
        if head.trimmed < trimmed {
            head.trimmed = trimmed;
            self.trimmed.store(trimmed, Ordering::SeqCst);
            self.db.note(self.db.insert(b"m/head", head_value(&head)))?;
        }
        Ok(())
    }

    /// Removes the histories of objects that do not exist at a revision, and whose last entry is no
    /// newer than that and lies below the feed. The keys of those that exist come in rising order,
    /// less the first two bytes.
    ///
    /// A history file that is older than the end of an object may hold its past still, when the
    /// record of that end is past keeping.
    pub(in super::super) fn remove_ended(
        &self,
        revision: Revision,
        existing: &mut dyn Iterator<Item = Result<Vec<u8>>>,
    ) -> Result<()> {
        let until = revision.min(self.head()?.trimmed);
        let mut exists = existing.next().transpose()?;
        let mut from = HISTORIES.to_vec();
        while let Some(item) = self.db.range(from..HISTORIES_END.to_vec()).next() {
            let (key, _) = self.db.note(item)?;
            let object = &key[..key.len().saturating_sub(8)];
            let name = &object[HISTORIES.len()..object.len() - 1];
            while exists.as_deref().is_some_and(|existing| existing < name) {
                exists = existing.next().transpose()?;
            }
            let all = history_key(object, 0)..=history_key(object, Revision::MAX);
            from = history_key(object, Revision::MAX);
            from.push(0);
            if exists.as_deref() == Some(name) {
                continue;
            }
            let entries = self.db.range(all).map(|item| {
                let (key, _) = item?;
                Ok((revision_of(&key, key.len() - 8)?, key))
            });
            let entries: Vec<_> = entries.collect::<Result<_>>()?;
            if entries.last().is_none_or(|(last, _)| *last > until) {
                continue;
            }
            for (revision, key) in entries {
                self.db.note(self.db.remove(key))?;
                self.release_record(revision)?;
            }
        }
        Ok(())
    }

    /// Counts an object less that needs a record below the feed.
    fn release_record(&self, revision: Revision) -> Result<()> {
        let key = needed_key(revision);
        let found = self.db.note(self.db.get(&key))?;
        let number = found.and_then(|found| found.as_ref().try_into().ok());
        let needed = number.map_or(0, u32::from_be_bytes).saturating_sub(1);
        if needed > 0 {
            self.db.note(self.db.insert(key, &needed.to_be_bytes()))?;
            return Ok(());
        }
        self.db.note(self.db.remove(key))?;
        self.remove_unasked(revision)
    }
}

// === impl Import ===

impl Import<'_> {
    /// Adds an entry of a history file; those of a file come in order, and the files too.
    pub(in super::super) fn add(&mut self, (key, value): Entry<'_>) -> Result<()> {
        // The requests stand in the records as well.
        if !key.starts_with(RECORDS) {
            return Ok(());
        }
        let revision = revision_of(key, RECORDS.len())?;
        if self.record.as_ref().is_none_or(|(at, _)| *at != revision) {
            self.end_record()?;
            self.record = Some((revision, Vec::new()));
        }
        match &mut self.record {
            Some((_, bytes)) => packed::unpack(value, bytes),
            None => Ok(()),
        }
    }

    /// Ends a file whose head is this.
    pub(in super::super) fn end_file(&mut self, head: Head) -> Result<()> {
        self.end_record()?;
        self.flush()?;
        self.head.revision = head.revision;
        self.head.time = self.head.time.max(head.time);
        self.head.trimmed = self.head.trimmed.max(head.trimmed);
        Ok(())
    }

    /// Ends the last file.
    pub(in super::super) fn finish(self) -> Result<()> {
        self.index.shorten_feed_to(self.head.trimmed)?;
        let mut head = self.index.lock()?;
        head.revision = head.revision.max(self.head.revision);
        head.time = head.time.max(self.head.time);
        self.index.db.note(self.index.db.insert(b"m/head", head_value(&head)))?;
        Ok(())
    }

    fn end_record(&mut self) -> Result<()> {
        let Some((revision, bytes)) = self.record.take() else { return Ok(()) };
        let record = Record::decode(&bytes)?;
        if record.revision != revision {
            return Err(Error::Damaged(format!("history has another record as {revision}")));
        }
        self.bytes += bytes.len();
        self.waiting.push((record, bytes));
        if self.bytes < TOGETHER { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() { Ok(()) } else { self.index.apply(&waiting) }
    }
}
