//! Teams: members, and roles that are only reported.

use std::{borrow::Cow, collections::BTreeSet};

use super::limit;
use crate::{
    catalog::Catalog,
    command::{
        Context, Plan,
        preconditions::{fresh, not_found, same_etag_of},
        references::References,
    },
    domain::{
        Kind, Refusal, TeamId, UniqueName, UserId, Violations, check,
        directory::{MAX_TEAM_MEMBERS, MAX_TEAM_ROLES, Team},
        refusal::Preconditions,
    },
};

/// New values of the fields of a team; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct TeamPatch {
    /// 1 to 100 characters after trimming; required for a new team.
    pub display_name: Option<String>,
    /// At most 10 000 users; replaces the members.
    pub members: Option<BTreeSet<UserId>>,
    /// At most 50 roles; replaces the roles.
    pub roles: Option<BTreeSet<UniqueName>>,
    /// What a directory calls the team, at most 254 characters.
    pub external_id: Option<Option<Box<str>>>,
}

/// Makes a team, or changes fields of one.
#[derive(Debug, Clone)]
pub struct UpsertTeam {
    /// The team.
    pub id: TeamId,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values.
    pub patch: TeamPatch,
}

impl UpsertTeam {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let before = catalog.team(&self.id).map(Cow::into_owned);
        let mut v = Violations::new();
        let display_name = self
            .patch
            .display_name
            .as_ref()
            .map(|name| check::display_name(&mut v, "display_name", name, 100));
        if before.is_none() && display_name.is_none() {
            v.invalid("display_name", "is required");
        }
        if let Some(Some(name)) = &self.patch.external_id {
            check::line(&mut v, "external_id", name, 1..=254);
        }
        v.finish()?;
        let mut next = before.as_deref().cloned().unwrap_or_else(|| self.empty(context));
        next.display_name = display_name.unwrap_or(next.display_name);
        if let Some(name) = &self.patch.external_id {
            next.external_id.clone_from(name);
        }
        let mut references = References::new(catalog);
        if let Some(members) = &self.patch.members {
            next.members = references.users("members", members, &next.members);
        }
        if let Some(roles) = &self.patch.roles {
            next.roles = references.roles("roles", roles);
        }
        references.finish()?;
        same_etag_of(next.id.as_str(), before.as_deref(), self.etag.as_deref())?;
        let mut failed = Preconditions::new();
        limit(&mut failed, "members", self.patch.members.as_ref(), MAX_TEAM_MEMBERS);
        limit(&mut failed, "roles", self.patch.roles.as_ref(), MAX_TEAM_ROLES);
        failed.finish()?;
        let mut plan = Plan::about(Kind::Team, self.id.as_str());
        plan.put_changed(next, before.as_ref(), context);
        Ok(plan)
    }

    fn empty(&self, context: &Context) -> Team {
        Team {
            id: self.id.clone(),
            stamp: fresh(context.uid, context),
            display_name: String::new(),
            members: BTreeSet::new(),
            roles: BTreeSet::new(),
            external_id: None,
        }
    }
}

/// Deletes a team; its members stay.
#[derive(Debug, Clone)]
pub struct DeleteTeam {
    /// The team.
    pub id: TeamId,
    /// State that the caller saw.
    pub etag: Option<String>,
}

impl DeleteTeam {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, _context: &Context) -> Result<Plan, Refusal> {
        let team = catalog.team(&self.id);
        let team = team.ok_or_else(|| not_found(Kind::Team, self.id.as_str()))?;
        same_etag_of(team.id.as_str(), Some(team.as_ref().as_ref()), self.etag.as_deref())?;
        let mut plan = Plan::default();
        plan.delete(team.as_ref().as_ref());
        Ok(plan)
    }
}
