//! SetRankAndRoles and RemoveRankAndRoles (SPEC §7.4).

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Context, Plan,
    preconditions::{find_profile, not_built_in, not_managed, same_etag},
    references::References,
};
use crate::{
    catalog::Catalog,
    domain::{
        Reason, Refusal, TeamId, UniqueName, Violations,
        profile::{MAX_RANK, MAX_ROLES, Profile},
        refusal::Preconditions,
    },
};

/// What happens to the profile that holds the rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Displace {
    /// The call is refused.
    #[default]
    Reject,
    /// It gets the target's former rank.
    Swap,
    /// It moves to the next rank, whoever is there to the one after, until a free one.
    Shift,
}

/// Replaces the rank and the mapped roles of a profile.
#[derive(Debug, Clone)]
pub struct SetRankAndRoles {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// 0 to 100; required.
    pub rank: Option<i64>,
    /// Names of roles as given; at least one.
    pub roles: Vec<String>,
    /// What happens to a holder of the rank.
    pub displace: Displace,
    /// Whether managed profiles may change too.
    pub override_managed: bool,
}

const OPERATION: &str = "SET_RANK_AND_ROLES";

impl SetRankAndRoles {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let rank = self.syntax()?;
        let target = find_profile(catalog, &self.profile)?;
        let roles = self.resolve_roles(catalog)?;
        not_built_in(target, OPERATION)?;
        if !self.override_managed {
            not_managed(target, OPERATION)?;
        }
        same_etag(target, self.etag.as_deref())?;
        let mut failed = Preconditions::new();
        if target.is_default {
            let name = target.name();
            let message = format!("{name} is the default; remove the default first.");
            failed.fail(
                Refusal::new(Reason::ProfileIsDefault, message)
                    .precondition("DEFAULT", name, "is the default")
                    .resource("Profile", name, "is the default"),
            );
        }
        if roles.len() > MAX_ROLES {
            let message = format!("A profile maps at most {MAX_ROLES} roles.");
            failed.fail(
                Refusal::new(Reason::LimitReached, message)
                    .with("limit", MAX_ROLES)
                    .with("field", "roles")
                    .precondition("LIMIT_REACHED", "roles", roles.len().to_string()),
            );
        }
        let mut moved = Vec::new();
        if let Err(refusal) = self.displaced(catalog, target, rank).map(|m| moved = m) {
            failed.fail(refusal);
        }
        if !self.override_managed
            && let Some(locked) = moved.iter().find(|p| p.common.is_managed())
            && let Err(refusal) = not_managed(locked, OPERATION)
        {
            failed.fail(refusal);
        }
        failed.finish()?;
        let mut plan = Plan::answering(target.name());
        for profile in moved {
            plan.put(profile, context);
        }
        let mut next = Profile::clone(target);
        next.rank = Some(rank);
        next.roles = roles;
        next.unmatched_roles.clear();
        if &next != target {
            plan.put(next, context);
        }
        Ok(plan)
    }

    fn syntax(&self) -> Result<u8, Refusal> {
        let mut v = Violations::new();
        if self.rank.is_none() {
            v.add(Reason::RankAndRolesRequired, "rank", "is required together with roles");
        }
        if self.roles.is_empty() {
            v.add(
                Reason::RankAndRolesRequired,
                "roles",
                "at least one is required together with a rank",
            );
        }
        let rank = self.rank.unwrap_or_default();
        if !(0..=i64::from(MAX_RANK)).contains(&rank) {
            v.add(Reason::RankOutOfRange, "rank", format!("must be 0 to 100, is {rank}"));
        }
        for (at, given) in self.roles.iter().enumerate() {
            // What could be a team is looked up, to be told apart from a role.
            if TeamId::parse(given).is_err()
                && let Err(rule) = UniqueName::parse(given)
            {
                v.invalid(format!("roles[{at}]"), rule);
            }
        }
        v.finish()?;
        Ok(rank as u8)
    }

    /// The root roles that the given names mean.
    fn resolve_roles(&self, catalog: &Catalog) -> Result<BTreeSet<UniqueName>, Refusal> {
        let mut references = References::new(catalog);
        let found = self.roles.iter().filter_map(|given| references.role("roles", given));
        let roots = found.filter_map(|role| catalog.root(&role.common.unique_name)).collect();
        references.finish()?;
        Ok(roots)
    }

    /// The other profiles that move, as they are afterwards.
    fn displaced(
        &self,
        catalog: &Catalog,
        target: &Profile,
        rank: u8,
    ) -> Result<Vec<Profile>, Refusal> {
        let others = |rank: u8| {
            catalog.tables.profiles.iter().filter(move |p| {
                p.rank == Some(rank) && !p.common.is_built_in() && p.name() != target.name()
            })
        };
        let holders: Vec<_> = others(rank).collect();
        let Some(holder) = holders.first() else { return Ok(Vec::new()) };
        match self.displace {
            Displace::Reject => Err(rank_refusal(
                Reason::RankTaken,
                rank,
                &holders,
                "choose another rank, or displace with SWAP or SHIFT",
            )),
            _ if holders.len() > 1 => Err(rank_refusal(
                Reason::RankAmbiguous,
                rank,
                &holders,
                "give them different ranks first",
            )),
            Displace::Swap => {
                let Some(former) = target.rank else {
                    let name = target.name();
                    let message = format!("{name} has no rank to swap; use SHIFT or another rank.");
                    return Err(Refusal::new(Reason::SwapNeedsRank, message)
                        .precondition("RANK", name, "no rank")
                        .resource("Profile", name, "no rank"));
                };
                Ok(vec![Profile { rank: Some(former), ..Profile::clone(holder) }])
            }
            Displace::Shift => {
                let mut moved = Vec::new();
                let mut at = rank;
                loop {
                    let here: Vec<_> = others(at).collect();
                    if here.is_empty() {
                        return Ok(moved);
                    }
                    if at == MAX_RANK {
                        return Err(rank_refusal(
                            Reason::RankSpaceExhausted,
                            at,
                            &here,
                            "no free rank up to 100 is left to shift to",
                        ));
                    }
                    at += 1;
                    moved.extend(
                        here.into_iter().map(|p| Profile { rank: Some(at), ..Profile::clone(p) }),
                    );
                }
            }
        }
    }
}

fn rank_refusal(reason: Reason, rank: u8, holders: &[&Arc<Profile>], advice: &str) -> Refusal {
    let names: Vec<_> = holders.iter().map(|p| p.name().as_str()).collect();
    let message = format!("Rank {rank} is held by {}; {advice}.", names.join(", "));
    let refusal = Refusal::new(reason, message).with("rank", rank);
    names.iter().fold(refusal, |r, name| {
        r.precondition("RANK", name, format!("rank={rank}")).resource(
            "Profile",
            name,
            "holds the rank",
        )
    })
}

/// Takes rank and roles from a profile, both at once; direct users stay.
#[derive(Debug, Clone)]
pub struct RemoveRankAndRoles {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// Whether a managed profile may change.
    pub override_managed: bool,
}

impl RemoveRankAndRoles {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let target = find_profile(catalog, &self.profile)?;
        not_built_in(target, "REMOVE_RANK_AND_ROLES")?;
        if !self.override_managed {
            not_managed(target, "REMOVE_RANK_AND_ROLES")?;
        }
        same_etag(target, self.etag.as_deref())?;
        let mut plan = Plan::answering(target.name());
        if target.rank.is_some() || !target.roles.is_empty() || !target.unmatched_roles.is_empty() {
            let mut next = Profile::clone(target);
            next.rank = None;
            next.roles.clear();
            next.unmatched_roles.clear();
            plan.put(next, context);
        }
        Ok(plan)
    }
}
