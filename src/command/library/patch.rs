//! New values of a library object.

use std::fmt::Debug;

use crate::domain::{
    Violations,
    field::{Access, Fields, Values},
};

/// New values of the fields of an object; what is not given stays.
pub trait Patch<T>: Clone + Default + Debug + Send + Sync + 'static {
    /// What an object has in the fields that a caller may set. Secrets are left out: a write
    /// of the values keeps those that are stored.
    fn of(object: &T) -> Self;

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
    fn of(object: &T) -> Self {
        let common = object.common();
        let start = Self::default()
            .with("display_name", &common.display_name)
            .with("description", &common.description)
            .with("owner", &common.owner);
        T::FIELDS.iter().fold(start, |mut values, field| {
            let settable = matches!(field.info.access, Access::Mutable | Access::Immutable);
            if let Some(value) = field.value(object).filter(|_| settable) {
                values.set(field.info.path, value.into_owned());
            }
            values
        })
    }

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
