//! Request ids in errors and log lines, traces through the server, and what the log never shows.

#[cfg(feature = "otlp")]
mod otlp;
mod redaction;
mod vendor;

use deskplane_proto::v1::{ResolveProfileRequest, agent_service_client::AgentServiceClient};
use serde_json::json;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{
    api::Api,
    process::Process,
    server::{As, Running},
};

/// A `traceparent` whose caller records the trace, in parts.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// The request id of an error, by its detail and by its header alike.
fn named(status: &Status) -> String {
    let details = status.get_error_details();
    let named = details.request_info().expect("it names its request").request_id.clone();
    assert_eq!(status.metadata().get("x-request-id").unwrap(), named.as_str());
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_names_its_request() {
    let server = Running::with(Vec::new()).await;
    let api = |caller: As| Api::of(&server, caller.with("x-request-id", "mine-1"));
    let admin = api(As::default());
    admin.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    let mut watcher = admin.watch("ann").await;
    watcher.snapshot().await;
    admin.ok("DeleteUser", json!({"name": "ann"})).await;
    let stream_end = watcher.next().await.unwrap_err();
    for (what, status) in [
        ("a handler", admin.call("ResolveProfile", json!({"user": "ann"})).await.unwrap_err()),
        ("a write", admin.call("DeleteUser", json!({"name": "bob"})).await.unwrap_err()),
        (
            "a scope",
            api(As::new(None, Some("agent"))).call("ListUsers", json!({})).await.unwrap_err(),
        ),
        (
            "a credential",
            api(As::new(None, Some("emperor"))).call("ListUsers", json!({})).await.unwrap_err(),
        ),
        (
            "the gate",
            api(As::default().with("origin", "https://evil.example"))
                .call("ListUsers", json!({}))
                .await
                .unwrap_err(),
        ),
        ("the end of a stream", stream_end),
    ] {
        assert_eq!(named(&status), "mine-1", "{what}");
    }
    let long = "x".repeat(65);
    for bad in ["a b", long.as_str()] {
        let caller = As::default().with("x-request-id", bad);
        let status = Api::of(&server, caller).call("ResolveProfile", json!({"user": "ann"})).await;
        let id = named(&status.unwrap_err());
        assert!(id.len() == 32 && id != bad, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_decode_names_its_request_too() {
    let server = Running::with(Vec::new()).await;
    let mut client =
        AgentServiceClient::new(server.channel(As::default())).max_encoding_message_size(8 << 20);
    let message = ResolveProfileRequest { user: "x".repeat(5 << 20), ..Default::default() };
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("x-request-id", "too-long".parse().unwrap());
    let status = client.resolve_profile(request).await.unwrap_err();
    assert_eq!(named(&status), "too-long");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_a_call_carry_its_id_and_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Process::spawn(folder.path(), &[("LOG", "deskplane=debug")]);
    let caller = As::default().with("x-request-id", "find-me");
    let caller = caller.with("traceparent", &traceparent("00"));
    let api = Api::over(server.connect().await, caller);
    api.refused("ResolveProfile", json!({"user": "nobody"})).await;
    let line = server.says("x_request_id=find-me");
    assert!(line.contains("refused") && line.ends_with(&format!("trace_id={TRACE}")), "{line}");
    let start = server.says("serving");
    assert!(!start.contains("x_request_id"), "no request: {start}");
    let api = Api::over(server.connect().await, As::default());
    let status = api.call("DeleteUser", json!({"name": "nobody"})).await.unwrap_err();
    let line = server.says(&format!("x_request_id={}", named(&status)));
    assert!(!line.contains("trace_id"), "{line}");
    server.signal("TERM");
    server.ends_within(crate::process::PATIENCE);
}
