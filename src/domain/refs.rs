//! References from one stored object to another by unique name: the edges of the library.
//!
//! Each kind declares in one table, [`Refs::EDGES`], which of its fields refer to objects of which
//! kind. Everything that follows a reference reads this table: existence checks, delete and force
//! delete (SPEC §2.3), what the content of a profile is made of, and which profiles a change
//! reaches. Users and teams refer to roles and profiles as well; the catalog keeps indexes of
//! their own for them.

use std::{collections::BTreeSet, fmt};

use super::{Kind, UniqueName};

/// The names that a field holds.
pub trait Names {
    /// Visits every name, in order.
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a UniqueName));

    /// Replaces every name by what `edit` makes of it; without an answer the name goes.
    fn edit(&mut self, edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>);
}

/// What force-deleting an object does to those that refer to it (SPEC §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The reference goes along.
    Detach,
    /// The object stays; why, as in "Tab `x` `needs it as its anchor tab`".
    Restrict(&'static str),
}

/// A field that refers to objects of one kind.
pub struct Edge<T> {
    /// Path of the field.
    pub field: &'static str,
    /// What it refers to.
    pub kind: Kind,
    /// What becomes of the reference when its target is deleted by force.
    pub on_delete: OnDelete,
    /// Whether what the target holds reaches clients through this reference.
    pub content: bool,
    each: Each<T>,
    edit: Edit<T>,
}

/// Visits the names of a field.
type Each<T> = for<'a> fn(&'a T, &mut dyn FnMut(&'a UniqueName));

/// Replaces the names of a field; see [`Names::edit`].
type Edit<T> = fn(&mut T, &mut dyn FnMut(&UniqueName) -> Option<UniqueName>);

/// A kind whose objects may refer to others.
pub trait Refs: Sized + 'static {
    /// Its fields that are references.
    const EDGES: &'static [Edge<Self>];

    /// Kinds of which every object is part of the content that this object leads to.
    fn reads_every(&self) -> &'static [Kind] {
        &[]
    }
}

/// One reference of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Path of the field that holds it.
    pub field: &'static str,
    /// Kind of the target.
    pub kind: Kind,
    /// Name of the target, which need not exist.
    pub name: &'a UniqueName,
    /// Whether what the target holds reaches clients through this reference.
    pub content: bool,
}

// ===== impl Edge =====

impl<T> Edge<T> {
    /// An edge through which content reaches clients, and which goes with its target.
    pub(super) const fn content(
        field: &'static str,
        kind: Kind,
        each: Each<T>,
        edit: Edit<T>,
    ) -> Self {
        Self { field, kind, on_delete: OnDelete::Detach, content: true, each, edit }
    }

    /// The same, without any influence on content.
    pub(super) const fn no_content(self) -> Self {
        Self { content: false, ..self }
    }

    /// The same, where the target has to stay.
    pub(super) const fn restrict(self, why: &'static str) -> Self {
        Self { on_delete: OnDelete::Restrict(why), ..self }
    }

    /// Visits the names that the field of an object holds.
    pub fn each<'a>(&self, object: &'a T, visit: &mut dyn FnMut(&'a UniqueName)) {
        (self.each)(object, visit);
    }

    /// Whether the field of an object holds that name.
    pub fn holds(&self, object: &T, name: &UniqueName) -> bool {
        let mut found = false;
        self.each(object, &mut |held| found |= held == name);
        found
    }

    /// Replaces the names that the field of an object holds; see [`Names::edit`].
    pub fn edit(&self, object: &mut T, edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>) {
        (self.edit)(object, edit);
    }
}

impl<T> fmt::Debug for Edge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {:?}", self.field, self.kind)
    }
}

/// Visits every reference of an object.
pub fn visit<'a, T: Refs>(object: &'a T, visit: &mut dyn FnMut(Reference<'a>)) {
    for &Edge { field, kind, content, each, .. } in T::EDGES {
        each(object, &mut |name| visit(Reference { field, kind, name, content }));
    }
}

// ===== impl Names =====

impl Names for Vec<UniqueName> {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a UniqueName)) {
        self.iter().for_each(visit);
    }

    fn edit(&mut self, edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>) {
        self.retain_mut(|name| edit(name).map(|new| *name = new).is_some());
    }
}

impl Names for Option<UniqueName> {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a UniqueName)) {
        self.iter().for_each(visit);
    }

    fn edit(&mut self, edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>) {
        *self = self.as_ref().and_then(edit);
    }
}

impl Names for BTreeSet<UniqueName> {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a UniqueName)) {
        self.iter().for_each(visit);
    }

    fn edit(&mut self, edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>) {
        *self = self.iter().filter_map(edit).collect();
    }
}
