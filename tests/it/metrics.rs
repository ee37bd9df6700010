//! What a server answers probes and collectors of metrics, and how a store that fills up or rots is
//! seen from outside.

mod hostile;
mod packaged;

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deskplane::{
    live,
    server::Monitor,
    store::{
        Condition, Durable, HistoryQuery, Store,
        durable::{Host, Settings},
        io::{Disk, File, Io},
    },
    tasks::{OnPanic, Tasks},
};
use deskplane_proto::v1::watch_profile_response::Event;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::{
    api::{Api, reason},
    process::Process,
    server::{As, Running},
};

/// Free bytes below which the stores here take no writes.
const RESERVE: u64 = 1 << 30;

/// The disk of the machine, which says it has as much room as the test wants.
#[derive(Debug, Clone)]
struct Room {
    free: Arc<AtomicU64>,
}

impl Io for Room {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.make_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        Disk.list(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Disk.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Disk.create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.sync_dir(dir)
    }

    fn free_space(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::SeqCst))
    }
}

/// A server with a store on a disk of any size, and what it answers.
struct World {
    server: Running,
    store: Arc<Durable>,
    free: Arc<AtomicU64>,
    folder: tempfile::TempDir,
    monitor: SocketAddr,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = Arc::new(AtomicU64::new(RESERVE * 2));
        let (monitor, address) = monitor().await;
        let io = Arc::new(Room { free: Arc::clone(&free) });
        let host = Host { io, meters: monitor.meters() };
        let settings = Settings { min_free_bytes: RESERVE, ..Settings::default() };
        let store = Arc::new(Durable::open_on(host, folder.path(), settings).await.unwrap());
        // Long enough that the test ends the drain.
        let watch =
            live::Settings { drain_window: Duration::from_secs(20), ..live::Settings::default() };
        let served: Arc<dyn Store> = Arc::<Durable>::clone(&store);
        let server = Running::monitored(served, watch, Some(monitor)).await;
        let world = Self { server, store, free, folder, monitor: address };
        // The listener is there before the server is ready.
        world.writes(ServingStatus::Serving).await;
        world
    }

    fn get(&self, path: &str) -> (u16, String) {
        get(self.monitor, "GET", path)
    }

    fn ready(&self) -> (u16, Value) {
        let (status, body) = self.get("/readyz");
        (status, serde_json::from_str(&body).unwrap())
    }

    fn figures(&self) -> BTreeMap<String, f64> {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        figures(&text)
    }

    async fn health(&self, service: &str) -> ServingStatus {
        let mut client = HealthClient::new(self.server.channel(As::default()));
        let q = HealthCheckRequest { service: service.to_owned() };
        client.check(q).await.unwrap().into_inner().status()
    }

    /// Waits until health says so: it follows the store.
    async fn writes(&self, expected: ServingStatus) {
        let mut client = HealthClient::new(self.server.channel(As::default()));
        let q = HealthCheckRequest { service: "deskplane.v1.writes".to_owned() };
        let mut stream = client.watch(q).await.unwrap().into_inner();
        while stream.message().await.unwrap().unwrap().status() != expected {}
    }
}

async fn monitor() -> (Monitor, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (Monitor::start(listener, &Tasks::default()).unwrap(), address)
}

/// Status and body of an answer.
fn get(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The samples of an exposition by name and labels; each has its help and its type.
fn figures(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let base = name.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(base, |base, end| base.strip_suffix(end).unwrap_or(base));
            for word in ["HELP", "TYPE"] {
                assert!(text.contains(&format!("# {word} {base} ")), "{base} has no {word}");
            }
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_have_stable_names_and_right_values() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    for user in ["ann", "bob", "cat"] {
        api.ok("UpsertUser", json!({"user": {"id": user}})).await;
    }
    let mut watcher = api.watch("ann").await;
    watcher.snapshot().await;
    world.store.verify_once().await.unwrap();
    world.store.load().await.unwrap();
    let (figures, revision) = (world.figures(), api.revision().await as f64);
    let is = |name: &str, value: f64| assert_eq!(figures.get(name), Some(&value), "{name}");
    is("deskplane_revision", revision);
    is("deskplane_watch_streams", 1.0);
    is("deskplane_voice_calls_live", 0.0);
    is("deskplane_voice_streams", 0.0);
    is("deskplane_voice_webhooks_refused_total", 0.0);
    is("deskplane_connections", 1.0);
    is("deskplane_accept_errors_total", 0.0);
    is("deskplane_monitor_accept_errors_total", 0.0);
    is("deskplane_store_read_only", 0.0);
    is("deskplane_store_damaged", 0.0);
    is("deskplane_store_free_bytes", (RESERVE * 2) as f64);
    is("deskplane_store_index_lag_revisions", 0.0);
    // The built-in content is the first write.
    is("deskplane_store_commits_total", 4.0);
    is("deskplane_store_commit_seconds_count", 4.0);
    is("deskplane_store_commit_seconds_bucket{le=\"+Inf\"}", 4.0);
    is("deskplane_store_group_records_sum", revision);
    is("deskplane_store_checkpoint_seconds_count", 0.0);
    is("deskplane_content_cache_entries", 1.0);
    is("deskplane_tasks{task=\"deskplane-probes\"}", 1.0);
    is("deskplane_trace_spans_total{outcome=\"exported\"}", 0.0);
    assert!(figures["deskplane_content_cache_misses_total"] >= 1.0);
    assert!(figures["deskplane_content_cache_bytes"] > 100.0);
    assert!(figures["deskplane_store_verified_bytes_total"] > 1_000.0);
    // The hub compares streams with each commit soon after.
    while world.figures()["deskplane_propagation_seconds_count"] < 3.0 {
        tokio::task::yield_now().await;
    }
    assert!(figures.contains_key("deskplane_store_journal_bytes"));
    drop((api, watcher));
    world.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_of_streams_are_counted_by_kind_and_reason() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    for user in ["ann", "bob"] {
        api.ok("UpsertUser", json!({"user": {"id": user}})).await;
    }
    let (mut ann, mut bob) = (api.watch("ann").await, api.watch("bob").await);
    let service = Api::of(&world.server, As::new(None, Some("service")));
    let mut calls = service.stream("WatchCalls", json!({"user": "ann"})).await;
    calls.next().await.unwrap();
    for watcher in [&mut ann, &mut bob] {
        watcher.snapshot().await;
    }
    api.ok("DeleteUser", json!({"name": "ann"})).await;
    let ends = [ann.next().await.map(|_| ()), calls.next().await.map(|_| ())];
    for end in ends {
        assert_eq!(reason(&end.unwrap_err()), "USER_DELETED");
    }
    // A client that leaves is no end of the server's.
    drop(bob);
    let figures = world.figures();
    for stream in ["profile", "calls"] {
        let of = |reason: &str| {
            let name = "deskplane_stream_ends_total";
            figures[&format!("{name}{{stream=\"{stream}\",reason=\"{reason}\"}}")]
        };
        assert_eq!((of("USER_DELETED"), of("SLOW_CONSUMER")), (1.0, 0.0), "{stream}");
    }
    drop((api, service, ann, calls));
    world.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_by_method_and_code_and_denials_by_reason() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    for _ in 0..3 {
        api.ok("ResolveProfile", json!({"user": "ann"})).await;
    }
    let missing = api.refused("ResolveProfile", json!({"user": "nobody"})).await;
    assert_eq!(missing, (Code::NotFound, "USER_NOT_FOUND".into()));
    let reader = Api::of(&world.server, As::new(None, Some("reader")));
    let agent = Api::of(&world.server, As::new(Some("ann"), Some("agent")));
    let write = json!({"user": {"id": "bob"}});
    assert_eq!(reader.refused("UpsertUser", write).await.1, "SCOPE_REQUIRED");
    assert_eq!(agent.refused("ResolveProfile", json!({"user": "bob"})).await.1, "SELF_ONLY");
    let mut watcher = api.watch("ann").await;
    watcher.snapshot().await;
    api.ok("DeleteUser", json!({"name": "ann"})).await;
    assert_eq!(reason(&watcher.next().await.unwrap_err()), "USER_DELETED");
    let figures = world.figures();
    let of = |service: &str, method: &str, code: &str| {
        let labels = format!("service=\"{service}\",method=\"{method}\",code=\"{code}\"");
        figures[&format!("deskplane_rpc_total{{{labels}}}")]
    };
    assert_eq!(of("AgentService", "ResolveProfile", "OK"), 3.0);
    assert_eq!(of("AgentService", "ResolveProfile", "NOT_FOUND"), 1.0);
    assert_eq!(of("AgentService", "ResolveProfile", "PERMISSION_DENIED"), 1.0);
    assert_eq!(of("DirectoryService", "UpsertUser", "OK"), 1.0);
    assert_eq!(of("DirectoryService", "UpsertUser", "PERMISSION_DENIED"), 1.0);
    assert_eq!(of("AgentService", "WatchProfile", "OK"), 0.0);
    assert_eq!(of("AgentService", "WatchProfile", "NOT_FOUND"), 1.0, "the stream ended so");
    for (reason, count) in [("SCOPE_REQUIRED", 1.0), ("SELF_ONLY", 1.0), ("ORIGIN_REFUSED", 0.0)] {
        let name = format!("deskplane_rpc_denied_total{{reason=\"{reason}\"}}");
        assert_eq!(figures[&name], count, "{reason}");
    }
    for (scope, count) in [("READER", 1.0), ("AGENT", 1.0), ("ADMIN", 0.0), ("NONE", 0.0)] {
        let name = format!("deskplane_scope_denied_total{{scope=\"{scope}\"}}");
        assert_eq!(figures[&name], count, "{scope}");
    }
    let hits = "deskplane_content_cache_hits_total";
    assert!(figures[hits] >= 3.0, "{}", figures[hits]);
    let resolved = "service=\"AgentService\",method=\"ResolveProfile\"";
    assert_eq!(figures[&format!("deskplane_rpc_seconds_count{{{resolved}}}")], 5.0);
    drop((api, reader, agent, watcher));
    world.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_no_writes_and_everything_else_goes_on() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    let user = |name: &str| json!({"user": {"id": "ann", "display_name": name}});
    api.ok("UpsertUser", user("Ann")).await;
    let mut watcher = api.watch("ann").await;
    watcher.snapshot().await;
    assert_eq!(world.health("deskplane.v1.writes").await, ServingStatus::Serving);
    assert_eq!(world.ready(), (200, json!({"ready": true, "writable": true, "damaged": null})));

    world.free.store(RESERVE - 1, Ordering::SeqCst);
    let refused = api.refused("UpsertUser", user("Anna")).await;
    assert_eq!(refused, (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()));
    world.writes(ServingStatus::NotServing).await;
    assert_eq!(world.health("").await, ServingStatus::Serving);
    assert_eq!(world.health("deskplane.v1.AgentService").await, ServingStatus::Serving);
    assert_eq!(world.ready(), (200, json!({"ready": true, "writable": false, "damaged": null})));
    let figures = world.figures();
    assert_eq!(figures["deskplane_store_read_only"], 1.0);
    assert_eq!(figures["deskplane_store_free_bytes"], (RESERVE - 1) as f64);
    let kept = api.ok("GetUser", json!({"name": "users/ann"})).await;
    assert_eq!(kept["display_name"], "Ann");
    api.ok("ResolveProfile", json!({"user": "ann"})).await;
    api.watch("ann").await.snapshot().await;

    world.free.store(RESERVE * 2, Ordering::SeqCst);
    api.ok("UpsertUser", user("Anna")).await;
    world.writes(ServingStatus::Serving).await;
    assert_eq!(world.figures()["deskplane_store_read_only"], 0.0);
    assert_eq!(world.ready().1["writable"], true);
    // The stream that was open all the time still gets what changes for it.
    let profile = json!({"unique_name": "contoso_desk", "display_name": "Desk"});
    api.ok("CreateProfile", json!({"profile": profile})).await;
    api.ok("AddUsers", json!({"name": "contoso_desk", "users": ["ann"]})).await;
    while !matches!(watcher.next().await.unwrap(), Event::Snapshot(_)) {}
    drop((api, watcher));
    world.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_reported_and_repaired_while_the_server_serves() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    // A first index that is still being built would read the damage, and be built no more.
    world.store.history(HistoryQuery::default()).await.unwrap();
    let journal = world.folder.path().join("journal");
    let segment = Disk.list(&journal).unwrap().into_iter().find(|path| path.is_file()).unwrap();
    let mut file = Disk.open(&segment).unwrap();
    let mut byte = [0];
    file.read_at(200, &mut byte).unwrap();
    file.write_at(200, &[byte[0] ^ 4]).unwrap();

    let mut condition = world.store.condition();
    let found = world.store.verify_once().await.unwrap();
    assert!(found[0].starts_with(&segment.display().to_string()), "{found:?}");
    assert!(found[0].contains(", byte 64:"), "{found:?}");
    let ready = world.ready();
    assert!(
        ready.0 == 200 && ready.1["damaged"].as_str().unwrap().starts_with(&found[0]),
        "{ready:?}"
    );
    assert_eq!(world.figures()["deskplane_store_damaged"], 1.0);
    let repaired = |condition: &Condition| {
        condition.damaged.as_ref().is_some_and(|text| text.contains("has taken its place"))
    };
    condition.wait_for(repaired).await.unwrap();
    api.ok("UpsertUser", json!({"user": {"id": "bob"}})).await;
    assert_eq!(world.store.verify_once().await.unwrap(), [""; 0]);
    assert_eq!(world.ready().1["damaged"], Value::Null);
    let figures = world.figures();
    assert_eq!(figures["deskplane_store_damaged"], 0.0);
    assert_eq!(figures["deskplane_store_checkpoint_seconds_count"], 1.0);
    drop(api);
    world.server.end().await;
    // As killed: the next start has the journal and the checkpoint.
    drop((condition, world.store));
    let unguarded = Settings { min_free_bytes: 0, ..Settings::default() };
    let store = Durable::open(world.folder.path(), unguarded).await.unwrap();
    let names: Vec<_> = store.load().await.unwrap().all().map(|o| o.name().to_owned()).collect();
    assert!(names.iter().any(|name| name == "ann") && names.iter().any(|name| name == "bob"));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_begins_with_the_server_and_ends_with_its_drain() {
    let (early, address) = monitor().await;
    let not_ready = json!({"ready": false, "writable": false, "damaged": null}).to_string();
    assert_eq!(get(address, "GET", "/readyz"), (503, not_ready.clone() + "\n"));
    assert_eq!(get(address, "GET", "/livez").0, 200);
    assert_eq!(get(address, "GET", "/metrics").0, 200);
    drop(early);

    let mut world = World::new().await;
    assert_eq!(world.ready().0, 200);
    assert_eq!(get(world.monitor, "HEAD", "/readyz"), (200, String::new()));
    assert_eq!(get(world.monitor, "POST", "/readyz").0, 405);
    assert_eq!(world.get("/").0, 404);
    let mut client = HealthClient::new(world.server.channel(As::default()));
    let q = HealthCheckRequest { service: "deskplane.v1.writes".to_owned() };
    let mut stream = client.watch(q).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    // A call that is not over holds up the end. Its channel is its own.
    let mut reflection = ServerReflectionClient::new(world.server.channel(As::default()));
    let open = reflection.server_reflection_info(stream::pending()).await.unwrap();
    world.server.stop();
    assert_eq!(stream.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let (status, body) = world.ready();
    assert_eq!((status, &body["ready"]), (503, &Value::Bool(false)));
    assert_eq!(world.get("/livez").0, 200);
    drop((stream, client, open, reflection));
    world.server.end().await;
}

#[test]
fn the_program_says_where_it_answers_for_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let process =
        Process::spawn(folder.path(), &[("LOG", "info"), ("METRICS_LISTEN", "127.0.0.1:0")]);
    process.address();
    let log = process.log();
    let monitor = log.iter().find_map(|line| line.split("monitor=").nth(1)).unwrap();
    let monitor: SocketAddr = monitor.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(get(monitor, "GET", "/livez").0, 200);
    assert!(get(monitor, "GET", "/metrics").1.contains("deskplane_store_commits_total"));
    process.kill();
}

#[tokio::test]
async fn panics_are_counted_by_the_name_of_the_task() {
    let (tasks, listener) = (Tasks::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let _monitor = Monitor::start(listener, &tasks).unwrap();
    let asked = async || {
        let asked = tokio::task::spawn_blocking(move || get(address, "GET", "/metrics"));
        figures(&asked.await.unwrap().1)
    };
    let series = |task| format!("deskplane_task_panics_total{{task=\"{task}\"}}");
    // Before the first panic there is a zero to compare it with.
    assert_eq!(asked().await[&series("deskplane-probes")], 0.0);
    for panics in [1.0, 2.0] {
        tasks.spawn("doomed", OnPanic::Report, async { panic!("of a test") }).await.unwrap_or(());
        assert_eq!(asked().await[&series("doomed")], panics);
    }
}
