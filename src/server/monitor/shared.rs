//! What the server and the listener for probes share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{figures::Figures, phase::Phase};

/// The figures, and the phase of the server.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) figures: Figures,
    phase: Mutex<Phase>,
}

impl Shared {
    /// A server that starts.
    pub(super) fn new(figures: Figures) -> Self {
        Self { figures, phase: Mutex::new(Phase::Starting) }
    }

    /// Held for a clone or an assignment, never while anything is asked of a server.
    pub(super) fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
