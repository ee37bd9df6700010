//! What log lines, errors and traces of one request have in common: its request id, and its place in
//! a distributed trace (W3C Trace Context).
//!
//! A [`Correlation`] is made for each request, and is the **current** one of a thread while the
//! request is worked on there ([`enter`], [`scope`]). What logs, refuses or asks another
//! server reads it from there, so it is an argument of nothing. The request id is drawn when something is
//! logged or refused, and spans exist only for requests that are sampled and where a [`Tracer`] has
//! an exporter: a call without either costs the look at two headers.

mod correlation;
mod counts;
mod finished;
mod header;
mod plain;
mod queue;
mod request_id;
mod scope;
mod span;
mod tracer;

pub use self::{
    correlation::{Correlated, Correlation},
    counts::{Counter, Counts},
    finished::{Finished, Kind, Value},
    header::{TRACE_PARENT, TRACE_STATE, TraceContext},
    plain::PlainRequest,
    queue::Spans,
    request_id::{REQUEST_ID, RequestId},
    scope::{
        Entered, Scoped, carry, child, current, current_request_id, enter, scope, with_current,
    },
    span::Span,
    tracer::Tracer,
};
