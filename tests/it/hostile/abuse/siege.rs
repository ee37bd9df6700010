//! A server process that is abused, what that costs it, and how another client fares meanwhile.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deskplane_proto::v1::{
    ResolveProfileRequest, UpsertUserRequest, User, agent_service_client::AgentServiceClient,
    directory_service_client::DirectoryServiceClient,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::transport::Channel;

use crate::process::{PATIENCE, Process};

/// The user whom everybody asks for.
pub(super) const USER: &str = "agent.0";
/// By how much no abuse may let the server grow.
const GROWTH: u64 = 50 << 20;
/// Calls of the other client before anything happens.
const QUIET: usize = 300;
/// How many times its quiet time a call may take meanwhile, at the 99th percentile; and the time that
/// is never too long, for the machine does other things as well, and the abuser is one of them.
const SLOWER: u32 = 20;
const NEVER_LONG: Duration = Duration::from_millis(500);

/// A server under abuse.
#[derive(Debug)]
pub(super) struct Siege {
    process: Process,
    monitor: SocketAddr,
    channel: Channel,
    quiet: Times,
    /// Resident bytes before.
    before: u64,
    /// Connections before.
    connections: f64,
    _folder: tempfile::TempDir,
}

/// How long calls took.
#[derive(Debug, Clone, Copy)]
struct Times {
    calls: usize,
    p99: Duration,
    most: Duration,
}

impl Siege {
    /// Starts a server with these settings.
    pub(super) async fn lay(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all = [("LOG", "info"), ("METRICS_LISTEN", "127.0.0.1:0")];
        let all: Vec<_> = all.iter().chain(settings).copied().collect();
        let process = Process::spawn(folder.path(), &all);
        process.address();
        let line = process.says("monitor=");
        let monitor =
            line.split("monitor=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let monitor = monitor.parse().unwrap();
        let channel = process.connect().await;
        let user = User { id: USER.to_owned(), ..User::default() };
        let request = UpsertUserRequest { user: Some(user), ..UpsertUserRequest::default() };
        DirectoryServiceClient::new(channel.clone()).upsert_user(request).await.unwrap();
        let (quiet, before) = watch(channel.clone(), process.id(), |calls| calls >= QUIET).await;
        let connections = figures(monitor).await["deskplane_connections"];
        let before = before.max(resident(process.id()));
        Self { process, monitor, channel, quiet, before, connections, _folder: folder }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// A channel beside the abuse.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A connection of its own.
    pub(super) async fn connect(&self) -> Channel {
        self.process.connect().await
    }

    /// A figure of the server; what was never counted is 0.
    pub(super) async fn figure(&self, name: &str) -> f64 {
        figures(self.monitor).await.get(name).copied().unwrap_or(0.0)
    }

    /// Connections that a limit has closed so far.
    pub(super) async fn closed(&self, limit: &str) -> f64 {
        self.figure(&format!("deskplane_connections_closed_total{{limit=\"{limit}\"}}")).await
    }

    /// Waits until a figure is as wished.
    pub(super) async fn until(&self, name: &str, wished: impl Fn(f64) -> bool) {
        let since = Instant::now();
        loop {
            let figure = self.figure(name).await;
            if wished(figure) {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{name} stays at {figure}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets something happen while another client calls, and checks what that cost.
    pub(super) async fn during<T>(&self, what: &str, abuse: impl Future<Output = T>) -> T {
        let over = Arc::new(AtomicBool::new(false));
        let (begun, seen) = (Instant::now(), Arc::clone(&over));
        let beside =
            watch(self.channel(), self.process.id(), move |_| seen.load(Ordering::Relaxed));
        let beside = tokio::spawn(beside);
        let came = abuse.await;
        let took = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        let (times, most) = beside.await.unwrap();
        let Times { calls, p99, most: longest } = times;
        let grown = most.saturating_sub(self.before);
        println!(
            "{what}: {took:.1?}; memory {:.1} MiB, +{:.1}; {calls} calls beside, p99 {p99:.1?}, \
             most {longest:.1?} (quiet {:.1?}, {:.1?})",
            mib(self.before),
            mib(grown),
            self.quiet.p99,
            self.quiet.most,
        );
        assert!(grown < GROWTH, "{what}: the server grew by {:.1} MiB", mib(grown));
        let bound = NEVER_LONG.max(self.quiet.p99 * SLOWER);
        assert!(p99 < bound, "{what}: others waited {p99:?} at the 99th percentile");
        came
    }

    /// Everything is as before: the abuser is gone, and calls are answered; on a new connection, too.
    pub(super) async fn lift(self) {
        let before = self.connections;
        self.until("deskplane_connections", |now| now <= before).await;
        for channel in [self.channel(), self.connect().await] {
            resolve(&mut AgentServiceClient::new(channel)).await;
        }
        let grown = resident(self.process.id()).saturating_sub(self.before);
        assert!(grown < GROWTH, "{:.1} MiB are kept", mib(grown));
        drop(self.channel);
        assert!(self.process.end().success(), "no clean end");
    }
}

/// Calls one after another until it is enough; their times, and the most memory meanwhile.
async fn watch(channel: Channel, process: u32, enough: impl Fn(usize) -> bool) -> (Times, u64) {
    let (mut client, mut times, mut most) = (AgentServiceClient::new(channel), Vec::new(), 0);
    loop {
        let begun = Instant::now();
        resolve(&mut client).await;
        times.push(begun.elapsed());
        most = most.max(resident(process));
        if enough(times.len()) {
            break;
        }
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (Times { calls: times.len(), p99: at(0.99), most: at(1.0) }, most)
}

async fn resolve(client: &mut AgentServiceClient<Channel>) {
    let request = ResolveProfileRequest { user: USER.to_owned(), ..Default::default() };
    let answer = timeout(PATIENCE, client.resolve_profile(request)).await;
    answer.expect("another client has no answer").expect("another client is refused");
}

/// Resident bytes of a process; its pages have 4 KiB.
fn resident(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What the server shows a collector.
async fn figures(monitor: SocketAddr) -> BTreeMap<String, f64> {
    let mut stream = TcpStream::connect(monitor).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let samples = answer.lines().filter(|line| line.starts_with("deskplane_"));
    let samples = samples.filter_map(|line| line.rsplit_once(' '));
    samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}
