//! The default flag of imported profiles.

use std::collections::BTreeSet;

use super::{ImportOptions, OnDefaultConflict, refused::Refused, row::Row};
use crate::{
    catalog::Catalog,
    command::Context,
    domain::{
        Finding, FindingCode, Kind, Reason, Refusal, UniqueName, profile::Profile,
        refusal::Preconditions,
    },
};

/// Decides which profile has the default flag, and answers those outside the bundle that lose it.
/// What ends as the default has neither rank nor roles.
pub(super) fn assign(
    rows: &mut [Row<'_>],
    catalog: &Catalog,
    context: &Context,
    options: &ImportOptions,
    refused: &mut Refused,
    findings: &mut Vec<Finding>,
) -> Vec<Profile> {
    let written: BTreeSet<_> = rows.iter().filter_map(Row::writes_profile).cloned().collect();
    let incumbents: Vec<_> =
        catalog.defaults().filter(|profile| !written.contains(profile.name())).collect();
    let mut lost = Vec::new();
    // Holders so far, those of the bundle ascending by name.
    let mut holders: Vec<UniqueName> = incumbents.iter().map(|p| p.name().clone()).collect();
    for row in rows.iter_mut() {
        let Some(assigned) = row.assigned() else { continue };
        let before = assigned.before.filter(|before| before.is_default);
        let profile = assigned.profile;
        profile.is_default = assigned.sent.is_default;
        profile.default_set_time = None;
        if !profile.is_default {
            continue;
        }
        let mut found = Vec::new();
        match (holders.is_empty(), options.on_default_conflict) {
            (false, OnDefaultConflict::Fail) => {
                refused.state(|failed| taken(failed, profile.name(), &holders));
            }
            (false, OnDefaultConflict::KeepIncumbent) => profile.is_default = false,
            (false, OnDefaultConflict::KeepBoth) => found.push((
                FindingCode::MultipleDefaults,
                format!("{} is a default as well.", holders[0]),
            )),
            // Of several defaults in the bundle the first one replaces the incumbents.
            (false, OnDefaultConflict::Replace) if lost.is_empty() && !incumbents.is_empty() => {
                lost = incumbents.iter().map(|profile| without_flag(profile)).collect();
                holders.clear();
            }
            (false, OnDefaultConflict::Replace) => profile.is_default = false,
            (true, _) => {}
        }
        if profile.is_default {
            holders.push(profile.name().clone());
            profile.default_set_time =
                before.map_or(Some(context.time), |before| before.default_set_time);
            if drop_assignment(profile) {
                let message = "As the default, the profile has no rank and no roles.".to_owned();
                found.push((FindingCode::RankAndRolesDropped, message));
            }
        } else {
            let message = format!("{} is the default; the flag was not imported.", holders[0]);
            found.push((FindingCode::DefaultNotImported, message));
        }
        findings.extend(found.into_iter().map(|(code, message)| row.finding(code, &message)));
    }
    findings.extend(lost.iter().map(|profile| {
        let message = "An imported profile is the default now.";
        Finding::new(FindingCode::DefaultReplaced, profile.name().as_str(), message)
    }));
    lost
}

fn without_flag(profile: &Profile) -> Profile {
    Profile { is_default: false, default_set_time: None, ..profile.clone() }
}

/// Takes rank and roles from a profile; whether it had any.
fn drop_assignment(profile: &mut Profile) -> bool {
    let had =
        profile.rank.is_some() || !profile.roles.is_empty() || !profile.unmatched_roles.is_empty();
    profile.rank = None;
    profile.roles.clear();
    profile.unmatched_roles.clear();
    had
}

fn taken(failed: &mut Preconditions, profile: &UniqueName, holders: &[UniqueName]) {
    let names = holders.iter().map(UniqueName::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("{names} is the default; {profile} cannot be imported as one.");
    let refusal = Refusal::new(Reason::DefaultExists, message);
    failed.fail(holders.iter().fold(refusal, |refusal, name| {
        refusal.precondition("DEFAULT", name, "is the default").resource(
            Kind::Profile.as_str(),
            name,
            "is the default",
        )
    }));
}
