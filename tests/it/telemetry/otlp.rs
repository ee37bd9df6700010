//! Traces as a collector gets them.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value,
    trace::v1::{Span, span::SpanKind},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use super::{PARENT, TRACE, traceparent, vendor};
use crate::{
    api::Api,
    process::{PATIENCE, Process},
    server::As,
};

/// A collector that keeps what it gets.
#[derive(Debug, Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    /// Names of the services, and the token that each request showed.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let token = request.metadata().get("x-token").map(|token| token.to_str().unwrap());
        let token = token.unwrap_or_default().to_owned();
        for of_resource in request.into_inner().resource_spans {
            let service = text(&of_resource.resource.unwrap().attributes, "service.name");
            self.seen.lock().unwrap().push((service, token.clone()));
            let spans = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
            self.spans.lock().unwrap().extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(self.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        url
    }

    /// The only span of that name. A batch that is not answered in time is sent again, so one span may
    /// come more than once.
    fn one(&self, name: &str) -> Span {
        let spans = self.spans.lock().unwrap();
        let mut named: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        named.sort_by_key(|span| span.span_id.clone());
        named.dedup_by_key(|span| span.span_id.clone());
        assert_eq!(named.len(), 1, "{name} among {spans:#?}");
        named[0].clone()
    }
}

fn text(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()?.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn end(mut server: Process) {
    server.signal("TERM");
    assert!(server.ends_within(PATIENCE).0.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_spans_of_a_call_below_that_of_its_caller() {
    let (collector, (vendor, _)) = (Collector::default(), vendor::vendor().await);
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "x-token: letmein\n").unwrap();
    let mut serve = crate::process::command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    serve.arg(folder.path().join("data")).env("DESKPLANE_SECRET_PBX", "pbx");
    for (name, value) in [
        ("STORE__MIN_FREE_MIB", "0"),
        ("VOICE__ALLOW_PROVIDER_NET", "127.0.0.0/8"),
        ("TELEMETRY__ENDPOINT", &collector.serve().await),
        ("TELEMETRY__SAMPLE_PER_MILLION", "0"),
        ("TELEMETRY__SERVICE_NAME", "desk-1"),
        ("TELEMETRY__HEADERS_FILE", headers.to_str().unwrap()),
    ] {
        serve.env(format!("DESKPLANE_{name}"), value);
    }
    let server = Process::of(serve);
    let channel = server.connect().await;
    let plain = Api::over(channel.clone(), As::default());
    let traced = As::default().with("traceparent", &traceparent("01"));
    let traced = Api::over(channel, traced.with("x-request-id", "mine"));
    traced.ok("CreateChannelProvider", vendor::provider(&vendor)).await;
    plain.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    traced.call("ResolveProfile", json!({"user": "nobody"})).await.unwrap_err();
    plain.ok("VerifyProvider", json!({"name": "con_pbx"})).await;
    traced.ok("VerifyProvider", json!({"name": "con_pbx"})).await;
    let mut watcher = plain.watch("ann").await;
    watcher.snapshot().await;
    drop((plain, traced, watcher));
    end(server);

    for span in collector.spans.lock().unwrap().iter() {
        assert_eq!(hex(&span.trace_id), TRACE, "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    let verify = collector.one("deskplane.v1.ProviderService/VerifyProvider");
    assert_eq!(hex(&verify.parent_span_id), PARENT);
    assert_eq!(verify.kind(), SpanKind::Server);
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "deskplane.v1.ProviderService"),
        ("rpc.method", "VerifyProvider"),
        ("rpc.grpc.status_code", "0"),
        ("deskplane.request_id", "mine"),
    ] {
        assert_eq!(text(&verify.attributes, key), value, "{key}");
    }
    let spans = collector.spans.lock().unwrap().clone();
    let asked: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Client).collect();
    assert!(!asked.is_empty());
    for request in asked {
        assert_eq!(request.parent_span_id, verify.span_id, "{request:?}");
        assert_eq!(text(&request.attributes, "server.address"), "127.0.0.1");
        assert_eq!(text(&request.attributes, "http.response.status_code"), "200");
    }
    let resolve = collector.one("deskplane.v1.AgentService/ResolveProfile");
    assert_eq!(text(&resolve.attributes, "rpc.grpc.status_code"), "5");
    assert!(resolve.status.is_none(), "it is no failure of the server");
    let create = collector.one("deskplane.v1.ProviderService/CreateChannelProvider");
    assert_eq!(collector.one("ledger.commit").parent_span_id, create.span_id);
    let seen = collector.seen.lock().unwrap().clone();
    assert!(
        !seen.is_empty() && seen.iter().all(|seen| *seen == ("desk-1".into(), "letmein".into()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_a_trace_are_sampled_by_the_ratio() {
    let (collector, folder) = (Collector::default(), tempfile::tempdir().unwrap());
    let url = collector.serve().await;
    let all = [("TELEMETRY__ENDPOINT", url.as_str()), ("TELEMETRY__SAMPLE_PER_MILLION", "1000000")];
    let server = Process::spawn(folder.path(), &all);
    let api = Api::over(server.connect().await, As::default());
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    api.ok("ResolveProfile", json!({"user": "ann"})).await;
    let unsampled = As::default().with("traceparent", &traceparent("00"));
    Api::over(server.connect().await, unsampled).ok("ListUsers", json!({})).await;
    drop(api);
    end(server);
    let resolve = collector.one("deskplane.v1.AgentService/ResolveProfile");
    assert!(resolve.parent_span_id.is_empty() && hex(&resolve.trace_id) != TRACE);
    let spans = collector.spans.lock().unwrap();
    assert!(spans.iter().all(|span| !span.name.contains("ListUsers")), "its caller said no");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_scim_and_webhooks_have_spans_by_their_routes() {
    let (collector, folder) = (Collector::default(), tempfile::tempdir().unwrap());
    let url = collector.serve().await;
    let settings = [
        ("TELEMETRY__ENDPOINT", url.as_str()),
        ("TELEMETRY__SAMPLE_PER_MILLION", "0"),
        ("SCIM__ENABLED", "true"),
    ];
    let server = Process::spawn(folder.path(), &settings);
    let parent = traceparent("01");
    for (request, expected) in [
        ("GET /scim/v2/Users/ann", 404),
        ("GET /scim/v2/Users?count=1", 200),
        ("DELETE /scim/v2/Groups/1/2", 404),
        ("GET /scim/v2/Schemas", 200),
        ("BREW /scim/v2/ann", 404),
        ("POST /webhooks/ann", 403),
    ] {
        let head = format!(
            "{request} HTTP/1.1\r\nhost: localhost\r\ntraceparent: {parent}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{request}: {answer}");
    }
    end(server);
    for (name, method, status) in [
        ("GET /scim/v2/Users/{id}", "GET", "404"),
        ("GET /scim/v2/Users", "GET", "200"),
        ("DELETE /scim/v2/Groups/{id}", "DELETE", "404"),
        ("GET /scim/v2", "GET", "200"),
        ("_OTHER /scim/v2", "_OTHER", "404"),
        ("POST /webhooks/{provider}", "POST", "403"),
    ] {
        let span = collector.one(name);
        assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), PARENT.into()));
        assert_eq!(text(&span.attributes, "http.request.method"), method, "{name}");
        assert_eq!(text(&span.attributes, "http.response.status_code"), status, "{name}");
        assert!(!format!("{span:?}").contains("ann"), "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{unused}");
    let all = [
        ("TELEMETRY__ENDPOINT", url.as_str()),
        ("TELEMETRY__SAMPLE_PER_MILLION", "1000000"),
        ("METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let server = Process::spawn(folder.path(), &all);
    let api = Api::over(server.connect().await, As::default());
    for _ in 0..100 {
        api.ok("GetSettings", json!({})).await;
    }
    server.says("the collector takes no traces");
    api.ok("GetSettings", json!({})).await;
    drop(api);
    end(server);
}

#[test]
fn files_for_the_collector_are_judged_with_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (config, headers) = (folder.path().join("c.toml"), folder.path().join("headers"));
    let text = format!(
        "[telemetry]\nendpoint = \"http://127.0.0.1:4317\"\nheaders_file = \"{}\"\n",
        headers.display()
    );
    std::fs::write(&config, text).unwrap();
    let judge = || {
        let args = ["serve", "--check-config", "--config", config.to_str().unwrap()];
        let output = crate::process::command(&args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let missing = judge();
    assert!(missing.0 == Some(64) && missing.1.contains("`telemetry`"), "{missing:?}");
    std::fs::write(&headers, "x-token: a-secret\nwrong-a-secret\n").unwrap();
    let wrong = judge();
    assert!(wrong.0 == Some(64) && wrong.1.contains("line 2"), "{wrong:?}");
    assert!(!wrong.1.contains("a-secret"), "{wrong:?}");
    std::fs::write(&headers, "x-token: a-secret\n").unwrap();
    assert_eq!(judge().0, Some(0));
}
