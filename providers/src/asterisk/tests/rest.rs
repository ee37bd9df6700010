//! Answers of the REST interface, one by one.

use serde_json::Value;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, method, path, path_regex},
};

use super::*;
use crate::{CheckOutcome, ConfigViolation, Effect, ErrorKind, Presence};

/// An Asterisk that hears the application, and answers the start of a call so.
async fn answering(answer: ResponseTemplate) -> (MockServer, Protected) {
    let server = MockServer::start().await;
    Mock::given(path("/ari/applications/deskplane"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let provider = asterisk(&format!("{}/ari", server.uri()));
    (server, provider)
}

async fn posted(server: &MockServer) -> usize {
    let all = server.received_requests().await.unwrap();
    all.iter().filter(|request| request.method.as_str() == "POST").count()
}

#[tokio::test]
async fn each_refusal_of_a_start_has_its_kind() {
    let message = |status: u16, text: &str| {
        ResponseTemplate::new(status).set_body_json(json!({"message": text}))
    };
    let failed = ResponseTemplate::new(500).set_body_json(json!({"error": "Allocation failed"}));
    let cases = [
        (message(400, "Endpoint must be specified"), ErrorKind::InvalidArgument),
        (message(401, "Authentication required"), ErrorKind::Unauthenticated),
        (message(403, "Write access denied"), ErrorKind::PermissionDenied),
        (message(404, "Resource not found"), ErrorKind::NotFound),
        (message(412, "Channel in invalid state"), ErrorKind::Conflict),
        (message(422, "Invalid endpoint"), ErrorKind::InvalidArgument),
        (ResponseTemplate::new(405).set_body_string("<html>"), ErrorKind::Refused),
        (failed, ErrorKind::InvalidArgument),
    ];
    for (answer, kind) in cases {
        let (server, provider) = answering(answer).await;
        let error = provider.start_call(&cx(), dial(1, "anna")).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, Effect::None), "{error}");
        assert!(error.vendor_code().is_some());
        assert_eq!(posted(&server).await, 1, "{error}");
        assert!(!provider.is_open());
    }
}

#[tokio::test]
async fn a_typing_error_does_not_open_the_breaker() {
    let failed = ResponseTemplate::new(500).set_body_json(json!({"error": "Allocation failed"}));
    let (_server, provider) = answering(failed).await;
    for call in 0..20 {
        let error = provider.start_call(&cx(), dial(call, "anna")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(!provider.is_open());
}

#[tokio::test]
async fn a_start_is_repeated_under_the_same_name() {
    let id = format!("dp-{}-a", Uuid::from_u128(1));
    let server = MockServer::start().await;
    let app = ResponseTemplate::new(200).set_body_json(json!({}));
    Mock::given(method("GET")).respond_with(app).mount(&server).await;
    let trouble = ResponseTemplate::new(502).set_body_string("bad gateway");
    Mock::given(path(format!("/ari/channels/{id}")))
        .respond_with(trouble)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let exists = json!({"message": "Channel with given unique ID already exists"});
    Mock::given(path(format!("/ari/channels/{id}")))
        .respond_with(ResponseTemplate::new(409).set_body_json(exists))
        .mount(&server)
        .await;
    let provider = asterisk(&format!("{}/ari/", server.uri()));
    let started = provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    assert_eq!(started, Started { provider_call_id: id, state: CallState::Dialing });
    assert_eq!(posted(&server).await, 2);
}

#[tokio::test]
async fn limits_of_a_proxy_are_kept() {
    for (answer, after) in [
        (ResponseTemplate::new(429).insert_header("retry-after", "7"), Some(7)),
        (ResponseTemplate::new(429), None),
    ] {
        let (server, _) = answering(answer).await;
        let provider = bare(&format!("{}/ari", server.uri()));
        let error = provider.start_call(&cx(), dial(1, "anna")).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::RateLimited, Effect::None));
        assert_eq!(error.retry_after(), after.map(Duration::from_secs));
    }
}

#[tokio::test]
async fn nonsense_is_a_protocol_error_whose_outcome_is_unknown() {
    let cases = [
        ResponseTemplate::new(200).set_body_string("<html>Welcome</html>"),
        ResponseTemplate::new(200).set_body_json(json!({"id": "another"})),
        ResponseTemplate::new(200).set_body_bytes(vec![b'x'; (1 << 20) + 1]),
        ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/"),
    ];
    for answer in cases {
        let (server, _) = answering(answer).await;
        let provider = bare(&format!("{}/ari", server.uri()));
        let error = provider.start_call(&cx(), dial(1, "anna")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Protocol, Effect::Unknown),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_deadline_and_a_dropped_request_leaves_nothing() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let (server, provider) = answering(slow).await;
    let cx = Context::within(Duration::from_millis(100));
    let error = provider.start_call(&cx, dial(1, "anna")).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::Unknown));
    let cx = super::cx();
    let dropped = provider.start_call(&cx, dial(2, "anna"));
    assert!(tokio::time::timeout(Duration::from_millis(50), dropped).await.is_err());
    assert!(posted(&server).await <= 2);
    assert!(!provider.is_open());
}

#[tokio::test]
async fn arguments_are_judged_before_anything_is_sent() {
    let (server, provider) = answering(ResponseTemplate::new(200)).await;
    for agent in ["", "anna@trunk", "anna/x", "anna,x", "anna&b"] {
        let error = provider.start_call(&cx(), dial(1, agent)).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::InvalidArgument, Effect::None));
    }
    let uri = StartCall { to: "sip:help@example.com".parse().unwrap(), ..dial(1, "anna") };
    let error = provider.start_call(&cx(), uri).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn checks_name_what_is_wrong() {
    use CheckOutcome::{Failed, Ok, Skipped};
    let server = MockServer::start().await;
    let pong = ResponseTemplate::new(200).set_body_json(json!({"ping": "pong"}));
    Mock::given(path("/ari/asterisk/ping")).respond_with(pong).mount(&server).await;
    let denied =
        ResponseTemplate::new(403).set_body_json(json!({"message": "Write access denied"}));
    Mock::given(method("POST")).respond_with(denied).mount(&server).await;
    Mock::given(path("/ari/asterisk/info"))
        .respond_with(ResponseTemplate::new(200).set_body_string("?"))
        .mount(&server)
        .await;
    let outcomes = async |base: &str| -> Vec<(String, CheckOutcome)> {
        let checks = asterisk(base).check(&cx()).await;
        assert!(checks.iter().all(|check| !check.detail.contains(SECRET)));
        checks.into_iter().map(|check| (check.name.into_owned(), check.outcome)).collect()
    };
    let expected = vec![
        ("reach".to_owned(), Ok),
        ("version".to_owned(), Failed(ErrorKind::Protocol)),
        ("permission".to_owned(), Failed(ErrorKind::PermissionDenied)),
        ("events".to_owned(), Skipped),
    ];
    assert_eq!(outcomes(&format!("{}/ari", server.uri())).await, expected);

    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let expected = vec![
        ("reach".to_owned(), Failed(ErrorKind::Unauthenticated)),
        ("version".to_owned(), Skipped),
        ("permission".to_owned(), Skipped),
        ("events".to_owned(), Skipped),
    ];
    assert_eq!(outcomes(&format!("{}/ari", server.uri())).await, expected);
}

#[tokio::test]
async fn presences_are_device_states() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path_regex("^/ari/deviceStates/Stasis:anna$"))
        .and(header("authorization", "Basic ZGVzazpwQHNzOncwcmQtb2YtYXJp"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let provider = asterisk(&format!("{}/ari", server.uri()));
    for presence in Presence::ALL {
        let request = SetPresence { agent: "anna".to_owned(), presence: *presence };
        provider.set_presence(&cx(), request).await.unwrap();
    }
    let sent = server.received_requests().await.unwrap();
    let states: Vec<_> = sent.iter().filter_map(|request| request.url.query()).collect();
    let expected = ["NOT_INUSE", "BUSY", "BUSY", "UNAVAILABLE", "UNAVAILABLE"];
    assert_eq!(states, expected.map(|state| format!("deviceState={state}")));
}

#[tokio::test]
async fn channels_are_states() {
    let id = format!("dp-{}-a", Uuid::from_u128(1));
    for (state, expected) in [
        ("Down", CallState::Dialing),
        ("Ring", CallState::Ringing),
        ("Ringing", CallState::Ringing),
        ("Up", CallState::Answered),
        ("Pre-ring", CallState::Dialing),
    ] {
        let server = MockServer::start().await;
        let channel = ResponseTemplate::new(200).set_body_json(json!({"id": id, "state": state}));
        Mock::given(path(format!("/ari/channels/{id}"))).respond_with(channel).mount(&server).await;
        let provider = asterisk(&format!("{}/ari", server.uri()));
        for provider_call_id in [id.as_str(), ""] {
            let call = CallRef { provider_call_id: provider_call_id.to_owned(), ..call_ref(1) };
            let status = provider.poll_call(&cx(), &call).await.unwrap().unwrap();
            assert_eq!((status.state, status.provider_call_id.as_str()), (expected, id.as_str()));
        }
        let other = provider.poll_call(&cx(), &call_ref(2)).await.unwrap();
        assert_eq!(other, None);
    }
}

#[test]
fn all_mistakes_of_a_configuration_are_named_at_once() {
    let paths = |config: Value| -> Vec<String> {
        let violations: Vec<ConfigViolation> =
            Adapter::of::<Asterisk>().capabilities(&config.to_string()).err().unwrap_or_default();
        violations.into_iter().map(|violation| violation.path).collect()
    };
    let good = json!({
        "base_url": "https://pbx.example.com:8089/ari", "app": "desk-plane_1", "user": "desk",
        "agent_endpoint": "PJSIP/{agent}", "trunk_endpoint": "PJSIP/{number}@trunk",
    });
    assert_eq!(paths(good.clone()), Vec::<String>::new());
    let bad = json!({
        "base_url": "https://user:pw@pbx/ari?x", "app": "desk plane", "user": "a:b",
        "agent_endpoint": "PJSIP/anna", "trunk_endpoint": "PJSIP/{number}@{number}",
        "sip_endpoint": "{uri}", "caller_id": "a\nb", "ring_timeout_s": 0,
        "transfer_context": "a,b",
    });
    let all = [
        "agent_endpoint",
        "app",
        "base_url",
        "caller_id",
        "ring_timeout_s",
        "sip_endpoint",
        "transfer_context",
        "trunk_endpoint",
        "user",
    ];
    assert_eq!(paths(bad), all);
    for (field, value) in [
        ("password", json!("x")),
        ("presence", json!({"BUSY": "ON_FIRE"})),
        ("presence", json!({"ASLEEP": "BUSY"})),
        ("base_url", json!("ftp://pbx/ari")),
        ("base_url", json!("pbx.example.com")),
    ] {
        let mut config = good.clone();
        config[field] = value;
        assert_eq!(paths(config).len(), 1, "{field}");
    }
}

#[test]
fn the_password_is_never_printed() {
    let provider = asterisk("http://127.0.0.1:1/ari");
    let printed = format!("{provider:?} {provider:#?}");
    let base64 = "ZGVzazpwQHNzOncwcmQtb2YtYXJp";
    assert!(!printed.contains(SECRET) && !printed.contains(base64), "{printed}");
}
