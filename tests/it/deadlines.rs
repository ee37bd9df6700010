//! Deadlines that callers send, over the wire. The client has no timer of its own, as those of
//! libraries do: what ends a call here is the server.

use std::{sync::Arc, time::Duration};

use deskplane::store::{
    Batch, ChangeStream, Commit, Condition, Header, HistoryQuery, Identity, Loaded, Log, Memory,
    Page, Record, RequestKey, Result, Revision, States, Store,
};
use deskplane_proto::v1::{
    GetSettingsRequest, OrganizationSettings, UpdateSettingsRequest, UpdateSettingsResponse,
    UpsertUserRequest, UpsertUserResponse, User, WatchProfileRequest,
};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::{Message, bytes::Bytes};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::server::Running;

/// Longest that a test waits for anything.
const LONG: Duration = Duration::from_secs(30);

/// A store whose commits wait while a test says so.
#[derive(Debug)]
struct Held {
    inner: Memory,
    held: watch::Sender<bool>,
}

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: Memory::new(), held: watch::Sender::new(false) })
    }
}

#[tonic::async_trait]
impl Store for Held {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn load(&self) -> Result<Loaded> {
        self.inner.load().await
    }

    fn attach(&self, states: Arc<dyn States>) {
        self.inner.attach(states);
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        self.inner.commit(batch).await
    }

    async fn changes(&self, after: Revision) -> Result<ChangeStream> {
        self.inner.changes(after).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Page<Record>> {
        self.inner.history(query).await
    }

    async fn record(&self, revision: Revision) -> Result<Option<Record>> {
        self.inner.record(revision).await
    }

    async fn request(&self, key: RequestKey, until: Revision) -> Result<Option<Header>> {
        self.inner.request(key, until).await
    }

    async fn linearize(&self) -> Result<Revision> {
        self.inner.linearize().await
    }

    fn log(&self) -> Arc<dyn Log> {
        self.inner.log()
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.inner.condition()
    }
}

/// One HTTP/2 connection.
struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn new(server: &Running) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (send, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(send)
    }

    /// Calls, and waits for the end of the answer: its message frames, and its status.
    async fn call(
        &mut self,
        path: &str,
        message: &impl Message,
        deadline: Option<&str>,
    ) -> (Bytes, Status) {
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let body = [&[0][..], &length, &message].concat();
        let mut request = http::Request::post(format!("http://localhost/deskplane.v1.{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(deadline) = deadline {
            request = request.header("grpc-timeout", deadline);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let answer = timeout(LONG, self.0.send_request(request)).await.unwrap().unwrap();
        let (head, body) = answer.into_parts();
        let body = timeout(LONG, body.collect()).await.unwrap().unwrap();
        let trailers = body.trailers().cloned().unwrap_or(head.headers);
        (body.to_bytes(), Status::from_header_map(&trailers).unwrap())
    }

    /// The same for a call that is accepted.
    async fn answer<M: Message + Default>(&mut self, path: &str, message: &impl Message) -> M {
        let (frames, status) = self.call(path, message, None).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        M::decode(frames.slice(5..)).unwrap()
    }
}

#[track_caller]
fn assert_exceeded(status: &Status, outcome: &str) {
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((&*info.reason, &*info.metadata["outcome"]), ("DEADLINE_EXCEEDED", outcome));
}

const UPSERT: &str = "DirectoryService/UpsertUser";

fn ann() -> UpsertUserRequest {
    UpsertUserRequest {
        user: Some(User { id: "ann".to_owned(), ..User::default() }),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..UpsertUserRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_handed_in_says_that_its_outcome_is_unknown() {
    let store = Held::new();
    let server = Running::over(Arc::clone(&store) as _).await;
    let mut client = Client::new(&server).await;
    // Once a call is answered, the server has written what it writes at its start.
    let get = GetSettingsRequest::default();
    let _: OrganizationSettings = client.answer("SettingsService/GetSettings", &get).await;
    store.held.send_replace(true);
    let request = ann();
    let (_, status) = client.call(UPSERT, &request, Some("100m")).await;
    assert_exceeded(&status, "unknown");
    // What is only a question takes effect never.
    let question = UpsertUserRequest { validate_only: true, ..ann() };
    let (_, status) = client.call(UPSERT, &question, Some("100m")).await;
    assert_exceeded(&status, "none");

    // It did take effect, and its repetition says so.
    store.held.send_replace(false);
    let first: UpsertUserResponse = client.answer(UPSERT, &request).await;
    let write = first.write.unwrap();
    assert!(write.changed);
    let again: UpsertUserResponse = client.answer(UPSERT, &ann()).await;
    let again = again.write.unwrap();
    assert_eq!((again.changed, again.revision), (false, write.revision), "nothing was done twice");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_at_its_deadline_and_gives_its_place_back() {
    let server = Running::with(Vec::new()).await;
    let mut client = Client::new(&server).await;
    let settings = OrganizationSettings { max_streams_per_user: Some(1), ..Default::default() };
    let update = UpdateSettingsRequest { settings: Some(settings), ..Default::default() };
    let _: UpdateSettingsResponse = client.answer("SettingsService/UpdateSettings", &update).await;
    let _: UpsertUserResponse = client.answer(UPSERT, &ann()).await;
    let watch = WatchProfileRequest { user: "ann".to_owned(), ..WatchProfileRequest::default() };
    // There is one place, so each stream begins only because the one before it left.
    for _ in 0..2 {
        let (frames, status) = client.call("AgentService/WatchProfile", &watch, Some("200m")).await;
        assert!(!frames.is_empty(), "the first message came: {status:?}");
        assert_exceeded(&status, "none");
    }
    server.end().await;
}
