//! Built-in profiles (SPEC §4.1).

use crate::domain::{
    Kind, Object, UniqueName,
    profile::{Inbox, Pane, PaneMode, PaneTool, Profile},
};

use super::seed::{CASE_SESSION, Seed};

/// Unique name, display name, whether the channels are opened; a profile with channels has the
/// tool that goes with them.
const PROFILES: [(&str, &str, bool); 3] = [
    ("msdyn_csw_default_profile", "Customer Service workspace - default profile", false),
    (
        "msdyn_omnichannel_default_profile",
        "Omnichannel for Customer Service - default profile",
        true,
    ),
    (
        "msdyn_csw_channels_default_profile",
        "Customer Service workspace + channels - default profile",
        true,
    ),
];

const TOOLS: [&str; 4] = [
    "msdyn_tool_copilot",
    "msdyn_tool_knowledge_search",
    "msdyn_tool_scripts",
    "msdyn_tool_smart_assist",
];

const CHANNEL_TOOLS: [&str; 1] = ["msdyn_tool_timeout_rules_override"];

/// All of them.
pub(super) fn objects(seed: &Seed) -> impl Iterator<Item = Object> {
    PROFILES.into_iter().map(|(name, display_name, channels)| {
        let (common, stamp) = seed.named(Kind::Profile, name, display_name);
        let mut profile = Profile::empty(common, stamp);
        profile.session_templates = vec![UniqueName::known(CASE_SESSION)];
        profile.pane = Pane { on: true, mode: PaneMode::Expanded, tools: pane_tools(channels) };
        profile.inbox = Inbox { enabled: false, views: Vec::new() };
        profile.all_active_channels = channels;
        Object::Profile(profile.into())
    })
}

fn pane_tools(channels: bool) -> Vec<PaneTool> {
    let more: &[&'static str] = if channels { &CHANNEL_TOOLS } else { &[] };
    (0..)
        .zip(TOOLS.iter().chain(more))
        .map(|(order, tool)| PaneTool {
            tool: UniqueName::known(tool),
            enabled: true,
            order,
            label: String::new(),
            tooltip: String::new(),
            icon: String::new(),
        })
        .collect()
}
