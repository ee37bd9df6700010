//! Variables of the environment. One that is set to nothing counts as not set: `NAME= command`,
//! files of variables and manifests of clusters have no other way to leave a variable out.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// The value of a variable that is set to something.
pub fn var(name: impl AsRef<OsStr>) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a variable is set to nothing.
pub fn is_blank(name: impl AsRef<OsStr>) -> bool {
    env::var_os(name).is_some_and(|value| value.is_empty())
}

/// Folder for temporary files.
pub fn temp_dir() -> PathBuf {
    // The standard library takes an empty `TMPDIR` for the current folder.
    if is_blank("TMPDIR") { PathBuf::from("/tmp") } else { env::temp_dir() }
}
