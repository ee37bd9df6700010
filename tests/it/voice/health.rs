//! Health of providers, as it reaches those who need it (SPEC §14.6).

use std::time::{Duration, Instant};

use deskplane_proto::v1::{HealthState, watch_profile_response::Event};
use deskplane_providers::fake::{Behaviour, Operation};
use serde_json::json;

use super::{Desk, TO, request};
use crate::server::voice;

/// Every quarter of a second, so that a test sees several checks.
fn often() -> deskplane::server::Voice {
    deskplane::server::Voice { check_every: Duration::from_millis(250), ..voice() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_the_watchers_within_a_second() {
    let desk = Desk::of(2, often(), |_| json!({})).await;
    let mut watcher = desk.anna().watch("anna").await;
    let mut expected = vec![
        (Behaviour::Unavailable, vec![HealthState::Degraded, HealthState::Down]),
        (Behaviour::Good, vec![HealthState::Healthy]),
    ]
    .into_iter();
    let mut wait = async |wanted: HealthState| loop {
        if let Event::ProviderHealth(health) = watcher.next().await.unwrap()
            && health.provider == "con_two"
            && health.state() == wanted
        {
            return;
        }
    };
    let ten = Duration::from_secs(10);
    tokio::time::timeout(ten, wait(HealthState::Healthy)).await.unwrap();
    for (behaviour, states) in expected.by_ref() {
        desk.vendors[1].set(Operation::Check, behaviour);
        for state in states {
            tokio::time::timeout(ten, wait(state)).await.unwrap_or_else(|_| panic!("{state:?}"));
        }
    }
    // What a request shows counts at once; a second is the promise.
    desk.vendors[1].set(Operation::StartCall, Behaviour::Credentials);
    desk.vendors[1].set(Operation::Check, Behaviour::Credentials);
    let mut asked = request(TO);
    asked["provider"] = "con_two".into();
    let begun = Instant::now();
    desk.anna().call("StartCall", asked).await.unwrap_err();
    tokio::time::timeout(ten, wait(HealthState::Down)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_left_out_when_none_is_chosen() {
    let desk = Desk::of(2, often(), |_| json!({})).await;
    desk.vendors[0].set(Operation::Check, Behaviour::Credentials);
    let mut watcher = desk.anna().watch("anna").await;
    let down = async {
        loop {
            if let Event::ProviderHealth(health) = watcher.next().await.unwrap()
                && health.provider == "con_one"
                && health.state() == HealthState::Down
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), down).await.unwrap();
    let call = desk.start().await;
    assert_eq!(call["provider"], "channelProviders/con_two");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_what_was_looked_at_and_adapters_tell_what_they_take() {
    let desk = Desk::with(1).await;
    let admin = desk.admin();
    let verified = admin.ok("VerifyProvider", json!({"name": "con_one"})).await;
    assert_eq!(
        (verified["ok"].as_bool(), verified["checks"][0]["outcome"].as_str()),
        (Some(true), Some("CHECK_OUTCOME_OK"))
    );
    desk.vendors[0].set(Operation::Check, Behaviour::Credentials);
    let verified = admin.ok("VerifyProvider", json!({"name": "con_one"})).await;
    assert_eq!(verified["ok"], false, "{verified}");
    let adapters = admin.ok("ListAdapters", json!({})).await["adapters"].clone();
    let kinds: Vec<_> =
        adapters.as_array().unwrap().iter().map(|a| a["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"fake") && kinds.contains(&"widget") && kinds.is_sorted(), "{kinds:?}");
    for adapter in adapters.as_array().unwrap() {
        let schema: serde_json::Value =
            serde_json::from_str(adapter["config_schema"].as_str().unwrap()).unwrap();
        assert_eq!(schema["type"], "object", "{adapter}");
    }
}
