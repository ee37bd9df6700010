//! What clients write while the server is killed, and what of it must be there afterwards.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use deskplane_proto::v1::{
    BatchUpsertUsersRequest, GetUserRequest, ListUsersRequest, User, UserRow,
    directory_service_client::DirectoryServiceClient,
};
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Code, transport::Channel};

type Client = DirectoryServiceClient<Channel>;

/// Writers at a time.
const WRITERS: u32 = 8;
/// Users that one small write makes: all of them or none may be there.
pub(super) const BATCH: u32 = 3;
/// Users of an import.
const IMPORTED: usize = 1_000;
/// Business unit of imported users.
const UNIT: &str = "imported";

/// Small writes, each of users of its own.
#[derive(Debug, Default)]
pub(super) struct Writes {
    rounds: u32,
    /// Round and number of those that were acknowledged.
    kept: Vec<(u32, u32)>,
}

/// Writers at work on one server.
pub(super) struct Round {
    number: u32,
    writers: Vec<JoinHandle<()>>,
    acknowledged: watch::Receiver<Vec<u32>>,
}

/// Imports: each writes the same users anew.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Number of the last one that was sent.
    pub(super) sent: u32,
    /// Number of the last one that was acknowledged, or found.
    pub(super) acknowledged: u32,
}

/// An importer at work on one server.
pub(super) struct Import {
    importer: JoinHandle<u32>,
    acknowledged: watch::Receiver<u32>,
    before: u32,
}

fn user(round: u32, write: u32, at: u32) -> String {
    format!("u{round}.{write}.{at}")
}

/// Creates or replaces users; whether that was acknowledged.
async fn upsert(client: &mut Client, users: impl Iterator<Item = User>) -> bool {
    let row = |user| UserRow { user: Some(user), profile: String::new() };
    let request = BatchUpsertUsersRequest { rows: users.map(row).collect(), ..Default::default() };
    client.batch_upsert_users(request).await.is_ok()
}

/// All users that a filter lets through.
async fn list(client: &mut Client, filter: &str) -> Vec<User> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let filter = filter.to_owned();
        let request =
            ListUsersRequest { page_size: 1_000, page_token, filter, ..Default::default() };
        let page = client.list_users(request).await.unwrap().into_inner();
        found.extend(page.users);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

// === impl Writes ===

impl Writes {
    /// Writes until the server is gone.
    pub(super) fn begin(&mut self, client: &Client) -> Round {
        let (number, next) = (self.rounds, Arc::new(AtomicU32::new(0)));
        self.rounds += 1;
        let (sender, acknowledged) = watch::channel(Vec::new());
        let writer = |_| {
            let (mut client, next, sender) = (client.clone(), Arc::clone(&next), sender.clone());
            tokio::spawn(async move {
                loop {
                    let write = next.fetch_add(1, Ordering::Relaxed);
                    let id = |at| User { id: user(number, write, at), ..User::default() };
                    if !upsert(&mut client, (0..BATCH).map(id)).await {
                        return;
                    }
                    sender.send_modify(|all: &mut Vec<u32>| all.push(write));
                }
            })
        };
        Round { number, writers: (0..WRITERS).map(writer).collect(), acknowledged }
    }

    /// Notes what was acknowledged, once the server is gone.
    pub(super) async fn end(&mut self, round: Round) {
        for writer in round.writers {
            writer.await.unwrap();
        }
        let acknowledged = round.acknowledged.borrow();
        self.kept.extend(acknowledged.iter().map(|write| (round.number, *write)));
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.kept.len()
    }

    /// Looks for the newest writes.
    pub(super) async fn check_newest(&self, mut client: Client) {
        for (round, write) in self.kept.iter().rev().take(20) {
            for at in 0..BATCH {
                let name = format!("users/{}", user(*round, *write, at));
                let found = client.get_user(GetUserRequest { name: name.clone() }).await;
                found.unwrap_or_else(|status| panic!("{name} was acknowledged: {status}"));
            }
        }
    }

    /// Looks for every write: what was acknowledged is there, and what is there is whole.
    pub(super) async fn check_all(&self, mut client: Client) {
        let users = list(&mut client, "business_unit = \"\"").await;
        let found: BTreeSet<_> = users.into_iter().map(|user| user.id).collect();
        let lost: Vec<_> = self
            .kept
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
        assert!(self.kept.len() >= self.rounds as usize, "{} writes", self.kept.len());
    }
}

impl Round {
    /// Waits until a write was acknowledged.
    pub(super) async fn first(&mut self) {
        self.acknowledged.wait_for(|all| !all.is_empty()).await.unwrap();
    }
}

// === impl Imports ===

impl Imports {
    /// Imports until the server is gone.
    pub(super) fn begin(&self, mut client: Client) -> Import {
        let (mut sent, before) = (self.sent, self.acknowledged);
        let (sender, acknowledged) = watch::channel(before);
        let importer = tokio::spawn(async move {
            loop {
                sent += 1;
                let user = |at: usize| User {
                    id: format!("imported{at}"),
                    display_name: format!("{sent} {}", "x".repeat(150)),
                    business_unit: UNIT.to_owned(),
                    ..User::default()
                };
                if !upsert(&mut client, (0..IMPORTED).map(user)).await {
                    return sent;
                }
                sender.send_replace(sent);
            }
        });
        Import { importer, acknowledged, before }
    }

    /// Notes what was acknowledged, once the server is gone.
    pub(super) async fn end(&mut self, import: Import) {
        self.sent = import.importer.await.unwrap();
        self.acknowledged = *import.acknowledged.borrow();
    }

    /// What is there is one import, whole, and none before the last that was acknowledged.
    pub(super) async fn check(&mut self, mut client: Client) {
        let users = list(&mut client, &format!("business_unit = \"{UNIT}\"")).await;
        let number = |user: &User| user.display_name.split(' ').next().unwrap().parse().unwrap();
        let numbers: BTreeSet<u32> = users.iter().map(number).collect();
        let found = numbers.first().copied().unwrap_or(0);
        assert!(numbers.len() <= 1, "parts of the imports {numbers:?} are there");
        assert!(found == 0 || users.len() == IMPORTED, "{} users of {found}", users.len());
        assert!(
            (self.acknowledged..=self.sent).contains(&found),
            "import {found} is there; {} was acknowledged, {} sent",
            self.acknowledged,
            self.sent
        );
        self.acknowledged = found;
    }
}

impl Import {
    /// Waits until an import was acknowledged.
    pub(super) async fn first(&self) {
        let before = self.before;
        self.acknowledged.clone().wait_for(|number| *number > before).await.unwrap();
    }

    /// Whether the server is gone.
    pub(super) fn is_finished(&self) -> bool {
        self.importer.is_finished()
    }
}
