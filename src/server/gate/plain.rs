//! Answers in plain HTTP: for people with a browser, probes, and requests that are no gRPC.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;

/// A short HTTP answer to a request that is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// There is nothing at `/`.
    Root,
    /// There is nothing at the path.
    NotFound,
    /// A gRPC path by another method than POST.
    NotPost,
    /// A probe by another method than GET or HEAD.
    NotGet,
    /// A gRPC path with another media type than that of gRPC.
    NotGrpc,
    /// A gRPC call over another protocol than HTTP/2.
    NotHttp2,
    /// The request names an authority that is not this machine.
    Misdirected,
    /// The request comes from a web page.
    FromPage,
}

impl Plain {
    fn parts(self) -> (StatusCode, &'static str) {
        match self {
            Self::Root => (
                StatusCode::NOT_FOUND,
                "This is a Deskplane server. It speaks gRPC: try `grpcurl -plaintext HOST:PORT list`.\n",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not found\n"),
            Self::NotPost => (StatusCode::METHOD_NOT_ALLOWED, "gRPC calls are sent by POST\n"),
            Self::NotGet => (StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n"),
            Self::NotGrpc => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the media type must be application/grpc\n")
            }
            Self::NotHttp2 => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "gRPC needs HTTP/2; over HTTP/1.1 there is gRPC-Web\n",
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "only localhost and loopback addresses are served\n",
            ),
            Self::FromPage => (StatusCode::FORBIDDEN, ""),
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let (status, text) = self.parts();
        let mut response = text_response(status, "text/plain; charset=utf-8", text);
        let allow = match self {
            Self::NotPost => Some("POST"),
            Self::NotGet => Some("GET, HEAD"),
            _ => None,
        };
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// The answer to a liveness probe.
pub(super) fn live() -> Response<Body> {
    text_response(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

/// A short answer that no cache keeps and that a browser takes for nothing else.
pub(in crate::server) fn text_response(
    status: StatusCode,
    media_type: &'static str,
    text: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(text.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
