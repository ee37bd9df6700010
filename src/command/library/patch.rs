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

/// Declares the patch of an object: the common fields; those `fixed` at creation, with their names
/// in the API; those that stay `free`; and `more` that is not a field of the stored object.
macro_rules! patch {
    (
        $(#[$doc:meta])*
        $patch:ident of $object:ident {
            fixed { $($(#[$fixed_doc:meta])* $fixed:ident: $fixed_type:ty => $path:literal,)* }
            free { $($(#[$free_doc:meta])* $free:ident: $free_type:ty,)* }
            more { $($(#[$more_doc:meta])* $more:ident: $more_type:ty,)* }
        }
    ) => {
        $(#[$doc])*
        pub struct $patch {
            /// 1 to 100 characters after trimming.
            pub display_name: Option<String>,
            /// Text about the object.
            pub description: Option<String>,
            /// At most 100 characters.
            pub owner: Option<String>,
            $($(#[$fixed_doc])* pub $fixed: Option<$fixed_type>,)*
            $($(#[$free_doc])* pub $free: Option<$free_type>,)*
            $($(#[$more_doc])* pub $more: $more_type,)*
        }

        impl $crate::command::library::Patch<$object> for $patch {
            fn display_name(&self) -> Option<&str> {
                self.display_name.as_deref()
            }

            fn description(&self) -> Option<&str> {
                self.description.as_deref()
            }

            fn owner(&self) -> Option<&str> {
                self.owner.as_deref()
            }

            fn immutable(
                &self,
                #[allow(unused_variables, reason = "not every object has fixed fields")]
                before: &$object,
                #[allow(unused_variables, reason = "not every object has fixed fields")]
                v: &mut $crate::domain::Violations,
            ) {
                $(if self.$fixed.as_ref().is_some_and(|value| *value != before.$fixed) {
                    v.add($crate::domain::Reason::FieldImmutable, $path, "cannot change");
                })*
            }

            fn apply(&self, object: &mut $object) {
                if let Some(name) = &self.display_name {
                    object.common.display_name = name.trim().to_owned();
                }
                if let Some(text) = &self.description {
                    object.common.description.clone_from(text);
                }
                if let Some(owner) = &self.owner {
                    object.common.owner.clone_from(owner);
                }
                $(if let Some(value) = &self.$fixed {
                    object.$fixed.clone_from(value);
                })*
                $(if let Some(value) = &self.$free {
                    object.$free.clone_from(value);
                })*
            }
        }
    };
}
