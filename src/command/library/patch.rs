//! New values of a library object.

use std::fmt::Debug;

use crate::domain::{
    Violations,
    field::{Fields, Values},
};

/// New values of the fields of an object; what is not given stays.
pub trait Patch<T>: Clone + Default + Debug + Send + Sync + 'static {
    /// The display name, if it is given.
    fn display_name(&self) -> Option<&str>;

    /// The description, if it is given.
    fn description(&self) -> Option<&str>;

    /// The owner, if it is given.
    fn owner(&self) -> Option<&str>;

    /// Notes every immutable field whose value would be another one.
    fn immutable(&self, before: &T, v: &mut Violations);

    /// Writes the values; they were or will be checked.
    fn apply(&self, object: &mut T);
}

impl<T: Fields + 'static> Patch<T> for Values<T> {
    fn display_name(&self) -> Option<&str> {
        self.text("display_name")
    }

    fn description(&self) -> Option<&str> {
        self.text("description")
    }

    fn owner(&self) -> Option<&str> {
        self.text("owner")
    }

    fn immutable(&self, before: &T, v: &mut Violations) {
        Values::immutable(self, before, v);
    }

    fn apply(&self, object: &mut T) {
        Values::apply(self, object);
    }
}

/// Replaces a value where there is a new one.
pub(in crate::command) fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}
