//! The one way in which durable code touches files, so that a test can cut the power or fail any
//! single call.
//!
//! The contract is that of a file system without favours: what was written is durable only after
//! [`File::sync`] of the file, and what a folder lists only after [`Io::sync_dir`] of the folder. A
//! failed sync says that the data may be gone for good; nobody may sync again and believe it.

mod disk;
#[cfg(test)]
pub mod fault;
mod read_only;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

pub use self::{disk::Disk, read_only::ReadOnly};

/// A file system.
pub trait Io: fmt::Debug + Send + Sync + 'static {
    /// Makes a folder and those above it; fine when it is there.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// The entries of a folder, in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Opens a file that exists, to read and write.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Makes a file, to read and write; an error when it exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Gives a file another name, replacing what has that name; atomic, durable after
    /// [`Io::sync_dir`] of both folders.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes that can still be written below a folder.
    fn free_space(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait File: fmt::Debug + Send {
    /// Number of bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads from an offset until the buffer is full; an error of kind `UnexpectedEof` when the file
    /// ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes at an offset; on an error any part of them may be written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reserves room up to this length, filled with zeros; never shortens.
    fn reserve(&mut self, len: u64) -> io::Result<()>;

    /// Makes data and length durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}

/// What a file holds before the zeros at its end, which are bytes that were reserved and not written.
pub fn before_zeros(bytes: &[u8]) -> &[u8] {
    const ZEROS: [u8; 4_096] = [0; 4_096];
    // A block at a time: files are reserved a mebibyte ahead.
    let blocks = bytes.rchunks(ZEROS.len()).take_while(|block| **block == ZEROS[..block.len()]);
    let rest = &bytes[..bytes.len() - blocks.map(<[u8]>::len).sum::<usize>()];
    let end = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &rest[..end]
}
