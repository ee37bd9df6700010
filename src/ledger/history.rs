//! Reading the past: pages of records, and what an object was at a revision.

use super::{Ledger, gone};
use crate::{
    domain::{Change, Object, ObjectKey, Reason, Refusal, resource_name::resource_name},
    store::{Error, HistoryQuery, Page, Record, Revision},
};

/// Records that are read at a time while the oldest one of an object is looked for.
const PAGE: usize = 100;

impl Ledger {
    /// A page of past records, newest first.
    ///
    /// # Errors
    /// STORE_UNAVAILABLE when history cannot be read at present.
    pub async fn history(&self, query: HistoryQuery) -> Result<Page<Record>, Refusal> {
        let store = self.store.upgrade().ok_or_else(gone)?;
        store.history(query).await.map_err(|error| unread(&error))
    }

    /// What an object was at a revision: as the newest record up to there has it.
    ///
    /// # Errors
    /// REVISION_NOT_FOUND when the object did not exist then, when history does not go back so far,
    /// and for a revision to come; STORE_UNAVAILABLE when history cannot be read at present.
    pub async fn state_at(&self, key: &ObjectKey, revision: Revision) -> Result<Object, Refusal> {
        let head = self.catalog().revision;
        if !(1..=head).contains(&revision) {
            let why = format!("the newest revision is {head}");
            return Err(self.not_found(key, revision, &why).await);
        }
        let before = Some(revision + 1);
        let page = self.history(HistoryQuery { key: Some(key.clone()), before, limit: 1 }).await?;
        let newest = page.items.first().map(|record| &record.changes);
        let change = newest.and_then(|changes| changes.iter().find(|change| change.key() == *key));
        match change {
            Some(Change::Put(object)) => Ok(object.clone()),
            Some(Change::Delete(_)) => {
                Err(self.not_found(key, revision, "it was deleted before").await)
            }
            None => Err(self.not_found(key, revision, "its history begins later").await),
        }
    }

    /// The refusal because a revision of an object is not kept, with the oldest one that is.
    async fn not_found(&self, key: &ObjectKey, revision: Revision, why: &str) -> Refusal {
        let oldest = match self.oldest(key).await {
            Ok(oldest) => oldest,
            Err(refusal) => return refusal,
        };
        let kind = key.kind.as_str();
        let (name, about) = (resource_name(key.kind, &key.name), format!("revision {revision}"));
        let message = match oldest {
            Some(oldest) => format!(
                "{kind} {name} has no revision {revision}: {why}. The oldest available is {oldest}."
            ),
            None => format!("{kind} {name} has no revision {revision}: nothing is kept of it."),
        };
        let refusal = Refusal::new(Reason::RevisionNotFound, message).resource(kind, &name, &about);
        match oldest {
            Some(oldest) => refusal.with("oldest_available", oldest),
            None => refusal,
        }
    }

    /// The oldest kept revision of an object.
    async fn oldest(&self, key: &ObjectKey) -> Result<Option<Revision>, Refusal> {
        let (mut before, mut oldest) = (None, None);
        loop {
            let query = HistoryQuery { key: Some(key.clone()), before, limit: PAGE };
            let page = self.history(query).await?;
            oldest = page.items.last().map(|record| record.revision).or(oldest);
            before = page.next;
            if before.is_none() {
                return Ok(oldest);
            }
        }
    }
}

/// The refusal because history cannot be read.
fn unread(error: &Error) -> Refusal {
    tracing::warn!(%error, "history cannot be read");
    Refusal::new(Reason::StoreUnavailable, "History cannot be read at present; try again.")
}
