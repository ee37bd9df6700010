//! Files that hold secrets, or that say whom the server trusts: how they are read, and who else of
//! the machine may reach them.
//!
//! The rule is that of OpenSSH and PostgreSQL. A secret may be read by its owner alone (mode 0600 or
//! less), or, where root owns it, by one group as well (0640): so hand systemd (`LoadCredential=`)
//! and Kubernetes (`defaultMode: 0440` with `fsGroup`) secrets to a service that is not root. What the
//! server trusts (hashes of tokens, key sets, authorities) may be read by everybody, and changed by
//! its owner alone. The file that is read is judged, not the link that leads to it.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// The user who may share a secret with a group.
const ROOT: u32 = 0;
/// Bits of a mode that let the group or others write.
const WRITE: u32 = 0o022;
/// Bits of a mode that give the group or others anything.
const SHARED: u32 = 0o077;
/// The bit that lets the group read.
const GROUP_READ: u32 = 0o040;

/// What others than its owner may do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: to read it is to have the secret. A group may read what root owns.
    Secret,
    /// Read it, but not change it.
    Trusted,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub cause: Cause,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system does not hand it out.
    #[error("{0}")]
    Unreadable(io::Error),
    /// It is a folder, a device, or the like.
    #[error("is neither a regular file nor a pipe")]
    NoFile,
    /// It has more bytes than what it should hold can have.
    #[error("has more than {0} bytes")]
    TooLong(u64),
    /// Others than its owner can read it.
    #[error(
        "has mode {mode:04o}, so others than its owner (uid {owner}) can use it; give it mode 0600, \
         or 0640 where root owns it"
    )]
    Exposed {
        /// The bits of its permissions.
        mode: u32,
        /// Number of the user who owns it.
        owner: u32,
    },
    /// Others than its owner can change it, and so give themselves any right.
    #[error(
        "has mode {mode:04o}, so it can be changed by others than its owner; give it mode 0644 or \
         less"
    )]
    Writable {
        /// The bits of its permissions.
        mode: u32,
    },
}

/// Reads a file of at most `most` bytes that nobody else may reach in ways that `access` rules out.
///
/// # Errors
/// When it cannot be read, is longer, is neither a regular file nor a pipe, or its permissions are too
/// wide.
pub fn read(path: &Path, access: Access, most: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let read = open(path).and_then(|(file, found)| {
        judge(access, &found)?;
        bounded(file, &found, most)
    });
    read.map_err(|cause| FileError { path: path.to_owned(), cause })
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// As [`read`], and when it is no such text.
pub fn read_text(path: &Path, access: Access, most: u64) -> Result<Zeroizing<String>, FileError> {
    let bytes = read(path, access, most)?;
    let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
    let unreadable = |_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8");
    text.map_err(|why| FileError {
        path: path.to_owned(),
        cause: Cause::Unreadable(unreadable(why)),
    })
}

/// The files below a folder that [`read`] would refuse for what others may do with them, for warnings
/// ahead of their use. Hidden entries are left out, by which Kubernetes keeps the versions of a volume.
///
/// # Errors
/// When a folder cannot be listed.
pub fn exposed_below(folder: &Path) -> io::Result<Vec<FileError>> {
    let (mut exposed, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if let Some(cause) = exposure(&path, Access::Secret) {
                exposed.push(FileError { path, cause });
            }
        }
    }
    exposed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(exposed)
}

/// What [`read`] would refuse of the permissions of a file; for those who only warn of them. A file
/// that is none or cannot be examined is not judged.
pub fn exposure(path: &Path, access: Access) -> Option<Cause> {
    let found = path.metadata().ok().filter(Metadata::is_file)?;
    judge(access, &found).err()
}

impl FileError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(&self.cause, Cause::Unreadable(why) if why.kind() == io::ErrorKind::NotFound)
    }
}

fn open(path: &Path) -> Result<(File, Metadata), Cause> {
    let file = File::open(path).map_err(Cause::Unreadable)?;
    // Of what is open: the path may lead to another file by now.
    let found = file.metadata().map_err(Cause::Unreadable)?;
    if is_readable(&found) { Ok((file, found)) } else { Err(Cause::NoFile) }
}

/// Whether it ends: a device may not.
#[cfg(unix)]
fn is_readable(found: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    found.is_file() || found.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_readable(found: &Metadata) -> bool {
    found.is_file()
}

/// Reads into one allocation: one that grew would leave pieces of the secret behind.
fn bounded(file: File, found: &Metadata, most: u64) -> Result<Zeroizing<Vec<u8>>, Cause> {
    if found.len() > most {
        return Err(Cause::TooLong(most));
    }
    let expected = if found.is_file() { found.len() } else { most };
    let room = usize::try_from(expected).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(most + 1).read_to_end(&mut bytes).map_err(Cause::Unreadable)?;
    if bytes.len() as u64 > most { Err(Cause::TooLong(most)) } else { Ok(bytes) }
}

#[cfg(unix)]
fn judge(access: Access, found: &Metadata) -> Result<(), Cause> {
    use std::os::unix::fs::MetadataExt as _;
    permits(access, found.mode(), found.uid())
}

#[cfg(not(unix))]
fn judge(_: Access, _: &Metadata) -> Result<(), Cause> {
    Ok(())
}

/// The rule.
fn permits(access: Access, mode: u32, owner: u32) -> Result<(), Cause> {
    let mode = mode & 0o7777;
    let allowed = if owner == ROOT { GROUP_READ } else { 0 };
    match access {
        Access::Secret if mode & SHARED & !allowed != 0 => Err(Cause::Exposed { mode, owner }),
        Access::Trusted if mode & WRITE != 0 => Err(Cause::Writable { mode }),
        Access::Secret | Access::Trusted => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
