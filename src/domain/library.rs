//! The kinds that have a unique name: one file each, and one list.
//!
//! A kind is a module here and one line of the list. What follows from the list is expanded from it
//! and cannot be forgotten for one kind: [`Kind`] and [`Object`] with all that they answer, the traits
//! [`Stored`] and [`Named`], the tables of the catalog with their comparison, the generic writes, and
//! the conversion from and to the messages of the API. Users, teams and the settings have no unique
//! name and stand beside the list in each place.
//!
//! [`Object`]: super::Object
//! [`Stored`]: super::stored::Stored
//! [`Named`]: super::stored::Named

pub mod channel;
pub mod notification_template;
pub mod profile;
pub mod provider;
pub mod role;
pub mod session_template;
pub mod tab_template;
pub mod tool;

use serde::{Deserialize, Serialize};

use super::{
    Reason,
    field::{Fields as _, Info},
    refs::Refs as _,
};

/// Calls a macro with every kind that has a unique name:
/// `variant: module::type in table = collection, message of the API, reason when it does not exist,
/// how it is converted;`.
///
/// The last is `table` when its message and its writes follow from the field table alone, `own` when
/// they have code of their own, and `none` while the API has no message of it.
macro_rules! named_kinds {
    ($callback:ident) => {
        $callback! {
            /// Profile.
            Profile: profile::Profile in profiles
                = "profiles", Profile, ProfileNotFound, own;
            /// Session template.
            SessionTemplate: session_template::SessionTemplate in session_templates
                = "sessionTemplates", SessionTemplate, TemplateNotFound, table;
            /// Application tab template.
            TabTemplate: tab_template::TabTemplate in tab_templates
                = "applicationTabTemplates", ApplicationTabTemplate, TemplateNotFound, table;
            /// Notification template.
            NotificationTemplate: notification_template::NotificationTemplate in notification_templates
                = "notificationTemplates", NotificationTemplate, TemplateNotFound, none;
            /// Productivity tool.
            Tool: tool::ProductivityTool in tools
                = "productivityTools", ProductivityTool, ObjectNotFound, table;
            /// Channel provider.
            Provider: provider::ChannelProvider in providers
                = "channelProviders", ChannelProvider, ProviderNotFound, own;
            /// Channel.
            Channel: channel::Channel in channels
                = "channels", Channel, ObjectNotFound, none;
            /// Security role.
            Role: role::SecurityRole in roles
                = "securityRoles", SecurityRole, RoleNotFound, own;
        }
    };
}

pub(crate) use named_kinds;

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

            /// The name that SPEC and the API give it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($message),)+
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

            /// The kinds that its fields refer to.
            pub fn targets(self) -> impl Iterator<Item = Self> {
                let targets: Vec<Self> = match self {
                    $(Self::$variant => {
                        $module::$type::EDGES.iter().map(|edge| edge.kind).collect()
                    })+
                    Self::Script | Self::User | Self::Team | Self::Settings => Vec::new(),
                };
                targets.into_iter()
            }

            /// Its fields beside those of [`COMMON`](super::field::COMMON). Users, teams and the
            /// settings have no table.
            pub fn fields(self) -> impl Iterator<Item = &'static Info> {
                let fields: Box<dyn Iterator<Item = &'static Info>> = match self {
                    $(Self::$variant => {
                        Box::new($module::$type::FIELDS.iter().map(|field| &field.info))
                    })+
                    Self::Script | Self::User | Self::Team | Self::Settings => {
                        Box::new(std::iter::empty())
                    }
                };
                fields
            }
        }

    };
}

named_kinds!(kinds);
