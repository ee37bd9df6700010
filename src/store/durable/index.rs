//! The index: the records of history files and journal, in the shape that reads want. The only module
//! that knows sled. State is not in it: see `checkpoint.rs`.
//!
//! One tree holds everything, so that one sled batch makes a group of records visible at once:
//!
//! | Key | Value |
//! |---|---|
//! | `m/format`, `m/store`, `m/incarnation` | layout of the tree, identity |
//! | `m/head` | revision and time of the last record, number of records, revision of the last removed one |
//! | `r/<revision><chunk>` | the record, in chunks of 64 KiB, each compressed; see `index/packed.rs` |
//! | `i/<collection>/<name>\0<revision>` | nothing: the record changes the object |
//! | `q/<time><revision>` | what is remembered of a record with a request id; see `index/requests.rs` |
//! | `c/<revision>` | how many objects need the record that the feed does not go back to; see `index/retention.rs` |
//! | `k/<caller and id>` | time and revision of that record |
//! | `p/…` | pieces of values that are longer than one; see `index/pieces.rs` |
//!
//! Numbers are big endian, so that the order of keys is theirs. sled's own subscribers are not
//! used, and nothing waits for its disk: the journal is what lasts.

pub(super) mod keys;
mod packed;
mod pieces;
mod requests;
mod retention;
mod spans;
mod tree;
mod write;

use std::{
    path::Path,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
};

use ::sled::{Batch as Writes, Db, IVec};
use uuid::Uuid;

#[cfg(test)]
pub(super) use self::tree::SEGMENT;
use self::{
    keys::{history_key, history_of, record_key, revision_of},
    tree::Tree,
};
use super::{Ids, Retention, known_format};
use crate::{
    domain::Time,
    store::{Error, HistoryQuery, Page, Record, Result, Revision},
};

/// Layout of the tree that this program writes; an older one is rebuilt.
const LAYOUT: u32 = 5;
/// Most bytes of records that one read takes, one record more or less.
const READ_AHEAD: usize = 1 << 20;
/// The tree. Its calls block.
#[derive(Debug)]
pub(super) struct Index {
    db: Tree,
    head: Mutex<Head>,
    /// [`Head::trimmed`], raised before anything is removed.
    trimmed: AtomicI64,
    /// Most records of the feed.
    keep: i64,
    retention: Retention,
}

/// How far the tree has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Head {
    /// Revision of the last record.
    pub(super) revision: Revision,
    /// Its time.
    pub(super) time: Time,
    /// Records of the feed.
    pub(super) records: i64,
    /// Revision of the last record that left the feed; 0 when none did.
    pub(super) trimmed: Revision,
}

/// A record with its stored form.
pub(super) type Stored = (Record, Vec<u8>);

// === impl Index ===

impl Index {
    /// Opens a tree, or makes an empty one of that store, if there is none.
    ///
    /// A tree that cannot be used, or of another store, is [`Error::Damaged`].
    pub(super) fn open(folder: &Path, ids: Ids, retention: Retention) -> Result<Self> {
        let db = Tree::open(folder)?;
        identify(&db, folder, ids)?;
        let head = read_head(&db)?;
        let trimmed = AtomicI64::new(head.trimmed);
        let keep = i64::try_from(retention.records).unwrap_or(i64::MAX);
        Ok(Self { db, head: Mutex::new(head), trimmed, keep, retention })
    }

    /// Whether the tree cannot be relied on any more: it is to be built once more.
    pub(super) fn failed(&self) -> bool {
        self.db.failed()
    }

    /// Has the tree count as one that failed.
    #[cfg(test)]
    pub(super) fn spoil(&self) {
        self.db.note(Err::<(), ()>(())).ok();
    }

    /// How far the tree has come.
    pub(super) fn head(&self) -> Result<Head> {
        self.lock().map(|head| *head)
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&self) -> Result<()> {
        self.db.flush()
    }

    /// The records above `after` and up to `newest`, as many as one read takes.
    pub(super) fn records(&self, after: Revision, newest: Revision) -> Result<Vec<Record>> {
        let read = self.read_records(after, newest);
        self.kept(after)?;
        read
    }

    /// Whether every record above a revision is kept.
    pub(super) fn kept(&self, after: Revision) -> Result<()> {
        let trimmed = self.trimmed.load(Ordering::SeqCst);
        if after >= trimmed {
            return Ok(());
        }
        let kept = self.db.range(record_key(trimmed.saturating_add(1), 0)..b"r0".to_vec()).next();
        let oldest = match kept {
            Some(item) => revision_of(&item?.0, b"r/".len())?,
            None => trimmed.saturating_add(1),
        };
        Err(Error::Compacted { oldest })
    }

    fn read_records(&self, after: Revision, newest: Revision) -> Result<Vec<Record>> {
        let (mut records, mut size, mut at) = (Vec::new(), 0, after);
        while at < newest && size < READ_AHEAD {
            let bounds = record_key(at + 1, 0)..=record_key(newest, u32::MAX);
            let Some(item) = self.db.range(bounds).next() else {
                break;
            };
            at = revision_of(&item?.0, b"r/".len())?;
            let (record, length) = self.record(at)?;
            size += length;
            records.push(record);
        }
        Ok(records)
    }

    /// The record of that revision, and its stored length.
    fn record(&self, revision: Revision) -> Result<(Record, usize)> {
        let bytes = self.record_bytes(revision)?;
        Ok((Record::decode(&bytes)?, bytes.len()))
    }

    /// The stored form of the record of that revision; empty when it is not there.
    fn record_bytes(&self, revision: Revision) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for item in self.db.range(record_key(revision, 0)..=record_key(revision, u32::MAX)) {
            packed::unpack(&self.whole(item?)?, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// A page of past records, newest first: those of the feed, or those of one object.
    pub(super) fn history(&self, query: &HistoryQuery) -> Result<Page<Record>> {
        let limit = query.limit.max(1);
        let mut end = query.before.unwrap_or(Revision::MAX).max(0);
        let history = query.key.as_ref().map(history_of);
        let mut found = Vec::new();
        while found.len() <= limit {
            let (range, at) = match &history {
                Some(history) => {
                    (history_key(history, 0)..history_key(history, end), history.len())
                }
                None => (record_key(0, 0)..record_key(end, 0), b"r/".len()),
            };
            let Some(item) = self.db.range(range).next_back() else {
                break;
            };
            let (key, _) = item?;
            end = revision_of(&key, at)?;
            let record = self.record(end);
            // What is being removed goes oldest first, so there is nothing before it either.
            let gone = match history {
                Some(_) => record.is_err() && !self.db.contains_key(&key)?,
                None => end <= self.trimmed.load(Ordering::SeqCst),
            };
            if gone {
                break;
            }
            found.push(record?.0);
        }
        Ok(Page::cut(found, limit))
    }

    /// The whole of a value that was found.
    fn whole(&self, (key, found): (IVec, IVec)) -> Result<IVec> {
        pieces::whole(&self.db, &key, found)
    }

    /// Keeps everything from being added.
    #[cfg(test)]
    pub(super) fn hold(&self) -> MutexGuard<'_, Head> {
        self.lock().unwrap()
    }

    fn lock(&self) -> Result<MutexGuard<'_, Head>> {
        // A thread that panicked here may have left the tree behind its head.
        self.head.lock().map_err(|_| Error::Broken)
    }
}

// === Opening ===

/// Checks whose tree it is; an empty one becomes that of the store.
fn identify(db: &Db, folder: &Path, ids: Ids) -> Result<()> {
    let damaged = || Error::Damaged(format!("{} is no index of this store", folder.display()));
    if db.is_empty() {
        let mut writes = Writes::default();
        writes.insert(b"m/format", &LAYOUT.to_be_bytes());
        writes.insert(b"m/store", ids.store.as_bytes());
        writes.insert(b"m/incarnation", ids.incarnation.as_bytes());
        db.apply_batch(writes)?;
        return Ok(());
    }
    let format = db.get(b"m/format")?.ok_or_else(damaged)?;
    let found = u32::from_be_bytes(format.as_ref().try_into().map_err(|_| damaged())?);
    known_format(folder, found, LAYOUT)?;
    if found < LAYOUT {
        return Err(Error::Damaged(format!("{} has an older layout", folder.display())));
    }
    let id = |key: &[u8]| {
        let bytes = db.get(key)?.ok_or_else(damaged)?;
        Uuid::from_slice(&bytes).map_err(|_| damaged())
    };
    let found = Ids { store: id(b"m/store")?, incarnation: id(b"m/incarnation")? };
    if found == ids { Ok(()) } else { Err(damaged()) }
}

fn read_head(db: &Db) -> Result<Head> {
    let Some(head) = db.get(b"m/head")? else {
        return Ok(Head::default());
    };
    Ok(Head {
        revision: revision_of(&head, 0)?,
        time: Time::from_micros(revision_of(&head, 8)?),
        records: revision_of(&head, 16)?,
        trimmed: revision_of(&head, 24)?,
    })
}

fn head_value(head: &Head) -> Vec<u8> {
    [head.revision, head.time.micros(), head.records, head.trimmed].map(i64::to_be_bytes).concat()
}
