//! The indexer, with the thread of the index: it carries groups from the journal to the index,
//! archives them, and rebuilds the index when it cannot go on with it.
//!
//! The index holds nothing that history files and journal do not hold, so its failures never end the
//! store: a handle that sled lacked for a file of its own, a disk that filled up under it, a panic
//! in it. Such an index is let go, what becomes durable meanwhile is left to the journal, and
//! another one is built as soon as that is possible; see `rebuild.rs`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::{
    appender::Appender,
    archive::Archive,
    checkpoints::Checkpoints,
    context::Context,
    folder,
    index::Index,
    mark::{self, Boot},
    progress::{Progress, UNBUILT, Upkeep},
    queue::{Queue, Work},
    rebuild::Rebuild,
    repair::Repairs,
};
use crate::store::{Error, Result, Revision};

/// Rest after an index that could not be built, doubled each time up to the last.
const RESTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Share of the bytes after which the journal is archived that a close archives as well, so that the
/// next start reads no more than that of the journal.
const LAST: u64 = 8;

/// Carries groups to the index.
#[derive(Debug)]
pub(super) struct Indexer {
    /// None until it is built, and once it has failed. It stands before the context, which holds the
    /// lock of the folder.
    index: ArcSwapOption<Index>,
    /// How far the index is.
    progress: watch::Sender<Progress>,
    context: Arc<Context>,
    queue: Arc<Queue>,
    appender: Arc<Appender>,
    archive: Arc<Archive>,
    checkpoints: Arc<Checkpoints>,
}

// === impl Indexer ===

impl Indexer {
    pub(super) fn new(
        context: Arc<Context>,
        queue: Arc<Queue>,
        appender: Arc<Appender>,
        archive: Arc<Archive>,
        checkpoints: Arc<Checkpoints>,
        (index, at): (Option<Index>, Option<Revision>),
    ) -> Self {
        let index = ArcSwapOption::new(index.map(Arc::new));
        let progress = watch::Sender::new(Progress::new(at));
        Self { index, progress, context, queue, appender, archive, checkpoints }
    }

    /// The index, once it is there.
    pub(super) fn index(&self) -> Result<Arc<Index>> {
        self.index.load_full().ok_or_else(|| self.progress.borrow().why())
    }

    /// The revision that the index has come to; below every one while there is none.
    pub(super) fn reached(&self) -> Revision {
        self.progress.borrow().revision
    }

    /// Carries groups to the index until there are no more; at a clean end archives them.
    pub(super) fn run(&self, mut upkeep: Upkeep) {
        let mut rest = RESTS.0;
        loop {
            if upkeep.behind {
                upkeep.behind = false;
                match caught(|| self.catch_up(&mut upkeep)) {
                    Err(_) if self.context.abandoned() => break,
                    // It is built at once.
                    Err(error) => self.lose(&error),
                    Ok(()) => {}
                }
            }
            if self.index.load().is_none() {
                match caught(|| self.build(&mut upkeep)) {
                    Ok(()) => rest = RESTS.0,
                    Err(_) if self.context.abandoned() => break,
                    Err(error) => {
                        self.lose(&error);
                        if !self.queue.rest(rest) {
                            break;
                        }
                        rest = (2 * rest).min(RESTS.1);
                    }
                }
                continue;
            }
            let Some(work) = self.queue.take() else {
                break;
            };
            match caught(|| self.carry(&mut upkeep, work)) {
                Err(_) if self.context.abandoned() => break,
                Err(error) => self.lose(&error),
                Ok(()) => {}
            }
        }
        if self.index.load().is_some()
            && !self.context.abandoned()
            && let Err(error) = caught(|| {
                self.archive_last(&mut upkeep);
                Ok(())
            })
        {
            self.lose(&error);
        }
        self.queue.close();
        self.progress.send_modify(|progress| progress.ended = true);
    }

    fn carry(&self, upkeep: &mut Upkeep, work: Work) -> Result<()> {
        let index = self.index()?;
        match work {
            Work::Repair(damages) => self.repairs().schedule(upkeep, damages),
            Work::Apply(bytes, mut records) => {
                // Some of them may have come with the journal that it was built from.
                let head = index.head()?.revision;
                records.retain(|(record, _)| record.revision > head);
                if let Some((last, _)) = records.last() {
                    index.apply(&records)?;
                    self.note_progress(upkeep, last.revision);
                }
                upkeep.unwritten += bytes as u64;
            }
        }
        let reached = self.progress.borrow().revision;
        self.repairs().carry_out(&index, upkeep, reached);
        if upkeep.unwritten >= self.context.settings.checkpoint_bytes {
            self.archive(upkeep);
        }
        // Who repairs or archives says what failed, and goes on.
        if index.failed() { Err(Error::Engine("sled failed".to_owned())) } else { Ok(()) }
    }

    /// Lets go of an index that cannot be relied on, or notes that there is none yet. Until there is
    /// one, groups are not kept for it: the journal has them.
    fn lose(&self, error: &Error) {
        let why: Arc<str> = error.to_string().into();
        tracing::error!(%error, "the index failed; it is rebuilt from history files and journal");
        self.queue.pass(true);
        // A process that is killed now must not rely on it at the next start.
        if self.context.owned().is_ok()
            && let Err(error) =
                mark::remove::<Boot>(&*self.context.layout.io, &self.context.layout.folder)
        {
            tracing::warn!(%error, "the mark of a whole index could not be removed");
        }
        self.progress.send_modify(|progress| {
            progress.revision = UNBUILT;
            progress.lost = Some(why);
        });
        drop(self.index.swap(None));
    }

    /// Waits until the index has everything up to a revision, which is not gathered any longer.
    pub(super) async fn followed(&self, revision: Revision) -> Result<()> {
        if self.reached() < revision {
            self.queue.hurry();
        }
        let mut progress = self.progress.subscribe();
        let there = progress
            .wait_for(|at| at.ended || at.lost.is_some() || at.revision >= revision)
            .await
            .map_err(|_| Error::Broken)?;
        if there.revision >= revision { Ok(()) } else { Err(there.why()) }
    }

    /// Notes how far the index is.
    pub(super) fn note_progress(&self, upkeep: &mut Upkeep, revision: Revision) {
        self.progress.send_replace(Progress::new(Some(revision)));
        self.context.meters.index_lag.decrement((revision - upkeep.counted).max(0) as f64);
        upkeep.counted = revision.max(upkeep.counted);
    }

    /// Builds the index and puts it in its place. An abandoned store is [`Error::Broken`].
    fn build(&self, upkeep: &mut Upkeep) -> Result<()> {
        self.context.owned()?;
        self.queue.pass(true);
        tracing::info!("building the index from history files and journal");
        let (fresh, rebuild) = (self.context.layout.fresh_index(), self.rebuild());
        folder::remove(&fresh)?;
        let index = rebuild.fill(&fresh)?;
        let before = rebuild.replay(&index)?;
        // From here on the journal has all that the queue has not.
        self.appender.begin_queue()?;
        let after = rebuild.replay(&index)?;
        index.flush()?;
        let index = rebuild.install(index, &fresh)?;
        let (revision, archived) = (index.head()?.revision, self.archive.end());
        upkeep.unwritten =
            before.bytes_above(archived) + after.bytes_above(before.end.max(archived));
        tracing::info!(revision, "the index is built");
        self.index.store(Some(Arc::new(index)));
        self.note_progress(upkeep, revision);
        Ok(())
    }

    /// Brings an index that was found at the start to the end of the journal.
    fn catch_up(&self, upkeep: &mut Upkeep) -> Result<()> {
        let (index, start, rebuild) = (self.index()?, upkeep.counted, self.rebuild());
        let before = rebuild.replay(&index)?;
        self.appender.begin_queue()?;
        let after = rebuild.replay(&index)?;
        upkeep.unwritten += before.bytes_above(start) + after.bytes_above(before.end);
        let revision = index.head()?.revision;
        tracing::info!(revision, "the index has caught up with the journal");
        self.note_progress(upkeep, revision);
        Ok(())
    }

    /// Archives what the index has and history files have not. When that fails the journal goes
    /// further back than it need, nothing else is lost, and it is tried again soon.
    fn archive(&self, upkeep: &mut Upkeep) {
        let bytes = self.context.settings.checkpoint_bytes;
        let archived = self.index().and_then(|index| {
            if self.archive.update(&index)? { self.checkpoints.release() } else { Ok(()) }
        });
        let Err(error) = archived else {
            upkeep.unwritten = 0;
            return;
        };
        upkeep.unwritten = bytes - bytes / 8;
        if !self.context.abandoned() {
            self.context.meters.archive_failures.increment(1);
            tracing::error!(%error, "history could not be written; the journal is kept instead");
        }
    }

    /// The same at the end of the store, if it is worth it.
    fn archive_last(&self, upkeep: &mut Upkeep) {
        if upkeep.unwritten >= self.context.settings.checkpoint_bytes / LAST {
            self.archive(upkeep);
        }
    }

    fn rebuild(&self) -> Rebuild<'_> {
        let (archive, checkpoints) = (&*self.archive, &*self.checkpoints);
        Rebuild { context: &self.context, archive, checkpoints }
    }

    fn repairs(&self) -> Repairs<'_> {
        Repairs {
            context: &self.context,
            queue: &self.queue,
            appender: &self.appender,
            archive: &self.archive,
            checkpoints: &self.checkpoints,
        }
    }

    /// What the index tells of how far it is.
    #[cfg(test)]
    pub(super) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }
}

/// Work whose panic is an error like others: sled panics over some of its own.
fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Engine("the index panicked".to_owned())))
}
