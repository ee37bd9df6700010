//! Webhooks beside others that are slow, wrong or stuck.

use std::time::{Duration, Instant};

use deskplane_providers::fake::VendorEvent;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Desk, KEY, PATH, body, desk, send};

/// Time in which a webhook has its answer, however many others are there.
const AT_ONCE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends the head of a request and a first byte of its body.
async fn begin(desk: &Desk, method: &str, path: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(desk.server.address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: desk.example.com\r\ncontent-length: {length}\r\n\r\n["
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The status of an answer that comes although the body never does.
async fn status(stream: &mut TcpStream, within: Duration) -> Option<u16> {
    let mut answer = [0; 12];
    timeout(within, stream.read_exact(&mut answer)).await.ok()?.ok()?;
    std::str::from_utf8(&answer[9..]).unwrap().parse().ok()
}

/// Posts an event of a call that rings, and has the answer at once.
async fn post_event(desk: &Desk, key: usize) {
    let event = VendorEvent { key: key.to_string(), ..VendorEvent::of("unknown", "ringing") };
    let begun = Instant::now();
    let answer = timeout(PATIENCE, send(desk, "POST", PATH, Some(KEY), &body(&[event]))).await;
    assert_eq!(answer.unwrap().0, 200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_hold_up_no_others() {
    let desk = desk().await;
    let mut slow = Vec::new();
    for _ in 0..70 {
        slow.push(begin(&desk, "POST", PATH, 1_000).await);
    }
    post_event(&desk, 0).await;
    // More than are read at a time: the oldest give way.
    for _ in 0..600 {
        slow.push(begin(&desk, "POST", PATH, 1_000).await);
    }
    post_event(&desk, 1).await;
    assert_eq!(status(&mut slow[0], PATIENCE).await, Some(403));
    for byte in 0..3 {
        for stream in &mut slow {
            let _ = stream.write_all(b" ").await;
        }
        post_event(&desk, 2 + byte).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up() {
    let desk = desk().await;
    let begun = Instant::now();
    let mut slow = begin(&desk, "POST", PATH, 1_000).await;
    assert_eq!(status(&mut slow, PATIENCE).await, Some(403));
    assert!(begun.elapsed() > Duration::from_secs(5), "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    let closed = timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_head_shows_is_refused_before_the_body() {
    let desk = desk().await;
    let asterisk = json!({"channel_provider": {
        "unique_name": "con_desk", "display_name": "Desk", "label": "Desk",
        "channel_url": "https://voice.example.com", "adapter": "asterisk",
        "config": json!({"base_url": "http://127.0.0.1:9", "user": "desk", "app": "desk",
            "agent_endpoint": "PJSIP/{agent}", "trunk_endpoint": "PJSIP/{number}@trunk"}).to_string(),
        "secrets": {"password": "env:DESKPLANE_SECRET_HOOK"},
    }});
    desk.admin().ok("CreateChannelProvider", asterisk).await;
    for (method, path, length) in [
        ("POST", "/webhooks/con_none", 1_000),
        ("POST", "/webhooks/con_desk", 1_000),
        ("POST", "/webhooks/nonsense", 1_000),
        ("GET", PATH, 1_000),
        ("PUT", PATH, 1_000),
        ("POST", PATH, (64 << 10) + 1),
        ("POST", PATH, 1 << 40),
    ] {
        let mut stream = begin(&desk, method, path, length).await;
        let status = status(&mut stream, AT_ONCE).await;
        assert_eq!(status, Some(403), "{method} {path}, {length} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nearly_an_address_is_none() {
    let desk = desk().await;
    let events = body(&[VendorEvent::of("unknown", "ringing")]);
    for path in [
        "/webhooks/",
        "/webhooks/con_one/",
        "/webhooks/con_one//",
        "/webhooks//con_one",
        "/webhooks/con_one/con_one",
        "/webhooks/x/y",
        "/webhooks/con%5Fone",
        "/webhooks/%63on_one",
        "/webhooks/con_one%2F",
        "/webhooks/con_one%00",
        "/webhooks/con_one;a=b",
        "/webhooks/../webhooks/con_one",
        "/webhooks/./con_one",
        "/webhooks/%2e%2e/webhooks/con_one",
        "/webhooks/con_one\\",
        "/Webhooks/con_one",
        "//webhooks/con_one",
        "/webhooks%2Fcon_one",
    ] {
        for method in ["POST", "GET"] {
            let (status, _) = send(&desk, method, path, Some(KEY), &events).await;
            assert!((400..500).contains(&status), "{method} {path}: {status}");
        }
    }
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "post"] {
        let (status, _) = send(&desk, method, PATH, Some(KEY), &events).await;
        assert!((400..500).contains(&status), "{method}: {status}");
    }
    let local = "POST /webhooks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let mut stream = TcpStream::connect(desk.server.address).await.unwrap();
    stream.write_all(local.as_bytes()).await.unwrap();
    assert_eq!(status(&mut stream, PATIENCE).await, Some(403));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_hangs_holds_up_its_own_webhooks_only() {
    let desk = desk().await;
    // A plug-in that takes connections and says nothing.
    let plugin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", plugin.local_addr().unwrap());
    let provider = json!({"channel_provider": {
        "unique_name": "con_plugin", "display_name": "Plug-in", "label": "Plug-in",
        "channel_url": "https://voice.example.com", "adapter": "external",
        "config": json!({"endpoint": endpoint, "capabilities": []}).to_string(),
    }});
    desk.admin().ok("CreateChannelProvider", provider).await;
    let mut stuck = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(desk.server.address).await.unwrap();
        let head = "POST /webhooks/con_plugin HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(head.as_bytes()).await.unwrap();
        stuck.push(stream);
    }
    // Those that find no place are turned away at once, so that they are all there by then.
    let mut turned_away = 0;
    for stream in stuck.iter_mut().rev().take(72) {
        turned_away += usize::from(status(stream, AT_ONCE).await == Some(503));
    }
    assert!(turned_away > 0);
    post_event(&desk, 0).await;
}
