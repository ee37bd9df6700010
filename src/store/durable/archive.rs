//! The archive: the owner of history files. The records that the journal is to let go are written to
//! them. It is work of the thread of the index, which has them, and knows which of them are past
//! keeping.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{
    checkpoint,
    context::Context,
    files,
    history::{self, Span},
    index::Index,
    sorted::{self, WITH_HISTORY},
};
use crate::store::{Error, Result, Revision};

/// The history files that there are.
#[derive(Debug)]
pub(super) struct Archive {
    context: Arc<Context>,
    /// Rising.
    spans: Mutex<Vec<Span>>,
    /// Whether history is in checkpoints of an older program alone.
    unadopted: AtomicBool,
}

// === impl Archive ===

impl Archive {
    pub(super) fn new(context: Arc<Context>, spans: Vec<Span>, unadopted: bool) -> Self {
        Self { context, spans: Mutex::new(spans), unadopted: AtomicBool::new(unadopted) }
    }

    /// The files, rising.
    pub(super) fn spans(&self) -> MutexGuard<'_, Vec<Span>> {
        // Every change is whole at once.
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last revision of all; 0 without a file.
    pub(super) fn end(&self) -> Revision {
        history::end(&self.spans())
    }

    /// Whether history is in checkpoints of an older program alone.
    pub(super) fn unadopted(&self) -> bool {
        self.unadopted.load(Ordering::SeqCst)
    }

    /// Writes a file of what the index has and the others have not, and merges what is small; false
    /// when there was nothing to write.
    pub(super) fn update(&self, index: &Index) -> Result<bool> {
        let extended = self.extend(index)?;
        if extended {
            self.merge(index)?;
        }
        Ok(extended)
    }

    /// Writes a file of what the index has and the others have not; false when that is nothing.
    pub(super) fn extend(&self, index: &Index) -> Result<bool> {
        let span = Span { after: self.end(), last: index.head()?.revision };
        if span.last <= span.after {
            return Ok(false);
        }
        self.write(index, span)?;
        // When the process is killed the index must not fall back behind what the journal lets go.
        index.flush()?;
        self.spans().push(span);
        Ok(true)
    }

    /// Writes the file of a span from the index.
    pub(super) fn write(&self, index: &Index, span: Span) -> Result<()> {
        self.context.owned()?;
        let (io, dir) = (&*self.context.layout.io, self.context.layout.history());
        self.context.check_space(index.bytes_of((span.after, span.last), u64::MAX)?)?;
        if self.spans().is_empty() {
            io.make_dir(&dir)?;
            io.sync_dir(&self.context.layout.folder)?;
        }
        let written = history::Writer::new(io, &dir, self.context.ids, span, index.head()?)
            .map_err(Error::from)
            .and_then(|mut writer| {
                index.export((span.after, span.last), |entry| {
                    self.context.go_on()?;
                    Ok(writer.add(entry)?)
                })?;
                Ok(writer.finish()?)
            });
        if written.is_err() && !self.spans().contains(&span) {
            // Its name may not last, so the next start must not find it.
            files::remove(io, &history::path(&dir, span)).ok();
        }
        written
    }

    /// Writes neighbours together of which little is left: no more than fits a segment.
    fn merge(&self, index: &Index) -> Result<()> {
        let mut at = 0;
        loop {
            let pair = match self.spans().get(at..at + 2) {
                Some(&[one, two]) => [one, two],
                _ => return Ok(()),
            };
            let merged = Span { after: pair[0].after, last: pair[1].last };
            let most = self.context.settings.segment_bytes;
            if index.bytes_of((merged.after, merged.last), most)? > most {
                at += 1;
                continue;
            }
            self.write(index, merged)?;
            self.spans().splice(at..at + 2, [merged]);
            self.context.owned()?;
            // What stays is superseded, and removed by the next start.
            for span in pair {
                self.context
                    .layout
                    .io
                    .remove(&history::path(&self.context.layout.history(), span))
                    .ok();
            }
        }
    }

    /// Makes a history file of the newest sound checkpoint of these that holds history, of a store
    /// that an older program wrote.
    pub(super) fn adopt(&self, kept: &[Revision]) -> Result<()> {
        if !self.unadopted() {
            return Ok(());
        }
        let (io, dir) = (&*self.context.layout.io, self.context.layout.history());
        let mut result = Err(Error::Damaged("no checkpoint holds history".to_owned()));
        for at in kept.iter().rev().copied() {
            let path = checkpoint::path(&self.context.layout.checkpoints(), at);
            let format = sorted::format(io, &path, checkpoint::KIND, self.context.ids)?;
            if format.is_none_or(|format| format > WITH_HISTORY) {
                continue;
            }
            self.context.owned()?;
            io.make_dir(&dir)?;
            io.sync_dir(&self.context.layout.folder)?;
            let (span, ids) = (Span { after: 0, last: at }, (self.context.ids, self.context.ids));
            result = history::from_checkpoint(io, &dir, ids, &*io.open(&path)?, &path, span);
            match &result {
                Err(Error::Damaged(what)) => {
                    tracing::warn!(what, "a checkpoint is damaged; taking what lies before it");
                }
                _ => break,
            }
        }
        let span = result?;
        self.spans().push(span);
        self.unadopted.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Puts a history file aside that is damaged, while there is no index to write it from. From now
    /// on its records count as past keeping.
    pub(super) fn give_up(&self, span: Span, what: &str) -> Result<()> {
        let (io, dir) = (&*self.context.layout.io, self.context.layout.history());
        self.context.owned()?;
        let path = history::path(&dir, span);
        tracing::error!(
            what,
            "history is damaged, and there is no index to write it from: its records are lost, and \
             the file is put aside. State is whole; see to the disk"
        );
        io.rename(&path, &path.with_extension("damaged"))?;
        history::write_lost(io, &dir, self.context.ids, span)?;
        self.context.note(|condition| {
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
