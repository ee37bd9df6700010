//! The order of the world: one task, on a thread of its own, judges every write against the newest catalog, makes it
//! durable, publishes it, and only then answers.
//!
//! Writes that wait together are planned one after the other and become durable as one group. A
//! write that is refused never reaches the store.

mod answer;
mod committer;
mod compaction;
mod group;
mod job;
mod refusals;
mod requests;
mod seed;
mod state;
mod thread;
mod write;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use deskplane_providers::Registry;
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    time::timeout,
};

pub use self::write::{Accepted, Committed, Idempotency, Outcome, Submission};
use self::{
    compaction::Compactor,
    job::{Job, Reply},
    requests::{Checked, Older, Requests},
    state::Newest,
};
use crate::{
    catalog::Catalog,
    clock::Clock,
    command::DirectoryPolicy,
    domain::{Reason, Refusal},
    history::History,
    store::{self, Error, RequestKey, Revision, Store},
    tasks::{Task, Tasks},
    trace,
};

/// Writes that may wait; a caller beyond them waits for a place.
const QUEUE: usize = 1_024;

/// The handle through which the server reads and writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    current: Arc<ArcSwap<Catalog>>,
    /// What repetitions of a request are answered from; the commit task holds it.
    store: Weak<dyn Store>,
    clock: Clock,
    older: Older,
    queue: mpsc::Sender<Job>,
    finish: Arc<Notify>,
    task: Arc<Mutex<Option<Task<()>>>>,
    policy: DirectoryPolicy,
}

/// What writes are judged by, beside the catalog.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Judges the definitions of providers.
    pub adapters: Arc<Registry>,
    /// What the scope DIRECTORY may do beyond the table of access.
    pub policy: DirectoryPolicy,
}

impl From<Arc<Registry>> for Rules {
    /// Nothing beyond the table of access.
    fn from(adapters: Arc<Registry>) -> Self {
        Self { adapters, policy: DirectoryPolicy::default() }
    }
}

impl Ledger {
    /// Loads the store, writes built-in content that is new, and starts the commit task on a thread
    /// of its own.
    ///
    /// The thread is one of `tasks`: a panic on it ends the process. `publish` is called on it after
    /// each durable group, before its answers go out; it must not block.
    pub async fn open(
        tasks: &Tasks,
        store: Arc<dyn Store>,
        clock: Clock,
        rules: impl Into<Rules>,
        publish: impl FnMut(&Committed) + Send + 'static,
    ) -> store::Result<Self> {
        let publish = Box::new(publish);
        // It holds catalogs, and the future of a whole server holds it.
        let prepared = Box::pin(Self::prepare(store, clock, rules.into(), publish));
        let (ledger, task, compactor) = prepared.await?;
        compactor.start(tasks)?;
        let task = thread::run(tasks, task)
            .map_err(|error| Error::Engine(format!("the ledger got no thread: {error}")))?;
        *ledger.task.lock().await = Some(task);
        Ok(ledger)
    }

    /// The same on the executor of the caller, for tests that stop its clock or count its turns.
    #[cfg(test)]
    pub(crate) async fn open_here(
        store: Arc<dyn Store>,
        clock: Clock,
        rules: impl Into<Rules>,
        publish: impl FnMut(&Committed) + Send + 'static,
    ) -> store::Result<Self> {
        let publish = Box::new(publish);
        let (ledger, task, compactor) = Self::prepare(store, clock, rules.into(), publish).await?;
        let tasks = Tasks::default();
        compactor.start(&tasks)?;
        *ledger.task.lock().await =
            Some(tasks.spawn("ledger", crate::tasks::OnPanic::EndProcess, task));
        Ok(ledger)
    }

    /// A ledger, its commit task, which is still to run, and the thread beside it, still to start.
    async fn prepare(
        store: Arc<dyn Store>,
        clock: Clock,
        Rules { adapters, policy }: Rules,
        publish: Box<dyn FnMut(&Committed) + Send>,
    ) -> store::Result<(Self, impl Future<Output = ()> + Send + 'static, Compactor)> {
        let loaded = store.load().await?;
        let requests = Requests::new(loaded.requests, loaded.older_requests);
        let (from, older) = (Arc::downgrade(&store), requests.older());
        let catalog = Catalog::load(loaded.objects, loaded.users, loaded.revision, loaded.time)
            .with_adapters(adapters);
        let (catalog, unseeded) = match seed::seed(store.as_ref(), catalog.clone(), &clock).await {
            // The content that is there serves until the store takes writes again.
            Err(error @ Error::ReadOnly(_)) if catalog.revision > 0 => {
                tracing::warn!(%error, "built-in content is written once writes are taken");
                (catalog, true)
            }
            seeded => (seeded?.catalog, false),
        };
        let current = Arc::new(ArcSwap::from_pointee(catalog));
        store.attach(Arc::new(Newest(Arc::clone(&current))));
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (compaction, compactor) = compaction::of(&current);
        let task = committer::Committer {
            store,
            compaction,
            clock: clock.clone(),
            current: Arc::clone(&current),
            requests,
            publish,
            unseeded,
            ended: false,
            policy,
        };
        let finish = Arc::new(Notify::new());
        let task = task.run(jobs, Arc::clone(&finish));
        let task_handle = Arc::default();
        let ledger =
            Self { current, store: from, clock, older, queue, finish, task: task_handle, policy };
        Ok((ledger, task, compactor))
    }

    /// Finishes the writes that were handed in, takes no further one, and lets go of the store.
    pub async fn close(&self) {
        self.close_within(Duration::MAX).await;
    }

    /// The same within a time. At its end the writes that still wait are answered that it is not
    /// known whether they took effect, and the answer is false.
    pub async fn close_within(&self, time: Duration) -> bool {
        self.finish.notify_one();
        let Some(mut task) = self.task.lock().await.take() else {
            return true;
        };
        // A task that failed has let go, too.
        let finished = timeout(time, &mut task).await.is_ok();
        if !finished {
            tracing::warn!("writes were left waiting at the deadline");
            task.abort();
        }
        finished
    }

    /// The newest catalog.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.current.load_full()
    }

    /// What the scope DIRECTORY may do beyond the table of access.
    pub fn policy(&self) -> DirectoryPolicy {
        self.policy
    }

    /// What the past is read by.
    pub fn past(&self) -> History {
        History::of(Weak::clone(&self.store))
    }

    /// Hands in a write and waits for its answer.
    ///
    /// Writes that wait share a batch of the store, and nothing else: what becomes of one is never
    /// the answer to another.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, Refusal> {
        self.write(submission).await.map(|accepted| accepted.outcome)
    }

    /// The same with the catalog of the write: other writes may have changed the newest one before
    /// the caller comes to make an answer.
    pub async fn write(&self, mut submission: Submission) -> Result<Accepted, Refusal> {
        let mut checked = Checked::default();
        loop {
            if let Some(request) = submission.request.as_ref().filter(|_| !submission.validate_only)
            {
                let key = RequestKey::new(&submission.actor.subject, request.id);
                if let Some(first) = self.look_up(key, request, &mut checked).await? {
                    return self.repeat(first).await;
                }
            }
            let (answer, wait) = oneshot::channel();
            let request = trace::current();
            self.queue
                .send(Job { submission, checked, answer, request })
                .await
                .map_err(|_| gone())?;
            match wait.await.map_err(|_| gone())? {
                Reply::Judged(judged) => return judged,
                Reply::Repeated(first) => return self.repeat(first).await,
                Reply::Unknown(again) => submission = again,
            }
        }
    }

    /// Asks the store about a request, if it may know one that is not in memory: the revision of the
    /// record that answered it.
    async fn look_up(
        &self,
        key: RequestKey,
        request: &Idempotency,
        checked: &mut Checked,
    ) -> Result<Option<Revision>, Refusal> {
        let until = self.older.revision();
        if until <= checked.until {
            return Ok(None);
        }
        let store = self.store.upgrade().ok_or_else(gone)?;
        let found = store.request(key, until).await.map_err(|error| unread(&error))?;
        let found = found.filter(|found| !requests::expired(found, self.clock.now()));
        checked.until = until;
        checked.reused = found.is_some_and(|found| !request.is(&found.payload));
        Ok(found.filter(|_| !checked.reused).map(|found| found.revision))
    }

    /// The answer that was given with the record of a revision.
    async fn repeat(&self, revision: Revision) -> Result<Accepted, Refusal> {
        let store = self.store.upgrade().ok_or_else(gone)?;
        let record = store.record(revision).await.map_err(|error| unread(&error))?;
        let gone = || {
            let message = format!(
                "The write took effect at revision {revision}; its answer is not kept any more. \
                 Read the objects that it was about."
            );
            Refusal::new(Reason::StoreUnavailable, message)
        };
        let outcome = answer::restore(record.ok_or_else(gone)?)?;
        Ok(Accepted { outcome, catalog: self.catalog() })
    }
}

/// The refusal because the commit task has ended.
fn gone() -> Refusal {
    let message =
        "The server takes no writes at present; whether this one took effect is not known.";
    Refusal::new(Reason::StoreUnavailable, message)
}

/// The refusal because the answer to a request id cannot be read.
fn unread(error: &Error) -> Refusal {
    tracing::warn!(%error, "what a request id was answered cannot be read");
    let message = "What was answered under this request_id cannot be read at present; nothing was \
                   done now. Try again with the same request_id.";
    Refusal::new(Reason::StoreUnavailable, message)
}

#[cfg(test)]
pub(crate) mod tests;
