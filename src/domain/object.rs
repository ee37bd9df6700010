//! Any stored object, its key, and a change of one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Common, Kind, Stamp,
    directory::{Team, User},
    field::{Fields as _, Info, Value},
    library::{self, named_kinds},
    refs::{self, Reference, Refs as _},
    settings::Settings,
};

/// Expands to [`Object`] and to what the objects of each kind answer alike.
macro_rules! objects {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// A stored object. Cheap to clone.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Object {
            $($(#[$doc])* $variant(Arc<library::$module::$type>),)+
            /// User.
            User(Arc<User>),
            /// Team.
            Team(Arc<Team>),
            /// Organisation settings.
            Settings(Arc<Settings>),
        }

        impl Kind {
            /// The kinds that its fields refer to.
            pub fn targets(self) -> impl Iterator<Item = Self> {
                let targets: Vec<Self> = match self {
                    $(Self::$variant => {
                        library::$module::$type::EDGES.iter().map(|edge| edge.kind).collect()
                    })+
                    Self::User | Self::Team | Self::Settings => Vec::new(),
                };
                targets.into_iter()
            }

            /// Its fields beside those of [`COMMON`](super::field::COMMON). Users, teams and the
            /// settings have no table.
            pub fn fields(self) -> impl Iterator<Item = &'static Info> {
                let fields: Box<dyn Iterator<Item = &'static Info>> = match self {
                    $(Self::$variant => {
                        Box::new(library::$module::$type::FIELDS.iter().map(|field| &field.info))
                    })+
                    Self::User | Self::Team | Self::Settings => {
                        Box::new(std::iter::empty())
                    }
                };
                fields
            }
        }

        impl Object {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$variant(_) => Kind::$variant,)+
                    Self::User(_) => Kind::User,
                    Self::Team(_) => Kind::Team,
                    Self::Settings(_) => Kind::Settings,
                }
            }

            /// Its name or id as stored; empty for the settings.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(o) => o.common.unique_name.as_str(),)+
                    Self::User(o) => o.id.as_str(),
                    Self::Team(o) => o.id.as_str(),
                    Self::Settings(_) => "",
                }
            }

            /// Whether both are one and the same stored state, found without comparing fields.
            pub fn is(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$variant(mine), Self::$variant(other)) => Arc::ptr_eq(mine, other),)+
                    (Self::User(mine), Self::User(other)) => Arc::ptr_eq(mine, other),
                    (Self::Team(mine), Self::Team(other)) => Arc::ptr_eq(mine, other),
                    (Self::Settings(mine), Self::Settings(other)) => Arc::ptr_eq(mine, other),
                    _ => false,
                }
            }

            /// The fields that objects with a unique name share; none of users, teams and the
            /// settings.
            pub fn common(&self) -> Option<&Common> {
                match self {
                    $(Self::$variant(o) => Some(&o.common),)+
                    Self::User(_) | Self::Team(_) | Self::Settings(_) => None,
                }
            }

            /// Visits every reference to an object with a unique name that an object with a unique
            /// name holds.
            pub fn references<'a>(&'a self, visit: &mut dyn FnMut(Reference<'a>)) {
                match self {
                    $(Self::$variant(o) => refs::visit(o.as_ref(), visit),)+
                    Self::User(_) | Self::Team(_) | Self::Settings(_) => {}
                }
            }

            /// The value of one of the fields of [`Kind::fields`]; none where there is no such field or
            /// only the kind itself can read it.
            pub fn field(&self, path: &str) -> Option<Value<'_>> {
                match self {
                    $(Self::$variant(o) => {
                        let fields = library::$module::$type::FIELDS;
                        fields.iter().find(|field| field.info.path == path)?.value(o)
                    })+
                    Self::User(_) | Self::Team(_) | Self::Settings(_) => None,
                }
            }

            /// Kinds of which every object is part of the content that this one leads to.
            pub fn reads_every(&self) -> &'static [Kind] {
                match self {
                    $(Self::$variant(o) => o.reads_every(),)+
                    Self::User(_) | Self::Team(_) | Self::Settings(_) => &[],
                }
            }

            /// The server's notes on it.
            pub fn stamp(&self) -> &Stamp {
                match self {
                    $(Self::$variant(o) => &o.stamp,)+
                    Self::User(o) => &o.stamp,
                    Self::Team(o) => &o.stamp,
                    Self::Settings(o) => &o.stamp,
                }
            }

            /// The same state with the notes of another one.
            #[must_use]
            pub fn with_stamp(self, stamp: Stamp) -> Self {
                match self {
                    $(Self::$variant(mut o) => {
                        Arc::make_mut(&mut o).stamp = stamp;
                        Self::$variant(o)
                    })+
                    Self::User(mut o) => {
                        Arc::make_mut(&mut o).stamp = stamp;
                        Self::User(o)
                    }
                    Self::Team(mut o) => {
                        Arc::make_mut(&mut o).stamp = stamp;
                        Self::Team(o)
                    }
                    Self::Settings(mut o) => {
                        Arc::make_mut(&mut o).stamp = stamp;
                        Self::Settings(o)
                    }
                }
            }
        }
    };
}

named_kinds!(objects);

/// What identifies a stored object: its kind and its name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Kind.
    pub kind: Kind,
    /// Name or id in ASCII lower case; empty for the settings.
    pub name: String,
}

impl ObjectKey {
    /// The key of the object of that kind and name, in any spelling.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self { kind, name: name.to_ascii_lowercase() }
    }
}

impl Object {
    /// Its key.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.kind(), self.name())
    }

    /// Its encoding, as records hold it.
    pub fn encode(&self) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
    }

    /// Whether two states of an object differ in more than the server's notes.
    pub fn differs(&self, other: &Self) -> bool {
        self.clone().with_stamp(other.stamp().clone()) != *other
    }
}

/// A change of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// The object is now this.
    Put(Object),
    /// The object is gone.
    Delete(ObjectKey),
}

impl Change {
    /// The key of the object that changes.
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Put(object) => object.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}
