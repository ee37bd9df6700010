//! Requests whose message begins and does not end: none waits for ever, and together they take no
//! more than there is room for.

use std::{convert::Infallible, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use deskplane::transport::Limits;
use deskplane_proto::v1::GetSettingsRequest;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Code, Status, body::Body, transport::Channel};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};
use tonic_types::StatusExt as _;
use tower::{Service as _, ServiceExt as _};

use crate::server::{As, Running};

const LONG: Duration = Duration::from_secs(60);
/// Length that the head of each message claims.
const CLAIMED: usize = 1 << 20;

/// A call whose message goes on as long as the sender does; it completes with the status.
fn begin(channel: &Channel) -> (mpsc::Sender<Bytes>, impl Future<Output = Status> + use<>) {
    let (sender, mut receiver) = mpsc::channel(1);
    let frames = futures_util::stream::poll_fn(move |cx| {
        let next = receiver.poll_recv(cx);
        next.map(|next| next.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))))
    });
    let request = http::Request::post("/deskplane.v1.ProfileService/GetProfile")
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(frames)))
        .unwrap();
    let mut channel = channel.clone();
    let answer = async move {
        let call = channel.ready().await.unwrap().call(request);
        let answer = timeout(LONG, call).await.expect("it is waited for").unwrap();
        Status::from_header_map(answer.headers()).unwrap()
    };
    (sender, answer)
}

/// The begin of a message, with so many of its bytes.
fn part(count: usize) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(CLAIMED as u32);
    frame.put_bytes(b'x', count);
    frame.freeze()
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default())
}

async fn channel(running: &Running) -> Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(running.uri()).unwrap();
    endpoint.connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_does_not_come_is_given_up() {
    let body_stall = Duration::from_millis(300);
    let running = Running::limited(Limits { body_stall, ..Limits::default() }).await;
    let channel = channel(&running).await;
    for sent in [Bytes::new(), part(0), part(1_000)] {
        let (sender, answer) = begin(&channel);
        let (sent, status) = tokio::join!(sender.send(sent), answer);
        sent.unwrap();
        assert_eq!(reason(&status), (Code::ResourceExhausted, "UPLOAD_STALLED".to_owned()));
    }
    drop(channel);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_requests_may_pause_once_it_is_answered() {
    let body_stall = Duration::from_millis(50);
    let running = Running::limited(Limits { body_stall, ..Limits::default() }).await;
    let (questions, asked) = mpsc::channel(1);
    let mut reflection = ServerReflectionClient::new(channel(&running).await);
    let ask = || ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    questions.send(ask()).await.unwrap();
    let asked = futures_util::stream::unfold(asked, |mut asked| async {
        asked.recv().await.map(|question| (question, asked))
    });
    let mut answers = reflection.server_reflection_info(asked).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap();
    // Nothing is said for several times as long as a message may take: no answer, no end.
    timeout(6 * body_stall, answers.message()).await.expect_err("the stream goes on");
    questions.send(ask()).await.unwrap();
    timeout(LONG, answers.message()).await.expect("it is answered").unwrap().unwrap();
    drop((questions, answers, reflection));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_do_not_end_take_no_more_room_than_there_is() {
    /// One connection has half of the room: two messages of that size, and no third one.
    const PART: usize = 100 << 10;
    let running = Running::limited(Limits { body_bytes: 5 * PART, ..Limits::default() }).await;
    let (first, second) = (channel(&running).await, channel(&running).await);
    let mut open = Vec::new();
    for at in 0..6 {
        let (sender, answer) = begin(if at < 3 { &first } else { &second });
        let answer = tokio::spawn(answer);
        sender.send(part(PART)).await.unwrap();
        open.push((sender, answer));
    }
    // Which of the three of a connection finds no room is up to their order on the way.
    for _ in 0..2 {
        let all = open.iter_mut().map(|(_, answer)| answer);
        let (status, at, _) =
            timeout(LONG, futures_util::future::select_all(all)).await.expect("none is refused");
        assert_eq!(reason(&status.unwrap()), (Code::ResourceExhausted, "SERVER_BUSY".to_owned()));
        drop(open.remove(at));
    }
    // Other calls, whose messages are short, find room.
    let mut settings = deskplane_proto::v1::settings_service_client::SettingsServiceClient::new(
        running.channel(As::default()),
    );
    settings.get_settings(GetSettingsRequest::default()).await.unwrap();
    for (sender, answer) in open {
        answer.abort();
        drop(sender);
    }
    drop((first, second));
    running.end().await;
}
