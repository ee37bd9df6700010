//! Copilot features: an open list of which thirteen are known (SPEC §3.1.1).

use serde::{Deserialize, Serialize};

/// Unique name of the pane tool that some features need.
pub const PANE_TOOL: &str = "msdyn_tool_copilot";

/// The setting of a feature in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Setting {
    /// Nothing: off on custom and managed profiles, on on built-in ones.
    #[default]
    Unset,
    /// On.
    On,
    /// Off.
    Off,
}

/// A known feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// The vendor's code.
    pub code: i64,
    /// Our name.
    pub name: &'static str,
    /// The label shown to people.
    pub label: &'static str,
    /// Whether it needs the pane tool `copilot`.
    pub needs_pane_tool: bool,
    /// The feature that it needs.
    pub parent: Option<&'static str>,
}

const fn feature(
    code: i64,
    name: &'static str,
    label: &'static str,
    needs_pane_tool: bool,
    parent: Option<&'static str>,
) -> Feature {
    Feature { code, name, label, needs_pane_tool, parent }
}

/// The known features, ascending by code.
pub const FEATURES: &[Feature] = &[
    feature(829_050_000, "ask_a_question", "Ask a question", true, None),
    feature(829_050_001, "suggest_a_response", "Live conversation response", true, None),
    feature(829_050_002, "write_an_email", "Write an email", true, None),
    feature(829_050_003, "case_summary", "Case summary", false, None),
    feature(829_050_004, "conversation_summary", "Live conversation summary", false, None),
    feature(829_050_005, "knowledge_from_case", "Case-based knowledge creation", false, None),
    feature(
        829_050_006,
        "conversation_to_case_auto",
        "Conversation to case, autonomous",
        false,
        None,
    ),
    feature(
        829_050_007,
        "conversation_to_case_manual",
        "Conversation to case, manual",
        false,
        None,
    ),
    feature(829_050_008, "case_resolution_manual", "Case resolution, manual", false, None),
    feature(829_050_009, "knowledge_harvesting", "Knowledge harvesting", false, None),
    feature(
        829_050_010,
        "intent_suggestions",
        "Intent-based suggestions",
        true,
        Some("ask_a_question"),
    ),
    feature(829_050_011, "inbox_next_actions", "Inbox, suggested next actions", false, None),
    feature(829_050_012, "email_to_case_manual", "E-mail to case, manual", false, None),
];

/// The known feature of that name.
pub fn find(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|f| f.name == name)
}

/// The stored name of a feature given by name or by code; `None` when it is neither a known name
/// nor a code. An unknown code is kept as it is (the list is open).
pub fn canonical(given: &str) -> Option<String> {
    if let Some(known) = find(given) {
        return Some(known.name.to_owned());
    }
    let code: i64 = (given.len() == 9 && given.bytes().all(|b| b.is_ascii_digit()))
        .then(|| given.parse().ok())
        .flatten()?;
    let known = FEATURES.iter().find(|f| f.code == code);
    Some(known.map_or_else(|| given.to_owned(), |f| f.name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_lead_to_one_name() {
        assert_eq!(canonical("case_summary").as_deref(), Some("case_summary"));
        assert_eq!(canonical("829050003").as_deref(), Some("case_summary"));
        assert_eq!(canonical("829059999").as_deref(), Some("829059999"));
        assert_eq!(canonical("case_sumary"), None);
        assert_eq!(canonical("8290"), None);
    }
}
