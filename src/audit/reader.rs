//! Reads audit and resolution log back, page by page, newest first.

use std::{ops::ControlFlow, sync::Arc};

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    Cursor, Entry, Outcome, delivery,
    merge::{Found, merge},
};
use crate::{
    domain::{App, Delivery, ObjectKey, Reason, Refusal, Time, UserId},
    store::{Error, HistoryQuery, LogKind, LogQuery, Logged, Record, Result, Store},
};

/// Pages that are read at a time; further ones wait.
const READERS: usize = 2;
/// Bytes of a log that are read for a page.
const BUDGET: usize = 32 << 20;
/// Bytes of a page, about.
const PAGE_BYTES: usize = 2 << 20;
/// Records that are read for a page.
const RECORDS: usize = 2_000;
/// Records that are read at a time: one may hold a thousand users.
const AT_A_TIME: usize = 16;

/// Reads the logs of a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    store: Arc<dyn Store>,
    readers: Arc<Semaphore>,
}

/// Which entries of the audit are asked for; what is empty asks for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// At or after this time.
    pub since: Option<Time>,
    /// Before this time.
    pub until: Option<Time>,
    /// Who called, ignoring ASCII case.
    pub actor: String,
    /// What it is about: the key, and the resource name.
    pub resource: Option<(ObjectKey, String)>,
    /// What was called, ignoring ASCII case.
    pub operation: String,
    /// How it ended.
    pub outcome: Option<OutcomeKind>,
}

/// How a call ended, without the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// [`Outcome::Committed`].
    Committed,
    /// [`Outcome::Answered`].
    Answered,
    /// [`Outcome::Denied`].
    Denied,
    /// [`Outcome::Failed`].
    Failed,
}

/// Which entries of the resolution log are asked for; what is empty asks for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryQuery {
    /// At or after this time.
    pub since: Option<Time>,
    /// Before this time.
    pub until: Option<Time>,
    /// Whose profile.
    pub user: Option<UserId>,
    /// In which app.
    pub app: Option<App>,
    /// Of which client.
    pub client_id: Option<String>,
}

/// Entries of a page, and where the next one begins; none after the last. A page may be short, or
/// empty, before the last: reading it is bounded.
#[derive(Debug)]
pub struct Rows<T, P> {
    /// The entries, newest first.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next: Option<P>,
}

// === impl Reader ===

impl Reader {
    /// A reader of the logs of a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, readers: Arc::new(Semaphore::new(READERS)) }
    }

    /// A page of the audit: records of writes and entries of the log, by their times.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit(
        &self,
        query: AuditQuery,
        from: Option<Cursor>,
        size: usize,
    ) -> Result<Rows<Entry, Cursor>, Refusal> {
        self.audit_page(query, from, size).await.map_err(|error| unreadable(&error))
    }

    async fn audit_page(
        &self,
        query: AuditQuery,
        from: Option<Cursor>,
        size: usize,
    ) -> Result<Rows<Entry, Cursor>> {
        let _permit = self.readers.acquire().await.map_err(|_| Error::Broken)?;
        let from = match from {
            Some(from) => from,
            // What is written from now on is no part of this list.
            None => Cursor {
                revision: self.store.linearize().await?.saturating_add(1),
                sequence: self.next(LogKind::Audit).await?,
            },
        };
        let query = Arc::new(query);
        let records = self.records(&query, from.revision, size).await?;
        let asked = Arc::clone(&query);
        let log = LogQuery {
            below: Some(from.sequence),
            since: query.since,
            until: query.until,
            budget: BUDGET,
        };
        let read = move |logged: &Logged<'_>| {
            Ok(Some(Entry::decode(logged)?).filter(|entry| asked.takes(entry)))
        };
        let logged = match query.outcome {
            Some(OutcomeKind::Committed) => Found { items: Vec::new(), stopped: None },
            _ => self.log(LogKind::Audit, log, size, read).await?,
        };
        let merged = merge(
            records,
            logged,
            (from.revision, from.sequence),
            (0, 0),
            (size, PAGE_BYTES),
            Entry::weight,
        );
        let next = merged.next.map(|(revision, sequence)| Cursor { revision, sequence });
        Ok(Rows { items: merged.items, next })
    }

    /// A page of the resolution log; the position is a number of the log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliveries(
        &self,
        query: DeliveryQuery,
        from: Option<u64>,
        size: usize,
    ) -> Result<Rows<Delivery, u64>, Refusal> {
        self.delivery_page(query, from, size).await.map_err(|error| unreadable(&error))
    }

    async fn delivery_page(
        &self,
        query: DeliveryQuery,
        from: Option<u64>,
        size: usize,
    ) -> Result<Rows<Delivery, u64>> {
        let _permit = self.readers.acquire().await.map_err(|_| Error::Broken)?;
        let below = match from {
            Some(from) => from,
            None => self.next(LogKind::Deliveries).await?,
        };
        let (since, until) = (query.since, query.until);
        let log = LogQuery { below: Some(below), since, until, budget: BUDGET };
        let read = move |logged: &Logged<'_>| {
            delivery::read(logged, |user, app, client| query.takes(user, app, client))
        };
        let found = self.log(LogKind::Deliveries, log, size, read).await?;
        Ok(Rows {
            next: found.stopped.map(|(below, _)| below),
            items: found.items.into_iter().map(|(.., item)| item).collect(),
        })
    }

    async fn next(&self, kind: LogKind) -> Result<u64> {
        let log = self.store.log();
        spawn_blocking(move || log.next(kind)).await?
    }

    /// Records below a revision that pass the query.
    async fn records(
        &self,
        query: &AuditQuery,
        below: i64,
        size: usize,
    ) -> Result<Found<Entry, i64>> {
        let mut found = Found { items: Vec::new(), stopped: None };
        if query.outcome.is_some_and(|outcome| outcome != OutcomeKind::Committed) || below <= 1 {
            return Ok(found);
        }
        let key = query.resource.as_ref().map(|(key, _)| key.clone());
        let (mut before, mut read) = (below, 0);
        loop {
            let asked = HistoryQuery { key: key.clone(), before: Some(before), limit: AT_A_TIME };
            let page = self.store.history(asked).await?;
            for record in &page.items {
                if query.since.is_some_and(|since| record.time < since) {
                    return Ok(found);
                }
                if found.items.len() == size || read >= RECORDS {
                    found.stopped = Some((record.revision.saturating_add(1), record.time));
                    return Ok(found);
                }
                read += 1;
                if let Some(entry) = query.of(record) {
                    found.items.push((record.time, record.revision, entry));
                }
            }
            match page.next {
                Some(next) => before = next,
                None => return Ok(found),
            }
        }
    }

    /// Entries of a log that pass a test.
    async fn log<T: Send + 'static>(
        &self,
        kind: LogKind,
        query: LogQuery,
        size: usize,
        read: impl Fn(&Logged<'_>) -> Result<Option<T>> + Send + 'static,
    ) -> Result<Found<T, u64>> {
        let log = self.store.log();
        spawn_blocking(move || {
            let mut items = Vec::new();
            // Nothing that was not visited is newer.
            let mut reached = query.until.unwrap_or(Time::from_micros(i64::MAX));
            let next = log.visit(kind, &query, &mut |logged| {
                reached = logged.time;
                if items.len() == size {
                    return ControlFlow::Break(());
                }
                match read(&logged) {
                    Ok(Some(item)) => items.push((logged.time, logged.sequence, item)),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, "passed over an entry of a log"),
                }
                ControlFlow::Continue(())
            })?;
            Ok(Found { items, stopped: next.map(|next| (next, reached)) })
        })
        .await?
    }
}

// === impl AuditQuery ===

impl AuditQuery {
    /// The entry of a record, if it passes.
    fn of(&self, record: &Record) -> Option<Entry> {
        let time = self.until.is_none_or(|until| record.time < until);
        let actor = same(&self.actor, &record.actor.subject);
        (time && actor && same(&self.operation, &record.operation)).then(|| Entry::of(record))
    }

    /// Whether an entry of the log passes; its time does.
    fn takes(&self, entry: &Entry) -> bool {
        let about = self.resource.as_ref().is_none_or(|(_, name)| {
            entry.resources.iter().any(|resource| resource.eq_ignore_ascii_case(name))
        });
        let outcome = self.outcome.is_none_or(|outcome| outcome == entry.outcome.kind());
        about
            && outcome
            && same(&self.actor, &entry.actor)
            && same(&self.operation, &entry.operation)
    }
}

// === impl DeliveryQuery ===

impl DeliveryQuery {
    fn takes(&self, user: &str, app: App, client: &str) -> bool {
        let user = self.user.as_ref().is_none_or(|asked| asked.as_str().eq_ignore_ascii_case(user));
        user && self.app.is_none_or(|asked| asked == app)
            && self.client_id.as_ref().is_none_or(|asked| asked == client)
    }
}

// === impl Outcome ===

impl Outcome {
    /// How it ended, without the reason.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Committed => OutcomeKind::Committed,
            Self::Answered => OutcomeKind::Answered,
            Self::Denied(_) => OutcomeKind::Denied,
            Self::Failed(_) => OutcomeKind::Failed,
        }
    }
}

/// The refusal because a log cannot be read.
fn unreadable(error: &Error) -> Refusal {
    tracing::error!(%error, "the audit cannot be read");
    let message = "The audit cannot be read at present; try again, or see the log of the server.";
    Refusal::new(Reason::StoreUnavailable, message)
}

/// Whether a text is the one asked for, ignoring ASCII case; nothing asks for any.
fn same(asked: &str, found: &str) -> bool {
    asked.is_empty() || asked.eq_ignore_ascii_case(found)
}
