//! What vendors post: `POST /webhooks/{provider}` (SPEC §14.4).
//!
//! Whatever is wrong, the answer is the same 403 without a word: who guesses learns nothing. A
//! vendor gets its 2xx once what it told is kept.
//!
//! Anybody on the internet can post, so nobody may hold up others: what is refused by its head is
//! answered before its body is read, a body has a deadline, and a place for the work is taken once
//! the body is there. Each provider has places of its own.

mod bodies;
mod places;
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
use self::bodies::{Bodies, Unread};
pub(super) use self::{places::Places, url::webhook_url};
use super::{Shared, Voice, accounts::Account};
use crate::domain::UniqueName;

/// What stands before the name of a provider.
const PATH: &str = "/webhooks/";
/// One refusal in so many is logged.
const LOGGED: u64 = 100;

#[derive(Debug, Clone)]
struct Ingress {
    shared: Arc<Shared>,
    bodies: Bodies,
    /// Requests that were turned away because too many are there.
    busy: Arc<AtomicU64>,
}

/// The routes of webhooks, and of what is nearly one.
pub fn webhooks(voice: &Voice) -> Router {
    let shared = Arc::clone(&voice.shared);
    let ingress = Ingress { shared, bodies: Bodies::default(), busy: Arc::default() };
    let routes = ["/webhooks", "/webhooks/", "/webhooks/{*rest}"];
    let router = routes.into_iter().fold(Router::new(), |all, path| all.route(path, any(receive)));
    router.with_state(ingress)
}

async fn receive(State(ingress): State<Ingress>, request: Request) -> Response {
    // As it was sent: an address that is spelled otherwise is not the one that was given out.
    let provider = request.uri().path().strip_prefix(PATH).unwrap_or_default().to_owned();
    match ingress.posted(&provider, request).await {
        Ok(reply) => answer(reply),
        Err(Refused::Unbelieved(why)) => {
            ingress.shared.refused(&provider, why);
            StatusCode::FORBIDDEN.into_response()
        }
        // The vendor repeats what was not taken.
        Err(Refused::NotKept) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(Refused::Busy) => {
            ingress.turned_away(&provider);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Why a request is not taken.
enum Refused {
    Unbelieved(WebhookRefused),
    NotKept,
    Busy,
}

impl From<WebhookRefused> for Refused {
    fn from(why: WebhookRefused) -> Self {
        Self::Unbelieved(why)
    }
}

impl From<Unread> for Refused {
    fn from(why: Unread) -> Self {
        match why {
            Unread::Incomplete | Unread::TooLong => Self::Unbelieved(WebhookRefused::Malformed),
            Unread::Busy => Self::Busy,
        }
    }
}

impl Ingress {
    async fn posted(&self, provider: &str, request: Request) -> Result<Reply, Refused> {
        let (account, vendor, mut url) = self.shared.addressed(request.method(), provider)?;
        let (head, body) = request.into_parts();
        let (body, _held) = self.bodies.read(body).await?;
        let _place = account.webhooks.take().await.ok_or(Refused::Busy)?;
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
            self.shared.take(&account.name, event).await.map_err(|_| Refused::NotKept)?;
        }
        Ok(received.reply)
    }

    /// Logs the first that is turned away and then few.
    fn turned_away(&self, provider: &str) {
        let before = self.busy.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(LOGGED) {
            tracing::warn!(provider, so_far = before + 1, "too many webhooks at a time");
        }
    }
}

impl Shared {
    /// Whom a request is for and under which URL, as far as its head says.
    fn addressed(
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
    fn refused(&self, provider: &str, why: WebhookRefused) {
        let before = self.counters.refused.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(LOGGED) {
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
