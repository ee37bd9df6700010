//! Removal of what a bundle brought.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    command::{
        Context, Plan,
        library::{Strategy as _, release},
        preconditions::{no_bundle, not_found},
    },
    domain::{Change, Object, ObjectKey, Reason, Refusal, UniqueName, refusal::Preconditions},
};

/// Removes managed objects of a bundle under the rules of deletes; references between them do not
/// count.
#[derive(Debug, Clone)]
pub struct UninstallBundle {
    /// The bundle, of whatever version.
    pub bundle: UniqueName,
    /// Those of its objects that are removed; all of them when it names none.
    pub objects: Vec<ObjectKey>,
    /// Whether users, rank, roles, flag and references of other objects go along.
    pub force: bool,
}

impl UninstallBundle {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let targets = self.targets(catalog)?;
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

    /// The objects that are removed.
    fn targets(&self, catalog: &Catalog) -> Result<Vec<Object>, Refusal> {
        let is_of = |object: &Object| {
            object.common().is_some_and(|common| common.origin.is_bundle(&self.bundle))
        };
        let mut targets: Vec<Object> = catalog.tables.iter().filter(is_of).collect();
        if targets.is_empty() {
            return Err(no_bundle(&self.bundle));
        }
        if self.objects.is_empty() {
            return Ok(targets);
        }
        for key in &self.objects {
            let found = catalog.object(key).ok_or_else(|| not_found(key.kind, &key.name))?;
            if !is_of(&found) {
                return Err(self.not_of_it(key));
            }
        }
        let named: BTreeSet<_> = self.objects.iter().collect();
        targets.retain(|target| named.contains(&target.key()));
        Ok(targets)
    }

    fn not_of_it(&self, key: &ObjectKey) -> Refusal {
        let (kind, bundle) = (key.kind.as_str(), &self.bundle);
        let message = format!("{kind} {} is no managed object of bundle {bundle}.", key.name);
        Refusal::new(Reason::ObjectNotFound, message).resource(
            kind,
            &key.name,
            "is not of the bundle",
        )
    }
}
