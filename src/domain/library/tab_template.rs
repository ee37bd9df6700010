//! Application tab templates (SPEC §3.6).

mod parameters;

use serde::{Deserialize, Serialize};

pub use self::parameters::{PageType, TabParameter};
use crate::{
    domain::{
        Common, Reason, Stamp, Violations,
        field::{Field, Fields, Values, field},
        refs::{Edge, Refs},
        rules::Rules,
    },
    render::targets,
};

/// Most parameters of a tab.
pub const MAX_PARAMETERS: usize = 20;

/// One tab of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabTemplate {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// At most 200 characters, slugs.
    #[serde(default)]
    pub title: String,
    /// Immutable.
    pub page_type: PageType,
    /// Whether the agent may close it.
    pub can_close: bool,
    /// In the order given; names unique ignoring case.
    #[serde(default)]
    pub parameters: Vec<TabParameter>,
}

impl Fields for TabTemplate {
    const FIELDS: &'static [Field<Self>] = &[
        field!(page_type).immutable().required().column("PAGE TYPE"),
        field!(title).length(0, 200).column("TITLE"),
        field!(can_close),
        field!(parameters).at_most(MAX_PARAMETERS),
    ];
}

impl Refs for TabTemplate {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Rules for TabTemplate {
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

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        if let Some(Err(error)) = values.text("title").map(targets::check_title) {
            v.add(Reason::SlugSyntax, "title", error.to_string());
        }
        if let Some(given) = values.get::<Vec<TabParameter>>("parameters") {
            parameters::syntax(&given, v);
        }
    }

    fn validate(&self, before: Option<&Self>, values: &Values<Self>, v: &mut Violations) {
        match (before, values.get("page_type")) {
            (None, None) => {}
            (None, Some(PageType::Control)) => v.invalid("page_type", BUILT_IN_ONLY),
            (None, Some(_)) => parameters::check(self.page_type, &self.parameters, v),
            (Some(_), _) if values.contains("parameters") => {
                parameters::check(self.page_type, &self.parameters, v)
            }
            (Some(_), _) => {}
        }
    }

    fn canonicalize(&mut self) {
        parameters::canonicalize(self.page_type, &mut self.parameters);
    }

    fn prepare_clone(&mut self, v: &mut Violations) {
        if self.page_type == PageType::Control {
            v.invalid("page_type", BUILT_IN_ONLY);
        }
    }
}

const BUILT_IN_ONLY: &str = "CONTROL is for built-in templates only";
