//! Why a server ends.

use std::io;

use crate::{secrets::vault, store};

/// Why a server ended before it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be read.
    #[error("the store cannot be used: {0}")]
    Store(#[from] store::Error),
    /// What is stored cannot be opened with the key ring.
    #[error(transparent)]
    Secret(#[from] vault::OpenError),
    /// The transport could not be started.
    #[error("the transport cannot be started: {0}")]
    Transport(#[from] io::Error),
    /// A panic of a task without which the server would go on with stale or half-changed state.
    #[error("the task `{0}` panicked; the log has the reason")]
    Task(&'static str),
}
