//! Requests that are no messages: too long, cut off, framed wrongly, nested without end.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::Full;
use prost::Message;
use prost_reflect::MethodDescriptor;
use tonic::{Code, Status, body::Body, transport::Endpoint};
use tonic_types::StatusExt as _;
use tower::{Service as _, ServiceExt as _};

use super::target::{Target, assert_refused, message, refused};

/// Posts bytes as the whole body of a call.
async fn post(target: &Target, rpc: &MethodDescriptor, body: impl Into<Bytes>) -> Status {
    let uri = format!("http://{}", target.running.address);
    let mut channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
    let request = http::Request::post(format!("/deskplane.v1.{}", Target::path(rpc)))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(body.into())))
        .unwrap();
    let answer = channel.ready().await.unwrap().call(request).await.unwrap();
    Status::from_header_map(answer.headers()).expect("refused before any message")
}

/// A frame whose header tells a flag and a length.
fn frame(flag: u8, length: usize, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(length).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

fn assert_malformed(status: Status, context: &str) {
    assert_refused(Err::<(), _>(status), "REQUEST_MALFORMED", "", context);
}

#[track_caller]
fn assert_too_large<T: std::fmt::Debug>(answer: Result<T, Status>, context: &str) {
    let status = answer.expect_err(context);
    let found = refused(&status, context);
    assert_eq!((found.code, found.reason.as_str()), (Code::ResourceExhausted, "REQUEST_TOO_LARGE"));
    let details = status.get_error_details();
    let limit = &details.error_info().unwrap().metadata["limit"];
    assert_eq!(limit, &(4 << 20).to_string(), "{context}");
    assert!(details.retry_info().is_none(), "{context}: the same message gets the same answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_hold_no_message_are_malformed() {
    let target = Target::start().await;
    let before = target.state().await;
    for path in [
        "ProfileService/GetProfile",
        "ProfileService/DeleteProfile",
        "AgentService/ResolveProfile",
        "AgentService/WatchProfile",
    ] {
        let rpc = target.rpc(path);
        let message = target.valid(&rpc).encode_to_vec();
        let size = message.len();
        for (what, body) in [
            ("nothing", Bytes::new()),
            ("half a header", Bytes::from_static(&[0, 0, 0])),
            ("a header alone", frame(0, size, &[])),
            ("a cut-off message", frame(0, size, &message[..size - 1])),
            ("a longer message than announced", frame(0, size - 1, &message)),
            ("a flag for compression", frame(1, size, &message)),
            ("a flag that none is", frame(0xff, size, &message)),
        ] {
            let status = post(&target, &rpc, body).await;
            assert_malformed(status, &format!("{path} with {what}"));
        }
        for length in [(4 << 20) + 1, u32::MAX as usize] {
            let status = post(&target, &rpc, frame(0, length, &message)).await;
            assert_too_large(Err::<(), _>(status), &format!("{path} with a length of {length}"));
        }
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_of_a_message_is_answered() {
    let target = Target::start().await;
    let before = target.state().await;
    let rpc = target.rpc("ProfileService/UpdateProfile");
    // No part of it is a write: the state that it saw has never been.
    let mut request = target.json("ProfileService/UpdateProfile");
    request["profile"]["etag"] = "x".into();
    let whole = message(&rpc, &request).encode_to_vec();
    let mut malformed = 0;
    for end in 0..whole.len() {
        let Err(status) = target.call(&rpc, whole[..end].to_vec()).await else {
            panic!("{end} of {} bytes were taken", whole.len())
        };
        let context = format!("{end} of {} bytes", whole.len());
        malformed += usize::from(refused(&status, &context).reason == "REQUEST_MALFORMED");
    }
    assert!(malformed > whole.len() / 2);
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_beyond_4_mib_are_refused_with_the_limit() {
    let target = Target::start().await;
    let rpc = target.rpc("DirectoryService/UpsertUser");
    let mut message = target.valid(&rpc).encode_to_vec();
    let size = 4 << 20;
    // A field that no message has, as long as is needed.
    let mut tail = BytesMut::new();
    prost::encoding::encode_key(999, prost::encoding::WireType::LengthDelimited, &mut tail);
    let rest = size - message.len() - tail.len() - 4;
    prost::encoding::encode_varint(rest as u64, &mut tail);
    tail.put_bytes(b'x', rest);
    message.extend_from_slice(&tail);
    assert_eq!(message.len(), size);
    target.call(&rpc, message.clone()).await.expect("4 MiB are taken, with unknown fields");
    message.push(0);
    let answer = target.call(&rpc, message).await;
    assert_too_large(answer, "one byte more");
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_wrong_types_do_no_harm() {
    let target = Target::start().await;
    let before = target.state().await;
    for rpc in target.rpcs() {
        let path = Target::path(&rpc);
        let open = [(500 << 3 | 3) as u16 as u8 | 0x80, (500_u16 << 3 >> 7) as u8];
        let nested = open.repeat(100_000);
        let closed_only = [(1 << 3) | 4];
        let endless_varint =
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let tag_zero = [0x00, 0x00];
        let long_length = [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f];
        for (what, bytes) in [
            ("nested groups", nested.as_slice()),
            ("the end of no group", &closed_only),
            ("a number without end", &endless_varint),
            ("field 0", &tag_zero),
            ("a length beyond the message", &long_length),
            ("a wire type that none is", &[0x0f]),
        ] {
            let answer = target.call(&rpc, bytes.to_vec()).await;
            assert_refused(answer, "REQUEST_MALFORMED", "", &format!("{path} with {what}"));
        }
        // The first field with every other wire type: fields are not guessed at.
        let Some(first) = rpc.input().fields().next() else { continue };
        for (wire, tail) in [(1, &[0; 8][..]), (5, &[0; 4])] {
            let mut bytes = vec![(first.number() << 3 | wire) as u8];
            bytes.extend_from_slice(tail);
            let answer = target.call(&rpc, bytes).await;
            assert_refused(answer, "REQUEST_MALFORMED", "", &format!("{path} wire type {wire}"));
        }
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}
