//! Answers of writes: the resource as it now is, and what the write did.

use deskplane_proto::v1;

use super::{Resource, ResourceContext, affected, finding, operations::results, warning};
use crate::ledger::Outcome;

/// An accepted write, about to be answered.
#[derive(Debug)]
pub(in crate::service) struct Answer<'a> {
    /// What the ledger answered.
    pub outcome: &'a Outcome,
    /// For fields that are derived.
    pub context: ResourceContext<'a>,
}

impl Answer<'_> {
    /// The resources that the write is about; none after a delete.
    fn resources<R: Resource>(&self) -> impl Iterator<Item = R> {
        self.outcome.objects.iter().filter_map(|object| R::of(object, self.context))
    }

    /// The one resource.
    fn resource<R: Resource>(&self) -> Option<R> {
        self.resources().next()
    }

    pub(super) fn write(&self) -> Option<v1::WriteResult> {
        let outcome = self.outcome;
        Some(v1::WriteResult {
            revision: outcome.revision,
            changed: outcome.changed,
            affected: Some(affected(&outcome.affected)),
            warnings: outcome.warnings.iter().map(warning).collect(),
            findings: outcome.findings.iter().map(finding).collect(),
        })
    }
}

/// The answer of one RPC: of a write whose response is uniform, else nothing.
macro_rules! answer {
    (write [one $field:ident] $response:ident) => {
        impl From<Answer<'_>> for v1::$response {
            fn from(answer: Answer<'_>) -> Self {
                Self { $field: answer.resource(), write: answer.write() }
            }
        }
    };
    (write [many $field:ident] $response:ident) => {
        impl From<Answer<'_>> for v1::$response {
            fn from(answer: Answer<'_>) -> Self {
                Self { $field: answer.resources().collect(), write: answer.write() }
            }
        }
    };
    (write [none] $response:ident) => {
        impl From<Answer<'_>> for v1::$response {
            fn from(answer: Answer<'_>) -> Self {
                Self { write: answer.write() }
            }
        }
    };
    ($way:ident $detail:tt $response:ident) => {};
}

/// Expands to [`answer!`] for every RPC.
macro_rules! answers {
    ($(service $service:ident {
        name: $name:literal,
        $(rpc $rpc:ident {
            path: $path:literal,
            method: $method:ident,
            way: $way:ident $detail:tt,
            verb: $verb:ident $noun:tt,
            request: $request:ident,
            response: $response:ident,
            access: $access:ident,
            audit: $audit:ident,
            secrets: $secrets:literal,
        })+
    })+) => {
        $($(answer! { $way $detail $response })+)+
    };
}

deskplane_proto::for_each_service!(answers);

impl From<Answer<'_>> for v1::RotateSecretKeysResponse {
    fn from(answer: Answer<'_>) -> Self {
        Self { resealed: answer.outcome.resealed, write: answer.write() }
    }
}

impl From<Answer<'_>> for v1::ApplyChangesResponse {
    fn from(answer: Answer<'_>) -> Self {
        Self { results: results(&answer.outcome.steps), write: answer.write() }
    }
}

impl From<Answer<'_>> for v1::RemoveUsersResponse {
    fn from(answer: Answer<'_>) -> Self {
        let not_assigned = answer.outcome.not_assigned.iter();
        Self {
            profile: answer.resource(),
            write: answer.write(),
            not_assigned: not_assigned.map(|user| user.as_str().to_owned()).collect(),
        }
    }
}
