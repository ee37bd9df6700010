//! Adding records to the index.

use std::collections::BTreeMap;

use ::sled::{Batch as Writes, IVec};

use super::{
    Index, Stored, head_value,
    keys::{history_key, history_of, record_key, state_key},
    packed, pieces, requests,
    retention::Trim,
};
use crate::{
    domain::Change,
    store::{Record, Result, record::encode_object},
};

/// Pieces of the objects that a batch has come across and that have or had some.
type Long = BTreeMap<Vec<u8>, u32>;

// === impl Index ===

impl Index {
    /// Adds records, in rising order, and takes away those that are past keeping.
    pub(in super::super) fn apply(&self, records: &[Stored]) -> Result<()> {
        let mut head = self.lock()?;
        let (mut writes, mut next, mut long) = (Writes::default(), *head, Long::new());
        let mut trim = Trim::new(self);
        trim.forget_requests(&head, 2 * records.len(), &mut writes)?;
        for (record, bytes) in records {
            trim.add(record);
            self.write_record(record, bytes, &mut writes, &mut long)?;
            (next.revision, next.time) = (record.revision, record.time);
            next.records += 1;
        }
        trim.finish(&mut next, 2 * records.len(), &mut writes)?;
        writes.insert(b"m/head", head_value(&next));
        self.db.note(self.db.apply_batch(writes))?;
        *head = next;
        Ok(())
    }

    /// Adds a record to those that are written together.
    fn write_record(
        &self,
        record: &Record,
        bytes: &[u8],
        writes: &mut Writes,
        long: &mut Long,
    ) -> Result<()> {
        for (number, chunk) in (0..).zip(packed::chunks(bytes)) {
            pieces::insert(writes, &record_key(record.revision, number), &chunk, 0);
        }
        for change in &record.changes {
            let key = change.key();
            let state = state_key(&key);
            let before = match long.get(&state) {
                Some(count) => *count,
                None => self.db.get(&state)?.map_or(0, |found| pieces::count(&found)),
            };
            let count = match change {
                Change::Put(object) => {
                    pieces::insert(writes, &state, &encode_object(object)?, before)
                }
                Change::Delete(_) => {
                    pieces::remove(writes, &state, before);
                    0
                }
            };
            if count > 0 || before > 0 {
                long.insert(state, count);
            }
            writes.insert(history_key(&history_of(&key), record.revision), IVec::default());
        }
        if let Some(header) = record.header() {
            requests::insert(writes, &header);
        }
        Ok(())
    }
}
