//! Requests over HTTP that are no calls of gRPC, by the conventions of OpenTelemetry for HTTP.

use std::sync::Arc;

use http::{Method, Request, StatusCode};

use super::{correlation::Correlation, span::Span, tracer::Tracer};

/// A request that is worked on, with its span if it is sampled. One that is dropped before its
/// [end](Self::end) has a span without a status.
#[derive(Debug)]
pub struct PlainRequest {
    correlation: Arc<Correlation>,
    span: Option<Span>,
}

impl PlainRequest {
    /// Begins a request. `route` is the pattern of its path, which names the span: a path itself may
    /// hold anything, and ids of people.
    pub fn begin<B>(request: &Request<B>, tracer: &Tracer, route: &'static str) -> Self {
        let method = known(request.method());
        let name = || format!("{method} {route}");
        let (correlation, mut span) = Correlation::begin(request.headers(), tracer, name);
        if let Some(span) = &mut span {
            span.set("http.request.method", method);
            span.set("http.route", route);
            span.set("deskplane.request_id", correlation.id().to_string());
        }
        Self { correlation: Arc::new(correlation), span }
    }

    /// What is current while the request is worked on.
    pub fn correlation(&self) -> &Arc<Correlation> {
        &self.correlation
    }

    /// The request is answered.
    pub fn end(self, status: StatusCode) {
        let Some(mut span) = self.span else { return };
        span.set("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.fail();
        }
    }
}

/// The method, or what stands for one that is nobody's: it may be any word.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, Spans, TRACE_PARENT, Value};

    fn finished(method: Method, end: Option<StatusCode>) -> (Vec<(&'static str, Value)>, bool) {
        let (tracer, mut spans): (_, Spans) = Tracer::exporting(0.0);
        let parent = format!("00-{:032x}-{:016x}-01", 7, 9);
        let request = Request::builder().method(method).header(TRACE_PARENT, parent).body(());
        let begun = PlainRequest::begin(&request.unwrap(), &tracer, "/things/{id}");
        match end {
            Some(status) => begun.end(status),
            None => drop(begun),
        }
        let span = spans.finished.try_recv().unwrap();
        assert_eq!((span.trace_id, span.parent, span.kind), (7, Some(9), Kind::Server));
        let attributes = span.attributes.into_iter();
        (attributes.filter(|(name, _)| *name != "deskplane.request_id").collect(), span.failed)
    }

    #[test]
    fn a_span_says_the_method_the_route_and_how_it_ended() {
        let method = |name: &'static str| ("http.request.method", Value::from(name));
        let route = ("http.route", Value::from("/things/{id}"));
        let status = |code: i64| ("http.response.status_code", Value::from(code));
        let cases = [
            (
                Method::GET,
                Some(StatusCode::OK),
                vec![method("GET"), route.clone(), status(200)],
                false,
            ),
            (
                Method::PUT,
                Some(StatusCode::CONFLICT),
                vec![method("PUT"), route.clone(), status(409)],
                false,
            ),
            (
                Method::POST,
                Some(StatusCode::SERVICE_UNAVAILABLE),
                vec![method("POST"), route.clone(), status(503)],
                true,
            ),
            (Method::GET, None, vec![method("GET"), route.clone()], false),
            (Method::TRACE, None, vec![method("_OTHER"), route.clone()], false),
        ];
        for (asked, end, attributes, failed) in cases {
            assert_eq!(finished(asked, end), (attributes, failed));
        }
    }
}
