//! Ranks of imported profiles.

use std::collections::{BTreeMap, BTreeSet};

use super::{ImportOptions, OnRankConflict, refused::Refused, row::Row};
use crate::{
    catalog::Catalog,
    domain::{
        Finding, FindingCode, Kind, Reason, Refusal, UniqueName,
        profile::{MAX_RANK, Profile},
        refusal::Preconditions,
    },
};

/// Who holds which rank.
type Holders = BTreeMap<u8, Vec<UniqueName>>;

/// Decides the rank of every profile that has one.
///
/// Profiles whose rank does not change come first, then those whose rank is free; the others meet both,
/// ascending by rank, then by name.
pub(super) fn assign(
    rows: &mut [Row<'_>],
    catalog: &Catalog,
    options: &ImportOptions,
    refused: &mut Refused,
    findings: &mut Vec<Finding>,
) {
    let written: BTreeSet<_> = rows.iter().filter_map(Row::writes_profile).cloned().collect();
    let mut holders = Holders::new();
    for profile in catalog.tables.profiles.iter() {
        if !profile.common.is_built_in() && !written.contains(profile.name()) {
            claim(&mut holders, profile);
        }
    }
    let mut open = Vec::new();
    for (at, row) in rows.iter_mut().enumerate() {
        let Some(assigned) = row.assigned() else { continue };
        let Some(rank) = assigned.profile.rank else { continue };
        if assigned.before.is_some_and(|before| before.rank == Some(rank)) {
            claim(&mut holders, assigned.profile);
        } else {
            open.push((rank, at));
        }
    }
    open.sort_by_key(|(rank, at)| (*rank, rows[*at].incoming.name().clone()));
    let mut contested = Vec::new();
    for (rank, at) in open {
        let Some(assigned) = rows[at].assigned() else { continue };
        if holders.contains_key(&rank) {
            contested.push((rank, at));
        } else {
            claim(&mut holders, assigned.profile);
        }
    }
    for (rank, at) in contested {
        let row = &mut rows[at];
        let Some(assigned) = row.assigned() else { continue };
        let profile = assigned.profile;
        match options.on_rank_conflict {
            OnRankConflict::Fail => refused.state(|failed| {
                let advice = "choose another on_rank_conflict or another rank";
                held(failed, (Reason::RankTaken, advice), rank, (profile.name(), &holders));
            }),
            OnRankConflict::Keep => {}
            OnRankConflict::Rerank => {
                let free = (rank..=MAX_RANK).find(|rank| !holders.contains_key(rank));
                if free.is_none() {
                    refused.state(|failed| {
                        let reason = (Reason::RankSpaceExhausted, "no higher rank is free");
                        held(failed, reason, rank, (profile.name(), &holders));
                    });
                }
                profile.rank = free;
                let message = format!("Rank {rank} is held; the profile has another one.");
                findings.push(Finding::new(
                    FindingCode::RankReassigned,
                    profile.name().as_str(),
                    message,
                ));
            }
        }
        claim(&mut holders, profile);
    }
    shared(rows, &holders, findings);
}

fn claim(holders: &mut Holders, profile: &Profile) {
    if let Some(rank) = profile.rank {
        holders.entry(rank).or_default().push(profile.name().clone());
    }
}

/// Reports every imported profile that shares its rank.
fn shared(rows: &mut [Row<'_>], holders: &Holders, findings: &mut Vec<Finding>) {
    for row in rows {
        let Some(assigned) = row.assigned() else { continue };
        let rank = assigned.profile.rank;
        let held_by = rank.and_then(|rank| holders.get(&rank)).map_or(0, Vec::len);
        if held_by > 1 {
            let message = format!("{held_by} profiles hold rank {}.", rank.unwrap_or_default());
            findings.push(row.finding(FindingCode::DuplicateRank, &message));
        }
    }
}

fn held(
    failed: &mut Preconditions,
    (reason, advice): (Reason, &str),
    rank: u8,
    (profile, holders): (&UniqueName, &Holders),
) {
    let holders = holders.get(&rank).map(Vec::as_slice).unwrap_or_default();
    let names = holders.iter().map(UniqueName::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("Rank {rank} of {profile} is held by {names}; {advice}.");
    let refusal = Refusal::new(reason, message).with("rank", rank);
    failed.fail(holders.iter().fold(refusal, |refusal, name| {
        refusal.precondition("RANK", name, format!("rank={rank}")).resource(
            Kind::Profile.as_str(),
            name,
            "holds the rank",
        )
    }));
}
