//! The folders of the local disk: who may touch them, and what must go before the index is opened.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::store::{Error, Result};

/// File in the folder whose lock says that a server uses the folder.
const LOCK: &str = "lock";
/// File that sled itself locks.
const SLED_LOCK: &str = "db";
/// How long an opener waits for a sled that is being closed.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Takes the folder for this process, as long as the file lives. Nothing in it is touched before
/// the lock is ours.
pub(super) fn take(folder: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let opened = std::fs::create_dir_all(folder).and_then(|()| options.open(folder.join(LOCK)));
    let lock = opened.map_err(|error| no_access(folder, &error))?;
    if locked(&lock)? { Ok(lock) } else { Err(Error::InUse(folder.to_owned())) }
}

/// Takes the folder without making anything: none when nobody ever had a store open there.
pub(super) fn take_existing(folder: &Path) -> Result<Option<File>> {
    // A lock asks for no right to write.
    match File::open(folder.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => {
            let lock = opened?;
            if locked(&lock)? { Ok(Some(lock)) } else { Err(Error::InUse(folder.to_owned())) }
        }
    }
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
