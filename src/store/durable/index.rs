//! The index: what the journal adds up to, in the shape that reads want. The only file that knows
//! sled.
//!
//! One tree holds everything, so that one sled batch makes a group of records visible at once:
//!
//! | Key | Value |
//! |---|---|
//! | `m/format`, `m/store`, `m/incarnation` | layout of the tree, identity |
//! | `m/head` | revision and time of the last record, number of records, revision of the last removed one |
//! | `s/<collection>/<name>` | the object as it is now |
//! | `r/<revision><chunk>` | the record, in chunks of 64 KiB |
//! | `i/<collection>/<name>\0<revision>` | nothing: the record changes the object |
//! | `q/<time><revision>` | head of a record with a request id |
//!
//! Numbers are big endian, so that the order of keys is theirs. sled's own subscribers are not
//! used, and nothing waits for its disk: the journal is what lasts.

pub(super) mod keys;

use std::{
    panic::AssertUnwindSafe,
    path::Path,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
};

use ::sled::{Batch as Writes, Db, IVec};
use uuid::Uuid;

use self::keys::{
    REQUESTS_END, STATES, index_key, oldest_request, record_key, request_key, revision_of,
    state_key,
};
use super::{Ids, checkpoint, known_format};
use crate::{
    domain::{Change, Object, Time},
    store::{
        Error, HistoryQuery, Loaded, Page, Record, Result, Revision,
        record::{decode, encode},
    },
};

/// Layout of the tree that this program writes.
const LAYOUT: u32 = 1;
/// Bytes of a record per key.
const CHUNK: usize = 64 << 10;
/// Most bytes of records that one read takes, one record more or less.
const READ_AHEAD: usize = 1 << 20;
/// Bytes of sled's page cache: everything hot is in the catalog.
const CACHE: u64 = 64 << 20;
/// Bytes of a segment of sled's file.
///
/// Once a round sled's own thread moves what is left in at most one segment, so that its room is
/// used again. A segment a round is therefore all that may become garbage in the long run: 4 MiB a
/// second. With sled's defaults it is 0.5 or 1 MiB, and a file grows to sixteen times its data
/// under a few hundred small writes a second.
pub(super) const SEGMENT: usize = 1 << 20;
/// Milliseconds between the rounds of sled's own thread. It writes whenever it likes, which is
/// fine: nothing is in the tree that is not durable in the journal.
const TIDY_MS: u64 = 250;

/// The tree. Its calls block.
#[derive(Debug)]
pub(super) struct Index {
    db: Db,
    head: Mutex<Head>,
    /// [`Head::trimmed`], raised before anything is removed.
    trimmed: AtomicI64,
    /// Most records that are kept.
    keep: i64,
}

/// How far the tree has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Head {
    /// Revision of the last record.
    pub(super) revision: Revision,
    /// Its time.
    pub(super) time: Time,
    /// Records that are kept.
    pub(super) records: i64,
    /// Revision of the last record that was removed; 0 when none was.
    pub(super) trimmed: Revision,
}

/// A record with its stored form.
pub(super) type Stored = (Record, Vec<u8>);

// === impl Index ===

impl Index {
    /// Opens a tree, or makes an empty one of that store, if there is none.
    ///
    /// A tree that cannot be used, or of another store, is [`Error::Damaged`].
    pub(super) fn open(folder: &Path, ids: Ids, keep: u64) -> Result<Self> {
        let db = open_db(folder)?;
        identify(&db, folder, ids)?;
        let head = read_head(&db)?;
        let trimmed = AtomicI64::new(head.trimmed);
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        Ok(Self { db, head: Mutex::new(head), trimmed, keep })
    }

    /// How far the tree has come.
    pub(super) fn head(&self) -> Result<Head> {
        self.lock().map(|head| *head)
    }

    /// Everything a server needs at its start.
    pub(super) fn load(&self) -> Result<Loaded> {
        let head = self.lock()?;
        let mut objects = Vec::new();
        for item in self.db.scan_prefix(STATES) {
            objects.push(decode::<Object>("an object", &item?.1)?);
        }
        // The names of a kind are in order already; a stable sort leaves them so.
        objects.sort_by_key(Object::kind);
        let mut requests = Vec::new();
        for item in self.db.range(oldest_request(head.time)..REQUESTS_END.to_vec()) {
            requests.push(decode("a request", &item?.1)?);
        }
        Ok(Loaded { revision: head.revision, time: head.time, objects, requests })
    }

    /// Adds records, in rising order, and takes away those that are past keeping.
    pub(super) fn apply(&self, records: &[Stored]) -> Result<()> {
        let mut head = self.lock()?;
        let (mut writes, mut next) = (Writes::default(), *head);
        self.forget_requests(head.time, 2 * records.len(), &mut writes)?;
        for (record, bytes) in records {
            write_record(record, bytes, &mut writes)?;
            (next.revision, next.time) = (record.revision, record.time);
            next.records += 1;
        }
        self.trim(&mut next, 2 * records.len(), &mut writes)?;
        writes.insert(b"m/head", head_value(&next));
        self.db.apply_batch(writes)?;
        *head = next;
        Ok(())
    }

    /// Every entry but those of the tree itself, in order, at one revision; nothing is added
    /// meanwhile.
    pub(super) fn export<T>(
        &self,
        begin: impl FnOnce(Head) -> Result<T>,
        mut each: impl FnMut(&mut T, checkpoint::Entry<'_>) -> Result<()>,
    ) -> Result<T> {
        let head = self.lock()?;
        let mut target = begin(*head)?;
        for item in self.db.iter() {
            let (key, value) = item?;
            if !key.starts_with(b"m/") {
                each(&mut target, (&key, &value))?;
            }
        }
        Ok(target)
    }

    /// Fills an empty tree with what [`Index::export`] gave. It is not to be used when that fails.
    pub(super) fn import(
        &self,
        read: impl FnOnce(&mut dyn FnMut(checkpoint::Entry<'_>) -> Result<()>) -> Result<Head>,
    ) -> Result<()> {
        let mut head = self.lock()?;
        // One by one: sled frees what a batch leaves behind far more slowly than it fills a tree,
        // and would hold several times the data in memory.
        let next = read(&mut |(key, value)| {
            self.db.insert(key, value)?;
            Ok(())
        })?;
        self.db.insert(b"m/head", head_value(&next))?;
        self.trimmed.store(next.trimmed, Ordering::SeqCst);
        *head = next;
        Ok(())
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&self) -> Result<()> {
        self.db.flush()?;
        Ok(())
    }

    /// Removes requests that are older than they need be, a bounded number each time.
    fn forget_requests(&self, now: Time, most: usize, writes: &mut Writes) -> Result<()> {
        for item in self.db.range(b"q/".to_vec()..oldest_request(now)).take(most) {
            writes.remove(item?.0);
        }
        Ok(())
    }

    /// Removes the oldest records beyond those that are kept, a bounded number each time.
    fn trim(&self, head: &mut Head, most: usize, writes: &mut Writes) -> Result<()> {
        for _ in 0..most {
            if head.records <= self.keep {
                break;
            }
            let oldest = record_key(head.trimmed.saturating_add(1), 0)..b"r0".to_vec();
            let Some(item) = self.db.range(oldest).next() else {
                break;
            };
            let revision = revision_of(&item?.0, b"r/".len())?;
            let (record, length) = self.record(revision)?;
            for (chunk, _) in (0..).zip((0..length).step_by(CHUNK)) {
                writes.remove(record_key(revision, chunk));
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
        let mut bytes = Vec::new();
        for item in self.db.range(record_key(revision, 0)..=record_key(revision, u32::MAX)) {
            bytes.extend_from_slice(&item?.1);
        }
        Ok((Record::decode(&bytes)?, bytes.len()))
    }

    /// A page of past records, newest first.
    pub(super) fn history(&self, query: &HistoryQuery) -> Result<Page<Record>> {
        let limit = query.limit.max(1);
        let mut end = query.before.unwrap_or(Revision::MAX).max(0);
        let mut found = Vec::new();
        while found.len() <= limit {
            let (range, at) = match &query.key {
                Some(key) => (index_key(key, 0)..index_key(key, end), index_key(key, 0).len() - 8),
                None => (record_key(0, 0)..record_key(end, 0), b"r/".len()),
            };
            let Some(item) = self.db.range(range).next_back() else {
                break;
            };
            end = revision_of(&item?.0, at)?;
            match self.record(end) {
                // It is being removed, and so are those before it.
                _ if end <= self.trimmed.load(Ordering::SeqCst) => break,
                record => found.push(record?.0),
            }
        }
        Ok(Page::cut(found, limit))
    }

    fn lock(&self) -> Result<MutexGuard<'_, Head>> {
        // A thread that panicked here may have left the tree behind its head.
        self.head.lock().map_err(|_| Error::Broken)
    }
}

// === Opening ===

fn open_db(folder: &Path) -> Result<Db> {
    let config = ::sled::Config::new()
        .path(folder)
        .cache_capacity(CACHE)
        .segment_size(SEGMENT)
        .flush_every_ms(Some(TIDY_MS));
    // sled panics over some kinds of damage; the store reports them like any other.
    match std::panic::catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(::sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
            Err(Error::InUse(folder.to_owned()))
        }
        Ok(Err(error)) => Err(Error::Damaged(format!("{}: {error}", folder.display()))),
        Err(_) => Err(Error::Damaged(format!("{}: sled panicked", folder.display()))),
    }
}

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

fn write_record(record: &Record, bytes: &[u8], writes: &mut Writes) -> Result<()> {
    for (number, chunk) in (0..).zip(bytes.chunks(CHUNK)) {
        writes.insert(record_key(record.revision, number), chunk);
    }
    for change in &record.changes {
        let key = change.key();
        match change {
            Change::Put(object) => writes.insert(state_key(&key), encode(object)?),
            Change::Delete(_) => writes.remove(state_key(&key)),
        }
        writes.insert(index_key(&key, record.revision), IVec::default());
    }
    if let Some(header) = record.header() {
        writes.insert(request_key(record.time, record.revision), encode(&header)?);
    }
    Ok(())
}

// === impl Error ===

impl From<::sled::Error> for Error {
    fn from(error: ::sled::Error) -> Self {
        Self::Engine(error.to_string())
    }
}
