//! The objects of every kind that has a unique name.

use std::sync::Arc;

use super::{References, Table};
use crate::domain::{
    Kind, Object, ObjectKey, UniqueName, library, named_kinds, refs::Refs, stored::Named,
};

/// An object that the catalog keeps by its unique name.
pub trait Tabled: Named + Refs {
    /// The table of its kind.
    fn table(tables: &Tables) -> &Table<Self>;
}

/// Expands to [`Tables`]: one table a kind, and what goes through all of them.
macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        $(impl Tabled for library::$module::$type {
            fn table(tables: &Tables) -> &Table<Self> {
                &tables.$table
            }
        })+

        /// One table for each kind of the list. Cheap to clone.
        #[derive(Debug, Clone, Default)]
        pub struct Tables {
            $($(#[$doc])* pub $table: Table<library::$module::$type>,)+
            /// Which of them refer to which.
            pub references: References,
        }

        impl Tables {
            /// Puts an object into the table of its kind; false when the kind has none.
            pub(super) fn put(&mut self, object: &Object) -> bool {
                match object {
                    $(Object::$variant(o) => {
                        let name = &o.common.unique_name;
                        let old = self.$table.put(name, o);
                        self.references.replace(Kind::$variant, name, old.as_deref(), Some(o));
                    })+
                    Object::User(_) | Object::Team(_) | Object::Settings(_) => return false,
                }
                true
            }

            /// Takes an object out.
            pub(super) fn remove(&mut self, key: &ObjectKey) {
                match key.kind {
                    $(Kind::$variant => {
                        if let Some(old) = self.$table.remove(&key.name) {
                            let name = &old.common.unique_name;
                            self.references.replace(Kind::$variant, name, Some(old.as_ref()), None);
                        }
                    })+
                    Kind::User | Kind::Team | Kind::Settings => {}
                }
            }

            /// The name of an object as it is stored; none when nothing of that kind has it.
            pub fn spelling(&self, kind: Kind, name: &UniqueName) -> Option<&UniqueName> {
                match kind {
                    $(Kind::$variant => self.$table.get(name).map(|o| &o.common.unique_name),)+
                    Kind::User | Kind::Team | Kind::Settings => None,
                }
            }

            /// The object of that key.
            pub fn get(&self, key: &ObjectKey) -> Option<Object> {
                match key.kind {
                    $(Kind::$variant => {
                        self.$table.find(&key.name).map(|o| Object::$variant(Arc::clone(o)))
                    })+
                    Kind::User | Kind::Team | Kind::Settings => None,
                }
            }

            /// The objects of a kind, ascending by name, from behind the given name on where one is
            /// given. None of a kind without a table.
            pub fn after<'a>(
                &'a self,
                kind: Kind,
                name: Option<&UniqueName>,
            ) -> Box<dyn Iterator<Item = Object> + 'a> {
                match kind {
                    $(Kind::$variant => match name {
                        Some(name) => {
                            Box::new(self.$table.after(name).cloned().map(Object::$variant))
                        }
                        None => Box::new(self.$table.iter().cloned().map(Object::$variant)),
                    })+
                    Kind::User | Kind::Team | Kind::Settings => {
                        Box::new(std::iter::empty())
                    }
                }
            }

            /// Every object, by kind in the order of the list, then by name.
            pub fn iter(&self) -> impl Iterator<Item = Object> {
                std::iter::empty()
                    $(.chain(self.$table.iter().map(|o| Object::$variant(Arc::clone(o)))))+
            }

            /// The kinds whose tables differ, found without a look at the objects: a table that was
            /// written since counts as different, whatever was written.
            pub fn differing(&self, other: &Self) -> impl Iterator<Item = Kind> {
                [$((Kind::$variant, self.$table.is(&other.$table)),)+]
                    .into_iter()
                    .filter_map(|(kind, same)| (!same).then_some(kind))
            }
        }
    };
}

named_kinds!(tables);
