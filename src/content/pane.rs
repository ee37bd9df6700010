//! The productivity pane after its gates.

use deskplane_proto::v1;

use super::{Gate, GateSubject, draft::Draft, wire::Coded as _};
use crate::domain::{
    FindingCode,
    profile::{PaneMode, PaneTool},
    settings::Settings,
    tool::{OrgGate, ProductivityTool},
};

/// The pane with its visible tools. A tool that is missing or inactive is left out.
pub(super) fn pane(draft: &mut Draft<'_>) -> v1::ResolvedPane {
    let pane = &draft.profile.pane;
    let mut entries: Vec<_> = pane.tools.iter().filter(|entry| entry.enabled).collect();
    entries.sort_by(|a, b| (a.order, &a.tool).cmp(&(b.order, &b.tool)));
    let mut tools = Vec::with_capacity(entries.len());
    for entry in entries {
        let catalog = draft.catalog;
        let Some(tool) = catalog.tables.tools.get(&entry.tool).filter(|t| t.common.is_active())
        else {
            continue;
        };
        match first_closed(draft, tool) {
            None => {
                draft.tools.push(tool.common.unique_name.clone());
                tools.push(resolved(entry, tool));
            }
            Some(gate) => hide(draft, tool, gate),
        }
    }
    let mode = match pane.mode {
        PaneMode::Expanded => v1::PaneMode::Expanded,
        PaneMode::Collapsed => v1::PaneMode::Collapsed,
    };
    v1::ResolvedPane { on: draft.passes(pane.on), mode: mode.into(), tools }
}

fn first_closed(draft: &Draft<'_>, tool: &ProductivityTool) -> Option<Gate> {
    let required = tool.required_role.as_ref();
    draft.first_closed(&[
        (Gate::Pane, draft.profile.pane.on),
        (Gate::Organization, tool.org_gate.is_none_or(|gate| is_on(&draft.catalog.settings, gate))),
        (Gate::Role, required.is_none_or(|role| draft.gates.holds(draft.catalog, role))),
    ])
}

fn is_on(settings: &Settings, gate: OrgGate) -> bool {
    match gate {
        OrgGate::CopilotOptIn => settings.copilot_opt_in,
        OrgGate::CaseHandlingTime => settings.case_handling_time,
        OrgGate::ScreenRecording => settings.screen_recording,
    }
}

fn hide(draft: &mut Draft<'_>, tool: &ProductivityTool, gate: Gate) {
    let name = tool.common.unique_name.as_str();
    let (code, message) = match gate {
        Gate::Pane => {
            (FindingCode::ToolGatedByPane, format!("{name} is hidden because the pane is off."))
        }
        Gate::Organization => {
            let setting = tool.org_gate.map_or("a setting", OrgGate::as_str);
            (FindingCode::ToolGatedByOrg, format!("{name} is hidden because {setting} is off."))
        }
        _ => {
            let role = tool.required_role.as_ref().map_or("another role", |role| role.as_str());
            (FindingCode::ToolGatedByRole, format!("{name} is hidden because it needs {role}."))
        }
    };
    draft.find(code, name, message);
    draft.closed(GateSubject::Tool, name, gate);
}

fn resolved(entry: &PaneTool, tool: &ProductivityTool) -> v1::ResolvedPaneTool {
    let or = |own: &str, else_: &str| if own.is_empty() { else_ } else { own }.to_owned();
    v1::ResolvedPaneTool {
        tool: tool.common.unique_name.as_str().to_owned(),
        control_name: tool.control_name.clone(),
        label: or(&entry.label, &tool.common.display_name),
        tooltip: entry.tooltip.clone(),
        icon: or(&entry.icon, &tool.icon),
        data: tool.data.clone(),
        category: tool.category.wire().into(),
        order: entry.order,
    }
}
