//! What belongs to one request.

use std::{fmt, sync::OnceLock};

use http::HeaderMap;

use super::{
    finished::Kind,
    header::{TRACE_PARENT, TraceContext},
    request_id::{REQUEST_ID, RequestId},
    span::Span,
    tracer::Tracer,
};

/// The request id of one request, and its place in a trace.
#[derive(Debug, Default)]
pub struct Correlation {
    id: OnceLock<RequestId>,
    /// What requests to other servers name as their parent.
    context: Option<Box<TraceContext>>,
    /// Where child spans go; none unless the request is sampled.
    tracer: Option<Tracer>,
}

/// Something that a [`Correlation`] is part of, so that it takes no allocation of its own.
pub trait Correlated: fmt::Debug + Send + Sync {
    /// The correlation of the request.
    fn correlation(&self) -> &Correlation;
}

impl Correlated for Correlation {
    fn correlation(&self) -> &Correlation {
        self
    }
}

impl Correlation {
    /// Of a request that gets no span.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::begin(headers, &Tracer::default(), String::new).0
    }

    /// Reads the headers of a request, and begins its span if it is sampled. `name` is called for a
    /// span alone.
    pub fn begin(
        headers: &HeaderMap,
        tracer: &Tracer,
        name: impl FnOnce() -> String,
    ) -> (Self, Option<Span>) {
        let (has_id, has_parent) = sent(headers);
        let id = has_id.then(|| RequestId::sent(headers)).flatten();
        let id = id.map_or_else(OnceLock::new, OnceLock::from);
        let parent = has_parent.then(|| TraceContext::sent(headers)).flatten();
        if !tracer.samples(parent.as_ref()) {
            // The caller's span is handed on as the parent of what follows.
            return (Self { id, context: parent.map(Box::new), tracer: None }, None);
        }
        let context = match &parent {
            Some(parent) => parent.child(),
            None => TraceContext::root(),
        };
        let span = tracer.span(&context, parent.map(|parent| parent.span_id), Kind::Server, name());
        (Self { id, context: Some(Box::new(context)), tracer: Some(tracer.clone()) }, span)
    }

    /// The request id: the caller's, or a random one that is drawn when it is first needed.
    pub fn id(&self) -> &RequestId {
        self.id.get_or_init(RequestId::random)
    }

    /// The trace that the request is part of, if it is part of one.
    pub fn context(&self) -> Option<&TraceContext> {
        self.context.as_deref()
    }

    /// Begins a span below that of the request, and names it in the headers of a request to another
    /// server, if there are any. Without a span of its own the caller's is named.
    pub fn child(
        &self,
        kind: Kind,
        headers: Option<&mut HeaderMap>,
        name: impl FnOnce() -> String,
    ) -> Option<Span> {
        let of_request = self.context()?;
        let Some(tracer) = &self.tracer else {
            headers.into_iter().for_each(|headers| of_request.inject(headers));
            return None;
        };
        let context = of_request.child();
        headers.into_iter().for_each(|headers| context.inject(headers));
        tracer.span(&context, Some(of_request.span_id), kind, name())
    }
}

/// Whether there are a request id and a trace. Nearly all calls have neither, and one pass over their
/// few headers takes less than two look-ups, each of which hashes a name.
fn sent(headers: &HeaderMap) -> (bool, bool) {
    let (mut has_id, mut has_parent) = (false, false);
    for name in headers.keys() {
        has_id |= *name == REQUEST_ID;
        has_parent |= *name == TRACE_PARENT;
    }
    (has_id, has_parent)
}
