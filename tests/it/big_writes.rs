//! What big writes cost other callers over the wire: a part of the release set. The lines that it
//! prints are the figures to publish.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deskplane::store::{Durable, durable};
use deskplane_proto::v1::ResolveProfileRequest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{api::Api, server::Running};

mod change_control;

/// Users of the organisation; `DESKPLANE_BIG_USERS` takes another number.
const USERS: usize = 200_000;
/// Rows of one call of BatchUpsertUsers.
const ROWS: usize = 1_000;
/// Longest that a big write may take, as its caller sees it.
const BIG_MAX: Duration = Duration::from_millis(250);
/// Latencies of other calls meanwhile.
const READ_P99: Duration = Duration::from_millis(5);
const READ_MAX: Duration = Duration::from_millis(50);
const WRITE_P99: Duration = Duration::from_millis(300);

fn user(at: usize) -> String {
    format!("user{at:07}")
}

/// Latencies of calls of one kind while big writes go on: each call is due at a fixed time, and the wait
/// for its turn counts.
#[derive(Debug, Default)]
struct Latencies(Mutex<Vec<Duration>>);

impl Latencies {
    fn record(&self, due: Instant) {
        self.0.lock().unwrap().push(due.elapsed());
    }

    /// Number, 99th percentile and longest so far; starts again from none.
    fn take(&self) -> (usize, Duration, Duration) {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap());
        all.sort();
        let at = |share: usize| all.get(all.len().saturating_sub(1) * share / 100).copied();
        (all.len(), at(99).unwrap_or_default(), at(100).unwrap_or_default())
    }
}

/// How many users there are.
fn users() -> usize {
    std::env::var("DESKPLANE_BIG_USERS").map_or(USERS, |text| text.parse().expect("a number"))
}

/// How many of them are linked to a profile.
fn linked() -> usize {
    users() / 20 * 11
}

/// Some of the users are linked to a profile, and all get another one by the root of their role.
async fn fill(api: &Api) {
    for (name, root) in [("contoso_root", None), ("contoso_copy", Some("contoso_root"))] {
        let mut role = json!({"unique_name": name, "display_name": name});
        if let Some(root) = root {
            role["root_role"] = root.into();
        }
        api.ok("UpsertRole", json!({"role": role})).await;
    }
    let profile = json!({"unique_name": "contoso_linked", "display_name": "Linked"});
    api.ok("CreateProfile", json!({"profile": profile})).await;
    let ranked = json!({"unique_name": "contoso_ranked", "display_name": "Ranked"});
    api.ok("CreateProfile", json!({"profile": ranked})).await;
    let rank = json!({"name": "contoso_ranked", "rank": 1, "roles": ["contoso_root"]});
    api.ok("SetRankAndRoles", rank).await;
    for first in (0..users()).step_by(ROWS) {
        let row = |at: usize| {
            let mut row = json!({"user": {"id": user(at), "roles": ["contoso_copy"]}});
            if at < linked() {
                row["profile"] = "contoso_linked".into();
            }
            row
        };
        let rows: Vec<_> = (first..first + ROWS).map(row).collect();
        api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    }
}

/// Resolves the profile of a random user, over and over.
async fn read(server: Arc<Running>, latencies: Arc<Latencies>, end: Arc<AtomicBool>) {
    let (mut client, users) = (server.agents(), users());
    let mut random = fastrand::Rng::with_seed(1);
    let mut turns = interval(Duration::from_millis(2));
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !end.load(Ordering::Relaxed) {
        let due = turns.tick().await;
        let user = user(random.usize(..users));
        let request = ResolveProfileRequest { user, ..Default::default() };
        client.resolve_profile(request).await.unwrap();
        latencies.record(due);
    }
}

/// Changes the name of a random user, over and over.
async fn rename(api: Api, latencies: Arc<Latencies>, end: Arc<AtomicBool>) {
    let (mut random, users) = (fastrand::Rng::with_seed(2), users());
    let mut turns = interval(Duration::from_millis(20));
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !end.load(Ordering::Relaxed) {
        let due = turns.tick().await;
        let name = format!("Name {}", random.u64(..));
        let user = json!({"id": user(random.usize(..users)), "display_name": name});
        api.ok("UpsertUser", json!({"user": user})).await;
        latencies.record(due);
    }
}

/// A server with other callers, who read and write all the time.
struct Busy {
    /// Has the data folder, which goes with it.
    _folder: TempDir,
    server: Arc<Running>,
    api: Api,
    reads: Arc<Latencies>,
    writes: Arc<Latencies>,
    end: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Busy {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Durable::open(folder.path(), durable::Settings::default()).await.unwrap();
        let server = Arc::new(Running::over(Arc::new(store)).await);
        let api = Api::admin(&server);
        fill(&api).await;
        let end = Arc::new(AtomicBool::new(false));
        let (reads, writes) = (Arc::new(Latencies::default()), Arc::new(Latencies::default()));
        let mut tasks = vec![tokio::spawn(rename(api.clone(), writes.clone(), end.clone()))];
        let reader = || read(server.clone(), reads.clone(), end.clone());
        tasks.extend([(); 4].map(|()| tokio::spawn(reader())));
        Self { _folder: folder, server, api, reads, writes, end, tasks }
    }

    /// Prints what the calls took since the last report: the 99th percentile and the longest.
    fn report(&self, what: &str) -> ([Duration; 2], Duration) {
        let (count, read_99, read_max) = self.reads.take();
        let (others, write_99, write_max) = self.writes.take();
        println!(
            "beside {what}: {count} reads p99 {read_99:?} max {read_max:?}, \
             {others} writes p99 {write_99:?} max {write_max:?}"
        );
        ([read_99, read_max], write_99)
    }

    async fn stop(self) {
        self.end.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: part of the release set"]
async fn release_big_writes_hold_up_nobody_over_the_wire() {
    let busy = Busy::start().await;
    let api = busy.api.clone();
    others(&api).await;
    busy.report("before");

    let role = |name: &str, more: Value| {
        let mut role = json!({"name": name});
        for (key, value) in more.as_object().unwrap() {
            role[key] = value.clone();
        }
        json!({"role": role})
    };
    let forced = json!({"name": "contoso_linked", "force": true});
    let steps: [(&str, &str, Value, usize); 5] = [
        (
            "a role's display name",
            "UpsertRole",
            role("contoso_copy", json!({"display_name": "B"})),
            0,
        ),
        (
            "a root role's display name",
            "UpsertRole",
            role("contoso_root", json!({"display_name": "B"})),
            0,
        ),
        (
            "a root role's persona",
            "UpsertRole",
            role("contoso_root", json!({"persona": "PERSONA_AGENT"})),
            0,
        ),
        ("a profile with direct users", "DeleteProfile", forced, linked()),
        ("a role that all hold", "DeleteRole", json!({"name": "contoso_copy"}), users()),
    ];
    for (what, rpc, request, affected) in steps {
        let before = api.ok(rpc, dry(&request)).await["write"]["revision"].as_i64().unwrap();
        let start = Instant::now();
        let answer = api.ok(rpc, request).await;
        let took = start.elapsed();
        println!("{what}: {took:?}");
        assert!(answer["write"]["revision"].as_i64().unwrap() > before, "{what}");
        assert_eq!(answer["write"]["affected"]["total_count"], affected, "{what}");
        assert!(took <= BIG_MAX, "{what} took {took:?}");
        // What follows the write is part of what it costs others.
        others(&api).await;
        let ([read_99, read_max], write_99) = busy.report(what);
        assert!(read_99 <= READ_P99, "reads beside {what}: p99 {read_99:?}");
        assert!(read_max <= READ_MAX, "reads beside {what}: longest {read_max:?}");
        assert!(write_99 <= WRITE_P99, "writes beside {what}: p99 {write_99:?}");
    }
    let holders = api.ok("ListUsers", json!({"filter": "roles = \"contoso_copy\""})).await;
    assert_eq!(holders["users"], json!([]));
    busy.stop().await;
}

/// The request as a question.
fn dry(request: &Value) -> Value {
    let mut dry = request.clone();
    dry["validate_only"] = true.into();
    dry
}

/// A hundred small writes, one after the other.
async fn others(api: &Api) {
    for at in 0..100 {
        let role = json!({"unique_name": "contoso_other", "display_name": format!("Other {at}")});
        api.ok("UpsertRole", json!({"role": role})).await;
    }
}
