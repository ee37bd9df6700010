//! Users with what resolution needs of them, and the indexes that lead to them.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
};

use super::{
    Catalog,
    classes::{ClassId, Classes, Direct, RoleClass, Seat},
    layered::{Layered, ascending},
    sets::{Index, Set},
};
use crate::domain::{
    TeamId, UniqueName, UserId,
    directory::{Team, User},
};

/// A user with what resolution needs of him, worked out.
#[derive(Debug, Clone)]
pub struct Seated {
    /// The stored user.
    pub user: Arc<User>,
    /// Role class and direct link.
    pub seat: Seat,
}

/// All users and what leads to them.
#[derive(Debug, Clone, Default)]
pub(super) struct Users {
    by_id: Layered<UserId, Seated>,
    pub(super) classes: Classes,
    /// Teams of a user.
    pub(super) memberships: Index<UserId, TeamId>,
    /// Counted users (enabled, human) by seat.
    seated: Index<Seat, UserId>,
    /// Users by the profile that a direct link of theirs names, existing or not.
    pub(super) linked: Index<UniqueName, UserId>,
    /// Users by a role that they hold themselves, as given.
    pub(super) holders: Index<UniqueName, UserId>,
}

impl Users {
    /// Puts a user in, to be seated later.
    pub(super) fn put(&mut self, user: &Arc<User>) {
        self.leave(&user.id);
        for link in &user.direct {
            self.linked.add(&link.profile, user.id.clone());
        }
        for role in &user.roles {
            self.holders.add(role, user.id.clone());
        }
        let seated = Seated { user: Arc::clone(user), seat: Seat::default() };
        self.by_id.insert(user.id.clone(), seated);
    }

    /// Takes a user out.
    pub(super) fn remove(&mut self, id: &UserId) {
        self.leave(id);
        self.by_id.remove(id);
    }

    /// Takes a user out of every index.
    fn leave(&mut self, id: &UserId) {
        let Some(old) = self.by_id.get(id) else { return };
        self.seated.take(&old.seat, id);
        for link in &old.user.direct {
            self.linked.take(&link.profile, id);
        }
        for role in &old.user.roles {
            self.holders.take(role, id);
        }
    }
}

/// Users who come in ascending order, by what tells them apart.
#[derive(Debug)]
struct Groups<K> {
    positions: HashMap<K, usize>,
    members: Vec<Vec<UserId>>,
}

impl<K: Hash + Ord + Clone> Groups<K> {
    fn new() -> Self {
        Self { positions: HashMap::new(), members: Vec::new() }
    }

    /// Where the group of a key stands; asked once for many users where that can be.
    fn position(&mut self, key: &K) -> usize {
        if let Some(position) = self.positions.get(key) {
            return *position;
        }
        self.members.push(Vec::new());
        let position = self.members.len() - 1;
        self.positions.insert(key.clone(), position);
        position
    }

    fn join(&mut self, position: usize, id: &UserId) {
        self.members[position].push(id.clone());
    }

    fn index(mut self) -> Index<K, UserId> {
        let groups = self.positions.into_iter();
        let groups = groups.map(|(key, at)| (key, std::mem::take(&mut self.members[at])));
        Index::from_groups(groups.filter(|(_, members)| !members.is_empty()))
    }
}

/// What users of the same roles and teams have in common.
#[derive(Debug)]
struct Alike {
    class: ClassId,
    /// Group of the seat without a direct link.
    unlinked: usize,
    /// Groups of the roles.
    holders: Vec<usize>,
}

impl Catalog {
    /// Works out the seat of a user anew.
    pub(super) fn reseat(&mut self, id: &UserId) {
        let Some(Seated { user, seat: old }) = self.users.by_id.get(id).cloned() else { return };
        self.users.seated.take(&old, id);
        let class = self.class_of(&user);
        let seat = Seat { class: self.users.classes.intern(class), direct: Direct::of(&user) };
        if user.is_counted() {
            self.users.seated.add(&seat, user.id.clone());
        }
        self.users.by_id.insert(user.id.clone(), Seated { user, seat });
    }

    /// Works out the seats of everybody anew, and every index with them.
    pub(super) fn reseat_all(&mut self) {
        self.seat_all(self.users().map(|seated| Arc::clone(&seated.user)).collect());
    }

    /// Seats these users in place of all others; every role and team is there by now.
    pub(super) fn seat_all(&mut self, mut users: Vec<Arc<User>>) {
        ascending(&mut users, |user| &user.id);
        let (mut classes, mut known) = (Classes::default(), HashMap::new());
        let (mut seated, mut linked, mut holders) = (Groups::new(), Groups::new(), Groups::new());
        let mut seats = Vec::with_capacity(users.len());
        for user in &users {
            let id = &user.id;
            let alike = (&user.roles, self.users.memberships.get(id));
            let alike: &mut Alike = known.entry(alike).or_insert_with(|| {
                let class = classes.intern(self.class_of(user));
                let unlinked = seated.position(&Seat { class, direct: Direct::None });
                let holders = user.roles.iter().map(|role| holders.position(role)).collect();
                Alike { class, unlinked, holders }
            });
            let seat = Seat { class: alike.class, direct: Direct::of(user) };
            if user.is_counted() {
                let unlinked = seat.direct == Direct::None;
                let group = if unlinked { alike.unlinked } else { seated.position(&seat) };
                seated.join(group, id);
            }
            let links: BTreeSet<_> = user.direct.iter().map(|link| &link.profile).collect();
            for profile in links {
                let group = linked.position(profile);
                linked.join(group, id);
            }
            for group in &alike.holders {
                holders.join(*group, id);
            }
            seats.push((id.clone(), seat));
        }
        let by_id = seats.into_iter().zip(users);
        let by_id = by_id.map(|((id, seat), user)| (id, Seated { user, seat })).collect();
        self.users = Users {
            by_id: Layered::from_sorted(by_id),
            classes,
            memberships: self.users.memberships.clone(),
            seated: seated.index(),
            linked: linked.index(),
            holders: holders.index(),
        };
    }

    /// Puts these teams in place of all others; nobody is seated yet.
    pub(super) fn form_teams(&mut self, teams: Vec<Arc<Team>>) {
        self.teams = teams.into_iter().map(|team| (team.id.clone(), team)).collect();
        let mut memberships: HashMap<&UserId, Vec<TeamId>> = HashMap::new();
        for team in self.teams.values() {
            for member in &team.members {
                memberships.entry(member).or_default().push(team.id.clone());
            }
        }
        let memberships = memberships.into_iter().map(|(id, teams)| (id.clone(), teams));
        self.users.memberships = Index::from_groups(memberships);
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

    /// The user of that id.
    pub fn user(&self, id: &UserId) -> Option<&Seated> {
        self.users.by_id.get(id)
    }

    /// All users, ascending by id.
    pub fn users(&self) -> impl Iterator<Item = &Seated> {
        self.users.by_id.iter().map(|(_, seated)| seated)
    }

    /// All users from that id on, the id itself excluded, ascending.
    pub fn users_after<'a>(&'a self, id: &UserId) -> impl Iterator<Item = &'a Seated> + use<'a> {
        self.users.by_id.range_after(id).map(|(_, seated)| seated)
    }

    /// Number of users.
    pub fn user_count(&self) -> usize {
        self.users.by_id.len()
    }

    /// The teams that a user belongs to, ascending by id.
    pub fn teams_of(&self, id: &UserId) -> impl Iterator<Item = &Arc<Team>> {
        let ids = self.users.memberships.get(id).into_iter().flatten();
        ids.filter_map(|team| self.teams.get(team))
    }

    /// The roles that a user holds through teams, as given: {team, role}, ascending by team.
    pub fn team_roles<'a>(
        &'a self,
        id: &UserId,
    ) -> impl Iterator<Item = (TeamId, UniqueName)> + use<'a> {
        let ids = self.users.memberships.get(id).into_iter().flatten();
        ids.filter_map(|team| self.teams.get(team))
            .flat_map(|team| team.roles.iter().map(|role| (team.id.clone(), role.clone())))
    }

    /// The roles of a class.
    pub fn class(&self, id: ClassId) -> &RoleClass {
        self.users.classes.get(id)
    }

    /// Counted users by seat.
    pub fn seats(&self) -> impl Iterator<Item = (&Seat, &Set<UserId>)> {
        self.users.seated.iter()
    }

    /// Users with a direct link that names the profile.
    pub fn linked(&self, profile: &UniqueName) -> Option<&Set<UserId>> {
        self.users.linked.get(profile)
    }

    /// Names that direct links lead to, existing or not.
    pub fn linked_names(&self) -> impl Iterator<Item = (&UniqueName, &Set<UserId>)> {
        self.users.linked.iter()
    }

    /// Users who hold the role themselves.
    pub fn holders(&self, role: &UniqueName) -> Option<&Set<UserId>> {
        self.users.holders.get(role)
    }
}
