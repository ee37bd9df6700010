//! Sets of users by the key that leads to them: those of the base by position, those of the overlay by
//! id.

use std::{fmt, ops::Bound};

use imbl::{OrdMap, OrdSet};

use super::{
    positions::PositionSet,
    roster::{At, Roster},
};
use crate::domain::{UserId, name::cmp_folded};

/// Users under one key.
#[derive(Debug, Clone, Default)]
struct Crowd {
    /// Positions in the base of the roster; those that its overlay replaces do not count any more.
    packed: PositionSet,
    /// Those of the overlay.
    changed: OrdSet<UserId>,
    len: usize,
}

/// Sets by key; a key without users is absent. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Index<K: Ord + Clone>(OrdMap<K, Crowd>);

/// The users under a key, ascending by id.
#[derive(Clone, Copy)]
pub struct Members<'a> {
    roster: &'a Roster,
    crowd: &'a Crowd,
}

impl<K: Ord + Clone> Index<K> {
    /// The index of users that are all in the base, by position.
    pub(super) fn of_base(sets: impl IntoIterator<Item = (K, PositionSet)>) -> Self {
        let crowds = sets.into_iter().map(|(key, packed)| {
            let len = packed.len();
            (key, Crowd { packed, changed: OrdSet::new(), len })
        });
        let crowds = crowds.filter(|(_, crowd)| crowd.len > 0);
        Self(crowds.collect())
    }

    /// The users under a key.
    pub(super) fn get<'a>(&'a self, roster: &'a Roster, key: &K) -> Option<Members<'a>> {
        self.0.get(key).map(|crowd| Members { roster, crowd })
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are users under a key.
    pub(super) fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// All keys and their users, ascending by key.
    pub(super) fn iter<'a>(
        &'a self,
        roster: &'a Roster,
    ) -> impl Iterator<Item = (&'a K, Members<'a>)> {
        self.0.iter().map(move |(key, crowd)| (key, Members { roster, crowd }))
    }

    /// The key and all behind it with their users, ascending by key.
    pub(super) fn from<'a>(
        &'a self,
        roster: &'a Roster,
        key: K,
    ) -> impl Iterator<Item = (&'a K, Members<'a>)> + use<'a, K> {
        let range = self.0.range::<_, K>((Bound::Included(key), Bound::Unbounded));
        range.map(move |(key, crowd)| (key, Members { roster, crowd }))
    }

    /// Puts a user of the overlay under a key.
    pub(super) fn add(&mut self, key: &K, id: &UserId) {
        match self.0.get_mut(key) {
            Some(crowd) => crowd.add(id),
            None => {
                let mut crowd = Crowd::default();
                crowd.add(id);
                self.0.insert(key.clone(), crowd);
            }
        }
    }

    /// Takes a user away from a key. One of the base is away once the overlay replaces him.
    pub(super) fn take(&mut self, key: &K, id: &UserId, at: At) {
        let Some(crowd) = self.0.get_mut(key) else { return };
        if at == At::Overlay {
            crowd.changed.remove(id);
        }
        crowd.len -= 1;
        if crowd.len == 0 {
            self.0.remove(key);
        }
    }

    /// Drops a key with all its users.
    pub(super) fn drop_key(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Drops all keys but those of another index.
    pub(super) fn keep_keys_of(&mut self, other: &Self) {
        let gone: Vec<_> = self.0.keys().filter(|key| !other.has(key)).cloned().collect();
        for key in &gone {
            self.0.remove(key);
        }
    }
}

impl<K: Ord + Clone> Default for Index<K> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl Crowd {
    fn add(&mut self, id: &UserId) {
        self.len += usize::from(self.changed.insert(id.clone()).is_none());
    }
}

impl<'a> Members<'a> {
    /// Number of users.
    pub fn len(self) -> usize {
        self.crowd.len
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.crowd.len == 0
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = UserId> + 'a {
        self.between(0, Bound::Unbounded)
    }

    /// Those behind an id.
    pub fn after(self, id: &UserId) -> impl Iterator<Item = UserId> + use<'a> {
        let from = self.roster.base.users.not_behind(id.as_str());
        self.between(from, Bound::Excluded(id.clone()))
    }

    fn between(self, from: u32, behind: Bound<UserId>) -> impl Iterator<Item = UserId> + use<'a> {
        let Self { roster, crowd } = self;
        let packed = crowd.packed.from(from).filter(move |at| roster.holds(*at));
        let packed = packed.map(move |at| roster.base.users.at(at).id());
        let mut packed = packed.peekable();
        let mut changed = crowd.changed.range::<_, UserId>((behind, Bound::Unbounded)).peekable();
        std::iter::from_fn(move || {
            let next = match (packed.peek(), changed.peek()) {
                (Some(a), Some(b)) => cmp_folded(a, b.as_str()).is_lt(),
                (first, _) => first.is_some(),
            };
            if next { packed.next().map(read) } else { changed.next().cloned() }
        })
    }
}

/// The id of a packed user.
fn read(id: &str) -> UserId {
    UserId::parse(id).expect("a packed id was one before")
}

impl PartialEq for Members<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
