//! Packs the users of catalogs on a thread of its own, so that no write waits for it.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::{
    catalog::{Catalog, Compacted},
    store::{Error, Result},
    tasks::{OnPanic, Tasks},
};

/// Users that changed since a catalog was packed, so few that the commit task puts them on the packed
/// ones in about a millisecond.
const FEW: usize = 1_000;
/// How often the thread itself tries to come so near. Writes that are faster than that wait a little.
const ROUNDS: usize = 4;

/// How long no write comes before few changed users are worth a compaction.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// What the commit task has of the thread.
#[derive(Debug)]
pub(super) struct Compaction {
    wanted: mpsc::Sender<Arc<Catalog>>,
    packed: mpsc::Receiver<Compacted>,
    running: bool,
}

/// What the thread works with. It ends with the [`Compaction`].
#[derive(Debug)]
pub(super) struct Compactor {
    wanted: mpsc::Receiver<Arc<Catalog>>,
    packed: mpsc::Sender<Compacted>,
    current: Arc<ArcSwap<Catalog>>,
}

/// Both ends.
pub(super) fn of(current: &Arc<ArcSwap<Catalog>>) -> (Compaction, Compactor) {
    let (want, wanted) = mpsc::channel(1);
    let (done, packed) = mpsc::channel(1);
    let compaction = Compaction { wanted: want, packed, running: false };
    (compaction, Compactor { wanted, packed: done, current: Arc::clone(current) })
}

impl Compaction {
    /// Has a catalog packed that wants it, unless that is being done.
    pub(super) fn start(&mut self, catalog: &Arc<Catalog>) {
        if catalog.wants_compaction() {
            self.pack(catalog);
        }
    }

    /// Whether a catalog should be packed once no write has come for [`IDLE`].
    pub(super) fn waits(&self, catalog: &Catalog) -> bool {
        !self.running && catalog.wants_compaction_when_idle()
    }

    /// Has a catalog packed, unless that is being done.
    pub(super) fn pack(&mut self, catalog: &Arc<Catalog>) {
        if !self.running {
            // Without the thread users stay as they are: all is as before but the memory.
            self.running = self.wanted.try_send(Arc::clone(catalog)).is_ok();
        }
    }

    /// Waits for a catalog that was packed; none once the thread has ended.
    pub(super) async fn next(&mut self) -> Option<Compacted> {
        let packed = self.packed.recv().await?;
        self.running = false;
        Some(packed)
    }
}

impl Compactor {
    /// Starts the thread.
    pub(super) fn start(self, tasks: &Tasks) -> Result<()> {
        // What a panic here costs is memory.
        let started = tasks.thread("deskplane-compact", OnPanic::Report, || self.run());
        started.map_err(|error| Error::Engine(format!("compaction got no thread: {error}")))
    }

    fn run(mut self) {
        while let Some(catalog) = self.wanted.blocking_recv() {
            let mut packed = catalog.compacted();
            drop(catalog);
            for _ in 0..ROUNDS {
                let newest = self.current.load_full();
                if newest.changed_since(&packed) <= FEW {
                    break;
                }
                match packed.caught_up(&newest) {
                    Some(nearer) => packed = nearer,
                    None => break,
                }
            }
            if self.packed.blocking_send(packed).is_err() {
                return;
            }
        }
    }
}
