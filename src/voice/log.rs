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
};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Call;
use crate::{
    store::{
        Lack,
        io::{File, Io},
    },
    tasks::{OnPanic, Tasks},
};

/// First bytes of a file; the last one is the version of the format.
const MAGIC: &[u8; 8] = b"dpcalls\x01";
/// Bytes before each entry: its length and its CRC32C, big endian.
const HEAD: usize = 8;
/// States that may wait for the disk. Further ones are refused: they would only be late as well.
const QUEUE: usize = 1_024;
/// Longest entry.
const MAX_ENTRY: usize = 64 << 10;
/// Room that is reserved ahead, so that a sync has no length to write.
const AHEAD: u64 = 1 << 20;
/// A smaller file is not worth writing anew.
const SMALL: u64 = 4 << 20;

/// Takes states of calls; a clone writes to the same file.
#[derive(Debug, Clone)]
pub struct Log {
    queue: Option<mpsc::Sender<Entry>>,
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
        tasks: &Tasks,
        io: Arc<dyn Io>,
        folder: &Path,
        wanted: impl Fn(&Call) -> bool + Send + 'static,
    ) -> Result<(Self, Vec<Call>), Error> {
        let mut newest = HashMap::new();
        let mut files = numbered(&*io, folder)?;
        let mut end = 0;
        for (_, path) in &files {
            let (calls, whole) = read(&*io, path)?;
            newest.extend(calls.into_iter().map(|call| (call.call_id, call)));
            end = whole as u64;
        }
        newest.retain(|_, call| wanted(call));
        let last = files.pop();
        let mut writer = Writer {
            io,
            folder: folder.to_owned(),
            number: last.as_ref().map_or(0, |(number, _)| *number),
            open: None,
            unsynced: false,
            old: files.into_iter().map(|(_, path)| path).collect(),
            newest,
            renew_at: 0,
        };
        let begun = writer.begin();
        match (begun, last) {
            (Ok(()), _) => {}
            // What is there goes on being written, and a new file is begun when there is room.
            (Err(error), last) if Lack::of(&error) == Some(Lack::Full) => {
                tracing::warn!(%error, "no new log of calls can be begun for the moment");
                if let Some((_, path)) = last {
                    writer.resume(&path, end)?;
                }
            }
            (Err(error), _) => return Err(error.into()),
        }
        let calls = writer.newest.values().cloned().collect();
        let (queue, entries) = mpsc::channel(QUEUE);
        // Calls are refused without it, and nothing but a new start finds out what is on the disk.
        let work = move || writer.run(entries, &wanted);
        tasks.thread("deskplane-calls", OnPanic::EndProcess, work)?;
        Ok((Self { queue: Some(queue) }, calls))
    }

    /// Hands in a state. What is handed in first is on the disk first; the answer comes once it is.
    /// It never waits for room in the queue, for the caller holds a lock: what finds it full is not
    /// kept.
    pub(super) fn put(&self, call: &Call) -> Kept {
        let (told, kept) = oneshot::channel();
        match &self.queue {
            // A sender that is dropped unused says that the state is not kept.
            Some(queue) => drop(queue.try_send((call.clone(), told))),
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
    /// Number of the newest file.
    number: u64,
    /// None until there is room for a first one.
    open: Option<Open>,
    /// Whether the name of the newest file may not last.
    unsynced: bool,
    /// What it makes superfluous.
    old: Vec<PathBuf>,
    newest: HashMap<Uuid, Call>,
    /// Length at which a new file is begun.
    renew_at: u64,
}

/// The file that is written.
#[derive(Debug)]
struct Open {
    file: Box<dyn File>,
    /// End of the last entry.
    end: u64,
    reserved: u64,
}

// What is lacking for the moment (`Lack`) refuses a group before it is written, and may be there for
// the next one. After a write or a sync that failed nothing is written any more, whatever the error.
impl Writer {
    /// Begins a new file with the newest states; it counts once it has its name, and until then
    /// everything is as it was.
    fn begin(&mut self) -> io::Result<()> {
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
        let made = file.write_at(0, &bytes).and_then(|()| file.sync());
        let named = made.and_then(|()| self.io.rename(&temporary, &path(&self.folder, after)));
        if let Err(error) = named {
            self.io.remove(&temporary).ok();
            return Err(error);
        }
        if before > 0 {
            self.old.push(path(&self.folder, before));
        }
        let end = bytes.len() as u64;
        self.open = Some(Open { file, end, reserved: end });
        (self.number, self.unsynced) = (after, true);
        self.renew_at = SMALL.max(end * 4);
        self.sync_names()
    }

    /// Makes sure that the name of the newest file lasts, and removes what it makes superfluous.
    fn sync_names(&mut self) -> io::Result<()> {
        if self.unsynced {
            match self.io.sync_dir(&self.folder) {
                // The folder could not be opened, so nothing is lost.
                Err(error) if Lack::of(&error) == Some(Lack::Handles) => return Err(error),
                synced => synced.map_err(io::Error::other)?,
            }
            self.unsynced = false;
        }
        for old in std::mem::take(&mut self.old) {
            // It says nothing that the newest one does not say; a start removes it, too.
            if let Err(error) = self.io.remove(&old) {
                tracing::warn!(%error, path = %old.display(), "an old log is left");
            }
        }
        Ok(())
    }

    /// Goes on with a file behind its last whole entry. What a dead process wrote is made durable
    /// before anybody acts on it.
    fn resume(&mut self, path: &Path, end: u64) -> io::Result<()> {
        let mut file = self.io.open(path)?;
        file.sync()?;
        let reserved = file.len()?;
        self.open = Some(Open { file, end, reserved });
        // A new one is tried soon, for this one holds what nobody wants any more.
        self.renew_at = end;
        Ok(())
    }

    fn run(mut self, mut entries: mpsc::Receiver<Entry>, wanted: &dyn Fn(&Call) -> bool) {
        while let Some(first) = entries.blocking_recv() {
            let (mut group, mut bytes) = (Vec::new(), Vec::new());
            let mut next = Some(first);
            while let Some((call, told)) = next.take() {
                match entry(&call) {
                    Ok(entry) => {
                        bytes.extend(entry);
                        group.push((call, told));
                    }
                    Err(error) => {
                        tracing::error!(%error, call_id = %call.call_id, "a call cannot be kept");
                        let _ = told.send(false);
                    }
                }
                next = entries.try_recv().ok();
            }
            let written = self.write(&bytes);
            let kept = written.is_ok();
            for (call, told) in group {
                if kept {
                    self.newest.insert(call.call_id, call);
                }
                // Whoever asked may be gone.
                let _ = told.send(kept);
            }
            match written.and_then(|()| self.renew(wanted)) {
                Ok(()) => {}
                Err(error) if Lack::of(&error).is_some() => {
                    tracing::warn!(%error, "calls cannot be kept for the moment");
                }
                // What is on the disk after a failed write is not known: nothing more is written.
                Err(error) => {
                    tracing::error!(%error, "calls can be kept no more");
                    return;
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sync_names()?;
        if self.open.is_none() {
            self.begin()?;
        }
        let open = self.open.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let after = open.end + bytes.len() as u64;
        if after > open.reserved {
            open.file.reserve(after + AHEAD)?;
            open.reserved = after + AHEAD;
        }
        let written = open.file.write_at(open.end, bytes).and_then(|()| open.file.sync());
        written.map_err(io::Error::other)?;
        open.end = after;
        Ok(())
    }

    /// Begins a new file with what is newest and still wanted, when the old one has grown.
    fn renew(&mut self, wanted: &dyn Fn(&Call) -> bool) -> io::Result<()> {
        let end = self.open.as_ref().map_or(0, |open| open.end);
        if end <= self.renew_at {
            return Ok(());
        }
        self.newest.retain(|_, call| wanted(call));
        self.begin().inspect_err(|_| self.renew_at = end + AHEAD)
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

/// Every state in a file, up to the tail that a kill left; and where that begins.
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
    let rest = &bytes[at..];
    // Lengths begin with a zero byte, so few places have to be looked at.
    let mut places = (1..rest.len()).filter(|from| rest[*from] == 0);
    match places.any(|from| whole(&rest[from..]).is_some()) {
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
