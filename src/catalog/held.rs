//! The roots that classes hold, numbered: what a change of rank is compared by.
//!
//! A profile's rank concerns the classes that hold one of its roots, and what these get depends on all
//! their other roots as well. There are hundreds of such classes, so for each of them nothing is looked
//! up by a name: a class knows its roots by number, and what a root leads to stands in a table.

use std::collections::BTreeSet;

use imbl::{OrdMap, Vector};

use super::{
    ids::{ClassId, RootId, Roots},
    mappings::{Candidate, Mappings},
};
use crate::domain::UniqueName;

/// What every root leads to, for one look at very many classes.
#[derive(Debug)]
pub struct Strongest<'a>(Vec<Option<&'a Candidate>>);

impl<'a> Strongest<'a> {
    /// The first candidate of all that these roots lead to.
    pub fn of(&self, roots: &[RootId]) -> Option<&'a Candidate> {
        roots.iter().filter_map(|root| *self.0.get(root.0 as usize)?).min()
    }
}

/// The roots that classes hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    by_root: OrdMap<UniqueName, Holders>,
    /// By number: what the root by itself leads to.
    strongest: Vector<Option<Candidate>>,
    /// Numbers of roots that no class holds any more.
    free: Vector<RootId>,
}

/// The classes that hold a root.
#[derive(Debug, Clone)]
struct Holders {
    root: RootId,
    /// Each with the numbers of all its roots.
    classes: OrdMap<ClassId, Roots>,
}

// === impl Held ===

impl Held {
    /// Adds a class that holds these roots; their numbers.
    pub(super) fn add(
        &mut self,
        id: ClassId,
        held: &BTreeSet<UniqueName>,
        mappings: &Mappings,
    ) -> Roots {
        let roots: Roots = held.iter().map(|root| self.number(root, mappings)).collect();
        for root in held {
            if let Some(holders) = self.by_root.get_mut(root) {
                holders.classes.insert(id, roots.clone());
            }
        }
        roots
    }

    /// Takes a class out that holds these roots.
    pub(super) fn take_out(&mut self, id: ClassId, held: &BTreeSet<UniqueName>) {
        for root in held {
            let Some(holders) = self.by_root.get_mut(root) else { continue };
            holders.classes.remove(&id);
            if holders.classes.is_empty() {
                self.free.push_back(holders.root);
                self.by_root.remove(root);
            }
        }
    }

    /// Notes what a root leads to after a change of the mappings.
    pub(super) fn note(&mut self, root: &UniqueName, mappings: &Mappings) {
        if let Some(holders) = self.by_root.get(root) {
            self.strongest.set(holders.root.0 as usize, mappings.first(root).cloned());
        }
    }

    /// The same of every root.
    pub(super) fn note_all(&mut self, mappings: &Mappings) {
        for (root, holders) in &self.by_root {
            self.strongest.set(holders.root.0 as usize, mappings.first(root).cloned());
        }
    }

    /// The first candidate of all that these roots lead to.
    pub(super) fn strongest(&self, roots: &[RootId]) -> Option<&Candidate> {
        let candidates = roots.iter().filter_map(|root| self.strongest.get(root.0 as usize));
        candidates.flatten().min()
    }

    /// What every root leads to.
    pub(super) fn all(&self) -> Strongest<'_> {
        Strongest(self.strongest.iter().map(Option::as_ref).collect())
    }

    /// The classes that hold a root, ascending, each with all its roots.
    pub(super) fn holding(&self, root: &UniqueName) -> impl Iterator<Item = (ClassId, &Roots)> {
        let classes = self.by_root.get(root).into_iter().flat_map(|holders| &holders.classes);
        classes.map(|(id, roots)| (*id, roots))
    }

    fn number(&mut self, root: &UniqueName, mappings: &Mappings) -> RootId {
        if let Some(holders) = self.by_root.get(root) {
            return holders.root;
        }
        let leads_to = mappings.first(root).cloned();
        let number = match self.free.pop_back() {
            Some(number) => {
                self.strongest.set(number.0 as usize, leads_to);
                number
            }
            None => {
                self.strongest.push_back(leads_to);
                RootId(self.strongest.len() as u32 - 1)
            }
        };
        self.by_root.insert(root.clone(), Holders { root: number, classes: OrdMap::new() });
        number
    }
}
