//! The streams of one kind: opened, found by user, rechecked, swept and drained.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use fastrand::Rng;
use tokio::time::Instant;

use super::{
    Settings,
    access::Access,
    ids::StreamId,
    registry::{Registry, Shared, Watcher},
    slot::{Payload, Slot},
    stream::Stream,
};
use crate::{
    catalog::Catalog,
    domain::{Reason, Refusal, UserId},
    executor::Wakes,
    impact::Touched,
};

/// All streams of one kind. Cheap to clone.
pub struct Streams<P: Payload> {
    shared: Arc<Shared<P>>,
}

/// What the task of the hub does with streams of any kind.
pub(super) trait Follower: fmt::Debug + Send + Sync {
    /// Ends the streams that commits leave without a user or without the right to go on.
    /// Visits those alone that a changed user concerns, or whose caller may have other rights.
    fn recheck(&self, touched: &Touched, catalog: &Catalog);

    /// Ends the streams whose callers would no longer be admitted.
    fn recheck_callers(&self, catalog: &Catalog);

    /// Notifies streams about the organisation that a revision was committed.
    fn committed(&self, revision: i64);

    /// Ends streams that nobody reads, and those that a drain left over.
    fn sweep(&self, now: Instant);

    /// Ends every stream as planned.
    fn drain(&self, now: Instant);
}

impl<P: Payload> Streams<P> {
    /// No stream yet. They are looked after once a hub has them, see [`Hub::drive`].
    ///
    /// [`Hub::drive`]: super::Hub::drive
    pub fn new(settings: Settings, random: Rng) -> Self {
        Self { shared: Arc::new(Shared::new(settings, random)) }
    }

    /// Opens a stream, judged by the newest catalog, which `catalog` answers.
    ///
    /// # Errors
    /// DRAINING, USER_NOT_FOUND, TOO_MANY_STREAMS, SERVER_BUSY, and what the access check says.
    pub fn open(
        &self,
        catalog: impl Fn() -> Arc<Catalog>,
        access: Access,
        topic: P::Topic,
        payload: P,
    ) -> Result<Stream<P>, Refusal> {
        let mut wakers = Wakes::default();
        let mut registry = self.registry();
        registry.refuse_draining()?;
        // Commits are followed under the same lock: none slips between this catalog and the registry.
        let catalog = catalog();
        access.permitted(&catalog)?;
        if !P::ORGANISATION && catalog.user(&access.user).is_none() {
            let message = format!("User {} does not exist.", access.user);
            return Err(Refusal::new(Reason::UserNotFound, message));
        }
        wakers.add(registry.admit((&access, topic, None), self.settings(), &catalog)?);
        let (watcher, id) =
            self.insert(&mut registry, (access, topic, None), catalog.revision, payload);
        drop(registry);
        Ok(self.stream(watcher, id))
    }

    /// What the owner of a stream that was inserted reads it by.
    pub(super) fn stream(&self, watcher: Arc<Watcher<P>>, id: StreamId) -> Stream<P> {
        Stream::new(Arc::clone(&self.shared), watcher, id)
    }

    pub(super) fn insert(
        &self,
        registry: &mut Registry<P>,
        (access, topic, client_id): (Access, P::Topic, Option<String>),
        start: i64,
        payload: P,
    ) -> (Arc<Watcher<P>>, StreamId) {
        let random = registry.random.fork();
        let slot =
            Mutex::new(Slot::new(payload, self.settings(), access.expires, Instant::now(), random));
        let watcher = Arc::new(Watcher { access, topic, client_id, start, slot });
        let id = registry.insert(&watcher);
        (watcher, id)
    }

    /// Changes what waits on the streams that watch a user, and wakes those for which `change` says
    /// that there is something to send. Streams on other users are not visited.
    pub fn update(&self, user: &UserId, mut change: impl FnMut(&mut P) -> bool) {
        let mut wakers = Wakes::default();
        let registry = self.registry();
        for watcher in registry.watching(user) {
            #[cfg(test)]
            self.shared.count_visit();
            wakers.add(watcher.slot().update(&mut change));
        }
        drop(registry);
    }

    /// Number of open streams.
    pub fn len(&self) -> usize {
        self.registry().len()
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many streams ended for which reason, clients that went away not counted.
    pub fn ends(&self) -> Vec<(Reason, u64)> {
        self.registry().ends().to_vec()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry<P>> {
        self.shared.registry()
    }

    /// Counts a visit of a slot.
    #[cfg(test)]
    pub(super) fn count_visit(&self) {
        self.shared.count_visit();
    }

    /// How many slots were visited so far for changes of users and events.
    #[cfg(test)]
    pub(crate) fn visits(&self) -> usize {
        self.shared.visits()
    }
}

impl<P: Payload> Follower for Streams<P> {
    fn recheck(&self, touched: &Touched, catalog: &Catalog) {
        let mut wakers = Wakes::default();
        let mut registry = self.registry();
        for id in registry.touched(touched, catalog) {
            let Some(watcher) = registry.get(id).cloned() else { continue };
            #[cfg(test)]
            self.shared.count_visit();
            // A stream that began later was judged by a newer catalog than this one.
            if watcher.start >= catalog.revision {
                continue;
            }
            let exists = P::ORGANISATION || catalog.user(&watcher.access.user).is_some();
            let allowed = match exists {
                true => watcher.access.still_permitted(touched, catalog),
                false => Err(watcher.access.user_deleted()),
            };
            if let Err(refusal) = allowed {
                wakers.add(registry.end(id, refusal));
            }
        }
        drop(registry);
    }

    fn recheck_callers(&self, catalog: &Catalog) {
        let mut wakers = Wakes::default();
        let mut registry = self.registry();
        let judged = registry.iter().map(|(id, watcher)| (id, watcher.access.permitted(catalog)));
        let refused: Vec<_> = judged.filter_map(|(id, may)| Some((id, may.err()?))).collect();
        for (id, refusal) in refused {
            wakers.add(registry.end(id, refusal));
        }
        drop(registry);
    }

    fn committed(&self, revision: i64) {
        if !P::ORGANISATION {
            return;
        }
        let (mut wakers, now) = (Wakes::default(), Instant::now());
        let registry = self.registry();
        for (_, watcher) in registry.iter() {
            wakers.add(watcher.slot().update(|slot| slot.committed(revision, now)));
        }
        drop(registry);
    }

    fn sweep(&self, now: Instant) {
        let woken = self.registry().sweep(self.settings(), now);
        drop(Wakes::from_iter(woken));
    }

    fn drain(&self, now: Instant) {
        let woken = self.registry().drain(self.settings().drain_window, now);
        drop(Wakes::from_iter(woken));
    }
}

impl<P: Payload> Clone for Streams<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Payload> fmt::Debug for Streams<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}
