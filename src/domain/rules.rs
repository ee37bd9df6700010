//! The rules of a kind.

use super::{
    Common, Stamp, Violations,
    field::{Fields, Values},
    others::Others,
    refs::Refs,
};

/// A kind that is written by its field table: Create, Clone, Update, Activate, Deactivate and Delete
/// follow from the table and these rules.
///
/// The hooks come in the order in which a write calls them; it answers all bad fields at once, and
/// refuses nothing else before them (SPEC §7.2).
pub trait Rules: Fields + Refs + Send + Sync + 'static {
    /// Longest description.
    const MAX_DESCRIPTION: usize = 2_000;

    /// An object whose fields all have their defaults.
    fn empty(common: Common, stamp: Stamp) -> Self;

    /// Notes every rule of single fields that the values break, beside those of the table.
    fn syntax(_values: &Values<Self>, _v: &mut Violations) {}

    /// Brings the values to their stored form.
    fn canonicalize(&mut self) {}

    /// Notes every rule between fields that the object would break; `before` is the object that it
    /// replaces.
    fn validate(&self, _before: Option<&Self>, _values: &Values<Self>, _v: &mut Violations) {}

    /// Notes every rule between the object and others that it would break; those that it refers to
    /// exist.
    fn validate_others(&self, _before: Option<&Self>, _others: &dyn Others, _v: &mut Violations) {}

    /// Removes from a clone what is not copied, or refuses an object that cannot be cloned.
    fn prepare_clone(&mut self, _v: &mut Violations) {}
}
