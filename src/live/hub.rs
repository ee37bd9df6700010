//! The hub: from a commit to the streams that it concerns.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    Access, ChangeSlot, ChangeStream, ChangeStreams, Fleet, Health, HealthState, Payload,
    ProfileStream, Reset, Settings, StoreId, Streams, Subscription, changes,
    feed::{Batch, Feed},
    fleet::Presence,
    group::GroupKey,
    profile::{Opening, ProfileSlot, Subject},
    propagation::{Propagation, PropagationFigures},
    streams::Follower,
    token::Binding,
};
use crate::{
    catalog::Catalog,
    domain::{App, Reason, Refusal, Scope, Time, UniqueName, UserId},
    executor::Wakes,
    ledger::Committed,
    read::{Contents, Resolved, Variant, resolved_variant},
    tasks::{OnPanic, Tasks},
};

/// How often within the time of a stall, or until the end of a drain, streams are looked at.
const SWEEPS: u32 = 2;

/// The streams of profiles, and the task that looks after streams of every kind. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    store: StoreId,
    pub(super) contents: Arc<Contents>,
    pub(super) profiles: Streams<ProfileSlot>,
    /// Streams of transactions; they are among the others.
    changes: ChangeStreams,
    /// Streams of other kinds.
    others: Mutex<Vec<Arc<dyn Follower>>>,
    health: Mutex<HashMap<UniqueName, (Health, String)>>,
    fleet: Fleet,
    /// Revision up to which every stream of a profile was compared.
    compared: Arc<AtomicI64>,
    propagation: Propagation,
    feed: Arc<Feed>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.feed.close();
    }
}

impl Hub {
    /// A hub without streams, and its task; what its streams deliver is noted in `fleet`. Must be
    /// called within a tokio runtime.
    pub fn new(
        tasks: &Tasks,
        store: StoreId,
        settings: Settings,
        contents: Arc<Contents>,
        fleet: Fleet,
        random: Rng,
    ) -> Self {
        let feed = Arc::new(Feed::default());
        let commits = Arc::clone(&feed);
        let pace = settings.stalled.min(settings.drain_deadline) / SWEEPS;
        let mut random = random;
        let changes = ChangeStreams::new(changes::settings(&settings), random.fork());
        let shared = Arc::new(Shared {
            store,
            contents,
            others: Mutex::new(vec![Arc::new(changes.clone())]),
            changes,
            profiles: Streams::new(settings, random),
            health: Mutex::default(),
            fleet,
            compared: Arc::default(),
            propagation: Propagation::default(),
            feed,
        });
        let task = run(Arc::downgrade(&shared), commits, pace);
        // Without it clients would keep what no longer applies.
        tasks.spawn("live.hub", OnPanic::EndProcess, task);
        Self { shared }
    }

    /// Looks after streams of another kind as well: rechecks, sweeps and drains them.
    pub fn drive<P: Payload>(&self, streams: &Streams<P>) {
        self.shared.others().push(Arc::new(streams.clone()));
    }

    /// Takes a commit; the hook of the ledger, which never waits. Streams are compared with it soon
    /// after, by the task of the hub.
    pub fn committed(&self, committed: &Committed) {
        self.shared.feed.push(committed.clone());
    }

    /// How many slots of streams of profiles were visited so far for commits.
    #[cfg(test)]
    pub(crate) fn visits(&self) -> usize {
        self.shared.profiles.visits()
    }

    /// How many commits wait whole to be compared.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.shared.feed.waiting()
    }

    /// Opens a stream of a profile. `catalog` answers the newest catalog.
    pub fn watch(
        &self,
        catalog: impl Fn() -> Arc<Catalog>,
        subscription: Subscription,
    ) -> Result<ProfileStream, Refusal> {
        let shared = &self.shared;
        let Subscription { app, client_id, resume_token, digest, .. } = &subscription;
        let (app, client_id) = (*app, client_id.clone());
        let sent = Sent { resume_token: resume_token.clone(), digest: digest.clone() };
        let mut access = subscription.into_access();
        // Resolves and compiles where that holds up nobody.
        let early = catalog();
        let answer = shared.start(&early, &access.user, app)?;

        let mut wakers = Wakes::default();
        let mut registry = shared.profiles.registry();
        registry.refuse_draining()?;
        // Commits are compared under the same lock: none slips between this catalog and the index.
        let known = registry.index.catalog.clone();
        let catalog = match known {
            Some(known) => Some(catalog()).filter(|c| c.revision > known.revision).unwrap_or(known),
            None => catalog(),
        };
        let (resolved, variant) = match Arc::ptr_eq(&early, &catalog) {
            true => answer,
            false => shared.start(&catalog, &access.user, app)?,
        };
        access.permitted(&catalog)?;
        let key = (&access, app, client_id.as_deref());
        wakers.add(registry.admit(key, shared.profiles.settings(), &catalog)?);

        access.user = resolved.user.clone();
        let subject = Subject {
            store: shared.store.clone(),
            user: resolved.user.clone(),
            app,
            admin: access.caller.scopes.has(Scope::Admin),
            compared: Arc::clone(&shared.compared),
        };
        let start = resolved.revision;
        let presence = shared.fleet.connect(&resolved.user, app, client_id.as_deref());
        let slot = shared.slot((subject, presence), sent, resolved, &variant, &mut registry.random);
        let (watcher, id) =
            shared.profiles.insert(&mut registry, (access, app, client_id), start, slot);
        if registry.index.catalog.is_none() {
            shared.advance(start);
            registry.index.catalog = Some(Arc::clone(&catalog));
        }
        let index = &mut registry.index;
        let compared = index.catalog.as_ref().is_some_and(|known| known.revision == start);
        match catalog.user(&watcher.access.user).filter(|_| compared) {
            Some(seated) => index.place(id, GroupKey::of(&catalog, &seated, app), &variant),
            None => _ = index.newer_than_hub.insert(id),
        }
        drop(registry);
        Ok(shared.profiles.stream(watcher, id))
    }

    /// Opens a stream of the transactions behind a revision. `catalog` answers the newest catalog.
    ///
    /// # Errors
    /// DRAINING, TOO_MANY_STREAMS, SERVER_BUSY, and what the access check says.
    pub fn watch_changes(
        &self,
        catalog: impl Fn() -> Arc<Catalog>,
        access: Access,
        after: i64,
    ) -> Result<ChangeStream, Refusal> {
        let slot = ChangeSlot::new(after);
        let mut stream = self.shared.changes.open(&catalog, access, (), slot)?;
        // The stream is notified of what is committed from here on, too.
        let newest = catalog().revision;
        stream.prepare(|slot| {
            slot.committed(newest, Instant::now());
        });
        Ok(stream)
    }

    /// The store that is served, as tokens know it.
    pub fn store(&self) -> &StoreId {
        &self.shared.store
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
        let mut wakers = Wakes::default();
        let (registry, now) = (self.shared.profiles.registry(), Instant::now());
        for (_, watcher) in registry.iter() {
            wakers.add(watcher.slot().update(|slot| slot.report(provider, health, now)));
        }
        drop(registry);
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

    /// Ends the streams of every kind whose callers would no longer be admitted: a credential may
    /// lose its trust without a commit.
    pub fn recheck_callers(&self, catalog: &Catalog) {
        self.shared.each_kind(|streams| streams.recheck_callers(catalog));
    }

    /// Ends every stream of every kind as planned, their reconnects spread over the drain window,
    /// and opens no further one.
    pub fn drain(&self) {
        let now = Instant::now();
        self.shared.each_kind(|streams| streams.drain(now));
    }

    /// What every client was sent, and what it reports of it.
    pub fn fleet(&self) -> &Fleet {
        &self.shared.fleet
    }

    /// Revision up to which every stream of a profile was compared: what differs waits in its stream.
    pub fn compared(&self) -> i64 {
        self.shared.compared.load(Ordering::Acquire)
    }

    /// How long commits took until every stream of a profile had what they change for it.
    pub fn propagation(&self) -> PropagationFigures {
        self.shared.propagation.figures()
    }

    /// The cache of encoded content.
    pub fn contents(&self) -> &Contents {
        &self.shared.contents
    }

    /// Number of open streams of profiles.
    pub fn streams(&self) -> usize {
        self.shared.profiles.len()
    }

    /// How many streams of profiles ended for which reason.
    pub fn ends(&self) -> Vec<(Reason, u64)> {
        self.shared.profiles.ends()
    }
}

/// Follows commits, and looks for streams that nobody reads, until the hub is gone.
async fn run(hub: Weak<Shared>, commits: Arc<Feed>, pace: Duration) {
    let mut sweep = tokio::time::interval(pace.max(Duration::from_millis(1)));
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
            Some(batch) => hub.follow(batch),
            None => {
                let now = Instant::now();
                hub.each_kind(|streams| streams.sweep(now));
            }
        }
    }
}

/// The refusal because profiles do not apply in an app.
pub fn not_applicable(app: App) -> Refusal {
    let message = format!("Profiles do not apply in {}.", app.as_str());
    Refusal::new(Reason::AppNotApplicable, message).with("app", app.as_str())
}

/// What a client sent of what it holds.
struct Sent {
    resume_token: String,
    digest: String,
}

impl Shared {
    /// Brings everything that lives to what these commits, the oldest first, led to.
    fn follow(&self, mut batch: Batch) {
        let Some(after) = batch.after().cloned() else { return };
        let changes = batch.changes();
        self.contents.drop_obsolete(&changes.touched.contents, &after);
        for streams in self.others().iter() {
            streams.recheck(&changes.touched, &after);
            streams.committed(after.revision);
        }
        self.compare(changes, &after);
        batch.times.iter().for_each(|time| self.propagation.observe(time.elapsed()));
    }

    fn each_kind(&self, act: impl Fn(&dyn Follower)) {
        act(&self.profiles);
        self.others().iter().for_each(|streams| act(streams.as_ref()));
    }

    fn others(&self) -> MutexGuard<'_, Vec<Arc<dyn Follower>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, HashMap<UniqueName, (Health, String)>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that every stream of a profile was compared with the catalog of this revision.
    pub(super) fn advance(&self, revision: i64) {
        self.compared.store(revision, Ordering::Release);
    }

    fn start(
        &self,
        catalog: &Catalog,
        user: &UserId,
        app: App,
    ) -> Result<(Resolved, Variant), Refusal> {
        let found = resolved_variant(catalog, &self.contents, user, app)?;
        found.ok_or_else(|| not_applicable(app))
    }

    /// The slot of a new stream: what the client sent decides the first message (SPEC §10.2).
    fn slot(
        &self,
        (subject, presence): (Subject, Presence),
        sent: Sent,
        resolved: Resolved,
        held: &Variant,
        random: &mut Rng,
    ) -> ProfileSlot {
        let binding = Binding { store: &self.store, user: &resolved.user, app: subject.app };
        let sent: Result<String, Reset> = match sent.resume_token.as_str() {
            "" => Ok(sent.digest),
            token => binding.read(token, resolved.revision),
        };
        let in_sync = sent.as_ref().is_ok_and(|digest| *digest == held.content.digest);
        let opening = Opening { resolved, reset: sent.err(), in_sync, since: Instant::now() };
        let known = self.health();
        let listed = held.content.providers.iter();
        let health = listed.filter_map(|p| Some((p.clone(), known.get(p)?.0))).collect();
        drop(known);
        let settings = self.profiles.settings();
        let held = held.clone();
        ProfileSlot::new((subject, presence), opening, held, health, settings, random)
    }
}
