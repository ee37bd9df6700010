//! The engine at work: commits go to the journal, and a thread of its own carries them to the index;
//! see `follow.rs`.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool, mpsc},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::{
    Ids, Place, Settings,
    boot::{Booted, Found},
    checkpointing::Checkpoints,
    folder::{self, Lock},
    frame,
    history::Span,
    index::Index,
    journal::Journal,
    mark::{self, State},
    meters::Meters,
    progress::{Progress, Upkeep},
    queue::Queue,
    segment,
    stop::Stop,
    worker::Worker,
};
use crate::store::{Batch, Commit, Condition, Error, Lack, Loaded, Result, Revision, Writes};

/// How often the sync of the index at the end checks whether it was given up.
const POLL: Duration = Duration::from_millis(10);

/// What all calls share. Its own calls block.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) place: Place,
    pub(super) settings: Settings,
    pub(super) ids: Ids,
    pub(super) writer: Mutex<Writer>,
    pub(super) checkpoints: Checkpoints,
    /// History files, rising.
    pub(super) history: Mutex<Vec<Span>>,
    /// Whether history is in checkpoints of an older program alone.
    pub(super) unadopted: AtomicBool,
    /// None until it is built, and once it has failed.
    pub(super) index: ArcSwapOption<Index>,
    /// The state that was read at the start, for whoever loads it.
    pub(super) state: Mutex<Option<Loaded>>,
    pub(super) queue: Queue,
    /// How far the index is.
    pub(super) progress: watch::Sender<Progress>,
    /// Whether writes are taken, and what is damaged.
    pub(super) condition: watch::Sender<Condition>,
    pub(super) meters: Meters,
    /// Ends what is done in the background.
    pub(super) stop: Stop,
    /// Stands after the index, so that it is released after it.
    lock: Lock,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) journal: Journal,
    pub(super) head: Revision,
    /// Set while a group is being written, for good when that fails, and at the end.
    shut: bool,
    /// Length of a group that found no place for want of something.
    refused: Option<usize>,
}

// === impl Engine ===

impl Engine {
    pub(super) fn new(
        place: Place,
        settings: Settings,
        booted: Booted,
        meters: Meters,
    ) -> (Self, Upkeep) {
        let Booted { ids, index, state, journal, revision, lock, .. } = booted;
        let (index, at) = match index {
            Found::Whole(index) => (Some(index), Some(revision)),
            Found::Behind(index, at) => (Some(index), Some(at)),
            Found::Lost => (None, None),
        };
        let (progress, behind) = (Progress::new(at), at.is_some_and(|at| at < revision));
        let queue = Queue::default();
        // Until it has caught up it reads the journal.
        queue.pass(behind);
        let engine = Self {
            place,
            settings,
            ids,
            writer: Mutex::new(Writer { journal, head: revision, shut: false, refused: None }),
            checkpoints: Checkpoints::new(booted.checkpoints, booted.uncovered),
            history: Mutex::new(booted.history),
            unadopted: AtomicBool::new(booted.unadopted),
            index: ArcSwapOption::new(index.map(Arc::new)),
            state: Mutex::new(Some(state)),
            queue,
            progress: watch::Sender::new(progress),
            condition: watch::Sender::default(),
            meters,
            stop: Stop::default(),
            lock,
        };
        (engine, Upkeep::new(booted.unwritten, revision, behind))
    }

    /// The index, once it is there.
    pub(super) fn index(&self) -> Result<Arc<Index>> {
        self.index.load_full().ok_or_else(|| self.progress.borrow().why())
    }

    /// The state that was read at the start, if nobody has asked yet and nothing was written since.
    pub(super) fn take_state(&self) -> Option<Loaded> {
        let head = self.head().ok()?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        state.filter(|state| state.revision == head)
    }

    /// The revision of the last durable group.
    pub(super) fn head(&self) -> Result<Revision> {
        self.writer.lock().map(|writer| writer.head).map_err(|_| Error::Broken)
    }

    /// Writes a batch to the journal and says so; the index follows.
    pub(super) fn commit(&self, batch: Batch, durable: &watch::Sender<Revision>) -> Result<Commit> {
        // Not with the lock in hand: whoever makes room may need it to release segments.
        let room = self.queue.wait_for_room();
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        if writer.shut || !room {
            return Err(Error::Broken);
        }
        if writer.head != batch.after {
            return Ok(Commit::Conflict(writer.head));
        }
        self.owned()?;
        let revisions = batch.records.iter().map(|record| record.revision);
        let group: Vec<_> = revisions.zip(batch.encoded).collect();
        let bytes = frame::encode(self.ids.incarnation, batch.after, &group);
        self.prepare_room(&mut writer, batch.after, bytes.len())?;
        writer.shut = true;
        let since = Instant::now();
        if let Err(error) = writer.journal.write(&bytes) {
            self.fail(&format!("the journal could not be written: {error}"));
            return Ok(Commit::Unknown);
        }
        writer.shut = false;
        let head = group.last().map_or(writer.head, |(revision, _)| *revision);
        self.meters.commits.increment(1);
        self.meters.commit_seconds.record(since.elapsed());
        self.meters.group_records.record(group.len() as f64);
        self.meters.index_lag.increment((head - writer.head) as f64);
        self.note_writes(Writes::Taken);
        writer.head = head;
        durable.send_replace(writer.head);
        let stored = batch.records.into_iter().zip(group.into_iter().map(|(_, bytes)| bytes));
        self.queue.push(bytes.len(), stored.collect());
        self.checkpoints.add(bytes.len());
        Ok(Commit::Committed(writer.head))
    }

    /// Sees to it that a group of that length has its place. What fails before a byte of the journal
    /// is written, for want of something, refuses that group alone.
    fn prepare_room(&self, writer: &mut Writer, after: Revision, group: usize) -> Result<()> {
        let lacks = writer.journal.lacks(group);
        let made = self.check_space(lacks).and_then(|()| {
            let made = writer.journal.make_room(after, group);
            made.map_err(|error| Lack::of(&error).map_or_else(|| error.into(), Error::ReadOnly))
        });
        writer.refused = made.is_err().then_some(group);
        let Err(error) = made else { return Ok(()) };
        match error {
            Error::ReadOnly(lack) => self.note_writes(Writes::ReadOnly(lack)),
            _ => {
                writer.shut = true;
                self.fail(&format!("a group found no place: {error}"));
            }
        }
        Err(error)
    }

    /// Sees whether writes are taken, before one has to ask: what was refused last is tried again.
    pub(super) fn look_for_room(&self) {
        let Ok(mut writer) = self.writer.lock() else { return };
        if writer.shut || self.owned().is_err() {
            return;
        }
        // A group that needs a segment of its own says nothing of those that do not.
        let usual = self.settings.segment_bytes as usize - segment::HEADER;
        let wanted = writer.refused.map_or(frame::HEAD, |group| group.min(usual));
        let head = writer.head;
        let wanted = match writer.refused {
            Some(_) => self.prepare_room(&mut writer, head, wanted),
            None => self.check_space(writer.journal.lacks(wanted)),
        };
        match wanted {
            Ok(()) => self.note_writes(Writes::Taken),
            Err(Error::ReadOnly(lack)) => self.note_writes(Writes::ReadOnly(lack)),
            // A write that meets it ends the store; this is only a look.
            Err(error) => tracing::warn!(%error, "it cannot be told whether writes are taken"),
        }
    }

    /// Refuses before the disk is full: what is underway still finds its place.
    pub(super) fn check_space(&self, wanted: u64) -> Result<()> {
        let free = self.place.io.free_space(&self.place.folder);
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

    /// Takes no more commits, and lets the index come to its end.
    pub(super) fn shut(&self) {
        // Whoever panicked with the lock has left the journal to the next start.
        if let Ok(mut writer) = self.writer.lock() {
            writer.shut = true;
        }
        self.queue.close();
        self.checkpoints.close();
    }

    /// Once the threads of index and checkpoints have come to its end: notes that all is well, and whether the
    /// index is whole and on the disk. If it is not, the next start builds it, or what it lacks, while
    /// it serves already. What cannot be noted is left to the next start, which then has more to do.
    pub(super) fn seal(&self) -> Result<()> {
        let (revision, synced) = match self.writer.lock() {
            Ok(writer) => (writer.head, writer.journal.sync_names()),
            Err(_) => return Err(Error::Broken),
        };
        if self.failed() {
            return Err(Error::Broken);
        }
        let complete = self.progress.borrow().revision == revision;
        let indexed = complete && self.sync_index();
        if !indexed {
            tracing::info!("closed without waiting for the index; the next start sees to it");
        }
        self.owned()?;
        let state = State::closed(self.ids.incarnation, revision, indexed);
        let noted = synced.and_then(|()| mark::write(&*self.place.io, &self.place.folder, &state));
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
        let Ok(index) = self.index() else { return false };
        let (done, result) = mpsc::channel();
        let local = self.place.local.clone();
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
                Err(mpsc::RecvTimeoutError::Timeout) if !self.queue.abandoned() => {}
                Err(_) => return false,
            }
        }
        if let Err(error) = outcome {
            tracing::warn!(%error, "the index could not be made durable");
        }
        false
    }

    /// Whether the folder is still the one that was locked. If it is not, another server may be at
    /// work where this one would write, and the store takes no more writes.
    pub(super) fn owned(&self) -> Result<()> {
        self.lock.holds().inspect_err(|error| self.fail(&error.to_string()))
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
    fn note_writes(&self, writes: Writes) {
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
