//! Why a secret or its key cannot be used.

use std::io;

/// Variable with the key ring, where no file is named. No reference can lead to it: its name does
/// not begin as those of secrets do.
pub const KEY_RING_VARIABLE: &str = "DESKPLANE_KEY_RING";

/// What is wrong with a secret or its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// There is no key ring.
    #[error(
        "the server has no key ring; name a file in voice.key_ring or set {KEY_RING_VARIABLE}, or \
         give the secret as `env:…` or `file:…`"
    )]
    NoKeys,
    /// The ring has no key of that id.
    #[error("its key {0} is not in the key ring")]
    KeyMissing(String),
    /// The ring's key of that id did not seal it.
    #[error("the key {0} in the key ring is a wrong key: it did not seal this secret")]
    WrongKey(String),
    /// What is stored was changed.
    #[error("what is stored of it was changed or belongs elsewhere")]
    Damaged,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// No secrets folder is configured.
    #[error("it is a file, and voice.secrets_dir names no folder")]
    NoFolder,
    /// The variable is not there.
    #[error("the variable {0} is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("the file that it refers to cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// Others can use the file that it refers to.
    #[error("the file that it refers to {0}")]
    Exposed(String),
    /// What it refers to is no secret.
    #[error("what it refers to {0}")]
    Unfit(&'static str),
}
