//! What stored objects of every kind have in common, for rules that hold for all of them.

use std::{fmt::Debug, sync::Arc};

use super::{
    Common, Kind, Object, Stamp,
    directory::{Team, User},
    library::{self, named_kinds},
    meta::HasCommon,
    settings::Settings,
};

/// An object that commands write.
pub trait Stored: Clone + PartialEq + Debug {
    /// Its kind.
    const KIND: Kind;

    /// Its name or id as stored; empty for the settings.
    fn name(&self) -> &str;

    /// The server's notes on it.
    fn stamp(&self) -> &Stamp;

    /// The server's notes on it, to change them.
    fn stamp_mut(&mut self) -> &mut Stamp;

    /// The object as the store and the catalog take it.
    fn into_object(self) -> Object;
}

/// A stored object with a unique name and the fields that go with it.
pub trait Named: Stored + HasCommon {}

/// Ties types to the trait: `type => kind, name`.
macro_rules! stored {
    ($($type:ident => $kind:ident, |$object:ident| $name:expr;)+) => {$(
        impl Stored for $type {
            const KIND: Kind = Kind::$kind;

            fn name(&self) -> &str {
                let $object = self;
                $name
            }

            fn stamp(&self) -> &Stamp {
                &self.stamp
            }

            fn stamp_mut(&mut self) -> &mut Stamp {
                &mut self.stamp
            }

            fn into_object(self) -> Object {
                Object::$kind(Arc::new(self))
            }
        }
    )+};
}

/// Ties the types of the list of kinds to both traits.
macro_rules! named {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {$(
        impl Stored for library::$module::$type {
            const KIND: Kind = Kind::$variant;

            fn name(&self) -> &str {
                self.common.unique_name.as_str()
            }

            fn stamp(&self) -> &Stamp {
                &self.stamp
            }

            fn stamp_mut(&mut self) -> &mut Stamp {
                &mut self.stamp
            }

            fn into_object(self) -> Object {
                Object::$variant(Arc::new(self))
            }
        }

        impl Named for library::$module::$type {}

        impl HasCommon for library::$module::$type {
            fn common(&self) -> &Common {
                &self.common
            }

            fn common_mut(&mut self) -> &mut Common {
                &mut self.common
            }
        }
    )+};
}

named_kinds!(named);

stored! {
    User => User, |o| o.id.as_str();
    Team => Team, |o| o.id.as_str();
    Settings => Settings, |_o| "";
}
