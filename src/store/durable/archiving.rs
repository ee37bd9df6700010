//! Archiving: the records that the journal is to let go are written to history files. It is work of
//! the thread of the index, which has them, and knows which of them are past keeping.

use std::sync::{MutexGuard, PoisonError, atomic::Ordering};

use super::{
    checkpoint,
    engine::Engine,
    files,
    history::{self, Span},
    index::Index,
    progress::Upkeep,
    sorted::{self, WITH_HISTORY},
};
use crate::store::{Error, Result};

/// Share of the bytes after which the journal is archived that a close archives as well, so that the
/// next start reads no more than that of the journal.
const LAST: u64 = 8;

// === impl Engine ===

impl Engine {
    /// Archives what the index has and history files have not. When that fails the journal goes
    /// further back than it need, nothing else is lost, and it is tried again soon.
    pub(super) fn archive(&self, upkeep: &mut Upkeep) {
        let bytes = self.settings.checkpoint_bytes;
        let Err(error) = self.try_archive() else {
            upkeep.unwritten = 0;
            return;
        };
        upkeep.unwritten = bytes - bytes / 8;
        if !self.queue.abandoned() {
            self.meters.checkpoint_failures.increment(1);
            tracing::error!(%error, "history could not be written; the journal is kept instead");
        }
    }

    /// The same at the end of the store, if it is worth it.
    pub(super) fn archive_last(&self, upkeep: &mut Upkeep) {
        if upkeep.unwritten >= self.settings.checkpoint_bytes / LAST {
            self.archive(upkeep);
        }
    }

    fn try_archive(&self) -> Result<()> {
        let index = self.index()?;
        if self.extend_history(&index)? {
            self.merge_history(&index)?;
            self.release()?;
        }
        Ok(())
    }

    /// Writes a file of what the index has and the others have not; false when that is nothing.
    pub(super) fn extend_history(&self, index: &Index) -> Result<bool> {
        let span = Span { after: history::end(&self.history()), last: index.head()?.revision };
        if span.last <= span.after {
            return Ok(false);
        }
        self.write_history(index, span)?;
        // When the process is killed the index must not fall back behind what the journal lets go.
        index.flush()?;
        self.history().push(span);
        Ok(true)
    }

    /// Writes the file of a span from the index.
    pub(super) fn write_history(&self, index: &Index, span: Span) -> Result<()> {
        self.owned()?;
        let (io, dir) = (&*self.place.io, self.place.history());
        self.check_space(index.bytes_of((span.after, span.last))?)?;
        if self.history().is_empty() {
            io.make_dir(&dir)?;
            io.sync_dir(&self.place.folder)?;
        }
        let written = history::Writer::new(io, &dir, self.ids, span, index.head()?)
            .map_err(Error::from)
            .and_then(|mut writer| {
                index.export((span.after, span.last), |entry| {
                    self.go_on()?;
                    Ok(writer.add(entry)?)
                })?;
                Ok(writer.finish()?)
            });
        if written.is_err() && !self.history().contains(&span) {
            // Its name may not last, so the next start must not find it.
            files::remove(io, &history::path(&dir, span)).ok();
        }
        written
    }

    /// Writes neighbours together of which little is left: no more than fits a segment.
    fn merge_history(&self, index: &Index) -> Result<()> {
        let mut at = 0;
        loop {
            let pair = match self.history().get(at..at + 2) {
                Some(&[one, two]) => [one, two],
                _ => return Ok(()),
            };
            let merged = Span { after: pair[0].after, last: pair[1].last };
            if index.bytes_of((merged.after, merged.last))? > self.settings.segment_bytes {
                at += 1;
                continue;
            }
            self.write_history(index, merged)?;
            self.history().splice(at..at + 2, [merged]);
            self.owned()?;
            // What stays is superseded, and removed by the next start.
            for span in pair {
                self.place.io.remove(&history::path(&self.place.history(), span)).ok();
            }
        }
    }

    /// Makes a history file of the newest sound checkpoint that holds history, of a store that an
    /// older program wrote.
    pub(super) fn adopt(&self) -> Result<()> {
        if !self.unadopted() {
            return Ok(());
        }
        let (io, dir) = (&*self.place.io, self.place.history());
        let kept = self.checkpoints.kept().clone();
        let mut result = Err(Error::Damaged("no checkpoint holds history".to_owned()));
        for at in kept.into_iter().rev() {
            let path = checkpoint::path(&self.place.checkpoints(), at);
            let format = sorted::format(io, &path, checkpoint::LAYOUT, self.ids)?;
            if format.is_none_or(|format| format > WITH_HISTORY) {
                continue;
            }
            self.owned()?;
            io.make_dir(&dir)?;
            io.sync_dir(&self.place.folder)?;
            let (span, ids) = (Span { after: 0, last: at }, (self.ids, self.ids));
            result = history::from_checkpoint(io, &dir, ids, &*io.open(&path)?, &path, span);
            match &result {
                Err(Error::Damaged(what)) => {
                    tracing::warn!(what, "a checkpoint is damaged; taking what lies before it");
                }
                _ => break,
            }
        }
        let span = result?;
        self.history().push(span);
        self.unadopted.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Whether history is in checkpoints of an older program alone.
    pub(super) fn unadopted(&self) -> bool {
        self.unadopted.load(Ordering::SeqCst)
    }

    /// The history files, rising.
    pub(super) fn history(&self) -> MutexGuard<'_, Vec<Span>> {
        // Every change is whole at once.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a history file aside that is damaged, while there is no index to write it from. From now
    /// on its records count as past keeping.
    pub(super) fn give_up_history(&self, span: Span, what: &str) -> Result<()> {
        let (io, dir) = (&*self.place.io, self.place.history());
        self.owned()?;
        let path = history::path(&dir, span);
        tracing::error!(
            what,
            "history is damaged, and there is no index to write it from: its records are lost, and \
             the file is put aside. State is whole; see to the disk"
        );
        io.rename(&path, &path.with_extension("damaged"))?;
        history::write_lost(io, &dir, self.ids, span)?;
        self.note(|condition| {
            let lost = format!(
                "{what}; the history of revisions {} to {} is lost",
                span.after + 1,
                span.last
            );
            condition.damaged = Some(lost);
            true
        });
        Ok(())
    }
}
