//! The layer over every RPC of the table, in paused time.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    auth::{RPCS, SCOPES_KEY, USER_KEY},
    service::tests::service,
};

/// Records that its holder was dropped.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn request(rpc: &Rpc, headers: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::post(format!("/{}", rpc.path)).body(()).unwrap();
    for (key, value) in headers {
        request.headers_mut().append(*key, value.parse().unwrap());
    }
    request
}

/// The scopes that together may call everything.
const EVERYTHING: (&str, &str) = (SCOPES_KEY, "admin,service,agent");

/// Code, reason and metadata `outcome` of a status in headers or trailers.
fn refusal(headers: &HeaderMap) -> (Code, String, Option<String>) {
    let status = Status::from_header_map(headers).unwrap();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    (status.code(), info.reason.clone(), info.metadata.get("outcome").cloned())
}

fn exceeded(outcome: &str) -> (Code, String, Option<String>) {
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned(), Some(outcome.to_owned()))
}

/// Answers one call through the layer by a handler.
async fn call<F>(
    data: &Data,
    request: Request<()>,
    handler: impl FnOnce(CallContext) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let handler = Mutex::new(Some(handler));
    let inner = tower::service_fn(|mut request: Request<()>| {
        let context = request.extensions_mut().remove().unwrap();
        let answer = handler.lock().unwrap().take().unwrap()(context);
        async { Ok(answer.await) }
    });
    let tracer = Tracer::default();
    let layer = CallLayer::new(data.clone(), Credentials::default(), Arc::default(), tracer);
    layer.layer(inner).call(request).await.unwrap()
}

/// The request id that a status names, by its detail and by its header alike.
fn named(headers: &HeaderMap) -> String {
    let status = Status::from_header_map(headers).unwrap();
    let named = status.get_error_details().request_info().unwrap().request_id.clone();
    assert_eq!(headers[REQUEST_ID], named);
    named
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_request_wherever_it_is_made() {
    let data = service().await.data;
    let rpc = Rpc::find("deskplane.v1.AgentService/ResolveProfile").unwrap();
    let refuse = async |headers: &[(&'static str, &'static str)]| {
        let answer = call(&data, request(rpc, headers), async |_| {
            refused(&Refusal::new(crate::domain::Reason::UserNotFound, "No."))
        });
        named(answer.await.headers())
    };
    let sent = ("x-request-id", "of-the-caller");
    // Before the caller is known, for its scope, at its deadline, by the handler.
    for headers in [
        &[("x-deskplane-scopes", "emperor"), sent][..],
        &[(SCOPES_KEY, "directory"), sent],
        &[EVERYTHING, ("grpc-timeout", "0n"), sent],
        &[EVERYTHING, sent],
    ] {
        assert_eq!(refuse(headers).await, "of-the-caller", "{headers:?}");
    }
    let first = refuse(&[EVERYTHING, ("x-request-id", "with a blank")]).await;
    let second = refuse(&[EVERYTHING]).await;
    assert!(first.len() == 32 && second.len() == 32 && first != second, "{first} {second}");
}

#[tokio::test(start_paused = true)]
async fn a_sampled_call_has_a_span_below_that_of_its_caller() {
    let data = service().await.data;
    let rpc = Rpc::find("deskplane.v1.AgentService/ResolveProfile").unwrap();
    let (tracer, mut spans) = Tracer::exporting(0.0);
    let inner = tower::service_fn(async |_: Request<()>| {
        let child = trace::child(trace::Kind::Internal, || "child".to_owned());
        Ok(Response::new(match child {
            Some(_) => Body::empty(),
            None => refused(&Refusal::new(crate::domain::Reason::Internal, "No.")).into_body(),
        }))
    });
    let layer = CallLayer::new(data, Credentials::default(), Arc::default(), tracer);
    let mut layered = layer.layer(inner);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0";
    for flags in ["1", "0"] {
        let mut request = request(rpc, &[EVERYTHING]);
        let value = format!("{parent}{flags}").parse().unwrap();
        request.headers_mut().insert(trace::TRACE_PARENT, value);
        layered.call(request).await.unwrap();
    }
    layered.call(request(rpc, &[EVERYTHING])).await.unwrap();
    let (child, call) = (spans.finished.try_recv().unwrap(), spans.finished.try_recv().unwrap());
    assert_eq!((call.name.as_str(), call.parent), (rpc.path, Some(0xb7ad_6b71_6920_3331)));
    assert_eq!((child.name.as_str(), child.parent), ("child", Some(call.span_id)));
    for span in [&call, &child] {
        assert_eq!(span.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    }
    let code = ("rpc.grpc.status_code", trace::Value::Number(0));
    assert!(call.attributes.contains(&code), "{:?}", call.attributes);
    assert!(spans.finished.try_recv().is_err(), "calls that are not sampled have none");
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_at_its_deadline_and_leaves_nothing_behind() {
    let data = service().await.data;
    for rpc in RPCS {
        for (mark_dispatched, outcome) in [(false, "none"), (true, "unknown")] {
            let gone = Arc::new(AtomicBool::new(false));
            let held = Held(Arc::clone(&gone));
            let begun = Instant::now();
            let answer = call(
                &data,
                request(rpc, &[EVERYTHING, ("grpc-timeout", "200m")]),
                async |context| {
                    if mark_dispatched {
                        context.mark_dispatched();
                    }
                    pending::<()>().await;
                    drop(held);
                    Response::new(Body::empty())
                },
            );
            let answer = answer.await;
            let took = begun.elapsed();
            assert_eq!(refusal(answer.headers()), exceeded(outcome), "{}", rpc.path);
            let expected = Duration::from_millis(190)..Duration::from_millis(200);
            assert!(expected.contains(&took), "{}: {took:?}", rpc.path);
            assert!(gone.load(Ordering::Relaxed), "{} is still worked on", rpc.path);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_handler_sees_a_call_whose_deadline_has_passed() {
    let data = service().await.data;
    for rpc in RPCS {
        let answer = call(&data, request(rpc, &[EVERYTHING, ("grpc-timeout", "0n")]), async |_| {
            panic!("{} was handled", rpc.path)
        });
        assert_eq!(refusal(answer.await.headers()), exceeded("none"), "{}", rpc.path);
    }
}

#[tokio::test(start_paused = true)]
async fn every_stream_ends_at_its_deadline() {
    let data = service().await.data;
    let streams: Vec<_> = RPCS.iter().filter(|rpc| rpc.streams).collect();
    assert!(streams.len() >= 2, "{streams:?}");
    for rpc in streams {
        let gone = Arc::new(AtomicBool::new(false));
        let held = Held(Arc::clone(&gone));
        let begun = Instant::now();
        let answer =
            call(&data, request(rpc, &[EVERYTHING, ("grpc-timeout", "10S")]), async |_| {
                // Never silent and never at its end.
                let frames = stream::unfold(held, |held| async {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    let frame: Result<_, Status> = Ok(Frame::data(Bytes::from_static(b"message")));
                    Some((frame, held))
                });
                Response::new(Body::new(StreamBody::new(Box::pin(frames))))
            });
        let collected = answer.await.into_body().collect().await.unwrap();
        assert_eq!(refusal(collected.trailers().unwrap()), exceeded("none"), "{}", rpc.path);
        assert_eq!(begun.elapsed().as_secs(), 9, "{}", rpc.path);
        assert_eq!(collected.to_bytes().len(), 3 * b"message".len());
        assert!(gone.load(Ordering::Relaxed), "{} is still worked on", rpc.path);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_deadline_waits_as_long_as_it_takes() {
    let data = service().await.data;
    for rpc in RPCS {
        let answer = call(&data, request(rpc, &[EVERYTHING]), async |context| {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            assert_eq!(context.time_for_vendor(Duration::from_secs(10)), Duration::from_secs(10));
            Response::new(Body::empty())
        });
        assert!(answer.await.headers().is_empty(), "{}", rpc.path);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendor_must_answer_before_the_caller_gives_up() {
    let data = service().await.data;
    let longest = Duration::from_secs(10);
    for (given, least, most) in [("1S", 890, 900), ("50m", 40, 45), ("60S", 10_000, 10_000)] {
        let answer = call(
            &data,
            request(&RPCS[0], &[EVERYTHING, ("grpc-timeout", given)]),
            async |context| {
                let time = context.time_for_vendor(longest).as_millis();
                assert!((least..=most).contains(&time), "{given}: {time} ms");
                Response::new(Body::empty())
            },
        );
        assert!(answer.await.headers().is_empty(), "{given}");
    }
}

/// Authentication, then scope, both by the head: no handler sees a caller without any right.
#[tokio::test]
async fn every_call_is_refused_by_its_head_where_no_message_could_allow_it() {
    let data = service().await.data;
    type Case = (&'static [(&'static str, &'static str)], Code, &'static str);
    let cases: &[Case] = &[
        (&[(SCOPES_KEY, "")], Code::PermissionDenied, "SCOPE_REQUIRED"),
        (&[(SCOPES_KEY, "root")], Code::InvalidArgument, "FIELD_INVALID"),
        (&[(USER_KEY, "a b")], Code::InvalidArgument, "FIELD_INVALID"),
        (&[(USER_KEY, "ann"), (USER_KEY, "bob")], Code::InvalidArgument, "FIELD_INVALID"),
        (&[("grpc-timeout", "soon")], Code::InvalidArgument, "FIELD_INVALID"),
    ];
    for rpc in RPCS {
        for (headers, code, reason) in cases {
            let answer = call(&data, request(rpc, headers), async |_| {
                panic!("{} was handled with {headers:?}", rpc.path)
            });
            let (found, why, _) = refusal(answer.await.headers());
            assert_eq!((found, why.as_str()), (*code, *reason), "{} {headers:?}", rpc.path);
        }
    }
}

#[tokio::test]
async fn what_is_no_call_of_the_api_passes_as_it_is() {
    let data = service().await.data;
    let inner = tower::service_fn(async |request: Request<()>| {
        assert!(request.extensions().get::<CallContext>().is_none());
        Ok(Response::new(Body::empty()))
    });
    let tracer = Tracer::default();
    let layer = CallLayer::new(data, Credentials::default(), Arc::default(), tracer);
    let mut calls = layer.layer(inner);
    for path in ["/grpc.health.v1.Health/Check", "/webhooks/contoso_voice", "/deskplane.v1.No/No"] {
        let request = Request::post(path).header(USER_KEY, "a b").body(()).unwrap();
        assert!(calls.call(request).await.unwrap().headers().is_empty(), "{path}");
    }
}
