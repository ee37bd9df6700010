//! The end of a server, in stages: it serves, it ends, it ends at once. Each stage has a deadline.
//!
//! | Stage | Deadline |
//! |---|---|
//! | it ends before it serves | [`CLOSE`] |
//! | it ends | the deadline of the drain, then [`CLOSE`] |
//! | the drain is over | [`CLOSE`] |
//! | it ends at once | [`AT_ONCE`] |
//!
//! A waiter for a stage gets it at once when it has been reached before. When the deadline of a
//! stage has passed, and [`SLACK`] with it, the [`Watchdog`] exits, wherever the end hangs.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::Watchdog;

/// Time in which the store must be closed: a last checkpoint of a large store takes seconds.
pub const CLOSE: Duration = Duration::from_secs(10);
/// Time in which a process that was asked twice closes the store.
pub const AT_ONCE: Duration = Duration::from_secs(2);
/// Time that an orderly end has beside: it says more than the watchdog, so it goes first.
pub const SLACK: Duration = Duration::from_secs(2);

/// The end of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ending {
    stage: watch::Sender<Stage>,
    watchdog: Arc<Watchdog>,
    /// Milliseconds that a drain may take; 0 until there is something to drain.
    drain_ms: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Ending,
    AtOnce,
}

impl Ending {
    /// A process that does not end yet, and its watchdog.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn watched() -> io::Result<Self> {
        Ok(Self::with(Watchdog::start()?))
    }

    fn with(watchdog: Watchdog) -> Self {
        let (stage, watchdog) = (watch::Sender::new(Stage::Running), Arc::new(watchdog));
        Self { stage, watchdog, drain_ms: Arc::default() }
    }

    /// From now on an end has to drain, which may take this long.
    pub fn allow_drain(&self, deadline: Duration) {
        let ms = deadline.as_millis().try_into().unwrap_or(u64::MAX);
        self.drain_ms.store(ms, Ordering::Relaxed);
    }

    /// Begins the end, or when it has begun, ends at once. Says which.
    pub fn ask(&self) -> Asked {
        if self.advance(Stage::Ending) {
            let drain = Duration::from_millis(self.drain_ms.load(Ordering::Relaxed));
            self.watchdog.within(drain.saturating_add(CLOSE + SLACK));
            return Asked::First;
        }
        self.at_once();
        Asked::Again
    }

    /// Ends at once.
    pub fn at_once(&self) {
        self.advance(Stage::AtOnce);
        self.watchdog.within(AT_ONCE);
    }

    /// Nothing is served any more: only the store is left to be closed.
    pub fn drained(&self) {
        self.advance(Stage::Ending);
        self.watchdog.within(CLOSE + SLACK);
    }

    /// Whether the end has begun.
    pub fn has_begun(&self) -> bool {
        *self.stage.borrow() >= Stage::Ending
    }

    /// Waits until the end has begun.
    pub async fn begun(&self) {
        self.reached(Stage::Ending).await;
    }

    /// Waits until it is to end at once.
    pub async fn is_at_once(&self) {
        self.reached(Stage::AtOnce).await;
    }

    async fn reached(&self, wanted: Stage) {
        // The sender is part of this value, so it is there.
        self.stage.subscribe().wait_for(|stage| *stage >= wanted).await.ok();
    }

    /// Goes on to a stage; false when it was reached before.
    fn advance(&self, to: Stage) -> bool {
        self.stage.send_if_modified(|stage| {
            let later = *stage < to;
            *stage = to.max(*stage);
            later
        })
    }
}

/// Whether a process was asked to end before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It begins to end.
    First,
    /// It ends at once.
    Again,
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn asked_once_it_ends_and_asked_again_at_once() {
        let ending = Ending::watched().unwrap();
        assert!(!ending.has_begun() && ending.begun().now_or_never().is_none());
        ending.allow_drain(Duration::from_secs(30));
        assert_eq!(ending.ask(), Asked::First);
        ending.begun().await;
        assert!(ending.is_at_once().now_or_never().is_none());
        assert_eq!(ending.ask(), Asked::Again);
        ending.is_at_once().await;
        // A stage that was passed is not returned to.
        ending.drained();
        ending.is_at_once().await;
    }
}
