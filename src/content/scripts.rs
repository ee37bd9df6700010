//! Agent scripts that the sessions of a profile reach, and the macros that their steps run
//! (SPEC §8.2).

mod reachable;

use std::collections::{BTreeMap, BTreeSet};

use deskplane_proto::v1;

pub(super) use self::reachable::active;
use self::reachable::{Reachable, reachable};
use super::{draft::Draft, text, wire::Coded as _};
use crate::{
    domain::{
        FindingCode, UniqueName,
        agent_script::{AgentScript, ScriptAction, ScriptStep},
        macros::{Macro, MacroAction},
        session_template::SessionTemplate,
        tool::SCRIPTS_TOOL,
    },
    render::slug::{Dialect, lint},
};

/// The scripts that some templates begin with; none while the tool is hidden that shows them.
pub(super) fn roots<'a>(
    draft: &Draft<'_>,
    templates: impl Iterator<Item = &'a SessionTemplate>,
) -> BTreeSet<UniqueName> {
    if !draft.shows(SCRIPTS_TOOL) {
        return BTreeSet::new();
    }
    templates.flat_map(|template| template.scripts.iter().cloned()).collect()
}

/// A script in full, with what its steps lead to.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    pub(super) message: v1::ResolvedScript,
    /// The active scripts that it goes on to.
    pub(super) goes_on: Vec<&'a AgentScript>,
    /// The active macros that it runs.
    pub(super) runs: Vec<&'a Macro>,
}

/// The scripts that are reached from some, and their macros, both ascending by name.
pub(super) fn section(
    draft: &mut Draft<'_>,
    roots: &BTreeSet<UniqueName>,
) -> (Vec<v1::ResolvedScript>, Vec<v1::ResolvedMacro>) {
    let Reachable { scripts, closing } = reachable(draft.catalog, roots);
    let (mut resolved, mut macros) = (Vec::new(), BTreeMap::new());
    for script in scripts.values() {
        let closes = |at| closing.contains(&(&script.common.unique_name, at));
        let whole = whole(draft, script, closes);
        macros.extend(whole.runs.iter().map(|found| (&found.common.unique_name, *found)));
        resolved.push(whole.message);
    }
    (resolved, macros.into_values().map(|found| run(draft, found)).collect())
}

/// A script without the steps that close a cycle, and without those whose target is left out.
pub(super) fn whole<'a>(
    draft: &mut Draft<'a>,
    script: &AgentScript,
    closes: impl Fn(usize) -> bool,
) -> Whole<'a> {
    let name = script.common.unique_name.as_str();
    let (mut steps, mut goes_on, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for (at, step) in script.steps.iter().enumerate() {
        if closes(at) {
            let target = step.script.as_ref().map(UniqueName::as_str).unwrap_or_default();
            let message = format!("{name} leads back to {target}; the step is left out.");
            draft.find(FindingCode::ScriptCycle, name, message);
            continue;
        }
        let Some(target) = target(draft, step) else { continue };
        for text in [&step.name, &step.text] {
            text::report(draft, name, || lint(text, Dialect::Script));
        }
        let mut resolved = v1::ResolvedStep {
            name: step.name.clone(),
            order: step.order,
            action: step.action.wire().into(),
            description: step.description.clone(),
            text: step.text.clone(),
            ..v1::ResolvedStep::default()
        };
        match target {
            Target::None => {}
            Target::Macro(found) => {
                found.common.unique_name.as_str().clone_into(&mut resolved.r#macro);
                runs.push(found);
            }
            Target::Script(found) => {
                found.common.unique_name.as_str().clone_into(&mut resolved.script);
                goes_on.push(found);
            }
        }
        steps.push(resolved);
    }
    let message = v1::ResolvedScript {
        unique_name: name.to_owned(),
        display_name: script.common.display_name.clone(),
        description: script.common.description.clone(),
        language: script.language.unwrap_or_default(),
        steps,
    };
    Whole { message, goes_on, runs }
}

/// What a step leads to.
enum Target<'a> {
    None,
    Macro(&'a Macro),
    Script(&'a AgentScript),
}

/// The target of a step; none when it is inactive or missing.
fn target<'a>(draft: &mut Draft<'a>, step: &ScriptStep) -> Option<Target<'a>> {
    let catalog = draft.catalog;
    match step.action {
        ScriptAction::Text => Some(Target::None),
        ScriptAction::Macro => {
            let name = step.runs.as_ref()?;
            let stored = catalog.tables.macros.get(name).filter(|found| found.common.is_active());
            if stored.is_none() {
                let message = format!("{name} is no active macro; the step is left out.");
                draft.find(FindingCode::MacroInactive, name.as_str(), message);
            }
            stored.map(|found| Target::Macro(found))
        }
        ScriptAction::Script => {
            let name = step.script.as_ref()?;
            let stored = active(catalog, name);
            if stored.is_none() {
                let message = format!("{name} is no active script; the step is left out.");
                draft.find(FindingCode::ScriptInactive, name.as_str(), message);
            }
            stored.map(Target::Script)
        }
    }
}

/// A macro in full.
pub(super) fn run(draft: &mut Draft<'_>, found: &Macro) -> v1::ResolvedMacro {
    let name = found.common.unique_name.as_str();
    v1::ResolvedMacro {
        unique_name: name.to_owned(),
        display_name: found.common.display_name.clone(),
        description: found.common.description.clone(),
        actions: actions(draft, name, &found.actions),
    }
}

/// Actions in full. They stand in each other as deep as rules and decoders let them.
fn actions(
    draft: &mut Draft<'_>,
    name: &str,
    actions: &[MacroAction],
) -> Vec<v1::ResolvedMacroAction> {
    let mut found = Vec::with_capacity(actions.len());
    for action in actions {
        for input in action.inputs.values() {
            text::report(draft, name, || lint(input, Dialect::Macro));
        }
        let inputs = action.inputs.iter().map(|(name, value)| v1::ResolvedMacroInput {
            name: name.clone(),
            value: value.clone(),
        });
        found.push(v1::ResolvedMacroAction {
            connector: action.connector.wire().into(),
            operation: action.operation.clone(),
            inputs: inputs.collect(),
            then_actions: self::actions(draft, name, &action.then_actions),
            else_actions: self::actions(draft, name, &action.else_actions),
        });
    }
    found
}
