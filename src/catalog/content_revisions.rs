//! At which revision the content of each profile may have changed last.

use imbl::OrdMap;

use crate::domain::UniqueName;

/// One revision for all profiles, and later ones of some.
#[derive(Debug, Clone, Default)]
pub(super) struct ContentRevisions {
    every: i64,
    later: OrdMap<UniqueName, i64>,
}

impl ContentRevisions {
    /// The revision of a profile's content.
    pub(super) fn of(&self, profile: &UniqueName) -> i64 {
        self.later.get(profile).copied().unwrap_or(self.every)
    }

    /// Notes that the content of all profiles may be new.
    pub(super) fn note_every(&mut self, revision: i64) {
        *self = Self { every: revision, later: OrdMap::new() };
    }

    /// Notes that the content of a profile may be new.
    pub(super) fn note(&mut self, profile: &UniqueName, revision: i64) {
        self.later.insert(profile.clone(), revision);
    }

    /// Forgets a profile that is gone.
    pub(super) fn forget(&mut self, profile: &UniqueName) {
        self.later.remove(profile);
    }
}
