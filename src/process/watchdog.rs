//! The last resort at the end of a process: a thread that exits when the deadline has passed.
//!
//! An end can hang anywhere: in a blocking call on a disk that does not answer, in a destructor that
//! waits for a thread, in the shutdown of the runtime. A process that hangs there keeps its lock and
//! its port, and no service manager starts another. So the deadline is kept by a plain thread, which
//! takes part in nothing else and exists before it is needed.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Status of a process that is ended by the watchdog.
const STATUS: i32 = 1;
/// Time for the last line of the log, which can hang, too.
const LAST_LINE: Duration = Duration::from_millis(500);

/// Ends the process when a deadline passes. Dropped, it ends nothing.
#[derive(Debug)]
pub struct Watchdog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    deadline: Option<Instant>,
    dismissed: bool,
}

impl Watchdog {
    /// Starts the thread; without a deadline it waits.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn start() -> io::Result<Self> {
        Self::ending_with(|| {
            let (written, line) = mpsc::channel();
            let logged = thread::Builder::new().spawn(move || {
                tracing::error!("the end took longer than its deadline: exiting without it");
                // Nobody may wait any more.
                written.send(()).ok();
            });
            if logged.is_ok() {
                line.recv_timeout(LAST_LINE).ok();
            }
            std::process::exit(STATUS);
        })
    }

    /// The same with another end than that of the process.
    fn ending_with(end: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let watch = move || {
            if watched.deadline_passes() {
                end();
            }
        };
        thread::Builder::new().name("deskplane-watchdog".to_owned()).spawn(watch)?;
        Ok(Self { shared })
    }

    /// Sets a deadline. The soonest one that was set counts.
    pub fn within(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut state = self.shared.state();
        state.deadline = Some(state.deadline.map_or(deadline, |sooner| sooner.min(deadline)));
        drop(state);
        self.shared.changed.notify_one();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state().dismissed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the deadline has passed, or the watchdog is dropped.
    fn deadline_passes(&self) -> bool {
        let mut state = self.state();
        while !state.dismissed {
            let Some(deadline) = state.deadline else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn watchdog() -> (Watchdog, Receiver<&'static str>) {
        let (ended, end) = mpsc::channel();
        (Watchdog::ending_with(move || ended.send("ended").unwrap()).unwrap(), end)
    }

    #[test]
    fn it_ends_the_process_once_the_soonest_deadline_has_passed() {
        let (watchdog, end) = watchdog();
        watchdog.within(Duration::from_secs(3_600));
        watchdog.within(Duration::from_millis(1));
        watchdog.within(Duration::from_secs(3_600));
        assert_eq!(end.recv_timeout(PATIENCE), Ok("ended"));
    }

    #[test]
    fn an_end_in_time_dismisses_it() {
        let (watchdog, end) = watchdog();
        watchdog.within(Duration::from_secs(3_600));
        drop(watchdog);
        // The thread is gone without having called.
        assert_eq!(end.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }
}
