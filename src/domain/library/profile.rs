//! The experience profile (SPEC §3.1).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Kind, Stamp, Time, UniqueName,
    copilot::Setting,
    field::{Field, Fields, choice, field},
    refs::{Edge, Names, Refs},
};

/// Strongest to weakest: 0 to 100.
pub const MAX_RANK: u8 = 100;
/// Limits of SPEC §3.1.
pub const MAX_ROLES: usize = 50;
/// Most session templates of a profile.
pub const MAX_SESSION_TEMPLATES: usize = 50;
/// Most pane tools of a profile.
pub const MAX_PANE_TOOLS: usize = 30;
/// Most inbox views of a profile.
pub const MAX_INBOX_VIEWS: usize = 20;
/// Most providers of a profile.
pub const MAX_PROVIDERS: usize = 10;
/// What `app_module` holds unless it was given at creation.
pub const APP_MODULE: &str = "CustomerServiceApps";

/// A named set of templates, pane tools, Copilot features, inbox, channel and voice settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// Immutable, at most 100 characters.
    pub app_module: String,
    /// 0 (strongest) to 100.
    #[serde(default)]
    pub rank: Option<u8>,
    /// Mapped root roles.
    #[serde(default)]
    pub roles: BTreeSet<UniqueName>,
    /// Roles of an import that do not exist here; never match.
    #[serde(default)]
    pub unmatched_roles: BTreeSet<String>,
    /// Whether the profile is the custom default.
    #[serde(default)]
    pub is_default: bool,
    /// When it became the default.
    #[serde(default)]
    pub default_set_time: Option<Time>,
    /// Session templates, ordered.
    #[serde(default)]
    pub session_templates: Vec<UniqueName>,
    /// Productivity pane.
    #[serde(default)]
    pub pane: Pane,
    /// Copilot features by name; a feature that is not a key is unset.
    #[serde(default)]
    pub copilot: BTreeMap<String, Setting>,
    /// Inbox.
    #[serde(default)]
    pub inbox: Inbox,
    /// Whether all active channels are opened.
    #[serde(default)]
    pub all_active_channels: bool,
    /// Linked third-party voice providers.
    #[serde(default)]
    pub providers: BTreeSet<UniqueName>,
    /// Whether a built-in profile has the pane, channels and session templates of an imported bundle
    /// and not those that this program ships. No caller reads or changes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

impl Profile {
    /// An empty profile: custom, active, nothing set.
    pub fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            app_module: APP_MODULE.to_owned(),
            rank: None,
            roles: BTreeSet::new(),
            unmatched_roles: BTreeSet::new(),
            is_default: false,
            default_set_time: None,
            session_templates: Vec::new(),
            pane: Pane::default(),
            copilot: BTreeMap::new(),
            inbox: Inbox::default(),
            all_active_channels: false,
            providers: BTreeSet::new(),
            adopted: false,
        }
    }

    /// The unique name.
    pub fn name(&self) -> &UniqueName {
        &self.common.unique_name
    }
}

/// How the pane opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PaneMode {
    /// Open.
    #[default]
    Expanded,
    /// As a strip of icons.
    Collapsed,
}

choice! {
    PaneMode { Expanded = "EXPANDED", Collapsed = "COLLAPSED" }
}

/// The productivity pane.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pane {
    /// Whether the pane is shown.
    pub on: bool,
    /// How it opens.
    pub mode: PaneMode,
    /// Tools, ascending by order, then by name.
    pub tools: Vec<PaneTool>,
}

/// One tool of the pane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneTool {
    /// The productivity tool.
    pub tool: UniqueName,
    /// Whether the profile shows it.
    pub enabled: bool,
    /// Position; 0 first.
    pub order: i32,
    /// Replaces the tool's own label; at most 100 characters.
    pub label: String,
    /// At most 100 characters.
    pub tooltip: String,
    /// At most 100 characters.
    pub icon: String,
}

/// The inbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inbox {
    /// Whether the inbox is shown.
    pub enabled: bool,
    /// Views, ordered.
    pub views: Vec<InboxView>,
}

/// One view of the inbox (SPEC §3.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InboxView {
    /// 1 to 100 letters, digits and spaces.
    pub name: String,
    /// Optional unique name, unique in the profile.
    pub unique_name: Option<UniqueName>,
    /// Whether it opens first.
    pub is_default: bool,
    /// Whether agents see it.
    pub visible: bool,
    /// 1 to 10 record types, in SPEC's spelling: `case`, `custom:contoso_order`.
    pub record_types: Vec<String>,
    /// Per record type, one or more of its values.
    pub simple_filters: Vec<(String, Vec<String>)>,
    /// JSON object, at most 64 KiB; empty when not given.
    pub advanced_filter: String,
    /// Sort keys, at most 10.
    pub sort: Vec<SortKey>,
    /// Whether rows of other partitions are listed.
    pub cross_partition: bool,
    /// Per record type, at most 10 attributes.
    pub card: Vec<(String, Vec<String>)>,
}

impl InboxView {
    /// Whether the view shows conversations or voicemails, and so needs channels.
    pub fn is_chat(&self) -> bool {
        self.record_types.iter().any(|t| t == "conversation" || t == "voicemail")
    }
}

/// One sort key of an inbox view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    /// Logical name of the entity.
    pub entity: String,
    /// Its attribute.
    pub attribute: String,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Fields for Profile {
    const FIELDS: &'static [Field<Self>] = &[
        field!(app_module).immutable(),
        field!(rank).action("SetRankAndRoles and RemoveRankAndRoles").filter().column("RANK"),
        field!(roles)
            .refers(Kind::Role)
            .action("SetRankAndRoles and RemoveRankAndRoles")
            .filter()
            .column("ROLES"),
        field!(unmatched_roles).output(),
        field!(is_default).action("SetDefault and RemoveDefault").filter().column("DEFAULT"),
        Field::described("default_set_time").output(),
        field!(session_templates).refers(Kind::SessionTemplate).filter(),
        Field::described("pane"),
        field!(pane.on as "pane.on"),
        field!(pane.mode as "pane.mode"),
        Field::described("pane.tools"),
        Field::described("copilot"),
        Field::described("inbox"),
        field!(inbox.enabled as "inbox.enabled"),
        Field::described("inbox.views"),
        Field::described("channels"),
        field!(all_active_channels as "channels.all_active"),
        field!(providers).refers(Kind::Provider).filter(),
    ];
}

impl Refs for Profile {
    const EDGES: &'static [Edge<Self>] = &[
        Edge::content(
            "session_templates",
            Kind::SessionTemplate,
            |profile, visit| profile.session_templates.each(visit),
            |profile, edit| profile.session_templates.edit(edit),
        ),
        Edge::content(
            "pane.tools",
            Kind::Tool,
            |profile, visit| profile.pane.tools.each(visit),
            |profile, edit| profile.pane.tools.edit(edit),
        ),
        Edge::content(
            "providers",
            Kind::Provider,
            |profile, visit| profile.providers.each(visit),
            |profile, edit| profile.providers.edit(edit),
        ),
        // Roles choose the profile; what it holds does not depend on them.
        Edge::<Self>::content(
            "roles",
            Kind::Role,
            |profile, visit| profile.roles.each(visit),
            |profile, edit| profile.roles.edit(edit),
        )
        .no_content(),
    ];

    fn reads_every(&self) -> &'static [Kind] {
        if self.all_active_channels { &[Kind::Channel, Kind::Workstream] } else { &[] }
    }
}

impl Names for Vec<PaneTool> {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a UniqueName)) {
        self.iter().map(|entry| &entry.tool).for_each(visit);
    }

    fn edit(&mut self, edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>) {
        self.retain_mut(|entry| edit(&entry.tool).map(|new| entry.tool = new).is_some());
    }
}
