//! Sets of very many members, and indexes that lead to such sets.

use std::hash::{Hash, Hasher};

use super::layered::{self, Layered};

/// A persistent ordered set; clones share what they have in common.
#[derive(Debug, Clone)]
pub struct Set<T>(Layered<T, ()>);

impl<T: Ord + Clone> Set<T> {
    /// Whether the item is a member.
    pub fn contains(&self, item: &T) -> bool {
        self.0.get(item).is_some()
    }

    /// All members, ascending.
    pub fn iter(&self) -> Members<'_, T> {
        Members(self.0.iter())
    }

    /// All members behind that item, ascending.
    pub fn after(&self, item: &T) -> Members<'_, T> {
        Members(self.0.range_after(item))
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set of these members, which ascend.
    fn from_sorted(members: Vec<T>) -> Self {
        Self(Layered::from_sorted(members.into_iter().map(|member| (member, ())).collect()))
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Layered::default())
    }
}

impl<T: Ord + Clone> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Ord + Clone> Eq for Set<T> {}

impl<T: Ord + Clone + Hash> Hash for Set<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        self.iter().for_each(|member| member.hash(state));
    }
}

impl<'a, T: Ord + Clone> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = Members<'a, T>;

    fn into_iter(self) -> Members<'a, T> {
        self.iter()
    }
}

/// Members of a [`Set`], ascending.
#[derive(Debug)]
pub struct Members<'a, T>(layered::Iter<'a, T, ()>);

impl<'a, T: Ord> Iterator for Members<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.0.next().map(|(member, ())| member)
    }
}

/// Sets by the key that leads to them; a key whose set would be empty is absent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Index<K: Ord + Clone, T: Ord + Clone>(Layered<K, Set<T>>);

impl<K: Ord + Clone, T: Ord + Clone> Index<K, T> {
    /// The index of these sets, each with a key of its own and with members, which ascend.
    pub(super) fn from_groups(groups: impl IntoIterator<Item = (K, Vec<T>)>) -> Self {
        let sets = groups.into_iter().map(|(key, members)| (key, Set::from_sorted(members)));
        Self(Layered::from_unsorted(sets.collect()))
    }

    /// The members under a key.
    pub(super) fn get(&self, key: &K) -> Option<&Set<T>> {
        self.0.get(key)
    }

    /// All keys and their sets, ascending by key.
    pub(super) fn iter(&self) -> layered::Iter<'_, K, Set<T>> {
        self.0.iter()
    }

    /// The set of a key and those after it, ascending by key.
    pub(super) fn range_from(&self, key: &K) -> layered::Iter<'_, K, Set<T>> {
        self.0.range_from(key)
    }

    /// Puts a member into the set of a key.
    pub(super) fn add(&mut self, key: &K, member: T) {
        if let Some(set) = self.0.get_mut(key) {
            set.0.insert(member, ());
        } else {
            self.0.insert(key.clone(), Set::from_sorted(vec![member]));
        }
    }

    /// Drops the whole set of a key.
    pub(super) fn drop_set(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Takes a member out of the set of a key, and the set out of the index when nothing is left.
    pub(super) fn take(&mut self, key: &K, member: &T) {
        if let Some(set) = self.0.get_mut(key) {
            set.0.remove(member);
            if set.is_empty() {
                self.0.remove(key);
            }
        }
    }
}

impl<K: Ord + Clone, T: Ord + Clone> Default for Index<K, T> {
    fn default() -> Self {
        Self(Layered::default())
    }
}
