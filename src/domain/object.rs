//! Any stored object, its key, and a change of one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Common, Stamp,
    channel::Channel,
    directory::{SecurityRole, Team, User},
    library::ProductivityTool,
    profile::Profile,
    provider::ChannelProvider,
    refusal::Reason,
    settings::Settings,
    template::{NotificationTemplate, SessionTemplate, TabTemplate},
};

/// Kind of a stored object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Profile.
    Profile,
    /// Session template.
    SessionTemplate,
    /// Application tab template.
    TabTemplate,
    /// Notification template.
    NotificationTemplate,
    /// Productivity tool.
    Tool,
    /// Channel provider.
    Provider,
    /// Channel.
    Channel,
    /// Agent script: referred to, but not stored yet.
    Script,
    /// User.
    User,
    /// Security role.
    Role,
    /// Team.
    Team,
    /// Organisation settings.
    Settings,
}

impl Kind {
    /// The name that SPEC gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "Profile",
            Self::SessionTemplate => "SessionTemplate",
            Self::TabTemplate => "ApplicationTabTemplate",
            Self::NotificationTemplate => "NotificationTemplate",
            Self::Tool => "ProductivityTool",
            Self::Provider => "ChannelProvider",
            Self::Channel => "Channel",
            Self::Script => "AgentScript",
            Self::User => "User",
            Self::Role => "SecurityRole",
            Self::Team => "Team",
            Self::Settings => "OrganizationSettings",
        }
    }

    /// Collection of its resource names: `profiles` of `profiles/contoso_rep`.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Profile => "profiles",
            Self::SessionTemplate => "sessionTemplates",
            Self::TabTemplate => "applicationTabTemplates",
            Self::NotificationTemplate => "notificationTemplates",
            Self::Tool => "productivityTools",
            Self::Provider => "channelProviders",
            Self::Channel => "channels",
            Self::Script => "agentScripts",
            Self::User => "users",
            Self::Role => "securityRoles",
            Self::Team => "teams",
            Self::Settings => "organizationSettings",
        }
    }

    /// The reason of a refusal because an object of this kind does not exist.
    pub fn not_found(self) -> Reason {
        match self {
            Self::Profile => Reason::ProfileNotFound,
            Self::User => Reason::UserNotFound,
            Self::Role => Reason::RoleNotFound,
            Self::Team => Reason::TeamNotFound,
            Self::SessionTemplate | Self::TabTemplate | Self::NotificationTemplate => {
                Reason::TemplateNotFound
            }
            Self::Provider => Reason::ProviderNotFound,
            Self::Tool | Self::Channel | Self::Script | Self::Settings => Reason::ObjectNotFound,
        }
    }
}

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

/// A stored object. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Object {
    /// Profile.
    Profile(Arc<Profile>),
    /// Session template.
    SessionTemplate(Arc<SessionTemplate>),
    /// Application tab template.
    TabTemplate(Arc<TabTemplate>),
    /// Notification template.
    NotificationTemplate(Arc<NotificationTemplate>),
    /// Productivity tool.
    Tool(Arc<ProductivityTool>),
    /// Channel provider.
    Provider(Arc<ChannelProvider>),
    /// Channel.
    Channel(Arc<Channel>),
    /// User.
    User(Arc<User>),
    /// Security role.
    Role(Arc<SecurityRole>),
    /// Team.
    Team(Arc<Team>),
    /// Organisation settings.
    Settings(Arc<Settings>),
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Profile(_) => Kind::Profile,
            Self::SessionTemplate(_) => Kind::SessionTemplate,
            Self::TabTemplate(_) => Kind::TabTemplate,
            Self::NotificationTemplate(_) => Kind::NotificationTemplate,
            Self::Tool(_) => Kind::Tool,
            Self::Provider(_) => Kind::Provider,
            Self::Channel(_) => Kind::Channel,
            Self::User(_) => Kind::User,
            Self::Role(_) => Kind::Role,
            Self::Team(_) => Kind::Team,
            Self::Settings(_) => Kind::Settings,
        }
    }

    /// Its name or id as stored; empty for the settings.
    pub fn name(&self) -> &str {
        match self {
            Self::Profile(o) => o.common.unique_name.as_str(),
            Self::SessionTemplate(o) => o.common.unique_name.as_str(),
            Self::TabTemplate(o) => o.common.unique_name.as_str(),
            Self::NotificationTemplate(o) => o.common.unique_name.as_str(),
            Self::Tool(o) => o.common.unique_name.as_str(),
            Self::Provider(o) => o.common.unique_name.as_str(),
            Self::Channel(o) => o.common.unique_name.as_str(),
            Self::User(o) => o.id.as_str(),
            Self::Role(o) => o.common.unique_name.as_str(),
            Self::Team(o) => o.id.as_str(),
            Self::Settings(_) => "",
        }
    }

    /// Its key.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.kind(), self.name())
    }

    /// Whether both are one and the same stored state, found without a look at the fields.
    pub fn is(&self, other: &Self) -> bool {
        macro_rules! same {
            ($($variant:ident),+) => {
                match (self, other) {
                    $((Self::$variant(mine), Self::$variant(other)) => Arc::ptr_eq(mine, other),)+
                    _ => false,
                }
            };
        }
        same!(
            Profile,
            SessionTemplate,
            TabTemplate,
            NotificationTemplate,
            Tool,
            Provider,
            Channel,
            User,
            Role,
            Team,
            Settings
        )
    }

    /// The fields that objects with a unique name share; none of users, teams and the settings.
    pub fn common(&self) -> Option<&Common> {
        match self {
            Self::Profile(o) => Some(&o.common),
            Self::SessionTemplate(o) => Some(&o.common),
            Self::TabTemplate(o) => Some(&o.common),
            Self::NotificationTemplate(o) => Some(&o.common),
            Self::Tool(o) => Some(&o.common),
            Self::Provider(o) => Some(&o.common),
            Self::Channel(o) => Some(&o.common),
            Self::Role(o) => Some(&o.common),
            Self::User(_) | Self::Team(_) | Self::Settings(_) => None,
        }
    }

    /// The server's notes on it.
    pub fn stamp(&self) -> &Stamp {
        match self {
            Self::Profile(o) => &o.stamp,
            Self::SessionTemplate(o) => &o.stamp,
            Self::TabTemplate(o) => &o.stamp,
            Self::NotificationTemplate(o) => &o.stamp,
            Self::Tool(o) => &o.stamp,
            Self::Provider(o) => &o.stamp,
            Self::Channel(o) => &o.stamp,
            Self::User(o) => &o.stamp,
            Self::Role(o) => &o.stamp,
            Self::Team(o) => &o.stamp,
            Self::Settings(o) => &o.stamp,
        }
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
