//! The file of a Unix domain socket that this process made.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

/// Who may connect: the user and the group of the server.
const MODE: u32 = 0o660;

/// The file of a socket; removed with the value, unless another one has taken its place.
#[derive(Debug)]
pub(super) struct OwnSocket {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl OwnSocket {
    /// Listens on a path. A socket that nobody serves any more is replaced; what is no socket, or is
    /// served, stays.
    pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, Self)> {
        if let Ok(there) = fs::symlink_metadata(path) {
            if !there.file_type().is_socket() {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "the path is no socket"));
            }
            match UnixStream::connect(path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    fs::remove_file(path)?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(_) => return Err(ErrorKind::AddrInUse.into()),
            }
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        let identity = identity(path)?;
        Ok((listener, Self { path: path.to_owned(), identity }))
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // A later start replaces it anyway.
            let _ = fs::remove_file(&self.path);
        }
    }
}
