//! Where calls are kept: a log of their states, synced before anybody acts on them.
//!
//! Calls are operational data beside the store: no revision, no history, not part of a backup. One
//! file holds every state of a call one after the other, the newest wins; a start, and the log when
//! it has grown, writes what is still wanted into a new file. What follows the last whole entry is
//! what a kill left; an entry that is broken before a whole one is damage, and the start is refused.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Call;
use crate::store::io::{File, Io};

/// First bytes of a file; the last one is the version of the format.
const MAGIC: &[u8; 8] = b"dpcalls\x01";
/// Bytes before each entry: its length and its CRC32C, big endian.
const HEAD: usize = 8;
/// Longest entry.
const MAX_ENTRY: usize = 64 << 10;
/// Room that is reserved ahead, so that a sync has no length to write.
const AHEAD: u64 = 1 << 20;
/// A smaller file is not worth writing anew.
const SMALL: u64 = 4 << 20;

/// Takes states of calls; a clone writes to the same file.
#[derive(Debug, Clone)]
pub struct Log {
    queue: Option<mpsc::UnboundedSender<Entry>>,
}

/// Why calls cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed.
    #[error("the log of calls: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
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

/// A state of a call on its way to the disk.
type Entry = (Call, oneshot::Sender<bool>);

impl Log {
    /// A log that forgets everything with the process: for tests and for the demo.
    pub fn in_memory() -> Self {
        Self { queue: None }
    }

    /// Opens the log in a folder and answers the calls that `wanted` keeps, each as it was last. It is
    /// asked again whenever the log has grown.
    ///
    /// # Errors
    /// [`Error::Damaged`] names file and place; nothing is touched then.
    pub fn open(
        io: Arc<dyn Io>,
        folder: &Path,
        wanted: impl Fn(&Call) -> bool + Send + 'static,
    ) -> Result<(Self, Vec<Call>), Error> {
        io.make_dir(folder)?;
        if let Some(parent) = folder.parent() {
            io.sync_dir(parent)?;
        }
        let mut newest = HashMap::new();
        let mut files = numbered(&*io, folder)?;
        for (_, path) in &files {
            for call in read(&*io, path)? {
                newest.insert(call.call_id, call);
            }
        }
        newest.retain(|_, call| wanted(call));
        let number = files.last().map_or(1, |(number, _)| number + 1);
        let writer = Writer::begin(Arc::clone(&io), folder, number, newest)?;
        for (_, path) in files.drain(..) {
            io.remove(&path)?;
        }
        let calls = writer.newest.values().cloned().collect();
        let (queue, entries) = mpsc::unbounded_channel();
        thread::Builder::new()
            .name("deskplane-calls".to_owned())
            .spawn(move || writer.run(entries, &wanted))?;
        Ok((Self { queue: Some(queue) }, calls))
    }

    /// Hands in a state. What is handed in first is on the disk first; the answer comes once it is.
    pub(super) fn put(&self, call: &Call) -> Kept {
        let (told, kept) = oneshot::channel();
        match &self.queue {
            // A thread that is gone answers by not answering.
            Some(queue) => drop(queue.send((call.clone(), told))),
            None => drop(told.send(true)),
        }
        Kept(kept)
    }
}

/// A state on its way to the disk.
#[derive(Debug)]
#[must_use = "nobody may act on a call before it is kept"]
pub(super) struct Kept(oneshot::Receiver<bool>);

impl Kept {
    /// Waits until it is there; false when it cannot be kept.
    pub(super) async fn done(self) -> bool {
        self.0.await.unwrap_or(false)
    }
}

/// The thread that writes.
#[derive(Debug)]
struct Writer {
    io: Arc<dyn Io>,
    folder: PathBuf,
    number: u64,
    file: Box<dyn File>,
    /// End of the last entry.
    end: u64,
    reserved: u64,
    newest: HashMap<Uuid, Call>,
    /// Bytes of the newest states when the file was begun.
    live: u64,
}

impl Writer {
    /// Writes a new file with these calls; it counts once it has its name.
    fn begin(
        io: Arc<dyn Io>,
        folder: &Path,
        number: u64,
        newest: HashMap<Uuid, Call>,
    ) -> Result<Self, Error> {
        let mut bytes = MAGIC.to_vec();
        for call in newest.values() {
            bytes.extend(entry(call)?);
        }
        let (temporary, path) = (folder.join("calls.tmp"), path(folder, number));
        io.remove(&temporary).ok();
        let mut file = io.create(&temporary)?;
        file.write_at(0, &bytes)?;
        file.sync()?;
        io.rename(&temporary, &path)?;
        io.sync_dir(folder)?;
        let end = bytes.len() as u64;
        Ok(Self {
            io,
            folder: folder.to_owned(),
            number,
            file,
            end,
            reserved: end,
            newest,
            live: end,
        })
    }

    fn run(mut self, mut entries: mpsc::UnboundedReceiver<Entry>, wanted: &dyn Fn(&Call) -> bool) {
        while let Some(first) = entries.blocking_recv() {
            let mut group = vec![first];
            while let Ok(next) = entries.try_recv() {
                group.push(next);
            }
            let written = self.write(&group, wanted);
            if let Err(error) = &written {
                tracing::error!(%error, "calls can be kept no more");
            }
            let failed = written.is_err();
            for (_, told) in group {
                // Whoever asked may be gone.
                let _ = told.send(!failed);
            }
            // What is on the disk after a failed write is not known: nothing more is written.
            if failed {
                return;
            }
        }
    }

    fn write(&mut self, group: &[Entry], wanted: &dyn Fn(&Call) -> bool) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for (call, _) in group {
            bytes.extend(entry(call)?);
        }
        let after = self.end + bytes.len() as u64;
        if after > self.reserved {
            self.file.reserve(after + AHEAD)?;
            self.reserved = after + AHEAD;
        }
        self.file.write_at(self.end, &bytes)?;
        self.file.sync()?;
        self.end = after;
        for (call, _) in group {
            self.newest.insert(call.call_id, call.clone());
        }
        if self.end > SMALL.max(self.live * 4) { self.renew(wanted) } else { Ok(()) }
    }

    /// Begins a new file with what is newest and still wanted, and removes the old one.
    fn renew(&mut self, wanted: &dyn Fn(&Call) -> bool) -> Result<(), Error> {
        let old = path(&self.folder, self.number);
        let mut newest = std::mem::take(&mut self.newest);
        newest.retain(|_, call| wanted(call));
        *self = Self::begin(Arc::clone(&self.io), &self.folder, self.number + 1, newest)?;
        Ok(self.io.remove(&old)?)
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.log"))
}

/// The files of the folder, oldest first. There are two when a start was killed in between.
fn numbered(io: &dyn Io, folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok();
    let mut files: Vec<(u64, PathBuf)> =
        io.list(folder)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
    files.sort();
    Ok(files)
}

fn entry(call: &Call) -> Result<Vec<u8>, Error> {
    let payload = serde_json::to_vec(call).map_err(io::Error::from)?;
    let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= MAX_ENTRY);
    let length = length.ok_or_else(|| io::Error::other("a call is larger than 64 KiB"))?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(crc32c::crc32c(&payload).to_be_bytes());
    bytes.extend(payload);
    Ok(bytes)
}

/// Every state in a file, up to the tail that a kill left.
fn read(io: &dyn Io, path: &Path) -> Result<Vec<Call>, Error> {
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
    let rest = &bytes[at..];
    // Lengths begin with a zero byte, so few places have to be looked at.
    let mut places = (1..rest.len()).filter(|from| rest[*from] == 0);
    match places.any(|from| whole(&rest[from..]).is_some()) {
        true => Err(damaged(at)),
        false => Ok(calls),
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
