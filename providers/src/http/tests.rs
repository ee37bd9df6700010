use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Request};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, path},
};

use super::*;

fn loopback() -> Network {
    Network::new(Policy::allowing(["127.0.0.0/8".parse().unwrap()]), &[]).unwrap()
}

async fn get(network: &Network, url: &str) -> Result<Answer> {
    network.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

#[tokio::test]
async fn private_addresses_are_refused_whatever_they_are_called() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    let network = Network::new(Policy::default(), &[]).unwrap();
    let port = server.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        let error = get(&network, &format!("http://{host}:{port}/")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::InvalidConfig, Effect::None),
            "{host}"
        );
        assert!(error.message().contains("--allow-provider-net"), "{error}");
    }
    assert_eq!(
        network.connect("localhost", port).await.unwrap_err().kind(),
        ErrorKind::InvalidConfig
    );
}

#[tokio::test]
async fn an_allowed_network_is_reached() {
    let server = MockServer::start().await;
    let body = r#"{"a": 1}"#;
    Mock::given(path("/x"))
        .respond_with(ResponseTemplate::new(201).set_body_string(body))
        .mount(&server)
        .await;
    let answer = get(&loopback(), &format!("{}/x", server.uri())).await.unwrap();
    assert_eq!(answer.status.as_u16(), 201);
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["a"], 1);
    loopback().connect("127.0.0.1", server.address().port()).await.unwrap();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = MockServer::start().await;
    for (status, effect) in [
        (301, Effect::None),
        (302, Effect::Unknown),
        (303, Effect::Unknown),
        (307, Effect::None),
        (308, Effect::None),
    ] {
        let there = format!("{}/there", server.uri());
        Mock::given(path(format!("/{status}")))
            .respond_with(ResponseTemplate::new(status).insert_header("location", there))
            .mount(&server)
            .await;
        let error = get(&loopback(), &format!("{}/{status}", server.uri())).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Protocol, effect), "{status}");
    }
    Mock::given(path("/there"))
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&server)
        .await;
}

#[tokio::test]
async fn a_huge_or_broken_answer_is_a_protocol_error() {
    let server = MockServer::start().await;
    let huge = vec![b'x'; MAX_ANSWER_BYTES + 1];
    Mock::given(path("/huge"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(huge))
        .mount(&server)
        .await;
    let html = ResponseTemplate::new(200).set_body_string("<html>secret page</html>");
    Mock::given(path("/html")).respond_with(html).mount(&server).await;
    let error = get(&loopback(), &format!("{}/huge", server.uri())).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Protocol, Effect::Unknown));
    let answer = get(&loopback(), &format!("{}/html", server.uri())).await.unwrap();
    let error = answer.json::<serde_json::Value>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(!error.message().contains("secret page"), "{error}");
}

/// A server that reads one request and then does this with the connection.
async fn raw(answer: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(answer).await.unwrap();
    });
    url
}

#[tokio::test]
async fn what_broke_after_it_was_sent_may_have_been_carried_out() {
    let cases: [(&[u8], ErrorKind); 3] = [
        (b"", ErrorKind::Unavailable),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345", ErrorKind::Protocol),
        (b"SIP/2.0 200 OK\r\n\r\n", ErrorKind::Protocol),
    ];
    for (bytes, kind) in cases {
        let error = get(&loopback(), &raw(bytes).await).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, Effect::Unknown), "{error}");
    }
}

#[tokio::test]
async fn what_was_never_sent_was_not_carried_out() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [format!("http://{closed}/"), "http://no-such-host.invalid/".to_owned()] {
        let error = get(&loopback(), &url).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Unavailable, Effect::None),
            "{error}"
        );
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (text, expected) in [
        ("120", Some(120)),
        (" 3 ", Some(3)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
        ("soon", None),
        ("-1", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(text));
        assert_eq!(retry_after(&headers, now).map(|after| after.as_secs()), expected, "{text}");
    }
}

/// Names a trace, and notes how requests end.
#[derive(Debug, Default, Clone)]
struct Noted(Arc<std::sync::Mutex<Vec<String>>>);

impl Exchange for Noted {
    fn end(self: Box<Self>, outcome: Outcome) {
        self.0.lock().unwrap().push(format!("{outcome:?}"));
    }
}

impl RequestTracer for Noted {
    fn begin(&self, request: Outgoing<'_>, headers: &mut HeaderMap) -> Option<Box<dyn Exchange>> {
        let Outgoing { method, server, .. } = request;
        self.0.lock().unwrap().push(format!("{method} {}", server.unwrap().0));
        headers.insert("traceparent", HeaderValue::from_static("a-trace"));
        Some(Box::new(self.clone()))
    }
}

#[tokio::test]
async fn a_request_names_its_trace_and_its_end_is_noted() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::header("traceparent", "a-trace"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let noted = Noted::default();
    let network = loopback().traced(Arc::new(noted.clone()));
    get(&network, &server.uri()).await.unwrap();
    drop(server);
    get(&network, "http://127.0.0.1:1/").await.unwrap_err();
    let noted = noted.0.lock().unwrap().clone();
    assert_eq!(noted, ["GET 127.0.0.1", "Status(204)", "GET 127.0.0.1", "Failed"]);
}
