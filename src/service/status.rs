//! The one place where a refusal becomes a gRPC status (SPEC §7.2).

use std::{collections::HashMap, time::Duration};

use deskplane_proto::codec::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::domain::refusal::{Code as Canonical, Refusal};

/// The status of a refusal, with every detail that the caller needs to repair the call.
pub fn status(refusal: &Refusal) -> Status {
    let code = match refusal.reason.code() {
        Canonical::InvalidArgument => Code::InvalidArgument,
        Canonical::NotFound => Code::NotFound,
        Canonical::AlreadyExists => Code::AlreadyExists,
        Canonical::FailedPrecondition => Code::FailedPrecondition,
        Canonical::Aborted => Code::Aborted,
        Canonical::PermissionDenied => Code::PermissionDenied,
        Canonical::Unauthenticated => Code::Unauthenticated,
        Canonical::ResourceExhausted => Code::ResourceExhausted,
        Canonical::Unavailable => Code::Unavailable,
        Canonical::Internal => Code::Internal,
    };
    let metadata: HashMap<_, _> =
        refusal.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut details =
        ErrorDetails::with_error_info(refusal.reason.as_str(), ERROR_DOMAIN, metadata);
    for violation in &refusal.violations {
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    for precondition in &refusal.preconditions {
        details.add_precondition_failure_violation(
            &precondition.kind,
            &precondition.subject,
            &precondition.description,
        );
    }
    if let Some(millis) = refusal.retry_after_ms {
        details.set_retry_info(Some(Duration::from_millis(millis)));
    }
    // A status holds one ResourceInfo; further objects stand among the preconditions and in the text.
    if let Some(first) = refusal.resources.first() {
        details.set_resource_info(&first.kind, &first.name, "", &first.description);
    }
    Status::with_error_details(code, &refusal.message, details)
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}

/// The answer to a request that never reaches a service.
pub fn refused(refusal: &Refusal) -> http::Response<tonic::body::Body> {
    status(refusal).into_http()
}
