//! What became of documents.

use prost_reflect::DynamicMessage;
use serde::Serialize;

use super::document::Document;
use crate::cli::{
    Io, Result,
    output::{cell, messages},
};

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Report {
    /// `profile/contoso_rep`.
    pub name: String,
    /// What happened.
    pub outcome: Outcome,
    /// Highest revision that a change of it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// Users who got another profile.
    pub affected: i64,
    /// Remarks and findings of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The refusal, and its details.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusal: Vec<String>,
}

/// What became of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Outcome {
    /// It is new.
    Created,
    /// It was different before.
    Changed,
    /// No document described it, and it is gone.
    Deleted,
    /// It already was as described.
    Unchanged,
    /// The server did not do it, or not all of it.
    Refused,
}

impl Report {
    /// The report of a document that is as it was.
    pub(super) fn of(document: &Document) -> Self {
        Self::unchanged(document.kind.label(&document.id))
    }

    /// The report of something that is as it was.
    pub(super) fn unchanged(name: String) -> Self {
        Self {
            name,
            outcome: Outcome::Unchanged,
            revision: None,
            affected: 0,
            remarks: Vec::new(),
            refusal: Vec::new(),
        }
    }

    /// Adds the warnings and findings of a result.
    pub(super) fn note(&mut self, result: &DynamicMessage) {
        for remark in ["warnings", "findings"].iter().flat_map(|list| messages(result, list)) {
            let part = |name| cell(&remark, name);
            let (code, subject, text) = (part("code"), part("subject"), part("message"));
            self.remarks.push(format!("{code} {subject}: {text}"));
        }
    }

    /// Shows it for people.
    pub(super) fn write(&self, io: &mut Io<'_>) -> Result<()> {
        let outcome = match self.outcome {
            Outcome::Created => "created",
            Outcome::Changed => "changed",
            Outcome::Deleted => "deleted",
            Outcome::Unchanged => "unchanged",
            Outcome::Refused => "refused",
        };
        let affected = match self.affected {
            0 => String::new(),
            1 => ", 1 user gets another profile".to_owned(),
            many => format!(", {many} users get another profile"),
        };
        io.line(format!("{} {outcome}{affected}", self.name))?;
        self.refusal.iter().chain(&self.remarks).try_for_each(|line| io.line(format!("  {line}")))
    }
}
