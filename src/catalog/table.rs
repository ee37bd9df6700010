//! Objects of one kind, by name without ASCII case.

use std::sync::Arc;

use imbl::OrdMap;

use crate::domain::UniqueName;

/// A persistent map from names to objects; clones share what they have in common.
#[derive(Debug)]
pub struct Table<T>(OrdMap<UniqueName, Arc<T>>);

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<T> Table<T> {
    /// The object of that name, in any spelling.
    pub fn get(&self, name: &UniqueName) -> Option<&Arc<T>> {
        self.0.get(name)
    }

    /// The object whose name is this text, in any spelling.
    pub fn find(&self, name: &str) -> Option<&Arc<T>> {
        self.0.get(&UniqueName::parse(name).ok()?)
    }

    /// All objects, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.values()
    }

    /// All objects after that name, ascending.
    pub fn after<'a>(&'a self, name: &UniqueName) -> impl Iterator<Item = &'a Arc<T>> + use<'a, T> {
        let bounds = (std::ops::Bound::Excluded(name.clone()), std::ops::Bound::Unbounded);
        self.0.range(bounds).map(|(_, object)| object)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are one and the same table, found without a look at the objects.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// Puts an object in and answers the one in whose place it comes.
    pub(super) fn put(&mut self, name: &UniqueName, object: &Arc<T>) -> Option<Arc<T>> {
        self.0.insert(name.clone(), Arc::clone(object))
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        self.0.remove(&UniqueName::parse(name).ok()?)
    }
}
