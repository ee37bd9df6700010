//! Seats users, and answers who sits where.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
};

use super::{
    Catalog,
    classes::{ClassId, Classes, Direct, Link, RoleSet, Seat},
    layered::{Layered, ascending},
    sets::{Index, Set},
    users::{Seated, Stored, indexed},
};
use crate::domain::{
    TeamId, Time, UniqueName, UserId,
    directory::{Team, User},
};

/// Users who come in ascending order, by their keys.
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

/// What users have in common who name the same roles, belong to the same teams, and are younger than
/// each of these roles.
#[derive(Debug)]
struct Alike {
    class: ClassId,
    /// Time of the youngest of the roles.
    youngest: Time,
    /// Whether each role exists.
    whole: bool,
    /// Group of the seat without a direct link.
    unlinked: usize,
}

impl Catalog {
    /// Stores a user and seats him.
    pub(super) fn seat(&mut self, user: Arc<User>) {
        self.users.remove(&user.id);
        let set = self.role_set(&user, user.stamp.update_time);
        let links = self.profile_links(&user);
        let whole = set.own.len() == user.roles.len() && links.len() == user.direct.len();
        let class = self.intern(set);
        self.users.classes.join(class);
        for link in &links {
            self.users.linked.add(&indexed(&user, link), user.id.clone());
        }
        let seat = Seat { class, direct: Direct::of(&user.id, links) };
        if user.is_counted() {
            self.users.seated.add(&seat, user.id.clone());
        }
        self.users.by_id.insert(user.id.clone(), Stored { user, seat, whole });
    }

    /// Seats a user again, whose teams may be others.
    pub(super) fn reseat(&mut self, id: &UserId) {
        if let Some(user) = self.users.by_id.get(id).map(|stored| Arc::clone(&stored.user)) {
            self.seat(user);
        }
    }

    /// Seats everybody again, and works out every index.
    pub(super) fn reseat_all(&mut self) {
        let numbering = self.users.classes.numbering + 1;
        self.seat_all(self.stored_users().cloned().collect());
        self.users.classes.numbering = numbering;
    }

    /// Seats these users in place of all others; every role, profile and team is there by now.
    pub(super) fn seat_all(&mut self, mut users: Vec<Arc<User>>) {
        ascending(&mut users, |user| &user.id);
        self.users.classes = Classes::default();
        let mut known: HashMap<_, Alike> = HashMap::new();
        let (mut seated, mut linked) = (Groups::new(), Groups::new());
        let mut stored = Vec::with_capacity(users.len());
        for user in &users {
            let id = &user.id;
            let key = (&user.roles, self.users.memberships.get(id).cloned());
            let alike = match known.get(&key) {
                Some(alike) => alike,
                None => {
                    let alike = self.alike(user, &mut seated);
                    known.entry(key).or_insert(alike)
                }
            };
            let (mut class, mut whole, mut unlinked) = (alike.class, alike.whole, alike.unlinked);
            if user.stamp.update_time < alike.youngest {
                let set = self.role_set(user, user.stamp.update_time);
                whole = set.own.len() == user.roles.len();
                class = self.intern(set);
                unlinked = seated.position(&Seat { class, direct: Direct::None });
            }
            self.users.classes.join(class);
            let links = self.profile_links(user);
            whole &= links.len() == user.direct.len();
            let group = |link| linked.position(&indexed(user, link));
            let groups: BTreeSet<_> = links.iter().map(group).collect();
            groups.into_iter().for_each(|group| linked.join(group, id));
            let seat = Seat { class, direct: Direct::of(id, links) };
            if user.is_counted() {
                let is_unlinked = seat.direct == Direct::None;
                let group = if is_unlinked { unlinked } else { seated.position(&seat) };
                seated.join(group, id);
            }
            stored.push((id.clone(), Stored { user: Arc::clone(user), seat, whole }));
        }
        drop(known);
        self.users.by_id = Layered::from_sorted_indexed(stored);
        self.users.seated = seated.index();
        self.users.linked = linked.index();
        self.users.classes.drop_empty();
    }

    /// What a user has in common with others who are younger than each of the roles.
    fn alike(&mut self, user: &User, seated: &mut Groups<Seat>) -> Alike {
        let roles = user.roles.iter().filter_map(|role| self.tables.roles.get(role));
        let youngest = roles.map(|role| role.stamp.create_time).max().unwrap_or_default();
        let set = self.role_set(user, user.stamp.update_time.max(youngest));
        let whole = set.own.len() == user.roles.len();
        let class = self.intern(set);
        let unlinked = seated.position(&Seat { class, direct: Direct::None });
        Alike { class, youngest, whole, unlinked }
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

    /// The roles that a user refers to, himself in a state of that time and through teams.
    fn role_set(&self, user: &User, written: Time) -> RoleSet {
        let teams = self.stored_teams_of(&user.id);
        let team = teams.flat_map(|team| self.role_links(&team.roles, team.stamp.update_time));
        RoleSet { own: self.role_links(&user.roles, written).collect(), team: team.collect() }
    }

    fn seated<'a>(&'a self, stored: &'a Stored) -> Seated<'a> {
        let Stored { user, seat, whole } = stored;
        let lost = self.users.classes.entry(seat.class).derived.lost;
        let user = if *whole && !lost && self.keeps_links(user) {
            Cow::Borrowed(user)
        } else {
            Cow::Owned(Arc::new(self.pruned(user)))
        };
        Seated { user, seat }
    }

    /// The user of that id.
    pub fn user(&self, id: &UserId) -> Option<Seated<'_>> {
        self.users.by_id.get(id).map(|stored| self.seated(stored))
    }

    /// All users, ascending by id.
    pub fn users(&self) -> impl Iterator<Item = Seated<'_>> {
        self.users.by_id.iter().map(|(_, stored)| self.seated(stored))
    }

    /// All users from that id on, the id itself excluded, ascending.
    pub fn users_after<'a>(&'a self, id: &UserId) -> impl Iterator<Item = Seated<'a>> + use<'a> {
        self.users.by_id.range_after(id).map(|(_, stored)| self.seated(stored))
    }

    /// The ids of all users, ascending.
    pub fn user_ids(&self) -> impl Iterator<Item = &UserId> {
        self.users.by_id.iter().map(|(id, _)| id)
    }

    /// All users as the last write left them, ascending by id: for what stores the catalog
    /// alone, never for an answer.
    pub(super) fn stored_users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.by_id.iter().map(|(_, stored)| &stored.user)
    }

    /// Number of users.
    pub fn user_count(&self) -> usize {
        self.users.by_id.len()
    }

    fn stored_teams_of(&self, id: &UserId) -> impl Iterator<Item = &Arc<Team>> {
        let ids = self.users.memberships.get(id).into_iter().flatten();
        ids.filter_map(|team| self.teams.get(team))
    }

    /// The teams that a user belongs to, ascending by id.
    pub fn teams_of(&self, id: &UserId) -> impl Iterator<Item = Cow<'_, Arc<Team>>> {
        self.stored_teams_of(id).map(|team| self.seen_team(team))
    }

    /// The roles that a user holds through teams, as given: {team, role}, ascending by team.
    pub fn team_roles(&self, id: &UserId) -> impl Iterator<Item = (TeamId, UniqueName)> {
        self.teams_of(id).flat_map(|team| {
            let roles = team.roles.iter().map(|role| (team.id.clone(), role.clone()));
            roles.collect::<Vec<_>>()
        })
    }

    /// Whether there are users of that class: none is left once the last one changed.
    pub fn has_class(&self, id: ClassId) -> bool {
        self.users.classes.has(id)
    }

    /// Counted users by seat.
    pub fn seats(&self) -> impl Iterator<Item = (&Seat, &Set<UserId>)> {
        self.users.seated.iter()
    }

    /// The seats of a class with the counted users in them.
    pub fn seats_of(&self, class: ClassId) -> impl Iterator<Item = (&Seat, &Set<UserId>)> {
        // No link sorts before any.
        let unlinked = Seat { class, direct: Direct::None };
        let seats = self.users.seated.range_from(&unlinked);
        seats.take_while(move |(seat, _)| seat.class == class)
    }

    /// Whether a direct link may lead to the profile that this catalog has of that name.
    pub fn may_be_linked(&self, profile: &UniqueName) -> bool {
        let uid = self.tables.profiles.get(profile).map(|profile| profile.stamp.uid);
        let made = |uid| Link { name: profile.clone(), uid };
        [None, uid].into_iter().any(|uid| self.users.linked.get(&made(uid)).is_some())
    }

    /// Users with a direct link to the profile of that name, ascending.
    pub fn linked(&self, profile: &UniqueName) -> Vec<&UserId> {
        let Some(stored) = self.tables.profiles.get(profile) else { return Vec::new() };
        let at = |uid| self.users.linked.get(&Link { name: profile.clone(), uid });
        let leads = |id: &&UserId| {
            let Some(user) = self.user(id).map(|seated| seated.user) else { return false };
            let mut links = user.direct.iter().filter(|link| link.profile == *profile);
            links.any(|link| self.linked_profile(&user, link).is_some())
        };
        let imported = at(None).into_iter().flatten().filter(leads);
        let mut users: Vec<_> = at(Some(stored.stamp.uid)).into_iter().flatten().collect();
        users.extend(imported);
        users.sort();
        users.dedup();
        users
    }

    /// Users with a direct link that may lead to a profile of that name, whatever generation of it the
    /// link was made to: no fewer than [`Self::linked`].
    pub fn link_holders(&self, profile: &UniqueName) -> impl Iterator<Item = &UserId> {
        let uid = self.tables.profiles.get(profile).map(|profile| profile.stamp.uid);
        let uids = [None, uid].into_iter().take(1 + usize::from(uid.is_some()));
        let links = uids.map(|uid| Link { name: profile.clone(), uid });
        let sets: Vec<_> = links.filter_map(|link| self.users.linked.get(&link)).collect();
        sets.into_iter().flatten()
    }

    /// Users with direct links, by what the links lead to.
    pub fn links(&self) -> impl Iterator<Item = (&Link, &Set<UserId>)> {
        self.users.linked.iter()
    }
}
