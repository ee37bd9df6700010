//! Lists of writes: each operation is read as the request of its own method is (SPEC §11.1).

use std::mem;

use deskplane_proto::v1::{self, operation::Operation};
use prost::Message as _;

use super::{Envelope, Reader, WriteRequest, finding, warning};
use crate::{
    catalog::Catalog,
    command::{
        ApplyChanges, Command, Context, DirectoryPolicy, MAX_OPERATIONS, Sequence, Step,
        operation_field,
    },
    domain::{Actor, Time, Violations},
};

/// Expands to the reading of an operation, whichever write it is.
macro_rules! operations {
    ($($variant:ident: $request:ident = $path:literal;)+) => {
        fn any(operation: Operation, reader: &mut Reader<'_>) -> Box<dyn Command> {
            match operation {
                $(Operation::$variant(request) => one(Box::new(request), reader),)+
            }
        }

        /// The paths of the methods whose writes a list may hold.
        #[cfg(test)]
        pub(in crate::service) const PATHS: &[&str] = &[$($path),+];
    };
}

deskplane_proto::for_each_operation!(operations);

/// Reads one operation. What a whole call says once it must not say.
fn one(mut request: Box<dyn WriteRequest>, reader: &mut Reader<'_>) -> Box<dyn Command> {
    let envelope = request.take_envelope();
    for (field, given) in [
        ("request_id", !envelope.request_id.is_empty()),
        ("validate_only", envelope.validate_only),
        ("reason", !envelope.reason.is_empty()),
    ] {
        if given {
            reader.v.invalid(field, "belongs to the whole list and must be empty here");
        }
    }
    request.read(reader)
}

/// Reads the operations of a list. What is wrong with them is noted with paths that lead to them.
///
/// A request is read beside what is stored, to distinguish a changed field from a repeated one; so
/// each is read on the catalog that the ones before it leave. Those that would be refused change
/// nothing here: the command that is made of the list refuses it for them.
pub(in crate::service) fn operations(
    sent: Vec<v1::Operation>,
    reader: &mut Reader<'_>,
) -> Vec<Box<dyn Command>> {
    let (catalog, count) = (reader.catalog, sent.len());
    if !(1..=MAX_OPERATIONS).contains(&count) {
        let rule = format!("must hold 1 to {MAX_OPERATIONS} operations, holds {count}");
        reader.v.invalid("operations", rule);
        return Vec::new();
    }
    let context = trial(catalog);
    let mut sequence = Sequence::new(catalog, &context);
    let mut read: Vec<Box<dyn Command>> = Vec::with_capacity(count);
    let mut failed = Violations::new();
    for (at, operation) in sent.into_iter().enumerate() {
        let Some(operation) = operation.operation else {
            failed.invalid(format!("operations[{at}]"), "must name a write");
            continue;
        };
        let mut inner = reader.on(sequence.catalog());
        let command = any(operation, &mut inner);
        for bad in inner.v.take() {
            failed.add(bad.reason, operation_field(at, &bad.field), bad.description);
        }
        // The last one is judged when the list is.
        if at + 1 < count && failed.is_empty() {
            drop(sequence.run(command.as_ref()));
        }
        read.push(command);
    }
    reader.v.extend(failed);
    read
}

/// What operations are tried with while the list is read: of what they leave only what a caller may
/// repeat matters, never who wrote it or when.
fn trial(catalog: &Catalog) -> Context {
    Context {
        actor: Actor::system(),
        revision: catalog.revision + 1,
        time: Time::next_commit(catalog.time, catalog.time),
        uid: uuid::Uuid::nil(),
        policy: DirectoryPolicy::default(),
    }
}

/// A revision that is expected, if any.
fn expected(reader: &mut Reader<'_>, revision: Option<i64>) -> Option<i64> {
    if revision.is_some_and(i64::is_negative) {
        reader.v.invalid("expected_revision", "must not be negative");
    }
    revision
}

impl WriteRequest for v1::ApplyChangesRequest {
    fn may_be_long(&self) -> bool {
        true
    }

    fn take_envelope(&mut self) -> Envelope {
        Envelope {
            request_id: mem::take(&mut self.request_id),
            validate_only: self.validate_only,
            reason: mem::take(&mut self.reason),
        }
    }

    fn payload(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    fn read(self: Box<Self>, reader: &mut Reader<'_>) -> Box<dyn Command> {
        let expected_revision = expected(reader, self.expected_revision);
        let operations = operations(self.operations, reader);
        Box::new(ApplyChanges { operations, expected_revision })
    }
}

/// What the operations of a list did.
pub(in crate::service) fn results(steps: &[Step]) -> Vec<v1::OperationResult> {
    let result = |step: &Step| v1::OperationResult {
        operation: step.operation.clone(),
        changed: step.changed,
        resources: step.resources.clone(),
        warnings: step.warnings.iter().map(warning).collect(),
        findings: step.findings.iter().map(finding).collect(),
        not_assigned: step.not_assigned.iter().map(|user| user.as_str().to_owned()).collect(),
    };
    steps.iter().map(result).collect()
}

#[cfg(test)]
mod tests;
