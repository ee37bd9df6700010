//! What a server does when one of its tasks panics, seen from outside.

use std::sync::Arc;

use deskplane::{
    live,
    server::Error,
    store::{Memory, Store as _},
};
use deskplane_proto::v1::watch_profile_response::Event;
use serde_json::json;

use crate::{
    api::{Api, reason},
    server::Running,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_a_needed_task_drains_and_ends_the_server_with_its_name() {
    let store = Arc::new(Memory::new());
    let server = Running::of(Arc::clone(&store) as _, live::Settings::default()).await;
    let api = Api::admin(&server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    let mut watcher = api.watch("ann").await;
    watcher.snapshot().await;
    let ended = tokio::spawn(server.fail("doomed"));
    let end = loop {
        match watcher.next().await {
            Ok(Event::Bookmark(_) | Event::Drain(_)) => {}
            Ok(other) => panic!("no drain but {other:?}"),
            Err(end) => break end,
        }
    };
    assert_eq!(reason(&end), "DRAINING");
    drop((api, watcher));
    let why = ended.await.unwrap();
    assert!(matches!(why, Error::Task("doomed")), "{why}");
    // The ledger was closed: nothing acknowledged is left behind, and nothing holds the store.
    assert_eq!(Arc::strong_count(&store), 1);
    assert_eq!(store.load().await.unwrap().revision, 2);
}
