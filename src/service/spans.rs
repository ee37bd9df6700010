//! Spans of calls, by the conventions of OpenTelemetry for RPCs.

use crate::{
    auth::Rpc,
    trace::{Correlation, Span},
};

/// The codes that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
/// UNAVAILABLE, DATA_LOSS.
const FAILURES: [usize; 6] = [2, 4, 12, 13, 14, 15];

/// The span with what the head of its call says, of whose method nothing may be known.
pub(super) fn described(
    mut span: Span,
    rpc: Option<&'static Rpc>,
    correlation: &Correlation,
) -> Span {
    span.set("rpc.system", "grpc");
    if let Some(rpc) = rpc {
        span.set("rpc.service", rpc.path.rsplit_once('/').map_or("", |(service, _)| service));
        span.set("rpc.method", rpc.method());
    }
    span.set("deskplane.request_id", correlation.id().to_string());
    span
}

/// Notes with which canonical code a call ended.
pub(super) fn end(span: &mut Span, code: usize) {
    span.set("rpc.grpc.status_code", i64::try_from(code).unwrap_or(-1));
    if FAILURES.contains(&code) {
        span.fail();
    }
}
