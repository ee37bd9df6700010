//! What the owners of a store share: where it lies, how large its parts are, how it is, and what ends
//! their work.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::{Ids, Layout, Settings, folder::Lock, meters::Meters, stop::Stop};
use crate::store::{Condition, Error, Lack, Result, Writes};

/// What the owners share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) layout: Layout,
    pub(super) settings: Settings,
    pub(super) ids: Ids,
    pub(super) meters: Meters,
    /// Whether writes are taken, and what is damaged.
    pub(super) condition: watch::Sender<Condition>,
    /// Ends what rests in the background.
    pub(super) stop: Stop,
    abandoned: AtomicBool,
    lock: Lock,
}

// === impl Context ===

impl Context {
    pub(super) fn new(
        layout: Layout,
        settings: Settings,
        ids: Ids,
        meters: Meters,
        lock: Lock,
    ) -> Self {
        Self {
            layout,
            settings,
            ids,
            meters,
            condition: watch::Sender::default(),
            stop: Stop::default(),
            abandoned: AtomicBool::default(),
            lock,
        }
    }

    /// Ends what is done in the background at once: the journal has everything.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    /// Whether whoever works in the background should end at once.
    pub(super) fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// An error once work in the background is to end.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.abandoned() { Err(Error::Broken) } else { Ok(()) }
    }

    /// Whether the folder is still the one that was locked. If it is not, another server may be at
    /// work where this one would write, and the store takes no more writes.
    pub(super) fn owned(&self) -> Result<()> {
        self.lock.holds().inspect_err(|error| self.fail(&error.to_string()))
    }

    /// Refuses before the disk is full: what is underway still finds its place.
    pub(super) fn check_space(&self, wanted: u64) -> Result<()> {
        let free = self.layout.io.free_space(&self.layout.folder);
        let free = free.map_err(|error| match Lack::of(&error) {
            Some(lack) => Error::ReadOnly(lack),
            None => Error::Engine(format!("the free space could not be read: {error}")),
        })?;
        self.meters.free_bytes.set(free as f64);
        let needed = self.settings.min_free_bytes.saturating_add(wanted);
        if free >= needed {
            return Ok(());
        }
        Err(Error::ReadOnly(Lack::Room { free, needed }))
    }

    /// Notes that nothing can be written any more; the first reason stays.
    pub(super) fn fail(&self, why: &str) {
        tracing::error!(why, "the store takes no more writes");
        self.note_writes(Writes::Failed(why.to_owned()));
    }

    /// Whether a write failed.
    pub(super) fn failed(&self) -> bool {
        matches!(self.condition.borrow().writes, Writes::Failed(_))
    }

    /// Notes whether writes are taken; a failure stays.
    pub(super) fn note_writes(&self, writes: Writes) {
        if self.condition.borrow().writes == writes {
            return;
        }
        self.note(|condition| {
            let changed =
                condition.writes != writes && !matches!(condition.writes, Writes::Failed(_));
            if changed {
                condition.writes = writes;
            }
            changed
        });
    }

    /// Changes the condition; the function says whether it did.
    pub(super) fn note(&self, change: impl FnOnce(&mut Condition) -> bool) {
        self.condition.send_if_modified(|condition| {
            let before = condition.writable();
            let changed = change(condition);
            self.meters.condition(condition);
            match &condition.writes {
                Writes::ReadOnly(lack) if before => {
                    tracing::warn!(cure = lack.cure(), "read-only: {lack}");
                }
                Writes::Taken if !before => tracing::info!("writes are taken again"),
                _ => {}
            }
            changed
        });
    }
}
