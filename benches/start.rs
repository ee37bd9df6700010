//! How long a server takes from the start of its process to its first answer, with many users:
//! after a clean stop, after a kill, and after a loss of power (budget: `docs/operations.md`).
//!
//! `cargo bench --bench start`. `DESKPLANE_START_USERS` is the number of users, a million by
//! default, `DESKPLANE_START_RUNS` how often each start is measured, five times by default.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, ResolveProfileRequest, User, UserRow,
    agent_service_client::AgentServiceClient, directory_service_client::DirectoryServiceClient,
};

#[allow(dead_code, reason = "the tests of the process need more of it")]
#[path = "../tests/it/process.rs"]
mod process;

use process::Process;

/// Users of one write.
const BATCH: usize = 1_000;
/// Writes between a start and the kill that follows.
const WRITES: usize = 20;
/// Roles of the users, which make a dozen classes.
const ROLES: [&str; 4] = ["msdyn_csr", "msdyn_oc_agent", "msdyn_oc_supervisor", "msdyn_basic_user"];
const SETTINGS: [(&str, &str); 1] = [("LOG", "info")];

/// How the process before ended.
#[derive(Debug, Clone, Copy)]
enum End {
    Clean,
    Killed,
    PowerLost,
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
    let users = number("DESKPLANE_START_USERS", 1_000_000);
    let runs = number("DESKPLANE_START_RUNS", 5);
    let folder = tempfile::tempdir().unwrap();
    let since = Instant::now();
    let process = Process::spawn(folder.path(), &SETTINGS);
    write(&process, 0..users).await;
    assert!(process.end().success());
    let (size, took) = (taken(folder.path()) >> 20, since.elapsed().as_secs_f64());
    println!("{users} users written in {took:.0} s, {size} MiB in the folder");
    println!("| Start after | Median | Least | Most | Until it listens | Resident |");
    println!("|---|---|---|---|---|---|");
    for end in [End::Clean, End::Killed, End::PowerLost] {
        let mut found = Vec::new();
        for _ in 0..runs {
            found.push(one(folder.path(), end, users).await);
        }
        found.sort_by_key(|(ready, ..)| *ready);
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let (median, listens, memory) = found[found.len() / 2];
        println!(
            "| {} | {} | {} | {} | {} | {} MiB |",
            match end {
                End::Clean => "a clean stop",
                End::Killed => "a kill",
                End::PowerLost => "a loss of power",
            },
            seconds(median),
            seconds(found[0].0),
            seconds(found[found.len() - 1].0),
            seconds(listens),
            memory >> 20,
        );
    }
}

/// Starts a server after such an end: until its first answer, until it listened, what it holds.
async fn one(folder: &Path, end: End, users: usize) -> (Duration, Duration, u64) {
    if !matches!(end, End::Clean) {
        let process = Process::spawn(folder, &SETTINGS);
        write(&process, 0..users.min(WRITES * BATCH)).await;
        process.kill();
    }
    if matches!(end, End::PowerLost) {
        // Without the mark no start believes that the machine was up since.
        fs::remove_file(folder.join("boot.mark")).unwrap();
    }
    let since = Instant::now();
    let process = Process::spawn(folder, &SETTINGS);
    process.address();
    let listens = since.elapsed();
    let mut client = AgentServiceClient::new(process.connect().await);
    let request = ResolveProfileRequest { user: user(users - 1), ..Default::default() };
    client.resolve_profile(request).await.unwrap();
    let ready = since.elapsed();
    let statm = fs::read_to_string(format!("/proc/{}/statm", process.id())).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(process.end().success());
    (ready, listens, pages * 4_096)
}

/// An id of 18 bytes.
fn user(number: usize) -> String {
    format!("agent.{number:012}")
}

/// Writes users through the API, with other names each time.
async fn write(process: &Process, users: std::ops::Range<usize>) {
    let round = fastrand::u64(..);
    let mut client = DirectoryServiceClient::new(process.connect().await);
    let all: Vec<_> = users.collect();
    for numbers in all.chunks(BATCH) {
        let row = |number: &usize| {
            let roles = ROLES.iter().enumerate().filter(|(at, _)| (number % 12 + 1) >> at & 1 == 1);
            let user = User {
                id: user(*number),
                display_name: format!("Agent {number} of {round:x}"),
                email: format!("{}@contoso.example", user(*number)),
                roles: roles.map(|(_, role)| (*role).to_owned()).collect(),
                ..User::default()
            };
            UserRow { user: Some(user), profile: String::new() }
        };
        let rows = numbers.iter().map(row).collect();
        let request = BatchUpsertUsersRequest { rows, ..Default::default() };
        client.batch_upsert_users(request).await.unwrap();
    }
}

/// Bytes of the files of a folder.
fn taken(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata().unwrap() {
        file if file.is_dir() => taken(&entry.path()),
        file => file.len(),
    };
    fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap())).sum()
}
