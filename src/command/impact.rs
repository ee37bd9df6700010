//! Whose outcome a write changes (SPEC §7.1 rule 4).
//!
//! Users whom the write itself changed are compared one by one; all others by seat, because users
//! of one seat get one answer. Content is compiled only where the write can reach it, and once per
//! profile and gates.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crate::{
    catalog::{Catalog, ClassId, Seat, Seated, Set},
    content::{Gates, Reach, compile},
    domain::{Change, Kind, Object, TeamId, UniqueName, UserId},
    resolve::winner,
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
        let counted = |c: &Catalog| c.user(id).is_some_and(|s| s.user.is_counted());
        if counted(old) && counted(new) {
            comparison.compare(id, [id].into_iter(), 1);
        }
    }
    let any = |kinds: &[Kind]| changes.iter().any(|c| kinds.contains(&c.key().kind));
    if any(&[Kind::Role]) {
        for (_, ids) in old.seats() {
            comparison.regrouped(ids, &touched);
        }
    } else if !comparison.reach.is_empty() {
        comparison.whole_seats(&touched);
    }
    comparison.finish()
}

/// One of the two catalogs, with what was worked out of it so far.
#[derive(Debug)]
struct Side<'a> {
    catalog: &'a Catalog,
    gates: BTreeMap<ClassId, Gates>,
    digests: BTreeMap<(UniqueName, Gates), String>,
}

impl<'a> Side<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, gates: BTreeMap::new(), digests: BTreeMap::new() }
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
    listed: BTreeMap<UserId, (UniqueName, UniqueName)>,
}

impl<'a> Comparison<'a> {
    /// Without a change of roles nobody moves, so each seat gets one comparison.
    fn whole_seats(&mut self, touched: &BTreeSet<UserId>) {
        let old = self.old.catalog;
        let mut gone: BTreeMap<&Seat, usize> = BTreeMap::new();
        for seated in touched.iter().filter_map(|id| old.user(id)).filter(|s| s.user.is_counted()) {
            *gone.entry(&seated.seat).or_default() += 1;
        }
        for (seat, ids) in old.seats() {
            let count = ids.len() - gone.get(seat).copied().unwrap_or_default();
            let mut members = ids.iter().filter(|id| !touched.contains(*id)).peekable();
            if let Some(sample) = members.peek().copied() {
                self.compare(sample, members, count as u64);
            }
        }
    }

    /// A role may lead its holders anywhere: users of one old seat, grouped by their new one.
    fn regrouped(&mut self, ids: &Set<UserId>, touched: &BTreeSet<UserId>) {
        let new = self.new.catalog;
        let mut groups: BTreeMap<&Seat, Vec<&UserId>> = BTreeMap::new();
        for id in ids.iter().filter(|id| !touched.contains(*id)) {
            if let Some(seated) = new.user(id) {
                groups.entry(&seated.seat).or_default().push(id);
            }
        }
        for members in groups.into_values() {
            let count = members.len() as u64;
            self.compare(members[0], members.iter().copied(), count);
        }
    }

    /// Compares one user before and after, for all members of his kind.
    fn compare<'b>(
        &mut self,
        sample: &UserId,
        members: impl Iterator<Item = &'b UserId>,
        count: u64,
    ) {
        let (old, new) = (self.old.catalog, self.new.catalog);
        let (Some(before), Some(after)) = (old.user(sample), new.user(sample)) else { return };
        let (from, to) = (winner(old, before), winner(new, after));
        if from.0 != to.0 {
            self.result.total_count += count;
            for id in members.take(LISTED) {
                self.listed.insert(id.clone(), (from.0.clone(), to.0.clone()));
            }
            return;
        }
        if from.1 != to.1 {
            self.result.method_only += count;
        }
        if self.content_differs(&to.0, before, after) {
            self.result.content_only += count;
        }
    }

    /// Whether a user gets other content of the profile that he keeps.
    fn content_differs(&mut self, profile: &UniqueName, before: &Seated, after: &Seated) -> bool {
        let old = self.old.gates(before.seat.class, profile);
        let new = self.new.gates(after.seat.class, profile);
        if old == new && !self.reach.contains(profile) {
            return false;
        }
        self.old.digest(profile, old) != self.new.digest(profile, new)
    }

    fn finish(self) -> Affected {
        let listed = self.listed.into_iter().take(LISTED);
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
                    let team = team.as_ref().and_then(|id| catalog.teams.get(id));
                    ids.extend(team.into_iter().flat_map(|t| t.members.iter().cloned()));
                }
            }
            _ => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests;
