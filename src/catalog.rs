//! The immutable picture of all configuration at one revision, with the indexes that resolution,
//! impact and live updates ask.
//!
//! A write makes the next catalog by [`Catalog::apply`]; catalogs share what did not change, so a
//! reader keeps the one it started with and never waits.

mod adapters;
pub mod builtin;
mod classes;
mod mappings;
mod table;

use std::{collections::BTreeSet, sync::Arc};

use deskplane_providers::Registry;
use imbl::{OrdMap, OrdSet};

pub use self::{
    classes::{ClassId, Direct, RoleClass, Seat},
    table::Table,
};
use crate::domain::{
    Change, Kind, Object, ObjectKey, Stamp, TeamId, Time, UniqueName, UserId,
    channel::Channel,
    directory::{SecurityRole, Team, User},
    library::ProductivityTool,
    profile::Profile,
    provider::ChannelProvider,
    settings::Settings,
    template::{NotificationTemplate, SessionTemplate, TabTemplate},
};

/// A user with what resolution needs of him, worked out.
#[derive(Debug, Clone)]
pub struct Seated {
    /// The stored user.
    pub user: Arc<User>,
    /// Role class and direct link.
    pub seat: Seat,
}

/// All configuration at one revision. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Revision of the last commit; 0 before the first.
    pub revision: i64,
    /// Time of the last commit.
    pub time: Time,
    /// Profiles by name.
    pub profiles: Table<Profile>,
    /// Session templates by name.
    pub session_templates: Table<SessionTemplate>,
    /// Application tab templates by name.
    pub tab_templates: Table<TabTemplate>,
    /// Notification templates by name.
    pub notification_templates: Table<NotificationTemplate>,
    /// Productivity tools by name.
    pub tools: Table<ProductivityTool>,
    /// Channel providers by name.
    pub providers: Table<ChannelProvider>,
    /// Channels by name.
    pub channels: Table<Channel>,
    /// Security roles by name.
    pub roles: Table<SecurityRole>,
    /// Teams by id.
    pub teams: OrdMap<TeamId, Arc<Team>>,
    /// Settings of the organisation.
    pub settings: Arc<Settings>,
    /// The adapters of this server; not configuration, the same at every revision.
    pub adapters: Arc<Registry>,
    users: OrdMap<UserId, Seated>,
    classes: classes::Classes,
    mappings: mappings::Mappings,
    /// Teams of a user.
    memberships: OrdMap<UserId, OrdSet<TeamId>>,
    /// Counted users (enabled, human) by seat.
    seated: OrdMap<Seat, OrdSet<UserId>>,
    /// Users by the profile that a direct link of theirs names, existing or not.
    linked: OrdMap<UniqueName, OrdSet<UserId>>,
    /// Users by a role that they hold themselves, as given.
    holders: OrdMap<UniqueName, OrdSet<UserId>>,
}

impl Catalog {
    /// A catalog without any object, settings at their initial values.
    pub fn empty() -> Self {
        let stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "system");
        Self {
            revision: 0,
            time: Time::default(),
            profiles: Table::default(),
            session_templates: Table::default(),
            tab_templates: Table::default(),
            notification_templates: Table::default(),
            tools: Table::default(),
            providers: Table::default(),
            channels: Table::default(),
            roles: Table::default(),
            teams: OrdMap::new(),
            settings: Arc::new(Settings::initial(stamp)),
            adapters: adapters::builtin(),
            users: OrdMap::new(),
            classes: classes::Classes::default(),
            mappings: mappings::Mappings::default(),
            memberships: OrdMap::new(),
            seated: OrdMap::new(),
            linked: OrdMap::new(),
            holders: OrdMap::new(),
        }
    }

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
                other => others.push(Change::Put(other)),
            }
        }
        let mut catalog = Self::empty().apply(&others, revision, time);
        // Every role and team is there by now, so users need not be seated twice.
        for user in users {
            catalog.index_user(&user, true);
            catalog.seat(user);
        }
        catalog
    }

    /// The catalog after a commit of these changes.
    #[must_use]
    pub fn apply(&self, changes: &[Change], revision: i64, time: Time) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        next.time = time;
        let mut reseat = BTreeSet::new();
        let mut roles_changed = false;
        for change in changes {
            match change {
                Change::Put(object) => next.put(object, &mut reseat),
                Change::Delete(key) => next.delete(key, &mut reseat),
            }
            roles_changed |= change.key().kind == Kind::Role;
        }
        if roles_changed {
            // A role's root or persona may be another one now, so every class is worked out anew.
            next.classes = classes::Classes::default();
            next.seated = OrdMap::new();
            reseat = next.users.keys().cloned().collect();
            next.remap();
        }
        for id in reseat {
            next.reseat(&id);
        }
        next
    }

    fn put(&mut self, object: &Object, reseat: &mut BTreeSet<UserId>) {
        match object {
            Object::Profile(o) => {
                self.unmap(o.name());
                self.map(o);
                self.profiles.put(o.name(), o);
            }
            Object::SessionTemplate(o) => self.session_templates.put(&o.common.unique_name, o),
            Object::TabTemplate(o) => self.tab_templates.put(&o.common.unique_name, o),
            Object::NotificationTemplate(o) => {
                self.notification_templates.put(&o.common.unique_name, o);
            }
            Object::Tool(o) => self.tools.put(&o.common.unique_name, o),
            Object::Provider(o) => self.providers.put(&o.common.unique_name, o),
            Object::Channel(o) => self.channels.put(&o.common.unique_name, o),
            Object::Role(o) => self.roles.put(&o.common.unique_name, o),
            Object::Settings(o) => self.settings = Arc::clone(o),
            Object::User(o) => {
                self.unseat(&o.id);
                let seated = Seated { user: Arc::clone(o), seat: Seat::default() };
                self.index_user(o, true);
                self.users.insert(o.id.clone(), seated);
                reseat.insert(o.id.clone());
            }
            Object::Team(o) => {
                self.remove_team(&o.id, reseat);
                for member in &o.members {
                    self.memberships.entry(member.clone()).or_default().insert(o.id.clone());
                    reseat.insert(member.clone());
                }
                self.teams.insert(o.id.clone(), Arc::clone(o));
            }
        }
    }

    fn delete(&mut self, key: &ObjectKey, reseat: &mut BTreeSet<UserId>) {
        match key.kind {
            Kind::User => {
                if let Ok(id) = UserId::parse(&key.name) {
                    self.unseat(&id);
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
                self.profiles.remove(&key.name);
            }
            Kind::SessionTemplate => self.session_templates.remove(&key.name),
            Kind::TabTemplate => self.tab_templates.remove(&key.name),
            Kind::NotificationTemplate => self.notification_templates.remove(&key.name),
            Kind::Tool => self.tools.remove(&key.name),
            Kind::Provider => self.providers.remove(&key.name),
            Kind::Channel => self.channels.remove(&key.name),
            Kind::Role => self.roles.remove(&key.name),
            Kind::Script | Kind::Settings => {}
        }
    }

    fn remove_team(&mut self, id: &TeamId, reseat: &mut BTreeSet<UserId>) {
        let Some(old) = self.teams.remove(id) else { return };
        for member in &old.members {
            take(&mut self.memberships, member, id);
            reseat.insert(member.clone());
        }
    }

    /// Takes a user out of every index.
    fn unseat(&mut self, id: &UserId) {
        let Some(old) = self.users.get(id).cloned() else { return };
        take(&mut self.seated, &old.seat, id);
        self.index_user(&old.user, false);
    }

    fn index_user(&mut self, user: &User, add: bool) {
        let links = user.direct.iter().map(|link| &link.profile);
        for (index, names) in [
            (&mut self.linked, links.collect::<Vec<_>>()),
            (&mut self.holders, user.roles.iter().collect()),
        ] {
            for name in names {
                if add {
                    index.entry(name.clone()).or_default().insert(user.id.clone());
                } else {
                    take(index, name, &user.id);
                }
            }
        }
    }

    /// Works out the seat of a user anew.
    fn reseat(&mut self, id: &UserId) {
        let Some(old) = self.users.get(id).cloned() else { return };
        take(&mut self.seated, &old.seat, id);
        self.seat(old.user);
    }

    /// Seats a user who has no seat.
    fn seat(&mut self, user: Arc<User>) {
        let class = self.class_of(&user);
        let seat = Seat { class: self.classes.intern(class), direct: Direct::of(&user) };
        if user.is_counted() {
            self.seated.entry(seat.clone()).or_default().insert(user.id.clone());
        }
        self.users.insert(user.id.clone(), Seated { user, seat });
    }

    fn class_of(&self, user: &User) -> RoleClass {
        let held: BTreeSet<_> = user.roles.iter().filter_map(|r| self.root(r)).collect();
        let team_only = self
            .team_roles(&user.id)
            .filter_map(|(_, role)| self.root(&role))
            .filter(|root| !held.contains(root))
            .collect();
        RoleClass { held, team_only }
    }

    /// The root of a role; `None` when the role does not exist.
    pub fn root(&self, role: &UniqueName) -> Option<UniqueName> {
        let role = self.roles.get(role)?;
        let root = role.root_role.as_ref().and_then(|root| self.roles.get(root)).unwrap_or(role);
        Some(root.common.unique_name.clone())
    }

    /// The user of that id.
    pub fn user(&self, id: &UserId) -> Option<&Seated> {
        self.users.get(id)
    }

    /// All users, ascending by id.
    pub fn users(&self) -> impl Iterator<Item = &Seated> {
        self.users.values()
    }

    /// All users from that id on, the id itself excluded, ascending.
    pub fn users_after<'a>(&'a self, id: &UserId) -> impl Iterator<Item = &'a Seated> + use<'a> {
        let bounds = (std::ops::Bound::Excluded(id.clone()), std::ops::Bound::Unbounded);
        self.users.range(bounds).map(|(_, seated)| seated)
    }

    /// Number of users.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The teams that a user belongs to, ascending by id.
    pub fn teams_of(&self, id: &UserId) -> impl Iterator<Item = &Arc<Team>> {
        let ids = self.memberships.get(id).into_iter().flatten();
        ids.filter_map(|team| self.teams.get(team))
    }

    /// The roles that a user holds through teams, as given: {team, role}, ascending by team.
    pub fn team_roles<'a>(
        &'a self,
        id: &UserId,
    ) -> impl Iterator<Item = (TeamId, UniqueName)> + use<'a> {
        let ids = self.memberships.get(id).into_iter().flatten();
        ids.filter_map(|team| self.teams.get(team))
            .flat_map(|team| team.roles.iter().map(|role| (team.id.clone(), role.clone())))
    }

    /// The roles of a class.
    pub fn class(&self, id: ClassId) -> &RoleClass {
        self.classes.get(id)
    }

    /// Counted users by seat.
    pub fn seats(&self) -> impl Iterator<Item = (&Seat, &OrdSet<UserId>)> {
        self.seated.iter()
    }

    /// Users with a direct link that names the profile.
    pub fn linked(&self, profile: &UniqueName) -> Option<&OrdSet<UserId>> {
        self.linked.get(profile)
    }

    /// Names that direct links lead to, existing or not.
    pub fn linked_names(&self) -> impl Iterator<Item = (&UniqueName, &OrdSet<UserId>)> {
        self.linked.iter()
    }

    /// Users who hold the role themselves.
    pub fn holders(&self, role: &UniqueName) -> Option<&OrdSet<UserId>> {
        self.holders.get(role)
    }

    /// The object of that key.
    pub fn object(&self, key: &ObjectKey) -> Option<Object> {
        let name = key.name.as_str();
        match key.kind {
            Kind::Profile => self.profiles.find(name).cloned().map(Object::Profile),
            Kind::SessionTemplate => {
                self.session_templates.find(name).cloned().map(Object::SessionTemplate)
            }
            Kind::TabTemplate => self.tab_templates.find(name).cloned().map(Object::TabTemplate),
            Kind::NotificationTemplate => {
                self.notification_templates.find(name).cloned().map(Object::NotificationTemplate)
            }
            Kind::Tool => self.tools.find(name).cloned().map(Object::Tool),
            Kind::Provider => self.providers.find(name).cloned().map(Object::Provider),
            Kind::Channel => self.channels.find(name).cloned().map(Object::Channel),
            Kind::Role => self.roles.find(name).cloned().map(Object::Role),
            Kind::User => {
                let id = UserId::parse(name).ok()?;
                self.user(&id).map(|seated| Object::User(Arc::clone(&seated.user)))
            }
            Kind::Team => self.teams.get(&TeamId::parse(name).ok()?).cloned().map(Object::Team),
            Kind::Settings => Some(Object::Settings(Arc::clone(&self.settings))),
            Kind::Script => None,
        }
    }

    /// Every object, for a checkpoint or a comparison.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        let profiles = self.profiles.iter().map(|o| Object::Profile(Arc::clone(o)));
        profiles
            .chain(self.session_templates.iter().map(|o| Object::SessionTemplate(Arc::clone(o))))
            .chain(self.tab_templates.iter().map(|o| Object::TabTemplate(Arc::clone(o))))
            .chain(
                self.notification_templates
                    .iter()
                    .map(|o| Object::NotificationTemplate(Arc::clone(o))),
            )
            .chain(self.tools.iter().map(|o| Object::Tool(Arc::clone(o))))
            .chain(self.providers.iter().map(|o| Object::Provider(Arc::clone(o))))
            .chain(self.channels.iter().map(|o| Object::Channel(Arc::clone(o))))
            .chain(self.roles.iter().map(|o| Object::Role(Arc::clone(o))))
            .chain(self.teams.values().map(|o| Object::Team(Arc::clone(o))))
            .chain(self.users.values().map(|o| Object::User(Arc::clone(&o.user))))
            .chain([Object::Settings(Arc::clone(&self.settings))])
    }
}

/// Takes a member out of an index of sets, and the set out of the index when nothing is left.
fn take<K, V>(index: &mut OrdMap<K, OrdSet<V>>, key: &K, member: &V)
where
    K: Ord + Clone,
    V: Ord + Clone,
{
    if let Some(set) = index.get_mut(key) {
        set.remove(member);
        if set.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
