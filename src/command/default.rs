//! SetDefault and RemoveDefault (SPEC §7.4).

use super::{
    plan::{Context, Plan},
    preconditions::{find_profile, not_built_in, same_etag},
};
use crate::{
    catalog::Catalog,
    domain::{Reason, Refusal, UniqueName, profile::Profile},
    impact::Impact,
};

/// Makes a profile the one custom default.
#[derive(Debug, Clone)]
pub struct SetDefault {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// Whether an incumbent may lose the flag.
    pub replace_current: bool,
    /// Whether the target may lose its rank and all roles.
    pub drop_rank_and_roles: bool,
}

impl SetDefault {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let target = find_profile(catalog, &self.profile)?;
        not_built_in(target, "SET_DEFAULT")?;
        same_etag(target, self.etag.as_deref())?;
        let mut failed = crate::domain::refusal::Preconditions::new();
        if !target.common.is_active() {
            let name = target.name();
            let message = format!("Profile {name} is inactive; activate it first.");
            failed.fail(
                Refusal::new(Reason::ProfileInactive, message)
                    .precondition("PROFILE_INACTIVE", name, "inactive")
                    .resource("Profile", name, "inactive"),
            );
        }
        let incumbents: Vec<_> = catalog.defaults().filter(|p| p.name() != target.name()).collect();
        let carries = target.rank.is_some() || !target.roles.is_empty();
        if target.common.is_active() && target.is_default && incumbents.is_empty() && !carries {
            return Ok(Plan::answering(target.name()));
        }
        if !incumbents.is_empty() && !self.replace_current {
            let names: Vec<_> = incumbents.iter().map(|p| p.name().as_str()).collect();
            let message =
                format!("{} is the default; set replace_current to replace it.", names.join(", "));
            let refusal = Refusal::new(Reason::DefaultExists, message);
            failed.fail(names.iter().fold(refusal, |r, name| {
                r.precondition("DEFAULT", name, "is the default").resource(
                    "Profile",
                    name,
                    "is the default",
                )
            }));
        }
        let plan = self.changes(catalog, target, &incumbents, context);
        if carries && !self.drop_rank_and_roles {
            failed.fail(drops(catalog, target, &plan, context));
        }
        failed.finish()?;
        Ok(plan)
    }

    fn changes(
        &self,
        catalog: &Catalog,
        target: &Profile,
        incumbents: &[&Profile],
        context: &Context,
    ) -> Plan {
        debug_assert!(catalog.tables.profiles.get(target.name()).is_some());
        let mut plan = Plan::answering(target.name());
        for incumbent in incumbents {
            plan.put(without_flag(incumbent), context);
        }
        let mut next = target.clone();
        if !next.is_default {
            next.is_default = true;
            next.default_set_time = Some(context.time);
        }
        next.rank = None;
        next.roles.clear();
        next.unmatched_roles.clear();
        plan.put(next, context);
        plan
    }
}

/// What a caller loses who does not say that rank and roles may go.
fn drops(catalog: &Catalog, target: &Profile, plan: &Plan, context: &Context) -> Refusal {
    let name = target.name();
    let (next, delta) = catalog.advance(&plan.changes, context.revision, context.time);
    let hit = Impact::of(catalog, &next, &delta).affected.total_count;
    let roles: Vec<_> = target.roles.iter().map(UniqueName::as_str).collect();
    let rank = target.rank.map_or_else(String::new, |rank| format!("rank={rank}"));
    let message = format!(
        "As the default, {name} would lose {rank} and the roles {}; {hit} users would be affected. \
         Set drop_rank_and_roles to do it.",
        roles.join(", ")
    );
    let mut refusal = Refusal::new(Reason::DefaultDropsRankAndRoles, message)
        .with("affected_users", hit)
        .resource("Profile", name, "carries rank or roles");
    if target.rank.is_some() {
        refusal = refusal.precondition("RANK", name, rank);
    }
    for role in roles {
        refusal = refusal.precondition("ROLE", role, format!("mapped by {name}"));
    }
    refusal
}

fn without_flag(profile: &Profile) -> Profile {
    Profile { is_default: false, default_set_time: None, ..profile.clone() }
}

/// Takes the default flag from a profile; rank and roles lost earlier do not come back.
#[derive(Debug, Clone)]
pub struct RemoveDefault {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
}

impl RemoveDefault {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let target = find_profile(catalog, &self.profile)?;
        not_built_in(target, "REMOVE_DEFAULT")?;
        same_etag(target, self.etag.as_deref())?;
        let mut plan = Plan::answering(target.name());
        if target.is_default {
            plan.put(without_flag(target), context);
        }
        Ok(plan)
    }
}
