mod endpoints;
mod errors;
mod hostile;
mod plugin;

use std::{sync::Arc, time::Duration};

use self::plugin::{Act, Running, WEBHOOK_KEY, config, loopback, provider, setup};
use super::*;
use crate::{
    CallRef, CheckOutcome, Effect, Registry, Setup,
    http::{Exchange, Outcome, Outgoing, RequestTracer},
    kit,
    kit::adapters::Candidate,
};

fn second() -> Context {
    Context::within(Duration::from_secs(5))
}

fn start() -> StartCall {
    StartCall {
        call_id: uuid::Uuid::new_v4(),
        agent: "anna".to_owned(),
        to: "+14155550100".parse().unwrap(),
        from: Some("+14155550101".parse().unwrap()),
        context: [("case".to_owned(), "7".to_owned())].into(),
    }
}

fn call() -> CallRef {
    CallRef {
        call_id: uuid::Uuid::new_v4(),
        provider_call_id: "example-1".to_owned(),
        agent: "anna".to_owned(),
        to: "+14155550100".to_owned(),
        from: None,
        start_time: std::time::SystemTime::now(),
    }
}

/// What the kit needs to know of the example.
fn plan() -> kit::Plan {
    let body = r#"{"call":"example-1","key":"k","why":"x"}"#;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, WEBHOOK_KEY.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, body.as_bytes());
    let signature: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut plan = kit::Plan::new("anna");
    plan.to = Some("+14155550100".parse().unwrap());
    plan.busy = Some("sip:busy@example.com".parse().unwrap());
    plan.invalid = Some("sip:nobody@example.com".parse().unwrap());
    plan.secrets = vec![Secret::from("s3cret-token")];
    plan.webhooks = vec![kit::Sample {
        method: "POST".to_owned(),
        url: "https://desk.example.com/webhooks/example".to_owned(),
        headers: [("x-example-signature".to_owned(), signature)].into(),
        body: body.to_owned(),
        events: 1,
    }];
    plan
}

#[tokio::test]
async fn the_kit_finds_nothing_wrong_with_the_example() {
    let plugin = Running::start("s3cret-token").await;
    let token = Some(Secret::from("s3cret-token"));
    let external = connect(&plugin.endpoint, token, &loopback()).await.unwrap();
    let report = kit::run(&external, &plan()).await;
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.skipped(), 0, "{report}");
}

/// A configured provider, for the conformance kit.
pub(crate) async fn candidate() -> Candidate {
    let plugin = Running::start("s3cret-token").await;
    let setup = setup([(TOKEN, "s3cret-token")]);
    let config = config(&plugin.endpoint);
    // The plug-in runs as long as it is asked whether it complains, which it never does.
    Candidate::new(KIND, &config, setup, plan()).with(move || {
        let _running = &plugin;
        Vec::new()
    })
}

#[tokio::test]
async fn the_token_goes_with_every_request_and_is_shown_nowhere() {
    let plugin = Running::start("s3cret-token").await;
    for wrong in [None, Some("another")] {
        let wrong = wrong.map(Secret::from);
        let error = connect(&plugin.endpoint, wrong, &loopback()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    }
    let right = Some(Secret::from("s3cret-token"));
    let external = connect(&plugin.endpoint, right, &loopback()).await.unwrap();
    assert!(external.start_call(&second(), start()).await.is_ok());
    assert!(!format!("{external:?}").contains("s3cret"));
}

#[tokio::test]
async fn what_is_not_configured_is_not_asked_for() {
    let plugin = Running::start("").await;
    let text = format!(r#"{{"endpoint": "{}", "capabilities": ["END"]}}"#, plugin.endpoint);
    let external = provider(&text);
    let error = external.start_call(&second(), start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unsupported, Effect::None));
    assert_eq!(plugin.asked("StartCall"), 0);
    assert_eq!(external.capabilities(), [Capability::End].into());

    let checks = external.check(&second()).await;
    let outcomes: Vec<_> = checks.iter().map(|c| (c.name.as_ref(), c.outcome)).collect();
    let mismatch = CheckOutcome::Failed(ErrorKind::InvalidConfig);
    let expected =
        [("plugin", CheckOutcome::Ok), ("capabilities", mismatch), ("account", CheckOutcome::Ok)];
    assert_eq!(outcomes, expected);
    assert!(checks[1].detail.contains("not configured: CLIENT_TOKEN, DIAL"), "{checks:?}");
}

#[tokio::test]
async fn another_protocol_is_refused_before_anything_is_asked() {
    let plugin = Running::start("").await;
    let info = v1::InfoResponse { protocol_version: 2, ..Default::default() };
    plugin.script("Info", Act::message(&info));
    let external = provider(&config(&plugin.endpoint));
    let error = external.start_call(&second(), start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::InvalidConfig, Effect::None));
    assert!(error.message().contains("version 2"), "{error}");
    assert_eq!(plugin.asked("StartCall"), 0);
    let checks = external.check(&second()).await;
    assert_eq!(checks[0].outcome, CheckOutcome::Failed(ErrorKind::InvalidConfig));
    assert_eq!(checks[1].outcome, CheckOutcome::Skipped);
}

#[tokio::test]
async fn a_plugin_that_restarts_is_greeted_again() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    assert!(external.start_call(&second(), start()).await.is_ok());
    assert!(external.start_call(&second(), start()).await.is_ok());
    assert_eq!(plugin.asked("Info"), 1);
    let plugin = plugin.restart().await;
    while external.poll_call(&second(), &call()).await.is_err() {}
    assert!(external.start_call(&second(), start()).await.is_ok());
    assert!(plugin.asked("Info") >= 1);
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let registry = Registry::builtin();
    let adapter = registry.find(KIND).unwrap();
    let violations = |text: &str| {
        let violations = adapter.capabilities(text).unwrap_err();
        violations.into_iter().map(|violation| violation.path).collect::<Vec<_>>()
    };
    let text = r#"{"endpoint": "http://a:1", "capabilities": ["FLY"], "ca_pem": "x",
        "server_name": "a b", "deadline_ms": 5}"#;
    let all = violations(text);
    for path in ["capabilities", "ca_pem", "server_name", "deadline_ms"] {
        assert!(all.iter().any(|violation| violation == path), "{path} in {all:?}");
    }
    let endpoints = [
        "",
        "a:1",
        "ftp://a",
        "https://",
        "https://u@a",
        "https://a/path",
        "https://a?q",
        "https://a:0",
        "unix:relative",
        "unix:",
    ];
    for endpoint in endpoints {
        let text = format!(r#"{{"endpoint": "{endpoint}", "capabilities": []}}"#);
        assert_eq!(violations(&text), ["endpoint"], "{endpoint}");
    }
    for endpoint in
        ["https://a", "http://[::1]:7", "https://10.0.0.1:7001", "unix:/run/x", "unix:///run/x"]
    {
        let text = format!(r#"{{"endpoint": "{endpoint}", "capabilities": ["DIAL"]}}"#);
        assert_eq!(adapter.capabilities(&text).unwrap(), [Capability::Dial].into(), "{endpoint}");
    }
}

#[test]
fn secrets_that_cannot_be_used_are_a_wrong_configuration() {
    let registry = Registry::builtin();
    let adapter = registry.find(KIND).unwrap();
    let cases = [
        vec![(TOKEN, "two\nlines")],
        vec![(CLIENT_CERTIFICATE, "x")],
        vec![(CLIENT_KEY, "x")],
        vec![(CLIENT_CERTIFICATE, "x"), (CLIENT_KEY, "y")],
    ];
    for secrets in cases {
        let error = adapter.build(&config("https://127.0.0.1:1"), setup(secrets)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    }
    let _: Arc<dyn ChannelProvider> =
        adapter.build(&config("https://127.0.0.1:1"), setup([])).unwrap();
}

/// Names a trace, and notes how requests end.
#[derive(Debug, Clone, Default)]
struct Noted(Arc<std::sync::Mutex<Vec<String>>>);

impl Exchange for Noted {
    fn end(self: Box<Self>, outcome: Outcome) {
        self.0.lock().unwrap().push(format!("{outcome:?}"));
    }
}

impl RequestTracer for Noted {
    fn begin(
        &self,
        request: Outgoing<'_>,
        headers: &mut http::HeaderMap,
    ) -> Option<Box<dyn Exchange>> {
        self.0.lock().unwrap().push(request.method.to_owned());
        headers.insert("traceparent", http::HeaderValue::from_static("a-trace"));
        Some(Box::new(self.clone()))
    }
}

#[tokio::test]
async fn a_request_to_a_plug_in_names_its_trace() {
    let plugin = Running::start("").await;
    let noted = Noted::default();
    let setup = setup([]);
    let network = setup.network.traced(Arc::new(noted.clone()));
    let (config, builtin) = (config(&plugin.endpoint), Registry::builtin());
    let adapter = builtin.find(KIND).unwrap();
    let provider = adapter.build(&config, Setup { network, ..setup }).unwrap();
    plugin.script("EndCall", Act::Status(tonic::Status::not_found("gone")));
    provider.start_call(&second(), start()).await.unwrap();
    let _ = provider.end_call(&second(), &call()).await;
    let named = |method: &str| (method.to_owned(), "a-trace".to_owned());
    assert_eq!(plugin.traces(), [named("Info"), named("StartCall"), named("EndCall")]);
    let method = |name: &str| format!("deskplane.provider.v1.ChannelProviderPlugin/{name}");
    let noted = noted.0.lock().unwrap().clone();
    let expected = [
        method("Info"),
        "Answered".to_owned(),
        method("StartCall"),
        "Answered".to_owned(),
        method("EndCall"),
        "Status(5)".to_owned(),
    ];
    assert_eq!(noted, expected);
}
