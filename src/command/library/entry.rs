//! What the common writes need to know of a kind of library object.

use std::fmt;

use super::{Patch, Referrer};
use crate::{
    catalog::{Catalog, Table},
    command::Context,
    domain::{
        Common, Finding, Kind, Refusal, Stamp, UniqueName, Violations,
        refusal::Preconditions,
        stored::{Named, Stored},
    },
};

/// Names of the writes of a kind, as history and audit keep them.
#[derive(Debug, Clone, Copy)]
pub struct Operations {
    pub(super) create: &'static str,
    pub(super) update: &'static str,
    pub(super) clone: &'static str,
    pub(super) activate: &'static str,
    pub(super) deactivate: &'static str,
    pub(super) delete: &'static str,
}

/// The names of the writes of a kind whose name is this.
macro_rules! operations {
    ($kind:literal) => {
        $crate::command::library::Operations {
            create: concat!("Create", $kind),
            update: concat!("Update", $kind),
            clone: concat!("Clone", $kind),
            activate: concat!("Activate", $kind),
            deactivate: concat!("Deactivate", $kind),
            delete: concat!("Delete", $kind),
        }
    };
}
pub(super) use operations;

/// A kind of library object: what the common writes need to know of it.
pub trait Entry: fmt::Debug + Send + Sync + 'static {
    /// The kind.
    const KIND: Kind = <Self::Object as Stored>::KIND;
    /// Names of its writes.
    const OPERATIONS: Operations;
    /// Longest description.
    const MAX_DESCRIPTION: usize = 2_000;

    /// The stored object.
    type Object: Named;
    /// New values of its fields.
    type Patch: Patch<Self::Object>;

    /// Where the catalog keeps the objects.
    fn table(catalog: &Catalog) -> &Table<Self::Object>;

    /// An object whose fields all have their defaults.
    fn empty(common: Common, stamp: Stamp) -> Self::Object;

    /// Notes every plain field rule that the values break.
    fn syntax(patch: &Self::Patch, v: &mut Violations);

    /// Notes every rule between fields that the object would break, of the fields that are
    /// required too; `before` is the object that it replaces.
    fn check(
        catalog: &Catalog,
        next: &Self::Object,
        before: Option<&Self::Object>,
        patch: &Self::Patch,
        v: &mut Violations,
    );

    /// Brings the values to their stored form and tells what was not taken over.
    fn settle(
        _next: &mut Self::Object,
        _before: Option<&Self::Object>,
        _patch: &Self::Patch,
        _context: &Context,
    ) -> Vec<Finding> {
        Vec::new()
    }

    /// Takes out of a copy what does not travel, and notes why an object has no copies.
    fn detach(_copy: &mut Self::Object, _v: &mut Violations) {}

    /// Refuses when the object refers to what does not exist, and spells names as they are stored.
    fn references(
        _catalog: &Catalog,
        _next: &mut Self::Object,
        _before: Option<&Self::Object>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    /// Notes every list that holds too much.
    fn limits(_next: &Self::Object, _failed: &mut Preconditions) {}

    /// The objects that refer to the one of that name.
    fn referrers(catalog: &Catalog, name: &UniqueName, context: &Context) -> Vec<Referrer>;
}
