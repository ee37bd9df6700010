//! The hub: from a commit to the streams that it concerns.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, Ordering},
    },
    task::Waker,
};

use fastrand::Rng;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    Health, HealthState, Reset, Resolved, Settings, StoreId, Stream, Subscription,
    feed::Feed,
    group::GroupKey,
    index::{Index, Watcher, permitted},
    slot::{Opening, Slot, slow_consumer},
    token::Binding,
};
use crate::{
    catalog::Catalog,
    domain::{App, Reason, Refusal, Time, UniqueName, UserId},
    ledger::Published,
    read::{Contents, Variant, resolved_variant},
};

/// How often within the time of a stall, or until the end of a drain, streams are looked at.
const SWEEPS: u32 = 2;

/// All live streams of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: StoreId,
    pub(super) settings: Settings,
    pub(super) contents: Arc<Contents>,
    index: Mutex<Index>,
    health: Mutex<HashMap<UniqueName, (Health, String)>>,
    /// Every stream was compared with the catalog of this revision.
    reached: AtomicI64,
    feed: Arc<Feed>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.feed.close();
    }
}

impl Hub {
    /// A hub without streams, and its task. Must be called within a tokio runtime.
    pub fn new(store: StoreId, settings: Settings, contents: Arc<Contents>, random: Rng) -> Self {
        let feed = Arc::new(Feed::default());
        let commits = Arc::clone(&feed);
        let shared = Arc::new(Shared {
            store,
            settings,
            contents,
            index: Mutex::new(Index::new(random)),
            health: Mutex::default(),
            reached: AtomicI64::new(0),
            feed,
        });
        let pace = shared.settings.stalled.min(shared.settings.drain_deadline) / SWEEPS;
        tokio::spawn(run(Arc::downgrade(&shared), commits, pace));
        Self { shared }
    }

    /// Takes a commit; the hook of the ledger, which never waits. Streams are compared with it soon
    /// after, by the task of the hub.
    pub fn published(&self, published: &Published) {
        self.shared.feed.push(published.clone());
    }

    /// How many commits wait whole to be compared.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.shared.feed.waiting()
    }

    /// Opens a stream. `catalog` answers the newest catalog.
    pub fn watch(
        &self,
        catalog: impl Fn() -> Arc<Catalog>,
        subscription: Subscription,
    ) -> Result<Stream, Refusal> {
        let shared = &self.shared;
        let (user, app) = (&subscription.user, subscription.app);
        // Resolves and compiles where that holds up nobody.
        let early = catalog();
        let answer = shared.start(&early, user, app)?;

        let mut wakers = Wakers::default();
        let mut index = shared.index();
        if index.draining.is_some() {
            let message = "The server ends; open the stream elsewhere or later.";
            return Err(Refusal::new(Reason::Draining, message));
        }
        // Commits are compared under the same lock: none slips between this catalog and the index.
        let known = index.catalog.clone();
        let catalog = match known {
            Some(known) => Some(catalog()).filter(|c| c.revision > known.revision).unwrap_or(known),
            None => catalog(),
        };
        let (resolved, variant) = match Arc::ptr_eq(&early, &catalog) {
            true => answer,
            false => shared.start(&catalog, user, app)?,
        };
        let Subscription { caller, own_credential, recheck, .. } = &subscription;
        permitted(caller, *own_credential, recheck, &catalog)?;
        match index.predecessor(&subscription) {
            Some(id) => wakers.add(index.end(id, replaced())),
            None => {
                let limit = usize::from(catalog.settings.max_streams_per_user);
                if index.count(&caller.subject, user) >= limit {
                    return Err(too_many(user, limit));
                }
                if index.len() >= shared.settings.max_streams {
                    return Err(busy(shared.settings.max_streams));
                }
            }
        }

        let (user, start) = (resolved.user.clone(), resolved.revision);
        let slot = shared.slot(&subscription, resolved, &variant, index.random.fork());
        let watcher = Arc::new(Watcher::new(subscription, user, start, slot));
        let id = index.insert(&watcher);
        if index.catalog.is_none() {
            shared.reach(start);
            index.catalog = Some(Arc::clone(&catalog));
        }
        let compared = index.catalog.as_ref().is_some_and(|known| known.revision == start);
        match catalog.user(&watcher.user).filter(|_| compared) {
            Some(seated) => {
                index.place(id, GroupKey::of(&catalog, &seated, watcher.app), &variant);
            }
            None => {
                index.ahead.insert(id);
            }
        }
        drop(index);
        Ok(Stream::new(Arc::clone(shared), watcher, id))
    }

    /// Takes the health of a provider as it was seen at `time`; answers whether state or detail
    /// changed. A new state goes to the watchers whose content lists the provider.
    pub fn report(
        &self,
        provider: &UniqueName,
        state: HealthState,
        detail: String,
        time: Time,
    ) -> bool {
        let mut known = self.shared.health();
        let (health, old) = known.entry(provider.clone()).or_default();
        let same = health.state == state;
        let changed = !same || *old != detail;
        *old = detail;
        if same {
            return changed;
        }
        *health = Health { state, since: Some(time) };
        let health = *health;
        drop(known);
        let (index, now) = (self.shared.index(), Instant::now());
        let mut wakers = Wakers::default();
        for (_, watcher) in index.iter() {
            wakers.add(watcher.slot().report(provider, health, now));
        }
        drop(index);
        true
    }

    /// The newest health of a provider.
    pub fn health(&self, provider: &UniqueName) -> Health {
        self.shared.health().get(provider).map(|(health, _)| *health).unwrap_or_default()
    }

    /// The newest health of a provider, with its detail for administrators.
    pub fn described_health(&self, provider: &UniqueName) -> (Health, String) {
        self.shared.health().get(provider).cloned().unwrap_or_default()
    }

    /// Ends every stream as planned, their reconnects spread over the drain window, and opens no
    /// further one.
    pub fn drain(&self) {
        let now = Instant::now();
        let mut wakers = Wakers::default();
        let mut index = self.shared.index();
        if index.draining.is_some() {
            return;
        }
        index.draining = Some(now);
        let watchers: Vec<_> = index.iter().map(|(_, watcher)| Arc::clone(watcher)).collect();
        let part = self.shared.settings.drain_window.div_f64(watchers.len().max(1) as f64);
        for (at, watcher) in watchers.iter().enumerate() {
            let reconnect_after = part.mul_f64(at as f64 + index.random.f64());
            wakers.add(watcher.slot().leave(Reason::Draining, reconnect_after, now));
        }
        drop(index);
    }

    /// Number of open streams.
    pub fn streams(&self) -> usize {
        self.shared.index().len()
    }
}

/// Wakes streams when it goes out of scope, after the locks that were taken later.
#[derive(Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(super) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

/// Compares commits with streams, and looks for streams that nobody reads, until the hub is gone.
async fn run(hub: Weak<Shared>, commits: Arc<Feed>, pace: std::time::Duration) {
    let mut sweep = tokio::time::interval(pace.max(std::time::Duration::from_millis(1)));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let batch = tokio::select! {
            batch = commits.next() => match batch {
                Some(batch) => Some(batch),
                None => return,
            },
            _ = sweep.tick() => None,
        };
        let Some(hub) = hub.upgrade() else { return };
        match batch {
            Some(batch) => hub.compare(batch),
            None => hub.sweep(Instant::now()),
        }
    }
}

impl Shared {
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, HashMap<UniqueName, (Health, String)>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that every stream was compared with the catalog of this revision.
    pub(super) fn reach(&self, revision: i64) {
        self.reached.store(revision, Ordering::Release);
    }

    pub(super) fn reached(&self) -> i64 {
        self.reached.load(Ordering::Acquire)
    }

    fn start(
        &self,
        catalog: &Catalog,
        user: &UserId,
        app: App,
    ) -> Result<(Resolved, Variant), Refusal> {
        resolved_variant(catalog, &self.contents, user, app)?.ok_or_else(|| {
            let message = format!("Profiles do not apply in {}.", app.as_str());
            Refusal::new(Reason::AppNotApplicable, message).with("app", app.as_str())
        })
    }

    /// The slot of a new stream: what the client sent decides the first message (SPEC §10.2).
    fn slot(
        &self,
        subscription: &Subscription,
        resolved: Resolved,
        held: &Variant,
        random: Rng,
    ) -> Slot {
        let Subscription { resume_token, digest, app, .. } = subscription;
        let binding = Binding { store: &self.store, user: &resolved.user, app: *app };
        let sent: Result<String, Reset> = match resume_token.as_str() {
            "" => Ok(digest.clone()),
            token => binding.read(token, resolved.revision),
        };
        let in_sync = sent.as_ref().is_ok_and(|digest| *digest == held.content.digest);
        let opening = Opening { resolved, reset: sent.err(), in_sync, since: Instant::now() };
        let known = self.health();
        let listed = held.content.providers.iter();
        let health = listed.filter_map(|p| Some((p.clone(), known.get(p)?.0))).collect();
        Slot::new(opening, held.clone(), health, &self.settings, random)
    }

    /// Ends streams that nobody reads, and after the deadline of a drain all that are left.
    fn sweep(&self, now: Instant) {
        let mut wakers = Wakers::default();
        let mut index = self.index();
        let deadline = index.draining.map(|since| since + self.settings.drain_deadline);
        let cut = deadline.is_some_and(|deadline| deadline <= now);
        let lost: Vec<_> = index
            .iter()
            .filter(|(_, watcher)| cut || watcher.slot().is_stalled(&self.settings, now))
            .map(|(id, _)| id)
            .collect();
        for id in lost {
            let draining = || Refusal::new(Reason::Draining, "The server ends; reconnect.");
            wakers.add(index.end(id, if cut { draining() } else { slow_consumer() }));
        }
        drop(index);
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
