//! The kinds of stored objects.

use serde::{Deserialize, Serialize};

use super::{Reason, library::named_kinds};

/// Expands to [`Kind`] and to what each kind answers alike.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// Kind of a stored object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
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

            /// Every kind that is stored.
            pub fn all() -> impl Iterator<Item = Self> {
                Self::NAMED.iter().copied().chain([Self::User, Self::Team, Self::Settings])
            }

            /// The name that SPEC and the API give it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($message),)+
                    Self::User => "User",
                    Self::Team => "Team",
                    Self::Settings => "OrganizationSettings",
                }
            }

            /// Collection of its resource names: `profiles` of `profiles/contoso_rep`.
            pub fn collection(self) -> &'static str {
                match self {
                    $(Self::$variant => $collection,)+
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
                    Self::Settings => Reason::ObjectNotFound,
                }
            }
        }

    };
}

named_kinds!(kinds);
