//! The reverse index of references: which objects refer to a given one.

use std::collections::{BTreeMap, BTreeSet};

use imbl::{OrdMap, OrdSet};

use crate::domain::{
    Kind, UniqueName,
    refs::{self, Refs},
};

/// Kind and name of an object with a unique name, which need not exist.
pub type NamedKey = (Kind, UniqueName);

/// Who refers to what. Clones share what they have in common.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct References {
    /// The referrers of each target; whether content reaches clients through the reference.
    referrers: OrdMap<NamedKey, OrdMap<NamedKey, bool>>,
    /// The objects whose content is made of every object of a kind.
    readers: OrdMap<Kind, OrdSet<NamedKey>>,
}

impl References {
    /// The objects that refer to the one of that kind and name, ascending by kind and name.
    pub fn of<'a>(
        &'a self,
        kind: Kind,
        name: &UniqueName,
    ) -> impl Iterator<Item = &'a NamedKey> + use<'a> {
        let referrers = self.referrers.get(&(kind, name.clone()));
        referrers.into_iter().flat_map(OrdMap::keys)
    }

    /// The given objects with all whose content is made of one of them, however indirectly.
    ///
    /// References are those of the catalog after a change. That is enough for the catalog before
    /// it, too: of a chain of references that the change broke, the object that refers no longer
    /// is a changed one.
    pub fn content_readers(
        &self,
        changed: impl IntoIterator<Item = NamedKey>,
    ) -> BTreeSet<NamedKey> {
        let mut found = BTreeSet::new();
        let mut open: Vec<_> = changed.into_iter().collect();
        while let Some(key) = open.pop() {
            if found.contains(&key) {
                continue;
            }
            let referrers = self.referrers.get(&key).into_iter().flatten();
            open.extend(referrers.filter(|(_, content)| **content).map(|(by, _)| by.clone()));
            open.extend(self.readers.get(&key.0).into_iter().flatten().cloned());
            found.insert(key);
        }
        found
    }

    /// Notes that an object of that kind and name was `old` and is `new`.
    pub(super) fn replace<T: Refs>(
        &mut self,
        kind: Kind,
        name: &UniqueName,
        old: Option<&T>,
        new: Option<&T>,
    ) {
        let (before, after) = (targets(old), targets(new));
        for target in before.keys().filter(|target| !after.contains_key(*target)) {
            let empty = self.referrers.get_mut(target).is_some_and(|referrers| {
                referrers.remove(&(kind, name.clone()));
                referrers.is_empty()
            });
            if empty {
                self.referrers.remove(target);
            }
        }
        for (target, content) in after {
            if before.get(&target) != Some(&content) {
                self.referrers.entry(target).or_default().insert((kind, name.clone()), content);
            }
        }
        let (before, after) = (reads(old), reads(new));
        for read in before.iter().filter(|read| !after.contains(read)) {
            if let Some(readers) = self.readers.get_mut(read) {
                readers.remove(&(kind, name.clone()));
            }
        }
        for read in after.iter().filter(|read| !before.contains(read)) {
            self.readers.entry(*read).or_default().insert((kind, name.clone()));
        }
    }
}

fn reads<T: Refs>(object: Option<&T>) -> &'static [Kind] {
    object.map(Refs::reads_every).unwrap_or_default()
}

/// What an object refers to, and whether content reaches clients by any of its fields.
fn targets<T: Refs>(object: Option<&T>) -> BTreeMap<NamedKey, bool> {
    let mut found = BTreeMap::new();
    if let Some(object) = object {
        refs::visit(object, &mut |reference| {
            *found.entry((reference.kind, reference.name.clone())).or_default() |=
                reference.content;
        });
    }
    found
}
