//! What reaches the port and is no gRPC call: requests that a web page can send, people with a
//! browser, probes; and what ends a call but not its connection.

use std::io::Write as _;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::Response;
use http_body_util::{BodyExt as _, Full};
use prost::Message;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, Status, body::Body, codec::CompressionEncoding, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;
use tower::{Service as _, ServiceExt as _};

use deskplane_proto::v1::{
    GetProfileRequest, WatchProfileRequest, agent_service_client::AgentServiceClient,
    profile_service_client::ProfileServiceClient,
};

use super::target::{Target, message, refused};
use crate::server::As;

const UPSERT: &str = "DirectoryService/UpsertUser";

/// A framed call that would add a user.
fn upsert(target: &Target) -> Bytes {
    let rpc = target.rpc(UPSERT);
    let user = json!({"user": {"id": "from.a.page", "display_name": "x"}});
    let message = message(&rpc, &user).encode_to_vec();
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(&message);
    frame.freeze()
}

/// Sends one request by HTTP/1.1 and answers status, head and body.
async fn http1(target: &Target, request: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(target.running.address).await.unwrap();
    let head = format!("{request}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that has refused already may not read the rest.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// Sends one request by HTTP/2.
async fn http2(
    target: &Target,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: Bytes,
) -> Response<Body> {
    let uri = format!("http://{}", target.running.address);
    let mut channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
    let request = http::Request::builder().method(method).uri(path);
    let request = fields.iter().fold(request, |r, (name, value)| r.header(*name, *value));
    let request = request.body(Body::new(Full::new(body))).unwrap();
    channel.ready().await.unwrap().call(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_web_page_can_send_is_not_run() {
    let target = Target::start().await;
    let before = target.state().await;
    let (path, frame) = (format!("/deskplane.v1.{UPSERT}"), upsert(&target));
    // What a page sends without asking the server first, and what it would have to ask for.
    for (media, expected) in [
        ("content-type: text/plain\r\n", 415),
        ("content-type: text/plain;charset=UTF-8\r\n", 415),
        ("content-type: application/x-www-form-urlencoded\r\n", 415),
        ("content-type: multipart/form-data; boundary=x\r\n", 415),
        ("", 415),
        ("content-type: application/grpc\r\n", 415),
        ("content-type: application/grpc+proto\r\nte: trailers\r\n", 415),
        ("content-type: application/json\r\n", 415),
    ] {
        for origin in ["", "origin: http://evil.example\r\nsec-fetch-site: cross-site\r\n"] {
            let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{media}{origin}");
            let (status, head, body) = http1(&target, &request, &frame).await;
            assert_eq!(status, expected, "{media:?} {origin:?}: {body}");
            assert!(!head.contains("access-control"), "{head}");
            assert!(!head.contains("grpc-status"), "{head}");
        }
    }
    // A page on a name that points to this machine needs not ask.
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: evil.example:7700\r\ncontent-type: application/grpc\r\n"
    );
    assert_eq!(http1(&target, &request, &frame).await.0, 421);
    for method in ["GET", "PUT", "OPTIONS", "DELETE", "PATCH"] {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc\r\n"
        );
        let (status, head, _) = http1(&target, &request, &frame).await;
        assert!(status == 405 && head.contains("allow: post"), "{method}: {head}");
    }
    let upgrade = "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{upgrade}");
    assert_eq!(http1(&target, &request, &[]).await.0, 405, "a WebSocket");

    // Over HTTP/2, which browsers speak over TLS, and through proxies.
    let grpc = ("content-type", "application/grpc");
    for fields in
        [&[("content-type", "text/plain")][..], &[], &[("content-type", "text/html"), grpc]]
    {
        let answer = http2(&target, "POST", &path, fields, frame.clone()).await;
        assert_eq!(answer.status(), 415, "{fields:?}");
    }
    for field in [("origin", "http://localhost"), ("origin", "null"), ("sec-fetch-site", "none")] {
        let answer = http2(&target, "POST", &path, &[grpc, field], frame.clone()).await;
        let status = Status::from_header_map(answer.headers()).expect("a gRPC client is answered");
        let found = refused(&status, field.1);
        assert_eq!(
            (found.code, found.reason.as_str()),
            (Code::PermissionDenied, "ORIGIN_REFUSED"),
            "{field:?}"
        );
    }
    assert_eq!(target.state().await, before);
    let added = http2(&target, "POST", &path, &[grpc], frame).await;
    assert_eq!(added.status(), 200, "the call itself is fine");
    assert_ne!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_probes_get_plain_answers() {
    let target = Target::start().await;
    for (method, path, expected, text) in [
        ("GET", "/", 404, "grpcurl"),
        ("GET", "/favicon.ico", 404, "not found"),
        ("GET", "/healthz", 404, "not found"),
        ("GET", "/metrics", 404, "not found"),
        ("GET", "/index.html?x=1", 404, "not found"),
        ("POST", "/", 404, "grpcurl"),
        ("POST", "/deskplane.v1.NoService/Get", 404, "not found"),
        ("POST", "/webhookz/con_one", 404, "not found"),
        ("GET", "/deskplane.v1.ProfileService/GetProfile", 405, "POST"),
        ("GET", "/livez", 200, "ok"),
        ("HEAD", "/livez", 200, ""),
        ("GET", "/readyz", 200, "\"ready\":true"),
        ("GET", "/readyz?verbose", 200, "\"writable\":true"),
        ("POST", "/readyz", 405, "GET"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        let (status, head, body) = http1(&target, &request, &[]).await;
        assert_eq!(status, expected, "{method} {path}: {body}");
        assert!(body.contains(text), "{method} {path}: {body}");
        assert!(!head.contains("application/grpc"), "{method} {path}: {head}");
        let answer = http2(&target, method, path, &[], Bytes::new()).await;
        assert_eq!(answer.status(), expected, "{method} {path} by HTTP/2");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(text), "{method} {path} by HTTP/2");
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_methods_and_encodings_have_a_reason() {
    let target = Target::start().await;
    let grpc = ("content-type", "application/grpc");
    for path in [
        "/deskplane.v1.ProfileService/NoMethod",
        "/deskplane.v1.ProfileService/getprofile",
        "/deskplane.v1.NoService/Get",
        "/deskplane.provider.v1.ChannelProviderPlugin/Info",
        "/grpc.health.v1.Health/Nothing",
        "/nothing",
        "/",
    ] {
        let answer = http2(&target, "POST", path, &[grpc], Bytes::from_static(&[0; 5])).await;
        assert_eq!(answer.status(), 200, "{path}");
        let status = Status::from_header_map(answer.headers()).expect(path);
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        let details = status.get_error_details();
        assert_eq!(details.error_info().expect(path).reason, "METHOD_UNKNOWN");
    }
    let compressed = [grpc, ("grpc-encoding", "zstd")];
    let path = "/deskplane.v1.ProfileService/GetProfile";
    let answer = http2(&target, "POST", path, &compressed, Bytes::from_static(&[0; 5])).await;
    let accepted = answer.headers().get("grpc-accept-encoding").cloned();
    let status = Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "ENCODING_UNSUPPORTED");
    assert_eq!(accepted.unwrap(), "gzip,identity");
    target.end().await;
}

/// A framed message that is compressed, as the flag says.
fn compressed(bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(1);
    frame.put_u32(bytes.len().try_into().unwrap());
    frame.put_slice(bytes);
    frame.freeze()
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_requests_are_read_up_to_the_limit_of_a_message() {
    let target = Target::start().await;
    let channel = Endpoint::from_shared(target.running.uri()).unwrap().connect().await.unwrap();
    let mut profiles =
        ProfileServiceClient::new(channel).send_compressed(CompressionEncoding::Gzip);
    let get = GetProfileRequest { name: "contoso_rep".into() };
    assert_eq!(
        profiles.get_profile(get.clone()).await.unwrap().into_inner().name,
        "profiles/contoso_rep"
    );

    let whole = gzip(&get.encode_to_vec());
    let long = |size: usize| gzip(&GetProfileRequest { name: "x".repeat(size) }.encode_to_vec());
    let (bomb, fits) = (long(64 << 20), long((4 << 20) - 16));
    assert!(bomb.len() < 128 << 10, "{}", bomb.len());
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    for (what, sent, encoding, code, reason) in [
        ("a bomb", &bomb[..], "gzip", Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("the longest", &fits, "gzip", Code::InvalidArgument, "FIELD_INVALID"),
        ("cut off", &whole[..whole.len() - 9], "gzip", Code::InvalidArgument, "REQUEST_MALFORMED"),
        ("damaged", &damaged, "gzip", Code::InvalidArgument, "REQUEST_MALFORMED"),
        ("no gzip", b"plain", "gzip", Code::InvalidArgument, "REQUEST_MALFORMED"),
        ("no encoding", &whole, "identity", Code::InvalidArgument, "REQUEST_MALFORMED"),
    ] {
        let headers = [("content-type", "application/grpc"), ("grpc-encoding", encoding)];
        let path = "/deskplane.v1.ProfileService/GetProfile";
        let answer = http2(&target, "POST", path, &headers, compressed(sent)).await;
        let status = Status::from_header_map(answer.headers()).expect(what);
        let details = status.get_error_details();
        let found = details.error_info().map(|info| info.reason.as_str());
        assert_eq!((status.code(), found), (code, Some(reason)), "{what}: {status:?}");
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_compressed_for_callers_that_compress() {
    let target = Target::start().await;
    let get = GetProfileRequest { name: "contoso_rep".into() }.encode_to_vec();
    let path = "/deskplane.v1.ProfileService/GetProfile";
    let mut plain = BytesMut::new();
    plain.put_u8(0);
    plain.put_u32(get.len().try_into().unwrap());
    plain.put_slice(&get);
    let (plain, packed) = (plain.freeze(), compressed(&gzip(&get)));
    for (encoding, accepted, asks) in [
        ("gzip", "identity,deflate,gzip", true),
        ("gzip", "identity", false),
        ("identity", "identity,deflate,gzip", false),
        ("", "gzip", false),
    ] {
        let mut headers =
            vec![("content-type", "application/grpc"), ("grpc-accept-encoding", accepted)];
        if !encoding.is_empty() {
            headers.push(("grpc-encoding", encoding));
        }
        let body = if encoding == "gzip" { &packed } else { &plain };
        let answer = http2(&target, "POST", path, &headers, body.clone()).await;
        let encoded = answer.headers().get("grpc-encoding").is_some_and(|found| found == "gzip");
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!((encoded, bytes[0]), (asks, u8::from(asks)), "{headers:?}");
        let message = match asks {
            false => bytes.slice(5..),
            true => {
                let mut message = Vec::new();
                std::io::Read::read_to_end(&mut GzDecoder::new(&bytes[5..]), &mut message).unwrap();
                message.into()
            }
        };
        let profile = deskplane_proto::v1::Profile::decode(message).unwrap();
        assert_eq!(profile.name, "profiles/contoso_rep");
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_headers_end_the_call_and_not_the_connection() {
    let target = Target::start().await;
    // One connection for all of it.
    let uri = format!("http://{}", target.running.address);
    let channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
    let watch = WatchProfileRequest { user: "john.doe".into(), ..Default::default() };
    let mut watched =
        AgentServiceClient::new(channel.clone()).watch_profile(watch).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    let mut profiles = ProfileServiceClient::new(channel);
    let get = || Request::new(GetProfileRequest { name: "contoso_rep".into() });
    for (count, length) in [(1, 17 << 10), (1, 70_000), (20, 3_500), (700, 100)] {
        let mut request = get();
        for at in 0..count {
            let key = format!("x-long-{at}");
            let key: tonic::metadata::AsciiMetadataKey = key.parse().unwrap();
            request.metadata_mut().insert(key, "x".repeat(length).parse().unwrap());
        }
        let status = profiles.get_profile(request).await.unwrap_err();
        let context = format!("{count} of {length} bytes");
        let found = refused(&status, &context);
        assert_eq!(
            (found.code, found.reason.as_str()),
            (Code::ResourceExhausted, "HEADERS_TOO_LARGE"),
            "{context}"
        );
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["limit"], (16 << 10).to_string());
        profiles.get_profile(get()).await.expect("the connection goes on");
    }
    let change = json!({"user": {"name": "users/john.doe", "display_name": "John"}});
    target.ask(UPSERT, &change).await.unwrap();
    target.ask("DirectoryService/DeleteUser", &json!({"name": "john.doe"})).await.unwrap();
    let ended = loop {
        match watched.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an end without a reason"),
            Err(status) => break refused(&status, "the watch").reason,
        }
    };
    assert_eq!(ended, "USER_DELETED", "the watch on that connection lived on");
    target.running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_of_an_unknown_service_is_watched_and_not_found() {
    let target = Target::start().await;
    let mut health = HealthClient::new(target.running.channel(As::default()));
    let mut streams = Vec::new();
    for service in ["deskplane.v1.NoService", "deskplane", "\u{1f600}", &"x".repeat(1 << 20)] {
        let request = || HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request()).await.unwrap_err();
        assert_eq!(refused(&status, "Check").reason, "SERVICE_UNKNOWN");
        assert_eq!(status.code(), Code::NotFound);
        let mut stream = health.watch(request()).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::ServiceUnknown, "{service:.20}");
        streams.push(stream);
    }
    let request = HealthCheckRequest { service: String::new() };
    let mut known = health.watch(request).await.unwrap().into_inner();
    assert_eq!(known.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let mut running = target.running;
    running.stop();
    assert_eq!(known.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    // They were open until now, and end with a reason.
    for mut stream in streams.into_iter().chain([known]) {
        let status = stream.message().await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "DRAINING");
    }
    running.end().await;
}
