//! A store with limits and failures of a test's choice.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use crate::store::{
    Batch, ChangeStream, Commit, Condition, Header, HistoryQuery, Identity, Lack, Loaded, Page,
    Record, RequestKey, Revision, States, Writes,
};

/// What a test has the store answer to a batch; none lets it be written.
type Script = Box<dyn FnMut(&Batch) -> Option<store::Result<Commit>> + Send>;

/// A store with limits and failures of the test's choice.
pub(super) struct Scripted {
    pub(super) inner: Memory,
    /// Most bytes of a record and of a batch.
    limits: (usize, usize),
    script: Mutex<Script>,
    condition: watch::Sender<Condition>,
    /// Whether commits come to no end.
    pub(super) hangs: AtomicBool,
    /// Whether it loads requests as ones that are too many for the memory.
    pub(super) forgets: AtomicBool,
}

impl Scripted {
    pub(super) fn new() -> Self {
        Self {
            inner: Memory::new(),
            limits: (store::MAX_RECORD_BYTES, store::MAX_BATCH_BYTES),
            script: Mutex::new(Box::new(|_| None)),
            condition: watch::Sender::default(),
            hangs: AtomicBool::new(false),
            forgets: AtomicBool::new(false),
        }
    }

    /// The same with most bytes of a record and of a batch.
    pub(super) fn with_limits(record: usize, batch: usize) -> Self {
        Self { limits: (record, batch), ..Self::new() }
    }

    pub(super) fn answer(
        &self,
        script: impl FnMut(&Batch) -> Option<store::Result<Commit>> + Send + 'static,
    ) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Takes no writes, for want of room.
    pub(super) fn read_only(&self) {
        self.condition.send_modify(|condition| condition.writes = Writes::ReadOnly(Lack::Full));
        self.answer(|_| Some(Err(Error::ReadOnly(Lack::Full))));
    }

    pub(super) fn writable(&self) {
        self.answer(|_| None);
        self.condition.send_modify(|condition| condition.writes = Writes::Taken);
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Scripted {
    fn identity(&self) -> Identity {
        let (max_record_bytes, max_batch_bytes) = self.limits;
        Identity { max_record_bytes, max_batch_bytes, ..self.inner.identity() }
    }

    async fn load(&self) -> store::Result<Loaded> {
        let mut loaded = self.inner.load().await?;
        if self.forgets.load(Ordering::SeqCst) {
            loaded.older_requests = loaded.requests.drain(..).next_back();
        }
        Ok(loaded)
    }

    fn attach(&self, states: Arc<dyn States>) {
        self.inner.attach(states);
    }

    async fn commit(&self, batch: Batch) -> store::Result<Commit> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let answer = (self.script.lock().unwrap())(&batch);
        match answer {
            Some(answer) => answer,
            None => self.inner.commit(batch).await,
        }
    }

    async fn changes(&self, after: Revision) -> store::Result<ChangeStream> {
        self.inner.changes(after).await
    }

    async fn history(&self, query: HistoryQuery) -> store::Result<Page<Record>> {
        self.inner.history(query).await
    }

    async fn record(&self, revision: Revision) -> store::Result<Option<Record>> {
        self.inner.record(revision).await
    }

    async fn request(&self, key: RequestKey, until: Revision) -> store::Result<Option<Header>> {
        self.inner.request(key, until).await
    }

    async fn linearize(&self) -> store::Result<Revision> {
        self.inner.linearize().await
    }

    fn log(&self) -> Arc<dyn store::Log> {
        self.inner.log()
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }
}
