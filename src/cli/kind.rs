//! The kinds of resources, as data: what they are called and how they are read and written.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{Error, Result};

/// One kind of resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Name of the message, and of the kind in documents.
    pub name: &'static str,
    /// What the command line takes for it; the singular first, then the plural and short forms.
    pub names: &'static [&'static str],
    /// Service that keeps it.
    pub service: &'static str,
    /// Method that reads one.
    pub get: &'static str,
    /// Method that lists them and the field of its answer; a singleton has none.
    pub list: Option<(&'static str, &'static str)>,
    /// Method that changes one, or creates it.
    pub write: &'static str,
    /// Field of the resource in the request and the answer of that method.
    pub field: &'static str,
    /// First part of its resource name.
    pub collection: &'static str,
    /// Field of the name or id within the collection; a singleton has none.
    pub id: Option<&'static str>,
    /// Fields that only the server sets, beside [`READ_ONLY`], unless an action changes them.
    pub read_only: &'static [&'static str],
    /// Fields that a document may hold and that methods of their own change.
    pub actions: &'static [&'static str],
    /// Fields that cannot change after creation, beside the id.
    pub immutable: &'static [&'static str],
    /// Columns of a table: heading and field.
    pub columns: &'static [(&'static str, &'static str)],
}

/// Fields that only the server sets, of every kind that has them.
pub(super) const READ_ONLY: &[&str] = &[
    "name",
    "uid",
    "origin",
    "bundle",
    "bundle_version",
    "etag",
    "revision",
    "create_time",
    "update_time",
    "created_by",
    "updated_by",
];

/// Fields whose values are secret: they are sent, and never shown.
pub(super) const SECRET: &[&str] = &["secrets"];

/// Every kind, in the order in which one refers to those before it.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "OrganizationSettings",
        names: &["settings", "organization-settings"],
        service: "SettingsService",
        get: "GetSettings",
        list: None,
        write: "UpdateSettings",
        field: "settings",
        collection: "organizationSettings",
        id: None,
        read_only: &[],
        actions: &[],
        immutable: &[],
        columns: &[
            ("CHANNELS", "channels_provisioned"),
            ("COPILOT", "copilot_opt_in"),
            ("REVISION", "revision"),
        ],
    },
    Kind {
        name: "SecurityRole",
        names: &["role", "roles", "security-role", "security-roles"],
        service: "DirectoryService",
        get: "GetSecurityRole",
        list: Some(("ListSecurityRoles", "security_roles")),
        write: "UpsertRole",
        field: "role",
        collection: "securityRoles",
        id: Some("unique_name"),
        read_only: &["family"],
        actions: &[],
        immutable: &["root_role"],
        columns: &[
            ("NAME", "unique_name"),
            ("DISPLAY NAME", "display_name"),
            ("ORIGIN", "origin"),
            ("ROOT", "root_role"),
            ("FAMILY", "family"),
            ("GRANTS", "grants"),
        ],
    },
    Kind {
        name: "ApplicationTabTemplate",
        names: &[
            "tab-template",
            "tab-templates",
            "tab",
            "tabs",
            "application-tab-template",
            "application-tab-templates",
        ],
        service: "ApplicationTabTemplateService",
        get: "GetApplicationTabTemplate",
        list: Some(("ListApplicationTabTemplates", "application_tab_templates")),
        write: "UpdateApplicationTabTemplate",
        field: "application_tab_template",
        collection: "applicationTabTemplates",
        id: Some("unique_name"),
        read_only: &[],
        actions: &["state"],
        immutable: &["page_type"],
        columns: &[
            ("NAME", "unique_name"),
            ("DISPLAY NAME", "display_name"),
            ("STATE", "state"),
            ("ORIGIN", "origin"),
            ("PAGE TYPE", "page_type"),
            ("TITLE", "title"),
        ],
    },
    Kind {
        name: "ProductivityTool",
        names: &["tool", "tools", "productivity-tool", "productivity-tools"],
        service: "ProductivityToolService",
        get: "GetProductivityTool",
        list: Some(("ListProductivityTools", "productivity_tools")),
        write: "UpdateProductivityTool",
        field: "productivity_tool",
        collection: "productivityTools",
        id: Some("unique_name"),
        read_only: &["org_gate", "required_role"],
        actions: &["state"],
        immutable: &[],
        columns: &[
            ("NAME", "unique_name"),
            ("DISPLAY NAME", "display_name"),
            ("STATE", "state"),
            ("ORIGIN", "origin"),
            ("CATEGORY", "category"),
            ("GATE", "org_gate"),
            ("ROLE", "required_role"),
        ],
    },
    Kind {
        name: "ChannelProvider",
        names: &["provider", "providers", "channel-provider", "channel-providers"],
        service: "ProviderService",
        get: "GetChannelProvider",
        list: Some(("ListChannelProviders", "channel_providers")),
        write: "UpdateChannelProvider",
        field: "channel_provider",
        collection: "channelProviders",
        id: Some("unique_name"),
        read_only: &["secret_states", "health"],
        actions: &["state"],
        immutable: &["api_version", "adapter"],
        columns: &[
            ("NAME", "unique_name"),
            ("LABEL", "label"),
            ("STATE", "state"),
            ("ORIGIN", "origin"),
            ("ORDER", "channel_order"),
            ("ADAPTER", "adapter"),
            ("URL", "channel_url"),
        ],
    },
    Kind {
        name: "SessionTemplate",
        names: &["session-template", "session-templates", "template", "templates", "session"],
        service: "SessionTemplateService",
        get: "GetSessionTemplate",
        list: Some(("ListSessionTemplates", "session_templates")),
        write: "UpdateSessionTemplate",
        field: "session_template",
        collection: "sessionTemplates",
        id: Some("unique_name"),
        read_only: &[],
        actions: &["state"],
        immutable: &["type", "entity"],
        columns: &[
            ("NAME", "unique_name"),
            ("DISPLAY NAME", "display_name"),
            ("STATE", "state"),
            ("ORIGIN", "origin"),
            ("TYPE", "type"),
            ("ENTITY", "entity"),
            ("ANCHOR", "anchor_tab"),
        ],
    },
    Kind {
        name: "Profile",
        names: &["profile", "profiles", "prof"],
        service: "ProfileService",
        get: "GetProfile",
        list: Some(("ListProfiles", "profiles")),
        write: "UpdateProfile",
        field: "profile",
        collection: "profiles",
        id: Some("unique_name"),
        read_only: &["unmatched_roles", "default_set_time"],
        actions: &["state", "rank", "roles", "is_default"],
        immutable: &["app_module"],
        columns: &[
            ("NAME", "unique_name"),
            ("DISPLAY NAME", "display_name"),
            ("STATE", "state"),
            ("ORIGIN", "origin"),
            ("RANK", "rank"),
            ("ROLES", "roles"),
            ("DEFAULT", "is_default"),
        ],
    },
    Kind {
        name: "User",
        names: &["user", "users"],
        service: "DirectoryService",
        get: "GetUser",
        list: Some(("ListUsers", "users")),
        write: "UpsertUser",
        field: "user",
        collection: "users",
        id: Some("id"),
        read_only: &["team_roles", "direct"],
        actions: &["roles", "disabled"],
        immutable: &["kind"],
        columns: &[
            ("ID", "id"),
            ("DISPLAY NAME", "display_name"),
            ("KIND", "kind"),
            ("DISABLED", "disabled"),
            ("ROLES", "roles"),
            ("TEAM ROLES", "team_roles.role"),
            ("DIRECT", "direct.profile"),
        ],
    },
    Kind {
        name: "Team",
        names: &["team", "teams"],
        service: "DirectoryService",
        get: "GetTeam",
        list: Some(("ListTeams", "teams")),
        write: "UpsertTeam",
        field: "team",
        collection: "teams",
        id: Some("id"),
        read_only: &[],
        actions: &[],
        immutable: &[],
        columns: &[
            ("ID", "id"),
            ("DISPLAY NAME", "display_name"),
            ("ROLES", "roles"),
            ("MEMBERS", "members"),
        ],
    },
];

impl Kind {
    /// The kind of that name, in any of its forms and any case.
    pub(super) fn find(name: &str) -> Result<&'static Self> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
        let wanted = plain(name);
        KINDS
            .iter()
            .find(|kind| {
                plain(kind.name) == wanted || kind.names.iter().any(|name| plain(name) == wanted)
            })
            .ok_or_else(|| {
                let all: Vec<_> = KINDS.iter().map(|kind| kind.names[0]).collect();
                Error::Usage(format!("there is no kind `{name}`; there are {}", all.join(", ")))
            })
    }

    /// The resource name that requests take, of a bare or full name.
    pub(super) fn resource_name(&self, name: &str) -> String {
        match self.id {
            None => self.collection.to_owned(),
            Some(_) if name.starts_with(&format!("{}/", self.collection)) => name.to_owned(),
            // Behind the slash `%` begins an escape; a bare id is literal.
            Some(_) => format!("{}/{}", self.collection, name.replace('%', "%25")),
        }
    }

    /// The name or id in a resource name of this kind, decoded; any other text is answered as it is.
    pub(super) fn bare<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let inner = name.strip_prefix(self.collection).and_then(|rest| rest.strip_prefix('/'));
        let decoded = inner.and_then(|inner| percent_decode_str(inner).decode_utf8().ok());
        decoded.unwrap_or(Cow::Borrowed(name))
    }

    /// How messages to people name one: `profile/contoso_rep`.
    pub(super) fn label(&self, id: &str) -> String {
        match self.id {
            None => self.names[0].to_owned(),
            Some(_) => format!("{}/{id}", self.names[0]),
        }
    }

    /// Whether only the server sets the field.
    pub(super) fn is_read_only(&self, field: &str) -> bool {
        READ_ONLY.contains(&field) || self.read_only.contains(&field)
    }

    /// Whether the values of the field are secret.
    pub(super) fn is_secret(&self, field: &str) -> bool {
        SECRET.contains(&field)
    }

    /// Position in the order in which documents are sent.
    pub(super) fn stage(&self) -> usize {
        KINDS.iter().position(|kind| kind == self).unwrap_or(KINDS.len())
    }
}

#[cfg(test)]
mod tests;
