//! Requests in the index: by age, so that they can be forgotten after 24 hours, and by caller and id,
//! so that those can be found that are not in memory.
//!
//! A record that history does not go back to any more stays as long as its request is remembered:
//! a repetition is answered from it.

use ::sled::Batch as Writes;

use super::{
    Index,
    keys::{REQUESTS, REQUESTS_END, lookup_key, request_key},
};
use crate::store::{Header, Record, RequestKey, Result, Revision};

/// Adds a request.
pub(super) fn insert(writes: &mut Writes, header: &Header) {
    let key = request_key(header.time, header.revision);
    writes.insert(lookup_key(&header.key), &key[REQUESTS.len()..]);
    writes.insert(key, header.encode());
}

// === impl Index ===

impl Index {
    /// Number of keys that begin so.
    #[cfg(test)]
    pub(in super::super) fn keys_of(&self, prefix: &[u8]) -> usize {
        self.db.scan_prefix(prefix).count()
    }

    /// Hands on the requests from a key of theirs on, oldest first.
    pub(in super::super) fn requests(
        &self,
        oldest: &[u8],
        mut each: impl FnMut(Header),
    ) -> Result<()> {
        for item in self.db.range(oldest.to_vec()..REQUESTS_END.to_vec()) {
            each(Header::decode(&item?.1)?);
        }
        Ok(())
    }

    /// What is remembered of a request whose record is at or below that revision.
    pub(in super::super) fn request(
        &self,
        key: RequestKey,
        until: Revision,
    ) -> Result<Option<Header>> {
        let Some(at) = self.db.get(lookup_key(&key))? else {
            return Ok(None);
        };
        let found = self.db.get([REQUESTS, &at[..]].concat())?;
        let header = found.map(|bytes| Header::decode(&bytes)).transpose()?;
        Ok(header.filter(|header| header.revision <= until))
    }

    /// The record of a revision, if it is there.
    pub(in super::super) fn find_record(&self, revision: Revision) -> Result<Option<Record>> {
        let bytes = self.record_bytes(revision)?;
        if bytes.is_empty() { Ok(None) } else { Record::decode(&bytes).map(Some) }
    }
}
