//! The operations of macros, and the inputs that each must have (SPEC §3.9).

use serde::{Deserialize, Serialize};

use crate::domain::field::choice;

/// Begins every macro.
pub(super) const START: &str = "start";
/// Carries two lists of actions.
pub(super) const CONDITION: &str = "condition";

/// Group of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connector {
    /// Records, forms, grids, knowledge.
    Productivity,
    /// Tabs and context of the session.
    Session,
    /// Conversations.
    Omnichannel,
    /// Flows.
    Flow,
    /// Start and conditions.
    BuiltIn,
}

choice! {
    Connector {
        Productivity = "PRODUCTIVITY",
        Session = "SESSION",
        Omnichannel = "OMNICHANNEL",
        Flow = "FLOW",
        BuiltIn = "BUILT_IN",
    }
}

/// An operation and its mandatory inputs.
type Row = (&'static str, &'static [&'static str]);

const PRODUCTIVITY: &[Row] = &[
    ("open_new_form", &["entity"]),
    ("open_record", &["entity", "id"]),
    ("autofill_form", &["entity"]),
    ("update_record", &["entity", "id"]),
    ("resolve_case", &["billable_time", "incident_id", "resolution"]),
    ("open_email_template", &["entity", "id", "recipients", "template_id"]),
    ("open_grid", &["entity", "view_id", "view_type"]),
    ("search_knowledge", &["phrase", "tab_label"]),
    ("relevance_search", &["phrase"]),
    ("set_script_focus", &["script"]),
    ("clone_current_record", &["title"]),
    ("clone_record", &["entity", "id", "title"]),
    ("open_knowledge_article", &["id"]),
    ("save_record", &[]),
];

const SESSION: &[Row] = &[
    ("get_current_tab", &[]),
    ("refresh_tab", &["tab_id"]),
    ("focus_tab", &["tab_id"]),
    ("open_tab", &["page_type", "template", "attributes"]),
    ("refresh_context", &[]),
    ("set_context", &["name", "value"]),
];

const OMNICHANNEL: &[Row] = &[
    ("link_record", &["entity", "id", "primary_name"]),
    ("unlink_record", &["entity", "id", "primary_name"]),
    ("send_knowledge_link", &[]),
];

const FLOW: &[Row] = &[("run_flow", &["entity", "id", "flow"])];

const BUILT_IN: &[Row] = &[(START, &[]), (CONDITION, &[])];

impl Connector {
    fn rows(self) -> &'static [Row] {
        match self {
            Self::Productivity => PRODUCTIVITY,
            Self::Session => SESSION,
            Self::Omnichannel => OMNICHANNEL,
            Self::Flow => FLOW,
            Self::BuiltIn => BUILT_IN,
        }
    }

    /// The names of its operations.
    pub fn operations(self) -> impl Iterator<Item = &'static str> {
        self.rows().iter().map(|(operation, _)| *operation)
    }

    /// The inputs that an operation must have; none when the connector has no such operation.
    pub fn mandatory(self, operation: &str) -> Option<&'static [&'static str]> {
        let row = self.rows().iter().find(|(known, _)| *known == operation);
        row.map(|(_, mandatory)| *mandatory)
    }
}
