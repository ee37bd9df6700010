//! Which profiles a commit may give other content, told from references alone: nothing is compiled.

use std::collections::BTreeSet;

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
        let mut changed = Vec::new();
        for change in changes {
            let key = change.key();
            match key.kind {
                Kind::Settings => return Self { every: true, ..Self::default() },
                kind if Kind::NAMED.contains(&kind) => {
                    changed.extend(UniqueName::parse(&key.name).map(|name| (kind, name)));
                }
                _ => {}
            }
        }
        let readers = catalog.tables.references.content_readers(changed);
        let profiles = readers.into_iter().filter(|(kind, _)| *kind == Kind::Profile);
        Self { every: false, profiles: profiles.map(|(_, name)| name).collect() }
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
