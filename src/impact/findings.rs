//! Which findings on the organisation a change makes appear and disappear (SPEC §6.6, §11.1).
//!
//! Both sides are evaluated for what the change can concern, never for everything: findings about
//! profiles that follow from their assignment compare profiles with each other and are cheap; those
//! about content, texts and links are looked for where the change reaches.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Catalog, Changed, Delta},
    content,
    domain::{Finding, FindingCode, Kind, Object, UniqueName, UserId},
    resolve,
};

/// Findings that differ between two catalogs, each ascending by code, then subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingChanges {
    /// Those of the later catalog that the earlier one does not have.
    pub appearing: Vec<Finding>,
    /// Those of the earlier catalog that the later one does not have.
    pub disappearing: Vec<Finding>,
}

/// Findings by what distinguishes them, in the order of lists: code, then subject without case.
type Found = BTreeMap<(FindingCode, String, String), Finding>;

impl FindingChanges {
    /// The differences that a delta makes which led from one catalog to the other.
    pub fn of(old: &Catalog, new: &Catalog, delta: &Delta) -> Self {
        let concern = Concern::of(old, new, delta);
        let (before, after) = (concern.findings(old), concern.findings(new));
        let without = |these: &Found, others: &Found| {
            let missing = these.iter().filter(|(key, _)| !others.contains_key(*key));
            missing.map(|(_, finding)| finding.clone()).collect()
        };
        Self { appearing: without(&after, &before), disappearing: without(&before, &after) }
    }
}

/// All findings on the organisation, on the content of its profiles and on the texts of its library,
/// ascending by code, then subject; each code once a subject.
pub fn all_findings(catalog: &Catalog) -> Vec<Finding> {
    let mut found = Found::new();
    note(&mut found, resolve::organisation_findings(catalog));
    note(&mut found, content::library_findings(catalog));
    for profile in catalog.tables.profiles.iter() {
        note(&mut found, content::profile_findings(catalog, profile));
    }
    found.into_values().collect()
}

fn note(found: &mut Found, findings: impl IntoIterator<Item = Finding>) {
    for finding in findings {
        let key = (finding.code, finding.subject.to_ascii_lowercase(), finding.subject.clone());
        found.entry(key).or_insert(finding);
    }
}

/// What a change may alter findings of.
#[derive(Debug, Default)]
struct Concern {
    /// Profiles whose content may differ.
    contents: BTreeSet<UniqueName>,
    /// Users whose links may lead elsewhere.
    users: BTreeSet<UserId>,
    /// Objects of the library that changed, by their keys.
    library: Vec<crate::domain::ObjectKey>,
}

impl Concern {
    fn of(old: &Catalog, new: &Catalog, delta: &Delta) -> Self {
        let mut concern = Self::default();
        let reach = delta.contents();
        for catalog in [old, new] {
            let reached = reach.profiles(catalog).map(|profile| profile.name().clone());
            concern.contents.extend(reached);
        }
        for Changed { key, old: before, new: after } in delta {
            match key.kind {
                Kind::User => concern.users.extend(UserId::parse(&key.name)),
                Kind::Profile => {
                    let Ok(name) = UniqueName::parse(&key.name) else { continue };
                    let uid = |object: &Option<Object>| object.as_ref().map(|o| o.stamp().uid);
                    if uid(before) != uid(after) {
                        let linked = [old, new].into_iter().flat_map(|c| c.link_holders(&name));
                        concern.users.extend(linked);
                    }
                    concern.contents.insert(name);
                }
                _ => concern.library.push(key.clone()),
            }
        }
        concern
    }

    /// The findings of a catalog that are of concern.
    fn findings(&self, catalog: &Catalog) -> Found {
        let mut found = Found::new();
        note(&mut found, resolve::assignment_findings(catalog));
        note(&mut found, resolve::link_findings(catalog, &self.users));
        for object in self.library.iter().filter_map(|key| catalog.object(key)) {
            note(&mut found, resolve::object_finding(&object));
            note(&mut found, content::object_findings(&object));
        }
        for profile in self.contents.iter().filter_map(|name| catalog.tables.profiles.get(name)) {
            note(&mut found, content::profile_findings(catalog, profile));
        }
        found
    }
}
