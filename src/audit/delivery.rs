//! The stored form of deliveries.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::entry::{decode, encode, encode_into};
use crate::{
    domain::{App, Delivery, DeliveryRef, Method, Time, UniqueName, UserId},
    store::{Error, LogEntry, Logged, Result},
};

/// A delivery, less its time.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    app: App,
    #[serde(default, borrow)]
    client_id: Cow<'a, str>,
    revision: i64,
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    profile: Cow<'a, str>,
    method: Method,
}

/// The first fields of a stored delivery: to which client it went.
#[derive(Serialize)]
struct Head<'a> {
    user: &'a str,
    app: App,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_id: &'a str,
}

/// The other fields: what it was, the same for all clients that one change reaches.
#[derive(Serialize)]
struct Tail<'a> {
    revision: i64,
    digest: &'a str,
    profile: &'a str,
    method: Method,
}

/// Deliveries that wait to be written, in their stored form: while a change goes out to its clients
/// each of them is added, so nothing of it is copied twice and what all have in common is encoded once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Times and ends of the entries.
    ends: Vec<(Time, usize)>,
    last: Option<LastTail>,
}

/// What the last delivery was.
#[derive(Debug)]
struct LastTail {
    revision: i64,
    digest: String,
    profile: UniqueName,
    method: Method,
    /// The end of its stored form.
    bytes: Vec<u8>,
}

// === impl Batch ===

impl Batch {
    /// How many deliveries wait.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// When the first one happened.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.ends.first().map(|(time, _)| *time)
    }

    /// Adds a delivery; one that cannot be encoded leaves the batch as it was.
    pub(super) fn push(&mut self, delivery: DeliveryRef<'_>) -> Result<()> {
        let tail = match self.last.take().filter(|last| last.is_of(&delivery)) {
            Some(tail) => tail,
            None => LastTail::new(&delivery)?,
        };
        let (start, DeliveryRef { app, client_id, .. }) = (self.bytes.len(), delivery);
        let head = Head { user: delivery.user.as_str(), app, client_id };
        if let Err(error) = encode_into(&mut self.bytes, &head) {
            self.bytes.truncate(start);
            return Err(error);
        }
        // The brace that ends the head: the tail goes on after it.
        self.bytes.pop();
        self.bytes.extend_from_slice(&tail.bytes);
        self.ends.push((delivery.time, self.bytes.len()));
        self.last = Some(tail);
        Ok(())
    }

    /// The entries to be written.
    pub(super) fn entries(self) -> Vec<LogEntry> {
        let (bytes, mut start) = (Bytes::from(self.bytes), 0);
        let entry = |(time, end)| {
            let bytes = bytes.slice(start..end);
            start = end;
            LogEntry { time, bytes }
        };
        self.ends.into_iter().map(entry).collect()
    }
}

// === impl LastTail ===

impl LastTail {
    fn new(delivery: &DeliveryRef<'_>) -> Result<Self> {
        let DeliveryRef { revision, digest, profile, method, .. } = *delivery;
        let mut bytes = encode(&Tail { revision, digest, profile: profile.as_str(), method })?;
        // After the format comes the brace that begins it: the head goes before it.
        bytes.remove(0);
        if let Some(first) = bytes.first_mut() {
            *first = b',';
        }
        let (digest, profile) = (digest.to_owned(), profile.clone());
        Ok(Self { revision, digest, profile, method, bytes })
    }

    fn is_of(&self, delivery: &DeliveryRef<'_>) -> bool {
        let DeliveryRef { revision, digest, profile, method, .. } = delivery;
        self.revision == *revision
            && self.method == *method
            && self.digest == *digest
            && self.profile.as_str() == profile.as_str()
    }
}

/// Reads a delivery, if its user, app and client pass the test.
pub(super) fn read(
    logged: &Logged<'_>,
    takes: impl FnOnce(&str, App, &str) -> bool,
) -> Result<Option<Delivery>> {
    let what = "an entry of the resolution log";
    let stored: Stored<'_> = decode(what, logged.bytes)?;
    if !takes(&stored.user, stored.app, &stored.client_id) {
        return Ok(None);
    }
    let damaged = |rule: &dyn std::fmt::Display| Error::Damaged(format!("{what}: {rule}"));
    Ok(Some(Delivery {
        user: UserId::parse(&stored.user).map_err(|rule| damaged(&rule))?,
        app: stored.app,
        client_id: stored.client_id.into_owned(),
        time: logged.time,
        revision: stored.revision,
        digest: stored.digest.into_owned(),
        profile: UniqueName::parse(&stored.profile).map_err(|rule| damaged(&rule))?,
        method: stored.method,
    }))
}
