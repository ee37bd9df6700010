//! Agent scripts and their steps (SPEC §3.8).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Common, Kind, Reason, Stamp, UniqueName, Violations,
        check::{self, Controls},
        field::{
            Field, FieldType, FieldValue, Fields, Parts, Record, Value, Values, choice, field,
        },
        refs::{Edge, Names as _, Refs},
        rules::Rules,
    },
    render::slug::{self, Dialect},
};

/// Most steps of a script.
pub const MAX_STEPS: usize = 100;

/// What an agent is guided through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentScript {
    /// Common fields; the description has at most 100 characters.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// Windows language id, 0 or more; every stored script has one.
    pub language: Option<i32>,
    /// Ascending by order.
    #[serde(default)]
    pub steps: Vec<ScriptStep>,
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptStep {
    /// 1 to 100 characters, slugs.
    pub name: String,
    /// 1 or more, unique in the script.
    pub order: i32,
    /// What it does.
    pub action: ScriptAction,
    /// At most 2000 characters; not of texts.
    #[serde(default)]
    pub description: String,
    /// At most 2000 characters, slugs; of texts only.
    #[serde(default)]
    pub text: String,
    /// The macro that it runs.
    #[serde(default)]
    pub runs: Option<UniqueName>,
    /// The script that it goes on to.
    #[serde(default)]
    pub script: Option<UniqueName>,
    /// Optional, unique in the script.
    #[serde(default)]
    pub unique_name: Option<UniqueName>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptAction {
    /// Shows a text. Code 192350000.
    Text,
    /// Runs a macro. Code 192350001.
    Macro,
    /// Goes on to another script. Code 192350002.
    Script,
}

choice! {
    ScriptAction { Text = "TEXT", Macro = "MACRO", Script = "SCRIPT" }
}

impl Record for ScriptStep {
    const PARTS: Parts = Parts(&[
        ("name", FieldType::Text),
        ("order", FieldType::Number),
        ("action", ScriptAction::TYPE),
        ("description", FieldType::Lines),
        ("text", FieldType::Lines),
        ("macro", FieldType::Name(Kind::Macro)),
        ("script", FieldType::Name(Kind::Script)),
        ("unique_name", FieldType::UniqueName),
    ]);

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            self.name.value(),
            self.order.value(),
            self.action.value(),
            self.description.value(),
            self.text.value(),
            self.runs.value(),
            self.script.value(),
            self.unique_name.value(),
        ]
    }

    fn of(values: Vec<Value<'_>>) -> Option<Self> {
        let [name, order, action, description, text, runs, script, unique_name] =
            values.try_into().ok()?;
        Some(Self {
            name: FieldValue::of(name)?,
            order: FieldValue::of(order)?,
            action: FieldValue::of(action)?,
            description: FieldValue::of(description)?,
            text: FieldValue::of(text)?,
            runs: FieldValue::of(runs)?,
            script: FieldValue::of(script)?,
            unique_name: FieldValue::of(unique_name)?,
        })
    }
}

impl Fields for AgentScript {
    const FIELDS: &'static [Field<Self>] = &[
        field!(language).required().range(0, i32::MAX as i64).column("LANGUAGE"),
        field!(steps).at_most(MAX_STEPS),
    ];
}

impl Refs for AgentScript {
    const EDGES: &'static [Edge<Self>] = &[
        Edge::content(
            "steps.macro",
            Kind::Macro,
            |script, visit| script.steps.iter().for_each(|step| step.runs.each(visit)),
            |script, edit| retain(script, |step| &mut step.runs, edit),
        ),
        Edge::content(
            "steps.script",
            Kind::Script,
            |script, visit| script.steps.iter().for_each(|step| step.script.each(visit)),
            |script, edit| retain(script, |step| &mut step.script, edit),
        ),
    ];
}

/// Edits the targets of steps; a step goes with its target, without which it does nothing.
fn retain(
    script: &mut AgentScript,
    target: fn(&mut ScriptStep) -> &mut Option<UniqueName>,
    edit: &mut dyn FnMut(&UniqueName) -> Option<UniqueName>,
) {
    script.steps.retain_mut(|step| {
        let target = target(step);
        let had = target.is_some();
        target.edit(edit);
        target.is_some() == had
    });
}

impl Rules for AgentScript {
    const MAX_DESCRIPTION: usize = 100;

    fn empty(common: Common, stamp: Stamp) -> Self {
        Self { common, stamp, language: None, steps: Vec::new() }
    }

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        let steps = values.get::<Vec<ScriptStep>>("steps").unwrap_or_default();
        let (mut orders, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (at, step) in steps.iter().enumerate() {
            step.check(&format!("steps[{at}]"), v);
            if !orders.insert(step.order) {
                v.invalid(format!("steps[{at}].order"), format!("{} stands twice", step.order));
            }
            if let Some(name) = step.unique_name.as_ref().filter(|name| !names.insert(*name)) {
                v.invalid(format!("steps[{at}].unique_name"), format!("`{name}` stands twice"));
            }
        }
    }

    fn canonicalize(&mut self) {
        self.steps.sort_by_key(|step| step.order);
    }

    fn validate(&self, _: Option<&Self>, values: &Values<Self>, v: &mut Violations) {
        if self.language.is_none() && values.contains("language") {
            v.invalid("language", "is required");
        }
        let given = values.get::<Vec<ScriptStep>>("steps").unwrap_or_default();
        for (at, step) in given.iter().enumerate() {
            if step.script.as_ref() == Some(&self.common.unique_name) {
                let field = format!("steps[{at}].script");
                v.add(Reason::ScriptSelfReference, field, "must not be the script itself");
            }
        }
    }
}

impl ScriptStep {
    fn check(&self, path: &str, v: &mut Violations) {
        let field = |part: &str| format!("{path}.{part}");
        check::line(v, &field("name"), &self.name, 1..=100);
        check::range(v, &field("order"), self.order.into(), 1..=i32::MAX.into());
        for (part, text) in [("description", &self.description), ("text", &self.text)] {
            check::text(v, &field(part), text, 0..=2_000, Controls::TabAndNewline);
        }
        for (part, text) in [("name", &self.name), ("text", &self.text)] {
            if let Err(error) = slug::parse(text, Dialect::Script) {
                v.add(Reason::SlugSyntax, field(part), error.to_string());
            }
        }
        for (part, given, action) in [
            ("text", !self.text.is_empty(), ScriptAction::Text),
            ("macro", self.runs.is_some(), ScriptAction::Macro),
            ("script", self.script.is_some(), ScriptAction::Script),
        ] {
            if self.action == action && !given {
                v.invalid(field(part), "is required for this action");
            } else if self.action != action && given {
                v.invalid(field(part), "must be empty for this action");
            }
        }
        if self.action == ScriptAction::Text && !self.description.is_empty() {
            v.invalid(field("description"), "must be empty for a text");
        }
    }
}
