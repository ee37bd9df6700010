//! The trace of a call in requests to vendors.

use std::sync::{Arc, Mutex};

use deskplane::{
    live,
    secrets::vault::{Environment, Settings, Vault},
    store::Memory,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{PARENT, TRACE, traceparent};
use crate::{
    api::Api,
    server::{As, Running, voice},
};

/// A vendor that answers everything with an empty object, and the heads of what it was asked.
pub(super) async fn vendor() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ari", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heads = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heads = Arc::clone(&heads);
            tokio::spawn(async move {
                let (mut read, mut chunk) = (Vec::new(), [0; 4_096]);
                while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                    read.extend_from_slice(&chunk[..count]);
                    if read.ends_with(b"\r\n\r\n") {
                        let head = String::from_utf8(std::mem::take(&mut read)).unwrap();
                        heads.lock().unwrap().push(head);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            });
        }
    });
    (url, asked)
}

/// A provider at that vendor.
pub(super) fn provider(url: &str) -> serde_json::Value {
    let config = json!({
        "base_url": url, "app": "deskplane", "user": "desk", "agent_endpoint": "PJSIP/{agent}",
        "trunk_endpoint": "PJSIP/{number}@trunk",
    });
    json!({"channel_provider": {
        "unique_name": "con_pbx", "display_name": "PBX", "label": "PBX", "adapter": "asterisk",
        "channel_url": "https://voice.example.com", "config": config.to_string(),
        "secrets": {"password": "env:DESKPLANE_SECRET_PBX"},
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_sees_the_trace_of_the_call_that_it_is_asked_for() {
    let (url, asked) = vendor().await;
    let environment =
        Environment::new(|name| (name == "DESKPLANE_SECRET_PBX").then(|| "pbx".to_owned()));
    let mut voice = voice();
    let vault = Vault::new(Settings { environment, ..Settings::default() }).unwrap();
    voice.vault = Arc::new(vault);
    let server = Running::driving(Arc::new(Memory::new()), live::Settings::default(), voice).await;
    Api::admin(&server).ok("CreateChannelProvider", provider(&url)).await;
    let heads = || std::mem::take(&mut *asked.lock().unwrap());
    let verify = json!({"name": "con_pbx"});
    heads();
    Api::admin(&server).ok("VerifyProvider", verify.clone()).await;
    let before = heads();
    assert!(!before.is_empty() && before.iter().all(|head| !head.contains("traceparent")));
    let caller = As::default().with("traceparent", &traceparent("00"));
    let caller = caller.with("tracestate", "contoso=1");
    Api::of(&server, caller).ok("VerifyProvider", verify).await;
    // Without an exporter the server has no span of its own, so the vendor's parent is the caller's.
    let expected = format!("traceparent: 00-{TRACE}-{PARENT}-00\r\n");
    let traced: Vec<_> = heads().into_iter().filter(|head| head.contains(&expected)).collect();
    assert!(!traced.is_empty());
    assert!(traced.iter().all(|head| head.contains("tracestate: contoso=1\r\n")), "{traced:?}");
}
