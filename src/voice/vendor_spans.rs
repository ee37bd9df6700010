//! Requests to vendors and plug-ins as parts of the trace of the request that they serve. What the
//! server asks by itself, such as checks, is part of none.

use deskplane_providers::http::{Exchange, Outcome, Outgoing, Protocol, RequestTracer};
use http::HeaderMap;

use crate::trace::{self, Kind, Span};

/// Names the current request in requests to vendors, and records them.
#[derive(Debug, Clone, Copy)]
pub(super) struct VendorSpans;

/// A recorded request.
struct Recorded {
    span: Span,
    protocol: Protocol,
}

impl RequestTracer for VendorSpans {
    fn begin(&self, request: Outgoing<'_>, headers: &mut HeaderMap) -> Option<Box<dyn Exchange>> {
        let Outgoing { protocol, method, server } = request;
        let name = || method.to_owned();
        let mut span =
            trace::with_current(|request| request?.child(Kind::Client, Some(headers), name))?;
        match protocol {
            Protocol::Http => span.set("http.request.method", method.to_owned()),
            Protocol::Grpc => {
                let (service, method) = method.rsplit_once('/').unwrap_or(("", method));
                span.set("rpc.system", "grpc");
                span.set("rpc.service", service.to_owned());
                span.set("rpc.method", method.to_owned());
            }
        }
        if let Some((host, port)) = server {
            span.set("server.address", host.to_owned());
            port.into_iter().for_each(|port| span.set("server.port", i64::from(port)));
        }
        Some(Box::new(Recorded { span, protocol }))
    }
}

impl Exchange for Recorded {
    fn end(mut self: Box<Self>, outcome: Outcome) {
        let (name, failure) = match self.protocol {
            Protocol::Http => ("http.response.status_code", 400),
            Protocol::Grpc => ("rpc.grpc.status_code", 1),
        };
        match outcome {
            Outcome::Status(code) => {
                self.span.set(name, i64::from(code));
                if code >= failure {
                    self.span.fail();
                }
            }
            Outcome::Answered => {}
            Outcome::Failed => self.span.fail(),
        }
    }
}
