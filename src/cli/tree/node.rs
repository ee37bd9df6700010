//! A located tree, and the limits of what one text may hold.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};

use super::scalar::{Meaning, Scalar};

/// Most bytes of all texts of one call.
pub(in crate::cli) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Most values in one text, aliases counted as what they stand for.
pub(super) const MAX_NODES: usize = 4_000_000;

/// Most lists and maps within one another.
pub(super) const MAX_DEPTH: usize = 64;

/// Where something stands: line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Place {
    pub line: u32,
    pub column: u32,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Mistake {
    pub at: Place,
    pub text: String,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Node {
    pub at: Place,
    pub value: Value,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) enum Value {
    /// A text, a number, or a word.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the order in which it is written, with keys that occur twice.
    Map(Vec<(Key, Node)>),
}

/// The key of an entry and its place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Key {
    pub at: Place,
    pub scalar: Scalar,
}

/// What a text may still hold.
#[derive(Debug)]
pub(super) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Mistake {
    pub(in crate::cli) fn new(at: Place, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }

    pub(super) fn too_deep(at: Place) -> Self {
        Self::new(at, format!("more than {MAX_DEPTH} lists and maps are within one another"))
    }
}

impl Node {
    /// What kind of value it is, in words for people.
    pub(in crate::cli) fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Scalar(scalar) => scalar.meaning().name(),
        }
    }

    /// Values in it, with itself, and the bytes of their texts.
    pub(super) fn size(&self) -> (usize, usize) {
        let sum = |(nodes, bytes): (usize, usize), more: &Self| {
            let (n, b) = more.size();
            (nodes + n, bytes + b)
        };
        match &self.value {
            Value::Scalar(scalar) => (1, scalar.text.len()),
            Value::List(all) => all.iter().fold((1, 0), sum),
            Value::Map(all) => all.iter().fold((1, 0), |(nodes, bytes), (key, value)| {
                sum((nodes + 1, bytes + key.scalar.text.len()), value)
            }),
        }
    }
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { nodes: MAX_NODES, bytes: MAX_BYTES }
    }

    pub(super) fn spend(&mut self, nodes: usize, bytes: usize, at: Place) -> Result<(), Mistake> {
        match (self.nodes.checked_sub(nodes), self.bytes.checked_sub(bytes)) {
            (Some(nodes), Some(bytes)) => {
                *self = Self { nodes, bytes };
                Ok(())
            }
            (None, _) => {
                Err(Mistake::new(at, format!("this text holds more than {MAX_NODES} values")))
            }
            (_, None) => {
                Err(Mistake::new(at, format!("this text holds more than {MAX_BYTES} bytes")))
            }
        }
    }
}

/// The JSON form; numbers stay what they are.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::List(all) => {
                let mut list = serializer.serialize_seq(Some(all.len()))?;
                all.iter().try_for_each(|node| list.serialize_element(node))?;
                list.end()
            }
            Value::Map(all) => {
                let mut map = serializer.serialize_map(Some(all.len()))?;
                all.iter()
                    .try_for_each(|(key, node)| map.serialize_entry(&key.scalar.text, node))?;
                map.end()
            }
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Nothing | Meaning::Null => serializer.serialize_unit(),
                Meaning::Bool(value) => serializer.serialize_bool(value),
                Meaning::Text => serializer.serialize_str(&scalar.text),
                Meaning::Whole | Meaning::Number => {
                    match serde_json::from_str::<serde_json::Number>(&scalar.text) {
                        Ok(number) => number.serialize(serializer),
                        Err(_) => serializer.serialize_str(&scalar.text),
                    }
                }
            },
        }
    }
}
