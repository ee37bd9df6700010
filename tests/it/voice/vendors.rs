//! A vendor that is broken or slow holds up nobody else.

use std::time::{Duration, Instant};

use deskplane_providers::fake::{Behaviour, Operation};
use serde_json::json;
use tonic::Code;

use super::{Desk, TO, request};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_while_live_calls_are_looked_up_some_at_a_time() {
    let desk = Desk::with(1).await;
    let mut calls = Vec::new();
    for _ in 0..12 {
        calls.push(desk.start().await);
    }
    let vendor = &desk.vendors[0];
    vendor.set(Operation::PollCall, Behaviour::Hang);
    vendor.hang_up_listeners();
    // The server comes back, and asks for so many calls at once; none is answered.
    let asking = async {
        while vendor.listeners() == 0 || vendor.asked(Operation::PollCall) < 8 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asking)
        .await
        .expect("they are asked for at once");
    let begun = Instant::now();
    desk.emit(&calls[11], "bridged", "CALL_STATE_BRIDGED").await;
    assert!(begun.elapsed() < Duration::from_secs(4), "the first look-up ends after 5 s");
    assert_eq!(vendor.asked(Operation::PollCall), 8, "the others wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_hangs_for_ever_delays_nobody_else() {
    let desk = Desk::with(2).await;
    let (anna, admin) = (desk.anna(), desk.admin());
    for operation in
        [Operation::StartCall, Operation::Check, Operation::MintClientToken, Operation::Events]
    {
        desk.vendors[0].set(operation, Behaviour::Hang);
    }
    let mut watcher = anna.watch("anna").await;
    watcher.snapshot().await;
    let hanging: Vec<_> = (0..20)
        .map(|_| {
            let (anna, mut asked) = (anna.clone(), request(TO));
            asked["provider"] = "con_one".into();
            tokio::spawn(async move { anna.call("StartCall", asked).await })
        })
        .collect();
    let begun = Instant::now();
    for at in 0..20 {
        anna.ok("ResolveProfile", json!({})).await;
        let mut asked = request(TO);
        asked["provider"] = "con_two".into();
        anna.ok("StartCall", asked).await;
        let label = json!({"channel_provider": {"unique_name": "con_two", "label": format!("V{at}")}, "update_mask": "label"});
        admin.ok("UpdateChannelProvider", label).await;
        watcher.snapshot().await;
    }
    let took = begun.elapsed();
    // All of it together is done while the first vendor has not answered once: its requests take 10 s.
    assert!(
        took < Duration::from_secs(9) && hanging.iter().all(|call| !call.is_finished()),
        "{took:?}"
    );
    for call in hanging {
        let status = call.await.unwrap().unwrap_err();
        assert!(
            matches!(status.code(), Code::Aborted | Code::ResourceExhausted | Code::Unavailable),
            "{status}"
        );
    }
}
