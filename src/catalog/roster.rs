//! All users by id: a packed base under an overlay of what changed since the base was built.
//!
//! A write costs what it changes: it goes into the overlay, which shares its nodes with the overlay
//! of the catalog before. What the overlay holds takes several times the memory of a packed user, so
//! it is merged into a new base when it has grown; see `compaction.rs`.

mod base;
mod found;
mod places;

use std::{iter::Peekable, sync::Arc};

use imbl::{OrdMap, OrdSet, ordmap, shared_ptr::DefaultSharedPtr};

use self::base::Positions;
pub(super) use self::{
    base::{Base, Placements},
    found::{At, Found, Stored, View},
};
use crate::domain::{UserId, name::cmp_folded};

/// Users by id. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    pub(super) base: Arc<Base>,
    /// What holds in place of the base; `None` removes.
    overlay: OrdMap<UserId, Option<Stored>>,
    /// Positions in the base that the overlay takes the place of.
    replaced: OrdSet<u32>,
    len: usize,
}

// === impl Roster ===

impl Roster {
    /// The users of a base.
    pub(super) fn of(base: Base) -> Self {
        let len = base.users.len();
        Self { base: Arc::new(base), len, ..Self::default() }
    }

    /// The user of that id.
    pub(super) fn get(&self, id: &UserId) -> Option<Found<'_>> {
        match self.overlay.get(id) {
            Some(changed) => changed.as_ref().map(Found::Stored),
            None => {
                let found = self.base.find(id.as_str());
                found.map(|(position, user, placed)| Found::Packed(position, user, placed))
            }
        }
    }

    /// Puts a user in place of the one with his id, if there is any.
    pub(super) fn insert(&mut self, stored: Stored) {
        let id = stored.user.id.clone();
        let position = self.base.find(id.as_str()).map(|(position, ..)| position);
        let known = match self.overlay.insert(id, Some(stored)) {
            Some(changed) => changed.is_some(),
            None => position.is_some(),
        };
        self.replaced.extend(position);
        self.len += usize::from(!known);
    }

    /// Takes a user out, who is there.
    pub(super) fn remove(&mut self, id: &UserId) {
        match self.base.find(id.as_str()) {
            Some((position, ..)) => {
                self.overlay.insert(id.clone(), None);
                self.replaced.insert(position);
            }
            None => _ = self.overlay.remove(id),
        }
        self.len -= 1;
    }

    /// Number of users.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of users whose last write is not in the base.
    pub(super) fn pending(&self) -> usize {
        self.overlay.len()
    }

    /// Whether what the base has at a position holds.
    pub(super) fn holds(&self, position: u32) -> bool {
        self.replaced.is_empty() || !self.replaced.contains(&position)
    }

    /// All users, ascending by id.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter {
            base: &self.base,
            positions: self.base.positions(0).peekable(),
            overlay: self.overlay.range::<_, UserId>(..).peekable(),
        }
    }

    /// All users behind an id, ascending.
    pub(super) fn after(&self, id: &UserId) -> Iter<'_> {
        let behind = (std::ops::Bound::Excluded(id.clone()), std::ops::Bound::Unbounded);
        Iter {
            base: &self.base,
            positions: self.base.positions(self.base.users.not_behind(id.as_str())).peekable(),
            overlay: self.overlay.range::<_, UserId>(behind).peekable(),
        }
    }

    /// What differs from an earlier roster over the same base: for each id what holds now.
    pub(super) fn changes_since(&self, earlier: &Self) -> Vec<(UserId, Option<Stored>)> {
        use ordmap::DiffItem as D;
        let differing = earlier.overlay.diff(&self.overlay).map(|item| match item {
            D::Add(id, new) | D::Update { new: (id, new), .. } => (id.clone(), new.clone()),
            // Added since the base was built, and gone again.
            D::Remove(id, _) => (id.clone(), None),
        });
        differing.collect()
    }
}

fn packed(base: &Base, position: u32) -> Found<'_> {
    Found::Packed(position, base.users.at(position), base.placed(position))
}

/// Users ascending by id: base and overlay merged on the way.
pub(super) struct Iter<'a> {
    base: &'a Base,
    positions: Peekable<Positions>,
    overlay: Peekable<ordmap::RangedIter<'a, UserId, Option<Stored>, DefaultSharedPtr>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        loop {
            let order = match (self.positions.peek(), self.overlay.peek()) {
                (_, None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(position), Some((id, _))) => {
                    cmp_folded(self.base.users.at(*position).id(), id.as_str())
                }
            };
            if order.is_lt() {
                return self.positions.next().map(|position| packed(self.base, position));
            }
            if order.is_eq() {
                self.positions.next();
            }
            if let (_, Some(stored)) = self.overlay.next()? {
                return Some(Found::Stored(stored));
            }
        }
    }
}
