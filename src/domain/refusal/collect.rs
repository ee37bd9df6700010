//! Collecting what is wrong with a request, so that one refusal names all of it (SPEC §7.2).

use super::{Reason, Refusal, Violation};

/// Collects every bad field of a request, so that the caller sees all of them together.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
}

impl Violations {
    /// Nothing found yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a bad field.
    pub fn add(
        &mut self,
        reason: Reason,
        field: impl Into<String>,
        description: impl Into<String>,
    ) {
        self.found.push(Violation { field: field.into(), reason, description: description.into() });
    }

    /// Notes a field that breaks its plain rule.
    pub fn invalid(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.add(Reason::FieldInvalid, field, description);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes out all that was found.
    pub fn take(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.found)
    }

    /// Adds all that another collection found.
    pub fn extend(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// Refuses with all that was found; the first decides the reason.
    pub fn finish(self) -> Result<(), Refusal> {
        let Some(first) = self.found.first() else { return Ok(()) };
        let message = self
            .found
            .iter()
            .map(|v| format!("{}: {}", v.field, v.description))
            .collect::<Vec<_>>()
            .join("; ");
        let mut refusal = Refusal::new(first.reason, message);
        refusal.violations = self.found;
        Err(refusal)
    }
}

/// Collects every precondition that fails; the first reason is the refusal's (SPEC §7.2).
#[derive(Debug, Default)]
pub struct Preconditions {
    first: Option<Refusal>,
}

impl Preconditions {
    /// Nothing failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a refusal; later ones add their details to the first.
    pub fn fail(&mut self, refusal: Refusal) {
        let Some(first) = &mut self.first else {
            self.first = Some(refusal);
            return;
        };
        first.message.push(' ');
        first.message.push_str(&refusal.message);
        first.violations.extend(refusal.violations);
        first.preconditions.extend(refusal.preconditions);
        first.resources.extend(refusal.resources);
        for (key, value) in refusal.metadata {
            first.metadata.entry(key).or_insert(value);
        }
    }

    /// Refuses when anything failed.
    pub fn finish(self) -> Result<(), Refusal> {
        self.first.map_or(Ok(()), Err)
    }
}
