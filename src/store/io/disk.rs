//! The file system of the machine.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::{Errno, retry_on_intr},
};

use super::{File, Io};

/// Who may touch the files: nobody but their owner.
const FILE_MODE: u32 = 0o600;
/// Who may touch the folders.
const DIR_MODE: u32 = 0o700;
/// Zeros that are written at a time where the file system cannot reserve room itself.
const ZEROS: usize = 1 << 20;

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

/// A file of it.
#[derive(Debug)]
struct DiskFile(fs::File);

impl Io for Disk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        uninterrupted(|| DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(DiskFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(FILE_MODE);
        Ok(Box::new(DiskFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        uninterrupted(|| fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| fs::remove_file(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        let room = retry_on_intr(|| statvfs(dir))?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }
}

impl File for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        let held = self.len()?;
        let end = len.max(held);
        if end == 0 {
            return Ok(());
        }
        match retry_on_intr(|| fallocate(&self.0, FallocateFlags::empty(), 0, end)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(&mut self.0, held, end),
            reserved => Ok(reserved?),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Repeats a call that a signal interrupted; opening, reading, writing and syncing do so by
/// themselves.
fn uninterrupted(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Writes zeros from the end of a file on. They are synced, since only then a full disk is certain
/// to have spoken.
fn fill(file: &mut fs::File, mut at: u64, end: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    while at < end {
        let step = (end - at).min(ZEROS as u64);
        file.write_all_at(&zeros[..step as usize], at)?;
        at += step;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn files_and_folders_belong_to_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, file) = (folder.path().join("a/b"), folder.path().join("a/b/f"));
        Disk.make_dir(&dir).unwrap();
        Disk.create(&file).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&file)), (DIR_MODE, FILE_MODE));
    }

    #[test]
    fn reserved_room_is_taken_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        Disk.create(&path).unwrap().reserve(3 << 20).unwrap();
        assert!(fs::metadata(&path).unwrap().blocks() * 512 >= 3 << 20);
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut answers = vec![Ok(()), Err(Errno::INTR.into()), Err(Errno::INTR.into())];
        uninterrupted(|| answers.pop().unwrap()).unwrap();
        assert!(answers.is_empty());
        assert!(uninterrupted(|| Err(Errno::MFILE.into())).is_err());
    }

    #[test]
    fn zeros_go_to_the_end_and_nowhere_else() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all_at(b"ab", 0).unwrap();
        let end = 2 * ZEROS as u64 + 7;
        fill(&mut file, 2, end).unwrap();
        assert_eq!(file.metadata().unwrap().len(), end);
        let mut head = [1; 4];
        file.read_exact_at(&mut head, 0).unwrap();
        assert_eq!(&head, b"ab\0\0");
    }
}
