//! What role classes come to in a catalog: their roots, and what readers work out of them.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Candidate, Catalog, ClassId, Link, RoleClass, RootId, Roots, Strongest,
    classes::{Derived, RoleSet},
};
use crate::domain::UniqueName;

/// Something that follows from a role class and from configuration other than users and teams.
pub trait OfClass: Send + Sync + 'static {
    /// Works it out. Must not read users or teams.
    fn of(catalog: &Catalog, class: &RoleClass) -> Self;
}

impl Catalog {
    /// The class of a role set, which is there already or is added; nobody joins it yet.
    pub(super) fn intern(&mut self, set: RoleSet) -> ClassId {
        if let Some(id) = self.users.classes.ids.get(&set) {
            return *id;
        }
        let derived = self.derive(&set);
        self.users.classes.add(set, derived, &self.mappings)
    }

    /// What follows from a role set for the roles that exist now.
    fn derive(&self, set: &RoleSet) -> Derived {
        let alive = |link: &&Link| {
            let role = self.tables.roles.get(&link.name);
            role.is_some_and(|role| Some(role.stamp.uid) == link.uid)
        };
        let root = |link: &Link| self.root(&link.name);
        let held: BTreeSet<_> = set.own.iter().filter(alive).filter_map(root).collect();
        let team_only = set.team.iter().filter(alive).filter_map(root);
        let team_only = team_only.filter(|root| !held.contains(root)).collect();
        let lost = !set.own.iter().all(|link| alive(&link));
        Derived { roots: RoleClass { held, team_only }, lost }
    }

    /// Derives the classes again, for other roles exist or have other roots. Nobody changes seats.
    pub(super) fn derive_classes(&mut self) {
        let classes = self.users.classes.by_id.iter();
        let changed: Vec<_> = classes
            .map(|(id, class)| (*id, &class.entry, self.derive(&class.entry.set)))
            .filter(|(_, entry, derived)| entry.derived != *derived)
            .map(|(id, _, derived)| (id, derived))
            .collect();
        for (id, derived) in changed {
            self.users.classes.change(id, derived, &self.mappings);
        }
    }

    /// All classes that somebody is in, and that of users without a role.
    pub fn classes(&self) -> impl Iterator<Item = (ClassId, &RoleClass)> {
        let classes = self.users.classes.by_id.iter();
        classes.map(|(id, class)| (*id, &class.entry.derived.roots))
    }

    /// The classes whose users hold a root role themselves, ascending, each with the numbers of all its
    /// roots.
    pub fn classes_holding(&self, root: &UniqueName) -> impl Iterator<Item = (ClassId, &Roots)> {
        self.users.classes.held.holding(root)
    }

    /// The numbers of the roots that users of a class hold themselves.
    pub fn roots_of(&self, id: ClassId) -> &Roots {
        &self.users.classes.entry(id).roots
    }

    /// The profile that these roots lead to, if any does: of the active custom ones that map one of
    /// them, the one with the strongest rank.
    pub fn strongest_of(&self, roots: &[RootId]) -> Option<&Candidate> {
        self.users.classes.held.strongest(roots)
    }

    /// The same for one look at very many classes.
    pub fn strongest_of_all(&self) -> Strongest<'_> {
        self.users.classes.held.all()
    }

    /// Whether a class was there already that a later catalog of the same numbering has.
    pub fn had_class(&self, id: ClassId) -> bool {
        self.users.classes.numbered(id)
    }

    /// Whether the numbers of classes mean in both catalogs the same: they do until everybody is
    /// seated again.
    pub fn numbers_classes_like(&self, other: &Self) -> bool {
        self.users.classes.numbering == other.users.classes.numbering
    }

    /// Whether a catalog that came from this one by commits has other users and teams at most.
    pub fn differs_in_people_only(&self, later: &Self) -> bool {
        Arc::ptr_eq(&self.epoch, &later.epoch)
    }

    /// The roles of a class.
    pub fn class(&self, id: ClassId) -> &RoleClass {
        &self.users.classes.entry(id).derived.roots
    }

    /// What `T` is for a class, worked out once until something other than users and teams changes.
    pub fn of_class<T: OfClass>(&self, id: ClassId) -> Arc<T> {
        let class = self.users.classes.entry(id);
        class.memo.get(&self.epoch, || T::of(self, &class.derived.roots))
    }
}
