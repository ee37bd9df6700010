//! Which profiles a change gives other content: found by references alone, nothing is compiled.
//!
//! The catalog notes for each profile the revision at which its content may have changed last. Two
//! catalogs with the same note give the same content to the same gates, so the note is all that a
//! cache has to compare.

use std::collections::BTreeSet;

use super::Catalog;
use crate::domain::{Change, Kind, ObjectKey, UniqueName, profile::Profile, settings::Settings};

/// The profiles whose content may differ after a change, for users whose gates stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    every: bool,
    profiles: BTreeSet<UniqueName>,
}

impl Reach {
    /// All profiles.
    pub fn every() -> Self {
        Self { every: true, profiles: BTreeSet::new() }
    }

    /// What changes of these objects touch in a catalog that has them. Keys of users, teams and
    /// settings touch nothing.
    ///
    /// That holds for the catalog before as well, but for single objects: see
    /// [`References::content_readers`](super::References::content_readers).
    pub fn of<'a>(catalog: &Catalog, keys: impl IntoIterator<Item = &'a ObjectKey>) -> Self {
        let named = keys.into_iter().filter(|key| Kind::NAMED.contains(&key.kind));
        let named: Vec<_> =
            named.filter_map(|key| Some((key.kind, UniqueName::parse(&key.name).ok()?))).collect();
        if named.is_empty() {
            return Self::default();
        }
        let readers = catalog.tables.references.content_readers(named);
        let profiles = readers.into_iter().filter(|(kind, _)| *kind == Kind::Profile);
        Self { every: false, profiles: profiles.map(|(_, name)| name).collect() }
    }

    /// What a commit touches that led from one catalog to the other.
    pub(super) fn between(old: &Settings, new: &Catalog, changes: &[Change]) -> Self {
        if old.content_switches() != new.settings.content_switches() {
            return Self::every();
        }
        // Built-in templates reach content without a reference: they stand in for those that a work
        // stream does not name.
        let stand_in = |key: &ObjectKey| {
            matches!(
                key.kind,
                Kind::SessionTemplate | Kind::TabTemplate | Kind::NotificationTemplate
            ) && UniqueName::parse(&key.name).is_ok_and(|name| name.is_reserved())
        };
        if changes.iter().any(|change| stand_in(&change.key())) {
            return Self::every();
        }
        let keys: Vec<_> = changes.iter().map(Change::key).collect();
        Self::of(new, &keys)
    }

    /// Adds what another change touches.
    pub fn merge(&mut self, other: &Self) {
        self.every |= other.every;
        self.profiles.extend(other.profiles.iter().cloned());
    }

    /// Whether every profile is touched.
    pub fn is_every(&self) -> bool {
        self.every
    }

    /// Whether no content differs.
    pub fn is_empty(&self) -> bool {
        !self.every && self.profiles.is_empty()
    }

    /// Whether the content of the profile may differ.
    pub fn contains(&self, profile: &UniqueName) -> bool {
        self.every || self.profiles.contains(profile)
    }

    /// The names of those that are touched, unless every one is.
    pub fn names(&self) -> impl Iterator<Item = &UniqueName> {
        self.profiles.iter()
    }

    /// The profiles of the catalog that are touched, ascending by name.
    pub fn profiles<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Profile> {
        let all = self.every.then(|| catalog.tables.profiles.iter()).into_iter().flatten();
        let one_by_one = self.profiles.iter().filter(|_| !self.every);
        let some = one_by_one.filter_map(|name| catalog.tables.profiles.get(name));
        all.chain(some).map(AsRef::as_ref)
    }
}

impl Catalog {
    /// The revision at which the content of a profile may have changed last: equal numbers mean equal
    /// content for equal gates. Holds for catalogs of one history, those that were published.
    pub fn content_revision(&self, profile: &UniqueName) -> i64 {
        self.contents.of(profile)
    }

    /// Notes what a commit touched, of which this is the catalog after.
    pub(super) fn note_reach(&mut self, reach: &Reach) {
        if reach.every {
            return self.contents.note_every(self.revision);
        }
        for name in &reach.profiles {
            match self.tables.profiles.get(name) {
                Some(_) => self.contents.note(name, self.revision),
                None => self.contents.forget(name),
            }
        }
    }
}
