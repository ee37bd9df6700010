//! Profiles that come into question by a role or as default.

use std::collections::BTreeSet;

use super::{Candidate, Catalog, mappings::Mappings};
use crate::domain::{UniqueName, profile::Profile};

impl Catalog {
    /// Custom profiles that map the root role, active or not, ascending by name.
    pub fn mapped(&self, root: &UniqueName) -> impl Iterator<Item = &Profile> {
        let names = self.mappings.of_root(root);
        names.filter_map(|name| self.tables.profiles.get(name)).map(AsRef::as_ref)
    }

    /// The profile that a root role by itself leads to: of the active custom ones that map it, the one
    /// with the strongest rank.
    pub fn strongest(&self, root: &UniqueName) -> Option<&Candidate> {
        self.mappings.first(root)
    }

    /// Custom profiles that are flagged default, active or not, ascending by name.
    pub fn defaults(&self) -> impl Iterator<Item = &Profile> {
        let names = self.mappings.defaults.iter();
        names.filter_map(|name| self.tables.profiles.get(name)).map(AsRef::as_ref)
    }

    /// Takes the profile that is stored under the name out of the index.
    pub(super) fn unmap(&mut self, name: &UniqueName) {
        if let Some(old) = self.tables.profiles.get(name).cloned() {
            let roots = self.roots(&old);
            self.mappings.remove(&old, &roots);
            self.note_mapped(&roots);
        }
    }

    /// Puts a profile into the index.
    pub(super) fn map(&mut self, profile: &Profile) {
        let roots = self.roots(profile);
        self.mappings.add(profile, &roots);
        self.note_mapped(&roots);
    }

    /// Derives the index again, for other roles have other roots.
    pub(super) fn remap(&mut self) {
        let mut mappings = Mappings::default();
        for profile in self.tables.profiles.iter() {
            mappings.add(profile, &self.roots(profile));
        }
        self.users.classes.held.note_all(&mappings);
        self.mappings = mappings;
    }

    fn note_mapped(&mut self, roots: &BTreeSet<UniqueName>) {
        for root in roots {
            self.users.classes.held.note(root, &self.mappings);
        }
    }

    fn roots(&self, profile: &Profile) -> BTreeSet<UniqueName> {
        profile.roles.iter().filter_map(|role| self.root(role)).collect()
    }
}
