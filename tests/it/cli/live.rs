//! Streams, repeated writes and the demo.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use deskplane_proto::v1::{
    Bookmark, BulkResolveRequest, BulkResolveResponse, Drain, GetSettingsRequest, InSync,
    OrganizationSettings, RenderSessionRequest, RenderSessionResponse, ReportProfileStatusRequest,
    ReportProfileStatusResponse, ResolveProfileRequest, ResolveProfileResponse,
    UpdateSettingsRequest, UpdateSettingsResponse, WatchProfileRequest, WatchProfileResponse,
    agent_service_server::{AgentService, AgentServiceServer},
    settings_service_server::{SettingsService, SettingsServiceServer},
    watch_profile_response::Event,
};
use futures_util::{
    StreamExt as _, future,
    stream::{self, Iter},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use super::{ALL, World, run};
use crate::process::PATIENCE;

/// Hands every line to a test as it is written.
struct Lines(mpsc::UnboundedSender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_watcher_sees_the_change() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let (sender, mut written) = mpsc::unbounded_channel();
    let mut out = Lines(sender);
    let url = world.url();
    let watching = run(&mut out, &url, &["watch", "john.doe", "-n", "2"]);
    let changing = async {
        let mut first = String::new();
        while !first.contains('\n') {
            first += &written.recv().await.unwrap();
        }
        let change = "kind: Profile\nuniqueName: contoso_rep\ndisplayName: New Name\n";
        assert_eq!(world.apply(change, &[]).await.code, 0);
        first
    };
    let ((code, err), mut lines) = tokio::join!(watching, changing);
    assert_eq!((code, err.as_str()), (0, ""));
    drop(out);
    while let Some(more) = written.recv().await {
        lines += &more;
    }
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].contains("  contoso_rep  d1:") && lines[0].contains("  INITIAL@"),
        "{lines:?}"
    );
    assert!(lines[1].contains("  PROFILE_CHANGED@"), "{lines:?}");
}

/// Drains the first stream, and keeps what every stream resumes from.
#[derive(Clone, Default)]
struct Draining(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl AgentService for Draining {
    type WatchProfileStream = Iter<std::vec::IntoIter<Result<WatchProfileResponse, Status>>>;

    async fn watch_profile(
        &self,
        request: Request<WatchProfileRequest>,
    ) -> Result<Response<Self::WatchProfileStream>, Status> {
        let mut seen = self.0.lock().unwrap();
        seen.push(request.into_inner().resume_token);
        let send = |event| Ok(WatchProfileResponse { event: Some(event) });
        let messages = if seen.len() == 1 {
            let bookmark = Bookmark { revision: 7, resume_token: "at 7".into() };
            let drain = Drain { reconnect_after: Some(Default::default()), deadline: None };
            let end = Err(Status::unavailable("drained"));
            vec![send(Event::Bookmark(bookmark)), send(Event::Drain(drain)), end]
        } else {
            let in_sync = InSync { revision: 7, digest: "d1:00".into(), ..Default::default() };
            vec![send(Event::InSync(in_sync))]
        };
        Ok(Response::new(stream::iter(messages)))
    }

    async fn resolve_profile(
        &self,
        _: Request<ResolveProfileRequest>,
    ) -> Result<Response<ResolveProfileResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn render_session(
        &self,
        _: Request<RenderSessionRequest>,
    ) -> Result<Response<RenderSessionResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn report_profile_status(
        &self,
        _: Request<ReportProfileStatusRequest>,
    ) -> Result<Response<ReportProfileStatusResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn bulk_resolve(
        &self,
        _: Request<BulkResolveRequest>,
    ) -> Result<Response<BulkResolveResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }
}

#[tokio::test]
async fn a_drained_watcher_comes_back_and_resumes() {
    let draining = Draining::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().add_service(AgentServiceServer::new(draining.clone()));
    let server = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let mut out = Vec::new();
    let (code, err) = run(&mut out, &url, &["watch", "john.doe", "-n", "3"]).await;
    server.abort();
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with("stream ended (drained); reconnecting in "), "{err}");
    let out = String::from_utf8(out).unwrap();
    let kinds: Vec<_> = out.lines().map(|l| l.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(kinds, ["bookmark", "drain", "in"], "{out}");
    assert_eq!(*draining.0.lock().unwrap(), ["", "at 7"]);
}

/// Where a connection through the proxy stops: what the server sends after the words stays behind.
const STOP_AFTER: &str = "t1";

/// Passes bytes between a client and a server. The first connection stops for good, both ways and
/// without an end, once the server has sent [`STOP_AFTER`].
async fn proxy(listener: TcpListener, server: std::net::SocketAddr) {
    let mut connections = Vec::new();
    for number in 0.. {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(server).await.unwrap();
        connections.push(tokio::spawn(async move {
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            let up = tokio::io::copy(&mut from_client, &mut to_server);
            let down = async {
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    let length = from_server.read(&mut buffer).await.unwrap();
                    if length == 0 {
                        return;
                    }
                    to_client.write_all(&buffer[..length]).await.unwrap();
                    let words = STOP_AFTER.as_bytes();
                    if number == 0 && buffer[..length].windows(words.len()).any(|w| w == words) {
                        return;
                    }
                }
            };
            tokio::select! {
                _ = up => {}
                () = down => {}
            }
            // Nothing is closed: the other ends see silence.
            future::pending::<()>().await;
        }));
    }
}

/// Says where a stream may resume, and then nothing.
#[derive(Clone, Default)]
struct Quiet(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl AgentService for Quiet {
    type WatchProfileStream = stream::BoxStream<'static, Result<WatchProfileResponse, Status>>;

    async fn watch_profile(
        &self,
        request: Request<WatchProfileRequest>,
    ) -> Result<Response<Self::WatchProfileStream>, Status> {
        self.0.lock().unwrap().push(request.into_inner().resume_token);
        let bookmark = Bookmark { revision: 7, resume_token: STOP_AFTER.into() };
        let first = Ok(WatchProfileResponse { event: Some(Event::Bookmark(bookmark)) });
        Ok(Response::new(stream::iter([first]).chain(stream::pending()).boxed()))
    }

    async fn resolve_profile(
        &self,
        _: Request<ResolveProfileRequest>,
    ) -> Result<Response<ResolveProfileResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn render_session(
        &self,
        _: Request<RenderSessionRequest>,
    ) -> Result<Response<RenderSessionResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn report_profile_status(
        &self,
        _: Request<ReportProfileStatusRequest>,
    ) -> Result<Response<ReportProfileStatusResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn bulk_resolve(
        &self,
        _: Request<BulkResolveRequest>,
    ) -> Result<Response<BulkResolveResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }
}

/// The first connection is dead and open; a stream that used it again would never say a word.
#[tokio::test]
async fn a_watcher_leaves_a_connection_that_stopped() {
    let quiet = Quiet::default();
    let (listener, front) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let (behind, before) = (listener.local_addr().unwrap(), front.local_addr().unwrap());
    let server = Server::builder().add_service(AgentServiceServer::new(quiet.clone()));
    let server = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let proxy = tokio::spawn(proxy(front, behind));
    let url = format!("http://{before}");
    let args = ["watch", "john.doe", "-n", "2", "--silence", "1"];
    let mut out = Vec::new();
    let watched = run(&mut out, &url, &args);
    let (code, err) = tokio::time::timeout(PATIENCE, watched).await.unwrap();
    proxy.abort();
    server.abort();
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with("stream ended (nothing came for 1s); reconnecting in "), "{err}");
    assert_eq!(*quiet.0.lock().unwrap(), ["", STOP_AFTER]);
}

/// Fails the first write, and keeps the request id of every one.
#[derive(Clone, Default)]
struct Flaky(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl SettingsService for Flaky {
    async fn get_settings(
        &self,
        _: Request<GetSettingsRequest>,
    ) -> Result<Response<OrganizationSettings>, Status> {
        Ok(Response::new(OrganizationSettings::default()))
    }

    async fn update_settings(
        &self,
        request: Request<UpdateSettingsRequest>,
    ) -> Result<Response<UpdateSettingsResponse>, Status> {
        let mut seen = self.0.lock().unwrap();
        seen.push(request.into_inner().request_id);
        if seen.len() == 1 {
            return Err(Status::unavailable("not now"));
        }
        Ok(Response::new(UpdateSettingsResponse::default()))
    }
}

#[tokio::test]
async fn a_write_that_was_not_answered_is_sent_again_with_its_id() {
    let flaky = Flaky::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().add_service(SettingsServiceServer::new(flaky.clone()));
    let server = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    fs::write(&file, "kind: Settings\ncopilotOptIn: false\n").unwrap();
    let (code, err) = run(&mut Vec::new(), &url, &["apply", "-f", file.to_str().unwrap()]).await;
    server.abort();
    assert_eq!(code, 0, "{err}");
    let seen = flaky.0.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].len(), 36);
}

#[tokio::test]
async fn the_demo_goes_as_documented() {
    let mut out = Vec::new();
    let args = ["demo", "--once", "--listen", "127.0.0.1:0"];
    let (code, err) = run(&mut out, "http://unused", &args).await;
    let out = String::from_utf8(out).unwrap();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for part in ["datum_rep", "WORSE_RANK", "ASSIGNMENT_CHANGED@", "grpcurl -plaintext 127.0.0.1:"]
    {
        assert!(out.contains(part), "{part} is not in {out}");
    }
    let folder = out.lines().next().unwrap().split(' ').next_back().unwrap().trim_end_matches('.');
    assert!(!Path::new(folder).exists(), "{folder} is still there");
}

#[tokio::test]
async fn the_demo_listens_on_this_machine_only() {
    let (code, err) =
        run(&mut Vec::new(), "http://unused", &["demo", "--listen", "0.0.0.0:0"]).await;
    assert_eq!((code, err.as_str()), (2, "0.0.0.0:0 is no loopback address\n"));
}
