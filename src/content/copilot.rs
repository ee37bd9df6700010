//! Copilot features after their gates.

use deskplane_proto::v1;

use super::{Gate, GateSubject, draft::Draft};
use crate::domain::{
    FindingCode,
    copilot::{FEATURES, Feature, PANE_TOOL, Setting},
};

/// The features that are on, ascending by name. Needs the visible tools, so the pane comes before.
pub(super) fn features(draft: &mut Draft<'_>) -> Vec<v1::CopilotFeature> {
    let pane_tool = draft.shows(PANE_TOOL);
    let mut on: Vec<&Feature> = Vec::new();
    // A parent stands before the features that need it.
    for feature in FEATURES {
        let value = value(draft, feature);
        let parent = feature.parent.is_none_or(|parent| on.iter().any(|f| f.name == parent));
        let closed = draft.first_closed(&[
            (Gate::Value, value),
            (Gate::Organization, draft.catalog.settings.copilot_opt_in),
            (Gate::PaneTool, !feature.needs_pane_tool || pane_tool),
            (Gate::Parent, parent),
        ]);
        match closed {
            None => on.push(feature),
            Some(gate) => block(draft, feature, gate),
        }
    }
    let profile = draft.profile;
    let unknown = |name: &str| FEATURES.iter().all(|feature| feature.name != name);
    for code in profile.copilot.keys().filter(|name| unknown(name)) {
        draft.closed(GateSubject::Feature, code, Gate::Value);
    }
    draft.unset.sort_unstable();
    on.sort_by_key(|feature| feature.name);
    draft.features = on.iter().map(|feature| feature.name).collect();
    on.into_iter().map(resolved).collect()
}

/// Whether the profile switches the feature on; notes when it does so by saying nothing.
fn value(draft: &mut Draft<'_>, feature: &Feature) -> bool {
    match draft.profile.copilot.get(feature.name).copied().unwrap_or_default() {
        Setting::On => true,
        Setting::Off => false,
        Setting::Unset => {
            draft.unset.push(feature.name);
            draft.profile.common.is_built_in()
        }
    }
}

fn block(draft: &mut Draft<'_>, feature: &Feature, gate: Gate) {
    let name = feature.name;
    draft.closed(GateSubject::Feature, name, gate);
    let (code, why) = match gate {
        Gate::Organization => (FindingCode::CopilotGatedByOrg, "copilot_opt_in is off"),
        Gate::PaneTool => (FindingCode::CopilotGatedByPane, "the tool copilot is not visible"),
        Gate::Parent => (FindingCode::CopilotGatedByParent, "the feature that it builds on is off"),
        _ => return,
    };
    draft.find(code, name, format!("{name} is blocked because {why}."));
}

fn resolved(feature: &Feature) -> v1::CopilotFeature {
    v1::CopilotFeature {
        feature: feature.name.to_owned(),
        code: i32::try_from(feature.code).unwrap_or_default(),
    }
}
