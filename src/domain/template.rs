//! Templates of sessions, tabs and notifications (SPEC §3.5 to §3.7).

use serde::{Deserialize, Serialize};

use super::{
    Common, Kind, Stamp, UniqueName,
    refs::{Edge, Refs},
};

/// Most additional tabs; ten with the anchor.
pub const MAX_ADDITIONAL_TABS: usize = 9;
/// Most scripts of a session template.
pub const MAX_SCRIPTS: usize = 20;
/// Most parameters of a tab.
pub const MAX_PARAMETERS: usize = 20;

/// What opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionType {
    /// A conversation; bound by workstreams.
    Generic,
    /// A record of one entity; bound by profiles.
    Entity,
}

/// How the communication panel starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PanelMode {
    /// Code 162450002.
    #[default]
    Docked,
    /// Code 162450000.
    Minimized,
    /// Code 162450001.
    Hidden,
}

/// What an agent's session consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTemplate {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// Immutable.
    pub session_type: SessionType,
    /// Logical name of the entity; empty for generic templates. Immutable.
    #[serde(default)]
    pub entity: String,
    /// At most 200 characters, slugs.
    #[serde(default)]
    pub title: String,
    /// How the communication panel starts.
    #[serde(default)]
    pub panel_mode: PanelMode,
    /// Generic only; at most 1024 characters.
    #[serde(default)]
    pub icon: String,
    /// Whether the anchor tab carries the session's title.
    #[serde(default)]
    pub title_on_anchor_tab: bool,
    /// Generic only, and required there.
    #[serde(default)]
    pub anchor_tab: Option<UniqueName>,
    /// Ordered.
    #[serde(default)]
    pub additional_tabs: Vec<UniqueName>,
    /// Ordered agent scripts.
    #[serde(default)]
    pub scripts: Vec<UniqueName>,
    /// Whether the expression chooses the default script.
    #[serde(default)]
    pub expression_enabled: bool,
    /// JSON of SPEC §9.6; empty when none.
    #[serde(default)]
    pub expression_tree: String,
}

/// What a tab shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PageType {
    /// Code 509180000.
    EntityList,
    /// Code 509180001.
    EntityRecord,
    /// Code 509180002.
    WebResource,
    /// Code 509180003; built-in only.
    Control,
    /// Code 509180004.
    Dashboard,
    /// Code 509180005.
    Search,
    /// Code 509180006.
    ThirdPartyWebsite,
    /// Code 509180007.
    CustomPage,
}

/// One tab of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabTemplate {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// At most 200 characters, slugs.
    #[serde(default)]
    pub title: String,
    /// Immutable.
    pub page_type: PageType,
    /// Whether the agent may close it.
    pub can_close: bool,
    /// In the order given; names unique ignoring case.
    #[serde(default)]
    pub parameters: Vec<TabParameter>,
}

/// One parameter of a tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabParameter {
    /// In the page type's spelling.
    pub name: String,
    /// At most 2048 characters.
    pub value: String,
    /// Optional, unique in the tab.
    #[serde(default)]
    pub unique_name: Option<UniqueName>,
}

/// What an agent is told when work arrives. No API yet: built-in templates only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTemplate {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// 1 to 100 characters, slugs.
    pub title: String,
    /// Path, at most 1024 characters.
    pub icon: String,
    /// Whether a countdown is shown.
    pub show_countdown: bool,
    /// 0 to 500.
    pub countdown_seconds: u16,
    /// Whether the work is assigned without a question.
    pub auto_assign: bool,
    /// Whether it is accepted without a question.
    pub auto_accept: bool,
    /// Whether the session opens in front.
    pub auto_popup_session: bool,
    /// 1 to 100 characters.
    pub accept_text: String,
    /// 1 to 100 characters.
    pub reject_text: String,
    /// Whether a reject button is shown.
    pub show_reject: bool,
    /// When the desktop notifies.
    pub desktop: DesktopNotification,
    /// Colours.
    pub theme: Theme,
    /// Ascending by order, then position.
    pub fields: Vec<NotificationField>,
}

/// When the desktop shows a notification of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DesktopNotification {
    /// Code 509180000.
    #[default]
    Never,
    /// Code 509180001.
    InBackground,
    /// Code 509180002.
    Always,
}

/// Colours of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Theme {
    /// Code 509180000.
    #[default]
    Dark,
    /// Code 509180001.
    Light,
}

/// One line of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationField {
    /// At most 100 characters.
    pub name: String,
    /// 1 to 200 characters.
    pub header: String,
    /// At most 1028 characters, slugs.
    pub value: String,
    /// Position; 0 first.
    pub order: i32,
}

impl Refs for SessionTemplate {
    const EDGES: &'static [Edge<Self>] = &[
        // Generic templates alone have an anchor tab, and no profile opens those.
        Edge::<Self>::content(
            "anchor_tab",
            Kind::TabTemplate,
            |template| &template.anchor_tab,
            |template| &mut template.anchor_tab,
        )
        .no_content()
        .restrict("needs it as its anchor tab"),
        Edge::content(
            "additional_tabs",
            Kind::TabTemplate,
            |template| &template.additional_tabs,
            |template| &mut template.additional_tabs,
        ),
        Edge::content(
            "scripts",
            Kind::Script,
            |template| &template.scripts,
            |template| &mut template.scripts,
        ),
    ];
}

impl Refs for TabTemplate {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Refs for NotificationTemplate {
    const EDGES: &'static [Edge<Self>] = &[];
}
