//! Whatever is sent, the fast path answers as the methods behind it do.

use std::{
    future::ready,
    sync::atomic::{AtomicUsize, Ordering},
};

use deskplane_proto::v1;
use http::HeaderMap;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message as _;
use tokio::time::Instant;
use tower::{Service as _, service_fn};

use super::*;
use crate::{
    auth::{Credential, Rpc},
    service::{Service, methods::tests::call, tests::service},
    trace::{self, Correlation},
};

type Frames = Vec<Result<Frame<Bytes>, Status>>;

/// A request body, in words, and whether the fast path takes it.
type Case = (&'static str, bool, fn() -> Frames);

fn message(user: &str) -> Vec<u8> {
    let request = v1::ResolveProfileRequest { user: user.into(), ..Default::default() };
    framed(&request.encode_to_vec())
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}

fn data(bytes: &[u8]) -> Result<Frame<Bytes>, Status> {
    Ok(Frame::data(Bytes::copy_from_slice(bytes)))
}

fn trailers() -> Result<Frame<Bytes>, Status> {
    Ok(Frame::trailers(HeaderMap::new()))
}

const CASES: &[Case] = &[
    ("one message", true, || vec![data(&message("users/ann"))]),
    ("an end of its own", true, || vec![data(&message("ann")), data(b"")]),
    ("an empty message", true, || vec![data(&framed(b""))]),
    ("an unknown user", true, || vec![data(&message("bob"))]),
    ("a bad name", true, || vec![data(&message("a b"))]),
    ("what does not decode", true, || vec![data(&framed(b"\x0a\xff"))]),
    ("nothing", false, Vec::new),
    ("an empty frame", false, || vec![data(b"")]),
    ("two frames", false, || vec![data(&message("ann")[..7]), data(&message("ann")[7..])]),
    ("two messages", false, || vec![data(&message("ann")), data(&message("bob"))]),
    ("two messages in one frame", false, || vec![data(&message("ann").repeat(2))]),
    ("a bad second message", false, || vec![data(&message("ann")), data(&framed(b"\xff"))]),
    ("a cut message", false, || vec![data(&message("ann")[..7])]),
    ("a cut header", false, || vec![data(b"\0\0")]),
    ("a compressed message", false, || vec![data(b"\x01\0\0\0\0")]),
    ("an unknown flag", false, || vec![data(b"\x02\0\0\0\0")]),
    ("too long a message", false, || vec![data(b"\0\xff\0\0\0")]),
    ("trailers", false, || vec![data(&message("ann")), trailers()]),
    ("trailers alone", false, || vec![trailers()]),
    ("a fault", false, || vec![Err(Status::resource_exhausted("stalled"))]),
    ("a fault at the end", false, || {
        vec![data(&message("ann")), Err(Status::resource_exhausted("stalled"))]
    }),
    ("a reset", false, || vec![Err(Status::cancelled("reset"))]),
    ("a late reset", false, || vec![data(&message("ann")), Err(Status::cancelled("reset"))]),
];

/// A call as it leaves the call layer.
fn request(service: &Service, method: &str, frames: Frames) -> Request<Body> {
    let path = format!("deskplane.v1.AgentService/{method}");
    let rpc = Rpc::find(&path).unwrap();
    let credential = Credential::local(None, None).unwrap();
    let (times, correlation) = ((Instant::now(), None), &mut Correlation::default());
    let context = service.data.call_context(rpc, credential, None, times, correlation).unwrap();
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let mut request = Request::post(format!("/{path}")).body(body).unwrap();
    request.extensions_mut().insert(context);
    request
}

async fn with_user() -> Service {
    let service = service().await;
    let user = v1::User { id: "ann".into(), ..Default::default() };
    let message = v1::UpsertUserRequest { user: Some(user), ..Default::default() };
    let request = crate::service::tests::request(
        &service,
        "deskplane.v1.DirectoryService/UpsertUser",
        message,
    );
    call::<v1::UpsertUserResponse>(&service, request).await.unwrap();
    service
}

/// Everything of an answer that is seen on the wire; `resolve_time` is that of the clock.
async fn seen(answer: Response<AnswerBody>) -> (http::response::Parts, Vec<u8>, Option<HeaderMap>) {
    let (head, body) = answer.into_parts();
    let whole = body.collect().await.unwrap();
    let trailers = whole.trailers().cloned();
    let mut bytes = whole.to_bytes().to_vec();
    if bytes.len() > FRAME_HEADER {
        let answer = v1::ResolveProfileResponse::decode(&bytes[FRAME_HEADER..]);
        let mut answer = answer.unwrap();
        answer.profile.as_mut().unwrap().resolve_time = None;
        bytes = answer.encode_to_vec();
    }
    (head, bytes, trailers)
}

#[tokio::test]
async fn a_request_is_answered_as_by_the_methods_behind() {
    let service = with_user().await;
    // Both answers are of one request, as the call layer has it: refusals name it.
    let _entered = trace::enter(Arc::<Correlation>::default());
    for (what, is_fast, frames) in CASES {
        let mut methods = service.methods(4 << 20);
        let handed_on = AtomicUsize::new(0);
        let inner = service_fn(|request: Request<Body>| {
            handed_on.fetch_add(1, Ordering::Relaxed);
            methods.clone().call(request)
        });
        let mut fast = service.fast_path().layer(inner);
        let answer = fast.call(request(&service, "ResolveProfile", frames())).await.unwrap();
        assert_eq!(handed_on.load(Ordering::Relaxed), usize::from(!is_fast), "{what}");
        let expected = methods.call(request(&service, "ResolveProfile", frames())).await;
        let expected = expected.unwrap().map(AnswerBody::from);
        let (head, body, trailers) = seen(answer).await;
        let (expected_head, expected_body, expected_trailers) = seen(expected).await;
        assert_eq!(head.status, expected_head.status, "{what}");
        assert_eq!(head.headers, expected_head.headers, "{what}");
        assert_eq!(body, expected_body, "{what}");
        assert_eq!(trailers, expected_trailers, "{what}");
    }
}

#[tokio::test]
async fn what_is_encoded_or_another_method_is_handed_on() {
    let service = with_user().await;
    let inner = service_fn(|_: Request<Body>| ready(Ok(Response::new(Body::empty()))));
    let mut fast = service.fast_path().layer(inner);
    let frames = || vec![data(&message("ann"))];
    for (method, encoding, is_fast) in [
        ("ResolveProfile", Some("identity"), true),
        ("ResolveProfile", Some("gzip"), false),
        ("RenderSession", None, false),
    ] {
        let mut request = request(&service, method, frames());
        if let Some(encoding) = encoding {
            request.headers_mut().insert(ENCODING, encoding.parse().unwrap());
        }
        let answer = fast.call(request).await.unwrap();
        let handed_on = matches!(answer.body(), AnswerBody::Boxed(_));
        assert_eq!(handed_on, !is_fast, "{method} {encoding:?}");
    }
    let mut bare = request(&service, "ResolveProfile", frames());
    bare.extensions_mut().clear();
    let answer = fast.call(bare).await.unwrap();
    assert!(matches!(answer.body(), AnswerBody::Boxed(_)), "a call without a context");
}

/// The streams of a watch that was answered here are those of the hub, until the body is dropped.
#[tokio::test]
async fn a_dropped_body_ends_its_stream() {
    let service = with_user().await;
    let inner = service_fn(|_: Request<Body>| ready(Ok(Response::new(Body::empty()))));
    let mut fast = service.fast_path().layer(inner);
    let mut answer = fast.call(request(&service, "WatchProfile", vec![data(&message("ann"))]));
    let mut body = (&mut answer).await.unwrap().into_body();
    assert_eq!(service.hub.streams(), 1);
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let event = v1::WatchProfileResponse::decode(&first[FRAME_HEADER..]).unwrap().event;
    assert!(matches!(event, Some(v1::watch_profile_response::Event::Snapshot(_))), "{event:?}");
    drop(body);
    assert_eq!(service.hub.streams(), 0);
}
