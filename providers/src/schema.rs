//! Checks configurations against the JSON schemas of their types.
//!
//! The schemas are derived from our own types and use few of the standard's keywords: those of
//! [`Rules`]. A schema with another keyword is refused when it is read, so that no rule is passed over.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde::{Deserialize, Deserializer, de, de::IgnoredAny};
use serde_json::Value;

use crate::Violations;

#[cfg(test)]
mod tests;

/// Where the definitions of a schema stand.
const DEFINITIONS: &str = "#/$defs/";

/// A schema of which every keyword is known.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Node,
    definitions: BTreeMap<String, Node>,
}

/// A schema or a part of one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Node {
    /// Allows everything, or nothing.
    Allows(bool),
    Rules(Box<Rules>),
}

/// The keywords, and after them the annotations, which say nothing about a value.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Rules {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "type", deserialize_with = "types")]
    types: Vec<Type>,
    #[serde(rename = "enum")]
    values: Option<Vec<Value>>,
    #[serde(rename = "const", deserialize_with = "given")]
    value: Option<Value>,
    properties: BTreeMap<String, Node>,
    required: Vec<String>,
    additional_properties: Option<Node>,
    items: Option<Node>,
    unique_items: bool,
    minimum: Option<f64>,
    maximum: Option<f64>,
    one_of: Option<Vec<Node>>,
    any_of: Option<Vec<Node>>,
    #[serde(rename = "$defs")]
    definitions: BTreeMap<String, Node>,

    #[serde(rename = "$schema")]
    _schema: IgnoredAny,
    #[serde(rename = "title")]
    _title: IgnoredAny,
    #[serde(rename = "description")]
    _description: IgnoredAny,
    #[serde(rename = "default")]
    _default: IgnoredAny,
    #[serde(rename = "format")]
    _format: IgnoredAny,
}

/// A type of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Array,
    Boolean,
    Integer,
    Null,
    Number,
    Object,
    String,
}

/// What is checked: a value, and where it stands.
#[derive(Clone, Copy)]
struct At<'a> {
    path: &'a str,
    value: &'a Value,
}

// === impl Schema ===

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// A keyword that is not known here, or a reference to a definition that is not there.
    pub(crate) fn read(schema: &Value) -> Result<Self, serde_json::Error> {
        let mut rules = Rules::deserialize(schema)?;
        let definitions = std::mem::take(&mut rules.definitions);
        let schema = Self { root: Node::Rules(Box::new(rules)), definitions };
        for node in std::iter::once(&schema.root).chain(schema.definitions.values()) {
            schema.find_references(node)?;
        }
        Ok(schema)
    }

    /// Notes everything in which the value differs.
    pub(crate) fn check(&self, value: &Value, violations: &mut Violations) {
        self.check_node(&self.root, At { path: "", value }, violations);
    }

    fn find_references(&self, node: &Node) -> Result<(), serde_json::Error> {
        let Node::Rules(rules) = node else { return Ok(()) };
        if let Some(reference) = &rules.reference {
            self.definition(reference).ok_or_else(|| {
                de::Error::custom(format_args!("there is no definition {reference}"))
            })?;
        }
        if !rules.definitions.is_empty() {
            return Err(de::Error::custom("definitions stand at the root alone"));
        }
        rules.children().try_for_each(|child| self.find_references(child))
    }

    fn definition(&self, reference: &str) -> Option<&Node> {
        self.definitions.get(reference.strip_prefix(DEFINITIONS)?)
    }

    fn accepts(&self, node: &Node, at: At<'_>) -> bool {
        let mut violations = Violations::default();
        self.check_node(node, at, &mut violations);
        violations.is_empty()
    }

    fn check_node(&self, node: &Node, at: At<'_>, violations: &mut Violations) {
        let rules = match node {
            Node::Allows(true) => return,
            Node::Allows(false) => return violations.add(at.path, "is not known"),
            Node::Rules(rules) => rules,
        };
        if let Some(node) = rules.reference.as_deref().and_then(|name| self.definition(name)) {
            self.check_node(node, at, violations);
        }
        if !rules.types.is_empty() && !rules.types.iter().any(|kind| kind.fits(at.value)) {
            return violations.add(at.path, format!("must be {}", Listed(&rules.types)));
        }
        if let Some(constants) = rules.constants()
            && !constants.contains(at.value)
        {
            violations.add(at.path, format!("must be {}", Listed(constants)));
        }
        self.check_forms(rules, at, violations);
        match at.value {
            Value::Object(fields) => self.check_fields(rules, at, fields, violations),
            Value::Array(items) => self.check_items(rules, at, items, violations),
            Value::Number(number) => rules.check_range(at, number.as_f64(), violations),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    /// Exactly one form of `oneOf`, at least one of `anyOf`.
    fn check_forms(&self, rules: &Rules, at: At<'_>, violations: &mut Violations) {
        for (forms, most) in [(&rules.one_of, 1), (&rules.any_of, usize::MAX)] {
            let Some(forms) = forms else { continue };
            let fitting = forms.iter().filter(|form| self.accepts(form, at)).count();
            if (1..=most).contains(&fitting) {
                continue;
            }
            let constants = forms.iter().flat_map(Node::constants).cloned().collect::<Vec<_>>();
            // What is wrong within a form is what its author wants to know; null is no such form.
            match forms.iter().find(|form| !self.accepts(form, At { value: &Value::Null, ..at })) {
                _ if !constants.is_empty() => {
                    violations.add(at.path, format!("must be {}", Listed(&constants)));
                }
                Some(form) if fitting == 0 => self.check_node(form, at, violations),
                _ => violations.add(at.path, "must have one of its forms"),
            }
        }
    }

    fn check_fields(
        &self,
        rules: &Rules,
        at: At<'_>,
        fields: &serde_json::Map<String, Value>,
        violations: &mut Violations,
    ) {
        for name in rules.required.iter().filter(|name| !fields.contains_key(*name)) {
            violations.add(field(at.path, name), "is required");
        }
        for (name, value) in fields {
            let node = rules.properties.get(name).or(rules.additional_properties.as_ref());
            if let Some(node) = node {
                self.check_node(node, At { path: &field(at.path, name), value }, violations);
            }
        }
    }

    fn check_items(&self, rules: &Rules, at: At<'_>, items: &[Value], violations: &mut Violations) {
        let mut seen = HashSet::new();
        for (position, value) in items.iter().enumerate() {
            let path = format!("{}[{position}]", at.path);
            if let Some(node) = &rules.items {
                self.check_node(node, At { path: &path, value }, violations);
            }
            if rules.unique_items && !seen.insert(value) {
                violations.add(path, "is there twice");
            }
        }
    }
}

/// The path of a field.
fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

// === impl Node ===

impl Node {
    /// The values of a form that is nothing but them.
    fn constants(&self) -> &[Value] {
        match self {
            Self::Allows(_) => &[],
            Self::Rules(rules) => rules.constants().unwrap_or_default(),
        }
    }
}

// === impl Rules ===

impl Rules {
    /// The values that are allowed, if not all are.
    fn constants(&self) -> Option<&[Value]> {
        self.values.as_deref().or(self.value.as_ref().map(std::slice::from_ref))
    }

    fn children(&self) -> impl Iterator<Item = &Node> {
        let one = self.additional_properties.iter().chain(&self.items);
        let forms = self.one_of.iter().chain(&self.any_of).flatten();
        self.properties.values().chain(one).chain(forms)
    }

    fn check_range(&self, at: At<'_>, number: Option<f64>, violations: &mut Violations) {
        let Some(number) = number else { return };
        if let Some(minimum) = self.minimum.filter(|minimum| number < *minimum) {
            violations.add(at.path, format!("must be at least {minimum}"));
        }
        if let Some(maximum) = self.maximum.filter(|maximum| number > *maximum) {
            violations.add(at.path, format!("must be at most {maximum}"));
        }
    }
}

/// One type, or a list of them.
fn types<'de, D: Deserializer<'de>>(types: D) -> Result<Vec<Type>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Types {
        One(Type),
        Several(Vec<Type>),
    }
    Ok(match Types::deserialize(types)? {
        Types::One(one) => vec![one],
        Types::Several(several) => several,
    })
}

/// A value that is there, `null` too.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

// === impl Type ===

impl Type {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Array => value.is_array(),
            Self::Boolean => value.is_boolean(),
            // Not 1.0, which the standard takes for an integer and our types do not.
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Null => value.is_null(),
            Self::Number => value.is_number(),
            Self::Object => value.is_object(),
            Self::String => value.is_string(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "a list",
            Self::Boolean => "true or false",
            Self::Integer => "an integer",
            Self::Null => "null",
            Self::Number => "a number",
            Self::Object => "an object",
            Self::String => "a string",
        })
    }
}

/// What is allowed, as a list: `a, b or c`.
struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            f.write_str(match position {
                0 => "",
                last if last + 1 == self.0.len() => " or ",
                _ => ", ",
            })?;
            item.fmt(f)?;
        }
        Ok(())
    }
}
