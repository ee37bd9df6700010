//! What vendors post: `POST /webhooks/{provider}` (SPEC §14.4).
//!
//! Whatever is wrong, the answer is the same 403 without a word: who guesses learns nothing. A
//! vendor gets its 2xx once what it told is kept.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use deskplane_providers::{ChannelProvider as _, Reply, Webhook, WebhookRefused};
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::Semaphore;

use super::{Shared, Voice, accounts::Account};
use crate::domain::UniqueName;

/// Most bytes of a body.
pub const MAX_BODY: usize = 64 << 10;
/// Requests that are worked on at a time; further ones wait at their connections.
const AT_A_TIME: usize = 64;
/// One refusal in so many is logged.
const LOGGED: u64 = 100;

#[derive(Clone)]
struct Ingress {
    shared: Arc<Shared>,
    turns: Arc<Semaphore>,
}

/// The routes of webhooks.
pub fn webhooks(voice: &Voice) -> Router {
    let ingress =
        Ingress { shared: Arc::clone(&voice.shared), turns: Arc::new(Semaphore::new(AT_A_TIME)) };
    Router::new().route("/webhooks/{provider}", any(receive)).with_state(ingress)
}

async fn receive(
    State(ingress): State<Ingress>,
    Path(provider): Path<String>,
    request: Request,
) -> Response {
    let Ok(_turn) = ingress.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match ingress.shared.posted(&provider, request).await {
        Ok(reply) => answer(reply),
        Err(Refused::Unbelieved(why)) => {
            ingress.shared.refused(&provider, why);
            StatusCode::FORBIDDEN.into_response()
        }
        // The vendor repeats what was not taken.
        Err(Refused::NotKept) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Why a request is not taken.
enum Refused {
    Unbelieved(WebhookRefused),
    NotKept,
}

impl From<WebhookRefused> for Refused {
    fn from(why: WebhookRefused) -> Self {
        Self::Unbelieved(why)
    }
}

impl Shared {
    async fn posted(&self, provider: &str, request: Request) -> Result<Reply, Refused> {
        let account = self.named(provider).ok_or(WebhookRefused::NotOffered)?;
        let vendor = account.provider.as_ref().map_err(|_| WebhookRefused::Unavailable)?;
        let public = self.settings.public_url.as_ref().ok_or(WebhookRefused::NotOffered)?;
        let (head, body) = request.into_parts();
        let body: Bytes = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|_| WebhookRefused::Malformed)?
            .to_bytes();
        let mut url = super::webhook_url(public, account.name.as_str());
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
            self.take(&account.name, event).await.map_err(|_| Refused::NotKept)?;
        }
        Ok(received.reply)
    }

    /// The account of an active provider of that name.
    fn named(&self, provider: &str) -> Option<Arc<Account>> {
        self.accounts.get(&UniqueName::parse(provider).ok()?)
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
