//! The hub: from a commit to the streams that it concerns.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, Ordering},
    },
    task::Waker,
};

use fastrand::Rng;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Contents, Health, Reset, Resolved, Settings, StoreId, Stream, Subscription,
    cause::Changes,
    contents::Variant,
    index::{GroupKey, Id, Index, Watcher, permitted},
    resolved_variant,
    slot::{Opening, Slot, slow_consumer},
    token::Binding,
};
use crate::{
    catalog::Catalog,
    domain::{App, Reason, Refusal, UniqueName, UserId},
    ledger::Published,
};

/// Commits that are looked at together.
const BATCH: usize = 256;
/// How often within the time of a stall it is looked for.
const SWEEPS: u32 = 5;

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
    health: Mutex<HashMap<UniqueName, Health>>,
    /// Every stream was compared with the catalog of this revision.
    reached: AtomicI64,
    feed: mpsc::UnboundedSender<Published>,
}

impl Hub {
    /// A hub without streams, and its task. Must be called within a tokio runtime.
    pub fn new(store: StoreId, settings: Settings, contents: Arc<Contents>, random: Rng) -> Self {
        let (feed, commits) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            store,
            settings,
            contents,
            index: Mutex::new(Index::new(random)),
            health: Mutex::default(),
            reached: AtomicI64::new(0),
            feed,
        });
        tokio::spawn(run(Arc::downgrade(&shared), commits, shared.settings.stalled / SWEEPS));
        Self { shared }
    }

    /// Takes a commit; the hook of the ledger. Streams hear of it soon after.
    pub fn published(&self, published: &Published) {
        // The task that reads lives as long as the hub.
        let _ = self.shared.feed.send(published.clone());
    }

    /// Opens a stream. `catalog` answers the newest catalog.
    pub fn watch(
        &self,
        catalog: impl Fn() -> Arc<Catalog>,
        subscription: Subscription,
    ) -> Result<Stream, Refusal> {
        let shared = &self.shared;
        let (user, app) = (&subscription.user, subscription.app);
        // Compiles where compiling holds up nobody.
        shared.start(&catalog(), user, app)?;

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
        let (resolved, variant) = shared.start(&catalog, user, app)?;
        let Subscription { caller, own_credential, recheck, .. } = &subscription;
        permitted(caller, *own_credential, recheck, &catalog)?;
        match index.predecessor(&subscription) {
            Some(id) => wakers.add(index.end(id, replaced())),
            None => {
                let limit = usize::from(catalog.settings.max_streams_per_user);
                if index.count(&caller.subject, user) >= limit {
                    return Err(too_many(user, limit));
                }
            }
        }

        let (user, start) = (resolved.user.clone(), resolved.revision);
        let slot = shared.slot(&subscription, resolved, &variant, index.random.fork());
        let watcher = Arc::new(Watcher::new(subscription, user, start, slot));
        let id = index.insert(&watcher);
        if index.catalog.is_none() {
            shared.reached.store(start, Ordering::Release);
            index.catalog = Some(Arc::clone(&catalog));
        }
        let compared = index.catalog.as_ref().is_some_and(|known| known.revision == start);
        match catalog.user(&watcher.user).filter(|_| compared) {
            Some(seated) => index.place(id, (seated.seat.clone(), watcher.app), &variant),
            None => {
                index.ahead.insert(id);
            }
        }
        drop(index);
        Ok(Stream::new(Arc::clone(shared), watcher, id))
    }

    /// Takes the health of a provider; a change goes to the watchers whose content lists it.
    pub fn provider_health(&self, provider: &UniqueName, health: Health) {
        let old = self.shared.health().insert(provider.clone(), health);
        if old.unwrap_or_default() == health {
            return;
        }
        let (index, now) = (self.shared.index(), Instant::now());
        let mut wakers = Wakers::default();
        for (_, watcher) in index.iter() {
            wakers.add(watcher.slot().report(provider, health, now));
        }
        drop(index);
    }

    /// The newest health of a provider.
    pub fn health(&self, provider: &UniqueName) -> Health {
        self.shared.health().get(provider).copied().unwrap_or_default()
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
struct Wakers(Vec<Waker>);

impl Wakers {
    fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

/// Compares commits with streams, and looks for streams that nobody reads, until the hub is gone.
async fn run(
    hub: Weak<Shared>,
    mut commits: mpsc::UnboundedReceiver<Published>,
    pace: std::time::Duration,
) {
    let mut sweep = tokio::time::interval(pace.max(std::time::Duration::from_millis(1)));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        let received = tokio::select! {
            received = commits.recv_many(&mut batch, BATCH) => Some(received),
            _ = sweep.tick() => None,
        };
        let Some(hub) = hub.upgrade().filter(|_| received != Some(0)) else { return };
        match received {
            Some(_) => hub.compare(&batch),
            None => hub.sweep(Instant::now()),
        }
        batch.clear();
    }
}

impl Shared {
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, HashMap<UniqueName, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
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
        let health = listed.filter_map(|p| Some((p.clone(), *known.get(p)?))).collect();
        Slot::new(opening, held.clone(), health, &self.settings, random)
    }

    /// Compares the streams with what these commits, the oldest first, led to.
    fn compare(&self, commits: &[Published]) {
        if let Some(published) = commits.last() {
            self.contents.published(published);
        }
        let known = self.index().catalog.as_ref().map_or(-1, |catalog| catalog.revision);
        let news = || commits.iter().filter(|p| p.after.revision > known);
        let Some(after) = news().next_back().map(|published| &published.after) else { return };
        let changes = Changes::of(news());
        let mut answers =
            Answers { contents: &self.contents, catalog: after, known: HashMap::new() };
        self.prepare(&changes, &mut answers);

        let mut wakers = Wakers::default();
        let mut index = self.index();
        for id in touched(&mut index, &changes, &mut answers) {
            let Some(watcher) = index.get(id).cloned() else { continue };
            if watcher.start > after.revision {
                continue;
            }
            index.ahead.remove(&id);
            match judge(&watcher, &changes, &mut answers) {
                Err(refusal) => wakers.add(index.end(id, refusal)),
                Ok((key, variant)) => {
                    index.place(id, key, &variant);
                    let causes = |held: &Variant| changes.causes(&watcher.user, held, &variant);
                    let (mut slot, now) = (watcher.slot(), Instant::now());
                    wakers.add(slot.offer(after, &variant, causes, &self.settings, now));
                }
            }
        }
        index.catalog = Some(Arc::clone(after));
        drop(index);
        self.reached.store(after.revision, Ordering::Release);
    }

    /// Resolves and compiles what will be asked for, before the streams are locked.
    fn prepare(&self, changes: &Changes, answers: &mut Answers<'_>) {
        if !changes.content {
            return;
        }
        let index = self.index();
        let groups: Vec<_> = index
            .groups
            .iter()
            .filter_map(|(key, group)| {
                let user = &index.get(*group.members.first()?)?.user;
                Some((key.clone(), user.clone(), group.variant.profile.clone()))
            })
            .collect();
        drop(index);
        for (key, user, profile) in groups {
            if changes.routing {
                answers.of(&user, key.1);
            } else {
                self.contents.variant(answers.catalog, &profile, key.0.class);
            }
        }
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

/// Resolutions of one catalog, each seat and app once.
struct Answers<'a> {
    contents: &'a Contents,
    catalog: &'a Arc<Catalog>,
    known: HashMap<GroupKey, Variant>,
}

impl Answers<'_> {
    /// The user's group and what it gets; none when the user is gone.
    fn of(&mut self, user: &UserId, app: App) -> Option<(GroupKey, Variant)> {
        let key = (self.catalog.user(user)?.seat.clone(), app);
        if let Some(variant) = self.known.get(&key) {
            return Some((key, variant.clone()));
        }
        let (_, variant) = resolved_variant(self.catalog, self.contents, user, app).ok()??;
        self.known.insert(key.clone(), variant.clone());
        Some((key, variant))
    }
}

/// Streams to compare one by one: of users who changed, of groups whose digest differs, and those
/// in no group yet.
fn touched(index: &mut Index, changes: &Changes, answers: &mut Answers<'_>) -> BTreeSet<Id> {
    if changes.roles {
        return index.iter().map(|(id, _)| id).collect();
    }
    let mut found: BTreeSet<_> =
        changes.users.iter().flat_map(|user| index.of_user(user).collect::<Vec<_>>()).collect();
    found.extend(&index.ahead);
    if !changes.content {
        return found;
    }
    let keys: Vec<_> = index.groups.keys().cloned().collect();
    for key in keys {
        let Some(group) = index.groups.get(&key) else { continue };
        // Users who changed may have another seat now, so they do not speak for the group.
        let Some(sample) = group.members.iter().find(|id| !found.contains(id)) else { continue };
        let Some(sample) = index.get(*sample).map(|watcher| watcher.user.clone()) else { continue };
        let variant = if changes.routing {
            answers.of(&sample, key.1).map(|(_, variant)| variant)
        } else {
            let profile = &group.variant.profile;
            answers.contents.variant(answers.catalog, profile, key.0.class)
        };
        let differs = |variant: &Variant| variant.content.digest != group.variant.content.digest;
        if variant.as_ref().is_none_or(differs) {
            found.extend(&group.members);
        } else if let (Some(group), Some(variant)) = (index.groups.get_mut(&key), variant) {
            group.variant = variant;
        }
    }
    found
}

/// What a stream gets now, or why it ends.
fn judge(
    watcher: &Watcher,
    changes: &Changes,
    answers: &mut Answers<'_>,
) -> Result<(GroupKey, Variant), Refusal> {
    let Some(answer) = answers.of(&watcher.user, watcher.app) else {
        let message = format!("User {} was deleted.", watcher.user);
        return Err(Refusal::new(Reason::UserDeleted, message).resource(
            "User",
            &watcher.user,
            "deleted",
        ));
    };
    let Watcher { caller, own_credential, recheck, .. } = watcher;
    if changes.roles || caller.user.as_ref().is_some_and(|own| changes.users.contains(own)) {
        permitted(caller, *own_credential, recheck, answers.catalog)?;
    }
    Ok(answer)
}

fn replaced() -> Refusal {
    let message = "A newer stream of the same client took the place of this one; do not reconnect.";
    Refusal::new(Reason::Replaced, message)
}

fn too_many(user: &UserId, limit: usize) -> Refusal {
    let message = format!("{user} has {limit} streams of this caller already; close one.");
    Refusal::new(Reason::TooManyStreams, message).with("limit", limit)
}
