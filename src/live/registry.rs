//! The open streams of one kind, by what they are found by, and how many there may be.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::Instant;

use super::{
    Settings,
    access::Access,
    ids::StreamId,
    slot::{Index, Payload, Slot, slow_consumer},
};
use crate::{
    catalog::Catalog,
    domain::{Reason, Refusal, UserId},
    executor::Parked,
    impact::Touched,
};

/// Caller, watched user, topic and client id: at most one stream each.
pub(super) type ClientKey<P> = (String, UserId, <P as Payload>::Topic, String);

/// One stream, shared by who reads it and who finds it in the registry.
#[derive(Debug)]
pub(super) struct Watcher<P: Payload> {
    pub(super) access: Access,
    pub(super) topic: P::Topic,
    pub(super) client_id: Option<String>,
    /// Revision of the catalog with which the stream began.
    pub(super) start: i64,
    pub(super) slot: Mutex<Slot<P>>,
}

impl<P: Payload> Watcher<P> {
    pub(super) fn slot(&self) -> MutexGuard<'_, Slot<P>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client_key(&self) -> Option<ClientKey<P>> {
        client_key::<P>(&self.access, self.topic, self.client_id.as_deref())
    }
}

fn client_key<P: Payload>(
    access: &Access,
    topic: P::Topic,
    client_id: Option<&str>,
) -> Option<ClientKey<P>> {
    let subject = access.caller.subject.clone();
    Some((subject, access.user.clone(), topic, client_id?.to_owned()))
}

type Streams<P> = HashMap<StreamId, Arc<Watcher<P>>>;
type ByUser = HashMap<UserId, BTreeSet<StreamId>>;

/// All streams of one kind. One lock is held over it; slots have locks of their own, taken later.
#[derive(Debug)]
pub(super) struct Registry<P: Payload> {
    /// What this kind of stream is found by in addition.
    pub(super) index: P::Index,
    /// When the drain began.
    pub(super) draining: Option<Instant>,
    pub(super) random: Rng,
    streams: Streams<P>,
    /// By the watched user.
    watched: ByUser,
    /// By the caller's own user, where that is another one.
    callers: ByUser,
    clients: HashMap<ClientKey<P>, StreamId>,
    ends: Vec<(Reason, u64)>,
    next: StreamId,
}

impl<P: Payload> Registry<P> {
    pub(super) fn new(random: Rng) -> Self {
        Self {
            index: P::Index::default(),
            draining: None,
            random,
            streams: HashMap::new(),
            watched: HashMap::new(),
            callers: HashMap::new(),
            clients: HashMap::new(),
            ends: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Arc<Watcher<P>>> {
        self.streams.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (StreamId, &Arc<Watcher<P>>)> {
        self.streams.iter().map(|(id, watcher)| (*id, watcher))
    }

    /// Streams that watch the user.
    pub(super) fn watching(&self, user: &UserId) -> impl Iterator<Item = &Arc<Watcher<P>>> {
        self.watched.get(user).into_iter().flatten().filter_map(|id| self.streams.get(id))
    }

    /// Streams that a change of the user may concern: those that watch him, and his own.
    pub(super) fn concerning(&self, user: &UserId) -> impl Iterator<Item = StreamId> {
        let of = |by: &'_ ByUser| by.get(user).into_iter().flatten().copied().collect::<Vec<_>>();
        of(&self.watched).into_iter().chain(of(&self.callers))
    }

    /// Streams that a commit concerns one by one, of which this is the catalog after: those on and of
    /// users who changed, and those whose caller may have other rights.
    pub(super) fn touched(&self, touched: &Touched, after: &Catalog) -> BTreeSet<StreamId> {
        if touched.everyone {
            return self.streams.keys().copied().collect();
        }
        let mut found: BTreeSet<_> =
            touched.users.iter().flat_map(|user| self.concerning(user)).collect();
        if touched.rights.is_empty() {
            return found;
        }
        let other_rights = |(user, _): &(&UserId, _)| touched.rights_of(user, after);
        let own = |id: &&StreamId| {
            let access = self.streams.get(id).map(|watcher| &watcher.access);
            access.is_some_and(|access| access.caller.user.as_ref() == Some(&access.user))
        };
        let on_themselves = self.watched.iter().filter(other_rights);
        found.extend(on_themselves.flat_map(|(_, ids)| ids).filter(own));
        found.extend(self.callers.iter().filter(other_rights).flat_map(|(_, ids)| ids));
        found
    }

    /// Refuses every stream once the server ends.
    pub(super) fn refuse_draining(&self) -> Result<(), Refusal> {
        if self.draining.is_none() {
            return Ok(());
        }
        let message = "The server ends; open the stream elsewhere or later.";
        Err(Refusal::new(Reason::Draining, message))
    }

    /// Makes room for a stream (SPEC §10.6): the one that it replaces ends, or it counts against the
    /// limits. Answers whom to wake.
    pub(super) fn admit(
        &mut self,
        (access, topic, client_id): (&Access, P::Topic, Option<&str>),
        settings: &Settings,
        catalog: &Catalog,
    ) -> Result<Option<Parked>, Refusal> {
        let key = client_key::<P>(access, topic, client_id);
        if let Some(id) = key.and_then(|key| self.clients.get(&key).copied()) {
            return Ok(self.end(id, replaced()));
        }
        let limit = usize::from(catalog.settings.max_streams_per_user);
        let subject = &access.caller.subject;
        let same = |watcher: &&Arc<Watcher<P>>| watcher.access.caller.subject == *subject;
        if self.watching(&access.user).filter(same).count() >= limit {
            return Err(too_many(&access.user, limit));
        }
        if self.len() >= settings.max_streams {
            return Err(busy(settings.max_streams));
        }
        Ok(None)
    }

    pub(super) fn insert(&mut self, watcher: &Arc<Watcher<P>>) -> StreamId {
        let id = self.next;
        self.next += 1;
        self.watched.entry(watcher.access.user.clone()).or_default().insert(id);
        if let Some(own) = watcher.access.other_user() {
            self.callers.entry(own.clone()).or_default().insert(id);
        }
        if let Some(key) = watcher.client_key() {
            self.clients.insert(key, id);
        }
        self.streams.insert(id, Arc::clone(watcher));
        id
    }

    /// Takes a stream out of every index; answers whether it was there.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        self.index.remove(id);
        let Some(watcher) = self.streams.remove(&id) else { return false };
        take_out(&mut self.watched, &watcher.access.user, id);
        if let Some(own) = watcher.access.other_user() {
            take_out(&mut self.callers, own, id);
        }
        let key = watcher.client_key();
        if let Some(key) = key.filter(|key| self.clients.get(key) == Some(&id)) {
            self.clients.remove(&key);
        }
        true
    }

    /// Ends a stream and takes it out; answers whom to wake.
    pub(super) fn end(&mut self, id: StreamId, refusal: Refusal) -> Option<Parked> {
        let watcher = self.get(id).cloned()?;
        self.count_end(id, refusal.reason);
        watcher.slot().end(refusal)
    }

    /// Takes a stream out that ended by itself, and counts its reason.
    pub(super) fn count_end(&mut self, id: StreamId, reason: Reason) {
        if !self.remove(id) {
            return;
        }
        match self.ends.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.ends.push((reason, 1)),
        }
    }

    /// How many streams ended for which reason.
    pub(super) fn ends(&self) -> &[(Reason, u64)] {
        &self.ends
    }

    /// Starts the planned end of every stream, their reconnects spread over the drain window.
    pub(super) fn drain(&mut self, window: Duration, now: Instant) -> Vec<Parked> {
        if self.draining.replace(now).is_some() {
            return Vec::new();
        }
        let part = window.div_f64(self.len().max(1) as f64);
        let random = &mut self.random;
        let leave = |(at, watcher): (usize, &Arc<Watcher<P>>)| {
            let reconnect_after = part.mul_f64(at as f64 + random.f64());
            watcher.slot().leave(Reason::Draining, reconnect_after, now)
        };
        self.streams.values().enumerate().filter_map(leave).collect()
    }

    /// Ends streams that nobody reads, and after the deadline of a drain all that are left.
    pub(super) fn sweep(&mut self, settings: &Settings, now: Instant) -> Vec<Parked> {
        let cut = self.draining.is_some_and(|since| since + settings.drain_deadline <= now);
        let lost: Vec<_> = self
            .iter()
            .filter(|(_, watcher)| cut || watcher.slot().is_stalled(settings, now))
            .map(|(id, _)| id)
            .collect();
        let draining = || Refusal::new(Reason::Draining, "The server ends; reconnect.");
        let end = |id| self.end(id, if cut { draining() } else { slow_consumer() });
        lost.into_iter().filter_map(end).collect()
    }
}

/// The registry of one kind of streams behind its lock, with their settings.
#[derive(Debug)]
pub(super) struct Shared<P: Payload> {
    pub(super) settings: Settings,
    registry: Mutex<Registry<P>>,
    /// Slots that were looked at for events and changes of users: what their cost is tested by.
    #[cfg(test)]
    visits: std::sync::atomic::AtomicUsize,
}

impl<P: Payload> Shared<P> {
    pub(super) fn new(settings: Settings, random: Rng) -> Self {
        Self {
            settings,
            registry: Mutex::new(Registry::new(random)),
            #[cfg(test)]
            visits: Default::default(),
        }
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry<P>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count_visit(&self) {
        self.visits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn visits(&self) -> usize {
        self.visits.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn take_out(by: &mut ByUser, user: &UserId, id: StreamId) {
    if let Some(ids) = by.get_mut(user) {
        ids.remove(&id);
        if ids.is_empty() {
            by.remove(user);
        }
    }
}

fn replaced() -> Refusal {
    let message = "A newer stream of the same client took the place of this one; do not reconnect.";
    Refusal::new(Reason::Replaced, message)
}

fn busy(limit: usize) -> Refusal {
    let message = format!("The server has {limit} streams, as many as it admits; try another one.");
    Refusal::new(Reason::ServerBusy, message).with("limit", limit).retry_after_ms(5_000)
}

fn too_many(user: &UserId, limit: usize) -> Refusal {
    let message = format!("{user} has {limit} streams of this caller already; close one.");
    Refusal::new(Reason::TooManyStreams, message).with("limit", limit)
}
