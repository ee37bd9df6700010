//! The way back to an earlier definition of an object: an update to all its values, or its creation.

use super::{Create, Patch, SetState, Strategy, Update};
use crate::{
    catalog::Catalog,
    command::{Command, preconditions::not_built_in},
    domain::{Refusal, State},
};

/// Name of the operation in refusals.
pub(in crate::command) const OPERATION: &str = "ROLLBACK";

/// What gives an object the definition that it had; nothing when it has it.
pub(in crate::command) fn definition<T: Strategy>(
    catalog: &Catalog,
    old: &T,
) -> Result<Option<Box<dyn Command>>, Refusal> {
    let name = old.common().unique_name.clone();
    let mut patch = T::Patch::of(old);
    let Some(current) = T::table(&catalog.tables).get(&name).map(AsRef::as_ref) else {
        T::keep_secrets(old, &mut patch);
        return Ok(Some(Box::new(Create::<T> { unique_name: name.to_string(), patch })));
    };
    not_built_in(current, OPERATION)?;
    let mut next = current.clone();
    patch.apply(&mut next);
    let update = Update::<T> { operation: OPERATION, ..Update::new(name, patch) };
    Ok((next != *current).then(|| Box::new(update) as Box<dyn Command>))
}

/// What activates or deactivates an object as it was; nothing when it is.
pub(in crate::command) fn state<T: Strategy>(
    catalog: &Catalog,
    old: &T,
    state: State,
) -> Option<Box<dyn Command>> {
    let name = &old.common().unique_name;
    let current = T::table(&catalog.tables).get(name)?;
    let command = || SetState::<T>::new(name.clone(), None, state);
    (current.common().state != state).then(|| Box::new(command()) as Box<dyn Command>)
}
