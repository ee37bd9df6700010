//! A real server that lacks something for the moment: handles, or room on its disk. It goes on, says
//! so, takes writes again when it is there, and ends when it is told to.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, GetUserRequest, ListUsersRequest, User, UserRow,
    directory_service_client::DirectoryServiceClient,
};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use crate::process::{PATIENCE, Process, command};

/// Small files, so that a few writes want another one.
const SETTINGS: [(&str, &str); 3] =
    [("LOG", "info"), ("STORE__SEGMENT_MIB", "1"), ("STORE__CHECKPOINT_MIB", "1")];
/// How long an end may take with nothing to drain.
const END: Duration = Duration::from_secs(30);

/// A client of a server process.
struct Client {
    directory: DirectoryServiceClient<Channel>,
    health: HealthClient<Channel>,
    /// Users that were acknowledged.
    acknowledged: usize,
}

impl Client {
    async fn new(server: &Process) -> Self {
        let channel = server.connect().await;
        let directory = DirectoryServiceClient::new(channel.clone());
        Self { directory, health: HealthClient::new(channel), acknowledged: 0 }
    }

    /// Writes so many users of its own, with about 1 KiB each.
    async fn write(&mut self, users: usize) -> Result<(), Status> {
        let row = |nth: usize| {
            let business_unit = "x".repeat(100);
            let id = format!("user{}", self.acknowledged + nth);
            let email = format!("{id}.{}@example.com", "y".repeat(200));
            let user = Some(User { id, business_unit, email, ..User::default() });
            UserRow { user, profile: String::new() }
        };
        let rows = (0..users).map(row).collect();
        let request = BatchUpsertUsersRequest { rows, ..Default::default() };
        self.directory.batch_upsert_users(request).await?;
        self.acknowledged += users;
        Ok(())
    }

    /// Writes until that is refused for the moment; the refusal.
    async fn refused(&mut self) -> Status {
        for _ in 0..1_000 {
            if let Err(status) = self.write(500).await {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                let details = status.get_error_details();
                let reason = details.error_info().map(|info| info.reason.clone());
                assert_eq!(reason.as_deref(), Some("STORE_UNAVAILABLE"));
                assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()));
                return status;
            }
        }
        panic!("every write was taken");
    }

    /// Whether health says so of writes, at last.
    async fn says(&mut self, status: ServingStatus) {
        let since = Instant::now();
        loop {
            let service = "deskplane.v1.writes".to_owned();
            let answer = self.health.check(HealthCheckRequest { service }).await.unwrap();
            if answer.into_inner().status() == status {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "health does not say {status:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything that was acknowledged is there, and nothing else.
    async fn whole(&mut self) {
        let last = format!("users/user{}", self.acknowledged - 1);
        self.directory.get_user(GetUserRequest { name: last }).await.unwrap();
        let (mut found, mut page_token) = (0, String::new());
        loop {
            let request = ListUsersRequest { page_size: 1_000, page_token, ..Default::default() };
            let page = self.directory.list_users(request).await.unwrap().into_inner();
            found += page.users.len();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, self.acknowledged);
    }
}

/// Takes every free handle from a process, or gives them back.
fn starve(server: &Process, starved: bool) {
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let current = if starved { Some(3) } else { maximum };
    prlimit(pid, Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

/// Tells a server to end; whether it does so in time, and says that all is well.
fn ends(mut server: Process) -> bool {
    server.signal("TERM");
    let (status, took) = server.ends_within(END);
    status.unwrap_or_else(|| panic!("no end after {took:?}: {:?}", server.log())).success()
}

fn said(server: &Process, what: &str) -> bool {
    server.log().iter().any(|line| line.contains(what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_handles_writes_are_refused_for_the_moment_and_nothing_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::spawn(folder.path(), &SETTINGS);
    let mut client = Client::new(&server).await;
    client.write(1).await.unwrap();
    for _ in 0..2 {
        client.says(ServingStatus::Serving).await;
        starve(&server, true);
        let refusal = client.refused().await;
        assert!(refusal.message().contains("no file handle is left"), "{refusal:?}");
        client.says(ServingStatus::NotServing).await;
        client.whole().await;
        assert!(client.refused().await.message().contains("read-only"));
        starve(&server, false);
        // It finds out by itself, without a write.
        client.says(ServingStatus::Serving).await;
        for _ in 0..10 {
            client.write(500).await.unwrap();
        }
        client.whole().await;
    }
    assert!(said(&server, "read-only: no file handle is left"), "{:?}", server.log());
    assert!(!said(&server, "takes no more writes"), "{:?}", server.log());
    // Its end wants handles as well: there are none, and it ends nevertheless.
    let _ = client.write(500).await;
    let acknowledged = client.acknowledged;
    starve(&server, true);
    let _ = client.write(1).await;
    assert!(ends(server));
    let server = Process::spawn(folder.path(), &SETTINGS);
    let mut client = Client::new(&server).await;
    let last = format!("users/user{}", acknowledged - 1);
    client.directory.get_user(GetUserRequest { name: last }).await.unwrap();
    assert!(ends(server));
}

/// A file system of its own that is full soon; none where this user may not mount one.
struct Disk {
    at: PathBuf,
    /// Goes after it.
    _home: tempfile::TempDir,
}

impl Disk {
    fn mount(mib: u32) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let at = home.path().join("disk");
        fs::create_dir(&at).unwrap();
        let size = format!("size={mib}m");
        let mut command = Command::new("mount");
        let mounted =
            command.args(["-t", "tmpfs", "-o", &size, "deskplane-test"]).arg(&at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { at, _home: home }),
            refused => {
                eprintln!("SKIPPED: no file system can be mounted here: {refused:?}");
                eprintln!("the fault file system stands in: store/durable/tests/access.rs");
                None
            }
        }
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.at.join("filler")).unwrap();
        for chunk in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![1; chunk]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.at).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays", self.at.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_worked_on_left_started_on_and_written_again() {
    let Some(disk) = Disk::mount(64) else { return };
    let data = disk.at.join("data");
    let server = Process::spawn(&data, &SETTINGS);
    let mut client = Client::new(&server).await;
    for _ in 0..5 {
        client.write(500).await.unwrap();
    }
    // It fills up while the server is at work, index included.
    disk.fill();
    client.refused().await;
    client.says(ServingStatus::NotServing).await;
    client.whole().await;
    let acknowledged = client.acknowledged;
    assert!(!said(&server, "takes no more writes"), "{:?}", server.log());
    assert!(ends(server));

    // It is as full as it was, whether something was given back by the end or not.
    disk.fill();
    for start in 0..2 {
        let settings = [&SETTINGS[..], &[("STORE__MIN_FREE_MIB", "8")]].concat();
        let server = Process::spawn(&data, &settings);
        let mut client = Client { acknowledged, ..Client::new(&server).await };
        client.says(ServingStatus::NotServing).await;
        client.whole().await;
        assert!(said(&server, "read-only: disk almost full"), "{start}: {:?}", server.log());
        client.refused().await;
        if start == 0 {
            assert!(ends(server));
            continue;
        }
        disk.free();
        client.says(ServingStatus::Serving).await;
        for _ in 0..10 {
            client.write(500).await.unwrap();
        }
        client.whole().await;
        let acknowledged = client.acknowledged;
        server.kill();
        let server = Process::spawn(&data, &SETTINGS);
        let mut client = Client { acknowledged, ..Client::new(&server).await };
        client.whole().await;
        assert!(ends(server));
    }
    let doctor = command(&["doctor", "--data-dir"]).arg(&data).output().unwrap();
    assert!(doctor.status.success(), "{doctor:?}");
}

#[test]
fn a_first_start_on_a_full_disk_ends_with_an_error() {
    let Some(disk) = Disk::mount(8) else { return };
    disk.fill();
    let data = disk.at.join("data");
    let ended = first_start(&data);
    assert_eq!(ended.0, Some(1), "{}", ended.1);
    let told = ended.1.contains(data.to_str().unwrap());
    assert!(
        told && (ended.1.contains("No space left") || ended.1.contains("read-only")),
        "{}",
        ended.1
    );
}

/// Starts a server that cannot; its status, and what it said.
fn first_start(data: &Path) -> (Option<i32>, String) {
    let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    let output = command.arg(data).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
