//! The end of a store. It has a deadline, whatever a disk or sled is waiting for: nothing that was
//! acknowledged depends on it, so what does not end in time is left to the end of the process.

use std::{
    sync::{Arc, PoisonError, mpsc},
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;

use super::{Durable, worker::Worker};
use crate::store::{Error, Result};

/// How long a close takes at most when nothing else is said.
const CLOSE: Duration = Duration::from_secs(30);
/// How long before its deadline a close gives up index and last checkpoint, if it has so long.
const GIVE_UP: Duration = Duration::from_secs(2);
/// How long they may take when the process is to end: the journal has everything.
const FINISH: Duration = Duration::from_secs(1);

// === impl Durable ===

impl Durable {
    /// Closes the store: no more commits, a last checkpoint, everything on the disk. The next start
    /// has nothing left to do. It takes 30 seconds at most; see [`Self::close_within`].
    ///
    /// # Errors
    /// When a write has failed before, or now, or when it takes longer; the next start then repairs.
    pub async fn close(&self) -> Result<()> {
        self.close_by(CLOSE, GIVE_UP).await
    }

    /// The same for a process that is to end, within a time. The index may take a second to catch
    /// up, and to write a last checkpoint; what it has not done by then is left to the next start,
    /// which does it while it serves already. So is what the store lacks room for. Both are logged,
    /// and are no errors: the journal has everything.
    ///
    /// # Errors
    /// When a write has failed before, or now; or when something hangs, a disk perhaps. Whatever it
    /// is, it is left behind, and the process can end.
    pub async fn close_within(&self, time: Duration) -> Result<()> {
        let give_up = time.saturating_sub(FINISH).max(GIVE_UP.min(time / 4));
        self.close_by(time, give_up).await
    }

    /// The same; so long before the end index and last checkpoint are given up.
    pub(super) async fn close_by(&self, time: Duration, give_up: Duration) -> Result<()> {
        let Some(indexer) = take(&self.indexer) else {
            return Ok(());
        };
        self.engine.context.stop.signal();
        if self.engine.context.failed() {
            // Nothing more is written.
            self.engine.abandon();
        }
        let (engine, scrubber) = (Arc::clone(&self.engine), take(&self.scrubber));
        let checkpoints = take(&self.checkpoints);
        let (done, closed) = mpsc::sync_channel(1);
        Worker::spawn("deskplane-close", move || {
            if let Some(scrubber) = scrubber {
                scrubber.join();
            }
            engine.shut();
            // A panic in there is noted as a failure.
            indexer.join();
            if let Some(checkpoints) = checkpoints {
                checkpoints.join();
            }
            let sealed = engine.seal();
            // Whoever waits may open the folder next.
            drop(engine);
            // Nobody waits any more when this has taken too long.
            done.send(sealed).ok();
        })?;
        let (engine, end) = (Arc::clone(&self.engine), Instant::now() + time);
        spawn_blocking(move || {
            match closed.recv_timeout(time.saturating_sub(give_up)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Ok(sealed) => return sealed,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::Broken),
            }
            engine.abandon();
            let left = end.saturating_duration_since(Instant::now());
            closed.recv_timeout(left).unwrap_or_else(|_| {
                let why = "it does not come to its end, and is left as it is";
                Err(Error::Engine(format!("{why}: nothing acknowledged is lost")))
            })
        })
        .await?
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.engine.context.stop.signal();
        self.engine.abandon();
        let threads = [&self.indexer, &self.checkpoints, &self.scrubber].map(take);
        for thread in threads.into_iter().flatten() {
            // It ends after the group or piece that it is at, and has told of a failure itself.
            thread.join_within(self.at_once);
        }
    }
}

/// Takes a thread to wait for its end.
fn take(worker: &super::Slot) -> Option<Worker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner).take()
}
