//! Wake-ups from one executor to another, handed over in batches.
//!
//! To wake a task of another executor takes a lock of that executor, and a system call when it
//! sleeps. A change that concerns ten thousand streams would take both ten thousand times, on the
//! thread that has the next change to look at. So who parks a waker notes the [`Inbox`] of its
//! executor, and [`Wakes`] hands each inbox all that is for it at once; the executor then wakes its
//! own tasks, which costs next to nothing there.

use std::{
    cell::RefCell,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::{sync::Notify, task::yield_now};

/// Tasks that are woken before others of the executor have a turn.
const TURN: usize = 64;

thread_local! {
    static HERE: RefCell<Option<Inbox>> = const { RefCell::new(None) };
}

/// The wake-ups that wait for an executor of one thread. Cheap to clone.
#[derive(Clone, Default)]
pub struct Inbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Vec<Waker>>,
    arrived: Notify,
}

/// A waker, and the inbox of the executor that it belongs to, if that has one.
#[derive(Debug)]
pub struct Parked {
    waker: Waker,
    inbox: Option<Inbox>,
}

/// Wakes what was added when it is dropped.
#[derive(Debug, Default)]
pub struct Wakes {
    direct: Vec<Waker>,
    batches: Vec<(Inbox, Vec<Waker>)>,
}

impl Inbox {
    /// Makes it the inbox of this thread, whose executor has to run [`deliver`](Self::deliver).
    pub fn install(&self) {
        HERE.set(Some(self.clone()));
    }

    /// Wakes what is handed over, until it is dropped. The tasks that it wakes take turns with the
    /// others of the executor.
    pub async fn deliver(&self) {
        loop {
            let mut batch = std::mem::take(&mut *self.waiting()).into_iter();
            if batch.len() == 0 {
                self.0.arrived.notified().await;
            }
            while batch.len() > 0 {
                batch.by_ref().take(TURN).for_each(Waker::wake);
                yield_now().await;
            }
        }
    }

    fn hand_over(&self, wakers: Vec<Waker>) {
        let mut waiting = self.waiting();
        match waiting.is_empty() {
            true => *waiting = wakers,
            false => waiting.extend(wakers),
        }
        drop(waiting);
        self.0.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    /// A waker of the executor that polls on this thread.
    pub fn here(waker: &Waker) -> Self {
        Self { waker: waker.clone(), inbox: HERE.with_borrow(Clone::clone) }
    }

    /// Whether this wakes the same task.
    pub fn will_wake(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }
}

impl Wakes {
    /// Adds what was parked, if anything was.
    pub fn add(&mut self, parked: Option<Parked>) {
        let Some(Parked { waker, inbox }) = parked else { return };
        let Some(inbox) = inbox else { return self.direct.push(waker) };
        // There are as many inboxes as event loops.
        match self.batches.iter_mut().find(|(known, _)| Arc::ptr_eq(&known.0, &inbox.0)) {
            Some((_, batch)) => batch.push(waker),
            None => self.batches.push((inbox, vec![waker])),
        }
    }
}

impl FromIterator<Parked> for Wakes {
    fn from_iter<I: IntoIterator<Item = Parked>>(parked: I) -> Self {
        let mut wakes = Self::default();
        parked.into_iter().for_each(|parked| wakes.add(Some(parked)));
        wakes
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.direct.drain(..).for_each(Waker::wake);
        self.batches.drain(..).for_each(|(inbox, wakers)| inbox.hand_over(wakers));
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("waiting", &self.waiting().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{
            atomic::{AtomicBool, AtomicUsize, Ordering},
            mpsc,
        },
        task::Poll,
        thread,
    };

    use tokio::{runtime::Builder, task::JoinSet};

    use super::*;

    /// Parks once, and completes when it is woken after that.
    async fn parks(parked: mpsc::Sender<Parked>, woken: Arc<AtomicBool>) {
        let mut begun = false;
        poll_fn(|cx| {
            if woken.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            assert!(!begun, "polled again without being woken");
            begun = true;
            parked.send(Parked::here(cx.waker())).unwrap();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn tasks_of_other_executors_are_woken_once_each() {
        const TASKS: usize = 3 * TURN + 1;
        let (sender, parked) = mpsc::channel();
        let woken = Arc::<AtomicBool>::default();
        let ended = Arc::<AtomicUsize>::default();
        let loops: Vec<_> = [true, true, false]
            .into_iter()
            .map(|has_inbox| {
                let (sender, woken, ended) = (sender.clone(), woken.clone(), ended.clone());
                thread::spawn(move || {
                    Builder::new_current_thread().build().unwrap().block_on(async {
                        let mut tasks = JoinSet::new();
                        if has_inbox {
                            let inbox = Inbox::default();
                            inbox.install();
                            tokio::spawn(async move { inbox.deliver().await });
                        }
                        for _ in 0..TASKS {
                            tasks.spawn(parks(sender.clone(), woken.clone()));
                        }
                        ended.fetch_add(tasks.join_all().await.len(), Ordering::Relaxed);
                    });
                })
            })
            .collect();
        let mut wakes = Wakes::default();
        parked.iter().take(3 * TASKS).for_each(|parked| wakes.add(Some(parked)));
        wakes.add(None);
        assert_eq!((wakes.direct.len(), wakes.batches.len()), (TASKS, 2));
        woken.store(true, Ordering::Release);
        drop(wakes);
        loops.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(ended.load(Ordering::Relaxed), 3 * TASKS);
    }
}
