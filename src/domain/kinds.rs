//! The list of kinds that have a unique name.
//!
//! A kind is one line here. What follows from the list is expanded from it and cannot be forgotten
//! for one kind: [`Kind`] and [`Object`] with all that they answer, the traits [`Stored`] and
//! [`Named`], and the tables of the catalog with their comparison. Users, teams and the settings
//! have no unique name and stand beside the list in each place.
//!
//! [`Kind`]: super::Kind
//! [`Object`]: super::Object
//! [`Stored`]: super::stored::Stored
//! [`Named`]: super::stored::Named

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
