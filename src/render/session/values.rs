//! The values of an event: its context and the attributes of its anchor record.

use std::{borrow::Cow, collections::BTreeMap};

use super::super::{expression::Found, slug::Body};
use super::{limits::MAX_FIELD_CHARS, shown::Shown};

/// A value of the context or of the anchor record.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number; shown as the shortest decimal that reads back as the same number.
    Number(f64),
    /// A truth value; shown as `true` or `false`.
    Bool(bool),
    /// No value on purpose; shown as an empty text.
    Null,
}

/// Values by key. Keys are compared ignoring ASCII case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    context: BTreeMap<String, Text>,
    attributes: BTreeMap<String, Text>,
}

/// A value as it is put in, before escaping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    found: Found,
    /// As much of it as any text for people shows.
    shown: String,
    has_controls: bool,
}

// ===== impl Value =====

impl Value {
    /// Returns the value as it is put into a text.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            // Negative zero is written as zero.
            Self::Number(number) => (number + 0.0).to_string(),
            Self::Bool(truth) => truth.to_string(),
            Self::Null => String::new(),
        }
    }
}

// ===== impl Values =====

impl Values {
    /// Adds a value of the context; returns whether the key is new.
    #[must_use]
    pub fn insert_context(&mut self, key: &str, value: Value) -> bool {
        self.context.insert(key.to_ascii_lowercase(), Text::new(value)).is_none()
    }

    /// Adds an attribute of the anchor record; returns whether its name is new. A formatted value has
    /// the name of its attribute, `@` and the annotation.
    #[must_use]
    pub fn insert_attribute(&mut self, name: &str, value: Value) -> bool {
        self.attributes.insert(name.to_ascii_lowercase(), Text::new(value)).is_none()
    }

    /// Returns the value that a slug stands for. `decode` turns a name in the text into the name that
    /// is meant.
    pub(super) fn get<'b>(
        &self,
        slug: &'b Body,
        decode: impl Fn(&'b str) -> Cow<'b, str>,
    ) -> Option<&Text> {
        match slug {
            Body::Key(key) => self.context.get(&decode(key).to_ascii_lowercase()),
            Body::Anchor { attribute, annotation } => {
                let mut name = decode(attribute).to_ascii_lowercase();
                if let Some(annotation) = annotation {
                    name.push('@');
                    name.push_str(&decode(annotation).to_ascii_lowercase());
                }
                self.attributes.get(&name)
            }
            Body::OData { .. } | Body::Session { .. } | Body::Reconnect => None,
        }
    }
}

// ===== impl Text =====

impl Text {
    fn new(value: Value) -> Self {
        let text = value.into_text();
        let has_controls = text.contains(char::is_control);
        let shown = Shown(&text).take(MAX_FIELD_CHARS + 1).collect();
        Self { found: text.into(), shown, has_controls }
    }

    pub(super) fn as_str(&self) -> &str {
        self.found.as_str()
    }

    /// The value as conditions compare it.
    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// The beginning of the value without control characters and line breaks: one character more than
    /// the longest text for people has.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the value holds control characters.
    pub(super) fn has_controls(&self) -> bool {
        self.has_controls
    }
}
