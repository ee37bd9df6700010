//! A server with few file handles: connections take none that files need, and an end of them ends
//! nothing.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, GetSettingsRequest, User, UserRow,
    directory_service_client::DirectoryServiceClient,
    settings_service_client::SettingsServiceClient,
};
use tonic::transport::{Channel, Endpoint};

use crate::process::{PATIENCE, Process, program};

/// Handles of the server, most of them reserved by halves: connections may take 80.
const HANDLES: &str = "160";
/// What a client of HTTP/2 says first: its preface and empty settings.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A server that may not raise its limit, with small segments.
fn few_handles(folder: &Path) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", HANDLES]).arg(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DESKPLANE_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1");
    command.env("DESKPLANE_STORE__MIN_FREE_MIB", "0").env("DESKPLANE_STORE__SEGMENT_MIB", "1");
    Process::of(command)
}

/// Writes several segments of the journal.
async fn write(channel: Channel, round: u32) {
    let mut directory = DirectoryServiceClient::new(channel);
    for batch in 0..4 {
        let row = |at: u32| {
            let id = format!("user-{round}-{batch}-{at}");
            let user = User { id, display_name: "x".repeat(190), ..User::default() };
            UserRow { user: Some(user), ..UserRow::default() }
        };
        let rows = (0..1_000).map(row).collect();
        let request = BatchUpsertUsersRequest { rows, ..BatchUpsertUsersRequest::default() };
        directory.batch_upsert_users(request).await.expect("writes go on");
    }
}

async fn read(channel: Channel) {
    let mut settings = SettingsServiceClient::new(channel);
    settings.get_settings(GetSettingsRequest::default()).await.expect("reads go on");
}

/// A connection that is served: one that is closed at the cap is opened again.
async fn admitted(server: &Process) -> Channel {
    let since = std::time::Instant::now();
    loop {
        let uri = format!("http://{}", server.address());
        if let Ok(channel) = Endpoint::from_shared(uri).unwrap().connect().await {
            let mut settings = SettingsServiceClient::new(channel.clone());
            if settings.get_settings(GetSettingsRequest::default()).await.is_ok() {
                return channel;
            }
        }
        assert!(since.elapsed() < PATIENCE, "no client gets in");
    }
}

/// Opens connections, and says something on each.
fn open(address: SocketAddr, count: usize, say: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(say);
        stream
    };
    (0..count).map(connect).collect()
}

/// Whether the server has closed a connection, asked for a moment.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut bytes = [0; 256];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_no_client_out_and_harm_no_write() {
    let folder = tempfile::tempdir().unwrap();
    let server = few_handles(folder.path());
    let early = server.connect().await;
    for round in 0..3 {
        let silent = open(server.address(), 300, b"");
        let late = server.connect().await;
        write(late.clone(), round).await;
        read(early.clone()).await;
        read(late).await;
        drop(silent);
    }
    assert!(server.end().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_at_their_cap_leave_handles_for_files() {
    let folder = tempfile::tempdir().unwrap();
    let server = few_handles(folder.path());
    let early = server.connect().await;
    write(early.clone(), 0).await;
    // They greet, so none gives way: those beyond the cap are closed.
    let mut greeted = open(server.address(), 200, GREETING);
    let since = std::time::Instant::now();
    while greeted.iter_mut().filter_map(|stream| is_closed(stream).then_some(())).count() < 100 {
        assert!(since.elapsed() < PATIENCE, "none is closed at the cap");
    }
    write(early.clone(), 1).await;
    read(early).await;
    drop(greeted);
    let late = admitted(&server).await;
    write(late, 2).await;
    assert!(server.end().success());
}
