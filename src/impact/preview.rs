//! What a change would mean, with all users whom it leads elsewhere, in pages (SPEC §11.1).

use std::collections::BTreeMap;

use super::{
    Affected, AffectedUser, FindingChanges, Touched, affected::Comparison, leads::Leads,
    sides::Sides,
};
use crate::{
    catalog::{Catalog, Delta},
    domain::{UniqueName, UserId},
};

/// What a change would mean.
///
/// Counts cost what the change concerns, a page what it holds: nobody is visited whom neither shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Counts of users; the list in it is the page.
    pub affected: Affected,
    /// How many users would get which profile in place of which one.
    pub moves: BTreeMap<(UniqueName, UniqueName), u64>,
    /// Findings that would come and go.
    pub findings: FindingChanges,
}

impl Preview {
    /// The preview of a delta that leads from one catalog to the other, with at most `most` users
    /// behind `after`, ascending by id.
    pub fn of(
        old: &Catalog,
        new: &Catalog,
        delta: &Delta,
        after: Option<&UserId>,
        most: usize,
    ) -> Self {
        let leads = Leads::of(old, new, delta);
        let mut sides = Sides::new(old, new, delta);
        let touched = Touched::of(&mut sides, &leads, delta);
        let compared = Comparison::new(sides, &leads, &touched).compared();
        let users: Vec<AffectedUser> = compared.users(after, most);
        let moves = compared.moves();
        let affected = Affected { users, ..compared.counts };
        Self { affected, moves, findings: FindingChanges::of(old, new, delta) }
    }
}
