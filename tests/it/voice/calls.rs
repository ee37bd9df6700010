//! Calls from their start to their end.

use deskplane_providers::{
    Presence,
    fake::{Behaviour, Operation},
};
use serde_json::{Value, json};
use tonic::Code;

use super::{Desk, TO, provider, request};
use crate::{
    api::{Api, reason},
    server::{As, voice},
};

fn refusal(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_started_held_transferred_and_ended() {
    let desk = Desk::with(1).await;
    let anna = desk.anna();
    let mut asked = request(TO);
    asked["context"] = json!({"case": "42"});
    let call = anna.ok("StartCall", asked).await["call"].clone();
    assert_eq!(
        (
            call["user"].as_str(),
            call["provider"].as_str(),
            call["state"].as_str(),
            call["to"].as_str()
        ),
        (Some("anna"), Some("channelProviders/con_one"), Some("CALL_STATE_DIALING"), Some(TO)),
        "{call}"
    );
    assert_eq!(call["context"]["case"], "42");
    let name = json!({"name": call["name"]});
    let refused = anna.refused("HoldCall", name.clone()).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "CALL_STATE"));
    let call = desk.emit(&call, "bridged", "CALL_STATE_BRIDGED").await;
    assert!(call["answer_time"].is_string(), "{call}");

    let held = anna.ok("HoldCall", name.clone()).await;
    assert_eq!(
        (held["changed"].as_bool(), held["call"]["state"].as_str()),
        (Some(true), Some("CALL_STATE_HELD"))
    );
    assert_eq!(anna.ok("HoldCall", name.clone()).await["changed"], false);
    assert_eq!(anna.ok("ResumeCall", name.clone()).await["changed"], true);
    assert_eq!(anna.ok("ResumeCall", name.clone()).await["changed"], false);

    let transfer =
        |blind| json!({"name": call["name"], "to": "sip:second@example.com", "blind": blind});
    let refused = anna.refused("TransferCall", transfer(false)).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "CAPABILITY_UNSUPPORTED"));
    let handed = anna.ok("TransferCall", transfer(true)).await;
    assert_eq!(handed["call"]["state"], "CALL_STATE_TRANSFERRING");

    let ended = anna.ok("EndCall", name.clone()).await;
    assert_eq!(
        (ended["changed"].as_bool(), ended["call"]["cause"].as_str()),
        (Some(true), Some("CALL_CAUSE_NORMAL"))
    );
    assert_eq!(anna.ok("EndCall", name.clone()).await["changed"], false);
    let refused = anna.refused("HoldCall", name).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "CALL_STATE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_never_dials_twice() {
    let desk = Desk::with(1).await;
    let anna = desk.anna();
    let asked = request(TO);
    let copies = (0..16).map(|_| anna.call("StartCall", asked.clone()));
    let calls: Vec<_> = futures_util::future::join_all(copies)
        .await
        .into_iter()
        .map(|call| call.unwrap()["call"]["name"].clone())
        .collect();
    assert!(calls.windows(2).all(|two| two[0] == two[1]), "{calls:?}");
    assert_eq!(anna.ok("StartCall", asked.clone()).await["call"]["name"], calls[0]);
    assert_eq!(desk.vendors[0].dialled(TO), 1);

    let mut other = asked.clone();
    other["to"] = "+14155550199".into();
    let refused = anna.refused("StartCall", other).await;
    assert_eq!(refused, refusal(Code::InvalidArgument, "REQUEST_ID_REUSED"));
    // Another caller's ids are his own.
    let service = Api::of(&desk.server, As::new(None, Some("service")));
    let mut theirs = asked;
    theirs["user"] = "anna".into();
    service.ok("StartCall", theirs).await;
    assert_eq!(desk.vendors[0].dialled(TO), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_reconciled_and_never_dialled_again() {
    let desk = Desk::with(1).await;
    let anna = desk.anna();
    for (behaviour, dialled, state) in [
        (Behaviour::LostAnswer, 1, "CALL_STATE_DIALING"),
        (Behaviour::Nonsense, 2, "CALL_STATE_DIALING"),
    ] {
        desk.vendors[0].set(Operation::StartCall, behaviour);
        let asked = request(TO);
        let refused = anna.call("StartCall", asked.clone()).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "OUTCOME_UNKNOWN"));
        let call = anna.ok("StartCall", asked.clone()).await["call"].clone();
        desk.until(&call, state).await;
        assert_eq!(desk.vendors[0].dialled(TO), dialled, "{behaviour:?}");
        assert_eq!(anna.ok("StartCall", asked).await["call"]["state"], state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_certainly_did_not_begin_may_be_tried_again() {
    let desk = Desk::with(1).await;
    let anna = desk.anna();
    let cases = [
        (Behaviour::Refuse, Code::FailedPrecondition, "PROVIDER_REFUSED"),
        (Behaviour::Credentials, Code::PermissionDenied, "PROVIDER_CREDENTIALS"),
        (Behaviour::Unavailable, Code::Unavailable, "PROVIDER_DOWN"),
        (Behaviour::RateLimited, Code::ResourceExhausted, "PROVIDER_RATE_LIMITED"),
    ];
    for (behaviour, code, why) in cases {
        desk.vendors[0].set(Operation::StartCall, behaviour);
        let mut asked = request(TO);
        asked["provider"] = provider(0).into();
        assert_eq!(anna.refused("StartCall", asked.clone()).await, refusal(code, why));
        desk.vendors[0].set(Operation::StartCall, Behaviour::Good);
        let before = desk.vendors[0].dialled(TO);
        anna.ok("StartCall", asked).await;
        assert_eq!(desk.vendors[0].dialled(TO), before + 1, "{behaviour:?}");
    }
    let calls = anna.ok("ListCalls", json!({})).await["calls"].clone();
    let failed = |call: &&Value| call["cause"] == "CALL_CAUSE_FAILED";
    assert_eq!(calls.as_array().unwrap().iter().filter(failed).count(), cases.len(), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_provider_is_tried_where_that_is_asked_for() {
    let next = |at| json!({"failover": if at == 0 { "FAILOVER_NEXT" } else { "FAILOVER_NONE" }});
    let desk = Desk::of(3, voice(), next).await;
    let anna = desk.anna();
    desk.vendors[0].set(Operation::StartCall, Behaviour::Unavailable);
    let call = anna.ok("StartCall", request(TO)).await["call"].clone();
    assert_eq!(call["provider"], "channelProviders/con_two");

    // A vendor that may have dialled is the last one.
    desk.vendors[0].set(Operation::StartCall, Behaviour::LostRequest);
    let refused = anna.refused("StartCall", request(TO)).await;
    assert_eq!(refused, refusal(Code::Aborted, "OUTCOME_UNKNOWN"));

    // One that was chosen is the only one, and the second passes nothing on.
    desk.vendors[0].set(Operation::StartCall, Behaviour::Unavailable);
    let mut chosen = request(TO);
    chosen["provider"] = "con_one".into();
    assert_eq!(
        anna.refused("StartCall", chosen).await,
        refusal(Code::Unavailable, "PROVIDER_DOWN")
    );
    desk.vendors[1].set(Operation::StartCall, Behaviour::Unavailable);
    assert_eq!(
        anna.refused("StartCall", request(TO)).await,
        refusal(Code::Unavailable, "PROVIDER_DOWN")
    );
    assert_eq!(desk.vendors[2].dialled(TO), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_profile_lists_and_the_adapter_offers_can_be_used() {
    let off = |at| match at {
        0 => json!({"outbound": false}),
        1 => json!({"adapter": "widget", "config": "{}"}),
        _ => json!({}),
    };
    let desk = Desk::of(3, voice(), off).await;
    let (anna, admin) = (desk.anna(), desk.admin());
    let with = |name: &str| {
        let mut asked = request(TO);
        asked["provider"] = name.into();
        asked
    };
    let refused = anna.refused("StartCall", with("con_one")).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "OUTBOUND_DISABLED"));
    let refused = anna.refused("StartCall", with("con_two")).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "CAPABILITY_UNSUPPORTED"));
    let refused = anna.refused("StartCall", with("con_none")).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "PROVIDER_NOT_IN_PROFILE"));
    let call = anna.ok("StartCall", request(TO)).await["call"].clone();
    assert_eq!(call["provider"], "channelProviders/con_three");

    admin.ok("DeactivateChannelProvider", json!({"name": "con_three"})).await;
    let refused = anna.refused("StartCall", with("con_three")).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "PROVIDER_NOT_IN_PROFILE"));
    let refused = anna.refused("EndCall", json!({"name": call["name"]})).await;
    assert_eq!(refused, refusal(Code::FailedPrecondition, "PROVIDER_NOT_IN_PROFILE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_arguments_are_named_and_nothing_is_dialled() {
    let desk = Desk::with(1).await;
    let anna = desk.anna();
    let id = "6c4b1e7a-5df4-4f0c-9b6e-3f7f6a1f2b3c";
    let long: String = "x".repeat(5_000);
    let cases = [
        (json!({"to": "5550100", "request_id": id}), "ADDRESS_INVALID", "to"),
        (json!({"to": "", "request_id": id}), "ADDRESS_INVALID", "to"),
        (json!({"to": TO, "from": "me", "request_id": id}), "ADDRESS_INVALID", "from"),
        (json!({"to": TO}), "FIELD_INVALID", "request_id"),
        (json!({"to": TO, "request_id": "1"}), "FIELD_INVALID", "request_id"),
        (json!({"to": TO, "request_id": id, "context": {"k": long}}), "FIELD_INVALID", "context"),
        (json!({"to": TO, "request_id": id, "provider": "a b"}), "FIELD_INVALID", "provider"),
    ];
    for (asked, why, field) in cases {
        let status = anna.call("StartCall", asked.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, why),
            "{asked}"
        );
        use tonic_types::StatusExt as _;
        let bad = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(bad[0].field, field, "{asked}");
    }
    for name in ["calls/x", "other/6c4b1e7a-5df4-4f0c-9b6e-3f7f6a1f2b3c", ""] {
        let refused = anna.refused("GetCall", json!({"name": name})).await;
        assert_eq!(refused, refusal(Code::InvalidArgument, "FIELD_INVALID"), "{name}");
    }
    assert_eq!(
        anna.refused("GetCall", json!({"name": id})).await,
        refusal(Code::NotFound, "CALL_NOT_FOUND")
    );
    assert_eq!(desk.vendors[0].asked(Operation::StartCall), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_acts_for_himself_only_and_lists_his_own_calls() {
    let desk = Desk::with(1).await;
    let admin = desk.admin();
    admin.ok("UpsertUser", json!({"user": {"id": "bert", "display_name": "Bert"}})).await;
    let call = desk.start().await;
    let bert = Api::of(&desk.server, As::new(Some("bert"), Some("agent")));
    for rpc in ["GetCall", "EndCall", "HoldCall", "ResumeCall"] {
        let refused = bert.refused(rpc, json!({"name": call["name"]})).await;
        assert_eq!(refused, refusal(Code::NotFound, "CALL_NOT_FOUND"), "{rpc}");
    }
    let mut asked = request(TO);
    asked["user"] = "anna".into();
    assert_eq!(
        bert.refused("StartCall", asked).await,
        refusal(Code::PermissionDenied, "SELF_ONLY")
    );
    assert_eq!(bert.ok("ListCalls", json!({})).await["calls"], json!([]));
    let refused = bert.refused("ListCalls", json!({"user": "anna"})).await;
    assert_eq!(refused, refusal(Code::PermissionDenied, "SELF_ONLY"));

    for _ in 0..4 {
        desk.start().await;
    }
    let mut page = admin.ok("ListCalls", json!({"page_size": 2})).await;
    let mut names: Vec<Value> = Vec::new();
    loop {
        names.extend(page["calls"].as_array().unwrap().iter().map(|call| call["name"].clone()));
        let token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
        page = admin.ok("ListCalls", json!({"page_size": 2, "page_token": token})).await;
    }
    assert_eq!(names.len(), 5);
    assert_eq!(names[4], call["name"], "newest first");
    let live =
        admin.ok("ListCalls", json!({"live": true, "user": "anna", "provider": "con_one"})).await;
    assert_eq!(live["calls"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_presence_are_asked_of_the_vendor() {
    let desk = Desk::with(1).await;
    let anna = desk.anna();
    let mint = |ttl: &str| json!({"provider": "con_one", "ttl": ttl});
    let made = anna.ok("MintClientToken", mint("600s")).await;
    assert!(made["token"].as_str().unwrap().starts_with("fake-"), "{made}");
    assert_eq!(made["parameters"]["identity"], "anna");
    for ttl in ["86401s", "0s", "-5s"] {
        let status = anna.call("MintClientToken", mint(ttl)).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "FIELD_INVALID"),
            "{ttl}"
        );
    }
    anna.ok("SetPresence", json!({"provider": "con_one", "presence": "PRESENCE_AWAY"})).await;
    assert_eq!(desk.vendors[0].presence("anna"), Some(Presence::Away));
    let refused = anna.refused("SetPresence", json!({"provider": "con_one"})).await;
    assert_eq!(refused, refusal(Code::InvalidArgument, "FIELD_INVALID"));
}
