//! The tree of an expression, and what it answers.

use std::{fmt, sync::OnceLock};

use super::super::slug::Body;

/// Longest accepted tree, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Deepest accepted nesting; the root is at depth 1, a branch or condition one below what holds it.
pub const MAX_DEPTH: usize = 10;
/// Most nodes of a tree; branches, scripts and conditions all count.
pub const MAX_NODES: usize = 200;

/// One reason why a tree is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// Where in the tree, e.g. `else.if.all[1].op`; empty for the tree as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A valid tree: every branch ends in a script.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A decision between two branches.
    If {
        /// Decides for `then`.
        condition: Condition,
        /// Taken when the condition holds.
        then: Box<Expression>,
        /// Taken when it does not.
        otherwise: Box<Expression>,
    },
    /// The unique name of the script to open with, as written.
    Script(String),
}

/// A test of the session's context.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Holds when all of its parts hold.
    All(Vec<Condition>),
    /// Holds when one of its parts holds.
    Any(Vec<Condition>),
    /// Holds when its part does not.
    Not(Box<Condition>),
    /// Compares the value of a slug.
    Test {
        /// What is looked up.
        slug: Body,
        /// How the value is compared.
        op: Op,
        /// What it is compared with; empty where [`Op::Exists`] has none.
        value: Operand,
    },
}

/// How a test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal; strings ignore case.
    Eq,
    /// Not equal, or without a value.
    Ne,
    /// Contains the text, ignoring case.
    Contains,
    /// Begins with the text, ignoring case.
    StartsWith,
    /// Greater; false unless both are numbers.
    Gt,
    /// Less; false unless both are numbers.
    Lt,
    /// Has a value.
    Exists,
}

/// The value of a slug, as tests compare it. Its form without case is made once: a tree may test one
/// long value two hundred times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    text: String,
    folded: OnceLock<String>,
}

/// The right-hand side of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A JSON string, or the text of a boolean.
    Text(String),
    /// A JSON number.
    Number(f64),
}

// ===== impl Expression =====

impl Expression {
    /// Returns the script to open with; `resolve` gives the value of a slug, or none where there is none.
    pub fn evaluate<'v>(&self, resolve: &dyn Fn(&Body) -> Option<&'v Found>) -> &str {
        match self {
            Self::Script(name) => name,
            Self::If { condition, then, .. } if condition.holds(resolve) => then.evaluate(resolve),
            Self::If { otherwise, .. } => otherwise.evaluate(resolve),
        }
    }

    pub(super) fn collect_scripts(&self, names: &mut Vec<String>) {
        match self {
            Self::Script(name) if names.iter().any(|known| known.eq_ignore_ascii_case(name)) => {}
            Self::Script(name) => names.push(name.clone()),
            Self::If { then, otherwise, .. } => {
                then.collect_scripts(names);
                otherwise.collect_scripts(names);
            }
        }
    }
}

// ===== impl Condition =====

impl Condition {
    fn holds<'v>(&self, resolve: &dyn Fn(&Body) -> Option<&'v Found>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(resolve)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(resolve)),
            Self::Not(part) => !part.holds(resolve),
            Self::Test { slug, op, value } => match resolve(slug) {
                Some(found) => op.compare(found, value),
                None => *op == Op::Ne,
            },
        }
    }
}

// ===== impl Op =====

impl Op {
    pub(super) const ALL: [(&'static str, Self); 7] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("contains", Self::Contains),
        ("starts_with", Self::StartsWith),
        ("gt", Self::Gt),
        ("lt", Self::Lt),
        ("exists", Self::Exists),
    ];

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, op)| (known == name).then_some(op))
    }

    fn compare(self, found: &Found, value: &Operand) -> bool {
        match self {
            Self::Exists => true,
            Self::Eq => value.equals(found),
            Self::Ne => !value.equals(found),
            Self::Contains => found.folded().contains(&value.text().to_lowercase()),
            Self::StartsWith => found.folded().starts_with(&value.text().to_lowercase()),
            Self::Gt => {
                value.number().zip(number(&found.text)).is_some_and(|(value, found)| found > value)
            }
            Self::Lt => {
                value.number().zip(number(&found.text)).is_some_and(|(value, found)| found < value)
            }
        }
    }
}

// ===== impl Found =====

impl Found {
    /// The value as it is shown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn folded(&self) -> &str {
        self.folded.get_or_init(|| self.text.to_lowercase())
    }
}

impl From<String> for Found {
    fn from(text: String) -> Self {
        Self { text, folded: OnceLock::new() }
    }
}

// ===== impl Operand =====

impl Operand {
    fn equals(&self, found: &Found) -> bool {
        match (self, number(&found.text)) {
            (Self::Number(value), Some(found)) => *value == found,
            _ => found.folded() == self.text().to_lowercase(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => number(text),
            Self::Number(number) => Some(*number),
        }
    }
}

/// Reads a decimal number; the words `inf` and `nan` are text.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

// ===== impl ExprError =====

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for ExprError {}
