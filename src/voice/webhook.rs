//! What vendors post: `POST /webhooks/{provider}` (SPEC §14.4).
//!
//! Every refusal is the same empty 403, so an attacker who guesses learns nothing; the audit has the
//! cause. A vendor gets its 2xx once its events are durable.
//!
//! Anyone on the internet can post, so one sender must not hold up another: what its head refuses is
//! answered before the body is read, a body has a deadline, and a permit is acquired once the body is
//! there. Each provider has a concurrency limit of its own.

mod audited;
mod bodies;
mod limit;
mod url;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::any,
};
use deskplane_providers::{
    ChannelProvider as _, Reply, Webhook, WebhookRefused, layers::Protected,
};

pub use self::bodies::MAX_BODY;
use tonic::transport::server::TcpConnectInfo;

use self::bodies::{Bodies, Unread};
pub(super) use self::{limit::WebhookLimit, url::webhook_url};
use super::{Shared, Voice, accounts::Account};
use crate::{
    domain::UniqueName,
    trace::{self, Correlated, Correlation, PlainRequest, Tracer},
};

/// The path before the name of a provider.
const PATH: &str = "/webhooks/";
/// One refusal in so many is logged.
const LOG_EVERY: u64 = 100;

#[derive(Debug, Clone)]
struct Ingress {
    shared: Arc<Shared>,
    tracer: Tracer,
    bodies: Bodies,
    /// Requests that were refused because of a limit.
    busy: Arc<AtomicU64>,
}

/// The routes of webhooks, and of paths that resemble one.
pub fn webhooks(voice: &Voice, tracer: &Tracer) -> Router {
    let (shared, tracer) = (Arc::clone(&voice.shared), tracer.clone());
    let ingress = Ingress { shared, tracer, bodies: Bodies::default(), busy: Arc::default() };
    let routes = ["/webhooks", "/webhooks/", "/webhooks/{*rest}"];
    let router = routes.into_iter().fold(Router::new(), |all, path| all.route(path, any(receive)));
    router.with_state(ingress)
}

async fn receive(State(ingress): State<Ingress>, request: Request) -> Response {
    let begun = PlainRequest::begin(&request, &ingress.tracer, "/webhooks/{provider}");
    let correlated: Arc<dyn Correlated> = Arc::<Correlation>::clone(begun.correlation());
    // It holds a body, and the future of a connection holds it.
    let answer = trace::scope(Some(correlated), Box::pin(respond(ingress, request))).await;
    begun.end(answer.status());
    answer
}

async fn respond(ingress: Ingress, request: Request) -> Response {
    // Not decoded: a path that is spelled otherwise is not the URL that the vendor was given.
    let provider = request.uri().path().strip_prefix(PATH).unwrap_or_default().to_owned();
    let peer = request.extensions().get().and_then(TcpConnectInfo::remote_addr);
    match ingress.posted(&provider, request).await {
        Ok(reply) => answer(reply),
        Err(Refused::Unverified(why)) => {
            ingress.shared.count_refusal(&provider, why);
            ingress.shared.audit_refusal(&provider, peer, why);
            StatusCode::FORBIDDEN.into_response()
        }
        // The vendor repeats it.
        Err(Refused::NotDurable) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(Refused::Busy) => {
            ingress.count_busy(&provider);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Why a request is refused.
enum Refused {
    Unverified(WebhookRefused),
    NotDurable,
    Busy,
}

impl From<WebhookRefused> for Refused {
    fn from(why: WebhookRefused) -> Self {
        Self::Unverified(why)
    }
}

impl From<Unread> for Refused {
    fn from(why: Unread) -> Self {
        match why {
            Unread::Incomplete | Unread::TooLong => Self::Unverified(WebhookRefused::Malformed),
            Unread::Busy => Self::Busy,
        }
    }
}

impl Ingress {
    async fn posted(&self, provider: &str, request: Request) -> Result<Reply, Refused> {
        let (account, vendor, mut url) = self.shared.route(request.method(), provider)?;
        let (head, body) = request.into_parts();
        let (body, _held) = self.bodies.read(body).await?;
        let _permit = account.webhooks.acquire().await.ok_or(Refused::Busy)?;
        if let Some(query) = head.uri.query() {
            url = format!("{url}?{query}");
        }
        let webhook = Webhook {
            method: head.method.as_str(),
            url: &url,
            headers: &head.headers,
            body: &body,
        };
        let received = vendor.receive(&webhook).await?;
        for event in received.events {
            self.shared.apply_event(&account.name, event).await.map_err(|_| Refused::NotDurable)?;
        }
        Ok(received.reply)
    }

    /// Counts a request over a limit; logs the first and then few.
    fn count_busy(&self, provider: &str) {
        let before = self.busy.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(LOG_EVERY) {
            tracing::warn!(provider, so_far = before + 1, "too many webhooks at a time");
        }
    }
}

impl Shared {
    /// The account and the public URL that a request is for, by its head.
    fn route(
        &self,
        method: &Method,
        provider: &str,
    ) -> Result<(Arc<Account>, Arc<Protected>, String), WebhookRefused> {
        let name = UniqueName::parse(provider).map_err(|_| WebhookRefused::NotOffered)?;
        // Only active providers have one.
        let account = self.accounts.get(&name).ok_or(WebhookRefused::NotOffered)?;
        let vendor = account.provider.as_ref().map_err(|_| WebhookRefused::Unavailable)?;
        let public = self.settings.public_url.as_ref().ok_or(WebhookRefused::NotOffered)?;
        if !vendor.takes_webhooks() {
            return Err(WebhookRefused::NotOffered);
        }
        if method != Method::POST {
            return Err(WebhookRefused::Malformed);
        }
        let (url, vendor) = (webhook_url(public, account.name.as_str()), Arc::clone(vendor));
        Ok((account, vendor, url))
    }

    /// Counts a refusal; logs the first and then few, whatever arrives.
    fn count_refusal(&self, provider: &str, why: WebhookRefused) {
        let before = self.counters.refused.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(LOG_EVERY) {
            let provider: String = provider.chars().take(128).collect();
            tracing::warn!(provider, %why, so_far = before + 1, "a webhook was refused");
        }
    }
}

fn answer(reply: Reply) -> Response {
    if reply.body.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    ([(CONTENT_TYPE, reply.content_type)], Body::from(reply.body)).into_response()
}
