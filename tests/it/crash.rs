//! A server process that is killed at any moment: nothing acknowledged is lost, nothing is half
//! there, and it starts again by itself.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, GetUserRequest, ListUsersRequest, User, UserRow,
    directory_service_client::DirectoryServiceClient,
};
use tokio::sync::watch;
use tonic::{Code, transport::Channel};

/// How often the process is killed.
const KILLS: u32 = 100;
/// Writers at a time.
const WRITERS: u32 = 8;
/// Users that one write makes: all of them or none may be there.
const BATCH: u32 = 3;

/// A server process over a folder.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts the program and waits until it says where it listens.
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_deskplane"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .env("DESKPLANE_LOG", "info")
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
            let address = address.and_then(|text| text.parse().ok());
            said.push(line);
            address
        });
        let Some(address) = address else {
            panic!("the server did not start: {:?} {said:#?}", child.wait())
        };
        // The pipe must not fill up while the server lives.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    async fn client(&self) -> DirectoryServiceClient<Channel> {
        DirectoryServiceClient::connect(format!("http://{}", self.address)).await.unwrap()
    }

    /// SIGKILL: the process gets no chance to do anything.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    /// A failed test leaves no server behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn user(round: u32, write: u32, at: u32) -> String {
    format!("u{round}.{write}.{at}")
}

/// Writes until the server is gone, noting what was acknowledged.
async fn write(
    mut client: DirectoryServiceClient<Channel>,
    round: u32,
    next: Arc<AtomicU32>,
    acknowledged: watch::Sender<Vec<u32>>,
) {
    loop {
        let write = next.fetch_add(1, Ordering::Relaxed);
        let row = |at| UserRow {
            user: Some(User { id: user(round, write, at), ..User::default() }),
            profile: String::new(),
        };
        let rows = (0..BATCH).map(row).collect();
        let request = BatchUpsertUsersRequest { rows, ..BatchUpsertUsersRequest::default() };
        if client.batch_upsert_users(request).await.is_err() {
            return;
        }
        acknowledged.send_modify(|all| all.push(write));
    }
}

/// Every user id of the store.
async fn everybody(client: &mut DirectoryServiceClient<Channel>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = ListUsersRequest { page_size: 1_000, page_token, ..Default::default() };
        let page = client.list_users(request).await.unwrap().into_inner();
        found.extend(page.users.into_iter().map(|user| user.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_acknowledged_write_and_starts_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept: Vec<(u32, u32)> = Vec::new();
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..KILLS {
        let process = Process::start(folder.path());
        let mut client = process.client().await;
        // What the round before acknowledged is there, whole.
        for (round, write) in kept.iter().rev().take(20) {
            for at in 0..BATCH {
                let name = format!("users/{}", user(*round, *write, at));
                let found = client.get_user(GetUserRequest { name: name.clone() }).await;
                found.unwrap_or_else(|status| panic!("{name} was acknowledged: {status}"));
            }
        }
        let next = Arc::new(AtomicU32::new(0));
        let (acknowledged, mut news) = watch::channel(Vec::new());
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let next = Arc::clone(&next);
                tokio::spawn(write(client.clone(), round, next, acknowledged.clone()))
            })
            .collect();
        news.wait_for(|all| !all.is_empty()).await.unwrap();
        // Not a wait for something: the moment of the kill is what varies.
        tokio::time::sleep(Duration::from_micros(random.u64(500..40_000))).await;
        process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        kept.extend(acknowledged.borrow().iter().map(|write| (round, *write)));
    }

    let process = Process::start(folder.path());
    let mut client = process.client().await;
    let found = everybody(&mut client).await;
    let lost: Vec<_> = kept
        .iter()
        .flat_map(|(round, write)| (0..BATCH).map(|at| user(*round, *write, at)))
        .filter(|id| !found.contains(id))
        .collect();
    assert!(lost.is_empty(), "{} acknowledged users are lost: {lost:?}", lost.len());
    let whole = |id: &String| {
        let (write, _) = id.rsplit_once('.').unwrap();
        (0..BATCH).all(|at| found.contains(&format!("{write}.{at}")))
    };
    let half: Vec<_> = found.iter().filter(|id| !whole(id)).collect();
    assert!(half.is_empty(), "half of a write is there: {half:?}");
    let name = "users/nobody".to_owned();
    let missing = client.get_user(GetUserRequest { name }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert!(kept.len() >= KILLS as usize, "only {} writes were acknowledged", kept.len());
    println!("{KILLS} kills, {} acknowledged writes, none lost", kept.len());
    process.kill();
}
