//! The list of kinds that have a unique name.
//!
//! A kind is one line here. What follows from the list is expanded from it and cannot be forgotten
//! for one kind: [`Kind`] and [`Object`] with all that they answer, the traits [`Stored`] and
//! [`Named`], and the tables of the catalog with their comparison. Users, teams and the settings
//! have no unique name and stand beside the list in each place.
//!
//! [`Object`]: super::Object
//! [`Stored`]: super::stored::Stored
//! [`Named`]: super::stored::Named

use serde::{Deserialize, Serialize};

use super::Reason;

/// Calls a macro with every kind that has a unique name:
/// `variant: type in table = collection, name in SPEC, reason when it does not exist;`.
macro_rules! named_kinds {
    ($callback:ident) => {
        $callback! {
            /// Profile.
            Profile: profile::Profile in profiles
                = "profiles", "Profile", ProfileNotFound;
            /// Session template.
            SessionTemplate: template::SessionTemplate in session_templates
                = "sessionTemplates", "SessionTemplate", TemplateNotFound;
            /// Application tab template.
            TabTemplate: template::TabTemplate in tab_templates
                = "applicationTabTemplates", "ApplicationTabTemplate", TemplateNotFound;
            /// Notification template.
            NotificationTemplate: template::NotificationTemplate in notification_templates
                = "notificationTemplates", "NotificationTemplate", TemplateNotFound;
            /// Productivity tool.
            Tool: library::ProductivityTool in tools
                = "productivityTools", "ProductivityTool", ObjectNotFound;
            /// Channel provider.
            Provider: provider::ChannelProvider in providers
                = "channelProviders", "ChannelProvider", ProviderNotFound;
            /// Channel.
            Channel: channel::Channel in channels
                = "channels", "Channel", ObjectNotFound;
            /// Security role.
            Role: directory::SecurityRole in roles
                = "securityRoles", "SecurityRole", RoleNotFound;
        }
    };
}

pub(crate) use named_kinds;

/// Expands to [`Kind`] and to what each kind answers alike.
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

    };
}

named_kinds!(kinds);
