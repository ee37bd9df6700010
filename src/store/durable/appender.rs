//! Appends groups to the journal: the one owner of what a commit waits for.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::{context::Context, due::Due, frame, journal::Journal, queue::Queue, segment};
use crate::store::{Batch, Commit, Error, Lack, Result, Revision, Writes};

/// Writes the journal. Its calls block.
#[derive(Debug)]
pub(super) struct Appender {
    context: Arc<Context>,
    /// Groups on their way to the index.
    queue: Arc<Queue>,
    /// Counts what no checkpoint has.
    due: Arc<Due>,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    journal: Journal,
    head: Revision,
    /// Set while a group is being written, for good when that fails, and at the end.
    shut: bool,
    /// Length of a group that found no place for want of something.
    refused: Option<usize>,
}

// === impl Appender ===

impl Appender {
    pub(super) fn new(
        context: Arc<Context>,
        queue: Arc<Queue>,
        due: Arc<Due>,
        journal: Journal,
        head: Revision,
    ) -> Self {
        let writer = Mutex::new(Writer { journal, head, shut: false, refused: None });
        Self { context, queue, due, writer }
    }

    /// The revision of the last durable group.
    pub(super) fn head(&self) -> Result<Revision> {
        self.lock().map(|writer| writer.head)
    }

    /// Writes a batch to the journal and says so; the index follows.
    pub(super) fn commit(&self, batch: Batch, durable: &watch::Sender<Revision>) -> Result<Commit> {
        // Not with the lock in hand: whoever makes room may need it to release segments.
        let room = self.queue.wait_for_room();
        let mut writer = self.lock()?;
        if writer.shut || !room {
            return Err(Error::Broken);
        }
        if writer.head != batch.after {
            return Ok(Commit::Conflict(writer.head));
        }
        self.context.owned()?;
        let revisions = batch.records.iter().map(|record| record.revision);
        let group: Vec<_> = revisions.zip(batch.encoded).collect();
        let bytes = frame::encode(self.context.ids.incarnation, batch.after, &group);
        self.prepare_room(&mut writer, batch.after, bytes.len())?;
        writer.shut = true;
        let (since, meters) = (Instant::now(), &self.context.meters);
        if let Err(error) = writer.journal.write(&bytes) {
            self.context.fail(&format!("the journal could not be written: {error}"));
            return Ok(Commit::Unknown);
        }
        writer.shut = false;
        let head = group.last().map_or(writer.head, |(revision, _)| *revision);
        meters.commits.increment(1);
        meters.commit_seconds.record(since.elapsed());
        meters.group_records.record(group.len() as f64);
        meters.index_lag.increment((head - writer.head) as f64);
        self.context.note_writes(Writes::Taken);
        writer.head = head;
        durable.send_replace(writer.head);
        let stored = batch.records.into_iter().zip(group.into_iter().map(|(_, bytes)| bytes));
        self.queue.push(bytes.len(), stored.collect());
        self.due.add(bytes.len());
        Ok(Commit::Committed(writer.head))
    }

    /// Sees to it that a group of that length has its place. What fails before a byte of the journal
    /// is written, for want of something, refuses that group alone.
    fn prepare_room(&self, writer: &mut Writer, after: Revision, group: usize) -> Result<()> {
        let lacks = writer.journal.lacks(group);
        let made = self.context.check_space(lacks).and_then(|()| {
            let made = writer.journal.make_room(after, group);
            made.map_err(|error| Lack::of(&error).map_or_else(|| error.into(), Error::ReadOnly))
        });
        writer.refused = made.is_err().then_some(group);
        let Err(error) = made else { return Ok(()) };
        match error {
            Error::ReadOnly(lack) => self.context.note_writes(Writes::ReadOnly(lack)),
            _ => {
                writer.shut = true;
                self.context.fail(&format!("a group found no place: {error}"));
            }
        }
        Err(error)
    }

    /// Sees whether writes are taken, before one has to ask: what was refused last is tried again.
    pub(super) fn look_for_room(&self) {
        let Ok(mut writer) = self.lock() else { return };
        if writer.shut || self.context.owned().is_err() {
            return;
        }
        // A group that needs a segment of its own says nothing of those that do not.
        let usual = self.context.settings.segment_bytes as usize - segment::HEADER;
        let wanted = writer.refused.map_or(frame::HEAD, |group| group.min(usual));
        let head = writer.head;
        let wanted = match writer.refused {
            Some(_) => self.prepare_room(&mut writer, head, wanted),
            None => self.context.check_space(writer.journal.lacks(wanted)),
        };
        match wanted {
            Ok(()) => self.context.note_writes(Writes::Taken),
            Err(Error::ReadOnly(lack)) => self.context.note_writes(Writes::ReadOnly(lack)),
            // A write that meets it ends the store; this is only a look.
            Err(error) => tracing::warn!(%error, "it cannot be told whether writes are taken"),
        }
    }

    /// Takes no more commits.
    pub(super) fn shut(&self) {
        // Whoever panicked with the lock has left the journal to the next start.
        if let Ok(mut writer) = self.writer.lock() {
            writer.shut = true;
        }
    }

    /// Makes sure that every name lasts; the revision of the last group, and whether that worked.
    pub(super) fn seal(&self) -> Result<(Revision, std::io::Result<()>)> {
        self.lock().map(|writer| (writer.head, writer.journal.sync_names()))
    }

    /// From the moment that this has returned, what becomes durable waits in the queue.
    pub(super) fn begin_queue(&self) -> Result<()> {
        let _writer = self.lock()?;
        self.queue.pass(false);
        Ok(())
    }

    /// Removes the segments that lie wholly at or below a revision, but the last one.
    pub(super) fn release(&self, revision: Revision) -> Result<()> {
        self.context.owned()?;
        let superfluous = self.lock()?.journal.release(revision);
        let (io, layout) = (&*self.context.layout.io, &self.context.layout);
        for path in &superfluous {
            io.remove(path)?;
        }
        if superfluous.is_empty() { Ok(()) } else { Ok(io.sync_dir(&layout.journal())?) }
    }

    /// Writes nothing to a segment any more. Its last revision; 0 if it is gone.
    pub(super) fn roll_if_active(&self, after: Revision) -> Result<Revision> {
        let mut writer = self.lock()?;
        let segments = writer.journal.segments();
        let Some(place) = segments.iter().position(|at| *at == after) else {
            return Ok(0);
        };
        if let Some(next) = segments.get(place + 1) {
            return Ok(*next);
        }
        if self.context.failed() {
            return Err(Error::Broken);
        }
        let head = writer.head;
        match writer.journal.roll(head) {
            Ok(()) => Ok(head),
            Err(error) => {
                if Lack::of(&error).is_none() {
                    self.context.fail(&format!("a segment could not be made: {error}"));
                }
                Err(error.into())
            }
        }
    }

    /// Revisions after which the segments begin, rising; none when the journal cannot be told.
    pub(super) fn segments(&self) -> Option<Vec<Revision>> {
        Some(self.lock().ok()?.journal.segments().to_vec())
    }

    /// How much of a segment is durable, if that is not all, and its last revision; none when it is
    /// not needed any more.
    pub(super) fn extent(&self, after: Revision) -> Option<(Option<u64>, Revision)> {
        let writer = self.lock().ok()?;
        let segments = writer.journal.segments();
        let place = segments.iter().position(|at| *at == after)?;
        Some(match segments.get(place + 1) {
            Some(next) => (None, *next),
            None => (writer.journal.end(), writer.head),
        })
    }

    fn lock(&self) -> Result<MutexGuard<'_, Writer>> {
        self.writer.lock().map_err(|_: PoisonError<_>| Error::Broken)
    }
}
