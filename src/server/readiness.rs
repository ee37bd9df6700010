//! Readiness: whether the server takes calls, and whether it takes writes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use tonic::body::Body;

use super::gate::text_response;
use crate::store::Condition;

/// Media type of [`report`].
pub(super) const MEDIA_TYPE: &str = "application/json";

/// The answer to a readiness probe: status and JSON text. Without a condition there is no store yet.
pub(super) fn report(ready: bool, condition: Option<&Condition>) -> (StatusCode, String) {
    let body = json!({
        "ready": ready,
        "writable": ready && condition.is_some_and(Condition::writable),
        "damaged": condition.and_then(|condition| condition.damaged.as_ref()),
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{body}\n"))
}

/// Readiness of one running server, for probes on the main port. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Readiness {
    condition: watch::Receiver<Condition>,
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// Ready, over a store in this condition.
    pub(super) fn new(condition: watch::Receiver<Condition>) -> Self {
        Self { condition, draining: Arc::default() }
    }

    /// Not ready from now on: the server drains.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn answer(&self) -> Response<Body> {
        let ready = !self.draining.load(Ordering::Relaxed);
        let (status, text) = report(ready, Some(&self.condition.borrow()));
        text_response(status, MEDIA_TYPE, text)
    }
}
