//! The kinds that have a unique name: one file each, and one list.
//!
//! A kind is a module here and one line of the list. What follows from the list is expanded from it
//! and cannot be forgotten for one kind: [`Kind`] and [`Object`] with all that they answer, the traits
//! [`Stored`] and [`Named`], the tables of the catalog with their comparison, the generic writes, and
//! the conversion from and to the messages of the API. Users, teams and the settings have no unique
//! name and stand beside the list in each place.
//!
//! [`Kind`]: super::Kind
//! [`Object`]: super::Object
//! [`Stored`]: super::stored::Stored
//! [`Named`]: super::stored::Named

pub mod channel;
pub mod notification_template;
pub mod profile;
pub mod provider;
pub mod queue;
pub mod role;
pub mod session_template;
pub mod tab_template;
pub mod tool;

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
            /// Queue.
            Queue: queue::Queue in queues
                = "queues", Queue, ObjectNotFound, table;
            /// Security role.
            Role: role::SecurityRole in roles
                = "securityRoles", SecurityRole, RoleNotFound, own;
        }
    };
}

pub(crate) use named_kinds;
