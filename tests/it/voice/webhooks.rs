//! What vendors post (SPEC §14.4).

mod crowd;

use std::{sync::Arc, time::Duration};

use deskplane::secrets::vault::{Environment, Settings, Vault};
use deskplane_providers::fake::{SIGNATURE, VendorEvent, sign};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Desk;
use crate::{
    api::Api,
    server::{As, voice},
};

const KEY: &str = "a-webhook-key";

/// A desk that vendors can reach.
async fn desk() -> Desk {
    let mut voice = voice();
    voice.public_url = Some("https://desk.example.com".to_owned());
    let environment =
        Environment::new(|name| (name == "DESKPLANE_SECRET_HOOK").then(|| KEY.to_owned()));
    let vault = Vault::new(Settings { environment, ..Settings::default() }).unwrap();
    voice.vault = Arc::new(vault);
    Desk::of(1, voice, |_| json!({"secrets": {"webhook_key": "env:DESKPLANE_SECRET_HOOK"}})).await
}

/// Sends a request by HTTP/1.1, signed when there is a key, and answers status and body.
async fn send(
    desk: &Desk,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &[u8],
) -> (u16, String) {
    let mut stream = TcpStream::connect(desk.server.address).await.unwrap();
    let signed = |key| format!("{SIGNATURE}: {}\r\n", sign(key, body));
    let signature = key.map(signed).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: desk.example.com\r\ncontent-length: {}\r\nconnection: close\r\n{signature}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that has refused already may not read the rest.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn body(events: &[VendorEvent]) -> Vec<u8> {
    serde_json::to_vec(events).unwrap()
}

fn inbound(id: &str, status: &str) -> VendorEvent {
    VendorEvent {
        inbound: true,
        agent: Some("ANNA".to_owned()),
        from: "+4930123".to_owned(),
        to: "+4930999".to_owned(),
        ..VendorEvent::of(id, status)
    }
}

const PATH: &str = "/webhooks/con_one";

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_event_is_applied_before_the_vendor_gets_its_answer() {
    let desk = desk().await;
    let call = desk.start().await;
    let id = call["provider_call_id"].as_str().unwrap();
    let events = body(&[VendorEvent::of(id, "ringing"), VendorEvent::of(id, "bridged")]);
    assert_eq!(send(&desk, "POST", PATH, Some(KEY), &events).await, (200, "taken".to_owned()));
    let now = desk.anna().ok("GetCall", json!({"name": call["name"]})).await;
    assert_eq!(now["state"], "CALL_STATE_BRIDGED");
    assert_eq!(send(&desk, "POST", PATH, Some(KEY), &events).await.0, 200, "a repetition is fine");
    let again = desk.anna().ok("GetCall", json!({"name": call["name"]})).await;
    assert_eq!(again, now, "and changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_outside_is_opened_for_the_agent_that_the_vendor_names() {
    let desk = desk().await;
    let mut calls = desk.anna().stream("WatchCalls", json!({})).await;
    assert_eq!(calls.next().await.unwrap()["in_sync"]["calls"], 0);
    let nobody = VendorEvent { agent: Some("nobody".to_owned()), ..inbound("in-2", "ringing") };
    for event in [nobody, VendorEvent::of("in-3", "ringing"), inbound("in-4", "completed")] {
        assert_eq!(send(&desk, "POST", PATH, Some(KEY), &body(&[event])).await.0, 200);
    }
    assert_eq!(
        send(&desk, "POST", PATH, Some(KEY), &body(&[inbound("in-1", "ringing")])).await.0,
        200
    );
    let call = calls.next().await.unwrap()["call"].clone();
    assert_eq!(
        (
            call["direction"].as_str(),
            call["state"].as_str(),
            call["user"].as_str(),
            call["from"].as_str()
        ),
        (
            Some("CALL_DIRECTION_INBOUND"),
            Some("CALL_STATE_RINGING"),
            Some("anna"),
            Some("+4930123")
        ),
        "{call}"
    );
    let all = desk.admin().ok("ListCalls", json!({})).await["calls"].clone();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_the_answer_is_the_same() {
    let desk = desk().await;
    let call = desk.start().await;
    let events = body(&[VendorEvent::of(call["provider_call_id"].as_str().unwrap(), "completed")]);
    let huge = vec![b' '; 1 << 20];
    let cases: [(&str, &str, Option<&str>, &[u8]); 8] = [
        ("POST", PATH, None, &events),
        ("POST", PATH, Some("another-key"), &events),
        ("POST", PATH, Some(KEY), b"nonsense"),
        ("POST", PATH, Some(KEY), &huge),
        ("POST", "/webhooks/con_none", Some(KEY), &events),
        ("POST", "/webhooks/msdyn_omnichannel", Some(KEY), &events),
        ("POST", "/webhooks/a%20b", Some(KEY), &events),
        ("GET", PATH, None, &events),
    ];
    for (method, path, key, bytes) in cases {
        let (status, text) = send(&desk, method, path, key, bytes).await;
        assert_eq!(
            (status, text.as_str()),
            (403, ""),
            "{method} {path} {key:?} {} bytes",
            bytes.len()
        );
    }
    let now: Value = desk.anna().ok("GetCall", json!({"name": call["name"]})).await;
    assert_eq!(now["state"], "CALL_STATE_DIALING", "nothing of it is applied");
    desk.admin().ok("DeactivateChannelProvider", json!({"name": "con_one"})).await;
    assert_eq!(send(&desk, "POST", PATH, Some(KEY), &events).await, (403, String::new()));
}

/// The entries of refused webhooks, once an entry of another caller that comes after them is there.
async fn refusals(desk: &Desk, by: &str) -> Vec<Value> {
    Api::of(&desk.server, As::new(Some(by), Some("agent"))).refused("ListTeams", json!({})).await;
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let rows = desk.admin().ok("ListAuditEntries", json!({"actor": by})).await;
            if !rows["entries"].as_array().unwrap().is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("the entry of the caller is written");
    let rows = desk.admin().ok("ListAuditEntries", json!({"operation": "webhook"})).await;
    rows["entries"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_4_a_refused_webhook_is_audited_with_provider_address_and_cause() {
    let desk = desk().await;
    let event = body(&[VendorEvent::of("a-call", "ringing")]);
    assert_eq!(send(&desk, "POST", PATH, Some(KEY), &event).await.0, 200, "has no entry");
    let long = format!("/webhooks/{}", "x".repeat(5_000));
    let cases: [(&str, &str, Option<&str>, &[u8]); 7] = [
        ("POST", PATH, None, &event),
        ("POST", PATH, Some("other"), &event),
        ("POST", PATH, Some(KEY), b"nonsense"),
        ("GET", PATH, None, &event),
        ("POST", "/webhooks/con_none", None, &event),
        ("POST", "/webhooks/a%20b", None, &event),
        ("POST", &long, None, &event),
    ];
    let one = json!(["channelProviders/con_one"]);
    let expected = [
        ("WEBHOOK_UNSIGNED", one.clone()),
        ("WEBHOOK_SIGNATURE_INVALID", one.clone()),
        ("WEBHOOK_MALFORMED", one.clone()),
        ("WEBHOOK_MALFORMED", one),
        ("WEBHOOK_NOT_OFFERED", json!(["channelProviders/con_none"])),
        ("WEBHOOK_NOT_OFFERED", json!([])),
        ("WEBHOOK_NOT_OFFERED", json!([])),
    ];
    let revision = desk.admin().revision().await;
    for (method, path, key, bytes) in cases {
        assert_eq!(send(&desk, method, path, key, bytes).await.0, 403);
    }
    let found = refusals(&desk, "carl").await;
    let mut written: Vec<_> = found
        .iter()
        .flat_map(|row| {
            assert_eq!((&row["actor"], &row["scope"]), (&json!(""), &json!("")), "{row}");
            assert_eq!(row["outcome"], "AUDIT_OUTCOME_DENIED");
            assert_eq!(row["revision"], revision);
            assert!(row["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{row}");
            let times = 1 + row["repeats"].as_u64().unwrap();
            (0..times).map(|_| (row["error_reason"].to_string(), row["resources"].to_string()))
        })
        .collect();
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(reason, resources)| (json!(reason).to_string(), resources.to_string()))
        .collect();
    written.sort_unstable();
    expected.sort_unstable();
    assert_eq!(written, expected);
    let one = json!({"resource": "channelProviders/con_one", "outcome": "AUDIT_OUTCOME_DENIED"});
    let rows = desk.admin().ok("ListAuditEntries", one).await;
    assert!(rows["entries"].as_array().unwrap().len() >= 3, "found by its resource: {rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_4_refused_webhooks_are_limited_by_provider() {
    let desk = desk().await;
    for at in 0..15 {
        assert_eq!(send(&desk, "POST", &format!("/webhooks/no_{at}"), None, b"[]").await.0, 403);
        assert_eq!(send(&desk, "POST", PATH, None, b"[]").await.0, 403);
    }
    let rows = refusals(&desk, "carl").await;
    let about = |known: bool| {
        let of =
            rows.iter().filter(|row| (row["resources"][0] == "channelProviders/con_one") == known);
        of.map(|row| 1 + row["repeats"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((about(true), about(false)), (10, 10), "posts to other names take nothing from it");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_in_a_burst_leave_nothing_behind() {
    let desk = desk().await;
    let call = desk.start().await;
    let id = call["provider_call_id"].as_str().unwrap().to_owned();
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let burst = async |count: usize, base: usize| {
        let sent = (0..50).map(|lane| {
            let (desk, id) = (&desk, &id);
            async move {
                let mut taken = 0;
                for at in (lane..count).step_by(50) {
                    let event = VendorEvent {
                        key: (base + at).to_string(),
                        ..VendorEvent::of(id, "ringing")
                    };
                    taken += usize::from(
                        send(desk, "POST", PATH, Some(KEY), &body(&[event])).await.0 == 200,
                    );
                }
                taken
            }
        });
        futures_util::future::join_all(sent).await.into_iter().sum::<usize>()
    };
    assert_eq!(burst(2_000, 0).await, 2_000);
    let before = resident();
    assert_eq!(burst(10_000, 2_000).await, 10_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more; other tests of this process share them");
}
