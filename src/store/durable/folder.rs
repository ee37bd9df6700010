//! The folders of the local disk: who may touch them, and what must go before the index is opened.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::store::{Error, Result};

/// File in the folder that is locked as well, for programs that know no other lock.
const LOCK: &str = "lock";
/// File that sled itself locks.
const SLED_LOCK: &str = "db";
/// How long an opener waits for a sled that is being closed.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Who may touch the folder.
const MODE: u32 = 0o700;

/// A folder that this process has for itself, as long as this lives.
///
/// The folder itself is locked, so no file in it says who has it, and removing one changes
/// nothing. What the path leads to may become another folder all the same; see [`Lock::holds`].
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Of the folder.
    id: Id,
    /// The file of the lock, where folders cannot be locked.
    file_id: Option<Id>,
    _dir: File,
    _file: Option<File>,
}

/// What tells one file from another: device and number.
type Id = (u64, u64);

/// Takes the folder, and makes it when there is none. Nothing in it is touched before the lock is
/// ours.
pub(super) fn take(folder: &Path) -> Result<Lock> {
    let made = DirBuilder::new().recursive(true).mode(MODE).create(folder);
    let dir = made.and_then(|()| File::open(folder)).map_err(|error| no_access(folder, &error))?;
    let alone = lock_dir(&dir, folder)?;
    with_file(folder, dir, alone)
}

/// The same where the file system locks no folders.
#[cfg(test)]
pub(super) fn take_without_dir(folder: &Path) -> Result<Lock> {
    with_file(folder, File::open(folder)?, false)
}

fn with_file(folder: &Path, dir: File, alone: bool) -> Result<Lock> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(folder.join(LOCK)).map_err(|error| no_access(folder, &error))?;
    Lock::new(folder, dir, Some(file), alone)
}

/// Takes the folder without making anything: none when there is no such folder.
pub(super) fn take_existing(folder: &Path) -> Result<Option<Lock>> {
    let dir = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let alone = lock_dir(&dir, folder)?;
    // A lock asks for no right to write.
    let file = match File::open(folder.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        opened => Some(opened?),
    };
    Lock::new(folder, dir, file, alone).map(Some)
}

/// Locks a folder; false where the file system cannot.
fn lock_dir(dir: &File, folder: &Path) -> Result<bool> {
    match dir.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "the folder cannot be locked; its file `{LOCK}` is");
            Ok(false)
        }
    }
}

// === impl Lock ===

impl Lock {
    fn new(folder: &Path, dir: File, file: Option<File>, alone: bool) -> Result<Self> {
        if let Some(file) = &file
            && !locked(file)?
        {
            return Err(Error::InUse(folder.to_owned()));
        }
        let file_id = match &file {
            Some(file) if !alone => Some(id(&file.metadata()?)),
            _ => None,
        };
        let lock = Self {
            path: folder.to_owned(),
            id: id(&dir.metadata()?),
            file_id,
            _dir: dir,
            _file: file,
        };
        lock.holds()?;
        Ok(lock)
    }

    /// Whether the path still leads to the folder that is locked. Who moves the folder, or puts
    /// another in its place, takes it away from this process.
    pub(super) fn holds(&self) -> Result<()> {
        let lost = |what: &str| {
            let folder = self.path.display();
            Err(Error::Refused(format!("{folder}: {what}; another server may be using it now")))
        };
        match fs::metadata(&self.path) {
            Ok(found) if id(&found) != self.id => {
                return lost("another folder has taken its place");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return lost("the folder is gone");
            }
            // What cannot be told is not taken for a loss.
            _ => {}
        }
        let Some(file_id) = self.file_id else { return Ok(()) };
        match fs::metadata(self.path.join(LOCK)) {
            Ok(found) if id(&found) != file_id => lost("another file `lock` has taken its place"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                lost("the file `lock` is gone")
            }
            _ => Ok(()),
        }
    }
}

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

/// Says whose folder cannot be used, and who may use it.
fn no_access(folder: &Path, error: &io::Error) -> Error {
    let folder = folder.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::Refused(format!("{folder}: {error}: run as the user who owns the folder"))
        }
        _ => Error::Engine(format!("{folder}: {error}")),
    }
}

/// Whether there is nothing but the lock in a folder, which this process holds.
pub(super) fn holds_nothing_else(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != LOCK {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the file of the lock, which this process holds.
pub(super) fn give_up(folder: &Path) {
    std::fs::remove_file(folder.join(LOCK)).ok();
}

/// Makes the folder of an index ready to be opened, if it is there.
pub(super) fn make_ready(index: &Path) -> Result<()> {
    if index.is_dir() {
        await_sled(index)?;
        remove_leftovers(index)?;
    }
    Ok(())
}

/// Makes everything in a folder durable, which sled's own flush does not.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync(&path)? } else { File::open(path)?.sync_all()? }
    }
    File::open(folder)?.sync_all()
}

/// Removes a folder with its content, if it is there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Takes the lock of a file; false when another one has it.
fn locked(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Waits until sled's own lock is free: a closed sled gives it up a moment after ours, when its
/// background threads end. A program that does not know our lock keeps it.
fn await_sled(folder: &Path) -> Result<()> {
    let since = Instant::now();
    let file = match OpenOptions::new().write(true).open(folder.join(SLED_LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    while !locked(&file)? {
        if since.elapsed() >= LOCK_WAIT {
            return Err(Error::InUse(folder.to_owned()));
        }
        sleep(LOCK_WAIT / 100);
    }
    Ok(())
}

/// Removes `*.generating` from the folder and the folders in it: an interrupted start leaves them
/// behind, and sled refuses a half-written snapshot.
fn remove_leftovers(folder: &Path) -> Result<()> {
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && depth == 0 {
                folders.push((path, 1));
            } else if path.extension().is_some_and(|end| end == "generating") {
                std::fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}
