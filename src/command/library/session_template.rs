//! Session templates (SPEC §3.5).

use super::{Rules, Strategy};
use crate::{
    catalog::Catalog,
    command::patch::limit,
    domain::{
        Common, Reason, Stamp, UniqueName, Violations, check,
        refusal::Preconditions,
        template::{MAX_ADDITIONAL_TABS, MAX_SCRIPTS, PanelMode, SessionTemplate, SessionType},
    },
    render::{expression, targets},
};

patch! {
    /// New values of a session template; what is `None` stays.
    #[derive(Debug, Clone, Default)]
    SessionTemplatePatch of SessionTemplate {
        fixed {
            /// What opens the session; of an entity unless given.
            session_type: SessionType => "type",
            /// Logical name of the entity.
            entity: String => "entity",
        }
        free {
            /// At most 200 characters, slugs.
            title: String,
            /// How the communication panel starts.
            panel_mode: PanelMode,
            /// Generic only; at most 1024 characters.
            icon: String,
            /// Whether the anchor tab carries the session's title.
            title_on_anchor_tab: bool,
            /// Generic only, and required there.
            anchor_tab: Option<UniqueName>,
            /// Replaces the list.
            additional_tabs: Vec<UniqueName>,
            /// Replaces the list.
            scripts: Vec<UniqueName>,
            /// Whether the expression chooses the default script.
            expression_enabled: bool,
            /// JSON of SPEC §9.6; empty when none.
            expression_tree: String,
        }
        more {}
    }
}

impl Rules for SessionTemplate {
    fn preconditions(&self, _catalog: &Catalog, failed: &mut Preconditions) {
        limit(failed, "additional_tabs", self.additional_tabs.len(), MAX_ADDITIONAL_TABS);
        limit(failed, "scripts", self.scripts.len(), MAX_SCRIPTS);
    }
}

impl Strategy for SessionTemplate {
    type Patch = SessionTemplatePatch;

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

    fn syntax(patch: &SessionTemplatePatch, v: &mut Violations) {
        if let Some(entity) = patch.entity.as_deref().filter(|entity| !entity.is_empty()) {
            logical_name(v, entity);
        }
        if let Some(title) = &patch.title {
            check::line(v, "title", title, 0..=200);
            if let Err(error) = targets::check_title(title) {
                v.add(Reason::SlugSyntax, "title", error.to_string());
            }
        }
        if let Some(icon) = &patch.icon {
            check::line(v, "icon", icon, 0..=1_024);
            if let Err(error) = targets::check_no_slugs(icon) {
                v.add(Reason::SlugSyntax, "icon", error.to_string());
            }
            if is_gif(icon) {
                v.invalid("icon", "must not be a .gif");
            }
        }
    }

    fn validate(
        &self,
        _catalog: &Catalog,
        before: Option<&Self>,
        patch: &SessionTemplatePatch,
        v: &mut Violations,
    ) {
        let next = self;
        let (has_entity, has_anchor) = (!next.entity.is_empty(), next.anchor_tab.is_some());
        let generic = next.session_type == SessionType::Generic;
        for (field, broken, rule) in [
            ("entity", generic && has_entity, "must be empty on a generic template"),
            ("entity", !generic && !has_entity, "is required on an entity template"),
            ("icon", !generic && !next.icon.is_empty(), "is for generic templates only"),
            ("anchor_tab", generic && !has_anchor, "is required on a generic template"),
            (
                "anchor_tab",
                !generic && has_anchor,
                "must be empty on an entity template: the record is the anchor",
            ),
            (
                "expression.tree",
                next.expression_enabled && next.expression_tree.is_empty(),
                "is required while the expression is enabled",
            ),
        ] {
            if broken {
                v.invalid(field, rule);
            }
        }
        let touched =
            before.is_none() || patch.expression_tree.is_some() || patch.scripts.is_some();
        if touched && !next.expression_tree.is_empty() {
            tree(next, v);
        }
    }
}

fn logical_name(v: &mut Violations, entity: &str) {
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
