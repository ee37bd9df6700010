//! What a commit means for users: computed once from its delta, and read by everybody who acts on it
//! (the answer of the write, live streams, voice).
//!
//! An [`Impact`] costs what changed and what the counts of SPEC §7.1 rule 4 need. Users whom the
//! commit itself changed are looked at one by one. All others keep their seats, so they are looked at
//! by seat: first it is narrowed down which classes and links the commit can concern at all
//! (`leads`), then the outcomes of those alone are worked out on both sides.

mod affected;
mod cause;
mod findings;
mod first;
mod leads;
mod preview;
mod sides;
mod touched;

use crate::catalog::{Catalog, Delta};

use self::{affected::Comparison, leads::Leads, sides::Sides};
pub use self::{
    affected::{Affected, AffectedUser},
    cause::{CauseKind, Concern},
    findings::{FindingChanges, all_findings},
    preview::Preview,
    touched::{Classes, Touched},
};

/// What one commit means for users.
#[derive(Debug, Clone, Default)]
pub struct Impact {
    /// Users and classes that may find something else.
    pub touched: Touched,
    /// Why, and whom each reason concerns.
    pub causes: Vec<(Concern, CauseKind)>,
    /// Whose outcome differs, for the answer.
    pub affected: Affected,
}

impl Impact {
    /// The impact of a delta that led from one catalog to the other.
    pub fn of(old: &Catalog, new: &Catalog, delta: &Delta) -> Self {
        let leads = Leads::of(old, new, delta);
        let mut sides = Sides::new(old, new, delta);
        let touched = Touched::of(&mut sides, &leads, delta);
        let affected = Comparison::new(sides, &leads, &touched).compared().affected();
        Self { touched, causes: cause::of(old, new, delta), affected }
    }
}

#[cfg(test)]
mod tests;
