//! What an import costs a server: memory with request ids and without, the data folder, and the
//! time of a clean stop right after it. Beside it: many writes of one user, each with a request id.
//!
//! `cargo bench --bench import`. `DESKPLANE_IMPORT_USERS` is the number of users, 200 000 by default,
//! `DESKPLANE_IMPORT_WRITES` the number of single writes, 260 000 by default.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, UpsertUserRequest, User, UserRow,
    directory_service_client::DirectoryServiceClient,
};
use tonic::transport::Channel;
use uuid::Uuid;

#[allow(dead_code, reason = "the tests of the process need more of it")]
#[path = "../tests/it/process.rs"]
mod process;

use process::Process;

/// Users of one write.
const BATCH: usize = 1_000;
/// Single writes that wait together.
const TOGETHER: usize = 64;
/// Roles of the users, which make a dozen classes.
const ROLES: [&str; 4] = ["msdyn_csr", "msdyn_oc_agent", "msdyn_oc_supervisor", "msdyn_basic_user"];
/// How long a clean stop may take.
const STOP: Duration = Duration::from_secs(2);

/// What a server took, at the end of its writes.
struct Taken {
    resident: u64,
    folder: u64,
    checkpoint: u64,
    stopped: Duration,
}

fn main() {
    // Cargo asks every target for its tests; this one has none.
    if std::env::args().any(|arg| arg == "--list" || arg == "--test") {
        return;
    }
    // Connections are served while this thread waits for the end of a process.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let users = number("DESKPLANE_IMPORT_USERS", 200_000);
    let writes = number("DESKPLANE_IMPORT_WRITES", 260_000);
    println!(
        "| Writes | Resident | Folder | Newest checkpoint | Clean stop | Parts of the folder |"
    );
    println!("|---|---|---|---|---|---|");
    let what = format!("{users} users, no request ids");
    let plain = serve(&what, async |channel| import(channel, users, false).await).await;
    let what = format!("{users} users with request ids");
    let asked = serve(&what, async |channel| import(channel, users, true).await).await;
    let what = format!("{writes} writes of one user with request ids");
    serve(&what, async |channel| overwrite(channel, writes).await).await;
    let ratio = asked.resident as f64 / plain.resident as f64;
    println!("resident with request ids: {ratio:.2} times that without (goal: 1.3)");
    assert!(ratio <= 1.3, "request ids take memory");
    assert!(asked.stopped <= STOP, "a stop took {:?}", asked.stopped);
}

/// Starts a server on a folder of its own, has it written to, and stops it.
async fn serve(what: &str, write: impl AsyncFnOnce(Channel)) -> Taken {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::spawn(folder.path(), &[("LOG", "info")]);
    write(process.connect().await).await;
    let statm = fs::read_to_string(format!("/proc/{}/statm", process.id())).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    let since = Instant::now();
    assert!(process.end().success());
    let stopped = since.elapsed();
    let checkpoint = newest(&folder.path().join("checkpoint"));
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let parts = ["journal", "checkpoint", "history", "index"].map(|part| {
        let part_folder = folder.path().join(part);
        let bytes = if part_folder.exists() { size(&part_folder) } else { 0 };
        format!("{part} {}", mib(bytes))
    });
    let folder = size(folder.path());
    let taken = Taken { resident: pages * 4_096, folder, checkpoint, stopped };
    println!(
        "| {what} | {} | {} | {} | {:.2} s | {} |",
        mib(taken.resident),
        mib(taken.folder),
        mib(taken.checkpoint),
        taken.stopped.as_secs_f64(),
        parts.join(", "),
    );
    taken
}

fn user(number: usize) -> User {
    let roles = ROLES.iter().enumerate().filter(|(at, _)| (number % 12 + 1) >> at & 1 == 1);
    User {
        id: format!("agent.{number:012}"),
        display_name: format!("Agent {number} of {:x}", fastrand::u64(..)),
        email: format!("agent.{number:012}@contoso.example"),
        roles: roles.map(|(_, role)| (*role).to_owned()).collect(),
        ..User::default()
    }
}

/// A request id, or none.
fn request_id(asked: bool) -> String {
    if asked { Uuid::new_v4().to_string() } else { String::new() }
}

async fn import(channel: Channel, users: usize, asked: bool) {
    let mut client = DirectoryServiceClient::new(channel);
    let all: Vec<_> = (0..users).collect();
    for numbers in all.chunks(BATCH) {
        let row = |number: &usize| UserRow { user: Some(user(*number)), profile: String::new() };
        let rows = numbers.iter().map(row).collect();
        let request =
            BatchUpsertUsersRequest { rows, request_id: request_id(asked), ..Default::default() };
        client.batch_upsert_users(request).await.unwrap();
    }
}

/// Writes one user again and again, with another name each time.
async fn overwrite(channel: Channel, writes: usize) {
    let each = |count: usize| {
        let mut client = DirectoryServiceClient::new(channel.clone());
        async move {
            for _ in 0..count {
                let request = UpsertUserRequest {
                    // Roles have calls of their own.
                    user: Some(User { roles: Vec::new(), ..user(1) }),
                    request_id: request_id(true),
                    ..Default::default()
                };
                client.upsert_user(request).await.unwrap();
            }
        }
    };
    futures_util::future::join_all((0..TOGETHER).map(|_| each(writes / TOGETHER))).await;
}

/// Bytes that the files of a folder take of the disk.
fn size(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata().unwrap() {
        file if file.is_dir() => size(&entry.path()),
        file => file.blocks() * 512,
    };
    fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap())).sum()
}

/// Bytes of the newest checkpoint; 0 without one.
fn newest(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.max_by_key(fs::DirEntry::file_name).map_or(0, |entry| entry.metadata().unwrap().len())
}
