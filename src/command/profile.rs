//! Life cycle and content of profiles (SPEC §7.5).

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    library::{self, Strategy},
    patch::{self, ProfilePatch},
};
use crate::{
    catalog::Catalog,
    domain::{
        Common, Finding, FindingCode, Reason, Refusal, Stamp, UserId, Violations,
        copilot::{FEATURES, Setting},
        profile::Profile,
        refusal::Preconditions,
    },
};

/// Makes a custom, active profile.
pub type CreateProfile = library::Create<Profile>;
/// Copies the definition of a profile: not users, rank, roles, default, lock or state.
pub type CloneProfile = library::CloneObject<Profile>;
/// Changes fields of a profile; also SetPane, SetCopilot, SetInbox, SetChannels and the links.
pub type UpdateProfile = library::Update<Profile>;
/// Activates or deactivates a profile; rank, roles, default flag and links stay.
pub type SetProfileState = library::SetState<Profile>;
/// Deletes a profile.
///
/// Users who are linked to it are not written, for they may be very many: a link goes with its
/// profile (see [`crate::catalog::LinkState`]), and a profile that takes its name has no users.
pub type DeleteProfile = library::Delete<Profile>;

impl Strategy for Profile {
    type Patch = ProfilePatch;

    fn empty(common: Common, stamp: Stamp) -> Self {
        Self::empty(common, stamp)
    }

    fn syntax(patch: &ProfilePatch, v: &mut Violations) {
        patch.syntax(v);
    }

    fn prepare_clone(&mut self, source: &Self, _v: &mut Violations) {
        self.rank = None;
        self.roles.clear();
        self.unmatched_roles.clear();
        self.is_default = false;
        self.default_set_time = None;
        self.adopted = false;
        if source.common.is_built_in() {
            // Unset means on there and off here; written out, the copy behaves like its source.
            let unset: BTreeMap<_, _> =
                FEATURES.iter().map(|f| (f.name.to_owned(), Setting::On)).collect();
            self.copilot = unset.into_iter().chain(source.copilot.clone()).collect();
        }
    }

    fn preconditions(&self, catalog: &Catalog, failed: &mut Preconditions) {
        patch::preconditions(catalog, self, failed);
    }

    /// Without templates for an entity that another one serves before them.
    fn judged_in_import(&self, catalog: &Catalog) -> Cow<'_, Self> {
        let second = patch::second_templates(catalog, self);
        if second.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut judged = self.clone();
        judged.session_templates.retain(|name| !second.contains(&name));
        Cow::Owned(judged)
    }

    fn import_findings(&self, catalog: &Catalog) -> Vec<Finding> {
        let second = patch::second_templates(catalog, self).into_iter();
        let found = second.map(|name| {
            let message =
                format!("Another template of profile {} serves the same entity.", self.name());
            Finding::new(FindingCode::DuplicateEntityTemplate, name.as_str(), message)
        });
        found.collect()
    }

    /// Users, a mapping and the default flag keep a profile.
    fn unused(&self, catalog: &Catalog) -> Result<(), Refusal> {
        let users = catalog.linked(self.name());
        let carries = self.rank.is_some() || !self.roles.is_empty() || self.is_default;
        if carries || !users.is_empty() { Err(in_use(self, &users)) } else { Ok(()) }
    }
}

fn in_use(profile: &Profile, users: &[UserId]) -> Refusal {
    let name = profile.name();
    let message = format!(
        "Profile {name} is in use ({} direct users); set force to delete it with its links, mappings and flag.",
        users.len()
    );
    let mut refusal = Refusal::new(Reason::ProfileInUse, message)
        .with("direct_users", users.len())
        .resource("Profile", name, "in use");
    for user in users.iter().take(100) {
        refusal = refusal.precondition("DIRECT_USER", user, name.as_str());
    }
    for role in &profile.roles {
        refusal = refusal.precondition("ROLE", role, name.as_str());
    }
    if let Some(rank) = profile.rank {
        refusal = refusal.precondition("RANK", name, format!("rank={rank}"));
    }
    if profile.is_default {
        refusal = refusal.precondition("DEFAULT", name, "is the default");
    }
    refusal
}

#[cfg(test)]
mod tests;
