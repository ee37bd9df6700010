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

pub mod agent_script;
pub mod channel;
pub mod macros;
pub mod notification_template;
pub mod profile;
pub mod provider;
pub mod queue;
pub mod role;
pub mod session_template;
pub mod smart_assist_bot;
pub mod tab_template;
pub mod tool;
pub mod workstream;

/// Calls a macro with every kind that has a unique name:
/// `variant: module::type in table = collection, message of the API, reason when it does not exist,
/// how it is converted;`.
///
/// The last is `table` when its message and its writes follow from the field table alone, and `own` when
/// they have code of their own.
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
                = "notificationTemplates", NotificationTemplate, TemplateNotFound, table;
            /// Agent script.
            Script: agent_script::AgentScript in scripts
                = "agentScripts", AgentScript, ObjectNotFound, table;
            /// Macro.
            Macro: macros::Macro in macros
                = "macros", Macro, ObjectNotFound, table;
            /// Smart-assist bot.
            Bot: smart_assist_bot::SmartAssistBot in bots
                = "smartAssistBots", SmartAssistBot, ObjectNotFound, table;
            /// Work stream.
            Workstream: workstream::Workstream in workstreams
                = "workstreams", Workstream, ObjectNotFound, table;
            /// Productivity tool.
            Tool: tool::ProductivityTool in tools
                = "productivityTools", ProductivityTool, ObjectNotFound, table;
            /// Channel provider.
            Provider: provider::ChannelProvider in providers
                = "channelProviders", ChannelProvider, ProviderNotFound, own;
            /// Channel.
            Channel: channel::Channel in channels
                = "channels", Channel, ObjectNotFound, table;
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
