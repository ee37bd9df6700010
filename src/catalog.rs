//! The immutable picture of all configuration at one revision, with the indexes that resolution,
//! impact and live updates ask.
//!
//! A write makes the next catalog by [`Catalog::apply`]; catalogs share what did not change, so a
//! reader keeps the one it started with and never waits.

mod adapters;
pub mod builtin;
mod candidates;
mod classes;
mod compaction;
mod content_revisions;
mod delta;
mod derive;
mod held;
mod ids;
mod liveness;
mod mappings;
mod members;
mod memberships;
mod memo;
mod others;
mod parted;
mod positions;
mod reach;
mod references;
mod roster;
mod seated;
mod seating;
mod state;
mod table;
mod tables;
mod users;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;

pub use self::{
    classes::{Direct, Link, RoleClass, Seat},
    compaction::Compacted,
    delta::{Changed, Delta},
    derive::OfClass,
    held::Strongest,
    ids::{ClassId, RootId, Roots},
    liveness::LinkState,
    mappings::Candidate,
    members::Members,
    reach::Reach,
    references::{NamedKey, References},
    seated::Seated,
    state::Catalog,
    table::Table,
    tables::{Tabled, Tables},
};
use crate::domain::{
    Change, Common, Kind, Object, ObjectKey, TeamId, Time, UniqueName, UserId,
    directory::{
        User,
        packed::{PackedUsers, pack},
    },
};

/// What is left to do once every object of a commit is in its table.
#[derive(Debug, Default)]
struct FollowUp {
    /// Users to store and to seat.
    users: BTreeMap<UserId, Arc<User>>,
    /// Users who may be in other teams, or in teams of other roles.
    members: BTreeSet<UserId>,
    /// Whether a role may have another root, or is gone.
    roots: bool,
    /// Whether anybody may refer to what came.
    everybody: bool,
}

impl Catalog {
    /// The catalog of the given objects, each with a key of its own, in whatever order they come.
    pub fn from_objects(
        objects: impl IntoIterator<Item = Object>,
        revision: i64,
        time: Time,
    ) -> Self {
        let (mut users, mut others) = (Vec::new(), Vec::new());
        for object in objects {
            match object {
                Object::User(user) => users.push(user),
                other => others.push(other),
            }
        }
        Self::load(others, pack(users), revision, time)
    }

    /// The catalog of these users and other objects, each with a key of its own, in whatever order
    /// they come.
    pub fn load(
        objects: impl IntoIterator<Item = Object>,
        users: PackedUsers,
        revision: i64,
        time: Time,
    ) -> Self {
        let (mut teams, mut others) = (Vec::new(), Vec::new());
        for object in objects {
            match object {
                Object::Team(team) => teams.push(team),
                other => others.push(Change::Put(other)),
            }
        }
        let mut catalog = Self::empty().next(&others, revision, time);
        catalog.contents.note_every(revision);
        catalog.form_teams(teams);
        catalog.seat_all(users);
        catalog
    }

    /// The catalog after a commit of these changes, and what the commit changed.
    #[must_use]
    pub fn advance(&self, changes: &[Change], revision: i64, time: Time) -> (Self, Delta) {
        let (next, contents) = self.apply_reaching(changes, revision, time);
        (next, Delta::of(changes, |key| self.object(key), contents))
    }

    /// The catalog after a commit of these changes, each object at most once.
    #[must_use]
    pub fn apply(&self, changes: &[Change], revision: i64, time: Time) -> Self {
        self.apply_reaching(changes, revision, time).0
    }

    /// The same with the profiles whose content it touches.
    fn apply_reaching(&self, changes: &[Change], revision: i64, time: Time) -> (Self, Reach) {
        let mut next = self.next(changes, revision, time);
        let reach = Reach::between(&self.settings, &next, changes);
        next.note_reach(&reach);
        (next, reach)
    }

    /// The catalog with these changes, without a note of the content that they touch.
    fn next(&self, changes: &[Change], revision: i64, time: Time) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        next.time = time;
        let mut follow = FollowUp::default();
        let mut only_people = true;
        for change in changes {
            match change {
                Change::Put(object) => next.put(object, &mut follow),
                Change::Delete(key) => next.delete(key, &mut follow),
            }
            only_people &= matches!(change.key().kind, Kind::User | Kind::Team);
        }
        if !only_people {
            next.epoch = memo::Epoch::default();
        }
        next.follow_up(follow);
        next
    }

    /// Does what depends on all changes of a commit together.
    fn follow_up(&mut self, follow: FollowUp) {
        if follow.roots {
            self.remap();
            self.derive_classes();
        }
        for user in follow.users.into_values() {
            self.seat(user);
        }
        if follow.everybody {
            self.reseat_all();
        } else {
            for id in follow.members {
                self.reseat(&id);
            }
        }
    }

    fn put(&mut self, object: &Object, follow: &mut FollowUp) {
        match object {
            Object::Profile(profile) => {
                self.unmap(profile.name());
                self.unlink_profile(profile.name(), Some(profile.stamp.uid));
                self.map(profile);
            }
            Object::Role(role) => {
                let old = self.tables.roles.get(&role.common.unique_name);
                follow.roots |= old.is_none_or(|old| {
                    (old.stamp.uid, &old.root_role) != (role.stamp.uid, &role.root_role)
                });
            }
            Object::Settings(o) => self.settings = Arc::clone(o),
            Object::User(o) => {
                follow.users.insert(o.id.clone(), Arc::clone(o));
            }
            Object::Team(o) => {
                self.remove_team(&o.id, follow);
                for member in &o.members {
                    self.users.memberships.add(member, &o.id);
                    follow.members.insert(member.clone());
                }
                self.teams.insert(o.id.clone(), Arc::clone(o));
            }
            _ => {}
        }
        // Imported users may name what a newer program ships.
        follow.everybody |= matches!(object.kind(), Kind::Role | Kind::Profile)
            && object.common().is_some_and(Common::is_built_in)
            && self.tables.get(&object.key()).is_none();
        self.tables.put(object);
    }

    fn delete(&mut self, key: &ObjectKey, follow: &mut FollowUp) {
        match key.kind {
            Kind::User => {
                if let Ok(id) = UserId::parse(&key.name) {
                    self.users.remove(&id);
                    follow.users.remove(&id);
                }
            }
            Kind::Team => {
                if let Ok(id) = TeamId::parse(&key.name) {
                    self.remove_team(&id, follow);
                }
            }
            Kind::Profile => {
                if let Ok(name) = UniqueName::parse(&key.name) {
                    self.unmap(&name);
                    self.unlink_profile(&name, None);
                }
            }
            Kind::Role => follow.roots = true,
            _ => {}
        }
        self.tables.remove(key);
    }

    /// Forgets who was linked to the stored profile of that name, unless it stays.
    fn unlink_profile(&mut self, name: &UniqueName, stays: Option<Uuid>) {
        let old = self.tables.profiles.get(name).map(|old| old.stamp.uid);
        if let Some(uid) = old.filter(|old| Some(*old) != stays) {
            self.users.unlink(&Link { name: name.clone(), uid: Some(uid) });
        }
    }

    fn remove_team(&mut self, id: &TeamId, follow: &mut FollowUp) {
        let Some(old) = self.teams.remove(id) else { return };
        for member in &old.members {
            self.users.memberships.take(member, id);
            follow.members.insert(member.clone());
        }
    }

    /// The root of a role; `None` when the role does not exist.
    pub fn root(&self, role: &UniqueName) -> Option<UniqueName> {
        let role = self.tables.roles.get(role)?;
        let root =
            role.root_role.as_ref().and_then(|root| self.tables.roles.get(root)).unwrap_or(role);
        Some(root.common.unique_name.clone())
    }

    /// The object of that key, as readers see it.
    pub fn object(&self, key: &ObjectKey) -> Option<Object> {
        let name = key.name.as_str();
        match key.kind {
            Kind::User => {
                let id = UserId::parse(name).ok()?;
                self.user(&id).map(|seated| Object::User(seated.user()))
            }
            Kind::Team => {
                let team = self.team(&TeamId::parse(name).ok()?)?;
                Some(Object::Team(Cow::into_owned(team)))
            }
            _ => self.stored(key),
        }
    }

    /// The object of that key as the last write left it.
    pub fn stored(&self, key: &ObjectKey) -> Option<Object> {
        let name = key.name.as_str();
        match key.kind {
            Kind::User => {
                let found = self.users.roster.get(&UserId::parse(name).ok()?)?;
                Some(Object::User(found.user()))
            }
            Kind::Team => {
                let team = self.teams.get(&TeamId::parse(name).ok()?)?;
                Some(Object::Team(Arc::clone(team)))
            }
            Kind::Settings => Some(Object::Settings(Arc::clone(&self.settings))),
            _ => self.tables.get(key),
        }
    }

    /// A stored state as readers see it: a user or team without the references that died.
    pub fn seen(&self, stored: Object) -> Object {
        match stored {
            Object::User(user) => Object::User(Arc::new(self.pruned(&user))),
            Object::Team(team) => Object::Team(self.seen_team(&team).into_owned()),
            other => other,
        }
    }

    /// The objects of a kind as the last write left them, rising by name: for a checkpoint.
    pub fn objects_of(&self, kind: Kind) -> Box<dyn Iterator<Item = Object> + '_> {
        match kind {
            Kind::Team => Box::new(self.teams.values().map(|o| Object::Team(Arc::clone(o)))),
            Kind::User => Box::new(self.stored_users().map(Object::User)),
            Kind::Settings => {
                Box::new(std::iter::once(Object::Settings(Arc::clone(&self.settings))))
            }
            kind => self.tables.after(kind, None),
        }
    }

    /// Every object as the last write left it, for a comparison.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        self.tables
            .iter()
            .chain(self.teams.values().map(|o| Object::Team(Arc::clone(o))))
            .chain(self.stored_users().map(Object::User))
            .chain([Object::Settings(Arc::clone(&self.settings))])
    }
}

#[cfg(test)]
mod tests;
