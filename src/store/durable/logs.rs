//! The logs of a store on the disk, beside its journal: `log/audit-*.log` and `log/resolution-*.log`.
//!
//! Nothing of them is touched before the first entry is written or asked for, so a start does not
//! depend on them. What fails here loses entries and nothing else: the store takes writes as before.

mod file;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

pub(super) use self::file::{check, frames, named};
use super::{Ids, Layout, context::Context, files};
use crate::{
    domain::Time,
    store::{
        Error, Log, LogEntry, LogKind, LogQuery, Result, Visit,
        io::{File, Io},
    },
};

/// Bytes of a file after which another one is begun.
const FILE_BYTES: u64 = 8 << 20;

/// The logs of a store. They do not keep its folder: once the store is gone, calls are errors.
#[derive(Debug)]
pub(super) struct Logs {
    context: Weak<Context>,
    io: Arc<dyn Io>,
    layout: Layout,
    ids: Ids,
    file_bytes: u64,
    writers: [Mutex<Option<Writer>>; LogKind::ALL.len()],
}

/// The files of one kind.
#[derive(Debug)]
struct Writer {
    /// Rising by their numbers.
    files: Vec<Kept>,
    /// The number that no entry reaches yet.
    next: u64,
    /// Time of the last entry.
    last: Time,
    /// The last file, if this process writes it.
    active: Option<Box<dyn File>>,
}

/// A file of a log.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    path: PathBuf,
    first: u64,
    /// Time of its first entry; none when it holds none.
    begun: Option<Time>,
    /// Its length, as far as it is good.
    bytes: u64,
    /// Whether it is one of this store, in a format that is known. Any other is left alone.
    ours: bool,
}

// === impl Logs ===

impl Logs {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        let (layout, ids) = (context.layout.clone(), context.ids);
        let (context, io) = (Arc::downgrade(context), Arc::clone(&layout.io));
        Self { context, io, layout, ids, file_bytes: FILE_BYTES, writers: Default::default() }
    }

    /// The same with files of another length.
    #[cfg(test)]
    fn with_file_bytes(self, file_bytes: u64) -> Self {
        Self { file_bytes, ..self }
    }

    fn context(&self) -> Result<Arc<Context>> {
        let context = self.context.upgrade().ok_or(Error::Broken)?;
        context.owned()?;
        Ok(context)
    }

    fn lock(&self, kind: LogKind) -> MutexGuard<'_, Option<Writer>> {
        // What a panicking thread left is read again from the files.
        self.writers[kind as usize].lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut writer = poisoned.into_inner();
            *writer = None;
            writer
        })
    }

    /// Runs with the files of a kind, which are looked at once.
    fn with<T>(&self, kind: LogKind, run: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
        let mut guard = self.lock(kind);
        match &mut *guard {
            Some(writer) => run(writer),
            none => run(none.insert(self.inspect(kind)?)),
        }
    }

    /// Looks at the files of a kind: at their names and first frames, and at the last one whole.
    fn inspect(&self, kind: LogKind) -> Result<Writer> {
        let mut writer = Writer { files: Vec::new(), next: 1, last: Time::default(), active: None };
        for path in files::list(&*self.io, &self.layout.logs(), file::ENDING)? {
            let Some((_, first)) = named(&path).filter(|(of, _)| *of == kind) else { continue };
            writer.next = writer.next.max(first.saturating_add(1));
            writer.files.push(self.look(path, first)?);
        }
        let Some(newest) = writer.files.iter_mut().rfind(|kept| kept.ours) else {
            return Ok(writer);
        };
        let Some(bytes) = files::read(&*self.io, &newest.path)? else { return Ok(writer) };
        let found = frames(&bytes);
        if let Some(torn) = found.torn {
            tracing::info!(file = %newest.path.display(), byte = torn, "cut the end of a log");
            newest.bytes = torn as u64;
        }
        if let Some(last) = found.good.last() {
            writer.next = writer.next.max(last.end());
            writer.last = last.entries().last().map_or(last.time, |entry| entry.time);
        }
        Ok(writer)
    }

    fn look(&self, path: PathBuf, first: u64) -> Result<Kept> {
        let opened = self.io.open(&path)?;
        let bytes = opened.len()?;
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut head = vec![0; wanted.min(file::HEADER + file::HEAD)];
        opened.read_at(0, &mut head)?;
        let ours = match check(&path, &head, self.ids) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "a file of the log cannot be read");
                false
            }
        };
        let begun = head.get(file::HEADER..).and_then(file::begin).filter(|_| ours);
        Ok(Kept { path, first, begun, bytes, ours })
    }

    /// Writes frames into the last file, or another one, and makes them durable.
    fn write(&self, kind: LogKind, writer: &mut Writer, bytes: &[u8], time: Time) -> Result<()> {
        let len = bytes.len() as u64;
        if let Some(active) = &mut writer.active
            && let Some(kept) = writer.files.last_mut()
            && kept.bytes + len <= self.file_bytes.max(len)
        {
            active.write_at(kept.bytes, bytes)?;
            active.sync()?;
            kept.bytes += len;
            return Ok(());
        }
        writer.active = None;
        let dir = self.layout.logs();
        if writer.files.is_empty() {
            self.io.make_dir(&dir)?;
            self.io.sync_dir(&self.layout.folder)?;
        }
        let path = file::path(&dir, kind, writer.next);
        let mut made = self.io.create(&path)?;
        let content = [&file::header(self.ids, writer.next)[..], bytes].concat();
        let written = made
            .write_at(0, &content)
            .and_then(|()| made.sync())
            .and_then(|()| self.io.sync_dir(&dir));
        if let Err(error) = written {
            // What cannot be removed is read as far as it is good by the next start.
            files::remove(&*self.io, &path).ok();
            return Err(error.into());
        }
        let (first, bytes) = (writer.next, content.len() as u64);
        writer.files.push(Kept { path, first, begun: Some(time), bytes, ours: true });
        writer.active = Some(made);
        Ok(())
    }

    /// Hands on the entries of one file, newest first; where the visit broke off, or the budget ended
    /// that is counted down here.
    fn visit_file(
        &self,
        kept: &Kept,
        query: &LogQuery,
        budget: &mut usize,
        visit: Visit<'_>,
    ) -> Result<Option<u64>> {
        let Some(mut bytes) = files::read(&*self.io, &kept.path)? else { return Ok(None) };
        bytes.truncate(usize::try_from(kept.bytes).unwrap_or(usize::MAX));
        check(&kept.path, &bytes, self.ids)?;
        let found = frames(&bytes);
        if let Some(byte) = found.damaged {
            tracing::warn!(file = %kept.path.display(), byte, "entries of the log are damaged");
        }
        for frame in found.good.iter().rev() {
            if query.below.is_some_and(|below| frame.first >= below)
                || query.until.is_some_and(|until| frame.time >= until)
            {
                continue;
            }
            if *budget == 0 {
                return Ok(Some(frame.end()));
            }
            *budget = budget.saturating_sub(frame.size());
            for entry in frame.entries().into_iter().rev() {
                if query.takes(entry.sequence, entry.time) && visit(entry).is_break() {
                    return Ok(Some(entry.sequence + 1));
                }
            }
            if query.since.is_some_and(|since| frame.time < since) {
                break;
            }
        }
        Ok(None)
    }
}

impl Log for Logs {
    fn append(&self, kind: LogKind, entries: &[LogEntry]) -> Result<()> {
        let Some(first) = entries.first() else { return Ok(()) };
        let context = self.context()?;
        self.with(kind, |writer| {
            let (bytes, last) = file::encode(writer.next, writer.last, entries);
            let time = first.time.max(writer.last);
            let written = context
                .check_space(bytes.len() as u64)
                .and_then(|()| self.write(kind, writer, &bytes, time));
            // No number is given twice: of what failed, some may be on the disk.
            writer.next += entries.len() as u64;
            match written {
                Ok(()) => writer.last = last,
                Err(_) => writer.active = None,
            }
            written
        })
    }

    fn next(&self, kind: LogKind) -> Result<u64> {
        self.with(kind, |writer| Ok(writer.next))
    }

    fn visit(&self, kind: LogKind, query: &LogQuery, visit: Visit<'_>) -> Result<Option<u64>> {
        let files = self.with(kind, |writer| Ok(writer.files.clone()))?;
        let mut budget = query.budget.max(1);
        // Begin of the file behind: no entry is younger than that.
        let mut behind: Option<Time> = None;
        for kept in files.iter().rev().filter(|kept| kept.ours) {
            let too_new = query.below.is_some_and(|below| kept.first >= below)
                || query.until.zip(kept.begun).is_some_and(|(until, begun)| begun >= until);
            let too_old = query.since.zip(behind).is_some_and(|(since, behind)| behind < since);
            behind = kept.begun.or(behind);
            if too_old {
                break;
            }
            if too_new {
                continue;
            }
            match self.visit_file(kept, query, &mut budget, visit) {
                Ok(None) => {}
                Ok(next) => return Ok(next),
                Err(Error::Damaged(what)) => tracing::warn!(what, "passed over a file of the log"),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn retain(&self, kind: LogKind, since: Time, bytes: u64) -> Result<()> {
        let _context = self.context()?;
        self.with(kind, |writer| {
            let mut sum: u64 = writer.files.iter().filter(|kept| kept.ours).map(|k| k.bytes).sum();
            let mut removed = false;
            while let Some(at) = writer.files.iter().position(|kept| kept.ours) {
                let newer = writer.files.iter().skip(at + 1).filter(|kept| kept.ours);
                let newest = newer.clone().next().is_none();
                let end = newer.clone().find_map(|kept| kept.begun).unwrap_or(writer.last);
                let spared = newest && writer.active.is_some();
                if spared || end >= since && (sum <= bytes || newest) {
                    break;
                }
                let gone = &writer.files[at];
                match self.io.remove(&gone.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(error.into());
                    }
                    _ => {}
                }
                sum -= gone.bytes;
                writer.files.remove(at);
                removed = true;
            }
            if removed { Ok(self.io.sync_dir(&self.layout.logs())?) } else { Ok(()) }
        })
    }
}
