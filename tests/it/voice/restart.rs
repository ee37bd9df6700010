//! Calls survive the server (SPEC §14.2, §14.3).

use std::{path::Path, sync::Arc, time::Duration};

use deskplane::{
    live,
    server::Voice,
    store::{Memory, io::Disk},
    voice::Log,
};
use deskplane_providers::fake::{Behaviour, Operation, VendorEvent};
use serde_json::json;

use super::{Desk, TO, request};
use crate::server::{Running, voice};

/// Voice that keeps its calls in a folder.
fn kept(folder: &Path) -> Voice {
    Voice {
        calls: Log::open(&deskplane::tasks::Tasks::default(), Arc::new(Disk), folder, |_| true)
            .unwrap(),
        ..voice()
    }
}

/// The same desk with a server of its own, over the store and the calls that the first one left.
async fn again(desk: Desk, store: Arc<Memory>, folder: &Path) -> Desk {
    let Desk { server, vendors } = desk;
    server.end().await;
    let server = Running::driving(store, live::Settings::default(), kept(folder)).await;
    Desk { server, vendors }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_calls_go_on_and_what_was_missed_is_caught_up() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new()));
    let desk = Desk::over(Arc::clone(&store), 1, kept(folder.path()), |_| json!({})).await;
    let asked = request(TO);
    let one = desk.anna().ok("StartCall", asked.clone()).await["call"].clone();
    let two = desk.start().await;
    desk.emit(&one, "bridged", "CALL_STATE_BRIDGED").await;
    let vendor = Arc::clone(&desk.vendors[0]);
    let Desk { server, vendors } = desk;
    server.end().await;
    // Nobody listens while the server is away.
    vendor.emit(&VendorEvent::of(two["provider_call_id"].as_str().unwrap(), "busy"));
    let server = Running::driving(store, live::Settings::default(), kept(folder.path())).await;
    let desk = Desk { server, vendors };
    let now = desk.until(&two, "CALL_STATE_ENDED").await;
    assert_eq!(now["cause"], "CALL_CAUSE_BUSY");
    let now = desk.anna().ok("GetCall", json!({"name": one["name"]})).await;
    assert_eq!((now["state"].as_str(), now["to"].as_str()), (Some("CALL_STATE_BRIDGED"), Some(TO)));
    let same = desk.anna().ok("StartCall", asked).await["call"].clone();
    assert_eq!(same["name"], one["name"], "the request is known over a restart");
    assert_eq!(vendor.dialled(TO), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_a_stop_cut_off_is_looked_up_and_not_repeated() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new()));
    let desk = Desk::over(Arc::clone(&store), 1, kept(folder.path()), |_| json!({})).await;
    let vendor = Arc::clone(&desk.vendors[0]);
    // The vendor takes the call, its answer is lost, and for now it answers no look-up either.
    vendor.set(Operation::StartCall, Behaviour::LostAnswer);
    vendor.set(Operation::PollCall, Behaviour::Hang);
    let asked = request(TO);
    desk.anna().call("StartCall", asked.clone()).await.unwrap_err();
    let desk = again(desk, store, folder.path()).await;
    vendor.set(Operation::PollCall, Behaviour::Good);
    let call = desk.anna().ok("StartCall", asked).await["call"].clone();
    desk.until(&call, "CALL_STATE_DIALING").await;
    assert_eq!(vendor.dialled(TO), 1, "the same request after a restart dials nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_vendor_never_got_ends_as_failed() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new()));
    let desk = Desk::over(store, 1, kept(folder.path()), |_| json!({})).await;
    desk.vendors[0].set(Operation::StartCall, Behaviour::LostRequest);
    let asked = request(TO);
    desk.anna().call("StartCall", asked.clone()).await.unwrap_err();
    let call = desk.anna().ok("StartCall", asked).await["call"].clone();
    assert_eq!(call["state"], "CALL_STATE_UNKNOWN");
    let ended = tokio::time::timeout(Duration::from_secs(60), async {
        let mut calls = desk.anna().stream("WatchCalls", json!({})).await;
        loop {
            let message = calls.next().await.unwrap();
            if message["call"]["state"] == "CALL_STATE_ENDED" {
                return message["call"].clone();
            }
        }
    });
    assert_eq!(ended.await.unwrap()["cause"], "CALL_CAUSE_FAILED");
    assert_eq!(desk.vendors[0].dialled(TO), 0);
}
