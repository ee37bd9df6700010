//! Productivity tools (SPEC §3.12).

use super::{Rules, Strategy};
use crate::{
    catalog::Catalog,
    domain::{
        Common, Stamp, Violations, check,
        library::{ProductivityTool, ToolCategory},
    },
};

patch! {
    /// New values of a productivity tool; what is `None` stays.
    #[derive(Debug, Clone, Default)]
    ToolPatch of ProductivityTool {
        fixed {}
        free {
            /// 1 to 100 characters.
            control_name: String,
            /// At most 1000 characters.
            data: String,
            /// At most 100 characters.
            icon: String,
            /// At most 100 characters.
            learn_more: String,
            /// Whether it has settings of its own.
            configurable: bool,
            /// At most 100 characters.
            configuration_entity: String,
            /// Shelf.
            category: ToolCategory,
        }
        more {}
    }
}

impl Rules for ProductivityTool {}

impl Strategy for ProductivityTool {
    const MAX_DESCRIPTION: usize = 256;

    type Patch = ToolPatch;

    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            control_name: String::new(),
            data: String::new(),
            icon: String::new(),
            learn_more: String::new(),
            configurable: false,
            configuration_entity: String::new(),
            category: ToolCategory::default(),
            org_gate: None,
            required_role: None,
        }
    }

    fn syntax(patch: &ToolPatch, v: &mut Violations) {
        for (field, value, range) in [
            ("control_name", &patch.control_name, 1..=100),
            ("data", &patch.data, 0..=1_000),
            ("icon", &patch.icon, 0..=100),
            ("learn_more", &patch.learn_more, 0..=100),
            ("configuration_entity", &patch.configuration_entity, 0..=100),
        ] {
            if let Some(value) = value {
                check::line(v, field, value, range);
            }
        }
    }

    fn validate(
        &self,
        _catalog: &Catalog,
        before: Option<&Self>,
        patch: &ToolPatch,
        v: &mut Violations,
    ) {
        if before.is_none() && patch.control_name.is_none() {
            v.invalid("control_name", "is required");
        }
    }

    /// Custom tools are never gated.
    fn prepare_clone(&mut self, _source: &Self, _v: &mut Violations) {
        self.org_gate = None;
        self.required_role = None;
    }
}
