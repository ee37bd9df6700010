//! What each signal does to a server at work, and to other commands that run for long.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::Stdio,
    time::Duration,
};

use deskplane_proto::v1::{
    UpsertUserRequest, User, WatchProfileRequest, WatchProfileResponse,
    agent_service_client::AgentServiceClient, directory_service_client::DirectoryServiceClient,
};
use serde_json::json;
use tonic::{Streaming, transport::Endpoint};

use crate::{
    api::Api,
    process::{PATIENCE, Process, command, ends_within, send},
    server::Running,
};

/// A usual time that a service manager waits for an end is 10 s; this leaves it some.
const USUAL: Duration = Duration::from_secs(9);

/// Whether the store in a folder was closed in order.
pub(super) fn is_closed(folder: &Path) -> bool {
    let mark = fs::read(folder.join("state.mark")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&mark[16..]).unwrap();
    state["closed_at"].is_i64()
}

/// Writes users `user-0` and so on.
async fn write_users(process: &Process, count: usize) {
    let mut directory = DirectoryServiceClient::new(process.connect().await);
    for at in 0..count {
        let user = Some(User { id: format!("user-{at}"), ..User::default() });
        directory.upsert_user(UpsertUserRequest { user, ..Default::default() }).await.unwrap();
    }
}

/// Streams of one connection; with a window of zero bytes their messages never leave the server.
async fn watch(
    process: &Process,
    count: usize,
    window: u32,
) -> Vec<Streaming<WatchProfileResponse>> {
    let uri = format!("http://{}", process.address());
    let channel = Endpoint::from_shared(uri).unwrap().initial_stream_window_size(window);
    let channel = channel.connect().await.unwrap();
    let mut streams = Vec::new();
    for at in 0..count {
        let (user, client_id) = (format!("user-{at}"), format!("window-{window}"));
        let request = WatchProfileRequest { user, client_id, ..Default::default() };
        let mut client = AgentServiceClient::new(channel.clone());
        streams.push(client.watch_profile(request).await.unwrap().into_inner());
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_log_level_again_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deskplane.toml");
    fs::write(&file, "log = 'info'").unwrap();
    let config = file.to_str().unwrap().to_owned();
    let process = Process::spawn(&folder.path().join("data"), &[("CONFIG", &config)]);
    process.address();
    process.signal("HUP");
    process.says("nothing that can be changed without a restart has changed");

    fs::write(&file, "log = 'info,deskplane=debug'\n[watch]\nquiet_ms = 7\n").unwrap();
    process.signal("HUP");
    let reloaded = process.says("reloaded `log`");
    assert!(reloaded.contains("before=\"info\" now=\"info,deskplane=debug\""), "{reloaded}");
    let waiting = process.says("need a restart");
    assert!(waiting.contains("settings=\"watch.quiet_ms\""), "{waiting}");

    fs::write(&file, "log = 'deskplane=loud'\nlistn = 1\n").unwrap();
    process.signal("HUP");
    let refused = process.says("not reloaded");
    assert!(refused.contains("`listn`") && refused.contains("ERROR"), "{refused}");
    fs::remove_file(&file).unwrap();
    process.signal("HUP");
    // The third answer: the level is still the one that could be read.
    fs::write(&file, "log = 'warn'").unwrap();
    process.signal("HUP");
    // The writer sees a server that works.
    write_users(&process, 1).await;
    assert!(process.end().success());
    assert!(is_closed(&folder.path().join("data")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_nothing_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::spawn(folder.path(), &[("LOG", "info")]);
    process.address();
    for signal in ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "XFSZ", "STKFLT"] {
        process.signal(signal);
        let ignored = process.says(&format!("signal=\"SIG{signal}\""));
        assert!(ignored.contains("ignored"), "{ignored}");
    }
    // These do nothing by themselves.
    for signal in ["PIPE", "CHLD", "URG", "WINCH", "CONT"] {
        process.signal(signal);
    }
    write_users(&process, 1).await;
    assert!(process.end().success());
    assert!(is_closed(folder.path()));
}

#[test]
fn what_asks_for_an_end_gets_one_in_order() {
    for signal in ["TERM", "INT", "PWR", "XCPU", "QUIT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::spawn(folder.path(), &[("LOG", "info")]);
        process.address();
        process.signal(signal);
        let (status, _) = process.ends_within(PATIENCE);
        assert_eq!(status.unwrap().code(), Some(0), "SIG{signal}");
        assert!(is_closed(folder.path()), "SIG{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_watchers_is_done_before_a_service_manager_loses_patience() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(folder.path(), &[("LOG", "info")]);
    write_users(&process, 100).await;
    // Some read, some hold their connection and read nothing.
    let read = watch(&process, 100, 65_535).await;
    let unread = watch(&process, 100, 0).await;
    process.signal("TERM");
    let (status, took) = process.ends_within(USUAL);
    assert_eq!(status.and_then(|status| status.code()), Some(0), "after {took:?}");
    assert!(is_closed(folder.path()));
    drop((read, unread));
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_again_it_ends_at_once() {
    for (first, second) in [("TERM", "TERM"), ("TERM", "INT"), ("INT", "QUIT")] {
        let folder = tempfile::tempdir().unwrap();
        // A stream that takes nothing holds up the drain for longer than the test waits.
        let settings = [("LOG", "info"), ("WATCH__STALLED_S", "3600")];
        let mut process = Process::spawn(folder.path(), &settings);
        write_users(&process, 1).await;
        let unread = watch(&process, 1, 0).await;
        process.signal(first);
        process.says("draining");
        process.signal(second);
        let (status, took) = process.ends_within(Duration::from_secs(5));
        let status = status.and_then(|status| status.code());
        assert_eq!(status, Some(0), "SIG{first}, SIG{second}: after {took:?}");
        assert!(is_closed(folder.path()), "SIG{first}, SIG{second}");
        drop(unread);
    }
}

#[test]
fn a_demo_leaves_nothing_behind() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = command(&["demo", "--listen", "127.0.0.1:0"]);
        demo.env("TMPDIR", folder.path()).stdout(Stdio::piped());
        let mut demo = demo.spawn().unwrap();
        let mut out = BufReader::new(demo.stdout.take().unwrap()).lines();
        let first = out.next().unwrap().unwrap();
        assert!(first.contains(folder.path().to_str().unwrap()), "{first}");
        // The tour is under way.
        send(demo.id(), signal);
        let (status, _) = ends_within(&mut demo, PATIENCE);
        assert_eq!(status.unwrap().code(), Some(0), "SIG{signal}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "SIG{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watching_client_ends_by_the_signal() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    for (signal, number) in [("TERM", 15), ("HUP", 1), ("INT", 2)] {
        let mut client = command(&["--server", &server.uri(), "watch", "ann"]);
        let mut client = client.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(client.stdout.take().unwrap()).lines();
        out.next().unwrap().unwrap();
        send(client.id(), signal);
        let (status, _) = ends_within(&mut client, PATIENCE);
        assert_eq!(status.unwrap().signal(), Some(number), "SIG{signal}");
    }
}
