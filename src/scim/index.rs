//! From the ids and names of SCIM to objects: kept up with every commit, so that no look-up scans.
//!
//! What it finds is a hint: the catalog that answers a request decides whether it still holds.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use uuid::Uuid;

use crate::{
    catalog::Catalog,
    domain::{Kind, Object, ObjectKey, TeamId, UserId, directory::OtherName},
    ledger::Committed,
};

/// What a uid is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    User(UserId),
    Team(TeamId),
}

/// Users by uid and by the name that their id was not made of, teams by uid and external id.
#[derive(Debug, Default)]
pub(super) struct Index(RwLock<Maps>);

#[derive(Debug, Default)]
struct Maps {
    by_uid: HashMap<Uuid, Found>,
    /// By `userName` or `externalId`, in lower case. Hardly ever two share one.
    by_name: HashMap<Box<str>, Vec<UserId>>,
    /// By `externalId`.
    teams: HashMap<Box<str>, Vec<TeamId>>,
}

impl Index {
    /// Takes all users and teams of a catalog in.
    pub(super) fn fill(&self, catalog: &Catalog) {
        let mut maps = self.write();
        maps.by_uid.reserve(catalog.user_count());
        for seated in catalog.users() {
            maps.insert(&Object::User(seated.user()));
        }
        for team in catalog.teams() {
            maps.insert(&Object::Team(team.into_owned()));
        }
    }

    /// Follows a group of writes.
    pub(super) fn follow(&self, committed: &Committed) {
        let changes = committed.records.iter().flat_map(|record| &record.changes);
        let keys = changes.map(crate::domain::Change::key);
        let keys: Vec<ObjectKey> =
            keys.filter(|key| matches!(key.kind, Kind::User | Kind::Team)).collect();
        if keys.is_empty() {
            return;
        }
        let mut maps = self.write();
        for key in keys {
            // A key that a group changes twice is replaced twice by the same.
            if let Some(old) = committed.before.object(&key) {
                maps.remove(&old);
            }
            if let Some(new) = committed.after.object(&key) {
                maps.remove(&new);
                maps.insert(&new);
            }
        }
    }

    /// What a uid is of.
    pub(super) fn of_uid(&self, uid: Uuid) -> Option<Found> {
        self.read().by_uid.get(&uid).cloned()
    }

    /// Users whose second name this is, whichever of the two it is.
    pub(super) fn of_name(&self, name: &str) -> Vec<UserId> {
        self.read().by_name.get(name.to_lowercase().as_str()).cloned().unwrap_or_default()
    }

    /// Teams of that `externalId`.
    pub(super) fn teams_of(&self, external_id: &str) -> Vec<TeamId> {
        self.read().teams.get(external_id).cloned().unwrap_or_default()
    }

    /// Entries are written whole.
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn insert(&mut self, object: &Object) {
        match object {
            Object::User(user) => {
                self.by_uid.insert(user.stamp.uid, Found::User(user.id.clone()));
                if let Some(name) = user.other_name().map(folded) {
                    self.by_name.entry(name).or_default().push(user.id.clone());
                }
            }
            Object::Team(team) => {
                self.by_uid.insert(team.stamp.uid, Found::Team(team.id.clone()));
                if let Some(name) = &team.external_id {
                    self.teams.entry(name.clone()).or_default().push(team.id.clone());
                }
            }
            _ => {}
        }
    }

    fn remove(&mut self, object: &Object) {
        match object {
            Object::User(user) => {
                self.by_uid.remove(&user.stamp.uid);
                if let Some(name) = user.other_name().map(folded) {
                    take(&mut self.by_name, &name, &user.id);
                }
            }
            Object::Team(team) => {
                self.by_uid.remove(&team.stamp.uid);
                if let Some(name) = &team.external_id {
                    take(&mut self.teams, name, &team.id);
                }
            }
            _ => {}
        }
    }
}

/// Takes an id from those of a name; a name without ids has no entry.
fn take<T: PartialEq>(map: &mut HashMap<Box<str>, Vec<T>>, name: &str, id: &T) {
    if let Some(ids) = map.get_mut(name) {
        ids.retain(|other| other != id);
        if ids.is_empty() {
            map.remove(name);
        }
    }
}

fn folded(name: &OtherName) -> Box<str> {
    match name {
        OtherName::UserName(name) | OtherName::ExternalId(name) => name.to_lowercase().into(),
    }
}
