//! What Twilio refuses, in our words.

use serde::Deserialize;

use crate::{Clock, Effect, Error, ErrorKind, http::Answer};

/// What a request was for: whether an unclear end may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To read something.
    Read,
    /// To do something.
    Write,
}

/// The body of a refusal, as far as there is one.
#[derive(Default, Deserialize)]
struct Fault {
    code: Option<u32>,
    message: Option<String>,
}

/// The error behind an answer that is no success.
pub(super) fn of(answer: &Answer, asked: Asked, clock: &Clock) -> Error {
    let fault: Fault = serde_json::from_slice(&answer.body).unwrap_or_default();
    let status = answer.status.as_u16();
    let kind = kind(status, fault.code);
    let message = fault.message.as_deref().unwrap_or("Twilio gives no reason");
    let unclear = asked == Asked::Write && !matches!(status, 400..=407 | 409..=499);
    let error = Error::new(kind, format!("status {status}: {message}"))
        .with_effect(if unclear { Effect::Unknown } else { Effect::None })
        .with_retry_after(answer.retry_after(clock.now()));
    match fault.code {
        Some(code) => error.with_vendor_code(code.to_string()),
        None => error,
    }
}

/// Codes come first: Twilio's statuses say less.
fn kind(status: u16, code: Option<u32>) -> ErrorKind {
    match (status, code) {
        // A server in trouble may say any code.
        (500.., _) => ErrorKind::Unavailable,
        (_, Some(20003)) => ErrorKind::Unauthenticated,
        (_, Some(20404)) => ErrorKind::NotFound,
        // 22005: calls would wait longer than a day for their turn.
        (_, Some(20429 | 22005)) => ErrorKind::RateLimited,
        // Whom to call, and as whom: missing, malformed, not reachable, not ours.
        (_, Some(21201 | 21210 | 21211 | 21212 | 21213 | 21214 | 21217)) => {
            ErrorKind::InvalidArgument
        }
        // The account may not call that country or number; the credentials are in order.
        (_, Some(21215 | 21216 | 21219)) => ErrorKind::Refused,
        // The call is not in a state in which this can be done.
        (_, Some(21220)) | (409, _) => ErrorKind::Conflict,
        (401, _) => ErrorKind::Unauthenticated,
        (403, _) => ErrorKind::PermissionDenied,
        (404, _) => ErrorKind::NotFound,
        (408, _) => ErrorKind::Timeout,
        (429, _) => ErrorKind::RateLimited,
        (400..=499, _) => ErrorKind::Refused,
        _ => ErrorKind::Protocol,
    }
}

/// What the configuration names and Twilio does not know is a mistake of the configuration.
pub(super) fn absent(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let absent = Error::new(ErrorKind::InvalidConfig, error.message());
    match error.vendor_code() {
        Some(code) => absent.with_vendor_code(code),
        None => absent,
    }
}
