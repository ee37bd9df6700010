//! ApplyChanges: several writes as one transaction and one revision (SPEC §11.1).

use super::{
    plan::{Command, Context, Plan},
    sequence::Sequence,
};
use crate::{
    catalog::Catalog,
    domain::{Reason, Refusal},
};

/// Most operations of a list.
pub const MAX_OPERATIONS: usize = 50;

/// Runs 1 to [`MAX_OPERATIONS`] commands in order, all or nothing.
#[derive(Debug)]
pub struct ApplyChanges {
    /// The commands.
    pub operations: Vec<Box<dyn Command>>,
    /// Revision that the list was made for: at any other it is refused.
    pub expected_revision: Option<i64>,
}

impl Command for ApplyChanges {
    fn operation(&self) -> &'static str {
        "ApplyChanges"
    }

    /// The flags that any of the operations sets, each once.
    fn flags(&self) -> Vec<&'static str> {
        let mut flags = Vec::new();
        for flag in self.operations.iter().flat_map(|operation| operation.flags()) {
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
        flags
    }

    /// The changes of all operations, or the refusal of the first one that fails. The answer names
    /// objects by [`Step`](super::Step), and so holds none.
    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        if let Some(expected) = self.expected_revision.filter(|at| *at != catalog.revision) {
            return Err(moved_on(expected, catalog.revision));
        }
        let mut sequence = Sequence::new(catalog, context);
        for (at, operation) in self.operations.iter().enumerate() {
            let operation = operation.as_ref();
            sequence.run(operation).map_err(|refusal| of_operation(at, operation, refusal))?;
        }
        Ok(Plan { answers: Vec::new(), ..sequence.finish() })
    }
}

/// The refusal of a list for one of its operations: which one it is, and fields that lead to it.
pub fn of_operation(at: usize, operation: &dyn Command, mut refusal: Refusal) -> Refusal {
    let name = operation.operation();
    refusal.message = format!("Operation {at} ({name}): {}", refusal.message);
    for violation in &mut refusal.violations {
        violation.field = field(at, &violation.field);
    }
    refusal.with("operation_index", at)
}

/// The path of a field of an operation in its list: `operations[3].profile`.
pub fn field(at: usize, field: &str) -> String {
    format!("operations[{at}].{field}")
}

/// The refusal because a list, or a page of what it would do, was made for another revision.
pub fn moved_on(expected: i64, current: i64) -> Refusal {
    let message = format!(
        "The store is at revision {current}, not {expected}; nothing was done. Preview again and \
         decide on what it says now."
    );
    Refusal::new(Reason::Conflict, message).with("current_revision", current)
}

#[cfg(test)]
mod tests;
