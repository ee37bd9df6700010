//! What is logged and audited of the end of a call.

use std::net::SocketAddr;

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::super::{body::STATUS, context::CallContext};
use crate::{audit::Outcome, auth::Rpc};

/// Logs a call that ends with an error, refused here or by a handler.
pub(super) fn record_refusal(
    rpc: &Rpc,
    peer: Option<SocketAddr>,
    context: Option<&CallContext>,
    headers: &HeaderMap,
) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let Some(status) = Status::from_header_map(headers) else { return };
    let details = status.get_error_details();
    tracing::debug!(
        rpc = rpc.path,
        ?peer,
        caller = context.map(CallContext::subject),
        elapsed = ?context.map(CallContext::elapsed),
        code = ?status.code(),
        reason = details.error_info().map(|info| info.reason.as_str()),
        "refused"
    );
}

/// Logs and audits a call that ends with an error; answers whether it does.
pub(super) fn record_if_refused(context: &CallContext, headers: &HeaderMap) -> bool {
    let is_refused = headers.get(STATUS).is_some_and(|code| code != "0");
    if is_refused {
        record_refusal(context.rpc(), context.peer(), Some(context), headers);
        if context.rpc().streams
            && let Some(reason) = denied(headers)
        {
            context.stream_denied(&reason);
        }
    }
    is_refused
}

/// The reason of an end because of who called: rights that were lost, a credential that ended.
fn denied(headers: &HeaderMap) -> Option<String> {
    let status = Status::from_header_map(headers)?;
    let denied = matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated);
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    reason.filter(|_| denied)
}

/// How a read ended, by the head of its answer.
pub(super) fn outcome(headers: &HeaderMap) -> Outcome {
    let Some(status) = Status::from_header_map(headers) else { return Outcome::Answered };
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    match status.code() {
        Code::Ok => Outcome::Answered,
        Code::PermissionDenied => Outcome::Denied(reason.unwrap_or_default()),
        code => Outcome::Failed(reason.unwrap_or_else(|| format!("{code:?}"))),
    }
}
