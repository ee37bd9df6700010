//! Rollback: earlier states of objects, written again under the rules of the writes that would lead
//! there (SPEC §11.2).
//!
//! Nothing here changes an object: a rollback runs the commands that a caller could send one after
//! the other, and commits what they come to as one revision. So it is refused for what they are
//! refused for, and has their flags.

mod directory;
mod flags;
mod profile;
mod step;

pub use self::flags::Flags;
use self::step::run;
use super::{
    Command, Context, Displace, Plan, Sequence,
    library::restore,
    preconditions::{not_built_in_but, not_managed_but},
};
use crate::{
    catalog::Catalog,
    domain::{
        Kind, Object, ObjectKey, Reason, Refusal, named_kinds, refusal::Code, role::SecurityRole,
    },
};

/// Most objects of one rollback.
pub const MAX_TARGETS: usize = 50;

/// Writes the states that objects had at an earlier revision.
///
/// What two of them refer to or hand over to one another, as a default flag or a rank, may be named
/// in any order. Secrets of providers stay as they are; a provider that is gone comes back with those
/// that it had.
#[derive(Debug, Clone, Default)]
pub struct Rollback {
    /// The objects, each once.
    pub targets: Vec<Target>,
    /// What the caller allows.
    pub flags: Flags,
}

/// An object, and the state that it is to have again.
#[derive(Debug, Clone)]
pub struct Target {
    /// The object.
    pub key: ObjectKey,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// The earlier state, or why there is none.
    pub old: Result<Object, Refusal>,
}

impl Rollback {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let mut old = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let state = target.old.clone()?;
            unlocked(catalog, &state)?;
            old.push(state);
        }
        for target in &self.targets {
            same_etag(catalog, target)?;
        }
        let mut sequence = Sequence::new(catalog, context);
        self.definitions(&mut sequence, &old)?;
        profile::assignments(&self.flags, &mut sequence, &old)?;
        for state in &old {
            directory::memberships(&self.flags, &mut sequence, state)?;
            let step = activation(sequence.catalog(), state);
            run(&mut sequence, step)?;
        }
        let mut plan = sequence.finish();
        plan.answers = self.targets.iter().map(|target| target.key.clone()).collect();
        // How it came about is nobody's business but the rules'.
        plan.steps.clear();
        Ok(plan)
    }

    /// Restores the definitions. One that refers to another of them has to wait for it.
    fn definitions(&self, sequence: &mut Sequence<'_>, old: &[Object]) -> Result<(), Refusal> {
        let mut waiting: Vec<&Object> = old.iter().collect();
        while !waiting.is_empty() {
            let (count, mut missing) = (waiting.len(), None);
            let mut still = Vec::new();
            for state in waiting {
                let command = definition(sequence.catalog(), state)?;
                match run(sequence, command) {
                    Err(refusal) if refusal.reason.code() == Code::NotFound => {
                        still.push(state);
                        missing.get_or_insert(refusal);
                    }
                    done => done?,
                }
            }
            if let Some(refusal) = missing.filter(|_| still.len() == count) {
                return Err(refusal);
            }
            waiting = still;
        }
        Ok(())
    }
}

/// Refuses a rollback of what no call may change at all.
fn unlocked(catalog: &Catalog, old: &Object) -> Result<(), Refusal> {
    let Object::Role(old) = old else { return Ok(()) };
    let Some(current) = catalog.tables.roles.get(&old.common.unique_name) else { return Ok(()) };
    let current: &SecurityRole = current;
    not_built_in_but(current, restore::OPERATION, "create a role of your own instead")?;
    not_managed_but(current, restore::OPERATION, "change it where its bundle comes from")
}

/// Refuses when an object has changed since the caller read it.
fn same_etag(catalog: &Catalog, target: &Target) -> Result<(), Refusal> {
    let Some(sent) = &target.etag else { return Ok(()) };
    let current = catalog.object(&target.key).map(|object| object.stamp().etag());
    if current.as_ref() == Some(sent) {
        return Ok(());
    }
    let (kind, name) = (target.key.kind.as_str(), &target.key.name);
    let message = format!("{kind} {name} has changed since it was read; read it again.");
    Err(Refusal::new(Reason::EtagMismatch, message)
        .with("current_etag", current.unwrap_or_default())
        .resource(kind, name, "changed meanwhile"))
}

/// Expands to what is done with the kinds whose writes are generic.
macro_rules! generic {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// The step that gives an object the definition that it had.
        fn definition(
            catalog: &Catalog,
            old: &Object,
        ) -> Result<Option<Box<dyn Command>>, Refusal> {
            if let Some(command) = directory::definition(catalog, old) {
                return Ok(Some(command));
            }
            match old {
                $(Object::$variant(old) => restore::definition(catalog, old.as_ref()),)+
                Object::Team(_) | Object::User(_) | Object::Settings(_) => Ok(None),
            }
        }

        /// The step that activates or deactivates an object as it was.
        fn activation(catalog: &Catalog, old: &Object) -> Option<Box<dyn Command>> {
            match old {
                // A role has no state of its own: a change of it is refused.
                old if old.kind() == Kind::Role => None,
                $(Object::$variant(old) => {
                    restore::state(catalog, old.as_ref(), old.common.state)
                })+
                Object::Team(_) | Object::User(_) | Object::Settings(_) => None,
            }
        }
    };
}

named_kinds!(generic);

impl Command for Rollback {
    fn operation(&self) -> &'static str {
        "Rollback"
    }

    fn flags(&self) -> Vec<&'static str> {
        let flags = [
            ("replace_current", self.flags.replace_current),
            ("drop_rank_and_roles", self.flags.drop_rank_and_roles),
            ("displace", self.flags.displace != Displace::Reject),
            ("override_managed", self.flags.override_managed),
            ("move", self.flags.move_users),
        ];
        flags.into_iter().filter_map(|(flag, set)| set.then_some(flag)).collect()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        self.plan(catalog, context)
    }
}

#[cfg(test)]
mod tests;
