//! Clients that ask and do not read.

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, ResolveProfileRequest, User, UserRow, WatchProfileRequest,
    directory_service_client::DirectoryServiceClient,
};

use super::{
    siege::{Siege, USER},
    sizes,
    wire::{INITIAL_WINDOW, Wire, call, frame, kind},
};

/// Streams of one connection.
const STREAMS: usize = 100;

const RESOLVE: &str = "/deskplane.v1.AgentService/ResolveProfile";
const WATCH: &str = "/deskplane.v1.AgentService/WatchProfile";

/// Streams of profiles to whose connections nothing may be sent. The first thing that waits for one
/// and is noticed to wait is a bookmark.
async fn watchers((count, bookmark): (usize, &str)) {
    let siege = Siege::lay(&[("WATCH__STALLED_S", "1"), ("WATCH__BOOKMARK_S", bookmark)]).await;
    let user = |at: usize| format!("watched.{at}");
    let row =
        |at| UserRow { user: Some(User { id: user(at), ..User::default() }), ..UserRow::default() };
    let rows = (0..count).map(row).collect();
    let request = BatchUpsertUsersRequest { rows, ..BatchUpsertUsersRequest::default() };
    DirectoryServiceClient::new(siege.channel()).batch_upsert_users(request).await.unwrap();
    let ended = "deskplane_stream_ends_total{stream=\"profile\",reason=\"SLOW_CONSUMER\"}";
    let wires = siege
        .during(&format!("{count} watchers with a window of zero"), async {
            let mut wires = Vec::new();
            for first in (0..count).step_by(STREAMS) {
                let settings = [(INITIAL_WINDOW, 0)];
                let mut wire = Wire::connect(siege.address(), &settings).await.unwrap();
                for at in first..(first + STREAMS).min(count) {
                    let request = WatchProfileRequest { user: user(at), ..Default::default() };
                    let stream = 2 * (at - first) as u32 + 1;
                    wire.say(&call(stream, WATCH, &request)).await.unwrap();
                }
                wires.push(wire);
            }
            siege.until(ended, |ended| ended >= count as f64).await;
            wires
        })
        .await;
    // Their connections live on until the clients go.
    assert_eq!(siege.figure("deskplane_watch_streams").await, 0.0);
    drop(wires);
    siege.lift().await;
}

/// Questions whose answers are not read: HTTP/2 asks for none before it has sent the last answers,
/// and the peer that takes nothing is closed.
async fn unread(siege: Siege, what: &str, piece: &[u8], limit: &str) {
    let wire = Wire::connect(siege.address(), &[]).await.unwrap();
    let sent = siege.during(what, wire.flood_unread(piece)).await;
    println!("  {sent} frames were taken");
    assert_eq!(siege.closed(limit).await, 1.0);
    siege.lift().await;
}

/// With the limit of control frames, and as if there was none.
async fn unread_pings(limited: bool) {
    let most = if limited { "1000" } else { "16777216" };
    let settings = [("LIMITS__CONTROL_FRAMES", most), ("LIMITS__WRITE_STALL_S", "1")];
    let limit = if limited { "flood" } else { "write_stall" };
    for (what, frame) in [
        ("PING frames whose answers are not read", frame(kind::PING, 0, 0, b"question")),
        ("SETTINGS frames whose answers are not read", frame(kind::SETTINGS, 0, 0, &[])),
    ] {
        unread(Siege::lay(&settings).await, what, &frame, limit).await;
    }
}

/// Calls whose answers may not be sent, on connections that have as many as they may.
async fn unread_answers((connections, calls): (usize, usize)) {
    let siege = Siege::lay(&[]).await;
    let name = format!("{connections} times {calls} answers with a window of zero");
    let wires = siege
        .during(&name, async {
            let mut wires = Vec::new();
            for _ in 0..connections {
                let settings = [(INITIAL_WINDOW, 0)];
                let mut wire = Wire::connect(siege.address(), &settings).await.unwrap();
                let request = ResolveProfileRequest { user: USER.to_owned(), ..Default::default() };
                for at in 0..calls {
                    wire.say(&call(2 * at as u32 + 1, RESOLVE, &request)).await.unwrap();
                }
                assert!(wire.ask(&[]).await, "the connection is closed");
                wires.push(wire);
            }
            wires
        })
        .await;
    drop(wires);
    siege.lift().await;
}

sizes! {
    unread_answers: (2, 500), (2, 1_000);
    watchers: (200, "1"), (1_000, "30");
    unread_pings: true, false;
}
