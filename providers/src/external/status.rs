//! The errors of plug-ins, and whether they make certain that nothing was done.

use std::{error::Error as _, io};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{Effect, Error, ErrorKind, http::source};

/// Domain of the `ErrorInfo` that a plug-in sends.
pub(super) const DOMAIN: &str = "deskplane.provider";

/// The error that a status stands for. What gRPC libraries send by themselves says nothing about
/// what was done, unless no connection was made at all.
pub(super) fn error(status: &Status) -> Error {
    if let Some(unconnected) = source::<Error>(status) {
        return unconnected.clone();
    }
    if let (Some(_), Code::Unknown | Code::Internal | Code::Unavailable) =
        (status.source(), status.code())
    {
        let why = source::<io::Error>(status).map_or_else(String::new, |why| format!(": {why}"));
        let broke = Error::new(ErrorKind::Unavailable, format!("the connection broke{why}"));
        return broke.with_effect(Effect::Unknown);
    }
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN);
    let (kind, effect) = meaning(status.code(), info.map_or("", |info| info.reason.as_str()));
    let message = match status.message() {
        "" => status.code().description(),
        message => message,
    };
    let error = Error::new(kind, message)
        .with_effect(effect)
        .with_retry_after(details.retry_info().and_then(|retry| retry.retry_delay));
    match info.and_then(|info| info.metadata.get("vendor_code")) {
        Some(code) => error.with_vendor_code(code),
        None => error,
    }
}

fn meaning(code: Code, reason: &str) -> (ErrorKind, Effect) {
    let nothing = match (code, reason) {
        (Code::InvalidArgument, _) => ErrorKind::InvalidArgument,
        (Code::Unauthenticated, _) | (Code::PermissionDenied, "CREDENTIALS") => {
            ErrorKind::Unauthenticated
        }
        (Code::PermissionDenied, _) => ErrorKind::PermissionDenied,
        (Code::NotFound, _) => ErrorKind::NotFound,
        (Code::FailedPrecondition, "REFUSED") => ErrorKind::Refused,
        (Code::FailedPrecondition, "INVALID_CONFIG") => ErrorKind::InvalidConfig,
        (Code::FailedPrecondition, _) => ErrorKind::Conflict,
        (Code::Unimplemented, _) => ErrorKind::Unsupported,
        (Code::ResourceExhausted, "RATE_LIMITED") => ErrorKind::RateLimited,
        (Code::Unavailable, "VENDOR_UNAVAILABLE") => ErrorKind::Unavailable,
        (Code::Unavailable, _) => return (ErrorKind::Unavailable, Effect::Unknown),
        (Code::DeadlineExceeded | Code::Cancelled, _) => {
            return (ErrorKind::Timeout, Effect::Unknown);
        }
        (Code::Aborted, _) => return (ErrorKind::OutcomeUnknown, Effect::Unknown),
        _ => return (ErrorKind::Protocol, Effect::Unknown),
    };
    (nothing, Effect::None)
}
