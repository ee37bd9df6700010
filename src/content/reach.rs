//! Which profiles a commit may give other content, told from references alone: nothing is compiled.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    domain::{Change, Kind, UniqueName, profile::Profile},
};

/// The profiles whose content may differ after some changes, for users whose gates stay.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    every: bool,
    profiles: BTreeSet<UniqueName>,
}

impl Reach {
    /// What the changes that led to this catalog may touch.
    pub fn of<'a>(catalog: &Catalog, changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut changed = Changed::default();
        for change in changes {
            let key = change.key();
            match key.kind {
                Kind::Settings => return Self { every: true, ..Self::default() },
                kind if Kind::NAMED.contains(&kind) => {
                    changed.0.entry(kind).or_default().extend(UniqueName::parse(&key.name));
                }
                _ => {}
            }
        }
        let mut profiles = changed.0.remove(&Kind::Profile).unwrap_or_default();
        if !changed.0.is_empty() {
            changed.follow_tabs(catalog);
            let touched = catalog.tables.profiles.iter().filter(|p| changed.touches(catalog, p));
            profiles.extend(touched.map(|p| p.name().clone()));
        }
        Self { every: false, profiles }
    }

    /// Whether the content of the profile may differ.
    pub fn contains(&self, profile: &UniqueName) -> bool {
        self.every || self.profiles.contains(profile)
    }

    /// Whether no content differs.
    pub fn is_empty(&self) -> bool {
        !self.every && self.profiles.is_empty()
    }

    /// The profiles of the catalog that are touched, ascending by name.
    pub fn profiles<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Profile> {
        let all = self.every.then(|| catalog.tables.profiles.iter()).into_iter().flatten();
        let some = self.profiles.iter().filter_map(|name| catalog.tables.profiles.get(name));
        all.chain(some).map(AsRef::as_ref)
    }
}

/// Names of the changed objects by kind.
#[derive(Debug, Default)]
struct Changed(BTreeMap<Kind, BTreeSet<UniqueName>>);

impl Changed {
    fn has(&self, kind: Kind, name: &UniqueName) -> bool {
        self.0.get(&kind).is_some_and(|names| names.contains(name))
    }

    /// A session template is touched by its tabs.
    fn follow_tabs(&mut self, catalog: &Catalog) {
        if !self.0.contains_key(&Kind::TabTemplate) {
            return;
        }
        let touched = |tabs: &[UniqueName]| tabs.iter().any(|t| self.has(Kind::TabTemplate, t));
        let sessions = catalog.tables.session_templates.iter();
        let names: Vec<_> = sessions
            .filter(|session| touched(&session.additional_tabs))
            .map(|session| session.common.unique_name.clone())
            .collect();
        self.0.entry(Kind::SessionTemplate).or_default().extend(names);
    }

    fn touches(&self, catalog: &Catalog, profile: &Profile) -> bool {
        // A role tells who sees the tools that require one.
        let roles = self.0.contains_key(&Kind::Role);
        let guarded =
            |name| catalog.tables.tools.get(name).is_some_and(|t| t.required_role.is_some());
        (profile.all_active_channels && self.0.contains_key(&Kind::Channel))
            || profile.session_templates.iter().any(|name| self.has(Kind::SessionTemplate, name))
            || profile.providers.iter().any(|name| self.has(Kind::Provider, name))
            || profile
                .pane
                .tools
                .iter()
                .any(|entry| self.has(Kind::Tool, &entry.tool) || (roles && guarded(&entry.tool)))
    }
}
