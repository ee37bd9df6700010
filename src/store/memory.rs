//! The naive model: a list of records. What a real engine answers is compared with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Batch, ChangeStream, Commit, Condition, Header, HistoryQuery, Identity, Loaded, Log,
    MAX_BATCH_BYTES, MAX_RECORD_BYTES, MemoryLog, Page, REQUEST_AGE, Record, RequestKey, Result,
    Revision, States, Store,
};
use crate::domain::Change;

/// A store that lasts as long as the process. Clones share their content, as a reopened store does.
#[derive(Debug, Clone)]
pub struct Memory {
    store: Uuid,
    incarnation: Uuid,
    records: Arc<Mutex<Vec<Record>>>,
    head: watch::Sender<Revision>,
    condition: watch::Sender<Condition>,
    log: Arc<MemoryLog>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            store: Uuid::new_v4(),
            incarnation: Uuid::new_v4(),
            records: Arc::default(),
            head: watch::Sender::new(0),
            condition: watch::Sender::default(),
            log: Arc::default(),
        }
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        // A record is pushed whole, so what a panicking thread leaves behind is whole too.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for Memory {
    fn identity(&self) -> Identity {
        Identity {
            store: self.store,
            incarnation: self.incarnation,
            engine: "memory",
            max_record_bytes: MAX_RECORD_BYTES,
            max_batch_bytes: MAX_BATCH_BYTES,
        }
    }

    async fn load(&self) -> Result<Loaded> {
        let records = self.records();
        let Some(last) = records.last() else {
            return Ok(Loaded::default());
        };
        let mut objects = BTreeMap::new();
        for change in records.iter().flat_map(|record| &record.changes) {
            match change {
                Change::Put(object) => objects.insert(object.key(), object.clone()),
                Change::Delete(key) => objects.remove(key),
            };
        }
        let mut loaded = Loaded { revision: last.revision, time: last.time, ..Loaded::default() }
            .with_objects(objects.into_values());
        let young = |record: &&Record| last.time.micros() - record.time.micros() <= REQUEST_AGE;
        for header in records.iter().filter(young).filter_map(Record::header) {
            loaded.remember(header);
        }
        loaded.bound_requests();
        Ok(loaded)
    }

    fn attach(&self, _: Arc<dyn States>) {}

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        if let Err(limit) = batch.fits(&self.identity()) {
            return Ok(Commit::Refused(limit));
        }
        let mut records = self.records();
        let head = records.last().map_or(0, |record| record.revision);
        if head != batch.after {
            return Ok(Commit::Conflict(head));
        }
        records.extend(batch.records);
        let head = records.last().map_or(0, |record| record.revision);
        self.head.send_replace(head);
        Ok(Commit::Committed(head))
    }

    async fn changes(&self, after: Revision) -> Result<ChangeStream> {
        let cursor = (Arc::clone(&self.records), self.head.subscribe(), after);
        let groups = stream::unfold(cursor, |(records, mut head, after)| async move {
            let newest = *head.wait_for(|head| *head > after).await.ok()?;
            let group: Vec<_> = {
                let records = records.lock().unwrap_or_else(PoisonError::into_inner);
                records
                    .iter()
                    .filter(|r| r.revision > after && r.revision <= newest)
                    .cloned()
                    .collect()
            };
            Some((stream::iter(group.into_iter().map(Ok)), (records, head, newest)))
        });
        Ok(groups.flatten().boxed())
    }

    async fn history(&self, query: HistoryQuery) -> Result<Page<Record>> {
        let limit = query.limit.max(1);
        let found = self
            .records()
            .iter()
            .rev()
            .filter(|record| query.before.is_none_or(|before| record.revision < before))
            .filter(|record| {
                query.key.as_ref().is_none_or(|key| record.changes.iter().any(|c| c.key() == *key))
            })
            .take(limit.saturating_add(1))
            .cloned()
            .collect();
        Ok(Page::cut(found, limit))
    }

    async fn record(&self, revision: Revision) -> Result<Option<Record>> {
        Ok(self.records().iter().find(|record| record.revision == revision).cloned())
    }

    async fn request(&self, key: RequestKey, until: Revision) -> Result<Option<Header>> {
        let records = self.records();
        let known = records.iter().rev().filter(|record| record.revision <= until);
        Ok(known.filter_map(Record::header).find(|header| header.key == key))
    }

    async fn linearize(&self) -> Result<Revision> {
        Ok(*self.head.borrow())
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::<MemoryLog>::clone(&self.log)
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }
}
