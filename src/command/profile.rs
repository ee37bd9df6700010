//! Life cycle and content of profiles (SPEC §7.5).

use std::collections::BTreeMap;

use super::{
    Context, Plan, find_profile,
    name::{new_name, not_taken},
    not_built_in, not_found, not_managed,
    patch::{self, ProfilePatch},
    same_etag, stored,
};
use crate::{
    catalog::Catalog,
    domain::{
        Common, Kind, Reason, Refusal, Stamp, State, UniqueName, UserId, Violations,
        copilot::{FEATURES, Setting},
        profile::Profile,
        refusal::Preconditions,
    },
};

/// Makes a custom, active profile.
#[derive(Debug, Clone)]
pub struct CreateProfile {
    /// Name as given.
    pub unique_name: String,
    /// Other fields; a display name is required.
    pub patch: ProfilePatch,
}

impl CreateProfile {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        create(catalog, context, &self.unique_name, &self.patch, |_| {})
    }
}

/// Makes a profile of a patch and of what else is to be set.
fn create(
    catalog: &Catalog,
    context: &Context,
    unique_name: &str,
    patch: &ProfilePatch,
    more: impl FnOnce(&mut Profile),
) -> Result<Plan, Refusal> {
    let mut v = Violations::new();
    let name = new_name(&mut v, unique_name);
    if patch.display_name.is_none() {
        v.invalid("display_name", "is required");
    }
    patch.syntax(&mut v);
    v.finish()?;
    let Some(name) = name else { return Ok(Plan::default()) };
    not_taken(&catalog.tables.profiles, &name)?;
    let stamp = Stamp::new(context.uid, context.revision, context.time, &context.actor.subject);
    let mut profile = Profile::empty(Common::custom(name, ""), stamp);
    patch.apply(&mut profile);
    more(&mut profile);
    patch::references(catalog, &mut profile, None)?;
    finish(catalog, context, profile, None)
}

/// Checks the rules of a profile whose references exist, and plans to write it.
fn finish(
    catalog: &Catalog,
    context: &Context,
    next: Profile,
    before: Option<&Profile>,
) -> Result<Plan, Refusal> {
    let mut failed = Preconditions::new();
    patch::rules(catalog, &next, &mut failed);
    failed.finish()?;
    let mut plan = Plan::answering(next.name());
    if before != Some(&next) {
        plan.put(next, context);
    }
    Ok(plan)
}

/// Copies the definition of a profile: not users, rank, roles, default, lock or state.
#[derive(Debug, Clone)]
pub struct CloneProfile {
    /// Any profile: built-in, managed or inactive too.
    pub source: UniqueName,
    /// Name of the copy as given.
    pub unique_name: String,
    /// Its display name.
    pub display_name: String,
}

impl CloneProfile {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let mut v = Violations::new();
        let name = new_name(&mut v, &self.unique_name);
        let display_name =
            crate::domain::check::display_name(&mut v, "display_name", &self.display_name, 100);
        v.finish()?;
        let Some(name) = name else { return Ok(Plan::default()) };
        let source = find_profile(catalog, &self.source)?;
        not_taken(&catalog.tables.profiles, &name)?;
        let mut common = Common::custom(name, &display_name);
        common.description.clone_from(&source.common.description);
        common.owner.clone_from(&source.common.owner);
        let stamp = Stamp::new(context.uid, context.revision, context.time, &context.actor.subject);
        let mut copy = Profile {
            session_templates: source.session_templates.clone(),
            pane: source.pane.clone(),
            copilot: source.copilot.clone(),
            inbox: source.inbox.clone(),
            all_active_channels: source.all_active_channels,
            providers: source.providers.clone(),
            app_module: source.app_module.clone(),
            ..Profile::empty(common, stamp)
        };
        if source.common.is_built_in() {
            // Unset means on there and off here; written out, the copy behaves like its source.
            let unset: BTreeMap<_, _> =
                FEATURES.iter().map(|f| (f.name.to_owned(), Setting::On)).collect();
            copy.copilot = unset.into_iter().chain(source.copilot.clone()).collect();
        }
        patch::references(catalog, &mut copy, Some(source))?;
        finish(catalog, context, copy, None)
    }
}

/// Changes fields of a profile; also SetPane, SetCopilot, SetInbox, SetChannels and the links.
#[derive(Debug, Clone)]
pub struct UpdateProfile {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// Name of the operation, as refusals give it: `UPDATE`, `SET_PANE`, ….
    pub operation: &'static str,
    /// New values.
    pub patch: ProfilePatch,
    /// A session template to append; nothing when it is there.
    pub add_session_template: Option<UniqueName>,
    /// Providers to link.
    pub link: Vec<UniqueName>,
    /// Providers to unlink.
    pub unlink: Vec<UniqueName>,
    /// Whether a profile that does not exist is created; never where the caller saw one (`etag`).
    pub allow_missing: bool,
}

impl UpdateProfile {
    /// An update of one profile by a patch.
    pub fn new(profile: UniqueName, operation: &'static str, patch: ProfilePatch) -> Self {
        Self {
            profile,
            etag: None,
            operation,
            patch,
            add_session_template: None,
            link: Vec::new(),
            unlink: Vec::new(),
            allow_missing: false,
        }
    }

    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let Some(target) = catalog.tables.profiles.get(&self.profile).map(AsRef::as_ref) else {
            if self.allow_missing && self.etag.is_none() {
                let more = |profile: &mut Profile| self.link_all(profile);
                return create(catalog, context, self.profile.as_str(), &self.patch, more);
            }
            self.syntax(None)?;
            let name = self.profile.as_str();
            if self.allow_missing {
                stored::same_etag::<Profile>(name, None, self.etag.as_deref())?;
            }
            return Err(not_found(Kind::Profile, name));
        };
        self.syntax(Some(target))?;
        let mut next = Profile::clone(target);
        self.patch.apply(&mut next);
        self.link_all(&mut next);
        patch::references(catalog, &mut next, Some(target))?;
        not_built_in(target, self.operation)?;
        not_managed(target, self.operation)?;
        same_etag(target, self.etag.as_deref())?;
        finish(catalog, context, next, Some(target))
    }

    fn syntax(&self, target: Option<&Profile>) -> Result<(), Refusal> {
        let mut v = Violations::new();
        if let (Some(target), Some(module)) = (target, &self.patch.app_module)
            && target.app_module != *module
        {
            let text = format!("is immutable and is {}", target.app_module);
            v.add(Reason::FieldImmutable, "app_module", text);
        }
        self.patch.syntax(&mut v);
        patch::not_first_party(&mut v, &self.link);
        v.finish()
    }

    fn link_all(&self, profile: &mut Profile) {
        if let Some(template) = &self.add_session_template
            && !profile.session_templates.contains(template)
        {
            profile.session_templates.push(template.clone());
        }
        profile.providers.extend(self.link.iter().cloned());
        for name in &self.unlink {
            profile.providers.remove(name);
        }
    }
}

/// Activates or deactivates a profile; rank, roles, default flag and links stay.
#[derive(Debug, Clone)]
pub struct SetProfileState {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// The new state.
    pub state: State,
}

impl SetProfileState {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let operation = if self.state == State::Active { "ACTIVATE" } else { "DEACTIVATE" };
        let target = find_profile(catalog, &self.profile)?;
        not_built_in(target, operation)?;
        not_managed(target, operation)?;
        same_etag(target, self.etag.as_deref())?;
        let mut plan = Plan::answering(target.name());
        if target.common.state != self.state {
            let mut next = Profile::clone(target);
            next.common.state = self.state;
            plan.put(next, context);
        }
        Ok(plan)
    }
}

/// Deletes a profile.
///
/// Users who are linked to it are not written, for they may be very many: a link goes with its
/// profile (see [`crate::catalog::LinkState`]), and a profile that takes its name has no users.
#[derive(Debug, Clone)]
pub struct DeleteProfile {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// Whether links, mappings and the default flag go along.
    pub force: bool,
}

impl DeleteProfile {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, _context: &Context) -> Result<Plan, Refusal> {
        let target = find_profile(catalog, &self.profile)?;
        not_built_in(target, "DELETE")?;
        not_managed(target, "DELETE")?;
        same_etag(target, self.etag.as_deref())?;
        let name = target.name();
        if !self.force {
            let users = catalog.linked(name);
            let carries = target.rank.is_some() || !target.roles.is_empty() || target.is_default;
            if carries || !users.is_empty() {
                return Err(in_use(target, &users));
            }
        }
        let mut plan = Plan::default();
        plan.delete(target);
        Ok(plan)
    }
}

fn in_use(profile: &Profile, users: &[&UserId]) -> Refusal {
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
