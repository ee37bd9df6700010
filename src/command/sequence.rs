//! Several commands as one write: each is judged on the catalog that the ones before it leave, and
//! what they change together is one plan, with one revision and one time (SPEC §11.1).

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    judge::{apply, permitted},
    plan::{Command, Context, Plan, Step},
};
use crate::{
    catalog::Catalog,
    domain::{Change, Kind, Object, ObjectKey, Refusal, resource_name::resource_name},
};

/// Commands that become one write.
///
/// A refused command leaves the sequence as it was; the caller of the sequence decides whether that
/// ends it. What is created and deleted again, or changed and changed back, is no change.
///
/// ```text
/// let mut sequence = Sequence::new(catalog, context);
/// for command in commands {
///     sequence.run(command)?;
/// }
/// let plan = sequence.finish();
/// ```
#[derive(Debug)]
pub struct Sequence<'a> {
    base: &'a Catalog,
    context: &'a Context,
    /// The catalog with every change so far.
    catalog: Catalog,
    changes: BTreeMap<ObjectKey, Change>,
    answers: Vec<ObjectKey>,
    resealed: i32,
    steps: Vec<Step>,
}

impl<'a> Sequence<'a> {
    /// No command so far. All of them have the actor, the revision and the time of the context; the
    /// uids of what they create are derived from its uid and their place.
    pub fn new(base: &'a Catalog, context: &'a Context) -> Self {
        Self {
            base,
            context,
            catalog: base.clone(),
            changes: BTreeMap::new(),
            answers: Vec::new(),
            resealed: 0,
            steps: Vec::new(),
        }
    }

    /// The catalog that the commands so far leave.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The catalog that the commands leave, where nothing else of them is needed.
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// What each command so far did.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Runs one more command, or answers why it is refused; the sizes that no write may exceed
    /// ([`judge`](super::judge())) are part of that.
    pub fn run(&mut self, command: &dyn Command) -> Result<(), Refusal> {
        let uid = step_uid(self.context.uid, self.steps.len());
        let context = Context { uid, ..self.context.clone() };
        let plan = permitted(command, &self.catalog, &context)?;
        let changed = plan.changed();
        if changed {
            let applied = apply(&self.catalog, &plan.changes, &context)?;
            self.catalog = applied.next;
            let frees_a_name = plan.changes.iter().any(frees_a_name);
            self.changes.extend(plan.changes.into_iter().map(|change| (change.key(), change)));
            if frees_a_name {
                self.prune_people();
            }
        }
        let shown = plan.answers.iter().filter_map(|key| self.catalog.object(key));
        self.steps.push(Step {
            operation: command.operation().to_owned(),
            changed,
            resources: shown.map(|object| name_of(&object)).collect(),
            warnings: plan.warnings,
            findings: plan.findings,
            not_assigned: plan.not_assigned,
        });
        self.answers.extend(plan.answers);
        self.resealed += plan.resealed;
        Ok(())
    }

    /// The plan of all commands together: each object at most once, in its last state. Its answers are
    /// the objects that some command is about and that are still there, each once.
    pub fn finish(self) -> Plan {
        let Self { base, catalog, changes, resealed, steps, .. } = self;
        let changes =
            changes.into_iter().filter(|(key, change)| differs(&catalog, base, key, change));
        let mut answers: Vec<ObjectKey> = Vec::new();
        for key in self.answers {
            if !answers.contains(&key) && catalog.object(&key).is_some() {
                answers.push(key);
            }
        }
        Plan {
            changes: changes.map(|(_, change)| change).collect(),
            answers,
            warnings: steps.iter().flat_map(|step| step.warnings.clone()).collect(),
            findings: steps.iter().flat_map(|step| step.findings.clone()).collect(),
            not_assigned: steps.iter().flat_map(|step| step.not_assigned.clone()).collect(),
            resealed,
            steps,
            ..Plan::default()
        }
    }

    /// Takes references that a delete ended out of the users and teams that the sequence writes.
    ///
    /// Commit times say whether such a reference is alive, and within the sequence all times are the
    /// same: an object that a later command creates under the freed name would take it over.
    fn prune_people(&mut self) {
        let mut pruned = Vec::new();
        for (key, change) in &mut self.changes {
            let Change::Put(stored @ (Object::User(_) | Object::Team(_))) = change else {
                continue;
            };
            if let Some(seen) = self.catalog.object(key).filter(|seen| seen != stored) {
                *stored = seen;
                pruned.push(change.clone());
            }
        }
        if !pruned.is_empty() {
            self.catalog = self.catalog.apply(&pruned, self.context.revision, self.context.time);
        }
    }
}

/// Whether references of users and teams end with this change, which does not write them.
fn frees_a_name(change: &Change) -> bool {
    matches!(change, Change::Delete(key) if matches!(key.kind, Kind::Role | Kind::Profile))
}

/// Whether readers would see anything else without a change, the server's notes apart.
///
/// What the sequence ends and makes again counts: a reference that reads as before leads to another
/// object, and without the change it would be gone.
fn differs(now: &Catalog, base: &Catalog, key: &ObjectKey, change: &Change) -> bool {
    match (base.stored(key), change) {
        (None, Change::Delete(_)) => false,
        (Some(old), Change::Put(new)) => {
            old.stamp().uid != new.stamp().uid || now.seen(old).differs(new)
        }
        _ => true,
    }
}

/// The uid of what a command creates. The low 16 bits are left to the command, which may create
/// several objects and counts on from there.
fn step_uid(uid: Uuid, at: usize) -> Uuid {
    Uuid::from_u128(uid.as_u128().wrapping_add((at as u128) << 16))
}

fn name_of(object: &Object) -> String {
    match object.kind() {
        // There is one, and its collection is its name.
        kind @ Kind::Settings => kind.collection().to_owned(),
        kind => resource_name(kind, object.name()),
    }
}

#[cfg(test)]
mod tests;
