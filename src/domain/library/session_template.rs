//! Session templates (SPEC §3.5).

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Common, Kind, Reason, Stamp, UniqueName, Violations,
        field::{Field, Fields, Values, choice, field},
        refs::{Edge, Names as _, Refs},
        rules::Rules,
    },
    render::{expression, targets},
};

/// Most additional tabs; ten with the anchor.
pub const MAX_ADDITIONAL_TABS: usize = 9;
/// Most scripts of a session template.
pub const MAX_SCRIPTS: usize = 20;

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

choice! {
    SessionType { Generic = "GENERIC", Entity = "ENTITY" }
    PanelMode { Docked = "DOCKED", Minimized = "MINIMIZED", Hidden = "HIDDEN" }
}

impl Fields for SessionTemplate {
    const FIELDS: &'static [Field<Self>] = &[
        field!(session_type as "type").immutable().filter().column("TYPE"),
        field!(entity).immutable().filter().column("ENTITY"),
        field!(title).length(0, 200),
        field!(panel_mode),
        field!(icon).length(0, 1_024),
        field!(title_on_anchor_tab),
        field!(anchor_tab).refers(Kind::TabTemplate).column("ANCHOR"),
        field!(additional_tabs).refers(Kind::TabTemplate).at_most(MAX_ADDITIONAL_TABS),
        field!(scripts).refers(Kind::Script).at_most(MAX_SCRIPTS),
        Field::described("expression"),
        field!(expression_enabled as "expression.enabled"),
        field!(expression_tree as "expression.tree"),
    ];
}

impl Refs for SessionTemplate {
    const EDGES: &'static [Edge<Self>] = &[
        Edge::<Self>::content(
            "anchor_tab",
            Kind::TabTemplate,
            |template, visit| template.anchor_tab.each(visit),
            |template, edit| template.anchor_tab.edit(edit),
        )
        .restrict("needs it as its anchor tab"),
        Edge::content(
            "additional_tabs",
            Kind::TabTemplate,
            |template, visit| template.additional_tabs.each(visit),
            |template, edit| template.additional_tabs.edit(edit),
        ),
        Edge::content(
            "scripts",
            Kind::Script,
            |template, visit| template.scripts.each(visit),
            |template, edit| template.scripts.edit(edit),
        ),
    ];
}

impl Rules for SessionTemplate {
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            session_type: SessionType::Entity,
            entity: String::new(),
            title: String::new(),
            panel_mode: PanelMode::default(),
            icon: String::new(),
            title_on_anchor_tab: false,
            anchor_tab: None,
            additional_tabs: Vec::new(),
            scripts: Vec::new(),
            expression_enabled: false,
            expression_tree: String::new(),
        }
    }

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        if let Some(entity) = values.text("entity").filter(|entity| !entity.is_empty()) {
            logical_name(v, entity);
        }
        if let Some(Err(error)) = values.text("title").map(targets::check_title) {
            v.add(Reason::SlugSyntax, "title", error.to_string());
        }
        if let Some(icon) = values.text("icon") {
            if let Err(error) = targets::check_no_slugs(icon) {
                v.add(Reason::SlugSyntax, "icon", error.to_string());
            }
            if is_gif(icon) {
                v.invalid("icon", "must not be a .gif");
            }
        }
    }

    fn validate(&self, before: Option<&Self>, values: &Values<Self>, v: &mut Violations) {
        let (has_entity, has_anchor) = (!self.entity.is_empty(), self.anchor_tab.is_some());
        let generic = self.session_type == SessionType::Generic;
        for (field, broken, rule) in [
            ("entity", generic && has_entity, "must be empty on a generic template"),
            ("entity", !generic && !has_entity, "is required on an entity template"),
            ("icon", !generic && !self.icon.is_empty(), "is for generic templates only"),
            ("anchor_tab", generic && !has_anchor, "is required on a generic template"),
            (
                "anchor_tab",
                !generic && has_anchor,
                "must be empty on an entity template: the record is the anchor",
            ),
            (
                "expression.tree",
                self.expression_enabled && self.expression_tree.is_empty(),
                "is required while the expression is enabled",
            ),
        ] {
            if broken {
                v.invalid(field, rule);
            }
        }
        let touched =
            before.is_none() || values.contains("expression.tree") || values.contains("scripts");
        if touched && !self.expression_tree.is_empty() {
            tree(self, v);
        }
    }
}

pub(super) fn logical_name(v: &mut Violations, entity: &str) {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !entity.starts_with(|c: char| c.is_ascii_lowercase()) || !entity.bytes().all(legal) {
        v.invalid("entity", "must be lower-case letters, digits and `_`, beginning with a letter");
    }
    if entity.len() > 100 {
        v.invalid("entity", "must be at most 100 characters");
    }
}

/// Whether the path of an icon ends as that of an animation.
fn is_gif(icon: &str) -> bool {
    let path = icon.split(['?', '#']).next().unwrap_or(icon).trim_end();
    path.to_ascii_lowercase().ends_with(".gif")
}

fn tree(next: &SessionTemplate, v: &mut Violations) {
    let belongs =
        |script: &str| next.scripts.iter().any(|s| s.as_str().eq_ignore_ascii_case(script));
    for error in expression::check(&next.expression_tree, &belongs).err().into_iter().flatten() {
        v.invalid("expression.tree", error.to_string());
    }
}
