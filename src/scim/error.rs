//! Refusals as SCIM error messages (RFC 7644 §3.12).

use http::StatusCode;
use scim_v2::models::errors::{ScimHttpError, ScimType};

use crate::domain::{Reason, Refusal, refusal::Code};

/// An error answer.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) status: StatusCode,
    pub(super) message: ScimHttpError,
    /// Seconds after which a repetition makes sense.
    pub(super) retry_after_s: Option<u64>,
}

pub(super) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn new(
        status: StatusCode,
        kind: Option<ScimType>,
        detail: impl Into<String>,
    ) -> Self {
        let message = ScimHttpError {
            scim_type: kind,
            detail: Some(detail.into()),
            status: status.as_u16().to_string(),
            ..ScimHttpError::default()
        };
        Self { status, message, retry_after_s: None }
    }

    /// 400 with a keyword of RFC 7644 §3.12.
    pub(super) fn bad(kind: ScimType, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(kind), detail)
    }

    /// 404 for what a path names.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, format!("There is no {what}."))
    }

    /// 409 for a name that another resource has.
    pub(super) fn taken(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Some(ScimType::Uniqueness), detail)
    }

    /// 412 for a resource in another state than the caller saw.
    pub(super) fn changed() -> Self {
        let detail = "The resource has changed since it was read; read it again.";
        Self::new(StatusCode::PRECONDITION_FAILED, None, detail)
    }

    /// A value that an attribute cannot have.
    pub(super) fn value(attribute: &str, rule: impl std::fmt::Display) -> Self {
        Self::bad(ScimType::InvalidValue, format!("{attribute} {rule}."))
    }
}

impl From<Refusal> for Error {
    /// The `detail` begins with the reason of the refusal.
    fn from(refusal: Refusal) -> Self {
        let (status, kind) = status(&refusal);
        let retry_after_s = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                refusal.retry_after_ms.map(|ms| ms.div_ceil(1_000))
            }
            _ => None,
        };
        Self { retry_after_s, ..Self::new(status, kind, refusal.to_string()) }
    }
}

/// Status and keyword of a refusal. What the path names is found before a write is handed in, so
/// what a write misses is one of its values.
fn status(refusal: &Refusal) -> (StatusCode, Option<ScimType>) {
    match (refusal.reason, refusal.reason.code()) {
        (Reason::FieldImmutable, _) => (StatusCode::BAD_REQUEST, Some(ScimType::Mutability)),
        (_, Code::InvalidArgument | Code::NotFound) => {
            (StatusCode::BAD_REQUEST, Some(ScimType::InvalidValue))
        }
        (_, Code::AlreadyExists) => (StatusCode::CONFLICT, Some(ScimType::Uniqueness)),
        (Reason::LimitReached, _) => (StatusCode::PAYLOAD_TOO_LARGE, None),
        (Reason::EtagMismatch, _) => (StatusCode::PRECONDITION_FAILED, None),
        (_, Code::FailedPrecondition | Code::Aborted | Code::OutOfRange) => {
            (StatusCode::CONFLICT, None)
        }
        (_, Code::PermissionDenied) => (StatusCode::FORBIDDEN, None),
        (_, Code::Unauthenticated) => (StatusCode::UNAUTHORIZED, None),
        (_, Code::ResourceExhausted) => (StatusCode::TOO_MANY_REQUESTS, None),
        (_, Code::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, None),
        (_, Code::DeadlineExceeded) => (StatusCode::GATEWAY_TIMEOUT, None),
        (_, Code::Unimplemented) => (StatusCode::NOT_IMPLEMENTED, None),
        (_, Code::Internal) => (StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_reason_in_the_detail() {
        for (reason, status, kind) in [
            (Reason::FieldInvalid, 400, Some(ScimType::InvalidValue)),
            (Reason::FieldImmutable, 400, Some(ScimType::Mutability)),
            (Reason::RoleNotFound, 400, Some(ScimType::InvalidValue)),
            (Reason::EtagMismatch, 412, None),
            (Reason::PrivilegedRole, 403, None),
            (Reason::CredentialInvalid, 401, None),
            (Reason::LimitReached, 413, None),
            (Reason::ServerBusy, 429, None),
            (Reason::StoreUnavailable, 503, None),
        ] {
            let error = Error::from(Refusal::new(reason, "Text."));
            assert_eq!((error.status.as_u16(), &error.message.scim_type), (status, &kind));
            assert_eq!(error.message.detail.unwrap(), format!("{}: Text.", reason.as_str()));
            assert_eq!(error.retry_after_s.is_some(), [429, 503].contains(&status));
        }
    }
}
