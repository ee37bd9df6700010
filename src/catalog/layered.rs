//! A persistent ordered map for very many entries: built at once when a server starts, changed one
//! entry at a time from then on.

mod places;

use std::{cmp::Ordering, fmt, hash::Hash, iter::Peekable, ops::Bound, slice, sync::Arc};

use imbl::{OrdMap, ordmap, shared_ptr::DefaultSharedPtr};

use self::places::Places;

/// A sorted base, built in bulk, under an overlay of what changed since.
///
/// Clones share the base whole and the overlay node by node, and a change costs the logarithm of
/// the size. The overlay never moves into the base by itself, for a new base would make the one
/// write that it falls to wait as long as all entries take; it goes when the map is built in bulk
/// anew. It cannot outgrow the entries there are and those of the base that were removed.
#[derive(Clone)]
pub(super) struct Layered<K, V> {
    /// Ascending, each key once; a vector, so that very many entries need not move into place.
    base: Arc<Vec<(K, V)>>,
    /// Where each key stands in the base, where that is indexed.
    places: Option<Arc<Places<K>>>,
    /// What holds in place of the base; `None` removes.
    overlay: OrdMap<K, Option<V>>,
    /// Number of entries.
    len: usize,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { base: Arc::default(), places: None, overlay: OrdMap::new(), len: 0 }
    }
}

impl<K, V> fmt::Debug for Layered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    /// The map of these entries; of several with one key the last one counts.
    pub(super) fn from_unsorted(mut entries: Vec<(K, V)>) -> Self {
        ascending(&mut entries, |(key, _)| key);
        Self::from_sorted(entries)
    }

    /// The map of these entries, which ascend.
    pub(super) fn from_sorted(mut entries: Vec<(K, V)>) -> Self {
        debug_assert!(entries.is_sorted_by(|(a, _), (b, _)| a < b), "entries ascend");
        entries.shrink_to_fit();
        let (len, overlay) = (entries.len(), OrdMap::new());
        Self { base: Arc::new(entries), places: None, overlay, len }
    }

    /// The same with a hash index of the base: to find one of a million keys by comparing takes
    /// twenty of them, each with a miss of the cache.
    pub(super) fn from_sorted_indexed(entries: Vec<(K, V)>) -> Self
    where
        K: Hash,
    {
        let map = Self::from_sorted(entries);
        let places = Places::of(map.base.iter().map(|(key, _)| key)).map(Arc::new);
        Self { places, ..map }
    }

    /// The value of that key.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        match self.overlay.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.base_entry(key).map(|(_, value)| value),
        }
    }

    /// The value of that key, to be changed.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.overlay.contains_key(key) {
            let (key, value) = self.base_entry(key)?.clone();
            self.overlay.insert(key, Some(value));
        }
        self.overlay.get_mut(key)?.as_mut()
    }

    /// Puts an entry in place of the one with an equal key, if there is any.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let known = match self.overlay.insert(key.clone(), Some(value)) {
            Some(changed) => changed.is_some(),
            None => self.base_entry(&key).is_some(),
        };
        self.len += usize::from(!known);
    }

    /// Takes an entry out and answers its value.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let base = self.base_entry(key).cloned();
        let changed = match &base {
            Some((key, _)) => self.overlay.insert(key.clone(), None),
            None => self.overlay.remove(key),
        };
        let old = changed.unwrap_or_else(|| base.map(|(_, value)| value));
        self.len -= usize::from(old.is_some());
        old
    }

    /// All entries, ascending.
    pub(super) fn iter(&self) -> Iter<'_, K, V> {
        self.behind(0, Bound::Unbounded)
    }

    /// All entries behind that key, ascending.
    pub(super) fn range_after(&self, key: &K) -> Iter<'_, K, V> {
        let start = self.base.partition_point(|(known, _)| known <= key);
        self.behind(start, Bound::Excluded(key.clone()))
    }

    /// The entry of that key and all behind it, ascending.
    pub(super) fn range_from(&self, key: &K) -> Iter<'_, K, V> {
        let start = self.base.partition_point(|(known, _)| known < key);
        self.behind(start, Bound::Included(key.clone()))
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn base_entry(&self, key: &K) -> Option<&(K, V)> {
        if let Some(places) = &self.places {
            let mut found = places.candidates(key).filter_map(|position| self.base.get(position));
            return found.find(|(known, _)| known == key);
        }
        let position = self.base.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.base.get(position)
    }

    fn behind(&self, start: usize, bound: Bound<K>) -> Iter<'_, K, V> {
        Iter {
            base: self.base[start..].iter().peekable(),
            overlay: self.overlay.range::<_, K>((bound, Bound::Unbounded)).peekable(),
        }
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Layered<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

/// Entries of a [`Layered`], ascending: both layers merged on the way.
pub(super) struct Iter<'a, K, V> {
    base: Peekable<slice::Iter<'a, (K, V)>>,
    overlay: Peekable<ordmap::RangedIter<'a, K, Option<V>, DefaultSharedPtr>>,
}

impl<K, V> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<'a, K: Ord, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = match (self.base.peek(), self.overlay.peek()) {
                (_, None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((base, _)), Some((changed, _))) => base.cmp(*changed),
            };
            if order.is_lt() {
                return self.base.next().map(|(key, value)| (key, value));
            }
            if order.is_eq() {
                self.base.next();
            }
            if let (key, Some(value)) = self.overlay.next()? {
                return Some((key, value));
            }
        }
    }
}

/// Sorts by a key, unless that is so already, and keeps the last item of each key.
pub(super) fn ascending<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> &K) {
    if items.is_sorted_by(|a, b| key(a) < key(b)) {
        return;
    }
    items.sort_by(|a, b| key(a).cmp(key(b)));
    items.dedup_by(|later, kept| {
        let same = key(later) == key(kept);
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

#[cfg(test)]
mod tests;
