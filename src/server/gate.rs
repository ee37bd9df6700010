//! The gate of the main port: what every request passes before a service sees it.
//!
//! One port serves gRPC, webhooks and probes, and a browser can send requests of many shapes to a
//! loopback port without asking anybody (cross-site request forgery, DNS rebinding). So a request
//! is run as gRPC only if it is gRPC by method, media type and protocol, comes from no web page that
//! is not listed and, where no credentials are configured, names this machine as its authority
//! (SPEC §12.3). Everything else gets a short HTTP answer.

mod meters;
mod plain;
mod route;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::{HeaderMap, Method, Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

pub(super) use self::meters::GateMeters;
pub(super) use self::plain::text_response;
pub(super) use self::route::Beyond;
use self::route::{Probe, Route};
use super::{framing::ACCEPTED_ENCODINGS, readiness::Readiness};
use crate::{service::refused_call, trace::Tracer};

/// The encoding of the messages of a call.
const ENCODING: &str = "grpc-encoding";

/// Puts a [`Gate`] in front of the services.
#[derive(Debug, Clone)]
pub(super) struct GateLayer {
    rules: Arc<Rules>,
}

/// What a [`Gate`] decides by.
#[derive(Debug)]
struct Rules {
    /// Full names of the gRPC services that are served.
    services: Box<[String]>,
    /// Most bytes of the headers of one call, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
    header_bytes: usize,
    /// Answers probes.
    readiness: Readiness,
    /// What is served beyond the usual.
    beyond: Beyond,
    meters: GateMeters,
    tracer: Tracer,
}

impl GateLayer {
    /// A gate to services of these full names.
    pub(super) fn new(
        services: impl IntoIterator<Item = String>,
        header_bytes: u32,
        readiness: Readiness,
        beyond: Beyond,
        (meters, tracer): (GateMeters, Tracer),
    ) -> Self {
        let services = services.into_iter().collect();
        let header_bytes = header_bytes.try_into().unwrap_or(usize::MAX);
        let rules = Rules { services, header_bytes, readiness, beyond, meters, tracer };
        Self { rules: Arc::new(rules) }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, rules: Arc::clone(&self.rules) }
    }
}

/// Lets gRPC calls and webhooks through, and answers everything else.
#[derive(Debug, Clone)]
pub(super) struct Gate<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl Rules {
    /// The answer to a request that goes no further.
    fn stop<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let answer = match route::of(request, &self.services, self.header_bytes, self.beyond) {
            Route::Inside => return None,
            Route::Refused(refusal) => {
                self.meters.refuse(&refusal);
                return Some(refused_call(&refusal, request, &self.tracer));
            }
            Route::Plain(answer) => answer.into_response(),
            Route::Probe(Probe::Live) => plain::live(),
            Route::Probe(Probe::Ready) => self.readiness.answer(),
        };
        // Over HTTP/2 the transport would send the body.
        Some(if request.method() == Method::HEAD { answer.map(|_| Body::empty()) } else { answer })
    }
}

/// Has answers compressed for a caller that compresses its own message. The list of what a client
/// reads says less: common clients send it whether or not anybody asked for compression, and to
/// compress an answer takes several times what making it does.
fn decide_compression(headers: &mut HeaderMap) {
    let compresses = headers.get(ENCODING).is_some_and(|encoding| encoding == "gzip");
    if !compresses {
        headers.remove(ACCEPTED_ENCODINGS);
    }
}

impl<S, B> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Self::Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.rules.stop(&request) {
            None => {
                decide_compression(request.headers_mut());
                Either::Left(self.inner.call(request))
            }
            Some(answer) => Either::Right(ready(Ok(answer))),
        }
    }
}
