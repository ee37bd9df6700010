//! Connections that have sent nothing usable yet, oldest first.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

/// The silent connections of a listener. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Silent(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, (Option<IpAddr>, Arc<Flag>)>,
}

#[derive(Debug, Default)]
struct Flag {
    displaced: AtomicBool,
    waker: AtomicWaker,
}

/// The entry of one connection; it leaves the queue when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    flag: Arc<Flag>,
    silent: Silent,
}

impl Silent {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection, with what its address counts as.
    pub(super) fn enter(&self, site: Option<IpAddr>) -> Ticket {
        let mut queue = self.queue();
        let number = queue.next;
        queue.next += 1;
        let flag = Arc::<Flag>::default();
        queue.waiting.insert(number, (site, Arc::clone(&flag)));
        drop(queue);
        Ticket { number, flag, silent: self.clone() }
    }

    /// Has the oldest silent connection close; false when there is none.
    pub(super) fn displace(&self) -> bool {
        let oldest = self.queue().waiting.pop_first();
        oldest.map(|(_, (_, flag))| flag.displace()).is_some()
    }

    /// The same with those of one site.
    pub(super) fn displace_of(&self, site: IpAddr) -> bool {
        let mut queue = self.queue();
        let oldest = queue.waiting.iter().find(|(_, (of, _))| *of == Some(site));
        let number = oldest.map(|(number, _)| *number);
        let oldest = number.and_then(|number| queue.waiting.remove(&number));
        drop(queue);
        oldest.map(|(_, flag)| flag.displace()).is_some()
    }
}

impl Flag {
    fn displace(&self) {
        self.displaced.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Ticket {
    /// Whether the connection has to give way; if not, the waker is woken when it has.
    pub(super) fn is_displaced(&self, waker: &Waker) -> bool {
        self.flag.waker.register(waker);
        self.flag.displaced.load(Ordering::Acquire)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.silent.queue().waiting.remove(&self.number);
    }
}
