//! Seats users, and answers who sits where.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
};

use super::{
    Catalog,
    classes::{Classes, Direct, Link, RoleSet, Seat},
    ids::ClassId,
    members::{Index, Members},
    memberships::Memberships,
    parted::Parted,
    positions::PositionSet,
    roster::{Base, Placements, Roster, Stored},
    seated::Seated,
    users::indexed,
};
use crate::domain::{
    TeamId, Time, UniqueName, UserId,
    directory::{
        Team, User, UserKind,
        packed::{LinkEntry, PackedUsers},
    },
};

/// Positions of users by the key that leads to them.
#[derive(Debug)]
pub(super) struct Groups<K>(HashMap<K, Vec<u32>>);

impl<K: Hash + Ord + Clone> Groups<K> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Puts a user, whose position is behind those before, under a key.
    pub(super) fn join(&mut self, key: &K, position: u32) {
        match self.0.get_mut(key) {
            Some(positions) => positions.push(position),
            None => _ = self.0.insert(key.clone(), vec![position]),
        }
    }

    pub(super) fn index(self) -> Index<K> {
        let sets = self.0.into_iter().map(|(key, positions)| (key, PositionSet::of(&positions)));
        Index::of_base(sets)
    }
}

/// Seats by number, and who sits on each, in the order of positions.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    numbers: HashMap<Seat, u32>,
    pub(super) seats: Vec<Seat>,
    /// By position: the number of the seat of a counted user, or [`UNCOUNTED`].
    counted: Vec<u32>,
    /// By number: how many users sit there, counted or not.
    users: Vec<usize>,
}

/// In place of the seat of a user who is not counted.
const UNCOUNTED: u32 = u32::MAX;

impl Numbered {
    /// The number of a seat, which it gets where it has none.
    pub(super) fn number(&mut self, seat: &Seat) -> u32 {
        if let Some(number) = self.numbers.get(seat) {
            return *number;
        }
        let number = self.seats.len() as u32;
        self.numbers.insert(seat.clone(), number);
        self.seats.push(seat.clone());
        self.users.push(0);
        number
    }

    /// Seats the next user on the seat of that number.
    pub(super) fn push(&mut self, number: u32, is_counted: bool) {
        self.users[number as usize] += 1;
        self.counted.push(if is_counted { number } else { UNCOUNTED });
    }

    /// Each seat with the number of its users.
    pub(super) fn users(&self) -> impl Iterator<Item = (&Seat, usize)> {
        self.seats.iter().zip(self.users.iter().copied())
    }

    /// The seats, and the index of their counted users.
    pub(super) fn finish(self) -> (Vec<Seat>, Index<Seat>) {
        let members = grouped(&self.counted, self.seats.len());
        let index = Index::of_base(self.seats.iter().cloned().zip(members));
        (self.seats, index)
    }
}

/// The positions at which each of so many numbers stands.
fn grouped(numbers: &[u32], most: usize) -> Vec<PositionSet> {
    let known = (0_u32..).zip(numbers.iter().copied()).filter(|(_, number)| *number != UNCOUNTED);
    let parted = Parted::of(&known.collect::<Vec<_>>(), most, |(_, number)| *number as usize);
    let positions =
        |part: &[(u32, u32)]| part.iter().map(|(position, _)| *position).collect::<Vec<_>>();
    parted.parts().map(|part| PositionSet::of(&positions(part))).collect()
}

/// What users have in common who name the same roles, belong to the same teams, and are younger than
/// each of these roles.
#[derive(Debug, Clone, Copy)]
struct Alike {
    class: ClassId,
    /// Time of the youngest of the roles.
    youngest: Time,
    /// Whether each role exists.
    whole: bool,
    /// Number of the seat without a direct link.
    unlinked: u32,
}

impl Catalog {
    /// Stores a user and seats him.
    pub(super) fn seat(&mut self, user: Arc<User>) {
        let written = user.stamp.update_time;
        let set = self.role_set(&user.id, &user.roles, written);
        let given: Vec<_> = user.direct.iter().map(LinkEntry::from).collect();
        let links = self.profile_links(written, &given);
        let whole = set.own.len() == user.roles.len() && links.len() == user.direct.len();
        let class = self.intern(set);
        let seat = Seat { class, direct: Direct::of(&user.id, links) };
        let before = self.users.put(Stored { user, seat, whole });
        if before != Some(class) {
            self.users.classes.join(class, 1);
            before.into_iter().for_each(|before| self.users.classes.leave(before));
        }
    }

    /// Seats a user again, whose teams may be others.
    pub(super) fn reseat(&mut self, id: &UserId) {
        if let Some(user) = self.users.roster.get(id).map(|found| found.user()) {
            self.seat(user);
        }
    }

    /// Seats everybody again, and works out every index.
    pub(super) fn reseat_all(&mut self) {
        let numbering = self.users.classes.numbering + 1;
        self.seat_all(self.packed_users());
        self.users.classes.numbering = numbering;
    }

    /// Seats these users in place of all others; every role, profile and team is there by now.
    pub(super) fn seat_all(&mut self, users: PackedUsers) {
        self.users.classes = Classes::default();
        let mut by_roles: Vec<Option<Alike>> = vec![None; users.names().role_sets()];
        let mut in_teams: HashMap<(u32, Vec<TeamId>), Alike> = HashMap::new();
        let (mut numbered, mut linked) = (Numbered::default(), Groups::new());
        let mut placements = Placements::for_users(users.len());
        for (position, user) in (0..).zip(users.iter()) {
            let entry = user.entry();
            let (roles, written) = (entry.role_set(), entry.written());
            let id = || UserId::parse(user.id()).expect("a packed id was one before");
            let teams = match self.users.memberships.is_empty() {
                true => &[][..],
                false => self.users.memberships.of_user(&id()),
            };
            let known = match teams {
                [] => by_roles[roles as usize],
                teams => in_teams.get(&(roles, teams.to_vec())).copied(),
            };
            let alike = match known {
                Some(alike) => alike,
                None => {
                    let teams = teams.to_vec();
                    let alike = self.alike(&id(), entry.roles(), written, &mut numbered);
                    if teams.is_empty() {
                        by_roles[roles as usize] = Some(alike);
                    } else {
                        in_teams.insert((roles, teams), alike);
                    }
                    alike
                }
            };
            let (mut class, mut whole, mut number) = (alike.class, alike.whole, alike.unlinked);
            if written < alike.youngest {
                let set = self.role_set(&id(), entry.roles(), written);
                whole = set.own.len() == entry.roles().len();
                class = self.intern(set);
                number = numbered.number(&Seat { class, direct: Direct::None });
            }
            let given: Vec<_> = entry.links().collect();
            if !given.is_empty() {
                let links = self.profile_links(written, &given);
                whole &= links.len() == given.len();
                let seat = Seat { class, direct: Direct::of(&id(), links) };
                for key in indexed(&given, &seat) {
                    linked.join(&key, position);
                }
                number = numbered.number(&seat);
            }
            let is_counted = !entry.is_disabled() && entry.kind() == UserKind::Human;
            numbered.push(number, is_counted);
            placements.push(number, whole);
        }
        for (seat, users) in numbered.users() {
            self.users.classes.join(seat.class, users);
        }
        let (seats, seated) = numbered.finish();
        self.users.roster = Roster::of(Base::new(users, placements, seats));
        self.users.seated = seated;
        self.users.linked = linked.index();
        self.users.classes.drop_empty();
    }

    /// What a user has in common with others who are younger than each of the roles.
    fn alike(
        &mut self,
        id: &UserId,
        roles: &BTreeSet<UniqueName>,
        written: Time,
        numbered: &mut Numbered,
    ) -> Alike {
        let found = roles.iter().filter_map(|role| self.tables.roles.get(role));
        let youngest = found.map(|role| role.stamp.create_time).max().unwrap_or_default();
        let set = self.role_set(id, roles, written.max(youngest));
        let whole = set.own.len() == roles.len();
        let class = self.intern(set);
        let unlinked = numbered.number(&Seat { class, direct: Direct::None });
        Alike { class, youngest, whole, unlinked }
    }

    /// Puts these teams in place of all others; nobody is seated yet.
    pub(super) fn form_teams(&mut self, teams: Vec<Arc<Team>>) {
        self.teams = teams.into_iter().map(|team| (team.id.clone(), team)).collect();
        let members = self.teams.values().map(|team| (&team.id, &team.members));
        self.users.memberships = Memberships::of(members);
    }

    /// The roles that a user refers to, himself in a state of that time and through teams.
    fn role_set(&self, id: &UserId, roles: &BTreeSet<UniqueName>, written: Time) -> RoleSet {
        let teams = self.stored_teams_of(id);
        let team = teams.flat_map(|team| self.role_links(&team.roles, team.stamp.update_time));
        RoleSet { own: self.role_links(roles, written).collect(), team: team.collect() }
    }

    /// The user of that id.
    pub fn user(&self, id: &UserId) -> Option<Seated<'_>> {
        self.users.roster.get(id).map(|found| Seated::new(self, found))
    }

    /// All users, ascending by id.
    pub fn users(&self) -> impl Iterator<Item = Seated<'_>> {
        self.users.roster.iter().map(|found| Seated::new(self, found))
    }

    /// All users from that id on, the id itself excluded, ascending.
    pub fn users_after<'a>(&'a self, id: &UserId) -> impl Iterator<Item = Seated<'a>> + use<'a> {
        self.users.roster.after(id).map(|found| Seated::new(self, found))
    }

    /// All users as the last write left them, ascending by id: for what stores the catalog
    /// alone, never for an answer.
    pub(super) fn stored_users(&self) -> impl Iterator<Item = Arc<User>> {
        self.users.roster.iter().map(|found| found.user())
    }

    /// The same in the form that a checkpoint has: the id, and the form behind the bytes that `begin`
    /// makes.
    pub fn encoded_users<'a>(
        &'a self,
        begin: impl Fn() -> Vec<u8> + 'a,
    ) -> impl Iterator<Item = (&'a str, Vec<u8>)> {
        self.users.roster.iter().map(move |found| (found.id(), found.encode(begin())))
    }

    /// Number of users.
    pub fn user_count(&self) -> usize {
        self.users.roster.len()
    }

    fn stored_teams_of(&self, id: &UserId) -> impl Iterator<Item = &Arc<Team>> {
        let ids = self.users.memberships.of_user(id);
        ids.iter().filter_map(|team| self.teams.get(team))
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
    pub fn seats(&self) -> impl Iterator<Item = (&Seat, Members<'_>)> {
        self.users.seated.iter(&self.users.roster)
    }

    /// Number of seats with counted users in them.
    pub fn seat_count(&self) -> usize {
        self.users.seated.len()
    }

    /// The counted users of a seat, if there are any.
    pub fn in_seat(&self, seat: &Seat) -> Option<Members<'_>> {
        self.users.seated.get(&self.users.roster, seat)
    }

    /// The seats of a class with the counted users in them.
    pub fn seats_of(&self, class: ClassId) -> impl Iterator<Item = (&Seat, Members<'_>)> {
        // No link sorts before any.
        let unlinked = Seat { class, direct: Direct::None };
        let seats = self.users.seated.from(&self.users.roster, unlinked);
        seats.take_while(move |(seat, _)| seat.class == class)
    }

    /// Users with a direct link to the profile of that name, ascending.
    pub fn linked(&self, profile: &UniqueName) -> Vec<UserId> {
        let Some(stored) = self.tables.profiles.get(profile) else { return Vec::new() };
        let leads = |id: &UserId| {
            let Some(seated) = self.user(id) else { return false };
            let (written, links) = (seated.written(), seated.links());
            let mut links = links.into_iter().filter(|link| link.profile == profile);
            links.any(|link| self.profile_of(written, link).is_some())
        };
        let imported = self.link_members(profile, None).into_iter().flat_map(Members::iter);
        let made = self.link_members(profile, Some(stored.stamp.uid));
        let mut users: Vec<_> = made.into_iter().flat_map(Members::iter).collect();
        users.extend(imported.filter(leads));
        users.sort();
        users.dedup();
        users
    }

    /// Users with a direct link that may lead to a profile of that name, whatever generation of it the
    /// link was made to: no fewer than [`Self::linked`].
    pub fn link_holders(&self, profile: &UniqueName) -> impl Iterator<Item = UserId> {
        self.may_lead_to(profile).flat_map(Members::iter)
    }

    /// Number of [`Self::link_holders`]; one with links of two generations counts twice.
    pub fn link_holder_count(&self, profile: &UniqueName) -> usize {
        self.may_lead_to(profile).map(Members::len).sum()
    }

    fn may_lead_to(&self, profile: &UniqueName) -> impl Iterator<Item = Members<'_>> {
        let uid = self.tables.profiles.get(profile).map(|profile| profile.stamp.uid);
        let uids = [None, uid].into_iter().take(1 + usize::from(uid.is_some()));
        uids.filter_map(|uid| self.link_members(profile, uid))
    }

    fn link_members(&self, profile: &UniqueName, uid: Option<uuid::Uuid>) -> Option<Members<'_>> {
        self.users.linked.get(&self.users.roster, &Link { name: profile.clone(), uid })
    }

    /// Users with direct links, by what the links lead to.
    pub fn links(&self) -> impl Iterator<Item = (&Link, Members<'_>)> {
        self.users.linked.iter(&self.users.roster)
    }
}
