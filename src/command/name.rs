//! Names of new objects (SPEC §2.2).

use crate::{
    catalog::Table,
    domain::{Reason, Refusal, UniqueName, Violations, stored::Named},
};

/// Reads the name of a new object and refuses the reserved prefix.
pub(super) fn new_name(v: &mut Violations, given: &str) -> Option<UniqueName> {
    match UniqueName::parse(given) {
        Err(rule) => v.add(Reason::UniqueNameInvalid, "unique_name", rule),
        Ok(name) if name.is_reserved() => {
            v.add(
                Reason::ReservedPrefix,
                "unique_name",
                "the prefix msdyn is reserved for built-in objects",
            );
        }
        Ok(name) => return Some(name),
    }
    None
}

/// Refuses a name that an object of the kind holds, in whatever spelling.
pub(super) fn not_taken<T: Named>(table: &Table<T>, name: &UniqueName) -> Result<(), Refusal> {
    let Some(holder) = table.get(name) else { return Ok(()) };
    let (kind, holder) = (T::KIND.as_str(), holder.name());
    let message = format!("{kind} {holder} exists; names ignore case.");
    Err(Refusal::new(Reason::UniqueNameTaken, message).resource(kind, holder, "holds the name"))
}
