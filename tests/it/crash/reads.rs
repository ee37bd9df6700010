//! Audited reads and deliveries while the server is killed. Both are logged in the background: a kill
//! may lose the newest entries. What is there is whole, in order, and there once; what was there once
//! stays.

use std::time::{Duration, Instant};

use deskplane_proto::v1::{
    WatchProfileRequest, agent_service_client::AgentServiceClient, watch_profile_response::Event,
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tonic::transport::Channel;

use super::rollbacks::PROFILE;
use crate::api::Api;

/// Users whom the reads are about, one after the other: equal reads in a row would be one entry.
const READ: usize = 200;
/// The user whose desktop is watched.
const VIEWER: &str = "viewer";
/// A second, as SPEC §11.3 has it, and what a busy machine may add. Older entries are not lost.
const BOUND: Duration = Duration::from_secs(5);

/// An entry of the audit: its time, and the user that it is about.
type Audited = (String, String);
/// A delivery: revision and digest.
type Delivered = (i64, String);

/// All reads and deliveries.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Reads that were asked for.
    asked: usize,
    /// The entries of the audit that were found so far, oldest first.
    audited: Vec<Audited>,
    /// The entries of the resolution log that were found, by client.
    delivered: Vec<Vec<Delivered>>,
    /// What the last server did, until it is checked.
    last: Option<Ended>,
    /// Entries that a kill lost.
    pub(super) lost: usize,
}

/// What was asked of one server, and received from it.
#[derive(Debug)]
struct Ended {
    /// Number of the first read.
    first: usize,
    /// When each read was answered.
    answered: Vec<Instant>,
    received: Vec<Delivered>,
    killed: Instant,
}

/// A reader and a watcher at work on one server.
pub(super) struct Reading {
    reader: JoinHandle<()>,
    watcher: JoinHandle<()>,
    answered: watch::Receiver<Vec<Instant>>,
    received: watch::Receiver<Vec<Delivered>>,
    first: usize,
}

fn read_user(number: usize) -> String {
    format!("read{}", number % READ)
}

impl Reads {
    /// Makes the users, on a server that is not killed meanwhile.
    pub(super) async fn create(&self, api: &Api) {
        let row = |id: &str, profile: &str| {
            let user = json!({"id": id, "business_unit": "read"});
            json!({"user": user, "profile": profile})
        };
        let mut rows: Vec<_> = (0..READ).map(|at| row(&read_user(at), "")).collect();
        rows.push(row(VIEWER, PROFILE));
        api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    }

    /// Entries of the audit that were found.
    pub(super) fn audited(&self) -> usize {
        self.audited.len()
    }

    /// Deliveries that were found in the resolution log.
    pub(super) fn delivered(&self) -> usize {
        self.delivered.iter().map(Vec::len).sum()
    }

    /// Reads and watches until the server is gone.
    pub(super) fn begin(&self, api: Api, channel: Channel) -> Reading {
        let (first, client) = (self.asked, self.delivered.len());
        let (answers, answered) = watch::channel(Vec::new());
        let (messages, received) = watch::channel(Vec::new());
        let reader = tokio::spawn(async move {
            for number in first.. {
                if api.call("Explain", json!({"user": read_user(number)})).await.is_err() {
                    return;
                }
                answers.send_modify(|all: &mut Vec<Instant>| all.push(Instant::now()));
            }
        });
        let watcher = tokio::spawn(async move {
            let (user, client_id) = (VIEWER.to_owned(), client_id(client));
            let q = WatchProfileRequest { user, client_id, ..Default::default() };
            let Ok(stream) = AgentServiceClient::new(channel).watch_profile(q).await else {
                return;
            };
            let mut stream = stream.into_inner();
            while let Ok(Some(message)) = stream.message().await {
                let Some(Event::Snapshot(snapshot)) = message.event else { continue };
                let profile = snapshot.profile.unwrap();
                let sent = (profile.revision, profile.digest);
                messages.send_modify(|all: &mut Vec<Delivered>| all.push(sent));
            }
        });
        Reading { reader, watcher, answered, received, first }
    }

    /// Notes what was asked and received, once the server is gone.
    pub(super) async fn end(&mut self, reading: Reading) {
        let killed = Instant::now();
        reading.reader.await.unwrap();
        reading.watcher.await.unwrap();
        let answered = reading.answered.borrow().clone();
        let received = reading.received.borrow().clone();
        let first = reading.first;
        // One more may have been answered without an answer that arrived.
        self.asked = first + answered.len() + 1;
        self.last = Some(Ended { first, answered, received, killed });
    }

    /// Looks for what the last server logged.
    pub(super) async fn check(&mut self, api: &Api) {
        let Some(last) = self.last.take() else { return };
        self.check_audit(api, &last).await;
        let log = deliveries(api, self.delivered.len()).await;
        assert!(log.windows(2).all(|pair| pair[0].0 < pair[1].0), "not in order: {log:?}");
        assert!(log.windows(2).all(|pair| pair[0].1 != pair[1].1), "logged twice: {log:?}");
        let both = log.len().min(last.received.len());
        assert_eq!(log[..both], last.received[..both], "the log has other deliveries");
        self.lost += last.received.len() - both;
        self.delivered.push(log);
    }

    /// All that was found before is there again, and then the first reads of the last server.
    async fn check_audit(&mut self, api: &Api, last: &Ended) {
        // Those of the last server, and some of those before.
        let size = last.answered.len() + 50;
        let rows = newest(api, size).await;
        let known = self.audited.last();
        let fresh = rows.iter().map(entry).position(|entry| Some(&entry) == known);
        let fresh = fresh.unwrap_or(rows.len());
        let before: Vec<_> = rows[fresh..].iter().map(entry).collect();
        let expected: Vec<_> = self.audited.iter().rev().take(before.len()).cloned().collect();
        assert_eq!(before, expected, "what was there is there no more, or twice");
        assert!(before.len() == self.audited.len() || rows.len() >= size, "entries are gone");

        let found: Vec<_> = rows[..fresh].iter().rev().map(entry).collect();
        let about: Vec<_> = found.iter().map(|(_, user)| user.clone()).collect();
        let asked = last.first..=last.first + last.answered.len();
        let asked: Vec<_> = asked.map(|number| format!("users/{}", read_user(number))).collect();
        assert!(about.len() <= asked.len(), "{about:?} of {asked:?}");
        assert_eq!(about, asked[..about.len()], "not in order, or not whole");
        let old = |at: &&Instant| last.killed.duration_since(**at) > BOUND;
        let safe = last.answered.iter().filter(old).count();
        assert!(about.len() >= safe, "{} entries, of {safe} that are older", about.len());
        self.lost += last.answered.len().saturating_sub(about.len());
        self.audited.extend(found);
    }

    /// Looks for every entry that was found after one of the kills.
    pub(super) async fn check_all(&self, api: &Api) {
        let (mut found, mut token) = (Vec::new(), Value::from(""));
        loop {
            let q = json!({"operation": "Explain", "page_size": 1_000, "page_token": token});
            let page = api.ok("ListAuditEntries", q).await;
            found.extend(page["entries"].as_array().unwrap().iter().map(entry));
            token = page["next_page_token"].clone();
            if token == "" {
                break;
            }
        }
        found.reverse();
        assert_eq!(found, self.audited, "the audit is another one");
        for (client, expected) in self.delivered.iter().enumerate() {
            assert_eq!(&deliveries(api, client).await, expected, "of client {client}");
        }
    }
}

/// The client of a server, by how many there were before.
fn client_id(number: usize) -> String {
    format!("desk{number}")
}

/// Time and user of an entry of the audit, which is whole.
fn entry(row: &Value) -> Audited {
    assert_eq!(
        (&row["outcome"], &row["scope"]),
        (&json!("AUDIT_OUTCOME_ANSWERED"), &json!("ADMIN"))
    );
    assert_eq!(row["repeats"], 0, "{row}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&row["time"]), text(&row["resources"][0]))
}

/// What the resolution log has of a client, oldest first.
async fn deliveries(api: &Api, client: usize) -> Vec<Delivered> {
    let q = json!({"user": VIEWER, "client_id": client_id(client), "page_size": 1_000});
    let page = api.ok("ListResolutionLog", q).await;
    let rows = page["entries"].as_array().unwrap().iter().rev();
    let row = |row: &Value| {
        assert_eq!(row["profile"], PROFILE, "{row}");
        (row["revision"].as_i64().unwrap(), row["digest"].as_str().unwrap().to_owned())
    };
    rows.map(row).collect()
}

/// The newest audited reads, as many or a page more; fewer only when there are no more.
async fn newest(api: &Api, count: usize) -> Vec<Value> {
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let q = json!({"operation": "Explain", "page_size": 1_000, "page_token": token});
        let mut page = api.ok("ListAuditEntries", q).await;
        rows.append(page["entries"].as_array_mut().unwrap());
        token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
        if rows.len() >= count || token.is_empty() {
            return rows;
        }
    }
}
