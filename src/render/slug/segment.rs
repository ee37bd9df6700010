//! The parts of a parsed text, and why one does not parse.

use std::fmt;

const MAX_QUOTED_CHARS: usize = 60;

/// How slugs are written in a kind of text, and which bodies are legal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `{…}`; `{{` and `}}` stand for single braces outside slugs.
    Template,
    /// `${…}` in script steps, without escapes.
    Script,
    /// `${…}` in macro inputs, without escapes; the only place for session bodies.
    Macro,
}

/// A part of a parsed text, in reading order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Text to deliver as it is; escapes are already undone.
    Literal(String),
    /// A placeholder.
    Slug {
        /// The slug as written, braces included: what stays in the text when it cannot be resolved.
        raw: String,
        /// Where the slug begins, in characters of the whole text.
        offset_chars: usize,
        /// What it asks for.
        body: Body,
    },
}

/// What a slug asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An attribute of the anchor record.
    Anchor {
        /// Attribute name, as written.
        attribute: String,
        /// What follows the `@`, e.g. the formatted value.
        annotation: Option<String>,
    },
    /// A query that the client runs.
    OData {
        /// Entity set to query.
        entity: String,
        /// Attribute of the answer to show.
        attribute: String,
        /// Query options after the `?`, with their own slugs.
        options: Option<Vec<Segment>>,
    },
    /// A value of the running session; macros only.
    Session {
        /// The source of the value.
        source: SessionSource,
        /// The key in that source.
        key: String,
    },
    /// The link back into a chat, for the customer.
    Reconnect,
    /// A context key, a pre-chat question included.
    Key(String),
}

/// Where a session body gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionSource {
    /// `Session.CurrentTab.`, with the key `EntityName` or `EntityId`.
    CurrentTab,
    /// `Session.AnchorTab.`, with the key `EntityName` or `EntityId`.
    AnchorTab,
    /// `$session.`, a value that a macro has set.
    Session,
    /// `$oc.`, a value of the conversation.
    Omnichannel,
}

/// A malformed slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where the offending slug begins, in characters.
    pub offset_chars: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

// ===== impl Dialect =====

impl Dialect {
    pub(super) fn opening(self) -> &'static str {
        match self {
            Self::Template => "{",
            Self::Script | Self::Macro => "${",
        }
    }
}

// ===== impl SyntaxError =====

impl SyntaxError {
    /// Quotes the beginning of the slug only: messages travel in headers.
    pub(super) fn about(raw: &str, offset_chars: usize, message: &str) -> Self {
        let shown: String = raw.chars().take(MAX_QUOTED_CHARS).collect();
        let cut = if shown.len() < raw.len() { "…" } else { "" };
        Self::new(offset_chars, format!("`{shown}{cut}`: {message}"))
    }

    pub(in crate::render) fn new(offset_chars: usize, message: impl Into<String>) -> Self {
        Self { offset_chars, message: message.into() }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.message, self.offset_chars)
    }
}

impl std::error::Error for SyntaxError {}
