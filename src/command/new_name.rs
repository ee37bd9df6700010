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

/// The name of a new object once no field is bad.
pub(super) fn accepted_name(
    v: Violations,
    name: Option<UniqueName>,
) -> Result<UniqueName, Refusal> {
    v.finish()?;
    // A name is refused with a violation; one that is not must never pass for an accepted write.
    name.ok_or_else(|| Refusal::new(Reason::Internal, "A name was refused without a reason."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_refused_without_a_reason_is_no_accepted_write() {
        let refusal = accepted_name(Violations::new(), None).unwrap_err();
        assert_eq!(refusal.reason, Reason::Internal);
        let mut v = Violations::new();
        assert!(new_name(&mut v, "bad").is_none());
        assert_eq!(accepted_name(v, None).unwrap_err().reason, Reason::UniqueNameInvalid);
        let name = new_name(&mut Violations::new(), "contoso_a");
        assert_eq!(accepted_name(Violations::new(), name.clone()).ok(), name);
    }
}
