//! Why a call is refused: one canonical code and reason, with every identifier needed to repair
//! the call (SPEC §7.2, §7.3).

mod collect;
mod reason;

use std::{collections::BTreeMap, fmt};

pub use self::{
    collect::{Preconditions, Violations},
    reason::{Code, Reason},
};

/// One bad field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field within the resource or the request: `inbox.views[0].name`.
    pub field: String,
    /// Why it is bad.
    pub reason: Reason,
    /// The rule that it breaks, in words.
    pub description: String,
}

/// One state of the world that forbids the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition {
    /// Kind of the violation: `ROLE`, `DIRECT_USER`, or the reason itself.
    pub kind: String,
    /// What is concerned.
    pub subject: String,
    /// What about it.
    pub description: String,
}

/// One object that the refusal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceInfo {
    /// Kind in SPEC's words: `Profile`.
    pub kind: String,
    /// Its unique name or id as stored.
    pub name: String,
    /// What about it.
    pub description: String,
}

/// A refused call. Refusals are values: they change nothing and carry all that the caller needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// One sentence for people, with what to do next.
    pub message: String,
    /// Values by name, as in the table of SPEC §7.3.
    pub metadata: BTreeMap<String, String>,
    /// Bad fields, for [`Code::InvalidArgument`].
    pub violations: Vec<Violation>,
    /// Forbidding states, for [`Code::FailedPrecondition`].
    pub preconditions: Vec<Precondition>,
    /// Objects involved.
    pub resources: Vec<ResourceInfo>,
    /// After how many milliseconds a repetition makes sense.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal with its reason alone.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let retry_after_ms =
            matches!(reason.code(), Code::Aborted | Code::Unavailable | Code::ResourceExhausted)
                .then_some(1_000);
        Self {
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            preconditions: Vec::new(),
            resources: Vec::new(),
            retry_after_ms,
        }
    }

    /// Adds a value to the metadata.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds an object that is involved.
    #[must_use]
    pub fn resource(mut self, kind: &str, name: impl ToString, description: &str) -> Self {
        self.resources.push(ResourceInfo {
            kind: kind.to_owned(),
            name: name.to_string(),
            description: description.to_owned(),
        });
        self
    }

    /// Adds a forbidding state.
    #[must_use]
    pub fn precondition(
        mut self,
        kind: &str,
        subject: impl ToString,
        description: impl Into<String>,
    ) -> Self {
        self.preconditions.push(Precondition {
            kind: kind.to_owned(),
            subject: subject.to_string(),
            description: description.into(),
        });
        self
    }

    /// Adds a bad field.
    #[must_use]
    pub fn violation(mut self, field: &str, description: impl Into<String>) -> Self {
        self.violations.push(Violation {
            field: field.to_owned(),
            reason: self.reason,
            description: description.into(),
        });
        self
    }

    /// Sets after how many milliseconds a repetition makes sense.
    #[must_use]
    pub fn retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

impl std::error::Error for Refusal {}
