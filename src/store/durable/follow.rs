//! The thread of the index: it carries groups from the journal to the index, archives them, and
//! rebuilds the index when it cannot go on with it.
//!
//! The index holds nothing that history files and journal do not hold, so its failures never end the
//! store: a handle that sled lacked for a file of its own, a disk that filled up under it, a panic
//! in it. Such an index is let go, what becomes durable meanwhile is left to the journal, and
//! another one is built as soon as that is possible; see `build.rs`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use super::{
    engine::Engine,
    mark::{self, Boot},
    progress::{Progress, UNBUILT, Upkeep},
    queue::Work,
};
use crate::store::{Error, Result, Revision};

/// Rest after an index that could not be built, doubled each time up to the last.
const RESTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

// === impl Engine ===

impl Engine {
    /// Carries groups to the index until there are no more; at a clean end archives them.
    pub(super) fn follow(&self, mut upkeep: Upkeep) {
        let mut rest = RESTS.0;
        loop {
            if upkeep.behind {
                upkeep.behind = false;
                match caught(|| self.catch_up(&mut upkeep)) {
                    Err(_) if self.queue.abandoned() => break,
                    // It is built at once.
                    Err(error) => self.lose(&error),
                    Ok(()) => {}
                }
            }
            if self.index.load().is_none() {
                match caught(|| self.build(&mut upkeep)) {
                    Ok(()) => rest = RESTS.0,
                    Err(_) if self.queue.abandoned() => break,
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
                Err(_) if self.queue.abandoned() => break,
                Err(error) => self.lose(&error),
                Ok(()) => {}
            }
        }
        if self.index.load().is_some()
            && !self.queue.abandoned()
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
            Work::Heal(damages) => self.prepare(upkeep, damages),
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
        self.heal(upkeep);
        if upkeep.unwritten >= self.settings.checkpoint_bytes {
            self.archive(upkeep);
        }
        // Who heals or archives says what failed, and goes on.
        if index.failed() { Err(Error::Engine("sled failed".to_owned())) } else { Ok(()) }
    }

    /// Lets go of an index that cannot be relied on, or notes that there is none yet. Until there is
    /// one, groups are not kept for it: the journal has them.
    fn lose(&self, error: &Error) {
        let why: Arc<str> = error.to_string().into();
        tracing::error!(%error, "the index failed; it is rebuilt from history files and journal");
        self.queue.pass(true);
        // A process that is killed now must not believe it at the next start.
        if self.owned().is_ok()
            && let Err(error) = mark::remove::<Boot>(&*self.place.io, &self.place.folder)
        {
            tracing::warn!(%error, "the mark of a whole index could not be removed");
        }
        self.progress.send_modify(|progress| {
            progress.revision = UNBUILT;
            progress.lost = Some(why);
        });
        drop(self.index.swap(None));
    }

    /// Waits until the index has everything up to a revision.
    pub(super) async fn followed(&self, revision: Revision) -> Result<()> {
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
        self.meters.index_lag.decrement((revision - upkeep.counted).max(0) as f64);
        upkeep.counted = revision.max(upkeep.counted);
    }
}

/// Work whose panic is an error like others: sled panics over some of its own.
fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Engine("the index panicked".to_owned())))
}
