//! A file system in memory that fails as told, always in the same way.
//!
//! It keeps apart what the process sees and what is on the platter. [`Faulty::power_cut`] answers
//! what the next process would find: everything that was synced, and of the rest what chance and
//! POSIX leave. Unsynced pages of 4 KiB are kept or dropped one by one, some torn between sectors of
//! 512 bytes or of an older version; a length may have grown in part; names that no
//! [`Io::sync_dir`] covers are kept or dropped in any order, but a rename is the old or the new name
//! and a file never has two.

mod data;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fastrand::Rng;
use rustix::io::Errno;

use self::tree::{Id, Tree};
use super::{File, Io};

/// Bytes that fit when nothing else is said.
const CAPACITY: u64 = 1 << 40;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device fails; nothing is done.
    Eio,
    /// There is no room; nothing is done.
    Enospc,
    /// The system answers this error; nothing is done.
    Of(Errno),
    /// The caller has no right to it; nothing is done.
    Denied,
    /// There is no room for all of it: half of a write or reservation is done. Other calls do
    /// nothing.
    ShortWrite,
    /// The sync fails and loses for good what was to be synced, though the process still sees it.
    /// Other calls do nothing.
    SyncFailed,
    /// The power goes while the call is under way: nothing becomes durable any more, and every
    /// later call fails.
    PowerOff,
}

/// What a call was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the methods of `Io` and `File` have these names")]
pub enum Op {
    MakeDir,
    List,
    Open,
    Create,
    Rename,
    Remove,
    SyncDir,
    FreeSpace,
    Read,
    Write,
    Reserve,
    Sync,
}

impl Op {
    /// Whether a handle is opened for it.
    pub fn opens(self) -> bool {
        matches!(self, Self::List | Self::Open | Self::Create | Self::SyncDir)
    }
}

/// A call that reached the disk. Asking an open file for its length does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it was to do.
    pub op: Op,
    /// To what: the path before a rename, and that by which a file was opened.
    pub path: Arc<Path>,
}

/// A file system with faults; clones share everything.
#[derive(Debug, Clone)]
pub struct Faulty(Arc<Mutex<Shared>>);

/// All of a file system at one moment, for the process and on the platter.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot(Tree);

#[derive(Debug)]
struct Shared {
    tree: Tree,
    calls: Vec<Call>,
    faults: BTreeMap<usize, Fault>,
    awaited: Option<Awaited>,
    off: bool,
    /// Whether every handle is taken.
    starved: bool,
}

/// A fault for the first call that the test takes.
struct Awaited(Fault, Box<dyn FnMut(&Call) -> bool + Send>);

#[derive(Debug)]
struct FaultyFile {
    disk: Faulty,
    path: Arc<Path>,
    id: Id,
}

/// How much of a call is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Half,
    /// Its effect is that of a sync that loses what it should keep.
    Loss,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Eio | Self::SyncFailed | Self::PowerOff => Errno::IO.into(),
            Self::Enospc | Self::ShortWrite => Errno::NOSPC.into(),
            Self::Of(errno) => errno.into(),
            Self::Denied => Errno::ACCESS.into(),
        }
    }

    /// What of the call is done nevertheless.
    fn extent(self, op: Op) -> Option<Extent> {
        match (self, op) {
            (Self::ShortWrite, Op::Write | Op::Reserve) => Some(Extent::Half),
            (Self::SyncFailed, Op::Sync | Op::SyncDir) => Some(Extent::Loss),
            (Self::PowerOff, Op::Sync | Op::SyncDir) => None,
            (Self::PowerOff, _) => Some(Extent::Whole),
            _ => None,
        }
    }
}

impl Default for Faulty {
    fn default() -> Self {
        Self::new()
    }
}

impl Faulty {
    /// Makes an empty file system; the folder `/` is there.
    pub fn new() -> Self {
        Self::of(Tree::new(CAPACITY))
    }

    fn of(tree: Tree) -> Self {
        let shared = Shared {
            tree,
            calls: Vec::new(),
            faults: BTreeMap::new(),
            awaited: None,
            off: false,
            starved: false,
        };
        Self(Arc::new(Mutex::new(shared)))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how many bytes the files may have together.
    pub fn set_capacity(&self, bytes: u64) {
        self.shared().tree.capacity = bytes;
    }

    /// Takes away every handle that is free, or gives them back. What is open stays open.
    pub fn starve(&self, starved: bool) {
        self.shared().starved = starved;
    }

    /// Number of calls so far.
    pub fn calls(&self) -> usize {
        self.shared().calls.len()
    }

    /// The calls so far.
    pub fn log(&self) -> Vec<Call> {
        self.shared().calls.clone()
    }

    /// Fails the call that will have this place in [`Self::log`], counted from 0; once, except that
    /// [`Fault::PowerOff`] lasts.
    pub fn fail_at(&self, call: usize, fault: Fault) {
        self.shared().faults.insert(call, fault);
    }

    /// Fails the first call from now on that the test takes; it sees every call once.
    pub fn fail_when(&self, fault: Fault, test: impl FnMut(&Call) -> bool + Send + 'static) {
        self.shared().awaited = Some(Awaited(fault, Box::new(test)));
    }

    /// Takes back every fault that did not come yet; whether the power is still on.
    pub fn call_off(&self) -> bool {
        let mut shared = self.shared();
        shared.faults.clear();
        shared.awaited = None;
        !shared.off
    }

    /// Answers what is left after a power cut now, with the power back on. Each unsynced page,
    /// length and name is kept with the probability `keep`: 0 drops them all, 1 keeps them all.
    #[must_use]
    pub fn power_cut(&self, random: &mut Rng, keep: f64) -> Self {
        Self::of(self.shared().tree.cut(random, keep))
    }

    /// Turns over one bit of a file, counted from its start, for the process and on the platter.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut shared = self.shared();
        let id = shared.tree.find(path)?;
        match shared.tree.file_mut(id)?.flip(bit) {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Every file with its content, as the process sees them.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let shared = self.shared();
        shared.tree.files().into_iter().map(|(path, data)| (path, data.bytes())).collect()
    }

    /// Keeps everything as it is now; calls and faults do not belong to it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.shared().tree.clone())
    }

    /// Makes everything as it was; a file that did not exist then fails when it is used.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.shared().tree = snapshot.0.clone();
    }

    /// Counts a call, then does it or fails it.
    fn call<T>(
        &self,
        op: Op,
        path: &Arc<Path>,
        act: impl FnOnce(&mut Tree, Extent) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut shared = self.shared();
        if shared.off {
            return Err(Fault::PowerOff.error());
        }
        let number = shared.calls.len();
        let call = Call { op, path: Arc::clone(path) };
        let awaited = shared.awaited.take_if(|awaited| awaited.1(&call)).map(|awaited| awaited.0);
        shared.calls.push(call);
        let starved = (shared.starved && op.opens()).then_some(Fault::Of(Errno::MFILE));
        let Some(fault) = shared.faults.remove(&number).or(awaited).or(starved) else {
            return act(&mut shared.tree, Extent::Whole);
        };
        shared.off = fault == Fault::PowerOff;
        if let Some(extent) = fault.extent(op) {
            act(&mut shared.tree, extent)?;
        }
        Err(fault.error())
    }

    fn file(&self, path: Arc<Path>, id: Id) -> Box<dyn File> {
        Box::new(FaultyFile { disk: self.clone(), path, id })
    }
}

impl std::fmt::Debug for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Awaited").field(&self.0).finish_non_exhaustive()
    }
}

impl From<Snapshot> for Faulty {
    fn from(snapshot: Snapshot) -> Self {
        Self::of(snapshot.0)
    }
}

impl Io for Faulty {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.call(Op::MakeDir, &dir.into(), |tree, _| tree.make_dir(dir))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.call(Op::List, &dir.into(), |tree, _| tree.list(dir))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let path: Arc<Path> = path.into();
        let id = self.call(Op::Open, &path, |tree, _| {
            let id = tree.find(&path)?;
            tree.file(id).map(|_| id)
        })?;
        Ok(self.file(path, id))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let path: Arc<Path> = path.into();
        let id = self.call(Op::Create, &path, |tree, _| tree.create(&path))?;
        Ok(self.file(path, id))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Op::Rename, &from.into(), |tree, _| tree.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Op::Remove, &path.into(), |tree, _| tree.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.call(Op::SyncDir, &dir.into(), |tree, extent| match extent {
            Extent::Loss => tree.lose_dir(dir),
            Extent::Whole | Extent::Half => tree.sync_dir(dir),
        })
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        self.call(Op::FreeSpace, &dir.into(), |tree, _| tree.find(dir).map(|_| tree.free()))
    }
}

impl File for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.shared().tree.file(self.id)?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.call(Op::Read, &self.path, |tree, _| tree.file(self.id)?.read(offset, buffer))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.call(Op::Write, &self.path, |tree, extent| {
            let part = if extent == Extent::Half { bytes.len() / 2 } else { bytes.len() };
            let held = tree.file(self.id)?.len();
            let end = offset.saturating_add(part as u64);
            // A full disk takes what it can.
            let limit = if end > held { held.saturating_add(tree.free()) } else { end };
            let fits = limit.min(end).saturating_sub(offset) as usize;
            tree.file_mut(self.id)?.write(offset, &bytes[..fits]);
            if fits < part { Err(Fault::Enospc.error()) } else { Ok(()) }
        })
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.disk.call(Op::Reserve, &self.path, |tree, extent| {
            let more = len.saturating_sub(tree.file(self.id)?.len());
            let more = if extent == Extent::Half { more / 2 } else { more };
            if more > tree.free() {
                return Err(Fault::Enospc.error());
            }
            let data = tree.file_mut(self.id)?;
            data.grow(data.len() + more);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.call(Op::Sync, &self.path, |tree, extent| {
            let data = tree.file_mut(self.id)?;
            match extent {
                Extent::Loss => data.lose(),
                Extent::Whole | Extent::Half => data.sync(),
            }
            Ok(())
        })
    }
}
