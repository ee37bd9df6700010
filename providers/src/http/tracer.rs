//! Requests to vendors as parts of a distributed trace. Who traces stands outside of this package.

use std::fmt;

use http::HeaderMap;

/// A request that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// What it is spoken in.
    pub protocol: Protocol,
    /// The method of HTTP, or the full method of gRPC.
    pub method: &'a str,
    /// Host and port of the other server, as far as they are known.
    pub server: Option<(&'a str, Option<u16>)>,
}

/// What a request is spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP.
    Http,
    /// gRPC.
    Grpc,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With this status of HTTP, or code of gRPC.
    Status(u16),
    /// With a message, which says more than its head.
    Answered,
    /// Without an answer.
    Failed,
}

/// Traces requests to vendors.
pub trait RequestTracer: fmt::Debug + Send + Sync {
    /// Begins to trace a request: names the trace in its headers, and answers what takes its end, if
    /// that is recorded.
    fn begin(&self, request: Outgoing<'_>, headers: &mut HeaderMap) -> Option<Box<dyn Exchange>>;
}

/// A traced request until its end. One that is dropped was given up.
pub trait Exchange: Send {
    /// The request has ended.
    fn end(self: Box<Self>, outcome: Outcome);
}
