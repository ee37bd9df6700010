//! An object of a bundle on its way into the organisation.

use std::sync::Arc;

use super::incoming::{Assignment, Incoming};
use crate::domain::{Finding, FindingCode, Kind, Object, UniqueName, profile::Profile};

/// What becomes of an object of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Create,
    Overwrite,
    Adopt,
    Skip,
}

/// An object of the bundle on its way.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) incoming: &'a dyn Incoming,
    pub(super) fate: Fate,
    /// What is stored under its name.
    pub(super) before: Option<Object>,
    /// What it becomes; nothing when it is skipped.
    pub(super) object: Option<Object>,
}

/// A profile of the bundle whose assignment is still open.
#[derive(Debug)]
pub(super) struct Assigned<'a> {
    pub(super) sent: &'a Assignment,
    pub(super) before: Option<Arc<Profile>>,
    pub(super) profile: &'a mut Profile,
}

// ===== impl Row =====

impl Row<'_> {
    /// A finding about the object.
    pub(super) fn finding(&self, code: FindingCode, message: &str) -> Finding {
        Finding::new(code, self.incoming.name().as_str(), message)
    }

    /// The stored profile of its name.
    pub(super) fn stored_profile(&self) -> Option<Arc<Profile>> {
        match &self.before {
            Some(Object::Profile(profile)) => Some(Arc::clone(profile)),
            _ => None,
        }
    }

    /// The name of a profile that the import writes.
    pub(super) fn writes_profile(&self) -> Option<&UniqueName> {
        let written = self.object.is_some() && self.incoming.kind() == Kind::Profile;
        written.then(|| self.incoming.name())
    }

    /// The profile with its assignment, if it is one that has any.
    pub(super) fn assigned(&mut self) -> Option<Assigned<'_>> {
        if self.fate == Fate::Adopt {
            return None;
        }
        let before = self.stored_profile();
        let (Some(sent), Some(Object::Profile(profile))) =
            (self.incoming.assignment(), self.object.as_mut())
        else {
            return None;
        };
        Some(Assigned { sent, before, profile: Arc::make_mut(profile) })
    }
}
