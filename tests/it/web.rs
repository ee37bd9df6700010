//! gRPC-Web: what a page in a browser sends and reads, over HTTP/1.1 and HTTP/2.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use deskplane_proto::v1::{
    ProfileContent, ResolveProfileRequest, ResolveProfileResponse, WatchProfileRequest,
    WatchProfileResponse, watch_profile_response::Event,
};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use serde_json::json;
use tokio::net::TcpStream;

use crate::{
    api::Api,
    server::{Front, Running},
};

const PAGE: &str = "https://desk.example.com";
const RESOLVE: &str = "/deskplane.v1.AgentService/ResolveProfile";
const WATCH: &str = "/deskplane.v1.AgentService/WatchProfile";
/// The flag of the frame that holds the trailers.
const TRAILERS: u8 = 0x80;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Protocol {
    Http1,
    Http2,
}

async fn server() -> Running {
    let origins = vec![PAGE.parse().unwrap()];
    let server = Running::fronted(Front { origins, ..Front::default() }).await;
    Api::admin(&server).ok("UpsertUser", json!({"user": {"id": "john.doe"}})).await;
    server
}

fn framed(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut frame).unwrap();
    frame.freeze()
}

/// Sends one request on a connection of its own.
async fn send(
    server: &Running,
    protocol: Protocol,
    method: Method,
    path: &str,
    fields: &[(&str, &str)],
    body: Bytes,
) -> Response<Incoming> {
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let uri = match protocol {
        Protocol::Http1 => path.to_owned(),
        Protocol::Http2 => format!("http://{}{path}", server.address),
    };
    let mut request = Request::builder().method(method).uri(uri);
    if protocol == Protocol::Http1 {
        request = request.header("host", "localhost");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        Protocol::Http2 => {
            let executor = TokioExecutor::new();
            let (mut sender, connection) = conn::http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    }
}

fn header<'a, B>(answer: &'a Response<B>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The next frame: its flag and its bytes.
async fn next(answer: &mut Response<Incoming>, read: &mut BytesMut) -> (u8, Bytes) {
    loop {
        if read.len() >= 5 {
            let length = usize::try_from((&read[1..5]).get_u32()).unwrap();
            if read.len() >= 5 + length {
                let flag = read[0];
                read.advance(5);
                return (flag, read.split_to(length).freeze());
            }
        }
        let frame = answer.body_mut().frame().await.expect("a whole frame").unwrap();
        read.extend_from_slice(frame.data_ref().expect("there are no real trailers"));
    }
}

fn resolve(user: &str) -> Bytes {
    framed(&ResolveProfileRequest { user: user.to_owned(), ..Default::default() })
}

fn of_page(media_type: &str) -> [(&str, &str); 4] {
    [
        ("content-type", media_type),
        ("x-grpc-web", "1"),
        ("origin", PAGE),
        ("sec-fetch-site", "cross-site"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_page_calls_over_both_protocols() {
    let server = server().await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let fields = of_page("application/grpc-web+proto");
        let mut answer =
            send(&server, protocol, Method::POST, RESOLVE, &fields, resolve("john.doe")).await;
        assert_eq!(header(&answer, "content-type"), "application/grpc-web+proto");
        assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
        assert!(header(&answer, "access-control-expose-headers").contains("grpc-status"));
        let mut read = BytesMut::new();
        let (flag, bytes) = next(&mut answer, &mut read).await;
        let message = ResolveProfileResponse::decode(bytes).unwrap();
        assert_eq!((flag, message.profile.unwrap().user.as_str()), (0, "john.doe"));
        let (flag, bytes) = next(&mut answer, &mut read).await;
        let trailers = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(flag == TRAILERS && trailers.contains("grpc-status:0"), "{trailers}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn base64_is_read_and_written() {
    let server = server().await;
    let mut fields = of_page("application/grpc-web-text+proto").to_vec();
    fields.push(("accept", "application/grpc-web-text+proto"));
    let body = STANDARD.encode(resolve("john.doe")).into();
    let answer = send(&server, Protocol::Http1, Method::POST, RESOLVE, &fields, body).await;
    assert_eq!(header(&answer, "content-type"), "application/grpc-web-text+proto");
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    // Each chunk is padded by itself.
    let mut frames = BytesMut::new();
    for chunk in text.chunk_by(|before, now| *before != b'=' || *now == b'=') {
        frames.extend_from_slice(&STANDARD.decode(chunk).unwrap());
    }
    let length = usize::try_from((&frames[1..5]).get_u32()).unwrap();
    let message = ResolveProfileResponse::decode(&frames[5..5 + length]).unwrap();
    assert_eq!(message.profile.unwrap().user, "john.doe");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_in_the_head_where_a_page_reads_it() {
    let server = server().await;
    let fields = of_page("application/grpc-web+proto");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer =
            send(&server, protocol, Method::POST, RESOLVE, &fields, resolve("nobody")).await;
        assert_eq!(header(&answer, "grpc-status"), "5");
        assert!(!header(&answer, "grpc-status-details-bin").is_empty());
        assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_watches_and_the_stream_ends_with_it() {
    let server = server().await;
    let request = WatchProfileRequest { user: "john.doe".to_owned(), ..Default::default() };
    let fields = of_page("application/grpc-web+proto");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let body = framed(&request);
        let mut answer = send(&server, protocol, Method::POST, WATCH, &fields, body).await;
        let mut read = BytesMut::new();
        let (flag, bytes) = next(&mut answer, &mut read).await;
        let snapshot = WatchProfileResponse::decode(bytes).unwrap();
        assert!(flag == 0 && snapshot.event.is_some());
        let name = format!("contoso_{protocol:?}").to_lowercase();
        let api = Api::admin(&server);
        let profile = json!({"profile": {"unique_name": name, "display_name": "Rep"}});
        api.ok("CreateProfile", profile).await;
        api.ok("AddUsers", json!({"name": name, "users": ["john.doe"], "move": true})).await;
        loop {
            let (flag, bytes) = next(&mut answer, &mut read).await;
            assert_eq!(flag, 0);
            let message = WatchProfileResponse::decode(bytes).unwrap();
            let Some(Event::Snapshot(snapshot)) = message.event else { continue };
            let content = ProfileContent::decode(snapshot.profile.unwrap().content).unwrap();
            if content.profile.unwrap().unique_name == name {
                break;
            }
        }
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_pages_are_refused_and_cannot_read_why() {
    let server = server().await;
    let media_type = ("content-type", "application/grpc-web+proto");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for foreign in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("sec-fetch-site", "same-origin")],
        ] {
            let fields = [&[media_type], foreign].concat();
            let body = resolve("john.doe");
            let answer = send(&server, protocol, Method::POST, RESOLVE, &fields, body).await;
            assert_eq!(header(&answer, "grpc-status"), "7", "{fields:?}");
            assert_eq!(header(&answer, "access-control-allow-origin"), "", "{fields:?}");
        }
        let asked = [
            ("origin", "https://evil.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let answer = send(&server, protocol, Method::OPTIONS, RESOLVE, &asked, Bytes::new()).await;
        assert_eq!(answer.status(), 405);
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    // A name that leads to this machine is none of its own, whatever page sends it.
    let fields = of_page("application/grpc-web+proto");
    let fields = [&fields[..], &[("host", "evil.example")]].concat();
    let answer =
        send(&server, Protocol::Http1, Method::POST, RESOLVE, &fields, resolve("john.doe")).await;
    assert_eq!(header(&answer, "grpc-status"), "7");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_answered_what_a_listed_page_may_send() {
    let server = server().await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let asked = [
            ("origin", PAGE),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,grpc-timeout,x-deskplane-user"),
        ];
        let answer = send(&server, protocol, Method::OPTIONS, RESOLVE, &asked, Bytes::new()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
        assert_eq!(header(&answer, "access-control-allow-methods"), "POST");
        assert_eq!(header(&answer, "access-control-allow-headers"), asked[2].1);
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_needs_no_origin() {
    let server = server().await;
    let fields = [("content-type", "application/grpc-web+proto")];
    let body = resolve("john.doe");
    let mut answer = send(&server, Protocol::Http1, Method::POST, RESOLVE, &fields, body).await;
    let (flag, bytes) = next(&mut answer, &mut BytesMut::new()).await;
    let message = ResolveProfileResponse::decode(bytes).unwrap();
    assert!(flag == 0 && message.profile.is_some());
    server.end().await;
}
