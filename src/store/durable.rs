//! The embedded engine: a journal that is synced before anything is acknowledged, an index that
//! follows it, and checkpoints that bound it.
//!
//! ```text
//! <folder>/                     locked by the process that has the store open
//!          lock                 locked as well, for older programs
//!          store.mark           id of the store and of its incarnation
//!          boot.mark            boot of the machine since which the index is whole
//!          state.mark           whether the store is open, or at which revision it was closed
//!          journal/*.seg        every acknowledged group of records: the truth
//!          checkpoint/*.ckpt    the state at a revision; the two newest are kept
//!          history/*.hist       the records that the journal has let go
//!          log/*.log            audit of reads and refusals, and the resolution log
//!          index/               what reads of the past want; rebuilt whenever in doubt
//! ```
//!
//! After a power cut only what was synced counts: see the boot protocol in `boot.rs`. Journal,
//! checkpoints, history and marks are touched through [`Io`](super::io::Io) alone, so tests can cut the
//! power at every call.

mod appender;
mod archive;
mod aside;
mod backup;
mod boot;
mod checkpoint;
mod checkpoints;
mod close;
mod context;
mod damage;
mod doctor;
mod due;
mod engine;
mod files;
mod folder;
mod frame;
mod history;
mod ids;
mod index;
mod indexer;
mod journal;
mod layout;
mod logs;
mod manifest;
mod mark;
mod meters;
mod pending;
mod progress;
mod queue;
mod rebuild;
mod repair;
mod restore;
mod scrub;
mod segment;
mod settings;
mod sorted;
mod state;
mod stop;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::{sync::watch, task::spawn_blocking};

pub use self::{
    backup::{Target, backup},
    doctor::{Examined, Health, Report, examine},
    manifest::{Manifest, Part},
    meters::{BUCKETS, Meters},
    restore::{Restored, Source, restore},
    settings::{Host, Retention, Settings},
};
use self::{
    damage::{CURE, damaged, known_format},
    engine::Engine,
    ids::Ids,
    layout::{Layout, boot_id},
    logs::Logs,
    scrub::Unpaced,
    worker::{AT_ONCE, Worker},
};
use super::{
    Batch, ChangeStream, Commit, Condition, Error, Header, HistoryQuery, Identity, Loaded, Log,
    MAX_BATCH_BYTES, MAX_RECORD_BYTES, Page, Record, RequestKey, Result, Revision, States, Store,
    Writes,
};

/// A store in a folder of the local disk.
///
/// Dropped without [`Durable::close`] it is left as a killed process leaves it: nothing is lost, and
/// the next start has more to do.
#[derive(Debug)]
pub struct Durable {
    engine: Arc<Engine>,
    logs: Arc<Logs>,
    /// Revision of the last durable commit. Change streams end when it goes.
    durable: watch::Sender<Revision>,
    /// Carries what is durable to the index, and to history files.
    indexer: Slot,
    /// Writes checkpoints.
    checkpoints: Slot,
    /// Reads the files again.
    scrubber: Slot,
    /// How long each of them is waited for when the store is dropped.
    at_once: Duration,
}

/// Where a thread is kept until somebody waits for its end.
type Slot = Mutex<Option<Worker>>;

// === impl Durable ===

impl Durable {
    /// Opens the store in the folder, and makes it if there is none.
    ///
    /// A folder that is open elsewhere is [`Error::InUse`], one that a newer program wrote
    /// [`Error::NewerFormat`]. What cannot be told apart from lost or changed data is
    /// [`Error::Damaged`], and nothing is touched.
    pub async fn open(folder: impl Into<PathBuf>, settings: Settings) -> Result<Self> {
        Self::open_on(Host::default(), folder, settings).await
    }

    /// The same, with surroundings of one's own.
    pub async fn open_on(
        host: Host,
        folder: impl Into<PathBuf>,
        settings: Settings,
    ) -> Result<Self> {
        let folder = folder.into();
        let layout = Layout::new(host.io, &folder, &folder, boot_id());
        Self::boot(layout, settings, host.meters).await
    }

    async fn boot(layout: Layout, settings: Settings, meters: Meters) -> Result<Self> {
        spawn_blocking(move || {
            let booted = boot::boot(&layout, &settings).map_err(|error| named(&layout, error))?;
            let durable = watch::Sender::new(booted.revision);
            let (engine, upkeep) = Engine::new(layout, settings, booted, meters);
            let engine = Arc::new(engine);
            let logs = Arc::new(Logs::new(&engine.context));
            // A server says from the start whether it takes writes.
            engine.appender.look_for_room();
            let indexer = Arc::clone(&engine.indexer);
            let indexer = Worker::spawn("deskplane-index", move || indexer.run(upkeep))?;
            let checkpoints = Arc::clone(&engine.checkpoints);
            let checkpoints = Worker::spawn("deskplane-checkpoint", move || checkpoints.run())?;
            let (indexer, checkpoints) = (Mutex::new(Some(indexer)), Mutex::new(Some(checkpoints)));
            let scrubber = Mutex::default();
            Ok(Self { engine, logs, durable, indexer, checkpoints, scrubber, at_once: AT_ONCE })
        })
        .await?
    }

    /// Has the store looked after until it is closed: the free space every 10 s, and every file read
    /// again once in each period; no period reads nothing.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn run_maintenance(&self, period: Option<Duration>) -> Result<()> {
        let scrubber = Arc::clone(&self.engine.scrubber);
        let scrubber = Worker::spawn("deskplane-scrub", move || scrubber.run(period))?;
        *self.scrubber.lock().unwrap_or_else(PoisonError::into_inner) = Some(scrubber);
        Ok(())
    }

    /// Reads every file once more, without rest; says what is damaged. It is noted as the condition
    /// of the store, and repaired soon after.
    ///
    /// # Errors
    /// When the store is closed or has failed.
    pub async fn verify_once(&self) -> Result<Vec<String>> {
        let scrubber = Arc::clone(&self.engine.scrubber);
        let verified = spawn_blocking(move || scrubber.verify(Duration::ZERO, &Unpaced)).await?;
        verified.ok_or(Error::Broken)
    }

    /// Completes when a write has failed, with the reason. Nothing is written from then on: the
    /// process should end, and the next start finds out what is on the disk.
    pub fn failed(&self) -> impl Future<Output = String> + Send + use<> {
        let mut condition = self.engine.context.condition.subscribe();
        async move {
            let failed = |condition: &Condition| matches!(condition.writes, Writes::Failed(_));
            let writes = condition.wait_for(failed).await.map(|condition| condition.writes.clone());
            match writes {
                Ok(Writes::Failed(why)) => why,
                // The store was dropped without a failure.
                _ => std::future::pending().await,
            }
        }
    }
}

#[async_trait]
impl Store for Durable {
    fn identity(&self) -> Identity {
        Identity {
            store: self.engine.context.ids.store,
            incarnation: self.engine.context.ids.incarnation,
            engine: "embedded",
            max_record_bytes: MAX_RECORD_BYTES,
            max_batch_bytes: MAX_BATCH_BYTES,
        }
    }

    async fn load(&self) -> Result<Loaded> {
        if let Some(loaded) = self.engine.take_state() {
            return Ok(loaded);
        }
        self.followed().await?;
        let engine = Arc::clone(&self.engine);
        spawn_blocking(move || engine.checkpoints.read_state()).await?
    }

    fn attach(&self, states: Arc<dyn States>) {
        self.engine.checkpoints.attach(states);
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        if let Err(limit) = batch.fits(&self.identity()) {
            return Ok(Commit::Refused(limit));
        }
        let (engine, durable) = (Arc::clone(&self.engine), self.durable.clone());
        // A thread that panicked may have written: that is not known, and the lock is poisoned.
        spawn_blocking(move || engine.appender.commit(batch, &durable))
            .await
            .unwrap_or(Ok(Commit::Unknown))
    }

    async fn changes(&self, after: Revision) -> Result<ChangeStream> {
        let after = after.max(0);
        self.followed().await?;
        self.engine.indexer.index()?.kept(after)?;
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
        spawn_blocking(move || engine.indexer.index()?.history(&query)).await?
    }

    async fn record(&self, revision: Revision) -> Result<Option<Record>> {
        let head = *self.durable.borrow();
        self.engine.indexer.followed(revision.min(head)).await?;
        let engine = Arc::clone(&self.engine);
        spawn_blocking(move || engine.indexer.index()?.find_record(revision)).await?
    }

    async fn request(&self, key: RequestKey, until: Revision) -> Result<Option<Header>> {
        let head = *self.durable.borrow();
        self.engine.indexer.followed(until.min(head)).await?;
        let engine = Arc::clone(&self.engine);
        spawn_blocking(move || engine.indexer.index()?.request(key, until)).await?
    }

    async fn linearize(&self) -> Result<Revision> {
        Ok(*self.durable.borrow())
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::<Logs>::clone(&self.logs)
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.engine.context.condition.subscribe()
    }
}

impl Durable {
    /// Waits until the index has everything that is durable now.
    async fn followed(&self) -> Result<()> {
        let head = *self.durable.borrow();
        self.engine.indexer.followed(head).await
    }
}

/// Records above `after`, once the index has all up to `newest`.
async fn read(engine: &Arc<Engine>, after: Revision, newest: Revision) -> Result<Vec<Record>> {
    engine.indexer.followed(newest).await?;
    let reader = Arc::clone(engine);
    spawn_blocking(move || reader.indexer.index()?.records(after, newest)).await?
}

/// Says which store could not be opened, where the system does not.
fn named(layout: &Layout, error: Error) -> Error {
    let folder = layout.folder.display().to_string();
    match error {
        Error::Engine(what) if !what.contains(&folder) => {
            Error::Engine(format!("{folder}: {what}"))
        }
        other => other,
    }
}
