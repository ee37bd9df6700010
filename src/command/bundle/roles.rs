//! Roles of imported profiles: those that exist here, as root roles, and those that do not.

use super::{ImportOptions, OnUnknownRole, refused::Refused, row::Row};
use crate::{
    catalog::Catalog,
    command::patch::limit,
    domain::{
        Finding, FindingCode, Kind, Reason, Refusal,
        profile::{MAX_ROLES, Profile},
    },
};

/// Gives every profile its roles.
pub(super) fn assign(
    rows: &mut [Row<'_>],
    catalog: &Catalog,
    options: &ImportOptions,
    refused: &mut Refused,
) {
    for row in rows {
        let Some(assigned) = row.assigned() else { continue };
        let profile = assigned.profile;
        profile.rank = assigned.sent.rank;
        profile.roles.clear();
        profile.unmatched_roles.clear();
        for role in &assigned.sent.roles {
            match catalog.root(role) {
                Some(root) => {
                    profile.roles.insert(root);
                }
                None => {
                    profile.unmatched_roles.insert(role.as_str().to_owned());
                }
            }
        }
        if options.on_unknown_role == OnUnknownRole::Fail {
            refused.reference(all_known(profile));
        }
        let held = profile.roles.len() + profile.unmatched_roles.len();
        refused.state(|failed| {
            limit(failed, "roles", held, MAX_ROLES);
        });
    }
}

fn all_known(profile: &Profile) -> Result<(), Refusal> {
    if profile.unmatched_roles.is_empty() {
        return Ok(());
    }
    let names = profile.unmatched_roles.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("Profile {} maps roles that do not exist here: {names}.", profile.name());
    let refusal = Refusal::new(Reason::RoleNotFound, message);
    Err(profile.unmatched_roles.iter().fold(refusal, |refusal, role| {
        refusal.resource(Kind::Role.as_str(), role, "does not exist")
    }))
}

/// Reports what is odd about rank and roles once both are decided.
pub(super) fn report(rows: &mut [Row<'_>], findings: &mut Vec<Finding>) {
    for row in rows {
        let Some(assigned) = row.assigned() else { continue };
        let Profile { rank, roles, unmatched_roles, .. } = &*assigned.profile;
        let mut found = Vec::new();
        if !unmatched_roles.is_empty() {
            let names = unmatched_roles.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("The roles {names} do not exist here and never match.");
            found.push((FindingCode::RoleUnmatched, message));
        }
        if rank.is_some() && roles.is_empty() {
            let message = "The profile has a rank and no role that exists here.";
            found.push((FindingCode::ProfileWithoutRole, message.to_owned()));
        }
        if rank.is_none() && !roles.is_empty() {
            let message = "The profile has roles and no rank.";
            found.push((FindingCode::RankMissing, message.to_owned()));
        }
        findings.extend(found.into_iter().map(|(code, message)| row.finding(code, &message)));
    }
}
