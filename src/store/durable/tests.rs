//! The engine over real folders, and over a file system that loses its power.

mod access;
mod archiving;
mod backup;
mod boot;
mod calls;

mod cuts_of_restore;
mod doctor_states;
mod engine;
mod flips;

mod formats;
mod indexer;
mod lacks;
mod lock;
mod machine;
mod model;
mod power;
mod release;
mod scrub;
mod shapes;
mod start;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::*;
use crate::domain::Change;
use crate::store::{
    Lack, State,
    conformance::fixtures,
    io::{
        Disk, Io,
        fault::{Fault, Faulty, Op},
    },
};

/// Sizes at which a few commits meet every path.
fn small() -> Settings {
    Settings {
        segment_bytes: 4 << 10,
        checkpoint_bytes: 12 << 10,
        min_free_bytes: 0,
        retention: Retention::default(),
    }
}

/// Sizes at which nothing happens by itself.
fn large() -> Settings {
    Settings { min_free_bytes: 0, segment_bytes: 64 << 10, ..Settings::default() }
}

/// Keeps so many records, and of no object more.
fn feed_alone(records: u64) -> Retention {
    Retention { records, revisions: 0, directory_revisions: 0 }
}

impl Durable {
    /// Opens the store of a place.
    async fn open_at(layout: Layout, settings: Settings) -> Result<Self> {
        Self::boot(layout, settings, Meters::default()).await
    }
}

async fn open(folder: &Path) -> Result<Durable> {
    Durable::open(folder, large()).await
}

/// Opens a folder as after another boot of the machine.
async fn open_rebooted(folder: &Path, boot: &str) -> Result<Durable> {
    let layout = Layout::new(Arc::new(Disk), folder, folder, Some(boot.to_owned()));
    Durable::open_at(layout, large()).await
}

/// Commits one revision after another.
async fn fill(store: &Durable, revisions: std::ops::RangeInclusive<Revision>) {
    for at in revisions {
        let batch = fixtures::batch(at - 1, &[at]);
        assert_eq!(store.commit(batch).await.unwrap(), Commit::Committed(at));
    }
}

/// The state of a store whose every record is one of [`fill`], worked out afresh.
#[derive(Debug)]
struct Filled(std::sync::Weak<Engine>);

impl States for Filled {
    fn newest(&self) -> Arc<dyn State> {
        let head = self.0.upgrade().map_or(0, |engine| engine.appender.head().unwrap());
        let mut objects = std::collections::BTreeMap::new();
        let mut loaded = Loaded { revision: head, ..Loaded::default() };
        for at in 1..=head {
            let record = fixtures::batch(at - 1, &[at]).records()[0].clone();
            loaded.time = record.time;
            for change in record.changes {
                let key = change.key();
                match change {
                    Change::Put(object) => drop(objects.insert((key.kind, key.name), object)),
                    Change::Delete(_) => drop(objects.remove(&(key.kind, key.name))),
                }
            }
        }
        Arc::new(loaded.with_objects(objects.into_values()))
    }
}

impl Durable {
    /// Has checkpoints written from memory, as a ledger does.
    fn attach_filled(&self) {
        self.attach(Arc::new(Filled(Arc::downgrade(&self.engine))));
    }

    /// Waits until nothing is done in the background: no group waits for the index, and no
    /// checkpoint is due.
    async fn rested(&self) {
        self.followed().await.unwrap();
        self.engine.due.rested();
    }
}

/// The revisions of the whole history, oldest first.
async fn history(store: &Durable) -> Vec<Revision> {
    let query = HistoryQuery { limit: 100_000, ..HistoryQuery::default() };
    let page = store.history(query).await.unwrap();
    page.items.iter().rev().map(|record| record.revision).collect()
}

/// Files of a folder below the store with that ending.
fn files_of(folder: &Path, part: &str, ending: &str) -> Vec<PathBuf> {
    files::list(&Disk, &folder.join(part), ending).unwrap()
}

/// Every file of the folder with its content.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| match path.is_dir() {
            true => content(&path),
            false => vec![(path.clone(), std::fs::read(path).unwrap())],
        })
        .collect();
    files.sort();
    files
}

/// Turns over bits of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}
