//! Application tab templates (SPEC §3.6).

mod parameters;

use super::{Context, Entry, Operations, Referrer, operations};
use crate::{
    catalog::{Catalog, Table},
    command::patch::limit,
    domain::{
        Common, Finding, Reason, Stamp, UniqueName, Violations, check,
        refusal::Preconditions,
        template::{MAX_PARAMETERS, PageType, SessionTemplate, TabParameter, TabTemplate},
    },
    render::targets,
};

/// Application tab templates as library objects.
#[derive(Debug, Clone, Copy)]
pub enum TabTemplates {}

patch! {
    /// New values of an application tab template; what is `None` stays.
    #[derive(Debug, Clone, Default)]
    TabTemplatePatch of TabTemplate {
        fixed {
            /// What the tab shows; required at creation.
            page_type: PageType => "page_type",
        }
        free {
            /// At most 200 characters, slugs.
            title: String,
            /// Whether the agent may close it; he may unless given.
            can_close: bool,
            /// Replaces the list.
            parameters: Vec<TabParameter>,
        }
        more {}
    }
}

impl Entry for TabTemplates {
    const OPERATIONS: Operations = operations!("ApplicationTabTemplate");

    type Object = TabTemplate;
    type Patch = TabTemplatePatch;

    fn table(catalog: &Catalog) -> &Table<TabTemplate> {
        &catalog.tables.tab_templates
    }

    /// There is no default page type: without one, a creation is refused.
    fn empty(common: Common, stamp: Stamp) -> TabTemplate {
        TabTemplate {
            common,
            stamp,
            title: String::new(),
            page_type: PageType::EntityRecord,
            can_close: true,
            parameters: Vec::new(),
        }
    }

    fn syntax(patch: &TabTemplatePatch, v: &mut Violations) {
        if let Some(title) = &patch.title {
            check::line(v, "title", title, 0..=200);
            if let Err(error) = targets::check_title(title) {
                v.add(Reason::SlugSyntax, "title", error.to_string());
            }
        }
        if let Some(given) = &patch.parameters {
            parameters::syntax(given, v);
        }
    }

    fn check(
        _catalog: &Catalog,
        next: &TabTemplate,
        before: Option<&TabTemplate>,
        patch: &TabTemplatePatch,
        v: &mut Violations,
    ) {
        match (before, patch.page_type) {
            (None, None) => v.invalid("page_type", "is required"),
            (None, Some(PageType::Control)) => v.invalid("page_type", BUILT_IN_ONLY),
            (None, Some(_)) => parameters::check(next, v),
            (Some(_), _) if patch.parameters.is_some() => parameters::check(next, v),
            (Some(_), _) => {}
        }
    }

    fn settle(
        next: &mut TabTemplate,
        _before: Option<&TabTemplate>,
        _patch: &TabTemplatePatch,
        _context: &Context,
    ) -> Vec<Finding> {
        parameters::settle(next);
        Vec::new()
    }

    fn detach(copy: &mut TabTemplate, v: &mut Violations) {
        if copy.page_type == PageType::Control {
            v.invalid("page_type", BUILT_IN_ONLY);
        }
    }

    fn limits(next: &TabTemplate, failed: &mut Preconditions) {
        limit(failed, "parameters", next.parameters.len(), MAX_PARAMETERS);
    }

    fn referrers(catalog: &Catalog, name: &UniqueName, context: &Context) -> Vec<Referrer> {
        let mut found = Vec::new();
        for template in catalog.tables.session_templates.iter() {
            let anchor = template.anchor_tab.as_ref() == Some(name);
            if anchor || template.additional_tabs.contains(name) {
                let mut next = SessionTemplate::clone(template);
                next.additional_tabs.retain(|tab| tab != name);
                let stuck = anchor.then(|| "needs it as its anchor tab".to_owned());
                found.push(Referrer::new(template.as_ref(), next, stuck, context));
            }
        }
        found
    }
}

const BUILT_IN_ONLY: &str = "CONTROL is for built-in templates only";
