//! Answers that nobody reads: together they take no more than there is room for, and none waits for
//! ever.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use deskplane::transport::Limits;
use deskplane_proto::v1::{BulkResolveRequest, BulkView};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use serde_json::json;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    api::Api,
    server::{Front, Running},
};

const LONG: Duration = Duration::from_secs(60);
/// Bytes that one connection may have unread.
const OWN: usize = 64 << 10;
const USERS: usize = 10;

async fn server(limits: Limits) -> Running {
    let server = Running::fronted(Front { limits, ..Front::default() }).await;
    let api = Api::admin(&server);
    for user in 0..USERS {
        api.ok("UpsertUser", json!({"user": {"id": format!("user-{user}")}})).await;
    }
    server
}

/// A connection whose streams have a window of one byte, and its end.
async fn narrow(server: &Running) -> (SendRequest<Full<Bytes>>, JoinHandle<()>) {
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let mut builder = Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.initial_stream_window_size(1).handshake(io).await.unwrap();
    (sender, tokio::spawn(async { connection.await.unwrap_or_default() }))
}

/// Asks for the profiles of all users; answers as soon as the head is there.
async fn ask(server: &Running, sender: &mut SendRequest<Full<Bytes>>) -> Response<Incoming> {
    let request = BulkResolveRequest { view: BulkView::Full.into(), ..Default::default() };
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(request.encoded_len().try_into().unwrap());
    request.encode(&mut frame).unwrap();
    let uri = format!("http://{}/deskplane.v1.AgentService/BulkResolve", server.address);
    let request = Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(frame.freeze()))
        .unwrap();
    timeout(LONG, sender.send_request(request)).await.expect("no answer").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_read_takes_no_more_than_its_room() {
    let limits = Limits { answer_bytes: 2 * OWN, ..Limits::default() };
    let server = server(limits).await;
    let (mut sender, _connection) = narrow(&server).await;
    let (mut held, mut refused) = (Vec::new(), 0);
    for _ in 0..200 {
        let answer = ask(&server, &mut sender).await;
        match Status::from_header_map(answer.headers()) {
            None => held.push(answer),
            Some(status) => {
                let details = status.get_error_details();
                assert_eq!(status.code(), Code::ResourceExhausted);
                assert_eq!(details.error_info().unwrap().reason, "SERVER_BUSY");
                assert!(details.retry_info().unwrap().retry_delay.is_some());
                refused += 1;
            }
        }
    }
    assert!(!held.is_empty() && refused > 100, "{} held, {refused} refused", held.len());
    // Others have room, and so has the connection once its answers are gone.
    let api = Api::admin(&server);
    api.ok("BulkResolve", json!({"view": "BULK_VIEW_FULL"})).await;
    let fits = held.len();
    drop(held);
    let mut again = Vec::new();
    let room = async {
        while again.len() < fits {
            let answer = ask(&server, &mut sender).await;
            if Status::from_header_map(answer.headers()).is_none() {
                again.push(answer);
            }
        }
    };
    timeout(LONG, room).await.expect("the room is not given back");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_never_read_ends_its_connection() {
    let write_stall = Duration::from_millis(200);
    let server = server(Limits { write_stall, ..Limits::default() }).await;
    let (mut sender, connection) = narrow(&server).await;
    let unread = ask(&server, &mut sender).await;
    timeout(LONG, connection).await.expect("it is kept").unwrap();
    assert!(unread.into_body().collect().await.is_err());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_calls_is_asked_to_end() {
    let write_stall = Duration::from_millis(50);
    let limits = Limits { write_stall, idle: 4 * write_stall, ..Limits::default() };
    let server = server(limits).await;
    let (mut sender, connection) = narrow(&server).await;
    drop(ask(&server, &mut sender).await);
    timeout(LONG, connection).await.expect("it is kept").unwrap();
    server.end().await;
}
