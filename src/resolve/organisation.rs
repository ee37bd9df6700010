//! Findings on the whole organisation, without those about content (SPEC §6.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    domain::{
        Finding, FindingCode, Object, UserId, directory::packed::LinkEntry,
        provider::ChannelProvider,
    },
};

/// Evaluates the whole store, independent of users' outcomes; ascending by code, then subject.
pub fn organisation_findings(catalog: &Catalog) -> Vec<Finding> {
    let mut found: BTreeSet<_> = assignment_findings(catalog).into_iter().collect();
    let linked: BTreeSet<_> = catalog.links().flat_map(|(_, ids)| ids.iter()).collect();
    found.extend(link_findings(catalog, &linked));
    for provider in catalog.tables.providers.iter() {
        found.extend(refused_url(provider));
    }
    found.into_iter().collect()
}

/// Findings on ranks, roles and default flags of profiles.
pub fn assignment_findings(catalog: &Catalog) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    profiles(catalog, &mut found);
    found.into_iter().collect()
}

/// The finding that one object of the library has by itself, texts aside.
pub fn object_finding(object: &Object) -> Option<Finding> {
    match object {
        Object::Provider(provider) => refused_url(provider),
        _ => None,
    }
}

fn refused_url(provider: &ChannelProvider) -> Option<Finding> {
    let url = provider.refused_url.as_ref()?;
    let message = format!("The pinned URL was kept; {url} was refused.");
    let subject = provider.common.unique_name.as_str();
    Some(Finding::new(FindingCode::ProviderUrlDrift, subject, message))
}

fn profiles(catalog: &Catalog, found: &mut BTreeSet<Finding>) {
    use FindingCode as F;
    let custom = || catalog.tables.profiles.iter().filter(|p| !p.common.is_built_in());
    let mut by_rank: BTreeMap<u8, usize> = BTreeMap::new();
    for profile in custom() {
        if let Some(rank) = profile.rank {
            *by_rank.entry(rank).or_default() += 1;
        }
    }
    let defaults = catalog.defaults().count();
    for profile in custom() {
        let mut add = |code, message: &str| {
            found.insert(Finding::new(code, profile.name().as_str(), message));
        };
        if profile.rank.is_some_and(|rank| by_rank[&rank] > 1) {
            add(F::DuplicateRank, "Another profile has the same rank.");
        }
        if profile.is_default && defaults > 1 {
            add(F::MultipleDefaults, "Another profile is flagged default too.");
        }
        if profile.is_default && !profile.common.is_active() {
            add(F::DefaultInactive, "The profile is flagged default and inactive.");
        }
        if profile.is_default && (profile.rank.is_some() || !profile.roles.is_empty()) {
            add(F::DefaultHasRoles, "The default carries a rank or roles.");
        }
        if profile.rank.is_none() && !profile.roles.is_empty() {
            add(F::RankMissing, "The profile has roles and no rank.");
        }
        if profile.rank.is_some() && profile.roles.is_empty() {
            add(F::ProfileWithoutRole, "The profile has a rank and no role.");
        }
        if !profile.unmatched_roles.is_empty() {
            add(F::RoleUnmatched, "The profile names roles that do not exist here.");
        }
    }
}

/// Findings on the direct links of these users.
pub fn link_findings(catalog: &Catalog, users: &BTreeSet<UserId>) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in users {
        let Some(seated) = catalog.user(id) else { continue };
        let links = seated.links();
        let leads = |link: &&LinkEntry<'_>| catalog.profile_of(seated.written(), **link).is_some();
        let existing = links.iter().filter(leads).count();
        let subject = seated.id_text();
        if existing > 1 {
            let message = "More than one direct link leads to an existing profile.";
            found.push(Finding::new(FindingCode::MultipleDirect, subject, message));
        }
        if existing < links.len() {
            let message = "A direct link leads to a profile that does not exist.";
            found.push(Finding::new(FindingCode::DanglingDirect, subject, message));
        }
    }
    found
}
