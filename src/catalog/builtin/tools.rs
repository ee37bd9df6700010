//! Built-in productivity tools (SPEC §4.6).

use crate::domain::{
    Kind, Object, UniqueName,
    rules::Rules as _,
    tool::{
        OrgGate, ProductivityTool,
        ToolCategory::{self, AgentGuidance, AutomatedAction, Collaboration, Reference},
    },
};

use super::seed::Seed;

/// Unique name, label, category, gate, required role.
type Row = (&'static str, &'static str, ToolCategory, Option<OrgGate>, Option<&'static str>);

const TOOLS: [Row; 9] = [
    ("msdyn_tool_copilot", "Copilot", AgentGuidance, Some(OrgGate::CopilotOptIn), None),
    ("msdyn_tool_knowledge_search", "Knowledge search", Reference, None, None),
    ("msdyn_tool_scripts", "Scripts", AgentGuidance, None, None),
    ("msdyn_tool_smart_assist", "Smart assist", AgentGuidance, None, None),
    ("msdyn_tool_teams_chats", "Teams chats", Collaboration, None, None),
    ("msdyn_tool_join_teams_call", "Join a Teams call", Collaboration, None, None),
    (
        "msdyn_tool_case_handling_time",
        "Case handling time",
        AutomatedAction,
        Some(OrgGate::CaseHandlingTime),
        None,
    ),
    (
        "msdyn_tool_screen_recording",
        "Screen recording",
        AutomatedAction,
        Some(OrgGate::ScreenRecording),
        Some("msdyn_screen_recorder"),
    ),
    ("msdyn_tool_timeout_rules_override", "Timeout rules override", AutomatedAction, None, None),
];

/// All of them. The control of a built-in tool bears the name of the tool.
pub(super) fn objects(seed: &Seed) -> impl Iterator<Item = Object> {
    TOOLS.into_iter().map(|(name, label, category, org_gate, required_role)| {
        let (common, stamp) = seed.named(Kind::Tool, name, label);
        Object::Tool(
            ProductivityTool {
                control_name: name.to_owned(),
                category,
                org_gate,
                required_role: required_role.map(UniqueName::known),
                ..ProductivityTool::empty(common, stamp)
            }
            .into(),
        )
    })
}
