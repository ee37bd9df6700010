//! Writes as fast as they go, while streams watch what they change and some clients do not read:
//! no stream that reads misses anything, whatever is gathered or skipped on the way.
//!
//! The soak has the same at a steady rate, for long. Here writers wait for nothing but their answers.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use deskplane_proto::v1::{
    WatchProfileRequest, WatchProfileResponse, agent_service_client::AgentServiceClient,
    profile_service_client::ProfileServiceClient,
};
use futures_util::future::join_all;
use http::Request;
use tokio::task::JoinHandle;
use tonic::{
    Streaming,
    body::Body,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tonic_web::{GrpcWebCall, GrpcWebClientLayer};
use tower::ServiceBuilder;

use crate::{
    process::Process,
    soak::{
        compare, watch_all,
        world::{LANES, World},
    },
    tls::files::Files,
};

/// Longest that a delivery may take. How soon they come is for the soak to say; here all cores have
/// more to do than they can.
const LATE: Duration = Duration::from_secs(30);
/// One client in so many does not read.
const ONE_DEAF_IN: usize = 100;
/// The window of such a client: less than a first snapshot has.
const WINDOW: u32 = 1_000;

#[derive(Debug, Clone, Copy)]
struct Size {
    streams: usize,
    connections: usize,
    writes: usize,
}

const SMALL: Size = Size { streams: 320, connections: 10, writes: 400 };
const LARGE: Size = Size { streams: 10_000, connections: 100, writes: 20_000 };

/// How the streams reach the server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// HTTP/2 in clear text.
    Plain,
    /// HTTP/2 over TLS, the writers as well.
    Tls,
    /// gRPC-Web over HTTP/2 in clear text.
    Web,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stream_misses_a_write_however_fast_they_come() {
    for way in [Way::Plain, Way::Tls, Way::Web] {
        storm(way, SMALL).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the release set; its command is in docs/operations.md"]
async fn none_of_ten_thousand_streams_misses_a_write() {
    for way in [Way::Plain, Way::Tls, Way::Web] {
        storm(way, LARGE).await;
    }
}

/// The program, and how it is reached.
struct Target {
    process: Process,
    files: Files,
    way: Way,
}

impl Target {
    fn start(way: Way, folder: &Path) -> Self {
        let files = Files::new();
        let (certificate, key) = (files.at("server.certificate"), files.at("server.key"));
        let mut settings = vec![("WATCH__STALLED_S", "1")];
        if way == Way::Tls {
            settings.push(("TLS__CERTIFICATE", certificate.to_str().unwrap()));
            settings.push(("TLS__KEY", key.to_str().unwrap()));
        }
        let process = Process::spawn(&folder.join("data"), &settings);
        Self { process, files, way }
    }

    fn endpoint(&self) -> Endpoint {
        let address = self.process.address();
        match self.way {
            Way::Plain | Way::Web => Endpoint::from_shared(format!("http://{address}")).unwrap(),
            Way::Tls => {
                let tls = ClientTlsConfig::new()
                    .domain_name("localhost")
                    .ca_certificate(Certificate::from_pem(self.files.authority.pem()));
                let uri = format!("https://localhost:{}", address.port());
                Endpoint::from_shared(uri).unwrap().tls_config(tls).unwrap()
            }
        }
    }

    async fn connect(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    /// Opens the streams, so many on one connection.
    async fn watch_all(&self, world: &Arc<World>, per_connection: usize) -> Vec<JoinHandle<()>> {
        match self.way {
            Way::Plain | Way::Tls => watch_all(world, per_connection, || self.connect()).await,
            Way::Web => {
                let connect = async || {
                    ServiceBuilder::new()
                        .layer(GrpcWebClientLayer::new())
                        .map_request(|call: Request<GrpcWebCall<Body>>| call.map(Body::new))
                        .service(self.connect().await)
                };
                watch_all(world, per_connection, connect).await
            }
        }
    }
}

async fn storm(way: Way, size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::start(way, folder.path());
    let channel = target.connect().await;
    let world = Arc::new(World::new(size.streams));
    world.make(channel.clone()).await;
    let per_connection = size.streams.div_ceil(size.connections);
    let watchers = target.watch_all(&world, per_connection).await;
    let deaf = watch_deaf(&target, size.streams).await;

    let begun = Instant::now();
    let lanes = (0..LANES).map(|lane| {
        tokio::spawn(write(Arc::clone(&world), channel.clone(), lane, size.writes / LANES))
    });
    for lane in join_all(lanes).await {
        lane.unwrap();
    }
    let wrote = begun.elapsed();
    let end = Instant::now();
    while world.owed() > 0 {
        assert!(end.elapsed() < LATE, "{} deliveries are owed at the end", world.owed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let all_there = end.elapsed();
    world.audit(LATE);
    let open = watchers.iter().filter(|watcher| !watcher.is_finished()).count();
    assert_eq!(open, size.streams, "streams are open");
    compare(&world, channel).await;
    let rate = world.written() as f64 / wrote.as_secs_f64();
    println!(
        "{way:?}: {} streams on {} connections, {} deaf; {rate:.0} writes a second for {wrote:.1?}; all there \
         {all_there:.0?} after the last one; {world}",
        size.streams,
        size.connections,
        deaf.len(),
    );
    for watcher in watchers {
        watcher.abort();
    }
    drop(deaf);
    assert!(target.process.end().success(), "no clean end");
}

/// Streams for some of the users, beside those that read, which nobody reads.
async fn watch_deaf(target: &Target, users: usize) -> Vec<Streaming<WatchProfileResponse>> {
    let endpoint = target.endpoint().initial_stream_window_size(WINDOW);
    let mut client = AgentServiceClient::new(endpoint.connect().await.unwrap());
    let mut streams = Vec::new();
    for at in (0..users).step_by(ONE_DEAF_IN) {
        let (user, client_id) = (World::user(at), "deaf".to_owned());
        let request = WatchProfileRequest { user, client_id, ..Default::default() };
        streams.push(client.watch_profile(request).await.unwrap().into_inner());
    }
    streams
}

/// So many writes of a lane, one after another.
async fn write(world: Arc<World>, channel: Channel, lane: usize, writes: usize) {
    let mut profiles = ProfileServiceClient::new(channel);
    let mut random = fastrand::Rng::with_seed(lane as u64);
    for _ in 0..writes {
        match random.u8(..4) {
            0 => world.move_one(&mut profiles, lane, &mut random).await,
            _ => {
                let group = world.group_of(lane, &mut random);
                world.change(&mut profiles, lane, group).await;
            }
        }
    }
}
