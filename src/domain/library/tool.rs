//! Productivity tools (SPEC §3.12).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Kind, Stamp, UniqueName, Violations,
    field::{Field, FieldType, FieldValue, Fields, Value, choice, field},
    refs::{Edge, Names as _, Refs},
    rules::Rules,
};

/// The built-in tool that shows scripts.
pub const SCRIPTS_TOOL: &str = "msdyn_tool_scripts";
/// The built-in tool that shows what smart-assist bots suggest.
pub const SMART_ASSIST_TOOL: &str = "msdyn_tool_smart_assist";

/// Shelf of the tool library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ToolCategory {
    /// No shelf.
    #[default]
    Uncategorized,
    /// Guides the agent.
    AgentGuidance,
    /// Looks things up.
    Reference,
    /// Talks to colleagues.
    Collaboration,
    /// Acts by itself.
    AutomatedAction,
}

/// Organisation setting that can hide a built-in tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrgGate {
    /// `copilot_opt_in`.
    CopilotOptIn,
    /// `case_handling_time`.
    CaseHandlingTime,
    /// `screen_recording`.
    ScreenRecording,
}

impl OrgGate {
    /// The name of the setting.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CopilotOptIn => "copilot_opt_in",
            Self::CaseHandlingTime => "case_handling_time",
            Self::ScreenRecording => "screen_recording",
        }
    }
}

/// One tool that a pane can show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductivityTool {
    /// Common fields; the description has at most 256 characters.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// 1 to 100 characters.
    pub control_name: String,
    /// At most 1000 characters.
    #[serde(default)]
    pub data: String,
    /// At most 100 characters.
    #[serde(default)]
    pub icon: String,
    /// At most 100 characters.
    #[serde(default)]
    pub learn_more: String,
    /// Whether it has settings of its own.
    #[serde(default)]
    pub configurable: bool,
    /// At most 100 characters.
    #[serde(default)]
    pub configuration_entity: String,
    /// Shelf.
    #[serde(default)]
    pub category: ToolCategory,
    /// Built-in tools only.
    #[serde(default)]
    pub org_gate: Option<OrgGate>,
    /// Built-in tools only.
    #[serde(default)]
    pub required_role: Option<UniqueName>,
}

impl Refs for ProductivityTool {
    const EDGES: &'static [Edge<Self>] = &[Edge::content(
        "required_role",
        Kind::Role,
        |tool, visit| tool.required_role.each(visit),
        |tool, edit| tool.required_role.edit(edit),
    )];
}

choice! {
    ToolCategory {
        Uncategorized = "UNCATEGORIZED",
        AgentGuidance = "AGENT_GUIDANCE",
        Reference = "REFERENCE",
        Collaboration = "COLLABORATION",
        AutomatedAction = "AUTOMATED_ACTION",
    }
}

/// Output only: the API shows the name of the setting.
impl FieldValue for Option<OrgGate> {
    const TYPE: FieldType = FieldType::Text;

    fn value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self.map(OrgGate::as_str).unwrap_or_default()))
    }

    fn of(_: Value<'_>) -> Option<Self> {
        None
    }
}

impl Fields for ProductivityTool {
    const FIELDS: &'static [Field<Self>] = &[
        field!(control_name).length(1, 100).required(),
        field!(data).length(0, 1_000),
        field!(icon).length(0, 100),
        field!(learn_more).length(0, 100),
        field!(configurable),
        field!(configuration_entity).length(0, 100),
        field!(category).column("CATEGORY"),
        field!(org_gate).output().column("GATE"),
        field!(required_role).refers(Kind::Role).output().column("ROLE"),
    ];
}

impl Rules for ProductivityTool {
    const MAX_DESCRIPTION: usize = 256;

    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            control_name: String::new(),
            data: String::new(),
            icon: String::new(),
            learn_more: String::new(),
            configurable: false,
            configuration_entity: String::new(),
            category: ToolCategory::default(),
            org_gate: None,
            required_role: None,
        }
    }

    /// Custom tools are never gated.
    fn prepare_clone(&mut self, _v: &mut Violations) {
        self.org_gate = None;
        self.required_role = None;
    }
}
