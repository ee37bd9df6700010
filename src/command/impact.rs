//! Whose outcome a write changes (SPEC §7.1 rule 4).
//!
//! Users whom the write itself changed are compared one by one; all others by seat, because users
//! of one seat get one answer and keep their seat. What a class gets is worked out once a class and
//! content once per profile and gates, where the write can reach it, so the cost is that of seats and
//! not of users. The first of the affected are picked from the seats' sorted members, each left at
//! the first member behind all that are listed: cheap enough for the commit thread, and a repeated
//! request is answered the very same list.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use crate::{
    catalog::{Catalog, ClassId, Seat, Seated},
    content::{Gates, Reach, compile},
    domain::{Change, Kind, Method, Object, TeamId, UniqueName, UserId},
    resolve::{class_winner, winner},
};

/// How many users an answer lists.
const LISTED: usize = 100;

/// A user whose profile differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AffectedUser {
    /// The user.
    pub user: UserId,
    /// The profile before.
    pub from: UniqueName,
    /// The profile after.
    pub to: UniqueName,
}

/// Enabled human users, existing before and after, whose outcome a write changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Affected {
    /// Users whose profile differs.
    pub total_count: u64,
    /// The first hundred of them, ascending by id.
    pub users: Vec<AffectedUser>,
    /// Users with the same profile by another method.
    pub method_only: u64,
    /// Users with the same profile and another digest of its content.
    #[serde(default)]
    pub content_only: u64,
}

/// Compares the outcomes of two catalogs that are one commit apart; the app is not given.
pub fn affected(old: &Catalog, new: &Catalog, changes: &[Change]) -> Affected {
    let touched = touched(old, new, changes);
    let mut comparison = Comparison {
        old: Side::new(old),
        new: Side::new(new),
        reach: Reach::of(new, changes),
        result: Affected::default(),
        listed: BTreeMap::new(),
    };
    for id in &touched {
        if let (Some(before), Some(after)) = (old.user(id), new.user(id))
            && before.user.is_counted()
            && after.user.is_counted()
        {
            comparison.compare(&before, &after, [id].into_iter(), 1);
        }
    }
    if changes.iter().any(|change| !matches!(change.key().kind, Kind::User | Kind::Team)) {
        comparison.whole_seats(&touched);
    }
    comparison.finish()
}

/// The profile and the step that a user gets it from.
type Winner = (UniqueName, Method);

/// One of the two catalogs, with what was worked out of it so far.
#[derive(Debug)]
struct Side<'a> {
    catalog: &'a Catalog,
    /// What users of a class get without a direct link.
    winners: HashMap<ClassId, Winner>,
    gates: HashMap<ClassId, Gates>,
    digests: HashMap<(UniqueName, Gates), String>,
}

impl<'a> Side<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, winners: HashMap::new(), gates: HashMap::new(), digests: HashMap::new() }
    }

    fn winner(&mut self, seated: &Seated<'_>) -> Winner {
        let catalog = self.catalog;
        let leads = |link| catalog.linked_profile(&seated.user, link);
        if seated.user.direct.iter().filter_map(leads).any(|profile| profile.common.is_active()) {
            return winner(catalog, seated);
        }
        let class = seated.seat.class;
        let winner = || class_winner(catalog, catalog.class(class));
        self.winners.entry(class).or_insert_with(winner).clone()
    }

    /// The gates of a class that make a difference to a profile.
    fn gates(&mut self, class: ClassId, profile: &UniqueName) -> Gates {
        let catalog = self.catalog;
        let gates =
            self.gates.entry(class).or_insert_with(|| Gates::of(catalog, catalog.class(class)));
        match catalog.tables.profiles.get(profile) {
            Some(profile) => gates.relevant_to(catalog, profile),
            None => Gates::default(),
        }
    }

    /// The digest of a profile's content; none when there is no such profile.
    fn digest(&mut self, profile: &UniqueName, gates: Gates) -> Option<&str> {
        let stored = self.catalog.tables.profiles.get(profile)?;
        Some(match self.digests.entry((profile.clone(), gates)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let digest = compile(self.catalog, stored, &new.key().1).digest;
                new.insert(digest)
            }
        })
    }
}

/// A comparison on its way.
#[derive(Debug)]
struct Comparison<'a> {
    old: Side<'a>,
    new: Side<'a>,
    reach: Reach,
    result: Affected,
    /// The first users whose profile differs, at most [`LISTED`].
    listed: BTreeMap<UserId, (UniqueName, UniqueName)>,
}

impl<'a> Comparison<'a> {
    /// Users whom the write does not change keep their seats, so each seat gets one comparison.
    fn whole_seats(&mut self, touched: &BTreeSet<UserId>) {
        let (old, new) = (self.old.catalog, self.new.catalog);
        let mut gone: BTreeMap<&Seat, usize> = BTreeMap::new();
        for seated in touched.iter().filter_map(|id| old.user(id)).filter(|s| s.user.is_counted()) {
            *gone.entry(seated.seat).or_default() += 1;
        }
        for (seat, ids) in old.seats() {
            let count = ids.len() - gone.get(seat).copied().unwrap_or_default();
            let mut members = ids.iter().filter(|id| !touched.contains(*id)).peekable();
            if let Some(sample) = members.peek()
                && let (Some(before), Some(after)) = (old.user(sample), new.user(sample))
            {
                self.compare(&before, &after, members, count as u64);
            }
        }
    }

    /// Compares one user before and after, for all members of his seat, who ascend.
    fn compare<'b>(
        &mut self,
        before: &Seated<'_>,
        after: &Seated<'_>,
        members: impl Iterator<Item = &'b UserId>,
        count: u64,
    ) {
        let (from, to) = (self.old.winner(before), self.new.winner(after));
        if from.0 != to.0 {
            self.result.total_count += count;
            self.list(members, &from.0, &to.0);
            return;
        }
        if from.1 != to.1 {
            self.result.method_only += count;
        }
        if self.content_differs(&to.0, before.seat.class, after.seat.class) {
            self.result.content_only += count;
        }
    }

    /// Lists the members who are among the first of all so far.
    fn list<'b>(
        &mut self,
        members: impl Iterator<Item = &'b UserId>,
        from: &UniqueName,
        to: &UniqueName,
    ) {
        for id in members {
            if self.listed.len() >= LISTED {
                match self.listed.last_entry() {
                    Some(last) if id < last.key() => drop(last.remove()),
                    _ => break,
                }
            }
            self.listed.insert(id.clone(), (from.clone(), to.clone()));
        }
    }

    /// Whether a user gets other content of the profile that he keeps.
    fn content_differs(&mut self, profile: &UniqueName, before: ClassId, after: ClassId) -> bool {
        let old = self.old.gates(before, profile);
        let new = self.new.gates(after, profile);
        if old == new && !self.reach.contains(profile) {
            return false;
        }
        self.old.digest(profile, old) != self.new.digest(profile, new)
    }

    fn finish(self) -> Affected {
        let listed = self.listed.into_iter();
        let users = listed.map(|(user, (from, to))| AffectedUser { user, from, to }).collect();
        Affected { users, ..self.result }
    }
}

/// Users whom the write changes by name, or through a team.
fn touched(old: &Catalog, new: &Catalog, changes: &[Change]) -> BTreeSet<UserId> {
    let mut ids = BTreeSet::new();
    for change in changes {
        match change {
            Change::Put(Object::User(user)) => {
                ids.insert(user.id.clone());
                continue;
            }
            Change::Put(Object::Team(_)) | Change::Delete(_) => {}
            Change::Put(_) => continue,
        }
        let key = change.key();
        match key.kind {
            Kind::User => ids.extend(UserId::parse(&key.name)),
            Kind::Team => {
                let team = TeamId::parse(&key.name).ok();
                for catalog in [old, new] {
                    if let Some(team) = team.as_ref().and_then(|id| catalog.team(id)) {
                        ids.extend(team.members.iter().cloned());
                    }
                }
            }
            _ => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests;
