//! The log of calls: a write-ahead log of their states with group commit.
//!
//! Calls are operational data beside the store: no revision, no history, not part of a backup. One
//! file holds every state of a call one after the other, the newest wins. Compaction, at a start and
//! when the file has grown, writes the newest state of each call that is retained into a new file.
//! What follows the last whole entry is the torn tail of a kill; a broken entry before a whole one is
//! damage, and the start is refused.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Call;
use crate::{
    store::{
        Lack,
        io::{File, Io, before_zeros},
    },
    tasks::{OnPanic, Tasks},
};

/// First bytes of a file; the last one is the version of the format.
const MAGIC: &[u8; 8] = b"dpcalls\x01";
/// Bytes before each entry: its length and its CRC32C, big endian.
const HEAD: usize = 8;
/// States that may wait for the disk. Further ones are refused, as on a full disk.
const QUEUE: usize = 1_024;
/// Longest entry.
const MAX_ENTRY: usize = 64 << 10;
/// Bytes that are allocated ahead, so that a sync has no length to write.
const PREALLOCATE: u64 = 1 << 20;
/// A smaller file is not worth a compaction.
const MIN_COMPACT: u64 = 4 << 20;

/// Appends states of calls; a clone appends to the same file.
#[derive(Debug, Clone)]
pub struct Log {
    queue: Option<mpsc::Sender<Entry>>,
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed.
    #[error("the log of calls: {0}")]
    Io(#[from] io::Error),
    /// An entry is not as it was written.
    #[error(
        "{file}, byte {offset}: an entry is damaged and whole ones follow; move the folder away to start without \
             the calls of the past, which may then be dialled again when they are asked for again"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Where.
        offset: usize,
    },
}

/// A state of a call, and where to answer whether it is durable.
type Entry = (Call, oneshot::Sender<bool>);

impl Log {
    /// A log without a file: for tests and for the demo.
    pub fn in_memory() -> Self {
        Self { queue: None }
    }

    /// Opens the log in a folder and answers the calls that `retained` lets pass, each in its newest
    /// state. Every compaction asks it again.
    ///
    /// # Errors
    /// [`Error::Damaged`] names file and place; nothing is touched then.
    pub fn open(
        tasks: &Tasks,
        io: Arc<dyn Io>,
        folder: &Path,
        retained: impl Fn(&Call) -> bool + Send + 'static,
    ) -> Result<(Self, Vec<Call>), Error> {
        let mut newest = HashMap::new();
        let mut files = numbered(&*io, folder)?;
        let mut end = 0;
        for (_, path) in &files {
            let (calls, whole) = read(&*io, path)?;
            newest.extend(calls.into_iter().map(|call| (call.call_id, call)));
            end = whole as u64;
        }
        newest.retain(|_, call| retained(call));
        let last = files.pop();
        let mut writer = Writer {
            io,
            folder: folder.to_owned(),
            number: last.as_ref().map_or(0, |(number, _)| *number),
            open: None,
            name_unsynced: false,
            obsolete: files.into_iter().map(|(_, path)| path).collect(),
            newest,
            compact_at: 0,
        };
        let started = writer.start_file();
        match (started, last) {
            (Ok(()), _) => {}
            // The newest file is appended to until there is room for the compaction.
            (Err(error), last) if Lack::of(&error) == Some(Lack::Full) => {
                tracing::warn!(%error, "the log of calls cannot be compacted for the moment");
                if let Some((_, path)) = last {
                    writer.resume(&path, end)?;
                }
            }
            (Err(error), _) => return Err(error.into()),
        }
        let calls = writer.newest.values().cloned().collect();
        let (queue, entries) = mpsc::channel(QUEUE);
        // Without it calls are refused, and only a restart finds out what is on the disk.
        let work = move || writer.run(entries, &retained);
        tasks.thread("deskplane-calls", OnPanic::EndProcess, work)?;
        Ok((Self { queue: Some(queue) }, calls))
    }

    /// Appends a state. States become durable in the order in which they are appended.
    ///
    /// The caller holds a lock, so this never waits for room in the queue: a state that finds it full
    /// is refused.
    pub(super) fn append(&self, call: &Call) -> PendingWrite {
        let (done, durable) = oneshot::channel();
        match &self.queue {
            // A sender that is dropped unused says that the state is refused.
            Some(queue) => drop(queue.try_send((call.clone(), done))),
            None => drop(done.send(true)),
        }
        PendingWrite(durable)
    }
}

/// A state that is not durable yet.
#[derive(Debug)]
#[must_use = "nothing may act on a state before it is durable"]
pub(super) struct PendingWrite(oneshot::Receiver<bool>);

impl PendingWrite {
    /// Waits for the sync; false when the state is refused.
    pub(super) async fn durable(self) -> bool {
        self.0.await.unwrap_or(false)
    }
}

/// The thread that writes.
#[derive(Debug)]
struct Writer {
    io: Arc<dyn Io>,
    folder: PathBuf,
    /// Number of the newest file.
    number: u64,
    /// None until there is room for a first one.
    open: Option<Open>,
    /// Whether the name of the newest file may not last.
    name_unsynced: bool,
    /// Files that it replaces.
    obsolete: Vec<PathBuf>,
    newest: HashMap<Uuid, Call>,
    /// Length at which a new file is begun.
    compact_at: u64,
}

/// The file that is written.
#[derive(Debug)]
struct Open {
    file: Box<dyn File>,
    /// End of the last entry.
    end: u64,
    reserved: u64,
}

// A resource that is lacking for the moment (`Lack`) refuses a group before it is written, and the next
// group tries again. After a failed write or sync nothing is written any more, whatever the error.
impl Writer {
    /// Starts a new file with the newest states. It replaces the one before when it gets its name; a
    /// failure before that changes nothing.
    fn start_file(&mut self) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for call in self.newest.values() {
            bytes.extend(entry(call)?);
        }
        self.io.make_dir(&self.folder)?;
        if let Some(parent) = self.folder.parent() {
            self.io.sync_dir(parent)?;
        }
        let temporary = self.folder.join("calls.tmp");
        let (before, after) = (self.number, self.number + 1);
        self.io.remove(&temporary).ok();
        let mut file = self.io.create(&temporary)?;
        let written = file.write_at(0, &bytes).and_then(|()| file.sync());
        let named = written.and_then(|()| self.io.rename(&temporary, &path(&self.folder, after)));
        if let Err(error) = named {
            self.io.remove(&temporary).ok();
            return Err(error);
        }
        if before > 0 {
            self.obsolete.push(path(&self.folder, before));
        }
        let end = bytes.len() as u64;
        self.open = Some(Open { file, end, reserved: end });
        (self.number, self.name_unsynced) = (after, true);
        self.compact_at = MIN_COMPACT.max(end * 4);
        self.sync_names()
    }

    /// Makes the name of the newest file durable, and removes the files that it replaces.
    fn sync_names(&mut self) -> io::Result<()> {
        if self.name_unsynced {
            match self.io.sync_dir(&self.folder) {
                // The folder could not be opened, so no sync failed.
                Err(error) if Lack::of(&error) == Some(Lack::Handles) => return Err(error),
                synced => synced.map_err(io::Error::other)?,
            }
            self.name_unsynced = false;
        }
        for old in std::mem::take(&mut self.obsolete) {
            // The newest file holds all of it; the next start removes it otherwise.
            if let Err(error) = self.io.remove(&old) {
                tracing::warn!(%error, path = %old.display(), "an obsolete file of the log of calls was not removed");
            }
        }
        Ok(())
    }

    /// Goes on appending to a file, behind its last whole entry. What an earlier process wrote is made
    /// durable before anything acts on it.
    fn resume(&mut self, path: &Path, end: u64) -> io::Result<()> {
        let mut file = self.io.open(path)?;
        file.sync()?;
        let reserved = file.len()?;
        self.open = Some(Open { file, end, reserved });
        // Compaction is due: this file holds calls that are no longer retained.
        self.compact_at = end;
        Ok(())
    }

    fn run(mut self, mut entries: mpsc::Receiver<Entry>, retained: &dyn Fn(&Call) -> bool) {
        while let Some(first) = entries.blocking_recv() {
            let (mut group, mut bytes) = (Vec::new(), Vec::new());
            let mut next = Some(first);
            while let Some((call, done)) = next.take() {
                match entry(&call) {
                    Ok(entry) => {
                        bytes.extend(entry);
                        group.push((call, done));
                    }
                    Err(error) => {
                        tracing::error!(%error, call_id = %call.call_id, "a state of a call cannot be written");
                        let _ = done.send(false);
                    }
                }
                next = entries.try_recv().ok();
            }
            let written = self.write(&bytes);
            let durable = written.is_ok();
            for (call, done) in group {
                if durable {
                    self.newest.insert(call.call_id, call);
                }
                // The request may have been dropped.
                let _ = done.send(durable);
            }
            match written.and_then(|()| self.compact(retained)) {
                Ok(()) => {}
                Err(error) if Lack::of(&error).is_some() => {
                    tracing::warn!(%error, "the log of calls cannot be written for the moment");
                }
                // What is on the disk after a failed write is not known, so nothing more is written.
                Err(error) => {
                    tracing::error!(%error, "the log of calls failed and takes no more states");
                    return;
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sync_names()?;
        if self.open.is_none() {
            self.start_file()?;
        }
        let open = self.open.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let after = open.end + bytes.len() as u64;
        if after > open.reserved {
            open.file.reserve(after + PREALLOCATE)?;
            open.reserved = after + PREALLOCATE;
        }
        let written = open.file.write_at(open.end, bytes).and_then(|()| open.file.sync());
        written.map_err(io::Error::other)?;
        open.end = after;
        Ok(())
    }

    /// Starts a new file with the newest retained states, when the current one has grown.
    fn compact(&mut self, retained: &dyn Fn(&Call) -> bool) -> io::Result<()> {
        let end = self.open.as_ref().map_or(0, |open| open.end);
        if end <= self.compact_at {
            return Ok(());
        }
        self.newest.retain(|_, call| retained(call));
        self.start_file().inspect_err(|_| self.compact_at = end + PREALLOCATE)
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.log"))
}

/// The files of the folder, oldest first. There are two when a start was killed in between.
fn numbered(io: &dyn Io, folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok();
    let listed = match io.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed?,
    };
    let mut files: Vec<(u64, PathBuf)> =
        listed.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
    files.sort();
    Ok(files)
}

fn entry(call: &Call) -> io::Result<Vec<u8>> {
    let payload = serde_json::to_vec(call).map_err(io::Error::from)?;
    let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= MAX_ENTRY);
    let length = length.ok_or_else(|| io::Error::other("a call is larger than 64 KiB"))?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(crc32c::crc32c(&payload).to_be_bytes());
    bytes.extend(payload);
    Ok(bytes)
}

/// Every state in a file up to its torn tail, and where that begins.
fn read(io: &dyn Io, path: &Path) -> Result<(Vec<Call>, usize), Error> {
    let file = io.open(path)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    file.read_at(0, &mut bytes)?;
    let damaged = |offset| Error::Damaged { file: path.display().to_string(), offset };
    if bytes.len() < MAGIC.len() || bytes[..MAGIC.len()] != MAGIC[..] {
        return Err(damaged(0));
    }
    let mut calls = Vec::new();
    let mut at = MAGIC.len();
    while let Some((call, size)) = whole(&bytes[at..]) {
        calls.push(call);
        at += size;
    }
    let rest = before_zeros(&bytes[at..]);
    // A length begins with a zero byte, so an entry can begin at few offsets.
    let mut offsets = (1..rest.len()).filter(|from| rest[*from] == 0);
    match offsets.any(|from| whole(&rest[from..]).is_some()) {
        true => Err(damaged(at)),
        false => Ok((calls, at)),
    }
}

/// The entry at the beginning, and its size.
fn whole(bytes: &[u8]) -> Option<(Call, usize)> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let sum = u32::from_be_bytes(bytes.get(4..HEAD)?.try_into().ok()?);
    let payload = bytes.get(HEAD..HEAD + length).filter(|_| (1..=MAX_ENTRY).contains(&length))?;
    if crc32c::crc32c(payload) != sum {
        return None;
    }
    Some((serde_json::from_slice(payload).ok()?, HEAD + length))
}

#[cfg(test)]
mod tests;
