//! What follows the state of a server, and has health say it.

use std::sync::Arc;

use tokio::sync::watch;
use tonic_health::pb::health_check_response::ServingStatus;

use super::health::Reporter;
use crate::{credentials::Credentials, ledger::Ledger, live::Hub, store::Condition};

/// Name by which health says whether writes are taken.
pub const WRITES: &str = "deskplane.v1.writes";

/// Name by which health says whether the keys of every issuer of tokens can be had.
pub const CREDENTIALS: &str = "deskplane.v1.credentials";

/// Has health say whether writes are taken, as long as there is a store.
pub(super) async fn report_condition(
    health: Arc<Reporter>,
    mut condition: watch::Receiver<Condition>,
) {
    while condition.changed().await.is_ok() {
        health.set(WRITES, status(&condition.borrow_and_update()));
    }
}

/// Ends the streams whose credentials lost their trust, and has health say whether keys can be had.
pub(super) async fn follow_credentials(
    credentials: Credentials,
    mut changes: watch::Receiver<u64>,
    hub: Hub,
    ledger: Ledger,
    health: Arc<Reporter>,
) {
    while changes.changed().await.is_ok() {
        let reachable = credentials.figures().is_none_or(|figures| figures.all_reachable());
        health.set(CREDENTIALS, serving(reachable));
        hub.recheck_callers(&ledger.catalog());
    }
}

fn serving(serves: bool) -> ServingStatus {
    match serves {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

pub(super) fn status(condition: &Condition) -> ServingStatus {
    serving(condition.writable())
}
