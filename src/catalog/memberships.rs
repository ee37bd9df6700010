//! Which teams a user belongs to.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use imbl::OrdMap;

use crate::domain::{TeamId, UserId};

/// Teams by member, ascending. Cheap to clone; most users are in a few teams or in none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Memberships(OrdMap<UserId, Arc<[TeamId]>>);

impl Memberships {
    /// Those of teams that come ascending, each with its members.
    pub(super) fn of<'a>(teams: impl Iterator<Item = (&'a TeamId, &'a BTreeSet<UserId>)>) -> Self {
        let mut of: HashMap<&UserId, Vec<TeamId>> = HashMap::new();
        for (team, members) in teams {
            for member in members {
                of.entry(member).or_default().push(team.clone());
            }
        }
        let of = of.into_iter().map(|(member, teams)| (member.clone(), Arc::from(teams)));
        Self(of.collect())
    }

    /// The teams of a user, ascending.
    pub(super) fn of_user(&self, user: &UserId) -> &[TeamId] {
        self.0.get(user).map_or(&[], |teams| teams)
    }

    /// Whether nobody is in a team.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a user into a team.
    pub(super) fn add(&mut self, user: &UserId, team: &TeamId) {
        let teams = self.of_user(user);
        if let Err(at) = teams.binary_search(team) {
            let mut teams = teams.to_vec();
            teams.insert(at, team.clone());
            self.0.insert(user.clone(), teams.into());
        }
    }

    /// Takes a user out of a team.
    pub(super) fn take(&mut self, user: &UserId, team: &TeamId) {
        let teams = self.of_user(user).iter().filter(|known| *known != team);
        let teams: Arc<[TeamId]> = teams.cloned().collect();
        if teams.is_empty() {
            self.0.remove(user);
        } else {
            self.0.insert(user.clone(), teams);
        }
    }
}
