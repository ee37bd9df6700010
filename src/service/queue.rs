//! A bounded queue for work that takes a processor long: few run, few wait, and no caller has more
//! than half of the places.
//!
//! What waits holds its request in memory, so the queue ends where it is full: a further caller is
//! refused at once and may come again. A caller who goes away, or whose deadline passes, frees its
//! place while it waits; work that has begun frees it at its end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::{
    domain::{Reason, Refusal},
    trace::carry,
};

/// Work that runs at the same time. Processors are left to the calls of agents.
const RUNNING: usize = 2;
/// Work that waits. With messages of at most 4 MiB they hold 64 MiB, and the last one waits for
/// eight times what one takes.
const WAITING: usize = 16;
/// Work of one caller, running or waiting.
const OF_ONE_CALLER: usize = (RUNNING + WAITING) / 2;

/// The queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    running: Arc<Semaphore>,
    admitted: Arc<Mutex<Admitted>>,
}

/// What runs or waits.
#[derive(Debug, Default)]
struct Admitted {
    all: usize,
    /// By caller; who has none has no entry.
    of_caller: HashMap<String, usize>,
}

/// A place among those that wait or run; it is free again once this is dropped.
#[derive(Debug)]
struct Ticket {
    admitted: Arc<Mutex<Admitted>>,
    caller: String,
}

/// The permit to run.
#[derive(Debug)]
pub(super) struct Turn {
    _running: OwnedSemaphorePermit,
    _ticket: Ticket,
}

impl Default for Queue {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(RUNNING)), admitted: Arc::default() }
    }
}

impl Queue {
    /// Waits until work of a caller may run, in the order of arrival.
    ///
    /// # Errors
    /// SERVER_BUSY, with a retry delay, when too much waits already, of all or of this caller.
    pub(super) async fn turn(&self, caller: &str) -> Result<Turn, Refusal> {
        let ticket = self.ticket(caller)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| failed())?;
        Ok(Turn { _running: running, _ticket: ticket })
    }

    fn ticket(&self, caller: &str) -> Result<Ticket, Refusal> {
        let mut admitted = lock(&self.admitted);
        let own = admitted.of_caller.get(caller).copied().unwrap_or(0);
        if admitted.all >= RUNNING + WAITING || own >= OF_ONE_CALLER {
            return Err(busy(own));
        }
        admitted.all += 1;
        admitted.of_caller.insert(caller.to_owned(), own + 1);
        Ok(Ticket { admitted: Arc::clone(&self.admitted), caller: caller.to_owned() })
    }
}

impl Turn {
    /// Runs work on a thread for blocking work. It goes on when the caller goes away, and the turn
    /// lasts as long.
    ///
    /// # Errors
    /// INTERNAL when it panics.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let work = move || {
            let _turn = self;
            work()
        };
        spawn_blocking(carry(work)).await.map_err(|_| failed())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut admitted = lock(&self.admitted);
        admitted.all -= 1;
        if let Some(own) = admitted.of_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                admitted.of_caller.remove(&self.caller);
            }
        }
    }
}

/// Numbers are changed whole.
fn lock(admitted: &Mutex<Admitted>) -> MutexGuard<'_, Admitted> {
    admitted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy(own: usize) -> Refusal {
    let (message, limit) = match own < OF_ONE_CALLER {
        true => ("Too many lists of writes wait already; try again later.", WAITING),
        false => ("Too many lists of writes of this caller wait already.", OF_ONE_CALLER),
    };
    Refusal::new(Reason::ServerBusy, message).with("limit", limit)
}

fn failed() -> Refusal {
    Refusal::new(Reason::Internal, "The list failed because of a mistake of the server.")
}

#[cfg(test)]
mod tests;
