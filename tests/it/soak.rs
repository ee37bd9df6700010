//! A server under steady load for long: no stream misses a change, and neither memory nor disk
//! grows.
//!
//! Users are spread over profiles, and each user is watched by one stream. Writers change profiles
//! and move users between them, and know at which revision everything became what it is. So for
//! every snapshot it is known what it must hold, and for every write which streams owe an answer.

mod measure;
pub(crate) mod world;

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deskplane_proto::v1::{
    ResolveProfileRequest, WatchProfileRequest, agent_service_client::AgentServiceClient,
    profile_service_client::ProfileServiceClient,
};
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tonic::{body::Body, client::GrpcService, transport::Channel};
use tower::BoxError;

use self::{
    measure::Measured,
    world::{LANES, World},
};
use crate::process::Process;

/// Streams of one connection.
const PER_CONNECTION: usize = 100;
/// A change is late when its stream has not received it after this time: 250 ms of gathering, the
/// rest for machines that do much else.
const LATE: Duration = Duration::from_secs(5);
/// Sizes of the store, in MiB, small enough to go round many times.
const SEGMENT_MIB: u64 = 1;
const CHECKPOINT_MIB: u64 = 4;
/// What the folder may hold beside its live data: the journal goes back to the older of two
/// checkpoints, with a segment that is cut in two by it, one that is being filled, and what is
/// written while a checkpoint is made.
const FLOOR: u64 = (2 * CHECKPOINT_MIB + 3 * SEGMENT_MIB) << 20;
/// Bytes of a checkpoint or history file before its blocks.
const CHECKPOINT_HEADER: usize = 56;
/// The index comes to the memory that it keeps only after a while.
const CACHE: u64 = 64 << 20;

/// How much, and for how long.
#[derive(Debug)]
struct Plan {
    time: Duration,
    streams: usize,
    /// Writes a second.
    writes: u32,
    /// Whether it is long enough to say how memory grows in an hour.
    long: bool,
}

impl Plan {
    /// Two minutes; the release set with `DESKPLANE_SOAK_MINUTES`.
    fn new() -> Self {
        let Ok(minutes) = env::var("DESKPLANE_SOAK_MINUTES") else {
            let time = Duration::from_secs(120);
            return Self { time, streams: 1_000, writes: 50, long: false };
        };
        let minutes: u64 = minutes.parse().expect("DESKPLANE_SOAK_MINUTES is a number of minutes");
        let time = Duration::from_secs(minutes * 60);
        Self { time, streams: 10_000, writes: 200, long: minutes >= 30 }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes: a stage of its own in .ci/run; its commands are in docs/operations.md"]
async fn a_server_under_load_misses_nothing_and_does_not_grow() {
    let plan = Plan::new();
    let folder = tempfile::tempdir().unwrap();
    let (segment, checkpoint) = (SEGMENT_MIB.to_string(), CHECKPOINT_MIB.to_string());
    let settings = [
        ("LOG", "info"),
        ("STORE__SEGMENT_MIB", segment.as_str()),
        ("STORE__CHECKPOINT_MIB", checkpoint.as_str()),
        ("STORE__KEEP_RECORDS", "5000"),
        // No stream ends because of its age while it is watched.
        ("WATCH__MAX_AGE_MIN", "1440"),
        ("LIMITS__CONNECTION_AGE_MIN", "2880"),
    ];
    let process = Process::spawn(folder.path(), &settings);
    let channel = process.connect().await;
    let world = Arc::new(World::new(plan.streams));
    world.make(channel.clone()).await;
    let watchers = watch_all(&world, PER_CONNECTION, || process.connect()).await;

    let until = Instant::now() + plan.time;
    let writers: Vec<_> = (0..LANES)
        .map(|lane| {
            tokio::spawn(write(Arc::clone(&world), channel.clone(), lane, until, plan.writes))
        })
        .collect();
    let mut measured = Measured::default();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    while Instant::now() < until {
        seconds.tick().await;
        world.audit(LATE);
        measured.sample(process.id(), folder.path());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let end = Instant::now();
    while world.owed() > 0 {
        assert!(end.elapsed() < LATE, "{} deliveries are owed at the end", world.owed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.audit(LATE);
    let open = watchers.iter().filter(|watcher| !watcher.is_finished()).count();
    assert_eq!(open, plan.streams, "streams are open");
    compare(&world, channel).await;
    for watcher in watchers {
        watcher.abort();
    }

    assert!(process.end().success(), "no clean end");
    let live = live(folder.path());
    println!("{}; {world}; {}", describe(&plan), measured.describe(live, FLOOR));
    let (writes, wanted) = (world.written(), plan.time.as_secs() * u64::from(plan.writes));
    assert!(writes * 2 > wanted, "only {writes} of {wanted} writes");
    let most = 4 * live + FLOOR;
    assert!(measured.most_disk() < most, "the folder had {} bytes", measured.most_disk());
    if plan.long {
        assert!(measured.hourly() < 0.01, "memory grows by {:.4} an hour", measured.hourly());
    } else {
        let growth = measured.growth();
        assert!(growth < CACHE as f64, "memory grew by {growth} bytes");
    }
}

fn describe(plan: &Plan) -> String {
    let (streams, seconds) = (plan.streams, plan.time.as_secs());
    format!("{streams} streams, {} connections, {seconds} s", streams.div_ceil(PER_CONNECTION))
}

/// Opens a stream for each user, so many on one connection.
pub(crate) async fn watch_all<S>(
    world: &Arc<World>,
    per_connection: usize,
    connect: impl AsyncFn() -> S,
) -> Vec<JoinHandle<()>>
where
    S: GrpcService<Body, Error: Into<BoxError>>,
    S::ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    let (mut watchers, mut client) = (Vec::new(), None);
    for at in 0..world.users() {
        if at % per_connection == 0 {
            client = Some(AgentServiceClient::new(connect().await));
        }
        let client = client.as_mut().unwrap();
        let request = WatchProfileRequest { user: World::user(at), ..Default::default() };
        let mut stream = client.watch_profile(request).await.unwrap().into_inner();
        let world = Arc::clone(world);
        watchers.push(tokio::spawn(async move {
            loop {
                match stream.message().await {
                    Ok(Some(message)) => world.received(at, message.event),
                    Ok(None) => return world.fault(at, "ended without a reason".to_owned()),
                    Err(status) => return world.fault(at, format!("ended: {status}")),
                }
            }
        }));
    }
    watchers
}

/// Writes at a steady rate, two at a time, half of those to one profile: that is what gathering is
/// for.
async fn write(world: Arc<World>, channel: Channel, lane: usize, until: Instant, writes: u32) {
    let mut profiles = ProfileServiceClient::new(channel);
    let mut random = fastrand::Rng::with_seed(lane as u64);
    let pause = Duration::from_secs(2 * LANES as u64) / writes;
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        ticks.tick().await;
        let group = world.group_of(lane, &mut random);
        world.change(&mut profiles, lane, group).await;
        if random.bool() {
            world.change(&mut profiles, lane, group).await;
        } else {
            world.move_one(&mut profiles, lane, &mut random).await;
        }
    }
}

/// Every stream holds what ResolveProfile answers for its user.
pub(crate) async fn compare(world: &World, channel: Channel) {
    let mut client = AgentServiceClient::new(channel);
    for at in 0..world.users() {
        let request = ResolveProfileRequest { user: World::user(at), ..Default::default() };
        let answer = client.resolve_profile(request).await.unwrap().into_inner();
        let profile = answer.profile.unwrap();
        assert_eq!(world.digest(at), profile.digest, "the stream of {} is stale", World::user(at));
    }
}

/// Bytes of what is stored: keys and values in the newest checkpoint and in history files, each with
/// its length.
fn live(folder: &std::path::Path) -> u64 {
    let list = |part: &str| {
        let entries = fs::read_dir(folder.join(part)).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension() != Some("tmp".as_ref()))
    };
    list("checkpoint").max().into_iter().chain(list("history")).map(|path| entries(&path)).sum()
}

/// Bytes of the entries of a file.
fn entries(path: &std::path::Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut live) = (CHECKPOINT_HEADER, 0);
    // Length and sum of a block; length of its first key, the key, length of what was packed.
    while number(at) > 0 {
        let key = number(at + 8) as usize;
        live += u64::from(number(at + 12 + key));
        at += 8 + number(at) as usize;
    }
    live
}
