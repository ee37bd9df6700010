use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::*;
use crate::{
    Clock, Registry, Secret, Secrets, Setup,
    fake::{Behaviour, KIND, Operation, SIGNATURE, Switchboard, VendorEvent, WEBHOOK_KEY, sign},
    http::{Network, Policy},
};

/// A scriptable provider with that configuration.
fn fake(config: &str) -> (Arc<dyn ChannelProvider>, Arc<Switchboard>) {
    let name = Uuid::new_v4().to_string();
    let setup = Setup {
        provider: name.clone(),
        secrets: [(WEBHOOK_KEY, "s3cret-key")].into_iter().collect::<Secrets>(),
        webhook_url: None,
        clock: Clock::new(SystemTime::now, Uuid::new_v4),
        network: Network::new(Policy::default(), &[]).unwrap(),
    };
    let registry = Registry::builtin().with_fake();
    (registry.find(KIND).unwrap().build(config, setup).unwrap(), Switchboard::named(&name))
}

/// Dials a party that never answers by itself, so nothing is waited for.
fn plan() -> Plan {
    let mut plan = Plan::new("anna");
    plan.to = Some("+14155550100".parse().unwrap());
    plan.patience = Duration::ZERO;
    plan.within = Duration::from_secs(2);
    plan.secrets = vec![Secret::from("s3cret-key")];
    let body = serde_json::to_string(&[VendorEvent::of("call-1", "busy")]).unwrap();
    plan.webhooks = vec![Sample {
        method: "POST".to_owned(),
        url: "https://desk.example.com/webhooks/fake".to_owned(),
        headers: [(SIGNATURE.to_owned(), sign("s3cret-key", body.as_bytes()))].into(),
        body,
        events: 1,
    }];
    plan
}

fn failures(report: &Report) -> Vec<&'static str> {
    let failed = |entry: &&Entry| matches!(entry.outcome, Outcome::Failed(_));
    report.entries.iter().filter(failed).map(|entry| entry.name).collect()
}

#[tokio::test]
async fn what_is_off_is_skipped_and_must_be_refused() {
    let (provider, _) = fake(r#"{"capabilities": []}"#);
    let report = run(&*provider, &Plan { webhooks: Vec::new(), ..plan() }).await;
    assert!(report.is_ok(), "{report}");
    let off = report.entries.iter().find(|entry| entry.name == "description.off").unwrap();
    assert_eq!(off.outcome, Outcome::Passed);
    let calls = report.entries.iter().filter(|entry| entry.name.starts_with("calls."));
    assert!(calls.filter(|entry| matches!(entry.outcome, Outcome::Skipped(_))).count() >= 8);
}

/// A vendor that signs something else than what it posts.
#[tokio::test]
async fn a_webhook_whose_bytes_are_not_signed_is_found() {
    let (provider, _) = fake("");
    let mut plan = plan();
    plan.webhooks[0].body.push(' ');
    let report = run(&*provider, &plan).await;
    assert_eq!(failures(&report), ["webhooks.genuine"], "{report}");
    plan.webhooks.clear();
    assert!(run(&*provider, &plan).await.is_ok());
}

#[test]
fn a_run_may_be_moved_to_another_thread() {
    fn sendable<T: Send>(_: T) {}
    sendable(run(&crate::widget::Widget, &plan()));
}

#[tokio::test(start_paused = true)]
async fn each_misbehaviour_is_found() {
    let cases = [
        (Operation::Check, Behaviour::Credentials, "description.check"),
        (Operation::Check, Behaviour::Hang, "description.check"),
        (Operation::MintClientToken, Behaviour::Unavailable, "tokens.default"),
        (Operation::MintClientToken, Behaviour::Hang, "tokens.ttl"),
        (Operation::StartCall, Behaviour::Nonsense, "calls.life"),
        (Operation::EndCall, Behaviour::LostAnswer, "calls.life"),
        (Operation::EndCall, Behaviour::Refuse, "calls.end_unknown"),
        (Operation::Hold, Behaviour::RateLimited, "calls.hold"),
        (Operation::PollCall, Behaviour::Hang, "robustness.deadline"),
        (Operation::PollCall, Behaviour::Refuse, "robustness.crowd"),
        (Operation::SetPresence, Behaviour::LostRequest, "calls.presence"),
        (Operation::Events, Behaviour::Hang, "events.open"),
    ];
    for (operation, behaviour, name) in cases {
        let (provider, vendor) = fake("");
        vendor.set(operation, behaviour);
        let report = run(&*provider, &plan()).await;
        assert!(failures(&report).contains(&name), "{operation:?} {behaviour:?}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_party_that_never_answers_is_found() {
    let (provider, vendor) = fake("");
    let report = run(&*provider, &Plan { patience: Duration::from_secs(10), ..plan() }).await;
    assert_eq!(failures(&report), ["calls.life", "calls.hold", "events.call"], "{report}");
    assert_eq!(vendor.dialled("+14155550100"), 3);
}

#[tokio::test]
async fn a_secret_in_a_message_is_found() {
    let (provider, vendor) = fake("");
    vendor.set(Operation::StartCall, Behaviour::Refuse);
    let mut plan = plan();
    plan.secrets.push(Secret::from("the vendor refuses"));
    let report = run(&*provider, &plan).await;
    assert!(failures(&report).contains(&"robustness.messages"), "{report}");
    assert!(!run(&*provider, &Plan::new("anna")).await.entries.is_empty());
}

#[test]
fn a_report_is_a_table_with_counts() {
    let entry = |name, outcome| Entry { name, rule: "It holds.", outcome };
    let entries = vec![
        entry("a.one", Outcome::Passed),
        entry("b.three", Outcome::Failed("it does not".to_owned())),
        entry("c.two", Outcome::Skipped("not offered".to_owned())),
    ];
    let report = Report { kind: "fake", entries };
    let expected = "\
passed   a.one    It holds.
FAILED   b.three  It holds.
                  -> it does not
skipped  c.two    It holds.
                  -> not offered
fake: 1 passed, 1 failed, 1 skipped";
    assert_eq!(report.to_string(), expected);
    assert!(!report.is_ok());
}
