//! Threads of the store, whose end can be waited for.

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::store::Result;

/// How long a thread may take to end at once: it finishes what it is at, a large group perhaps.
pub(super) const AT_ONCE: Duration = Duration::from_secs(60);

/// A thread that can be waited for for a time.
#[derive(Debug)]
pub(super) struct Worker {
    thread: JoinHandle<()>,
    /// Ends with it.
    ended: mpsc::Receiver<()>,
}

// === impl Worker ===

impl Worker {
    pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<Self> {
        let (ends, ended) = mpsc::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ends: mpsc::Sender<()> = ends;
            work();
        })?;
        Ok(Self { thread, ended })
    }

    /// Waits for its end; after a panic, too.
    pub(super) fn join(self) {
        self.thread.join().ok();
    }

    /// The same, so long at most; false when it goes on.
    pub(super) fn join_within(self, time: Duration) -> bool {
        let ended = self.ended.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Disconnected);
        if ended {
            self.join();
        } else {
            let name = self.thread.thread().name().unwrap_or_default().to_owned();
            tracing::warn!(name, "a thread of the store does not end; it is left to the process");
        }
        ended
    }
}
