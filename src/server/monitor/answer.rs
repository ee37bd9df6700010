//! Requests and their answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tokio::{sync::Mutex, task::spawn_blocking};

use super::{phase::Phase, shared::Shared};
use crate::server::readiness;

const TEXT: &str = "text/plain";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    shared: Arc<Shared>,
    /// Held by the request whose figures are gathered; further ones wait for it.
    gathering: Arc<Mutex<()>>,
}

/// Whether the script of a web page asks: one on a name that points to this machine could read the
/// answer. A person who typed the address may.
fn is_from_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none")
}

type Answer = (StatusCode, &'static str, String);

impl Answers {
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared, gathering: Arc::default() }
    }

    /// The answer to a request.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let (method, path) = (request.method(), request.uri().path());
        let (status, kind, body) = match path {
            _ if is_from_page(request.headers()) => (StatusCode::FORBIDDEN, TEXT, String::new()),
            _ if !["/livez", "/readyz", "/metrics"].contains(&path) => {
                (StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned())
            }
            _ if *method != Method::GET && *method != Method::HEAD => {
                (StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n".to_owned())
            }
            "/livez" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            "/readyz" => self.ready(),
            _ => self.figures().await,
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn ready(&self) -> Answer {
        let phase = self.shared.phase().clone();
        let (status, body) = match phase {
            Phase::Starting => readiness::report(false, None),
            Phase::Serving(live) => readiness::report(true, Some(&live.condition.borrow())),
            Phase::Draining(live) => readiness::report(false, Some(&live.condition.borrow())),
        };
        (status, readiness::MEDIA_TYPE, body)
    }

    /// All figures, gathered where nothing waits for them: they ask what the server may be busy
    /// with.
    async fn figures(&self) -> Answer {
        let turn = Arc::clone(&self.gathering).lock_owned().await;
        let shared = Arc::clone(&self.shared);
        let gathered = spawn_blocking(move || {
            // A request that is cut meanwhile lets no other one in before the thread is free.
            let _turn = turn;
            let phase = shared.phase().clone();
            match &phase {
                Phase::Starting => shared.figures.render(None),
                Phase::Serving(live) | Phase::Draining(live) => shared.figures.render(Some(live)),
            }
        });
        match gathered.await {
            Ok(figures) => (StatusCode::OK, METRICS, figures),
            Err(error) => {
                tracing::error!(%error, "the figures cannot be gathered");
                (StatusCode::INTERNAL_SERVER_ERROR, TEXT, "no figures\n".to_owned())
            }
        }
    }
}
