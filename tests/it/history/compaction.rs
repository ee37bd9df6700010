//! The feed goes back a number of records. What lies before is refused by a reason of its own, with
//! the oldest revision that there is (SPEC §11.2).

use std::{sync::Arc, time::Duration};

use deskplane::{
    live,
    store::{
        Durable,
        durable::{Retention, Settings},
    },
};
use tokio::time::timeout;
use tonic::transport::Endpoint;

use super::*;

/// Records that the feed of these tests goes back.
const RECORDS: u64 = 5;
/// Longest that a test waits for anything.
const LONG: Duration = Duration::from_secs(60);

/// A server whose feed is short.
async fn short() -> (tempfile::TempDir, Running, Api) {
    let home = tempfile::tempdir().unwrap();
    let retention = Retention { records: RECORDS, ..Retention::default() };
    let settings = Settings { min_free_bytes: 0, retention, ..Settings::default() };
    let store = Arc::new(Durable::open(home.path(), settings).await.unwrap());
    // A client that does not read is not slow in this time.
    let watch = live::Settings { stalled: 10 * LONG, ..live::Settings::default() };
    let server = Running::of(store, watch).await;
    let admin = Api::admin(&server);
    (home, server, admin)
}

/// The oldest revision that a refusal names, which says that what is older is compacted.
fn oldest(status: &tonic::Status) -> i64 {
    assert_eq!(
        (status.code(), &*crate::api::reason(status)),
        (Code::OutOfRange, "REVISION_COMPACTED"),
        "{status:?}"
    );
    metadata(status, "oldest_available").parse().unwrap()
}

/// Waits until the feed does not go back to a revision; the oldest that it has.
async fn compacted(admin: &Api, revision: i64) -> i64 {
    let waited = timeout(LONG, async {
        loop {
            match admin.call("ListChanges", json!({"from_revision": revision})).await {
                // Records leave the feed as the index gets those that come.
                Ok(_) => tokio::task::yield_now().await,
                Err(status) => return oldest(&status),
            }
        }
    });
    waited.await.unwrap_or_else(|_| panic!("revision {revision} does not leave the feed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_compacted_revision_is_refused_with_the_oldest_that_is_kept() {
    let (_home, server, admin) = short().await;
    create(&admin, "contoso_rep", "one").await;
    let from = admin.revision().await;
    let mut stream = admin.stream("WatchChanges", json!({"from_revision": from})).await;
    let token = stream.next().await.unwrap()["resume_token"].clone();
    drop(stream);
    for at in 0..3 * RECORDS {
        describe(&admin, "contoso_rep", &format!("text {at}")).await;
    }
    let newest = admin.revision().await;
    let kept = compacted(&admin, newest - RECORDS as i64).await;
    assert_eq!(kept, newest - RECORDS as i64 + 1);
    for q in [
        json!({"from_revision": 1}),
        json!({"from_revision": from}),
        json!({"from_revision": kept - 1}),
        json!({"resume_token": token}),
    ] {
        if q["resume_token"].is_null() {
            let status = admin.call("ListChanges", q.clone()).await.unwrap_err();
            assert_eq!(oldest(&status), kept, "ListChanges {q}");
        }
        let status = admin.call("WatchChanges", q.clone()).await.unwrap_err();
        assert_eq!(oldest(&status), kept, "WatchChanges {q}");
    }
    // From the oldest on there is everything, and without a revision the feed begins there.
    for q in [json!({"from_revision": kept}), json!({})] {
        let page = admin.ok("ListChanges", q).await;
        let found: Vec<_> = list(&page, "changes").iter().map(|c| number(&c["revision"])).collect();
        assert_eq!(found, (kept..=newest).collect::<Vec<_>>());
    }
    let mut stream = admin.stream("WatchChanges", json!({"from_revision": kept})).await;
    for revision in kept..=newest {
        let change = stream.next().await.unwrap();
        assert_eq!(number(&change["change"]["revision"]), revision);
    }
    // The profile has more of its own past than the feed.
    let page = admin.ok("ListRevisions", json!({"name": "profiles/contoso_rep"})).await;
    let first = list(&page, "revisions").last().unwrap().clone();
    assert_eq!((number(&first["revision"]), &first["operation"]), (from, &json!("CreateProfile")));
    drop(stream);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_stream_that_is_overtaken_ends_with_the_oldest_that_is_kept() {
    /// Writes of some KiB each: more than both ends of a connection with a small window hold.
    const WRITES: usize = 300;
    let (_home, server, admin) = short().await;
    let from = admin.revision().await;
    let window = (1 << 16) - 1;
    let endpoint = Endpoint::from_shared(server.uri()).unwrap();
    let endpoint =
        endpoint.initial_stream_window_size(window).initial_connection_window_size(window);
    let reader = Api::over(endpoint.connect().await.unwrap(), As::default());
    let mut stream = reader.stream("WatchChanges", json!({"from_revision": from})).await;
    assert_eq!(number(&stream.next().await.unwrap()["change"]["revision"]), from);
    let reason = "\u{1f5de}".repeat(500);
    let write = |at: usize| {
        let row = |user: usize| json!({"user": {"id": format!("user{at}.{user}")}});
        let rows: Vec<_> = (0..40).map(row).collect();
        admin.ok("BatchUpsertUsers", json!({"rows": rows, "reason": reason}))
    };
    // One after the other: each record that comes has one leave, and of those that the index gets
    // together none leaves before the next.
    for at in 0..WRITES {
        write(at).await;
    }
    let newest = admin.revision().await;
    compacted(&admin, newest - RECORDS as i64).await;
    let mut last = from;
    let end = loop {
        let next = timeout(LONG, stream.next()).await;
        match next.unwrap_or_else(|_| panic!("silence behind {last} of {newest}")) {
            Ok(message) => {
                let revision = number(&message["change"]["revision"]);
                assert_eq!(revision, last + 1, "a gap in {message}");
                last = revision;
            }
            Err(status) => break status,
        }
    };
    assert!(oldest(&end) > last + 1, "{end:?} behind {last}");
    drop((stream, reader));
    server.end().await;
}
