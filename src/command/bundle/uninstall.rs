//! Removal of what a bundle brought.

use std::collections::BTreeMap;

use crate::{
    catalog::Catalog,
    command::{
        Context, Plan,
        library::{Strategy as _, release},
        preconditions::no_bundle,
    },
    domain::{Change, Object, ObjectKey, Refusal, UniqueName, refusal::Preconditions},
};

/// Removes all managed objects of a bundle under the rules of deletes; references between them do not
/// count.
#[derive(Debug, Clone)]
pub struct UninstallBundle {
    /// The bundle, of whatever version.
    pub bundle: UniqueName,
    /// Whether users, rank, roles, flag and references of other objects go along.
    pub force: bool,
}

impl UninstallBundle {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let is_of = |object: &Object| {
            object.common().is_some_and(|common| common.origin.is_bundle(&self.bundle))
        };
        let targets: Vec<Object> = catalog.tables.iter().filter(is_of).collect();
        if targets.is_empty() {
            return Err(no_bundle(&self.bundle));
        }
        let mut failed = Preconditions::new();
        for target in &targets {
            if let Object::Profile(profile) = target
                && !self.force
                && let Err(refusal) = profile.unused(catalog)
            {
                failed.fail(refusal);
            }
        }
        let deletes: Vec<_> = targets.iter().map(|target| Change::Delete(target.key())).collect();
        // Without the targets, only references from outside are left.
        let mut rest = catalog.apply(&deletes, context.revision, context.time);
        let mut released: BTreeMap<ObjectKey, Change> = BTreeMap::new();
        for target in &targets {
            let Some(common) = target.common() else { continue };
            let name = &common.unique_name;
            match release(&rest, (target.kind(), name), self.force, context) {
                Err(refusal) => failed.fail(refusal),
                Ok(changes) if changes.is_empty() => {}
                Ok(changes) => {
                    rest = rest.apply(&changes, context.revision, context.time);
                    released.extend(changes.into_iter().map(|change| (change.key(), change)));
                }
            }
        }
        failed.finish()?;
        let changes = deletes.into_iter().chain(released.into_values()).collect();
        Ok(Plan { changes, ..Plan::default() })
    }
}
