//! Files of secrets, as a server takes them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Writes a file that its owner alone can read.
pub(crate) fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    fs::write(&path, text).unwrap();
    set_mode(path, 0o600);
}

pub(crate) fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
