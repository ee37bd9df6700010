//! What a profile has beside its definition: rank, roles and the default flag.

use std::sync::Arc;

use super::{flags::Flags, step};
use crate::{
    catalog::Catalog,
    command::library::restore,
    command::{RemoveDefault, RemoveRankAndRoles, Sequence, SetDefault, SetRankAndRoles},
    domain::{Object, Reason, Refusal, State, profile::Profile},
};

/// Restores rank, roles and default flag of the profiles. All first give up what they did not have,
/// so that another of them can take it.
pub(super) fn assignments(
    flags: &Flags,
    sequence: &mut Sequence<'_>,
    old: &[Object],
) -> Result<(), Refusal> {
    let profiles: Vec<&Arc<Profile>> = old
        .iter()
        .filter_map(|object| match object {
            Object::Profile(profile) => Some(profile),
            _ => None,
        })
        .collect();
    for old in &profiles {
        if current(sequence.catalog(), old).is_some_and(|now| now.is_default && !old.is_default) {
            sequence.run(&RemoveDefault { profile: old.name().clone(), etag: None })?;
        }
    }
    // Before rank and roles go: only the caller's flag lets the default take them.
    for old in profiles.iter().filter(|old| old.is_default) {
        set_default(flags, sequence, old)?;
    }
    for old in &profiles {
        let wanted = |rank| profiles.iter().any(|p| p.name() != old.name() && p.rank == Some(rank));
        let gives_up = |now: &Profile| match now.rank {
            Some(rank) => old.rank.is_none() || wanted(rank),
            None => old.rank.is_none() && !now.roles.is_empty(),
        };
        if current(sequence.catalog(), old).is_some_and(|now| differs(now, old) && gives_up(now)) {
            sequence.run(&RemoveRankAndRoles {
                profile: old.name().clone(),
                etag: None,
                override_managed: flags.override_managed,
            })?;
        }
    }
    for old in profiles.iter().filter(|old| old.rank.is_some() || !old.roles.is_empty()) {
        if current(sequence.catalog(), old).is_some_and(|now| differs(now, old)) {
            sequence.run(&SetRankAndRoles {
                profile: old.name().clone(),
                etag: None,
                rank: old.rank.map(i64::from),
                roles: old.roles.iter().map(ToString::to_string).collect(),
                displace: flags.displace,
                override_managed: flags.override_managed,
            })?;
        }
    }
    nobody_moved(sequence.catalog(), &profiles)
}

/// Refuses when a shift for one of the profiles moved another of them.
fn nobody_moved(catalog: &Catalog, profiles: &[&Arc<Profile>]) -> Result<(), Refusal> {
    let moved =
        |old: &&&Arc<Profile>| current(catalog, old).is_some_and(|now| now.rank != old.rank);
    let Some(moved) = profiles.iter().find(moved) else { return Ok(()) };
    let (name, rank) = (moved.name(), moved.rank.unwrap_or_default());
    let message = format!(
        "{name} is to have rank {rank} again, and the shift for another profile would move it; roll \
         back the profiles in between as well, or free the rank first."
    );
    Err(Refusal::new(Reason::RankTaken, message)
        .with("rank", rank)
        .precondition("RANK", name, format!("rank={rank}"))
        .resource("Profile", name, "would be moved"))
}

fn current<'a>(catalog: &'a Catalog, old: &Profile) -> Option<&'a Profile> {
    catalog.tables.profiles.get(old.name()).map(AsRef::as_ref)
}

fn differs(now: &Profile, old: &Profile) -> bool {
    (now.rank, &now.roles) != (old.rank, &old.roles)
}

/// Makes a profile the default again; it may be inactive now, or have been deactivated as such.
fn set_default(
    flags: &Flags,
    sequence: &mut Sequence<'_>,
    old: &Arc<Profile>,
) -> Result<(), Refusal> {
    if current(sequence.catalog(), old).is_none_or(|now| now.is_default) {
        return Ok(());
    }
    let active = restore::state(sequence.catalog(), old.as_ref(), State::Active);
    step::run(sequence, active)?;
    sequence.run(&SetDefault {
        profile: old.name().clone(),
        etag: None,
        replace_current: flags.replace_current,
        drop_rank_and_roles: flags.drop_rank_and_roles,
    })?;
    Ok(())
}
