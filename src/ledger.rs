//! The order of the world: one task, on a thread of its own, judges every write against the newest catalog, makes it
//! durable, publishes it, and only then answers.
//!
//! Writes that wait together are planned one after the other and become durable as one group. A
//! write that is refused never reaches the store.

mod committer;
mod group;
mod requests;
mod seed;
mod thread;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use deskplane_providers::Registry;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use uuid::Uuid;

use crate::{
    catalog::Catalog,
    clock::Clock,
    command::{Affected, Command, Warning},
    domain::{Actor, Finding, Object, Reason, Refusal, UserId},
    store::{self, Error, Store},
};

/// Writes that may wait; a caller beyond them waits for a place.
const QUEUE: usize = 1_024;
/// Most writes of one group.
const GROUP: usize = 256;

/// A write as it is handed in.
#[derive(Debug)]
pub struct Submission {
    /// What to do.
    pub command: Box<dyn Command>,
    /// Who asks.
    pub actor: Actor,
    /// How a repetition is recognised; ignored with `validate_only`.
    pub request: Option<RequestKey>,
    /// Judge, answer and do nothing.
    pub validate_only: bool,
    /// Why, in the caller's words.
    pub reason: String,
}

/// Idempotency key of a write: the caller's id, and hashes of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The request id.
    pub id: Uuid,
    /// Hash of the payload, which is stored.
    pub payload: [u8; 32],
    /// Hashes that may have been stored of the same payload under another key.
    pub former: Vec<[u8; 32]>,
}

impl RequestKey {
    /// Whether a stored hash is one of this payload.
    fn is(&self, stored: &[u8; 32]) -> bool {
        self.payload == *stored || self.former.contains(stored)
    }
}

/// An accepted write, and the catalog that its answer is made of.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What the write did.
    pub outcome: Outcome,
    /// The catalog at the revision of the write, or the one on which it was judged when it changed
    /// nothing. A repetition gets the newest: the first one is gone.
    pub catalog: Arc<Catalog>,
}

/// The answer to an accepted write; a repetition gets the very same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Revision of the write, or the current one when nothing changed.
    pub revision: i64,
    /// Whether anything changed.
    pub changed: bool,
    /// The objects that the write is about, as they are now; none after a delete.
    pub objects: Vec<Object>,
    /// Whose profile changed.
    pub affected: Affected,
    /// Remarks for the caller.
    pub warnings: Vec<Warning>,
    /// Findings of the write.
    pub findings: Vec<Finding>,
    /// Users who were not linked, for RemoveUsers.
    pub not_assigned: Vec<UserId>,
    /// Secrets that were put under another key, for RotateSecretKeys.
    #[serde(default)]
    pub resealed: i32,
}

/// A committed catalog beside the one before it.
#[derive(Debug, Clone)]
pub struct Published {
    /// The catalog before the group.
    pub before: Arc<Catalog>,
    /// The catalog after it.
    pub after: Arc<Catalog>,
    /// The records of the group.
    pub records: Arc<[store::Record]>,
}

/// What a write is answered.
type Judged = Result<Outcome, Refusal>;

#[derive(Debug)]
struct Job {
    submission: Submission,
    answer: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// The handle through which the server reads and writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    current: Arc<ArcSwap<Catalog>>,
    queue: mpsc::Sender<Job>,
    finish: Arc<Notify>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Ledger {
    /// Loads the store, writes built-in content that is new, and starts the commit task on a thread
    /// of its own.
    ///
    /// Providers are judged by `adapters`. `publish` is called on that thread after each durable
    /// group, before its answers go out; it must not block.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Clock,
        adapters: Arc<Registry>,
        publish: impl FnMut(&Published) + Send + 'static,
    ) -> store::Result<Self> {
        let publish = Box::new(publish);
        let (ledger, task) = Self::prepare(store, clock, adapters, publish).await?;
        let task = thread::run(task)
            .map_err(|error| Error::Engine(format!("the ledger got no thread: {error}")))?;
        *ledger.task.lock().await = Some(task);
        Ok(ledger)
    }

    /// The same on the executor of the caller, for tests that stop its clock or count its turns.
    #[cfg(test)]
    pub(crate) async fn open_here(
        store: Arc<dyn Store>,
        clock: Clock,
        adapters: Arc<Registry>,
        publish: impl FnMut(&Published) + Send + 'static,
    ) -> store::Result<Self> {
        let publish = Box::new(publish);
        let (ledger, task) = Self::prepare(store, clock, adapters, publish).await?;
        *ledger.task.lock().await = Some(tokio::spawn(task));
        Ok(ledger)
    }

    /// A ledger, and its commit task, which is still to run.
    async fn prepare(
        store: Arc<dyn Store>,
        clock: Clock,
        adapters: Arc<Registry>,
        publish: Box<dyn FnMut(&Published) + Send>,
    ) -> store::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let loaded = store.load().await?;
        let mut requests = requests::Requests::default();
        for header in loaded.requests {
            requests.remember(header.time, &header.actor, &header.request);
        }
        let catalog = Catalog::from_objects(loaded.objects, loaded.revision, loaded.time)
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
        let (queue, jobs) = mpsc::channel(QUEUE);
        let task = committer::Committer {
            store,
            clock,
            current: Arc::clone(&current),
            requests,
            publish,
            unseeded,
            ended: false,
        };
        let finish = Arc::new(Notify::new());
        let task = task.run(jobs, Arc::clone(&finish));
        Ok((Self { current, queue, finish, task: Arc::default() }, task))
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

    /// Hands in a write and waits for its answer.
    ///
    /// Writes that wait share a batch of the store, and nothing else: what becomes of one is never
    /// the answer to another.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, Refusal> {
        self.write(submission).await.map(|accepted| accepted.outcome)
    }

    /// The same with the catalog of the write: other writes may have changed the newest one before
    /// the caller comes to make an answer.
    pub async fn write(&self, submission: Submission) -> Result<Accepted, Refusal> {
        let (answer, wait) = oneshot::channel();
        let gone = || {
            Refusal::new(
                Reason::StoreUnavailable,
                "The server takes no writes at present; whether this one took effect is not known.",
            )
        };
        self.queue.send(Job { submission, answer }).await.map_err(|_| gone())?;
        wait.await.unwrap_or_else(|_| Err(gone()))
    }
}

#[cfg(test)]
mod tests;
