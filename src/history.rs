//! The past: transactions one by one, and the states that an object has had (SPEC §11.2).
//!
//! Nothing here holds more than a few records at a time: one of them may be as large as a batch.

use std::{
    ops::ControlFlow,
    sync::{Arc, Weak},
};

use futures_util::StreamExt as _;

use uuid::Uuid;

use crate::{
    domain::{Change, Kind, Object, ObjectKey, Reason, Refusal, Time},
    store::{ChangeStream, Error, HistoryQuery, Record, Revision, Store},
};

/// Records that are read at once where only a little of each is kept.
const CHUNK: usize = 8;
/// Most objects that a transaction is shown with.
const MAX_SHOWN: usize = 1_000;

/// What the past is read by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct History {
    store: Weak<dyn Store>,
}

/// One committed transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Its revision.
    pub revision: Revision,
    /// Time of the commit.
    pub time: Time,
    /// Who made it.
    pub actor: String,
    /// Name of the operation: `UpdateProfile`.
    pub operation: String,
    /// The flags that the call set.
    pub flags: Vec<String>,
    /// Why, in the caller's words; may be empty.
    pub reason: String,
    /// Request id of the call, if it had one.
    pub request_id: Option<Uuid>,
    /// What it changed, in its order; at most 1000.
    pub changed: Vec<ChangedObject>,
    /// How many objects it changed.
    pub count: usize,
}

/// An object that a transaction changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedObject {
    /// Kind.
    pub kind: Kind,
    /// Name or id; of a deleted one in lower case.
    pub name: String,
    /// What happened to it.
    pub change: ChangeKind,
}

/// An object as a transaction left it.
#[derive(Debug, Clone)]
pub struct ObjectRevision {
    /// The transaction, without what it changed.
    pub transaction: Transaction,
    /// What happened to the object.
    pub kind: ChangeKind,
    /// The object; none when it was deleted.
    pub object: Option<Object>,
}

/// What a transaction did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It did not exist before.
    Created,
    /// It has another state.
    Updated,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// What a change of a transaction of that time did.
    fn of(change: &Change, time: Time) -> Self {
        match change {
            Change::Delete(_) => Self::Deleted,
            Change::Put(object) if object.stamp().create_time == time => Self::Created,
            Change::Put(_) => Self::Updated,
        }
    }
}

impl Transaction {
    fn of(record: Record) -> Self {
        let Record { revision, time, actor, operation, flags, reason, request, changes, .. } =
            record;
        let shown = changes.iter().take(MAX_SHOWN).map(|change| {
            let (kind, name) = match change {
                Change::Put(object) => (object.kind(), object.name()),
                Change::Delete(key) => (key.kind, key.name.as_str()),
            };
            let name = name.to_owned();
            ChangedObject { kind, name, change: ChangeKind::of(change, time) }
        });
        Self {
            revision,
            time,
            actor: actor.subject,
            operation,
            flags,
            reason,
            request_id: request.map(|request| request.id),
            changed: shown.collect(),
            count: changes.len(),
        }
    }
}

impl History {
    /// The past that a store keeps, as long as somebody else keeps the store open.
    pub fn new(store: &Arc<dyn Store>) -> Self {
        Self { store: Arc::downgrade(store) }
    }

    /// The same of a store that is held weakly already.
    pub(crate) fn of(store: Weak<dyn Store>) -> Self {
        Self { store }
    }

    /// The newest revision.
    ///
    /// # Errors
    /// STORE_UNAVAILABLE.
    pub async fn newest(&self) -> Result<Revision, Refusal> {
        self.store()?.linearize().await.map_err(|error| unread(&error))
    }

    /// The revision before the first transaction that a reader wants, who names a first revision or
    /// 0 for the oldest that there is.
    ///
    /// # Errors
    /// REVISION_COMPACTED, REVISION_NOT_FOUND beyond the next revision, STORE_UNAVAILABLE.
    pub async fn before(&self, from: Revision) -> Result<Revision, Refusal> {
        let newest = self.newest().await?;
        if from > newest.saturating_add(1) {
            let message = format!(
                "Revision {from} lies ahead: the newest is {newest}; begin at {} at most.",
                newest + 1
            );
            let oldest = self.oldest().await?;
            let refusal = Refusal::new(Reason::RevisionNotFound, message).with("newest", newest);
            return Err(refusal.with("oldest_available", oldest));
        }
        match from {
            0 => Ok(self.oldest().await?.saturating_sub(1)),
            from => {
                let after = from - 1;
                self.feed(after).await?.map(|_| after).map_err(|oldest| compacted(after, oldest))
            }
        }
    }

    /// Hands on the transactions behind a revision up to another one, in order, until `each` breaks.
    ///
    /// # Errors
    /// REVISION_COMPACTED, STORE_UNAVAILABLE.
    pub async fn each_change(
        &self,
        after: Revision,
        until: Revision,
        mut each: impl FnMut(Transaction) -> ControlFlow<()> + Send,
    ) -> Result<(), Refusal> {
        if after >= until {
            return Ok(());
        }
        let feed = self.feed(after).await?;
        let mut feed = feed.map_err(|oldest| compacted(after, oldest))?;
        while let Some(record) = feed.next().await {
            let record = record.map_err(|error| match error {
                Error::Compacted { oldest } => compacted(after, oldest),
                error => unread(&error),
            })?;
            if record.revision > until {
                break;
            }
            let last = record.revision == until;
            if each(Transaction::of(record)).is_break() || last {
                break;
            }
        }
        Ok(())
    }

    /// Hands on the transactions that changed an object below a revision, the newest first, until
    /// `each` breaks.
    ///
    /// # Errors
    /// STORE_UNAVAILABLE.
    pub async fn each_revision(
        &self,
        key: &ObjectKey,
        before: Option<Revision>,
        mut each: impl FnMut(ObjectRevision) -> ControlFlow<()> + Send,
    ) -> Result<(), Refusal> {
        let mut next = before;
        loop {
            let page = self.page(key, next, CHUNK).await?;
            for record in page.0 {
                if let Some(revision) = revision_of(record, key)
                    && each(revision).is_break()
                {
                    return Ok(());
                }
            }
            match page.1 {
                Some(before) => next = Some(before),
                None => return Ok(()),
            }
        }
    }

    /// An object as it was at a revision; `exists` says whether it does now.
    ///
    /// # Errors
    /// REVISION_NOT_FOUND; that nothing is known of the object, STORE_UNAVAILABLE.
    pub async fn object_at(
        &self,
        key: &ObjectKey,
        revision: Revision,
        exists: bool,
    ) -> Result<ObjectRevision, Refusal> {
        let newest = self.newest().await?;
        if revision <= newest {
            let page = self.page(key, Some(revision.saturating_add(1)), 1).await?;
            let found = page.0.into_iter().next().and_then(|record| revision_of(record, key));
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(self.no_state(key, revision, exists).await)
    }

    /// The state that an object had at a revision; `exists` says whether it has one now.
    ///
    /// # Errors
    /// As [`History::object_at`]; REVISION_NOT_FOUND also where it was deleted by then.
    pub async fn state_at(
        &self,
        key: &ObjectKey,
        revision: Revision,
        exists: bool,
    ) -> Result<Object, Refusal> {
        match self.object_at(key, revision, exists).await?.object {
            Some(object) => Ok(object),
            None => Err(self.no_state(key, revision, exists).await),
        }
    }

    /// The refusal because an object has no state of a revision, with the oldest one that is kept.
    async fn no_state(&self, key: &ObjectKey, revision: Revision, exists: bool) -> Refusal {
        let mut oldest = None;
        let read = self.each_revision(key, None, |found| {
            oldest = Some(found.transaction.revision);
            ControlFlow::Continue(())
        });
        if let Err(refusal) = read.await {
            return refusal;
        }
        let newest = match self.newest().await {
            Ok(newest) => newest,
            Err(refusal) => return refusal,
        };
        if oldest.is_none() && !exists {
            return unknown(key);
        }
        let (kind, name) = (key.kind.as_str(), &key.name);
        let message = format!(
            "{kind} {name} has no state of revision {revision} that is kept: it did not exist, it \
             is too long ago, or it lies ahead."
        );
        Refusal::new(Reason::RevisionNotFound, message)
            .resource(kind, name, "has no such revision")
            .with("oldest_available", oldest.unwrap_or(newest))
            .with("newest", newest)
    }

    fn store(&self) -> Result<Arc<dyn Store>, Refusal> {
        self.store.upgrade().ok_or_else(|| {
            let message = "The server ends; read history elsewhere or later.";
            Refusal::new(Reason::StoreUnavailable, message)
        })
    }

    /// The transactions behind a revision, or the oldest revision that there is.
    async fn feed(&self, after: Revision) -> Result<Result<ChangeStream, Revision>, Refusal> {
        match self.store()?.changes(after).await {
            Ok(stream) => Ok(Ok(stream)),
            Err(Error::Compacted { oldest }) => Ok(Err(oldest)),
            Err(error) => Err(unread(&error)),
        }
    }

    /// The oldest revision of the feed; the next one of an empty store.
    async fn oldest(&self) -> Result<Revision, Refusal> {
        Ok(self.feed(0).await?.err().unwrap_or(1))
    }

    async fn page(
        &self,
        key: &ObjectKey,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<(Vec<Record>, Option<Revision>), Refusal> {
        let query = HistoryQuery { key: Some(key.clone()), before, limit };
        let page = self.store()?.history(query).await.map_err(|error| unread(&error))?;
        Ok((page.items, page.next))
    }
}

/// What a record did to an object last.
fn revision_of(mut record: Record, key: &ObjectKey) -> Option<ObjectRevision> {
    let is = |change: &Change| match change {
        Change::Put(object) => {
            object.kind() == key.kind && object.name().eq_ignore_ascii_case(&key.name)
        }
        Change::Delete(deleted) => deleted == key,
    };
    let at = record.changes.iter().rposition(is)?;
    let change = record.changes.swap_remove(at);
    record.changes = Vec::new();
    let kind = ChangeKind::of(&change, record.time);
    let object = match change {
        Change::Put(object) => Some(object),
        Change::Delete(_) => None,
    };
    Some(ObjectRevision { transaction: Transaction::of(record), kind, object })
}

/// The refusal because nothing is known of an object.
pub fn unknown(key: &ObjectKey) -> Refusal {
    let ObjectKey { kind, name } = key;
    let message = match kind {
        Kind::Settings => "The settings have no revision yet.".to_owned(),
        kind => format!("{} {name} does not exist and has no history.", kind.as_str()),
    };
    Refusal::new(kind.not_found(), message).resource(kind.as_str(), name, "does not exist")
}

fn compacted(after: Revision, oldest: Revision) -> Refusal {
    let message = format!(
        "Changes behind revision {after} are not kept any more; the oldest is {oldest}. Read the \
         state, then go on from its revision."
    );
    Refusal::new(Reason::RevisionCompacted, message).with("oldest_available", oldest)
}

fn unread(error: &Error) -> Refusal {
    tracing::warn!(%error, "history cannot be read");
    let message = "History cannot be read at present; nothing else is affected. Try again.";
    Refusal::new(Reason::StoreUnavailable, message)
}

#[cfg(test)]
mod tests;
