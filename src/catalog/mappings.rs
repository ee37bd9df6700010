//! Which custom profiles a role leads to, and which are flagged default: what resolution would
//! otherwise read out of every profile for every user.

use std::collections::BTreeSet;

use imbl::OrdSet;

use super::{Catalog, sets::Index};
use crate::domain::{UniqueName, profile::Profile};

/// Custom profiles by what makes them candidates, active or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mappings {
    by_root: Index<UniqueName, UniqueName>,
    defaults: OrdSet<UniqueName>,
}

impl Mappings {
    fn add(&mut self, profile: &Profile, roots: BTreeSet<UniqueName>) {
        if profile.common.is_built_in() {
            return;
        }
        for root in roots {
            self.by_root.add(&root, profile.name().clone());
        }
        if profile.is_default {
            self.defaults.insert(profile.name().clone());
        }
    }

    fn remove(&mut self, profile: &Profile, roots: BTreeSet<UniqueName>) {
        for root in roots {
            self.by_root.take(&root, profile.name());
        }
        self.defaults.remove(profile.name());
    }
}

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

    /// Works the index out anew, for other roles have other roots.
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
