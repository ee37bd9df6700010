//! Whose outcome a write changes (SPEC §7.1 rule 4).
//!
//! Users whom the write itself changed are compared one by one; all others by seat, because users
//! of one seat get one answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Catalog, Seat},
    domain::{App, Change, Kind, Method, Object, UniqueName, UserId},
    resolve::{Outcome, resolve},
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
}

type Answer = (UniqueName, Method);

/// Compares the outcomes of two catalogs that are one commit apart; the app is not given.
pub fn affected(old: &Catalog, new: &Catalog, changes: &[Change]) -> Affected {
    let touched = touched(old, new, changes);
    let mut result = Affected::default();
    let mut listed = BTreeMap::new();
    for id in &touched {
        let counted = |c: &Catalog| c.user(id).is_some_and(|s| s.user.is_counted());
        if counted(old) && counted(new) {
            compare(&mut result, &mut listed, old, new, id, [id].into_iter(), 1);
        }
    }
    let any = |kinds: &[Kind]| changes.iter().any(|c| kinds.contains(&c.key().kind));
    if any(&[Kind::Role]) {
        for (_, ids) in old.seats() {
            regrouped(&mut result, &mut listed, old, new, ids, &touched);
        }
    } else if any(&[Kind::Profile, Kind::Settings]) {
        whole_seats(&mut result, &mut listed, old, new, &touched);
    }
    result.users = listed
        .into_iter()
        .take(LISTED)
        .map(|(user, (from, to))| AffectedUser { user, from, to })
        .collect();
    result
}

/// Without a change of roles nobody moves, so each seat gets one comparison.
fn whole_seats(
    result: &mut Affected,
    listed: &mut BTreeMap<UserId, (UniqueName, UniqueName)>,
    old: &Catalog,
    new: &Catalog,
    touched: &BTreeSet<UserId>,
) {
    let mut gone: BTreeMap<&Seat, usize> = BTreeMap::new();
    for seated in touched.iter().filter_map(|id| old.user(id)).filter(|s| s.user.is_counted()) {
        *gone.entry(&seated.seat).or_default() += 1;
    }
    for (seat, ids) in old.seats() {
        let count = ids.len() - gone.get(seat).copied().unwrap_or_default();
        let mut members = ids.iter().filter(|id| !touched.contains(*id)).peekable();
        if let Some(sample) = members.peek().copied() {
            compare(result, listed, old, new, sample, members, count as u64);
        }
    }
}

/// A role may lead its holders anywhere: users of one old seat, grouped by their new one.
fn regrouped(
    result: &mut Affected,
    listed: &mut BTreeMap<UserId, (UniqueName, UniqueName)>,
    old: &Catalog,
    new: &Catalog,
    ids: &imbl::OrdSet<UserId>,
    touched: &BTreeSet<UserId>,
) {
    let mut groups: BTreeMap<&Seat, Vec<&UserId>> = BTreeMap::new();
    for id in ids.iter().filter(|id| !touched.contains(*id)) {
        if let Some(seated) = new.user(id) {
            groups.entry(&seated.seat).or_default().push(id);
        }
    }
    for members in groups.into_values() {
        let count = members.len() as u64;
        compare(result, listed, old, new, members[0], members.iter().copied(), count);
    }
}

fn compare<'a>(
    result: &mut Affected,
    listed: &mut BTreeMap<UserId, (UniqueName, UniqueName)>,
    old: &Catalog,
    new: &Catalog,
    sample: &UserId,
    members: impl Iterator<Item = &'a UserId>,
    count: u64,
) {
    let (Some(from), Some(to)) = (answer(old, sample), answer(new, sample)) else { return };
    if from.0 != to.0 {
        result.total_count += count;
        for id in members.take(LISTED) {
            listed.insert(id.clone(), (from.0.clone(), to.0.clone()));
        }
    } else if from.1 != to.1 {
        result.method_only += count;
    }
}

fn answer(catalog: &Catalog, user: &UserId) -> Option<Answer> {
    match resolve(catalog, user, App::Unspecified) {
        Outcome::Resolved(r) => Some((r.profile, r.method)),
        Outcome::NotApplicable | Outcome::NotFound => None,
    }
}

/// Users whom the write changes by name, or through a team.
fn touched(old: &Catalog, new: &Catalog, changes: &[Change]) -> BTreeSet<UserId> {
    let mut ids = BTreeSet::new();
    for change in changes {
        let key = change.key();
        match key.kind {
            Kind::User => match change {
                Change::Put(Object::User(user)) => {
                    ids.insert(user.id.clone());
                }
                _ => ids.extend(UserId::parse(&key.name)),
            },
            Kind::Team => {
                for catalog in [old, new] {
                    let team = crate::domain::TeamId::parse(&key.name).ok();
                    let team = team.and_then(|id| catalog.teams.get(&id));
                    ids.extend(team.into_iter().flat_map(|t| t.members.iter().cloned()));
                }
            }
            _ => {}
        }
    }
    ids
}
