//! Productivity tools (SPEC §3.12).

use super::{Context, Entry, Operations, Referrer, operations, referrer};
use crate::{
    catalog::{Catalog, Table},
    domain::{
        Common, Stamp, UniqueName, Violations, check,
        library::{ProductivityTool, ToolCategory},
    },
};

/// Productivity tools as library objects. Custom tools are never gated.
#[derive(Debug, Clone, Copy)]
pub enum Tools {}

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

impl Entry for Tools {
    const OPERATIONS: Operations = operations!("ProductivityTool");
    const MAX_DESCRIPTION: usize = 256;

    type Object = ProductivityTool;
    type Patch = ToolPatch;

    fn table(catalog: &Catalog) -> &Table<ProductivityTool> {
        &catalog.tables.tools
    }

    fn empty(common: Common, stamp: Stamp) -> ProductivityTool {
        ProductivityTool {
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

    fn check(
        _catalog: &Catalog,
        _next: &ProductivityTool,
        before: Option<&ProductivityTool>,
        patch: &ToolPatch,
        v: &mut Violations,
    ) {
        if before.is_none() && patch.control_name.is_none() {
            v.invalid("control_name", "is required");
        }
    }

    fn detach(copy: &mut ProductivityTool, _v: &mut Violations) {
        copy.org_gate = None;
        copy.required_role = None;
    }

    fn referrers(catalog: &Catalog, name: &UniqueName, context: &Context) -> Vec<Referrer> {
        referrer::profiles(catalog, context, |profile| {
            profile.pane.tools.retain(|entry| entry.tool != *name);
        })
    }
}
