//! Adding records to the index.

use ::sled::{Batch as Writes, IVec};

use super::{
    Index, Stored, head_value,
    keys::{history_key, history_of, record_key},
    packed, pieces, requests,
    retention::Trim,
};
use crate::store::{Record, Result, Revision};

/// Objects of records that leave the feed with a batch, however few it adds, one record more or
/// less; each is looked up.
pub(super) const LEAVING: usize = 4 << 10;

// === impl Index ===

impl Index {
    /// Adds records, in rising order, and takes away those that are past keeping: by their objects
    /// twice as much as it adds, and [`LEAVING`] in any case, so that a feed that is too long comes
    /// back to its length, and a few small records are not held up by the imports that they evict.
    pub(in super::super) fn apply(&self, records: &[Stored]) -> Result<()> {
        let changes: usize = records.iter().map(|(record, _)| record.changes.len()).sum();
        self.apply_within(records, LEAVING.max(2 * changes), 0)
    }

    /// The same. Records leave the feed until they have so many objects: those beyond its length,
    /// and those up to a revision.
    pub(super) fn apply_within(
        &self,
        records: &[Stored],
        most: usize,
        leaving: Revision,
    ) -> Result<()> {
        let mut head = self.lock()?;
        let (mut writes, mut next) = (Writes::default(), *head);
        let mut trim = Trim::new(self);
        trim.forget_requests(&head, most, &mut writes)?;
        for (record, bytes) in records {
            trim.add(record);
            Self::write_record(record, bytes, &mut writes);
            (next.revision, next.time) = (record.revision, record.time);
            next.records += 1;
        }
        trim.finish(&mut next, most, leaving, &mut writes)?;
        writes.insert(b"m/head", head_value(&next));
        self.db.note(self.db.apply_batch(writes))?;
        *head = next;
        Ok(())
    }

    /// Adds a record to those that are written together.
    fn write_record(record: &Record, bytes: &[u8], writes: &mut Writes) {
        for (number, chunk) in (0..).zip(packed::chunks(bytes)) {
            pieces::insert(writes, &record_key(record.revision, number), &chunk, 0);
        }
        for change in &record.changes {
            let history = history_of(&change.key());
            writes.insert(history_key(&history, record.revision), IVec::default());
        }
        if let Some(header) = record.header() {
            requests::insert(writes, &header);
        }
    }
}
