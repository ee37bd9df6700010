//! WatchCalls, by its numbered promises.

use std::time::Duration;

use deskplane_providers::fake::VendorEvent;
use serde_json::json;
use tonic::Code;

use super::Desk;
use crate::{
    api::{Api, Stream, reason},
    server::As,
};

async fn next(stream: &mut Stream) -> serde_json::Value {
    tokio::time::timeout(Duration::from_secs(10), stream.next()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_live_calls_come_first_then_every_change() {
    let desk = Desk::with(1).await;
    let (one, two) = (desk.start().await, desk.start().await);
    desk.emit(&two, "completed", "CALL_STATE_ENDED").await;
    let mut calls = desk.anna().stream("WatchCalls", json!({})).await;
    assert_eq!(
        next(&mut calls).await["call"]["name"],
        one["name"],
        "those that are over are not sent"
    );
    assert_eq!(next(&mut calls).await["in_sync"]["calls"], 1);
    let three = desk.start().await;
    let call = next(&mut calls).await["call"].clone();
    assert_eq!(call["name"], three["name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_sequence_numbers_rise_and_the_newest_state_comes_in_the_end() {
    let desk = Desk::with(1).await;
    let call = desk.start().await;
    let mut calls = desk.anna().stream("WatchCalls", json!({})).await;
    let id = call["provider_call_id"].as_str().unwrap();
    for status in ["ringing", "answered", "bridged", "held", "bridged", "completed"] {
        desk.vendors[0].emit(&VendorEvent::of(id, status));
    }
    let mut last = 0;
    loop {
        let message = next(&mut calls).await;
        if message.get("in_sync").is_some_and(|sync| !sync.is_null()) {
            continue;
        }
        let sequence = message["call"]["sequence"].as_i64().unwrap();
        assert!(sequence > last, "{message} after {last}");
        last = sequence;
        if message["call"]["state"] == "CALL_STATE_ENDED" {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_every_end_has_its_reason() {
    let desk = Desk::with(1).await;
    let admin = desk.admin();
    let end = async |mut calls: Stream| loop {
        match tokio::time::timeout(Duration::from_secs(10), calls.next()).await.unwrap() {
            Ok(_) => {}
            Err(status) => return (status.code(), reason(&status)),
        }
    };
    let own = Api::of(&desk.server, As::new(Some("anna"), None));
    let calls = own.stream("WatchCalls", json!({})).await;
    admin.ok("SetUserRoles", json!({"name": "anna", "roles": ["msdyn_basic_user"]})).await;
    assert_eq!(end(calls).await, (Code::PermissionDenied, "SCOPE_REVOKED".to_owned()));
    let service = Api::of(&desk.server, As::new(None, Some("service")));
    let calls = service.stream("WatchCalls", json!({"user": "anna"})).await;
    admin.ok("DeleteUser", json!({"name": "anna"})).await;
    assert_eq!(end(calls).await, (Code::NotFound, "USER_DELETED".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_a_planned_end_is_announced() {
    let mut desk = Desk::with(1).await;
    let mut calls = desk.anna().stream("WatchCalls", json!({})).await;
    next(&mut calls).await;
    desk.server.stop();
    assert!(next(&mut calls).await["drain"]["reconnect_after"].is_string());
    let status = calls.next().await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "DRAINING"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_no_more_streams_than_the_organisation_allows() {
    let desk = Desk::with(1).await;
    desk.admin().ok("UpdateSettings", json!({"settings": {"max_streams_per_user": 2}})).await;
    let (anna, mut held) = (desk.anna(), Vec::new());
    for _ in 0..2 {
        let mut calls = anna.stream("WatchCalls", json!({})).await;
        next(&mut calls).await;
        held.push(calls);
    }
    let refused = anna.refused("WatchCalls", json!({})).await;
    assert_eq!(refused, (Code::ResourceExhausted, "TOO_MANY_STREAMS".to_owned()));
}
