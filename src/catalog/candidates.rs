//! Profiles that come into question by a role or as default.

use std::collections::BTreeSet;

use super::{Catalog, mappings::Mappings};
use crate::domain::{UniqueName, profile::Profile};

impl Catalog {
    /// Custom profiles that map the root role, active or not, ascending by name.
    pub fn mapped(&self, root: &UniqueName) -> impl Iterator<Item = &Profile> {
        let names = self.mappings.by_root.get(root).into_iter().flatten();
        names.filter_map(|name| self.tables.profiles.get(name)).map(AsRef::as_ref)
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
            self.mappings.remove(&old, roots);
        }
    }

    /// Puts a profile into the index.
    pub(super) fn map(&mut self, profile: &Profile) {
        let roots = self.roots(profile);
        self.mappings.add(profile, roots);
    }

    /// Derives the index again, for other roles have other roots.
    pub(super) fn remap(&mut self) {
        self.mappings = Mappings::default();
        for profile in self.tables.profiles.clone().iter() {
            self.map(profile);
        }
    }

    fn roots(&self, profile: &Profile) -> BTreeSet<UniqueName> {
        profile.roles.iter().filter_map(|role| self.root(role)).collect()
    }
}
