use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{Effect, ErrorKind, layers::Protected};

use super::*;

/// Path to which calls are posted.
fn dials() -> String {
    account("/Calls.json")
}

async fn start_at(server: &MockServer) -> Result<Started> {
    twilio_of(&server.uri(), config()).start_call(&cx(), start()).await
}

fn protected(url: &str) -> Protected {
    Protected::new(Arc::new(twilio_of(url, config())), "contoso_voice", secrets())
}

#[tokio::test]
async fn every_documented_refusal_is_told_apart() {
    use ErrorKind::{
        Conflict, InvalidArgument, InvalidConfig, PermissionDenied, RateLimited, Refused,
        Unauthenticated, Unavailable,
    };
    for (status, code, kind, effect) in [
        (400, Some(21201), InvalidArgument, Effect::None),
        (400, Some(21210), InvalidArgument, Effect::None),
        (400, Some(21211), InvalidArgument, Effect::None),
        (400, Some(21212), InvalidArgument, Effect::None),
        (400, Some(21214), InvalidArgument, Effect::None),
        (400, Some(21217), InvalidArgument, Effect::None),
        (400, Some(21215), Refused, Effect::None),
        (403, Some(21215), Refused, Effect::None),
        (400, Some(21216), Refused, Effect::None),
        (400, Some(21219), Refused, Effect::None),
        (400, Some(21220), Conflict, Effect::None),
        (400, Some(99999), Refused, Effect::None),
        (400, None, Refused, Effect::None),
        (401, Some(20003), Unauthenticated, Effect::None),
        (401, None, Unauthenticated, Effect::None),
        (403, Some(20006), PermissionDenied, Effect::None),
        (404, Some(20404), InvalidConfig, Effect::None),
        (409, None, Conflict, Effect::None),
        (429, Some(20429), RateLimited, Effect::None),
        (400, Some(22005), RateLimited, Effect::None),
        (408, None, ErrorKind::Timeout, Effect::Unknown),
        (500, Some(20500), Unavailable, Effect::Unknown),
        (503, Some(20429), Unavailable, Effect::Unknown),
        (502, None, Unavailable, Effect::Unknown),
    ] {
        let server = MockServer::start().await;
        let body = json!({"code": code, "message": "why not", "more_info": "", "status": status});
        answers(&server, "POST", &dials(), status, &body, 1).await;
        let error = start_at(&server).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{status} {code:?}");
        assert_eq!(error.vendor_code(), code.map(|code| code.to_string()).as_deref());
        assert!(error.message().contains("why not"), "{error}");
        assert_eq!(error.retry_after(), None);
    }
}

#[tokio::test]
async fn a_refusal_need_not_be_json() {
    for body in ["", "<html>Bad Gateway</html>", "[]", r#"{"code": "x"}"#, "null"] {
        for (status, kind) in [(401, ErrorKind::Unauthenticated), (502, ErrorKind::Unavailable)] {
            let server = MockServer::start().await;
            let answer = ResponseTemplate::new(status).set_body_string(body);
            Mock::given(matchers::any()).respond_with(answer).expect(1).mount(&server).await;
            let error = start_at(&server).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{body}");
            assert!(!error.message().contains("html"), "{error}");
        }
    }
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    for (text, expected) in [
        (None, None),
        (Some("7"), Some(7)),
        (Some("Tue, 14 Nov 2023 22:13:50 GMT"), Some(30)),
        (Some("soon"), None),
    ] {
        let server = MockServer::start().await;
        let mut answer = ResponseTemplate::new(429);
        if let Some(text) = text {
            answer = answer.insert_header("retry-after", text);
        }
        Mock::given(matchers::any()).respond_with(answer).expect(1).mount(&server).await;
        let error = start_at(&server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.retry_after().map(|after| after.as_secs()), expected, "{text:?}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_outcome_open() {
    let mut huge = leg(LEG, "queued");
    huge["to_formatted"] = json!("x".repeat(1 << 20));
    for body in ["", "<html>", "{}", r#"{"sid": "CA1"}"#, r#"{"sid": 7}"#, &huge.to_string()] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(201).set_body_string(body);
        Mock::given(matchers::any()).respond_with(answer).expect(1).mount(&server).await;
        let error = start_at(&server).await.unwrap_err();
        let place = &body[..body.len().min(20)];
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Protocol, Effect::Unknown),
            "{place}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_refused() {
    let server = MockServer::start().await;
    let elsewhere = format!("{}/elsewhere", server.uri());
    let answer = ResponseTemplate::new(302).insert_header("location", elsewhere);
    Mock::given(matchers::path(dials())).respond_with(answer).expect(1).mount(&server).await;
    let error = start_at(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Protocol, Effect::Unknown));
}

/// A server that reads what comes, answers with this and goes away; or never answers at all.
async fn raw(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8192];
            let read = stream.read(&mut request).await;
            match answer {
                Some(answer) if read.is_ok() => _ = stream.write_all(answer).await,
                _ => silent.push(stream),
            }
        }
    });
    url
}

#[tokio::test]
async fn what_breaks_after_it_was_sent_may_ring_and_what_never_was_sent_does_not() {
    let cut = b"HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"sid\": \"CA";
    for (answer, kind) in [(&cut[..], ErrorKind::Protocol), (&b""[..], ErrorKind::Unavailable)] {
        let twilio = twilio_of(&raw(Some(answer)).await, config());
        let error = twilio.start_call(&cx(), start()).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, Effect::Unknown));
        let error = twilio.poll_call(&cx(), &call(LEG)).await.unwrap_err();
        assert_eq!(error.effect(), Effect::None, "asking does nothing");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let twilio = twilio_of(&format!("http://{closed}"), config());
    let error = twilio.start_call(&cx(), start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None));
}

#[tokio::test]
async fn behind_its_layers_a_dial_is_never_repeated() {
    for status in [500, 503, 201] {
        let server = MockServer::start().await;
        answers(&server, "POST", &dials(), status, &json!({}), 1).await;
        let error = protected(&server.uri()).start_call(&cx(), start()).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::OutcomeUnknown, Effect::Unknown));
    }
    for status in [400, 401, 403] {
        let server = MockServer::start().await;
        answers(&server, "POST", &dials(), status, &json!({}), 1).await;
        let error = protected(&server.uri()).start_call(&cx(), start()).await.unwrap_err();
        assert_eq!(error.effect(), Effect::None);
    }
}

#[tokio::test]
async fn behind_its_layers_a_dial_that_was_certainly_refused_is_tried_again() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0");
    Mock::given(matchers::any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    answers(&server, "POST", &dials(), 201, &leg(LEG, "queued"), 1).await;
    let started = protected(&server.uri()).start_call(&cx(), start()).await.unwrap();
    assert_eq!(started.provider_call_id, LEG);
}

#[tokio::test]
async fn a_vendor_that_never_answers_is_given_up_at_the_deadline() {
    let url = raw(None).await;
    let soon = || Context::within(Duration::from_millis(200));
    let begun = std::time::Instant::now();
    let error = protected(&url).start_call(&soon(), start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::OutcomeUnknown, Effect::Unknown));
    let error = protected(&url).end_call(&soon(), &call(LEG)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(201)
        .set_body_json(leg(LEG, "queued"))
        .set_delay(Duration::from_secs(30));
    Mock::given(matchers::any()).respond_with(slow).up_to_n_times(1).mount(&server).await;
    answers(&server, "POST", &dials(), 201, &leg(OTHER, "queued"), 1).await;
    let twilio = twilio_of(&server.uri(), config());
    let cx = cx();
    let gone = tokio::time::timeout(Duration::from_millis(200), twilio.start_call(&cx, start()));
    gone.await.unwrap_err();
    let started = twilio.start_call(&cx, start()).await.unwrap();
    assert_eq!(started.provider_call_id, OTHER, "the next answer is the next call's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_get_their_own_answers() {
    let server = MockServer::start().await;
    // The SID is made from the user who calls.
    let own = |request: &wiremock::Request| {
        let form: Vec<_> = url::form_urlencoded::parse(&request.body).collect();
        let sid = form[0].1.replace("client:", "CA");
        ResponseTemplate::new(201).set_body_json(leg(&sid, "queued"))
    };
    Mock::given(matchers::path(dials())).respond_with(own).expect(40).mount(&server).await;
    let twilio = Arc::new(twilio_of(&server.uri(), config()));
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let twilio = Arc::clone(&twilio);
            tokio::spawn(async move {
                let agent = format!("{number:032x}");
                let request = StartCall { agent: agent.clone(), ..start() };
                (agent, twilio.start_call(&cx(), request).await.unwrap().provider_call_id)
            })
        })
        .collect();
    for call in calls {
        let (agent, sid) = call.await.unwrap();
        assert_eq!(sid, format!("CA{agent}"));
    }
}

#[tokio::test]
async fn nothing_secret_is_in_what_is_printed() {
    let server = MockServer::start().await;
    let echo = json!({"code": 20003, "message": "no such secret: key-secret-1f2e3d"});
    answers(&server, "POST", &dials(), 401, &echo, 1).await;
    let protected = protected(&server.uri());
    let error = protected.start_call(&cx(), start()).await.unwrap_err();
    let printed = format!("{error} {error:?} {protected:?} {:?}", twilio_of("http://a", config()));
    for secret in ["key-secret", "auth-token", "shared-key", "Basic "] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
