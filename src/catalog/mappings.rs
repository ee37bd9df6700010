//! Which custom profiles a role leads to, and which are flagged default: what resolution would
//! otherwise read out of every profile for every user.

use std::collections::BTreeSet;

use imbl::OrdSet;

use super::sets::Index;
use crate::domain::{UniqueName, profile::Profile};

/// Custom profiles by what makes them candidates, active or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mappings {
    pub(super) by_root: Index<UniqueName, UniqueName>,
    pub(super) defaults: OrdSet<UniqueName>,
}

impl Mappings {
    pub(super) fn add(&mut self, profile: &Profile, roots: BTreeSet<UniqueName>) {
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

    pub(super) fn remove(&mut self, profile: &Profile, roots: BTreeSet<UniqueName>) {
        for root in roots {
            self.by_root.take(&root, profile.name());
        }
        self.defaults.remove(profile.name());
    }
}
