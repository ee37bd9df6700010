//! Macros: sequences of actions that clients run (SPEC §3.9).

mod operations;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::operations::Connector;
use crate::{
    domain::{
        Common, Reason, Stamp, Violations,
        check::{self, Controls},
        field::{
            Choice as _, Field, FieldType, FieldValue, Fields, Parts, Record, Value, Values, field,
        },
        refs::{Edge, Refs},
        rules::Rules,
    },
    render::slug::{self, Dialect},
};

/// Most actions of a list.
pub const MAX_ACTIONS: usize = 50;
/// Most inputs of an action.
pub const MAX_INPUTS: usize = 50;
/// How deep conditions stand in each other at most.
pub const MAX_DEPTH: usize = 5;

/// Input names of the attributes that an action sets on a record begin so.
const ATTRIBUTE: &str = "attribute.";

/// A sequence of actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Macro {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// In the order in which they run; the first is the start.
    pub actions: Vec<MacroAction>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacroAction {
    /// Group of the operation.
    pub connector: Connector,
    /// Operation, as the table of the connector spells it.
    pub operation: String,
    /// Values by name; slugs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// What runs when the condition holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then_actions: Vec<Self>,
    /// What runs when it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub else_actions: Vec<Self>,
}

/// The parts of an action, two of which are lists of actions.
static ACTION: [(&str, FieldType); 5] = [
    ("connector", FieldType::Choice(Connector::WORDS)),
    ("operation", FieldType::Text),
    ("inputs", FieldType::Map),
    ("then_actions", FieldType::Records(Parts(&ACTION))),
    ("else_actions", FieldType::Records(Parts(&ACTION))),
];

impl Record for MacroAction {
    const PARTS: Parts = Parts(&ACTION);

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            self.connector.value(),
            self.operation.value(),
            self.inputs.value(),
            self.then_actions.value(),
            self.else_actions.value(),
        ]
    }

    fn of(values: Vec<Value<'_>>) -> Option<Self> {
        let [connector, operation, inputs, then_actions, else_actions] = values.try_into().ok()?;
        Some(Self {
            connector: FieldValue::of(connector)?,
            operation: FieldValue::of(operation)?,
            inputs: FieldValue::of(inputs)?,
            then_actions: FieldValue::of(then_actions)?,
            else_actions: FieldValue::of(else_actions)?,
        })
    }
}

impl Fields for Macro {
    const FIELDS: &'static [Field<Self>] = &[field!(actions).required().at_most(MAX_ACTIONS)];
}

impl Refs for Macro {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Rules for Macro {
    /// There are no default actions: without any, a creation is refused.
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self { common, stamp, actions: Vec::new() }
    }

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        let Some(actions) = values.get::<Vec<MacroAction>>("actions") else { return };
        if actions.first().is_none_or(|first| !first.is_start()) {
            v.invalid("actions[0]", "must be `start` of BUILT_IN");
        }
        for (at, action) in actions.iter().enumerate() {
            let path = format!("actions[{at}]");
            if at > 0 && action.is_start() {
                v.invalid(format!("{path}.operation"), "stands at the beginning only");
            }
            action.check(&path, 0, v);
        }
    }
}

impl MacroAction {
    fn is_start(&self) -> bool {
        self.connector == Connector::BuiltIn && self.operation == operations::START
    }

    /// Notes every rule that the action breaks, `depth` conditions deep.
    fn check(&self, path: &str, depth: usize, v: &mut Violations) {
        match self.connector.mandatory(&self.operation) {
            None => {
                let known: Vec<_> = self.connector.operations().collect();
                let rule = format!("must be one of {}", known.join(", "));
                v.invalid(format!("{path}.operation"), rule);
            }
            Some(mandatory) => {
                let given = |name: &str| self.inputs.get(name).is_some_and(|i| !i.is_empty());
                for name in mandatory.iter().filter(|name| !given(name)) {
                    let rule = format!("{} needs the input {name}", self.operation);
                    v.add(Reason::MacroInputRequired, format!("{path}.inputs"), rule);
                }
            }
        }
        self.check_inputs(path, v);
        self.check_branches(path, depth, v);
    }

    fn check_inputs(&self, path: &str, v: &mut Violations) {
        check::count(v, &format!("{path}.inputs"), self.inputs.len(), MAX_INPUTS);
        for (name, value) in self.inputs.iter().take(MAX_INPUTS) {
            let shown: String = name.chars().take(60).collect();
            let field = format!("{path}.inputs[{shown}]");
            check::line(v, &field, name, 1..=100);
            if name == ATTRIBUTE {
                v.invalid(&field, "must go on with the logical name of an attribute");
            }
            check::text(v, &field, value, 0..=2_048, Controls::TabAndNewline);
            if let Err(error) = slug::parse(value, Dialect::Macro) {
                v.add(Reason::SlugSyntax, field, error.to_string());
            }
        }
    }

    fn check_branches(&self, path: &str, depth: usize, v: &mut Violations) {
        let is_condition =
            self.connector == Connector::BuiltIn && self.operation == operations::CONDITION;
        for (part, actions) in
            [("then_actions", &self.then_actions), ("else_actions", &self.else_actions)]
        {
            let field = format!("{path}.{part}");
            if actions.is_empty() {
                continue;
            }
            if !is_condition {
                v.invalid(field, "is for conditions only");
            } else if depth == MAX_DEPTH {
                v.invalid(field, format!("conditions stand at most {MAX_DEPTH} deep"));
            } else {
                check::count(v, &field, actions.len(), MAX_ACTIONS);
                for (at, action) in actions.iter().take(MAX_ACTIONS).enumerate() {
                    let path = format!("{field}[{at}]");
                    if action.is_start() {
                        v.invalid(format!("{path}.operation"), "stands at the beginning only");
                    }
                    action.check(&path, depth + 1, v);
                }
            }
        }
    }
}
