//! The engine at work: commits go to the journal, and a thread of its own carries them to the index
//! and makes checkpoints.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

use tokio::sync::watch;

use super::{
    Ids, Place, Settings,
    boot::Booted,
    checkpoint, files, folder, frame,
    index::Index,
    journal::Journal,
    mark::{self, State},
    queue::Queue,
};
use crate::store::{Batch, Commit, Error, Result, Revision};

/// What all calls share. Its own calls block.
#[derive(Debug)]
pub(super) struct Engine {
    place: Place,
    settings: Settings,
    pub(super) ids: Ids,
    writer: Mutex<Writer>,
    pub(super) index: Index,
    pub(super) queue: Queue,
    /// How far the index is.
    pub(super) progress: watch::Sender<Progress>,
    /// Why nothing is written any more.
    pub(super) failure: watch::Sender<Option<String>>,
    /// Stands after the index, so that it is released after it.
    _lock: fs::File,
}

#[derive(Debug)]
struct Writer {
    journal: Journal,
    head: Revision,
    /// Set while a group is being written, for good when that fails, and at the end.
    shut: bool,
}

/// How far the index is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) revision: Revision,
    /// Whether it will come no further.
    pub(super) ended: bool,
}

/// What only the thread of the index needs.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Revisions of the checkpoints, rising.
    checkpoints: Vec<Revision>,
    /// Bytes of the journal since the newest one.
    uncovered: u64,
    /// Length of the last one that was written here.
    length: u64,
}

// === impl Engine ===

impl Engine {
    pub(super) fn new(place: Place, settings: Settings, booted: Booted) -> (Self, Upkeep) {
        let Booted { ids, index, journal, revision, checkpoints, uncovered, lock } = booted;
        let engine = Self {
            place,
            settings,
            ids,
            writer: Mutex::new(Writer { journal, head: revision, shut: false }),
            index,
            queue: Queue::default(),
            progress: watch::Sender::new(Progress { revision, ended: false }),
            failure: watch::Sender::new(None),
            _lock: lock,
        };
        (engine, Upkeep { checkpoints, uncovered, length: 0 })
    }

    /// The revision of the last durable group.
    pub(super) fn head(&self) -> Result<Revision> {
        self.writer.lock().map(|writer| writer.head).map_err(|_| Error::Broken)
    }

    /// Writes a batch to the journal and says so; the index follows.
    pub(super) fn commit(&self, batch: Batch, durable: &watch::Sender<Revision>) -> Result<Commit> {
        let encoded = match batch.encode()? {
            Ok(encoded) => encoded,
            Err(limit) => return Ok(Commit::Refused(limit)),
        };
        // Not with the lock in hand: whoever makes room may need it for a checkpoint.
        let room = self.queue.wait_for_room();
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        if writer.shut || !room {
            return Err(Error::Broken);
        }
        if writer.head != batch.after {
            return Ok(Commit::Conflict(writer.head));
        }
        let revisions = batch.records.iter().map(|record| record.revision);
        let group: Vec<_> = revisions.zip(encoded).collect();
        let bytes = frame::encode(self.ids.incarnation, batch.after, &group);
        if let Err(error) = self.check_space(writer.journal.lacks(bytes.len())) {
            if !error.retryable() {
                self.fail(&format!("the free space could not be read: {error}"));
            }
            return Err(error);
        }

        writer.shut = true;
        if let Err(error) = writer.journal.make_room(batch.after, bytes.len()) {
            if files::no_room(&error) {
                writer.shut = false;
                return Err(Error::ReadOnly { free: 0 });
            }
            self.fail(&format!("a segment could not be made: {error}"));
            return Err(error.into());
        }
        if let Err(error) = writer.journal.write(&bytes) {
            self.fail(&format!("the journal could not be written: {error}"));
            return Ok(Commit::Unknown);
        }
        writer.shut = false;
        writer.head = group.last().map_or(writer.head, |(revision, _)| *revision);
        durable.send_replace(writer.head);
        let stored = batch.records.into_iter().zip(group.into_iter().map(|(_, bytes)| bytes));
        self.queue.push(bytes.len(), stored.collect());
        Ok(Commit::Committed(writer.head))
    }

    /// Refuses before the disk is full: what is underway still finds its place.
    fn check_space(&self, wanted: u64) -> Result<()> {
        let free = self.place.io.free_space(&self.place.folder)?;
        if free >= self.settings.min_free_bytes.saturating_add(wanted) {
            return Ok(());
        }
        Err(Error::ReadOnly { free })
    }

    /// Carries groups to the index until there are no more; at a clean end with a last checkpoint.
    pub(super) fn follow(&self, mut upkeep: Upkeep) {
        let followed = catch_unwind(AssertUnwindSafe(|| -> Result<()> {
            while let Some((bytes, records)) = self.queue.take() {
                self.index.apply(&records)?;
                let revision = records.last().map_or(0, |(record, _)| record.revision);
                self.progress.send_replace(Progress { revision, ended: false });
                upkeep.uncovered += bytes as u64;
                if upkeep.uncovered >= self.settings.checkpoint_bytes {
                    self.checkpoint(&mut upkeep);
                }
            }
            if !self.queue.abandoned() {
                self.checkpoint(&mut upkeep);
            }
            Ok(())
        }));
        match followed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(&format!("the index could not follow: {error}")),
            Err(_) => self.fail("the index panicked"),
        }
        self.queue.close();
        self.progress.send_modify(|progress| progress.ended = true);
    }

    /// Writes a checkpoint and removes what it makes superfluous. When that fails the journal goes
    /// further back than it need, and nothing else is lost.
    fn checkpoint(&self, upkeep: &mut Upkeep) {
        let (io, dir) = (&*self.place.io, self.place.checkpoints());
        upkeep.uncovered = 0;
        let Err(error) = self.try_checkpoint(upkeep) else {
            return;
        };
        if !self.queue.abandoned() {
            tracing::error!(%error, "a checkpoint could not be written; the journal is kept instead");
        }
        // The next checkpoint tries again, so what cannot be removed now is removed then.
        for path in files::list_all(io, &dir).unwrap_or_default() {
            if !files::number(&path).is_some_and(|at| upkeep.checkpoints.contains(&at)) {
                io.remove(&path).ok();
            }
        }
    }

    fn try_checkpoint(&self, upkeep: &mut Upkeep) -> Result<()> {
        let (io, dir) = (&*self.place.io, self.place.checkpoints());
        let head = self.index.head()?;
        if upkeep.checkpoints.last().copied().unwrap_or(0) >= head.revision {
            return Ok(());
        }
        self.check_space(upkeep.length)?;
        let writer = self.index.export(
            |head| Ok(checkpoint::Writer::new(io, &dir, self.ids, head)?),
            |writer, entry| match self.queue.abandoned() {
                true => Err(Error::Broken),
                false => Ok(writer.add(entry)?),
            },
        )?;
        upkeep.length = writer.finish()?;
        tracing::debug!(revision = head.revision, bytes = upkeep.length, "wrote a checkpoint");
        upkeep.checkpoints.push(head.revision);
        while upkeep.checkpoints.len() > checkpoint::KEPT {
            files::remove(io, &checkpoint::path(&dir, upkeep.checkpoints[0]))?;
            upkeep.checkpoints.remove(0);
        }
        if upkeep.checkpoints.len() < checkpoint::KEPT {
            return Ok(());
        }
        // The index must not fall back behind the journal when the process is killed.
        self.index.flush()?;
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        let superfluous = writer.journal.release(upkeep.checkpoints[0]);
        drop(writer);
        for path in &superfluous {
            io.remove(path)?;
        }
        if superfluous.is_empty() { Ok(()) } else { Ok(io.sync_dir(&self.place.journal())?) }
    }

    /// Waits until the index has everything up to a revision.
    pub(super) async fn followed(&self, revision: Revision) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let there = progress.wait_for(|at| at.ended || at.revision >= revision).await;
        match there {
            Ok(at) if at.revision >= revision => Ok(()),
            _ => Err(Error::Broken),
        }
    }

    /// Takes no more commits, and lets the index come to its end.
    pub(super) fn shut(&self) {
        // Whoever panicked with the lock has left the journal to the next start.
        if let Ok(mut writer) = self.writer.lock() {
            writer.shut = true;
        }
        self.queue.close();
    }

    /// Once the index has come to its end: makes it durable and notes that all is well.
    pub(super) fn seal(&self) -> Result<()> {
        let revision = self.head()?;
        let complete = self.progress.borrow().revision == revision;
        if !complete || self.failure.borrow().is_some() {
            return Err(Error::Broken);
        }
        self.index.flush()?;
        folder::sync(&self.place.local)?;
        let state = State { incarnation: self.ids.incarnation, closed_at: Some(revision) };
        mark::write(&*self.place.io, &self.place.folder, &state)
    }

    /// Notes that nothing can be written any more; the first reason stays.
    fn fail(&self, why: &str) {
        tracing::error!(why, "the store takes no more writes");
        self.failure.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert_with(|| why.to_owned());
            first
        });
    }
}
