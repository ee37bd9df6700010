//! The owners of a store at work, put together.
//!
//! | Owner | Its task | Thread |
//! |---|---|---|
//! | [`Appender`] | the journal: a group is durable before it is answered | that of the commit |
//! | [`Checkpoints`] | the state on the disk; releases the journal | `deskplane-checkpoint` |
//! | [`Archive`] | history files | that of the indexer |
//! | [`Indexer`] | the index: follows the journal, is rebuilt, has damage repaired | `deskplane-index` |
//! | [`Scrubber`] | reads every file again, looks for room | `deskplane-scrub` |
//!
//! A commit hands its group to the indexer through [`Queue`], and counts it for the checkpoints in
//! [`Due`]; both are bounded by what is durable, and the queue by bytes.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use super::{
    Layout, Settings,
    appender::Appender,
    archive::Archive,
    boot::{Booted, Found},
    checkpoints::Checkpoints,
    context::Context,
    due::Due,
    folder,
    indexer::Indexer,
    mark::{self, State},
    meters::Meters,
    progress::Upkeep,
    queue::{GATHER, Queue},
    scrub::Scrubber,
    worker::Worker,
};
use crate::store::{Error, Lack, Loaded, Result};

/// How often the sync of the index at the end checks whether it was given up.
const POLL: Duration = Duration::from_millis(10);

/// The owners of a store. Calls of theirs block.
#[derive(Debug)]
pub(super) struct Engine {
    /// It holds the index, and goes before the lock of the folder, which is in the context.
    pub(super) indexer: Arc<Indexer>,
    pub(super) appender: Arc<Appender>,
    pub(super) checkpoints: Arc<Checkpoints>,
    #[cfg(test)]
    pub(super) archive: Arc<Archive>,
    pub(super) scrubber: Arc<Scrubber>,
    pub(super) queue: Arc<Queue>,
    pub(super) due: Arc<Due>,
    pub(super) context: Arc<Context>,
    /// The state that was read at the start, for whoever loads it.
    state: Mutex<Option<Loaded>>,
}

// === impl Engine ===

impl Engine {
    pub(super) fn new(
        layout: Layout,
        settings: Settings,
        booted: Booted,
        meters: Meters,
    ) -> (Self, Upkeep) {
        let revision = booted.revision;
        let index = match booted.index {
            Found::Whole(index) => (Some(index), Some(revision)),
            Found::Behind(index, at) => (Some(index), Some(at)),
            Found::Lost => (None, None),
        };
        let behind = index.1.is_some_and(|at| at < revision);
        let due = Arc::new(Due::new(settings.checkpoint_bytes, booted.uncovered));
        let context = Arc::new(Context::new(layout, settings, booted.ids, meters, booted.lock));
        let queue = Arc::new(Queue::new(GATHER));
        // Until it has caught up it reads the journal.
        queue.pass(behind);
        let shared = || (Arc::clone(&context), Arc::clone(&queue));
        let (cx, groups) = shared();
        let appender = Appender::new(cx, groups, Arc::clone(&due), booted.journal, revision);
        let appender = Arc::new(appender);
        let archive = Archive::new(Arc::clone(&context), booted.history, booted.unadopted);
        let archive = Arc::new(archive);
        let checkpoints = Arc::new(Checkpoints::new(
            Arc::clone(&context),
            Arc::clone(&appender),
            Arc::clone(&archive),
            Arc::clone(&due),
            booted.checkpoints,
        ));
        let files = || (Arc::clone(&appender), Arc::clone(&archive), Arc::clone(&checkpoints));
        let ((cx, groups), (journal, history, kept)) = (shared(), files());
        let indexer = Arc::new(Indexer::new(cx, groups, journal, history, kept, index));
        let ((cx, groups), (journal, history, kept)) = (shared(), files());
        let scrubber = Arc::new(Scrubber::new(cx, groups, journal, history, kept));
        let state = Mutex::new(Some(booted.state));
        let upkeep = Upkeep::new(booted.unwritten, revision, behind);
        let engine = Self {
            indexer,
            appender,
            checkpoints,
            #[cfg(test)]
            archive,
            scrubber,
            queue,
            due,
            context,
            state,
        };
        (engine, upkeep)
    }

    /// The state that was read at the start, if nobody has asked yet and nothing was written since.
    pub(super) fn take_state(&self) -> Option<Loaded> {
        let head = self.appender.head().ok()?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        state.filter(|state| state.revision == head)
    }

    /// Drops what waits, and ends at once what is done in the background.
    pub(super) fn abandon(&self) {
        self.context.abandon();
        self.queue.abandon();
        self.due.close();
    }

    /// Takes no more commits, and lets index and checkpoints come to their end.
    pub(super) fn shut(&self) {
        self.appender.shut();
        self.queue.close();
        self.due.close();
    }

    /// Once the threads of index and checkpoints have come to their end: notes that all is well, and
    /// whether the index is whole and on the disk. If it is not, the next start builds it, or what it
    /// lacks, while it serves already. What cannot be noted is left to the next start, which then has
    /// more to do.
    pub(super) fn seal(&self) -> Result<()> {
        let (revision, synced) = self.appender.seal()?;
        if self.context.failed() {
            return Err(Error::Broken);
        }
        let complete = self.indexer.reached() == revision;
        let indexed = complete && self.sync_index();
        if !indexed {
            tracing::info!("closed without waiting for the index; the next start sees to it");
        }
        self.context.owned()?;
        let layout = &self.context.layout;
        let state = State::closed(self.context.ids.incarnation, revision, indexed);
        let noted = synced.and_then(|()| mark::write(&*layout.io, &layout.folder, &state));
        let Err(error) = noted else { return Ok(()) };
        match Lack::of(&error) {
            Some(lack) => {
                tracing::warn!(
                    "closed without a note of it, so the next start looks twice: {lack}"
                );
                Ok(())
            }
            None => Err(error.into()),
        }
    }

    /// Makes the index durable; false when that is not possible, or takes longer than anybody waits.
    fn sync_index(&self) -> bool {
        let Ok(index) = self.indexer.index() else { return false };
        let (done, result) = mpsc::channel();
        let local = self.context.layout.local.clone();
        let syncing = Worker::spawn("deskplane-sync", move || {
            let outcome = index.flush().and_then(|()| Ok(folder::sync(&local)?));
            // Whoever waits may open the folder next.
            drop(index);
            done.send(outcome).ok();
        });
        let mut outcome = syncing.map(drop);
        while outcome.is_ok() {
            match result.recv_timeout(POLL) {
                Ok(Ok(())) => return true,
                Ok(Err(error)) => outcome = Err(error),
                Err(mpsc::RecvTimeoutError::Timeout) if !self.context.abandoned() => {}
                Err(_) => return false,
            }
        }
        if let Err(error) = outcome {
            tracing::warn!(%error, "the index could not be made durable");
        }
        false
    }
}
