//! The immutable picture of all configuration at one revision, with the indexes that resolution,
//! impact and live updates ask.
//!
//! A write makes the next catalog by [`Catalog::apply`]; catalogs share what did not change, so a
//! reader keeps the one it started with and never waits.

mod adapters;
pub mod builtin;
mod classes;
mod layered;
mod mappings;
mod memo;
mod references;
mod sets;
mod table;
mod tables;
mod users;

use std::{collections::BTreeSet, sync::Arc};

use deskplane_providers::Registry;
use imbl::OrdMap;

pub use self::{
    classes::{ClassId, Direct, RoleClass, Seat},
    memo::OfClass,
    references::{NamedKey, References},
    sets::{Members, Set},
    table::Table,
    tables::{Tabled, Tables},
    users::Seated,
};
use crate::domain::{
    Change, Kind, Object, ObjectKey, Stamp, TeamId, Time, UniqueName, UserId, directory::Team,
    settings::Settings,
};

/// All configuration at one revision. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Revision of the last commit; 0 before the first.
    pub revision: i64,
    /// Time of the last commit.
    pub time: Time,
    /// Objects with a unique name, by kind and name.
    pub tables: Tables,
    /// Teams by id.
    pub teams: OrdMap<TeamId, Arc<Team>>,
    /// Settings of the organisation.
    pub settings: Arc<Settings>,
    /// The adapters of this server; not configuration, the same at every revision.
    pub adapters: Arc<Registry>,
    users: users::Users,
    mappings: mappings::Mappings,
    /// Another one whenever something other than users and teams changes.
    epoch: memo::Epoch,
}

impl Catalog {
    /// A catalog without any object, settings at their initial values.
    pub fn empty() -> Self {
        let stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "system");
        Self {
            revision: 0,
            time: Time::default(),
            tables: Tables::default(),
            teams: OrdMap::new(),
            settings: Arc::new(Settings::initial(stamp)),
            adapters: adapters::builtin(),
            users: users::Users::default(),
            mappings: mappings::Mappings::default(),
            epoch: memo::Epoch::default(),
        }
    }

    /// The catalog of the given objects, each with a key of its own, in whatever order they come.
    pub fn from_objects(
        objects: impl IntoIterator<Item = Object>,
        revision: i64,
        time: Time,
    ) -> Self {
        let (mut users, mut teams, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for object in objects {
            match object {
                Object::User(user) => users.push(user),
                Object::Team(team) => teams.push(team),
                other => others.push(Change::Put(other)),
            }
        }
        let mut catalog = Self::empty().apply(&others, revision, time);
        catalog.form_teams(teams);
        catalog.seat_all(users);
        catalog
    }

    /// The catalog after a commit of these changes.
    #[must_use]
    pub fn apply(&self, changes: &[Change], revision: i64, time: Time) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        next.time = time;
        let mut reseat = BTreeSet::new();
        let (mut roles_changed, mut only_people) = (false, true);
        for change in changes {
            match change {
                Change::Put(object) => next.put(object, &mut reseat),
                Change::Delete(key) => next.delete(key, &mut reseat),
            }
            let kind = change.key().kind;
            roles_changed |= kind == Kind::Role;
            only_people &= matches!(kind, Kind::User | Kind::Team);
        }
        if !only_people {
            next.epoch = memo::Epoch::default();
        }
        if roles_changed {
            // A role's root or persona may be another one now, so every class is worked out anew.
            next.remap();
            next.reseat_all();
        } else {
            for id in reseat {
                next.reseat(&id);
            }
        }
        next
    }

    fn put(&mut self, object: &Object, reseat: &mut BTreeSet<UserId>) {
        if let Object::Profile(profile) = object {
            self.unmap(profile.name());
            self.map(profile);
        }
        if self.tables.put(object) {
            return;
        }
        match object {
            Object::Settings(o) => self.settings = Arc::clone(o),
            Object::User(o) => {
                self.users.put(o);
                reseat.insert(o.id.clone());
            }
            Object::Team(o) => {
                self.remove_team(&o.id, reseat);
                for member in &o.members {
                    self.users.memberships.add(member, o.id.clone());
                    reseat.insert(member.clone());
                }
                self.teams.insert(o.id.clone(), Arc::clone(o));
            }
            _ => {}
        }
    }

    fn delete(&mut self, key: &ObjectKey, reseat: &mut BTreeSet<UserId>) {
        match key.kind {
            Kind::User => {
                if let Ok(id) = UserId::parse(&key.name) {
                    self.users.remove(&id);
                }
            }
            Kind::Team => {
                if let Ok(id) = TeamId::parse(&key.name) {
                    self.remove_team(&id, reseat);
                }
            }
            Kind::Profile => {
                if let Ok(name) = UniqueName::parse(&key.name) {
                    self.unmap(&name);
                }
                self.tables.remove(key);
            }
            _ => self.tables.remove(key),
        }
    }

    fn remove_team(&mut self, id: &TeamId, reseat: &mut BTreeSet<UserId>) {
        let Some(old) = self.teams.remove(id) else { return };
        for member in &old.members {
            self.users.memberships.take(member, id);
            reseat.insert(member.clone());
        }
    }

    /// The root of a role; `None` when the role does not exist.
    pub fn root(&self, role: &UniqueName) -> Option<UniqueName> {
        let role = self.tables.roles.get(role)?;
        let root =
            role.root_role.as_ref().and_then(|root| self.tables.roles.get(root)).unwrap_or(role);
        Some(root.common.unique_name.clone())
    }

    /// The object of that key.
    pub fn object(&self, key: &ObjectKey) -> Option<Object> {
        let name = key.name.as_str();
        match key.kind {
            Kind::User => {
                let id = UserId::parse(name).ok()?;
                self.user(&id).map(|seated| Object::User(Arc::clone(&seated.user)))
            }
            Kind::Team => self.teams.get(&TeamId::parse(name).ok()?).cloned().map(Object::Team),
            Kind::Settings => Some(Object::Settings(Arc::clone(&self.settings))),
            _ => self.tables.get(key),
        }
    }

    /// Every object, for a checkpoint or a comparison.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        self.tables
            .iter()
            .chain(self.teams.values().map(|o| Object::Team(Arc::clone(o))))
            .chain(self.users().map(|o| Object::User(Arc::clone(&o.user))))
            .chain([Object::Settings(Arc::clone(&self.settings))])
    }
}

#[cfg(test)]
mod tests;
