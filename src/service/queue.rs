//! A bounded queue for work that takes a processor long: few run, few wait, and the callers take turns.
//!
//! Among those of one caller the order is that of arrival, and no caller has more than half of the
//! places, so one who asks much waits behind oneself and not before others.
//!
//! What waits holds its request in memory, so the queue ends where it is full: a further caller is
//! refused at once and may come again. A caller who goes away, or whose deadline passes, frees its
//! place while it waits; work that has begun frees it at its end, and can ask whether its caller is
//! [gone](Caller::is_gone).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{sync::oneshot, task::spawn_blocking};

use crate::{
    domain::{Reason, Refusal},
    trace::carry,
};

/// Work that runs at the same time. Processors are left to the calls of agents.
const RUNNING: usize = 2;
/// Lists of writes that wait. With messages of at most 4 MiB they hold 64 MiB, and the last one waits
/// for eight times what one takes.
const WRITES_WAITING: usize = 16;
/// Scans that wait: their requests are small, and each takes some milliseconds.
const SCANS_WAITING: usize = 128;

/// The queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    /// Most that may wait.
    waiting: usize,
    admitted: Arc<Mutex<Admitted>>,
}

/// What runs or waits.
#[derive(Debug, Default)]
struct Admitted {
    all: usize,
    running: usize,
    /// By caller; who has none has no entry.
    of_caller: HashMap<String, OfCaller>,
    /// Callers of whom something waits, the next one first.
    next: VecDeque<String>,
}

/// What one caller has.
#[derive(Debug, Default)]
struct OfCaller {
    /// Running or waiting.
    all: usize,
    waiting: VecDeque<oneshot::Sender<Running>>,
}

/// A place among those that wait or run; it is free again once this is dropped.
#[derive(Debug)]
struct Ticket {
    admitted: Arc<Mutex<Admitted>>,
    caller: String,
}

/// A place among those that run; the next one has it once this is dropped.
#[derive(Debug)]
struct Running(Option<Arc<Mutex<Admitted>>>);

/// The permit to run.
#[derive(Debug)]
pub(super) struct Turn {
    // Dropped in this order: who is let in next finds the ticket given back.
    _ticket: Ticket,
    _running: Running,
}

/// The caller of work that runs.
#[derive(Debug)]
pub(super) struct Caller(Weak<()>);

impl Caller {
    /// Whether nobody waits for the result any more.
    pub(super) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Queue {
    /// A queue of lists of writes.
    pub(super) fn of_writes() -> Self {
        Self::new(WRITES_WAITING)
    }

    /// A queue of reads that scan.
    pub(super) fn of_scans() -> Self {
        Self::new(SCANS_WAITING)
    }

    fn new(waiting: usize) -> Self {
        Self { waiting, admitted: Arc::default() }
    }

    /// Most of one caller, running or waiting.
    fn of_one_caller(&self) -> usize {
        (RUNNING + self.waiting) / 2
    }

    /// Waits until it is the turn of a caller.
    ///
    /// # Errors
    /// SERVER_BUSY, with a retry delay, when too much waits already, of all or of this caller.
    pub(super) async fn turn(&self, caller: &str) -> Result<Turn, Refusal> {
        let (ticket, running) = self.admit(caller)?;
        let running = running.await.map_err(|_| failed())?;
        Ok(Turn { _running: running, _ticket: ticket })
    }

    /// A place, and what is received when it is its turn.
    fn admit(&self, caller: &str) -> Result<(Ticket, oneshot::Receiver<Running>), Refusal> {
        let most = self.of_one_caller();
        let mut locked = lock(&self.admitted);
        let admitted = &mut *locked;
        if admitted.of_caller.get(caller).is_some_and(|own| own.all >= most) {
            return Err(busy("Too many such calls of this caller wait already.", most));
        }
        if admitted.all >= RUNNING + self.waiting {
            let message = "Too many such calls wait already; try again later.";
            return Err(busy(message, self.waiting));
        }
        admitted.all += 1;
        let own = admitted.of_caller.entry(caller.to_owned()).or_default();
        own.all += 1;
        let (sender, receiver) = oneshot::channel();
        if own.waiting.is_empty() {
            admitted.next.push_back(caller.to_owned());
        }
        own.waiting.push_back(sender);
        drop(locked);
        let ticket = Ticket { admitted: Arc::clone(&self.admitted), caller: caller.to_owned() };
        if let Some(running) = Running::begin(&self.admitted) {
            running.hand_on();
        }
        Ok((ticket, receiver))
    }
}

impl Running {
    /// One of the places, if one is free.
    fn begin(admitted: &Arc<Mutex<Admitted>>) -> Option<Self> {
        let mut locked = lock(admitted);
        let is_free = locked.running < RUNNING;
        locked.running += usize::from(is_free);
        is_free.then(|| Self(Some(Arc::clone(admitted))))
    }

    /// Gives the place to the next one that still waits; where none does it is free.
    fn hand_on(mut self) {
        let Some(admitted) = self.0.take() else { return };
        loop {
            let mut locked = lock(&admitted);
            let Some(next) = locked.next_waiting() else {
                locked.running -= 1;
                return;
            };
            drop(locked);
            match next.send(Self(Some(Arc::clone(&admitted)))) {
                Ok(()) => return,
                // Its caller went away.
                Err(mut back) => back.0 = None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.is_some() {
            Self(self.0.take()).hand_on();
        }
    }
}

impl Admitted {
    /// The first that waits, of the next caller; that caller stands behind all others then.
    fn next_waiting(&mut self) -> Option<oneshot::Sender<Running>> {
        while let Some(caller) = self.next.pop_front() {
            let Some(own) = self.of_caller.get_mut(&caller) else { continue };
            let first = own.waiting.pop_front();
            if !own.waiting.is_empty() {
                self.next.push_back(caller);
            }
            if first.is_some() {
                return first;
            }
        }
        None
    }
}

impl Turn {
    /// Runs work on a thread for blocking work. When the caller goes away it ends as soon as it asks,
    /// and the turn lasts as long.
    ///
    /// # Errors
    /// INTERNAL when it panics.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Caller) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let waits = Arc::new(());
        let caller = Caller(Arc::downgrade(&waits));
        let work = move || {
            let _turn = self;
            work(&caller)
        };
        let done = spawn_blocking(carry(work)).await;
        drop(waits);
        done.map_err(|_| failed())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut locked = lock(&self.admitted);
        let admitted = &mut *locked;
        admitted.all -= 1;
        let Some(own) = admitted.of_caller.get_mut(&self.caller) else { return };
        own.all -= 1;
        // One who went away leaves nothing behind.
        own.waiting.retain(|waits| !waits.is_closed());
        if own.waiting.is_empty() {
            admitted.next.retain(|caller| *caller != self.caller);
        }
        if own.all == 0 {
            admitted.of_caller.remove(&self.caller);
        }
    }
}

/// What is behind it is changed whole.
fn lock(admitted: &Mutex<Admitted>) -> MutexGuard<'_, Admitted> {
    admitted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy(message: &str, limit: usize) -> Refusal {
    Refusal::new(Reason::ServerBusy, message).with("limit", limit)
}

fn failed() -> Refusal {
    Refusal::new(Reason::Internal, "The call failed because of a mistake of the server.")
}

#[cfg(test)]
mod tests;
