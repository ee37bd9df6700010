//! Pane tools (SPEC §3.12).

use serde::{Deserialize, Serialize};

use super::{
    Common, Kind, Stamp, UniqueName,
    refs::{Edge, Refs},
};

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
        |tool| &tool.required_role,
        |tool| &mut tool.required_role,
    )];
}
