//! A restart of the server under its clients, which back off as SPEC §10.4 says. The line that it
//! prints has the figures to publish.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tonic::transport::Channel;

use super::{
    desktop::Desktop,
    follow::{Stream, follow},
    token::Token,
};
use crate::{
    api::Api,
    process::{Process, command},
    server::As,
};

/// Streams of one connection.
const STREAMS: usize = 100;
/// Rows of one call of BatchUpsertUsers.
const ROWS: usize = 1_000;
/// Longest that a test waits for all clients.
const LONG: Duration = Duration::from_secs(180);
/// Hertz of the processor times in `/proc`.
const TICKS: f64 = 100.0;

/// Serves; `window` is the time, in seconds, over which clients come back.
fn serve(folder: &Path, address: &str, window: &str) -> Process {
    let mut serve = command(&["serve", "--listen", address, "--data-dir"]);
    serve.arg(folder).env("DESKPLANE_STORE__MIN_FREE_MIB", "0");
    serve.env("DESKPLANE_WATCH__DRAIN_WINDOW_S", window);
    Process::of(serve)
}

/// Seconds of the processor that a process took, and the most memory in MiB.
fn taken(process: &Process) -> (f64, u64) {
    let proc = format!("/proc/{}", process.id());
    let stat = fs::read_to_string(format!("{proc}/stat")).unwrap();
    // Behind the name, which may hold blanks, the times are the 12th and 13th.
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    let status = fs::read_to_string(format!("{proc}/status")).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    (ticks / TICKS, most >> 10)
}

async fn add_users(server: &Process, count: usize) {
    let api = Api::over(server.connect().await, As::default());
    let ids: Vec<_> = (0..count).map(user).collect();
    for ids in ids.chunks(ROWS) {
        let rows: Vec<_> = ids.iter().map(|id| json!({"user": {"id": id}})).collect();
        api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    }
}

fn user(at: usize) -> String {
    format!("user{at:05}")
}

/// Clients that follow their profiles; each says its number whenever it is in sync.
fn clients(address: SocketAddr, count: usize) -> mpsc::UnboundedReceiver<usize> {
    let (said, lines) = mpsc::unbounded_channel();
    for from in (0..count).step_by(STREAMS) {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        for number in from..count.min(from + STREAMS) {
            let said = said.clone();
            let say = move |line: String| {
                if line.starts_with("in sync") || line.starts_with("profile") {
                    said.send(number).unwrap_or_default();
                }
            };
            let stream = Stream { user: user(number), client_id: "desk".to_owned() };
            let desktop = Arc::new(Desktop::open(None).unwrap());
            let client = Token::default().client(channel.clone());
            tokio::spawn(follow(client, stream, desktop, say));
        }
    }
    lines
}

/// Waits until each client has said that it is in sync.
async fn in_sync(lines: &mut mpsc::UnboundedReceiver<usize>, count: usize) {
    let mut missing: BTreeSet<_> = (0..count).collect();
    let all = async {
        while !missing.is_empty() {
            missing.remove(&lines.recv().await.unwrap());
        }
    };
    if timeout(LONG, all).await.is_err() {
        panic!("{} clients are not in sync", missing.len());
    }
}

async fn restart(count: usize, window: &str) {
    let folder = tempfile::tempdir().unwrap();
    let before = serve(folder.path(), "127.0.0.1:0", window);
    add_users(&before, count).await;
    let address = before.address();
    let mut lines = clients(address, count);
    in_sync(&mut lines, count).await;
    let begun = Instant::now();
    assert!(before.end().success());
    let ended = begun.elapsed();
    let after = serve(folder.path(), &address.to_string(), window);
    after.address();
    let ready = begun.elapsed();
    in_sync(&mut lines, count).await;
    let synced = begun.elapsed();
    let (processor, memory) = taken(&after);
    println!(
        "restart under {count} clients: ended after {ended:.1?}, ready again after {ready:.1?}, all \
         in sync after {synced:.1?}; the new server took {processor:.1} s of the processor and at \
         most {memory} MiB"
    );
    assert!(after.end().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_come_back_after_a_restart() {
    restart(150, "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the release set: 10 000 clients"]
async fn ten_thousand_clients_come_back_after_a_restart() {
    restart(10_000, "10").await;
}
