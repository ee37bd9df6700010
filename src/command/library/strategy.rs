//! What the generic writes need to know of a kind.

use super::Patch;
use crate::{
    catalog::{Catalog, Tabled},
    command::Context,
    domain::{
        Common, Finding, Kind, Refusal, Stamp, Violations, channel::Channel,
        directory::SecurityRole, named_kinds, refs::Refs, refusal::Preconditions, stored::Named,
        template::NotificationTemplate,
    },
};

/// Names of the writes of a kind, as history and audit keep them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operations {
    pub(super) create: &'static str,
    pub(super) update: &'static str,
    pub(super) clone: &'static str,
    pub(super) activate: &'static str,
    pub(super) deactivate: &'static str,
    pub(super) delete: &'static str,
}

/// Expands to the names of the writes of each kind.
macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $name:literal, $missing:ident;
    )+) => {
        /// The names of the writes of a kind.
        pub(super) fn operations(kind: Kind) -> Operations {
            match kind {
                $(Kind::$variant => Operations {
                    create: concat!("Create", $name),
                    update: concat!("Update", $name),
                    clone: concat!("Clone", $name),
                    activate: concat!("Activate", $name),
                    deactivate: concat!("Deactivate", $name),
                    delete: concat!("Delete", $name),
                },)+
                Kind::Script | Kind::User | Kind::Team | Kind::Settings => {
                    unreachable!("{} is not written by the generic commands", kind.as_str())
                }
            }
        }
    };
}

named_kinds!(operations);

/// The rules that a stored object keeps beside those of its single fields.
pub trait Rules: Named + Refs {
    /// Notes every precondition that the object would not meet (SPEC §7.4).
    fn preconditions(&self, _catalog: &Catalog, _failed: &mut Preconditions) {}
}

/// A kind that Create, Clone, Update, Activate, Deactivate and Delete write.
///
/// The hooks come in the order in which a write calls them; it answers all bad fields at once, and
/// refuses nothing else before them (SPEC §7.2).
pub trait Strategy: Rules + Tabled + Send + Sync + 'static {
    /// Longest description.
    const MAX_DESCRIPTION: usize = 2_000;

    /// New values of its fields.
    type Patch: Patch<Self>;

    /// An object whose fields all have their defaults.
    fn empty(common: Common, stamp: Stamp) -> Self;

    /// Notes every plain field rule that the values break.
    fn syntax(patch: &Self::Patch, v: &mut Violations);

    /// Brings the values to their stored form and answers what was not taken over.
    fn canonicalize(
        &mut self,
        _before: Option<&Self>,
        _patch: &Self::Patch,
        _context: &Context,
    ) -> Vec<Finding> {
        Vec::new()
    }

    /// Notes every rule between fields that the object would break, of the fields that are
    /// required too; `before` is the object that it replaces.
    fn validate(
        &self,
        _catalog: &Catalog,
        _before: Option<&Self>,
        _patch: &Self::Patch,
        _v: &mut Violations,
    ) {
    }

    /// Takes out of a copy what does not travel, and notes why an object has no copies.
    fn prepare_clone(&mut self, _source: &Self, _v: &mut Violations) {}

    /// Refuses when the object refers to what does not exist and is no stored object.
    fn dependencies(&self, _catalog: &Catalog) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Kinds without rules of their own.
macro_rules! no_rules {
    ($($type:ident)+) => {$(
        impl Rules for $type {}
    )+};
}

// No command of this mechanism writes them yet.
no_rules! { NotificationTemplate Channel SecurityRole }
