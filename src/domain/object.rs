//! Any stored object, its key, and a change of one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Common, Stamp, channel,
    directory::{self, Team, User},
    kinds::named_kinds,
    library, profile, provider,
    refusal::Reason,
    settings::Settings,
    template,
};

/// Expands to [`Kind`] and [`Object`] and to what each kind answers alike.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $name:literal, $missing:ident;
    )+) => {
        /// Kind of a stored object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
            /// Agent script: referred to, but not stored yet.
            Script,
            /// User.
            User,
            /// Team.
            Team,
            /// Organisation settings.
            Settings,
        }

        impl Kind {
            /// Every kind that has a unique name.
            pub const NAMED: &'static [Self] = &[$(Self::$variant),+];

            /// The name that SPEC gives it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Script => "AgentScript",
                    Self::User => "User",
                    Self::Team => "Team",
                    Self::Settings => "OrganizationSettings",
                }
            }

            /// Collection of its resource names: `profiles` of `profiles/contoso_rep`.
            pub fn collection(self) -> &'static str {
                match self {
                    $(Self::$variant => $collection,)+
                    Self::Script => "agentScripts",
                    Self::User => "users",
                    Self::Team => "teams",
                    Self::Settings => "organizationSettings",
                }
            }

            /// The reason of a refusal because an object of this kind does not exist.
            pub fn not_found(self) -> Reason {
                match self {
                    $(Self::$variant => Reason::$missing,)+
                    Self::User => Reason::UserNotFound,
                    Self::Team => Reason::TeamNotFound,
                    Self::Script | Self::Settings => Reason::ObjectNotFound,
                }
            }
        }

        /// A stored object. Cheap to clone.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Object {
            $($(#[$doc])* $variant(Arc<$module::$type>),)+
            /// User.
            User(Arc<User>),
            /// Team.
            Team(Arc<Team>),
            /// Organisation settings.
            Settings(Arc<Settings>),
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

            /// Whether both are one and the same stored state, found without a look at the fields.
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

named_kinds!(kinds);

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
