//! Smart-assist bots (SPEC §3.10).

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Stamp, UserId, Violations,
    directory::UserKind,
    field::{Field, Fields, Values, field},
    others::Others,
    refs::{Edge, Refs},
    rules::Rules,
};

/// Role that the user of a bot holds.
const AGENT: &str = "msdyn_oc_agent";
/// Role that the user of a bot with knowledge holds as well.
const KNOWLEDGE: &str = "msdyn_csr";

/// One bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmartAssistBot {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// The user that it works as; every stored bot has one.
    pub user: Option<UserId>,
    /// Whether it also suggests knowledge articles.
    #[serde(default)]
    pub knowledge: bool,
}

impl Fields for SmartAssistBot {
    const FIELDS: &'static [Field<Self>] =
        &[field!(user).required().column("USER"), field!(knowledge).column("KNOWLEDGE")];
}

impl Refs for SmartAssistBot {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Rules for SmartAssistBot {
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self { common, stamp, user: None, knowledge: false }
    }

    fn validate(&self, _: Option<&Self>, values: &Values<Self>, v: &mut Violations) {
        if self.user.is_none() && values.contains("user") {
            v.invalid("user", "is required");
        }
    }

    /// Roles that go later do not make the bot wrong: this is judged when its fields change.
    fn validate_others(&self, before: Option<&Self>, others: &dyn Others, v: &mut Violations) {
        let same = |before: &Self| (&before.user, before.knowledge) == (&self.user, self.knowledge);
        let Some(id) = self.user.as_ref().filter(|_| !before.is_some_and(same)) else { return };
        let Some(kind) = others.user_kind(id) else { return };
        if kind != UserKind::Application {
            v.invalid("user", format!("{id} must be of kind APPLICATION"));
        }
        let held = others.roles_held(id);
        let needed = [Some(AGENT), self.knowledge.then_some(KNOWLEDGE)];
        for role in needed.into_iter().flatten() {
            if !held.iter().any(|root| root.as_str().eq_ignore_ascii_case(role)) {
                v.invalid("user", format!("{id} must hold the role {role} himself"));
            }
        }
    }
}
