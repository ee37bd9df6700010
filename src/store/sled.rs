//! The embedded engine. The only file that knows sled.
//!
//! One tree holds everything, so that one sled batch makes a group of records visible at once:
//!
//! | Key | Value |
//! |---|---|
//! | `m/format`, `m/store`, `m/incarnation`, `m/head` | layout of the folder, identity, revision and time of the last commit |
//! | `s/<collection>/<name>` | the object as it is now |
//! | `r/<revision><chunk>` | the record, in chunks of 64 KiB |
//! | `i/<collection>/<name>\0<revision>` | nothing: the record changes the object |
//! | `q/<time><revision>` | head of a record with a request id |
//!
//! Numbers are big endian, so that the order of keys is theirs. sled's own subscribers are not
//! used: they fire before the flush.

mod folder;

use std::{
    fs::File,
    io,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use ::sled::{Batch as Writes, Db, IVec};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::watch,
    task::{JoinError, spawn_blocking},
};
use uuid::Uuid;

use super::{
    Batch, ChangeStream, Commit, Error, HistoryQuery, Identity, Loaded, MAX_BATCH_BYTES, Page,
    REQUEST_AGE, Record, Result, Revision, Store,
    record::{decode, encode},
};
use crate::domain::{Change, Object, ObjectKey, Time};

/// Layout of the folder that this program writes.
const LAYOUT: u32 = 1;
/// Bytes of a record per key.
const CHUNK: usize = 64 << 10;
/// Most bytes of records that a change stream reads at a time, one record more or less.
const READ_AHEAD: usize = 1 << 20;
/// Bytes of sled's page cache: everything hot is in the catalog.
const CACHE: u64 = 64 << 20;

/// A store in a folder of the local disk.
#[derive(Debug)]
pub struct Sled {
    store: Uuid,
    incarnation: Uuid,
    disk: Arc<Disk>,
    /// Revision of the last durable commit. Change streams end when it goes.
    durable: watch::Sender<Revision>,
}

/// What blocking calls need; they all run on threads that may wait.
#[derive(Debug)]
struct Disk {
    db: Db,
    head: Mutex<Head>,
    /// Stands after the database, so that it is released after it.
    _lock: File,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    revision: Revision,
    time: Time,
    /// Set while a batch is being written, and for good when that fails.
    broken: bool,
}

// === impl Sled ===

impl Sled {
    /// Opens the store in the folder, and makes it if there is none.
    ///
    /// A folder that is open elsewhere is [`Error::InUse`], one that a newer program wrote
    /// [`Error::NewerFormat`].
    pub async fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        spawn_blocking(move || {
            let (db, lock) = open_db(&folder)?;
            let (store, incarnation) = identify(&db, &folder)?;
            let (revision, time) = read_head(&db)?;
            let head = Mutex::new(Head { revision, time, broken: false });
            let durable = watch::Sender::new(revision);
            Ok(Self { store, incarnation, disk: Arc::new(Disk { db, head, _lock: lock }), durable })
        })
        .await?
    }
}

#[async_trait]
impl Store for Sled {
    fn identity(&self) -> Identity {
        Identity {
            store: self.store,
            incarnation: self.incarnation,
            engine: "sled",
            max_batch_bytes: MAX_BATCH_BYTES,
        }
    }

    async fn load(&self) -> Result<Loaded> {
        let disk = Arc::clone(&self.disk);
        spawn_blocking(move || disk.load()).await?
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        let (disk, durable) = (Arc::clone(&self.disk), self.durable.clone());
        // A thread that panicked may have written: that is not known, and the lock is poisoned.
        spawn_blocking(move || disk.commit(&batch, &durable)).await.unwrap_or(Ok(Commit::Unknown))
    }

    async fn changes(&self, after: Revision) -> Result<ChangeStream> {
        let cursor = Some((Arc::clone(&self.disk), self.durable.subscribe(), after.max(0)));
        let groups = stream::unfold(cursor, |cursor| async move {
            let (disk, mut durable, after) = cursor?;
            let newest = *durable.wait_for(|head| *head > after).await.ok()?;
            let reader = Arc::clone(&disk);
            let read = spawn_blocking(move || reader.records(after, newest)).await;
            let (items, cursor) = match read.map_err(Error::from).and_then(|read| read) {
                Ok(records) => {
                    let last = records.last().map_or(newest, |record| record.revision);
                    (records.into_iter().map(Ok).collect(), Some((disk, durable, last)))
                }
                Err(error) => (vec![Err(error)], None),
            };
            Some((stream::iter(items), cursor))
        });
        Ok(groups.flatten().boxed())
    }

    async fn history(&self, query: HistoryQuery) -> Result<Page<Record>> {
        let (disk, durable) = (Arc::clone(&self.disk), *self.durable.borrow());
        spawn_blocking(move || disk.history(&query, durable)).await?
    }

    async fn linearize(&self) -> Result<Revision> {
        Ok(*self.durable.borrow())
    }
}

// === impl Disk ===

impl Disk {
    fn load(&self) -> Result<Loaded> {
        // The lock keeps out batches that are visible but not yet durable.
        let head = self.head.lock().map_err(|_| Error::Broken)?;
        if head.broken {
            return Err(Error::Broken);
        }
        let mut objects = Vec::new();
        for item in self.db.scan_prefix(b"s/") {
            objects.push(decode::<Object>("an object", &item?.1)?);
        }
        objects.sort_by_cached_key(Object::key);
        let mut requests = Vec::new();
        for item in self.db.range(oldest_request(head.time)..b"q0".to_vec()) {
            requests.push(decode("a request", &item?.1)?);
        }
        Ok(Loaded { revision: head.revision, time: head.time, objects, requests })
    }

    fn commit(&self, batch: &Batch, durable: &watch::Sender<Revision>) -> Result<Commit> {
        let encoded = match batch.encode()? {
            Ok(encoded) => encoded,
            Err(limit) => return Ok(Commit::Refused(limit)),
        };
        let mut head = self.head.lock().map_err(|_| Error::Broken)?;
        if head.broken {
            return Err(Error::Broken);
        }
        if head.revision != batch.after {
            return Ok(Commit::Conflict(head.revision));
        }
        let (mut writes, mut next) = (Writes::default(), *head);
        self.forget_requests(head.time, 2 * batch.records.len(), &mut writes)?;
        for (record, bytes) in batch.records.iter().zip(&encoded) {
            write_record(record, bytes, &mut writes)?;
            (next.revision, next.time) = (record.revision, record.time);
        }
        let meta = [next.revision.to_be_bytes(), next.time.micros().to_be_bytes()].concat();
        writes.insert(b"m/head", meta);

        head.broken = true;
        if self.db.apply_batch(writes).and_then(|()| self.db.flush()).is_err() {
            return Ok(Commit::Unknown);
        }
        *head = next;
        durable.send_replace(next.revision);
        Ok(Commit::Committed(next.revision))
    }

    /// Removes requests that are older than they need be, a bounded number each time.
    fn forget_requests(&self, now: Time, most: usize, writes: &mut Writes) -> Result<()> {
        for item in self.db.range(b"q/".to_vec()..oldest_request(now)).take(most) {
            writes.remove(item?.0);
        }
        Ok(())
    }

    /// The records above `after` and up to `newest`, as many as one read takes.
    fn records(&self, after: Revision, newest: Revision) -> Result<Vec<Record>> {
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

    fn history(&self, query: &HistoryQuery, durable: Revision) -> Result<Page<Record>> {
        let limit = query.limit.max(1);
        let mut end = query.before.unwrap_or(Revision::MAX).min(durable.saturating_add(1)).max(0);
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
            found.push(self.record(end)?.0);
        }
        Ok(Page::cut(found, limit))
    }
}

// === Opening ===

/// Opens the folder for this process alone. The lock file must live as long as sled does.
fn open_db(folder: &Path) -> Result<(Db, File)> {
    let lock = folder::take(folder)?;
    Ok((try_open(folder)?, lock))
}

fn try_open(folder: &Path) -> Result<Db> {
    let config = ::sled::Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(None);
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

/// Reads the ids of the store and of its incarnation, or makes them in a new folder.
fn identify(db: &Db, folder: &Path) -> Result<(Uuid, Uuid)> {
    let damaged = || Error::Damaged(format!("{} holds no Deskplane store", folder.display()));
    if db.is_empty() {
        let (store, incarnation) = (Uuid::new_v4(), Uuid::new_v4());
        let mut writes = Writes::default();
        writes.insert(b"m/format", &LAYOUT.to_be_bytes());
        writes.insert(b"m/store", store.as_bytes());
        writes.insert(b"m/incarnation", incarnation.as_bytes());
        db.apply_batch(writes)?;
        db.flush()?;
        return Ok((store, incarnation));
    }
    let format = db.get(b"m/format")?.ok_or_else(damaged)?;
    let found = u32::from_be_bytes(format.as_ref().try_into().map_err(|_| damaged())?);
    if found > LAYOUT {
        let what = folder.display().to_string();
        return Err(Error::NewerFormat { what, found, known: LAYOUT });
    }
    let id = |key: &[u8]| {
        let bytes = db.get(key)?.ok_or_else(damaged)?;
        Uuid::from_slice(&bytes).map_err(|_| damaged())
    };
    Ok((id(b"m/store")?, id(b"m/incarnation")?))
}

fn read_head(db: &Db) -> Result<(Revision, Time)> {
    let Some(head) = db.get(b"m/head")? else {
        return Ok((0, Time::default()));
    };
    let micros = revision_of(&head, 8)?;
    Ok((revision_of(&head, 0)?, Time::from_micros(micros)))
}

// === Keys and values ===

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

fn state_key(key: &ObjectKey) -> Vec<u8> {
    format!("s/{}/{}", key.kind.collection(), key.name).into_bytes()
}

fn record_key(revision: Revision, chunk: u32) -> Vec<u8> {
    [b"r/", &revision.to_be_bytes()[..], &chunk.to_be_bytes()].concat()
}

/// No name holds a NUL, so no object's index runs into another's.
fn index_key(key: &ObjectKey, revision: Revision) -> Vec<u8> {
    let head = format!("i/{}/{}\0", key.kind.collection(), key.name);
    [head.as_bytes(), &revision.to_be_bytes()].concat()
}

fn request_key(time: Time, revision: Revision) -> Vec<u8> {
    // With the sign turned, times before 1970 come first.
    let time = (time.micros() ^ i64::MIN).to_be_bytes();
    [b"q/", &time[..], &revision.to_be_bytes()].concat()
}

/// The lowest key of the requests that are still remembered.
fn oldest_request(now: Time) -> Vec<u8> {
    request_key(Time::from_micros(now.micros().saturating_sub(REQUEST_AGE)), 0)
}

fn revision_of(bytes: &[u8], at: usize) -> Result<Revision> {
    bytes
        .get(at..at + 8)
        .and_then(|number| number.try_into().ok())
        .map(Revision::from_be_bytes)
        .ok_or_else(|| Error::Damaged("a key or head is too short".to_owned()))
}

// === impl Error ===

impl From<::sled::Error> for Error {
    fn from(error: ::sled::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        Self::Engine(error.to_string())
    }
}

#[cfg(test)]
mod tests;
