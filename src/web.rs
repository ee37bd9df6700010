//! Web pages: gRPC-Web over HTTP/1.1 and HTTP/2, and the answers that let browsers use it (CORS).
//!
//! Only pages of listed origins get an answer that their browser hands on (SPEC §12.3). A browser
//! adds `Origin` to every such call and no page can leave it out or forge it; a call without one
//! comes from a program and is judged like any other call.

mod origin;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use tonic::body::Body;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, AllowPrivateNetwork, Cors, CorsLayer};

pub use self::origin::{Origin, ParseError};

/// Headers of an answer that a page may read.
const EXPOSED: [HeaderName; 4] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("deskplane-revision"),
];
/// How long a browser remembers what a page may send; no browser remembers longer.
const REMEMBERED: Duration = Duration::from_secs(2 * 3_600);

/// Media types of gRPC-Web with messages in protobuf; behind the first two is base64.
const MEDIA_TYPES: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// That a request is gRPC-Web and was translated to gRPC: an extension of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Translated {
    /// Whether a page sent it that may.
    pub(crate) allowed_page: bool,
}

/// Puts a [`Web`] in front of the services.
#[derive(Debug, Clone)]
pub(crate) struct WebLayer {
    origins: Arc<[HeaderValue]>,
    cors: CorsLayer,
}

/// Translates gRPC-Web, and answers what browsers ask before they send it.
#[derive(Debug, Clone)]
pub(crate) struct Web<S> {
    inner: S,
    translating: Translating<S>,
    origins: Arc<[HeaderValue]>,
}

/// Services behind the translation, with what browsers need.
type Translating<S> = Cors<GrpcWebService<S>>;

impl WebLayer {
    /// Permits calls of pages of these origins.
    pub(crate) fn new(origins: impl IntoIterator<Item = Origin>) -> Self {
        let origins: Arc<[_]> = origins.into_iter().map(|origin| origin.header()).collect();
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins.iter().cloned()))
            .allow_methods([Method::POST])
            // What a call may hold is judged when it comes.
            .allow_headers(AllowHeaders::mirror_request())
            .allow_private_network(AllowPrivateNetwork::yes())
            .expose_headers(EXPOSED)
            .max_age(REMEMBERED);
        Self { origins, cors }
    }
}

impl<S: Clone> Layer<S> for WebLayer {
    type Service = Web<S>;

    fn layer(&self, inner: S) -> Web<S> {
        let translating = self.cors.layer(GrpcWebLayer::new().layer(inner.clone()));
        Web { inner, translating, origins: Arc::clone(&self.origins) }
    }
}

impl<S> Web<S> {
    /// Whether a page of a listed origin sent the request.
    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
        self.origins.contains(origin)
    }
}

/// Whether the request is gRPC-Web by method and media type.
fn is_call<B>(request: &Request<B>) -> bool {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    request.method() == Method::POST
        && media_type.is_some_and(|t| MEDIA_TYPES.iter().any(|w| t == w))
}

/// Whether a browser asks what a page may send (Fetch standard, CORS-preflight request).
fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl<S> Service<Request<Body>> for Web<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, <Translating<S> as Service<Request<Body>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        ready!(self.inner.poll_ready(cx))?;
        <Translating<S> as Service<Request<Body>>>::poll_ready(&mut self.translating, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (call, preflight) = (is_call(&request), is_preflight(&request));
        if !call && !preflight {
            return Either::Left(self.inner.call(request));
        }
        let allowed_page = self.is_allowed(request.headers());
        if preflight && !allowed_page {
            return Either::Left(self.inner.call(request));
        }
        request.extensions_mut().insert(Translated { allowed_page });
        Either::Right(self.translating.call(request))
    }
}

#[cfg(test)]
mod tests;
