//! Which custom profiles a role leads to, and which are flagged default: what resolution would
//! otherwise read out of every profile for every user.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet};

use crate::domain::{UniqueName, profile::Profile};

/// Custom profiles by what makes them candidates.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mappings {
    /// A root that no profile maps is absent.
    by_root: OrdMap<UniqueName, Mapped>,
    pub(super) defaults: OrdSet<UniqueName>,
}

/// The profiles that map one root.
#[derive(Debug, Clone, Default, PartialEq)]
struct Mapped {
    /// Active or not.
    all: OrdSet<UniqueName>,
    active: OrdSet<Candidate>,
}

/// An active profile that a role leads to. Candidates ascend as SPEC §6.1 orders those of step 2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The profile has no rank: behind all that have one.
    unranked: bool,
    rank: u8,
    /// The profile.
    pub profile: UniqueName,
}

impl Candidate {
    fn of(profile: &Profile) -> Self {
        let Profile { rank, .. } = profile;
        let profile = profile.name().clone();
        Self { unranked: rank.is_none(), rank: rank.unwrap_or_default(), profile }
    }
}

impl Mappings {
    pub(super) fn add(&mut self, profile: &Profile, roots: &BTreeSet<UniqueName>) {
        if profile.common.is_built_in() {
            return;
        }
        for root in roots {
            let mapped = self.by_root.entry(root.clone()).or_default();
            mapped.all.insert(profile.name().clone());
            if profile.common.is_active() {
                mapped.active.insert(Candidate::of(profile));
            }
        }
        if profile.is_default {
            self.defaults.insert(profile.name().clone());
        }
    }

    pub(super) fn remove(&mut self, profile: &Profile, roots: &BTreeSet<UniqueName>) {
        for root in roots {
            let Some(mapped) = self.by_root.get_mut(root) else { continue };
            mapped.all.remove(profile.name());
            mapped.active.remove(&Candidate::of(profile));
            if mapped.all.is_empty() {
                self.by_root.remove(root);
            }
        }
        self.defaults.remove(profile.name());
    }

    /// All that map a root, ascending by name.
    pub(super) fn of_root(&self, root: &UniqueName) -> impl Iterator<Item = &UniqueName> {
        self.by_root.get(root).into_iter().flat_map(|mapped| &mapped.all)
    }

    /// The first of the active ones that map a root.
    pub(super) fn first(&self, root: &UniqueName) -> Option<&Candidate> {
        self.by_root.get(root)?.active.get_min()
    }
}
