//! Which custom profiles a role leads to, and which are flagged default: what resolution would
//! otherwise read out of every profile for every user.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet};

use crate::domain::{UniqueName, profile::Profile};

/// Custom profiles by what makes them candidates, active or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mappings {
    /// A root that no profile maps is absent.
    pub(super) by_root: OrdMap<UniqueName, OrdSet<UniqueName>>,
    pub(super) defaults: OrdSet<UniqueName>,
}

impl Mappings {
    pub(super) fn add(&mut self, profile: &Profile, roots: BTreeSet<UniqueName>) {
        if profile.common.is_built_in() {
            return;
        }
        for root in roots {
            self.by_root.entry(root).or_default().insert(profile.name().clone());
        }
        if profile.is_default {
            self.defaults.insert(profile.name().clone());
        }
    }

    pub(super) fn remove(&mut self, profile: &Profile, roots: BTreeSet<UniqueName>) {
        for root in roots {
            let Some(names) = self.by_root.get_mut(&root) else { continue };
            names.remove(profile.name());
            if names.is_empty() {
                self.by_root.remove(&root);
            }
        }
        self.defaults.remove(profile.name());
    }
}
