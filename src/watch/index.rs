//! Who is connected, and by which keys streams are found.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use fastrand::Rng;
use tokio::time::Instant;

use super::{
    Recheck, Slot,
    group::{GroupId, GroupKey, Groups},
};
use crate::{
    catalog::Catalog,
    domain::{Actor, App, Reason, Refusal, Scope, UserId},
    read::Variant,
};

/// Number of a stream; never used again.
pub(super) type Id = u64;

/// Caller, user, app and client id: at most one stream each.
type ClientKey = (String, UserId, App, String);

/// What belongs to one stream, shared by the stream itself and the hub.
pub(super) struct Watcher {
    pub(super) caller: Actor,
    pub(super) own_credential: bool,
    pub(super) recheck: Recheck,
    pub(super) user: UserId,
    pub(super) app: App,
    pub(super) client_id: Option<String>,
    /// Revision of the catalog with which the stream began.
    pub(super) start: i64,
    slot: Mutex<Slot>,
}

impl Watcher {
    pub(super) fn new(
        subscription: super::Subscription,
        user: UserId,
        start: i64,
        slot: Slot,
    ) -> Self {
        let super::Subscription { caller, own_credential, recheck, app, client_id, .. } =
            subscription;
        let slot = Mutex::new(slot);
        Self { caller, own_credential, recheck, user, app, client_id, start, slot }
    }

    pub(super) fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_admin(&self) -> bool {
        self.caller.scopes.has(Scope::Admin)
    }

    fn client_key(&self) -> Option<ClientKey> {
        let client = self.client_id.clone()?;
        Some((self.caller.subject.clone(), self.user.clone(), self.app, client))
    }

    /// Users whose change may concern the stream: the watched one and the caller's own.
    fn users(&self) -> impl Iterator<Item = &UserId> {
        let own = self.caller.user.as_ref().filter(|own| **own != self.user);
        [&self.user].into_iter().chain(own)
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("user", &self.user)
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Entry {
    watcher: Arc<Watcher>,
    group: Option<GroupId>,
}

/// All streams of the hub.
#[derive(Debug)]
pub(super) struct Index {
    /// The newest catalog that the streams were compared with.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// Groups by the seats of that catalog.
    pub(super) groups: Groups,
    /// Streams that began with a newer catalog, so they are in no group yet.
    pub(super) ahead: BTreeSet<Id>,
    /// When the drain began.
    pub(super) draining: Option<Instant>,
    pub(super) random: Rng,
    streams: HashMap<Id, Entry>,
    users: HashMap<UserId, BTreeSet<Id>>,
    clients: HashMap<ClientKey, Id>,
    next: Id,
}

impl Index {
    pub(super) fn new(random: Rng) -> Self {
        Self {
            catalog: None,
            groups: Groups::default(),
            ahead: BTreeSet::new(),
            draining: None,
            random,
            streams: HashMap::new(),
            users: HashMap::new(),
            clients: HashMap::new(),
            next: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Arc<Watcher>> {
        self.streams.get(&id).map(|entry| &entry.watcher)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Arc<Watcher>)> {
        self.streams.iter().map(|(id, entry)| (*id, &entry.watcher))
    }

    /// Streams that a change of the user may concern.
    pub(super) fn of_user(&self, user: &UserId) -> impl Iterator<Item = Id> {
        self.users.get(user).into_iter().flatten().copied()
    }

    /// Streams of the caller on the user.
    pub(super) fn count(&self, subject: &str, user: &UserId) -> usize {
        let watchers = self.of_user(user).filter_map(|id| self.get(id));
        watchers.filter(|w| w.user == *user && w.caller.subject == subject).count()
    }

    /// The stream that a new one takes the place of.
    pub(super) fn predecessor(&self, new: &super::Subscription) -> Option<Id> {
        let client = new.client_id.clone()?;
        let key = (new.caller.subject.clone(), new.user.clone(), new.app, client);
        self.clients.get(&key).copied()
    }

    pub(super) fn insert(&mut self, watcher: &Arc<Watcher>) -> Id {
        let id = self.next;
        self.next += 1;
        for user in watcher.users() {
            self.users.entry(user.clone()).or_default().insert(id);
        }
        if let Some(key) = watcher.client_key() {
            self.clients.insert(key, id);
        }
        self.streams.insert(id, Entry { watcher: Arc::clone(watcher), group: None });
        id
    }

    /// Puts a stream into the group of that key.
    pub(super) fn place(&mut self, id: Id, key: GroupKey, variant: &Variant) {
        let Some(entry) = self.streams.get_mut(&id) else { return };
        let group = self.groups.join(id, key, variant);
        let old = entry.group.replace(group).filter(|old| *old != group);
        if let Some(old) = old {
            self.groups.leave(id, old);
        }
    }

    /// Takes a stream out of every index.
    pub(super) fn remove(&mut self, id: Id) {
        self.ahead.remove(&id);
        let Some(Entry { watcher, group }) = self.streams.remove(&id) else { return };
        if let Some(group) = group {
            self.groups.leave(id, group);
        }
        for user in watcher.users() {
            if let Some(ids) = self.users.get_mut(user) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.users.remove(user);
                }
            }
        }
        let key = watcher.client_key();
        if let Some(key) = key.filter(|key| self.clients.get(key) == Some(&id)) {
            self.clients.remove(&key);
        }
    }

    /// Ends a stream and takes it out; answers whom to wake.
    pub(super) fn end(&mut self, id: Id, refusal: Refusal) -> Option<Waker> {
        let watcher = self.get(id).cloned();
        self.remove(id);
        watcher.and_then(|watcher| watcher.slot().end(refusal))
    }
}

/// Whether the caller of a stream may go on in that catalog.
pub(super) fn permitted(
    caller: &Actor,
    own_credential: bool,
    recheck: &Recheck,
    catalog: &Catalog,
) -> Result<(), Refusal> {
    let own = caller.user.as_ref().filter(|_| own_credential);
    if let Some(seated) = own.and_then(|own| catalog.user(own)).filter(|s| s.user.disabled) {
        let id = &seated.user.id;
        let message = format!("User {id} is disabled.");
        return Err(Refusal::new(Reason::CallerDisabled, message).resource("User", id, "disabled"));
    }
    recheck(catalog)
}
