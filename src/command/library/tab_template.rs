//! Application tab templates (SPEC §3.6).

mod parameters;

use super::{Context, Rules, Strategy};
use crate::{
    catalog::Catalog,
    command::patch::limit,
    domain::{
        Common, Finding, Reason, Stamp, Violations, check,
        refusal::Preconditions,
        template::{MAX_PARAMETERS, PageType, TabParameter, TabTemplate},
    },
    render::targets,
};

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

impl Rules for TabTemplate {
    fn preconditions(&self, _catalog: &Catalog, failed: &mut Preconditions) {
        limit(failed, "parameters", self.parameters.len(), MAX_PARAMETERS);
    }
}

impl Strategy for TabTemplate {
    type Patch = TabTemplatePatch;

    /// There is no default page type: without one, a creation is refused.
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
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

    fn validate(
        &self,
        _catalog: &Catalog,
        before: Option<&Self>,
        patch: &TabTemplatePatch,
        v: &mut Violations,
    ) {
        match (before, patch.page_type) {
            (None, None) => v.invalid("page_type", "is required"),
            (None, Some(PageType::Control)) => v.invalid("page_type", BUILT_IN_ONLY),
            (None, Some(_)) => parameters::check(self, v),
            (Some(_), _) if patch.parameters.is_some() => parameters::check(self, v),
            (Some(_), _) => {}
        }
    }

    fn canonicalize(
        &mut self,
        _before: Option<&Self>,
        _patch: &TabTemplatePatch,
        _context: &Context,
    ) -> Vec<Finding> {
        parameters::canonicalize(self);
        Vec::new()
    }

    fn prepare_clone(&mut self, _source: &Self, v: &mut Violations) {
        if self.page_type == PageType::Control {
            v.invalid("page_type", BUILT_IN_ONLY);
        }
    }
}

const BUILT_IN_ONLY: &str = "CONTROL is for built-in templates only";
