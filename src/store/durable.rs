//! The embedded engine: a journal that is synced before anything is acknowledged, an index that
//! follows it, and checkpoints that bound it.
//!
//! ```text
//! <folder>/lock                 says which process has the store open
//!          store.mark           id of the store and of its incarnation
//!          boot.mark            boot of the machine since which the index is whole
//!          state.mark           whether the store is open, or at which revision it was closed
//!          journal/*.seg        every acknowledged group of records: the truth
//!          checkpoint/*.ckpt    the index at a revision; the two newest are kept
//!          index/               what reads want; built anew whenever in doubt
//! ```
//!
//! After a power cut only what was synced is believed: see the boot protocol in `boot.rs`. Journal,
//! checkpoints and marks are touched through [`Io`] alone, so tests can cut the power at every call.

mod backup;
mod boot;
mod checkpoint;
mod doctor;
mod engine;
mod files;
mod folder;
mod frame;
mod index;
mod journal;
mod manifest;
mod mark;
mod queue;
mod restore;
mod segment;
#[cfg(test)]
mod tests;

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::spawn_blocking};
use uuid::Uuid;

use self::engine::Engine;
pub use self::{
    backup::{Target, backup},
    doctor::{Examined, Health, Report, examine},
    manifest::{Manifest, Part},
    restore::{Restored, Source, restore},
};
use super::{
    Batch, ChangeStream, Commit, Error, HistoryQuery, Identity, Loaded, MAX_BATCH_BYTES, Page,
    Record, Result, Revision, Store,
    io::{Disk, Io},
};

/// Where Linux says which boot of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A store in a folder of the local disk.
///
/// Dropped without [`Durable::close`] it is left as a killed process leaves it: nothing is lost, and
/// the next start has more to do.
#[derive(Debug)]
pub struct Durable {
    engine: Arc<Engine>,
    /// Revision of the last durable commit. Change streams end when it goes.
    durable: watch::Sender<Revision>,
    /// Carries what is durable to the index.
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// Sizes of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a segment of the journal.
    pub segment_bytes: u64,
    /// Bytes of the journal after which a checkpoint is made.
    pub checkpoint_bytes: u64,
    /// Free bytes of the disk below which nothing is written.
    pub min_free_bytes: u64,
    /// What is kept of the past.
    pub retention: Retention,
}

/// What is kept of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records that history and changes go back.
    pub records: u64,
}

/// What tells whose data a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ids {
    store: Uuid,
    incarnation: Uuid,
}

/// Where a store is kept.
#[derive(Debug, Clone)]
struct Place {
    /// The file system of journal, checkpoints and marks.
    io: Arc<dyn Io>,
    /// Their folder.
    folder: PathBuf,
    /// Folder of lock and index, on the file system of the machine.
    local: PathBuf,
    /// Which boot of the machine this is; none when it does not say.
    boot_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            checkpoint_bytes: 64 << 20,
            min_free_bytes: 256 << 20,
            retention: Retention::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { records: 100_000 }
    }
}

// === impl Durable ===

impl Durable {
    /// Opens the store in the folder, and makes it if there is none.
    ///
    /// A folder that is open elsewhere is [`Error::InUse`], one that a newer program wrote
    /// [`Error::NewerFormat`]. What cannot be told apart from lost or changed data is
    /// [`Error::Damaged`], and nothing is touched.
    pub async fn open(folder: impl Into<PathBuf>, settings: Settings) -> Result<Self> {
        let folder = folder.into();
        Self::open_at(Place::new(Arc::new(Disk), &folder, &folder, boot_id()), settings).await
    }

    async fn open_at(place: Place, settings: Settings) -> Result<Self> {
        spawn_blocking(move || {
            let booted = boot::boot(&place, &settings).map_err(|error| named(&place, error))?;
            let durable = watch::Sender::new(booted.revision);
            let (engine, upkeep) = Engine::new(place, settings, booted);
            let engine = Arc::new(engine);
            let follower = Arc::clone(&engine);
            let follower = thread::Builder::new()
                .name("deskplane-index".to_owned())
                .spawn(move || follower.follow(upkeep))?;
            Ok(Self { engine, durable, follower: Mutex::new(Some(follower)) })
        })
        .await?
    }

    /// Closes the store: no more commits, a last checkpoint, everything on the disk. The next start
    /// has nothing to repair.
    ///
    /// # Errors
    /// When a write has failed before, or now; the next start then repairs.
    pub async fn close(&self) -> Result<()> {
        let Some(follower) = self.take_follower() else {
            return Ok(());
        };
        let engine = Arc::clone(&self.engine);
        spawn_blocking(move || {
            engine.shut();
            // A panic in there is noted as a failure.
            follower.join().ok();
            engine.seal()
        })
        .await?
    }

    /// Completes when a write has failed, with the reason. Nothing is written from then on: the
    /// process should end, and the next start finds out what is on the disk.
    pub fn failed(&self) -> impl Future<Output = String> + Send + use<> {
        let mut failure = self.engine.failure.subscribe();
        async move {
            let why = failure.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            match why {
                Some(why) => why,
                // The store was dropped without a failure.
                None => std::future::pending().await,
            }
        }
    }

    fn take_follower(&self) -> Option<JoinHandle<()>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.engine.queue.abandon();
        if let Some(follower) = self.take_follower() {
            // It ends after the group that it is at, and has told of a failure itself.
            follower.join().ok();
        }
    }
}

#[async_trait]
impl Store for Durable {
    fn identity(&self) -> Identity {
        Identity {
            store: self.engine.ids.store,
            incarnation: self.engine.ids.incarnation,
            engine: "embedded",
            max_batch_bytes: MAX_BATCH_BYTES,
        }
    }

    async fn load(&self) -> Result<Loaded> {
        self.followed().await?;
        let engine = Arc::clone(&self.engine);
        spawn_blocking(move || engine.index.load()).await?
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        let (engine, durable) = (Arc::clone(&self.engine), self.durable.clone());
        // A thread that panicked may have written: that is not known, and the lock is poisoned.
        spawn_blocking(move || engine.commit(batch, &durable)).await.unwrap_or(Ok(Commit::Unknown))
    }

    async fn changes(&self, after: Revision) -> Result<ChangeStream> {
        let after = after.max(0);
        self.followed().await?;
        self.engine.index.kept(after)?;
        let cursor = Some((Arc::clone(&self.engine), self.durable.subscribe(), after));
        let groups = stream::unfold(cursor, |cursor| async move {
            let (engine, mut durable, after) = cursor?;
            let newest = *durable.wait_for(|head| *head > after).await.ok()?;
            let (items, cursor) = match read(&engine, after, newest).await {
                Ok(records) => {
                    let last = records.last().map_or(newest, |record| record.revision);
                    (records.into_iter().map(Ok).collect(), Some((engine, durable, last)))
                }
                Err(error) => (vec![Err(error)], None),
            };
            Some((stream::iter(items), cursor))
        });
        Ok(groups.flatten().boxed())
    }

    async fn history(&self, query: HistoryQuery) -> Result<Page<Record>> {
        self.followed().await?;
        let engine = Arc::clone(&self.engine);
        spawn_blocking(move || engine.index.history(&query)).await?
    }

    async fn linearize(&self) -> Result<Revision> {
        Ok(*self.durable.borrow())
    }
}

impl Durable {
    /// Waits until the index has everything that is durable now.
    async fn followed(&self) -> Result<()> {
        let head = *self.durable.borrow();
        self.engine.followed(head).await
    }
}

/// Records above `after`, once the index has all up to `newest`.
async fn read(engine: &Arc<Engine>, after: Revision, newest: Revision) -> Result<Vec<Record>> {
    engine.followed(newest).await?;
    let reader = Arc::clone(engine);
    spawn_blocking(move || reader.index.records(after, newest)).await?
}

// === impl Place ===

impl Place {
    fn new(io: Arc<dyn Io>, folder: &Path, local: &Path, boot_id: Option<String>) -> Self {
        Self { io, folder: folder.to_owned(), local: local.to_owned(), boot_id }
    }

    fn journal(&self) -> PathBuf {
        self.folder.join(journal::FOLDER)
    }

    fn checkpoints(&self) -> PathBuf {
        self.folder.join(checkpoint::FOLDER)
    }

    fn index(&self) -> PathBuf {
        self.local.join("index")
    }

    /// Where an index is built before it takes the place of the old one.
    fn fresh_index(&self) -> PathBuf {
        self.local.join("index.fresh")
    }
}

/// Says which store could not be opened, where the system does not.
fn named(place: &Place, error: Error) -> Error {
    let folder = place.folder.display().to_string();
    match error {
        Error::Engine(what) if !what.contains(&folder) => {
            Error::Engine(format!("{folder}: {what}"))
        }
        other => other,
    }
}

/// Which boot of the machine this is.
fn boot_id() -> Option<String> {
    std::fs::read_to_string(BOOT_ID).ok().map(|id| id.trim().to_owned())
}

/// What helps against damage.
const CURE: &str = "; restore a backup, or see what `deskplane doctor` finds";

/// Stored bytes are not what was written: says where, and what helps.
fn damaged(path: &Path, offset: usize, what: &str) -> Error {
    Error::Damaged(format!("{}, byte {offset}: {what}{CURE}", path.display()))
}

/// Refuses the format of a newer program.
fn known_format(path: &Path, found: u32, known: u32) -> Result<()> {
    if found <= known {
        return Ok(());
    }
    Err(Error::NewerFormat { what: path.display().to_string(), found, known })
}
