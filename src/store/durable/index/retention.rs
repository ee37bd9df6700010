//! What leaves the index: records that history does not go back to any more.

use std::sync::atomic::Ordering;

use ::sled::Batch as Writes;

use super::{
    Head, Index,
    keys::{index_key, oldest_request, record_key, request_key, revision_of},
    pieces,
};
use crate::store::{Result, Revision};

impl Index {
    /// Removes the oldest records beyond those that are kept, a bounded number each time.
    pub(super) fn trim(&self, head: &mut Head, most: usize, writes: &mut Writes) -> Result<()> {
        for _ in 0..most {
            if head.records <= self.keep {
                break;
            }
            let oldest = record_key(head.trimmed.saturating_add(1), 0)..b"r0".to_vec();
            let Some(item) = self.db.range(oldest).next() else {
                break;
            };
            let revision = revision_of(&item?.0, b"r/".len())?;
            let (record, _) = self.record(revision)?;
            // One whose request is remembered goes with the request.
            let oldest = oldest_request(head.time);
            let asked = record.header().map(|header| request_key(header.time, header.revision));
            if asked.is_none_or(|asked| asked < oldest) {
                self.remove_record(writes, revision)?;
            }
            for change in &record.changes {
                writes.remove(index_key(&change.key(), revision));
            }
            head.records -= 1;
            head.trimmed = revision;
        }
        // A reader that misses a record must find the reason.
        self.trimmed.store(head.trimmed, Ordering::SeqCst);
        Ok(())
    }

    /// Removes the record of that revision, if it is there.
    pub(super) fn remove_record(&self, writes: &mut Writes, revision: Revision) -> Result<()> {
        for item in self.db.range(record_key(revision, 0)..=record_key(revision, u32::MAX)) {
            let (key, found) = item?;
            pieces::remove(writes, &key, pieces::count(&found));
        }
        Ok(())
    }
}
